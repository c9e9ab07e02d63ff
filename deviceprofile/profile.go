// Package deviceprofile measures what networks cost on a device and predicts
// from that what a network costs there that was never run.
//
// Measure compiles random subnets of a space, times them as they will ship, and
// fits small models whose coefficients are times and never negative:
//
//	layer = Σ coefficient x count, over the terms of its family of kernels
//	frame = Σ layers x waiting + output vectors + layers + 1
//
// Terms says which counts there are. They are counts of compiled layers
// (sparse.LayerInfo), after dead channels are gone and block sizes are chosen:
// what the compiler does is part of the prediction.
//
// MeasureRunner does the same for any other runtime that a command can time: its
// models are of the exported graph, whose pruned weights are zeros that such a
// runtime multiplies by.
//
// A network's time is the median of its frames that nothing disturbed, out of
// runs that take turns with those of all the others. Networks are drawn where
// the model errs most, and timed again where the machine was disturbed. Where
// that did not help, the profile says that it is not quiet, and why.
package deviceprofile

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"

	"evosr/internal/kernel"
	"evosr/internal/stat"
	"evosr/network"
	"evosr/sparse"
)

// Profile is what one device was measured to cost. It is plain data; Predict
// is a pure function of it.
type Profile struct {
	Runtime  string `yaml:"runtime"`  // Evosr, or the command of a runner
	CPU      string `yaml:"cpu"`      // model of the processor that ran evosr
	Governor string `yaml:"governor"` // frequency governor, or "unknown"
	Kernels  string `yaml:"kernels"`  // instruction set of evosr's kernels, e.g. "avx512"
	Version  string `yaml:"version"`  // sparse.Version that was measured
	Go       string `yaml:"go"`       // Go version and platform, e.g. "go1.26.0 linux/amd64"
	Date     string `yaml:"date"`     // of the measurement, RFC 3339
	Threads  int    `yaml:"threads"`  // of a run
	Width    int    `yaml:"width"`    // pixels of the input picture that was timed
	Height   int    `yaml:"height"`
	Scale    int    `yaml:"scale"`  // of the networks that were timed
	Colors   int    `yaml:"colors"` // planes that they read

	Quiet      bool    `yaml:"quiet"`       // nothing else used the machine much
	Trouble    string  `yaml:"trouble"`     // why it is not quiet, or ""
	QuietShare float64 `yaml:"quiet_share"` // frames of the median network that nothing disturbed
	Noise      float64 `yaml:"noise"`       // median over networks of: median time / lowest decile - 1
	Slowdown   float64 `yaml:"slowdown"`    // from the first third of the measurement to the last: a clock that falls
	Repeated   int     `yaml:"repeated"`    // turns that were taken again because they were disturbed
	Seconds    float64 `yaml:"seconds"`     // that the measurement took

	// Layer holds a coefficient in nanoseconds for every term of Terms, by
	// family and name; Frame those of the whole picture, of which "waiting" is a
	// factor.
	Layer map[string]map[string]float64 `yaml:"layer_ns"`
	Frame map[string]float64            `yaml:"frame_ns"`

	// Low and High times a prediction are the interval that 90 % of the
	// measured networks fell into when others predicted them (cross-validation).
	Low  float64 `yaml:"low"`
	High float64 `yaml:"high"`

	Nets    []NetSample   `yaml:"nets"`    // the whole networks that were timed
	Samples []LayerSample `yaml:"samples"` // of their layers, an even choice over all times
}

// Evosr is the Runtime of profiles of evosr's own runtime.
const Evosr = "evosr"

// NetSample is one timed network.
type NetSample struct {
	Genome      string  `yaml:"genome"`
	Width       int     `yaml:"width,omitempty"` // of its input, where it is not the profile's
	Height      int     `yaml:"height,omitempty"`
	MS          float64 `yaml:"ms"`           // median of its undisturbed frames
	P10MS       float64 `yaml:"p10_ms"`       // of all its frames
	P90MS       float64 `yaml:"p90_ms"`       //
	PredictedMS float64 `yaml:"predicted_ms"` // by models that did not see it
	Runs        int     `yaml:"runs"`         // frames
	Quiet       int     `yaml:"quiet"`        // of them that nothing disturbed
}

// LayerSample is one timed layer within a network, at the profile's picture
// size and threads.
type LayerSample struct {
	Kernel   int     `yaml:"kernel"` // side of the filter
	In       int     `yaml:"in"`     // channels
	Out      int     `yaml:"out"`
	Blocks   []int   `yaml:"blocks,flow"` // micro-kernels of 1, 2, 4, 8 output channels
	Taps     []int   `yaml:"taps,flow"`   // their list entries
	Residual bool    `yaml:"residual"`
	NS       float64 `yaml:"ns"`     // median over undisturbed frames
	P10NS    float64 `yaml:"p10_ns"` // over all
	P90NS    float64 `yaml:"p90_ns"`
	Runs     int     `yaml:"runs"`
}

// External says whether the times are of another runtime than evosr's.
func (p *Profile) External() bool { return p.Runtime != Evosr }

// Predict gives the milliseconds a frame of w x h input pixels takes for a
// network of these layers, and the interval that 90 % of networks fall into.
// The layers must be compiled as the device does it, see Layers.
func (p *Profile) Predict(layers []sparse.LayerInfo, w, h, scale int) (ms, low, high float64) {
	m := p.model()
	ms = m.frame(p.table().features(layers, w, h, p.Threads), layers, w, h) / 1e6
	return ms, ms * p.Low, ms * p.High
}

