// Package deviceprofile measures the runtime's own kernels on a device and
// predicts from that what a compiled subnet costs there.
//
// Measure compiles random subnets of a space, times them as they will ship, and
// fits two small models with coefficients that are times and never negative:
//
//	layer = Σ over its micro-kernels of (taps and blocks of each size) x vectors of pixels
//	        + channels read, written and added x vectors + rows + bands + 1
//	frame = Σ layers x waiting + output vectors + 1
//
// It predicts compiled layers (sparse.LayerInfo), after dead channels are gone
// and block sizes are chosen: what the compiler does is part of the prediction.
//
// Times are lowest deciles of interleaved runs: neighbours on the machine only
// ever make a run slower. Where they were so busy that even those vary, the
// profile says that it is not quiet.
package deviceprofile

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"

	"evosr/internal/kernel"
	"evosr/sparse"
)

// Profile is what one device was measured to cost. It is plain data; Predict
// is a pure function of it.
type Profile struct {
	CPU      string `yaml:"cpu"`      // model of the processor
	Governor string `yaml:"governor"` // frequency governor, or "unknown"
	Kernels  string `yaml:"kernels"`  // instruction set of the kernels, e.g. "avx512"
	Version  string `yaml:"version"`  // sparse.Version that was measured
	Go       string `yaml:"go"`       // Go version and platform, e.g. "go1.26.0 linux/amd64"
	Date     string `yaml:"date"`     // of the measurement, RFC 3339
	Threads  int    `yaml:"threads"`  // of a run
	Width    int    `yaml:"width"`    // pixels of the input picture that was timed
	Height   int    `yaml:"height"`

	Quiet   bool    `yaml:"quiet"`   // nothing else used the machine much
	Noise   float64 `yaml:"noise"`   // median over networks of: median time / lowest decile - 1
	Seconds float64 `yaml:"seconds"` // that the measurement took

	Layer LayerCost `yaml:"layer"`
	Frame FrameCost `yaml:"frame"`

	// Low and High times a prediction are the interval that 90 % of the
	// measured networks fell into when others predicted them (cross-validation).
	Low  float64 `yaml:"low"`
	High float64 `yaml:"high"`

	Nets    []NetSample   `yaml:"nets"`    // the whole networks that were timed
	Samples []LayerSample `yaml:"samples"` // of their layers, an even choice over all times
}

// LayerCost are a layer's coefficients in nanoseconds. A vector is 16 pixels of
// one row, the last one of a row counted whole. Lists are by micro-kernels of 1,
// 2, 4 and 8 output channels.
type LayerCost struct {
	Tap1NS      []float64 `yaml:"tap1_ns,flow"`  // a list entry on a vector, filters of 1x1
	Tap3NS      []float64 `yaml:"tap3_ns,flow"`  // the same, larger filters: their loads cross cache lines
	FarNS       []float64 `yaml:"far_ns,flow"`   // more, for an entry of a layer whose input rows leave the first level cache
	BlockNS     []float64 `yaml:"block_ns,flow"` // a micro-kernel on a vector beside its taps
	ReadNS      float64   `yaml:"read_ns"`       // a vector of an input channel
	WriteNS     float64   `yaml:"write_ns"`      // a vector of an output channel
	AddNS       float64   `yaml:"add_ns"`        // a vector of an output channel that something is added to
	SpillNS     float64   `yaml:"spill_ns"`      // more, for a vector written where a core's cache does not hold all that is kept between bands
	SpillReadNS float64   `yaml:"spill_read_ns"` // the same, for a vector read or added
	RowNS       float64   `yaml:"row_ns"`        // a row of a micro-kernel
	ListNS      float64   `yaml:"list_ns"`       // 64 bytes of lists in a band
	BandNS      float64   `yaml:"band_ns"`       // a band
	ColdNS      float64   `yaml:"cold_ns"`       // more, for a band after all else went through the cache
	ConstantNS  float64   `yaml:"constant_ns"`
}

