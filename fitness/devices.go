package fitness

import (
	"evosr/deviceprofile"
	"evosr/network"
	"evosr/sparse"
)

// Device is a further device that a Scorer predicts latencies for.
type Device struct {
	Name          string
	Profile       *deviceprofile.Profile
	Width, Height int // input frame, pixels
}

// Latency is what a network is predicted to take on a further device.
type Latency struct {
	Device string  `json:"device"`
	MS     float64 `json:"latency_ms"` // one frame
	LowMS  float64 `json:"low_ms"`     // interval of the prediction
	HighMS float64 `json:"high_ms"`
}

// Predict gives a network's latency on d. prog is the network compiled here.
func (d *Device) Predict(net *network.Graph, prog *sparse.Program) (Latency, error) {
	layers := prog.Layers()
	if !d.Profile.Compiled(prog.Kernels()) {
		var err error
		if layers, err = d.Profile.Layers(net); err != nil {
			return Latency{}, err
		}
	}
	l := Latency{Device: d.Name}
	l.MS, l.LowMS, l.HighMS = d.Profile.Predict(layers, d.Width, d.Height, net.Scale)
	return l, nil
}
