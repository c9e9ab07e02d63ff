package rundir

import (
	"encoding/json"

	"evosr/fitness"
	"evosr/network"
	"evosr/sparse"
)

// Card is card.json of a winner: the only place of a run with measured times.
type Card struct {
	ID      string `json:"id"`
	Genome  string `json:"genome"`
	Reason  string `json:"reason"` // why this point of the front
	Scale   int    `json:"scale"`
	Colors  int    `json:"colors"`
	Version string `json:"evosr_version"`
	Config  string `json:"config_hash"`

	Metric    string          `json:"metric"`    // definition of the qualities
	Inherited fitness.Quality `json:"inherited"` // weights of the supernet, refitted as in the search
	Finetuned fitness.Quality `json:"finetuned"` // the weights that ship
	Dense     fitness.Quality `json:"dense"`     // largest dense subnet, inherited
	Bicubic   fitness.Quality `json:"bicubic"`

	Latency Latency `json:"latency"`

	Devices []DeviceLatency `json:"devices,omitempty"` // further ones

	Params    int `json:"params"`     // kept weights and biases
	MACs      int `json:"macs"`       // executed, one frame
	DenseMACs int `json:"dense_macs"` // of the unpruned winner, one frame

	Layers []CardLayer       `json:"layers"`
	Files  map[string]string `json:"files"` // name -> SHA-256
}

// Latency compares what was predicted with what was measured.
type Latency struct {
	Width       int     `json:"width"` // input frame, pixels
	Height      int     `json:"height"`
	Threads     int     `json:"threads"`
	Kernels     string  `json:"kernels"`
	PredictedMS float64 `json:"predicted_ms"`
	LowMS       float64 `json:"low_ms"`
	HighMS      float64 `json:"high_ms"`
	MedianMS    float64 `json:"median_ms"`   // measured, of undisturbed frames; 0 where it was not
	P90MS       float64 `json:"p90_ms"`      // of all frames
	QuietShare  float64 `json:"quiet_share"` // of frames that nothing disturbed
	Ratio       float64 `json:"measured_over_predicted"`
	Runs        int     `json:"runs"`
	Stale       string  `json:"stale,omitempty"` // why the prediction is not for this machine
}

// Predict puts a prediction and its interval, ms, beside what was measured.
func (l *Latency) Predict(ms, low, high float64) {
	l.PredictedMS, l.LowMS, l.HighMS = ms, low, high
	if ms > 0 && l.MedianMS > 0 {
		l.Ratio = l.MedianMS / ms
	}
}

// DeviceLatency is a winner's latency on a further device. It is measured only
// where that device is the machine that finished the winner.
type DeviceLatency struct {
	Device   string  `json:"device"`
	BudgetMS float64 `json:"budget_ms,omitempty"`
	Latency
}

// CardLayer is a layer of a winner as the runtime executes it.
type CardLayer struct {
	sparse.LayerInfo
	MedianMS float64
	P90MS    float64
}

// cardLayer is CardLayer in JSON.
type cardLayer struct {
	Name      string  `json:"name"`
	In        int     `json:"in"`
	Out       int     `json:"out"`
	Kernel    int     `json:"kernel"`
	B         int     `json:"block"` // output channels of a micro-kernel
	Scheme    string  `json:"scheme"`
	Density   float64 `json:"density"`
	Blocks    [4]int  `json:"blocks"`
	BlockTaps [4]int  `json:"block_taps"`
	Taps      int     `json:"taps"`
	MACs      int     `json:"macs_per_pixel"`
	DenseMACs int     `json:"dense_macs_per_pixel"`
	ReLU      bool    `json:"relu"`
	Residual  bool    `json:"residual"`
	Speedup   float64 `json:"estimated_speedup"`
	Pays      bool    `json:"pays"`
	MedianMS  float64 `json:"median_ms"`
	P90MS     float64 `json:"p90_ms"`
	Act       string  `json:"activation,omitempty"` // other than ReLU
}

// MarshalJSON writes the layer with the names of the run directory's contract.
func (l CardLayer) MarshalJSON() ([]byte, error) {
	act := l.Act
	if act == network.ActNone.String() || act == network.ActReLU.String() {
		act = ""
	}
	return json.Marshal(cardLayer{
		l.Name, l.In, l.Out, l.Kernel, l.B, l.Scheme, l.Density, l.Blocks, l.BlockTaps, l.Taps, l.MACs, l.DenseMACs,
		l.ReLU, l.Residual, l.Speedup, l.Pays, l.MedianMS, l.P90MS, act,
	})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (l *CardLayer) UnmarshalJSON(text []byte) error {
	var c cardLayer
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	act := c.Act
	switch {
	case act == "" && c.ReLU:
		act = network.ActReLU.String()
	case act == "":
		act = network.ActNone.String()
	}
	*l = CardLayer{LayerInfo: sparse.LayerInfo{
		Name: c.Name, In: c.In, Out: c.Out, Kernel: c.Kernel, B: c.B, Scheme: c.Scheme, Density: c.Density,
		Blocks: c.Blocks, BlockTaps: c.BlockTaps, Taps: c.Taps, MACs: c.MACs, DenseMACs: c.DenseMACs,
		ReLU: c.ReLU, Act: act, Residual: c.Residual, Speedup: c.Speedup, Pays: c.Pays,
	}, MedianMS: c.MedianMS, P90MS: c.P90MS}
	return nil
}
