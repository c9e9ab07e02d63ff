package q8

import (
	"math"
	"strings"
	"testing"

	"evosr/internal/check"
)

// TestLower: a unit is in the lists if it holds a weight beside 0, and only then.
func TestLower(t *testing.T) {
	src := NewBytes(8, 4, 20, 1, 0)
	w := &Weights{Out: 6, In: 8, Kernel: 3, W: make([]int8, 6*8*9), Scale: make([]float32, 6), Bias: make([]float32, 6)}
	at := func(o, i, y, x int) int { return ((o*8+i)*3+y)*3 + x }
	w.W[at(1, 2, 0, 0)] = 5
	w.W[at(3, 0, 0, 0)] = -6
	w.W[at(5, 7, 2, 1)] = 7
	l := lower(t, w, src)
	if l.Units != 2 || len(l.blocks) != 2 || l.most != 7 {
		t.Fatalf("%d units in %d blocks, largest weight %d, want 2 in 2 and 7", l.Units, len(l.blocks), l.most)
	}
	a, b := l.blocks[0], l.blocks[1]
	if a.off[0] != int32(-src.Row-1) || a.w[4+2] != 5 || a.w[12] != -6 || a.of != 4 {
		t.Errorf("first block: offset %d, weights %v, %d channels", a.off[0], a.w, a.of)
	}
	if b.off[0] != int32(src.Plane+src.Row) || b.w[4+3] != 7 || b.of != 2 {
		t.Errorf("second block: offset %d, weights %v, %d channels", b.off[0], b.w, b.of)
	}
	if l.lo != a.off[0] || l.hi != b.off[0] {
		t.Errorf("offsets from %d to %d", l.lo, l.hi)
	}
}

// TestLowerRefuses: what a file may hold and no kernel can compute is an error.
func TestLowerRefuses(t *testing.T) {
	src := NewBytes(4, 4, 20, 1, 0)
	inf := float32(math.Inf(1))
	tests := []struct {
		name, want string
		change     func(w *Weights)
	}{
		{"weights of another shape", "weights", func(w *Weights) { w.W = w.W[1:] }},
		{"an even filter", "odd", func(w *Weights) { w.Kernel = 2 }},
		{"no channels", "weights", func(w *Weights) { w.Out = 0 }},
		{"few scales", "scales", func(w *Weights) { w.Scale = w.Scale[1:] }},
		{"few biases", "biases", func(w *Weights) { w.Bias = w.Bias[1:] }},
		{"few starts", "starts", func(w *Weights) { w.Start = make([]int32, 3) }},
		{"a start beyond 32 bits", "sums up to", func(w *Weights) {
			w.Start = []int32{0, 0, math.MinInt32 + 1000, 0}
			w.Scale[2] = 1e-3
		}},
		{"few slopes", "slopes", func(w *Weights) { w.Slope = make([]float32, 3) }},
		{"a scale that is no number", "scale NaN", func(w *Weights) { w.Scale[2] = inf - inf }},
		{"an infinite bias", "bias +Inf", func(w *Weights) { w.Bias[1] = inf }},
		{"an infinite slope", "channel 0", func(w *Weights) { w.Slope = []float32{inf, 0, 0, 0} }},
		{"a slope that is no number", "channel 3", func(w *Weights) { w.Slope = []float32{0, 0, 0, inf - inf} }},
		{"a scale beyond 32 bits", "values up to", func(w *Weights) { w.Scale[3] = 1e6 }},
		{"a list beyond 32 bits", "sums up to", func(w *Weights) {
			w.In, w.Kernel = math.MaxInt32/(127*255)+1, 1
			w.W = make([]int8, 4*w.In)
			for i := range w.W {
				w.W[i] = 127
			}
			w.Scale = make([]float32, 4)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := check.Rand(t)
			w := &randomLayer(t, rng, 4, 4, 3, 1, 1, 127, 1).w
			for i := range w.W {
				w.W[i] = 100
			}
			w.Start, w.Scale, w.Bias, w.Slope = nil, []float32{1, 1, 1, 1}, make([]float32, 4), nil
			if _, err := Lower(w, src.Row, 1); err != nil {
				t.Fatal(err)
			}
			tt.change(w)
			if _, err := Lower(w, src.Row, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one of %q", err, tt.want)
			}
		})
	}
}