// FrameCost are the coefficients of a whole picture.
type FrameCost struct {
	Waiting    float64 `yaml:"waiting"`     // frame time / sum of the layers' times
	OutputNS   float64 `yaml:"output_ns"`   // a vector of the output picture: copying in, shuffling out
	LayerNS    float64 `yaml:"layer_ns"`    // a layer's share of starting and waiting
	ConstantNS float64 `yaml:"constant_ns"` // a picture
}

// NetSample is one timed network.
type NetSample struct {
	Genome      string  `yaml:"genome"`
	MS          float64 `yaml:"ms"`           // lowest decile of its frames
	PredictedMS float64 `yaml:"predicted_ms"` // by models that did not see it
	MedianMS    float64 `yaml:"median_ms"`    // of its frames
	Runs        int     `yaml:"runs"`         // frames
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
	NS       float64 `yaml:"ns"`        // lowest decile over Runs
	MedianNS float64 `yaml:"median_ns"` // over Runs
	Runs     int     `yaml:"runs"`
}

// Predict gives the milliseconds a frame of w x h input pixels takes for a
// network of these layers, and the interval that 90 % of networks fall into.
func (p *Profile) Predict(layers []sparse.LayerInfo, w, h, scale int) (ms, low, high float64) {
	sum := 0.0
	for _, f := range features(layers, w, h, p.Threads) {
		sum += dot(p.Layer.vector(), f)
	}
	ms = dot(p.Frame.vector(), frameFeatures(sum, layers, w, h)) / 1e6
	return ms, ms * p.Low, ms * p.High
}

// PredictLayers gives the milliseconds of each layer, waiting not included.
func (p *Profile) PredictLayers(layers []sparse.LayerInfo, w, h int) []float64 {
	var ms []float64
	for _, f := range features(layers, w, h, p.Threads) {
		ms = append(ms, dot(p.Layer.vector(), f)/1e6)
	}
	return ms
}

// ErrMismatch says that a profile describes another machine or runtime.
var ErrMismatch = errors.New("deviceprofile: the profile is of another device")

// Check reports why p does not describe this machine and runtime, or nil. The
// error wraps ErrMismatch.
func (p *Profile) Check() error {
	var is []string
	differ := func(what, profile, here string) {
		if profile != here {
			is = append(is, fmt.Sprintf("%s %q, here it is %q", what, profile, here))
		}
	}
	differ("cpu", p.CPU, cpuModel())
	differ("kernels", p.Kernels, kernel.Best().Name)
	differ("version", p.Version, sparse.Version)
	if n := runtime.NumCPU(); p.Threads > n {
		is = append(is, fmt.Sprintf("threads %d, here are %d cores", p.Threads, n))
	}
	if is != nil {
		return fmt.Errorf("%w: %s; measure this one with evosr profile", ErrMismatch, strings.Join(is, "; "))
	}
	return nil
}

// Validate reports the first value that no measurement gives, so that a profile
// from a file is safe to predict with.
func (p *Profile) Validate() error {
	if p.Threads < 1 || p.Threads > sparse.MaxThreads {
		return fmt.Errorf("deviceprofile: threads: %d, want 1 to %d", p.Threads, sparse.MaxThreads)
	}
	for _, list := range []struct {
		name   string
		values []float64
	}{{"tap1_ns", p.Layer.Tap1NS}, {"tap3_ns", p.Layer.Tap3NS}, {"far_ns", p.Layer.FarNS}, {"block_ns", p.Layer.BlockNS}} {
		if len(list.values) != 4 {
			return fmt.Errorf("deviceprofile: %s: %d values, want 4, for micro-kernels of 1, 2, 4 and 8 channels", list.name, len(list.values))
		}
	}
	for _, v := range append(p.Layer.vector(), p.Frame.vector()...) {
		if !(v >= 0 && v < 1e15) {
			return fmt.Errorf("deviceprofile: a cost of %v, want 0 or more nanoseconds", v)
		}
	}
	if !(p.Low > 0 && p.Low <= 1 && p.High >= 1 && p.High < math.Inf(1)) {
		return fmt.Errorf("deviceprofile: interval from %v to %v times the prediction, want 1 within it", p.Low, p.High)
	}
	return nil
}
