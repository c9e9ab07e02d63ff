package onnx

import (
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/supernet"
)

// TestReference ties the definition that files are held against to the one of
// the other rooms, so that ONNX Runtime vouches for both.
func TestReference(t *testing.T) {
	rng := check.Rand(t)
	for _, scale := range []int{2, 3, 4} {
		for _, colors := range []int{1, 3} {
			sp := testSpace(scale, colors)
			net := sp.Shape(sp.Random(rng))
			for i := range net.Layers {
				l := &net.Layers[i]
				l.Weights, l.Bias = make([]float32, l.Size()), make([]float32, l.Out)
				if !l.Learned && len(l.Slope) > 0 {
					l.Slope = slices.Repeat([]float32{0.2}, l.Out)
				}
			}
			g := fill(rng, net.Graph()) // their weights are the same
			w, h := 1+rng.IntN(9), 1+rng.IntN(9)
			src := picture(rng, colors, w, h)
			got := supernet.Reference(net, src, w, h)
			if diff := difference(t, floatBytes(got), reference(t, g, src, w, h)); !(diff <= 1e-5) {
				t.Errorf("%v, %dx%d: differs by %g", net.Genome, w, h, diff)
			}
		}
	}
}
