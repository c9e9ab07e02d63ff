// Package deviceprofile measures the runtime's own kernels on a device and
// predicts from that what a compiled subnet costs there.
package deviceprofile

import (
	"context"

	"evosr/space"
	"evosr/sparse"
)

// Profile is what one device was measured to cost. It is plain data; Predict
// is a pure function of it.
type Profile struct {
	CPU      string `yaml:"cpu"`      // model name of the processor
	Governor string `yaml:"governor"` // frequency governor, or "unknown"
	Kernels  string `yaml:"kernels"`  // instruction set of the kernels, e.g. "avx512"
	Version  string `yaml:"version"`  // sparse.Version that was measured
	Go       string `yaml:"go"`       // Go version and architecture
	Date     string `yaml:"date"`     // of the measurement, RFC 3339
	Threads  int    `yaml:"threads"`
}

// MeasureOptions say what to measure.
type MeasureOptions struct {
	Threads       int          // 0 for GOMAXPROCS
	Quick         bool         // at most 30 s instead of 5 minutes
	Space         *space.Space // whose layers are measured; nil for a general one
	Width, Height int          // input picture, pixels; 0 for 320x180
	Progress      func(done float64, what string)
}

// Measure times the runtime on this machine.
func Measure(ctx context.Context, o MeasureOptions) (*Profile, error) { panic("soon") }

// Predict gives the milliseconds a frame of w x h input pixels takes for a
// network of these layers, and the interval that 90 % of networks fall into.
func (p *Profile) Predict(layers []sparse.LayerInfo, w, h, scale int) (ms, low, high float64) {
	panic("soon")
}

// Check reports why p does not describe this machine and runtime, or nil.
func (p *Profile) Check() error { panic("soon") }

// Report is how well a profile predicts networks that it never saw.
type Report struct {
	Nets       []Net
	Within5    float64 // share predicted within 5 %
	Within10   float64 // share predicted within 10 %
	RMSPE      float64 // root mean square of (predicted-measured)/measured
	KendallTau float64
	MACs       struct{ Within5, Within10, RMSPE, KendallTau float64 } // a line through MACs alone, fitted to these very nets
}

// Net is one network of a Report.
type Net struct {
	Genome              string
	Predicted, Measured float64 // milliseconds
	MACs                int     // per input pixel, kept
}

// Accuracy predicts and measures n random networks of a space.
func Accuracy(ctx context.Context, p *Profile, sp *space.Space, n int, seed uint64) (*Report, error) {
	panic("soon")
}
