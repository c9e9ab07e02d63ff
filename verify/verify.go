// Package verify holds what the runtime computes of a network against independent
// implementations: its definition in float64, onnx-go, and the command of another
// runtime.
//
// onnx-go runs in a process of its own and of limited memory, which speaks with
// this one by Child.
package verify

import (
	"context"
	"fmt"
	"math"
	"strings"

	"evosr/imaging"
	"evosr/network"
	"evosr/sparse"
)

// Result is what Run found. It is the JSON of evosr verify, a promise to scripts.
type Result struct {
	Model     string    `json:"model"`
	Width     int       `json:"width"` // of the input
	Height    int       `json:"height"`
	Scale     int       `json:"scale"`
	Colors    int       `json:"colors"`
	Kernels   string    `json:"kernels"`
	Tolerance float64   `json:"tolerance"`
	Agrees    bool      `json:"agrees"`
	Opinions  []Opinion `json:"opinions"`
}

// Opinion is what another implementation says.
type Opinion struct {
	Name       string  `json:"name"`
	Agrees     bool    `json:"agrees"`
	Difference float64 `json:"difference"` // the largest, white being 1; -1 where nothing was computed
	Note       string  `json:"note,omitempty"`
}

// Names of the other implementations.
const (
	byDefinition = "definition" // float64 loops
	byOnnxGo     = "onnx-go"    // with its Gorgonia backend
	byRunner     = "runner"
)

// Options say what is computed, and by whom.
type Options struct {
	Model         string // its name in the result
	Width, Height int    // of the input, pixels
	Tolerance     float64
	Child         []string // command whose standard streams Child serves
	Runner        string   // command of another runtime, or ""; see evosr verify

	// File is the ONNX file that the network came from, which the runner computes,
	// with White the value of white that it wants; "" where it came from none.
	File  string
	White float32
}

// Verification is a picture, what it becomes here, and what it takes to compute the
// same elsewhere.
type Verification struct {
	o      Options
	graph  *network.Graph
	src    []float32 // (colors, height, width)
	ours   []float32
	result Result
}

// New computes a procedural picture by p, which is g compiled.
func New(p *sparse.Program, g *network.Graph, o Options) (*Verification, error) {
	v := &Verification{o: o, graph: g}
	v.result = Result{Model: o.Model, Width: o.Width, Height: o.Height, Scale: p.Scale(), Colors: p.Colors(), Kernels: p.Kernels(), Tolerance: o.Tolerance}
	const side = 64 // repeated where more is asked for
	for c := range p.Colors() {
		plane := imaging.Procedural(1, c, side)
		for i := range o.Width * o.Height {
			v.src = append(v.src, plane.Pix[i/o.Width%side*side+i%o.Width%side])
		}
	}
	v.ours = make([]float32, len(v.src)*p.Scale()*p.Scale())
	return v, p.Upscale(v.ours, v.src, o.Width, o.Height)
}

// Run asks the others. It is an error only where ctx ends it.
func (v *Verification) Run(ctx context.Context) (*Result, error) {
	r := &v.result
	r.Agrees = true
	type other struct {
		name    string
		compute func(context.Context) (values []float32, note string, err error)
	}
	list := []other{{byDefinition, v.definition}, {byOnnxGo, v.onnxGo}}
	if v.o.Runner != "" {
		list = append(list, other{byRunner, v.runner})
	}
	for _, l := range list {
		theirs, note, err := l.compute(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o := Opinion{Name: l.name, Note: note, Difference: -1}
		switch {
		case err != nil:
			o.Note = strings.ReplaceAll(err.Error(), "\n", "; ")
			r.Agrees = false
		case theirs == nil:
			o.Agrees = true // has nothing to say
		default:
			o.Difference = largest(v.ours, theirs)
			o.Agrees = o.Difference <= r.Tolerance
			r.Agrees = r.Agrees && o.Agrees
		}
		r.Opinions = append(r.Opinions, o)
	}
	return r, nil
}

// Quarrel says who disagrees.
func (r *Result) Quarrel() string {
	var list []string
	for _, o := range r.Opinions {
		switch {
		case o.Agrees:
		case o.Difference < 0:
			list = append(list, o.Name+" fails")
		default:
			list = append(list, fmt.Sprintf("%s disagrees by more than %g", o.Name, r.Tolerance))
		}
	}
	return strings.Join(list, ", ")
}

// largest is the largest difference; what is no number, or lists of different
// lengths, differ by any.
func largest(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.MaxFloat64
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if !(d <= math.MaxFloat32) {
			return math.MaxFloat64
		}
		worst = max(worst, d)
	}
	return worst
}

func (v *Verification) definition(context.Context) ([]float32, string, error) {
	out, err := v.graph.Reference(v.src, v.o.Width, v.o.Height)
	return out, "", err
}

// Difference runs two programs of the same shape on a procedural picture: the
// largest difference of a value, white being 1, and the PSNR of one output against
// the other, dB.
func Difference(p, q *sparse.Program) (most, psnr float64, err error) {
	const size = 128
	probe := imaging.Procedural(1, 0, size)
	var src []float32
	for range p.Colors() {
		src = append(src, probe.Pix...)
	}
	var out [2][]float32
	for i, program := range []*sparse.Program{p, q} {
		out[i] = make([]float32, len(src)*p.Scale()*p.Scale())
		if err := program.Upscale(out[i], src, size, size); err != nil {
			return 0, 0, err
		}
	}
	var squares float64
	for i, v := range out[0] {
		d := math.Abs(float64(v) - float64(out[1][i]))
		most = max(most, d)
		squares += d * d
	}
	return most, -10 * math.Log10(squares/float64(len(out[0]))), nil
}