// PredictLayers gives the milliseconds of each layer, waiting not included; a
// chained layer's are in the next one's.
func (p *Profile) PredictLayers(layers []sparse.LayerInfo, w, h int) []float64 {
	m := p.model()
	var ms []float64
	for _, f := range p.table().features(layers, w, h, p.Threads) {
		ms = append(ms, stat.Dot(m.layer, f)/1e6)
	}
	return ms
}

// Layers compiles net as the profile's device would. A program compiled here for
// the fastest kernels has the same layers when those are the device's, as
// Compiled tells.
func (p *Profile) Layers(net *network.Graph) ([]sparse.LayerInfo, error) {
	kernels := p.Kernels
	if p.External() { // what is exported does not depend on them
		kernels = kernel.Best().Name
	}
	layers, err := sparse.LayersOn(net, kernels)
	if err != nil {
		return nil, fmt.Errorf("deviceprofile: %w", err)
	}
	return layers, nil
}

// Compiled says whether a program for the named kernels has the layers that
// the device runs. What is exported does not depend on kernels.
func (p *Profile) Compiled(kernels string) bool { return p.External() || p.Kernels == kernels }

// ErrMismatch says that a profile describes another machine or runtime.
var ErrMismatch = errors.New("deviceprofile: the profile is of another device")

// Check reports why p does not describe this machine and runtime, or nil. The
// error wraps ErrMismatch. Where another runtime runs is not known; of such a
// profile only the version of evosr is checked, whose graphs it was fitted to.
func (p *Profile) Check() error {
	var is []string
	differ := func(what, profile, here string) {
		if profile != here {
			is = append(is, fmt.Sprintf("%s %q, here it is %q", what, profile, here))
		}
	}
	if !p.External() {
		differ("cpu", p.CPU, cpuModel())
		differ("kernels", p.Kernels, kernel.Best().Name)
		if n := runtime.NumCPU(); p.Threads > n {
			is = append(is, fmt.Sprintf("threads %d, here are %d cores", p.Threads, n))
		}
	}
	differ("version", p.Version, sparse.Version)
	if is != nil {
		return fmt.Errorf("%w: %s; measure this one with evosr profile", ErrMismatch, strings.Join(is, "; "))
	}
	return nil
}

// Current reports why p is not of this version of the runtime, whatever its
// machine, or nil. The error wraps ErrMismatch.
func (p *Profile) Current() error {
	if p.Version != sparse.Version {
		return fmt.Errorf("%w: version %q, here it is %q; measure the device anew with evosr profile", ErrMismatch, p.Version, sparse.Version)
	}
	return nil
}

// Here reports why times measured by evosr on this machine cannot be held
// against p, or nil.
func (p *Profile) Here() error {
	if p.External() {
		return fmt.Errorf("%w: its times are those of another runtime (%s)", ErrMismatch, p.Runtime)
	}
	return p.Check()
}

// A Fault is a value of a profile that no measurement gives.
type Fault struct {
	Text string // where, value and what is wanted
}

func (f *Fault) Error() string { return "deviceprofile: " + f.Text }

func faultf(format string, args ...any) error { return &Fault{fmt.Sprintf(format, args...)} }

// Validate reports the first value that no measurement gives, a *Fault, so that a
// profile from a file is safe to predict with.
func (p *Profile) Validate() error {
	if p.Threads < 1 || p.Threads > sparse.MaxThreads {
		return faultf("threads: %d, want 1 to %d", p.Threads, sparse.MaxThreads)
	}
	if p.Runtime == "" {
		return faultf("runtime: %q, want %s or the command of a runner", p.Runtime, Evosr)
	}
	if p.Scale < 2 || p.Scale > 4 || p.Colors != 1 && p.Colors != 3 {
		return faultf("scale %d and %d colors, want 2 to 4 and 1 or 3", p.Scale, p.Colors)
	}
	t := p.table()
	families := map[string]map[string]float64{}
	for _, c := range t.layer {
		if families[c.Family] == nil {
			families[c.Family] = map[string]float64{}
		}
		name := termName{c.Family, c.Name}
		if _, has := p.Layer[c.Family][c.Name]; has || t.instead[name] == nil {
			families[c.Family][c.Name] = 0
		}
	}
	if err := sameKeys("layer_ns", p.Layer, families); err != nil {
		return err
	}
	for name, want := range families {
		if err := costs("layer_ns."+name, p.Layer[name], want); err != nil {
			return err
		}
	}
	want := map[string]float64{}
	for _, t := range frameTable {
		want[t.name] = 0
	}
	if err := costs("frame_ns", p.Frame, want); err != nil {
		return err
	}
	if !(p.Low > 0 && p.Low <= 1 && p.High >= 1 && p.High < math.Inf(1)) {
		return faultf("interval from %v to %v times the prediction, want 1 within it", p.Low, p.High)
	}
	return nil
}

// costs wants every term once and every coefficient a time.
func costs(path string, got, want map[string]float64) error {
	if err := sameKeys(path, got, want); err != nil {
		return err
	}
	for name, v := range got {
		if !(v >= 0 && v < 1e15) {
			return faultf("%s.%s: %v, want 0 or more nanoseconds", path, name, v)
		}
	}
	return nil
}

func sameKeys[T any](path string, got, want map[string]T) error {
	for name := range want {
		if _, ok := got[name]; !ok {
			return faultf("%s.%s: missing", path, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return faultf("%s.%s: unknown term", path, name)
		}
	}
	return nil
}
