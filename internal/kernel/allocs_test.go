package kernel

import (
	"testing"

	"evosr/internal/check"
)

// TestNoAllocation: no function of any Set allocates, whatever the size.
func TestNoAllocation(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		for _, w := range []int{5, 48, 85} {
			l := randomLayer(t, rng, 13, 3, 3, 3, w, 0.5)
			blocks := Lower(nil, l.shape, l.w, l.bias, l.mask, 8, false)
			e := &Epilogue{ReLU: true, Residual: l.side, Gate: l.side, Slope: l.bias, Clip: &Range{-1, 1}}
			var grad [][]float32
			for _, b := range blocks {
				grad = append(grad, make([]float32, len(b.W)))
			}
			plain, g, scratch := &Epilogue{ReLU: true}, set.NewWinograd(13, 3, l.w, l.bias), []float32(nil)
			if g != nil {
				scratch = Aligned(g.Scratch())
			}
			again, room := new(Winograd), Aligned(WinogradFloats(13, 3))
			dw, bias := make([]float32, len(l.w)), make([]float32, 13)
			sums := Aligned(set.WinogradGradScratch(13, 3))
			a, b, c, d := make([]float32, 4*w), make([]float32, 4*w), make([]float32, 4*w), make([]float32, 4*w)
			rows := [4][]float32{a[:w], b[:w], c[:w], d[:w]}
			woven := make([]float32, 4*w)
			calls := []struct {
				name string
				call func()
			}{
				{"Conv", func() { set.Conv(l.dst, l.src, blocks, e, 0, 3) }},
				{"Winograd", func() {
					if g != nil {
						g.Conv(l.dst, l.src, plain, 0, 3, 0, scratch)
					}
				}},
				{"Transform", func() {
					if g != nil {
						again.Transform(set, 13, 3, l.w, l.bias, false, room)
					}
				}},
				{"WeightGrad", func() { set.WeightGrad(grad, bias, l.dst, l.src, blocks) }},
				{"WinogradGrad", func() { set.WinogradGrad(dw, bias, l.dst, l.src, sums) }},
				{"Repack", func() { Repack(blocks, l.w, l.bias) }},
				{"Scatter", func() { Scatter(dw, blocks, grad) }},
				{"Axpy", func() { set.Axpy(a, 0.5, b) }},
				{"Blend", func() { set.Blend(a, 0.5, b) }},
				{"SumSquares", func() { set.SumSquares(a) }},
				{"Gate", func() { set.Gate(a, b, c, d) }},
				{"PReLUGrad", func() { set.PReLUGrad(a, b, 0.1) }},
				{"Mul", func() { set.Mul(a, b, c) }},
				{"Sub", func() { set.Sub(a, b, c) }},
				{"Max", func() { set.Max(a, b, c) }},
				{"Tanh", func() { set.Tanh(a, b) }},
				{"Sigmoid", func() { set.Sigmoid(a, b) }},
				{"Adam", func() { set.Adam(a, b, c, d, 0.1, 0.9, 0.99, 1e-8) }},
				{"AbsGrad", func() { set.AbsGrad(a, b, c, 1) }},
				{"Shuffle2", func() { set.Shuffle(woven, rows, 2) }},
				{"Shuffle3", func() { set.Shuffle(woven, rows, 3) }},
				{"Stream4", func() { set.Stream(woven, rows, 4) }},
				{"Unshuffle4", func() { set.Unshuffle(rows, woven, 4) }},
				{"EdgeBorder", func() { l.src.EdgeBorder(0) }},
			}
			for _, c := range calls {
				if n := testing.AllocsPerRun(20, c.call); n != 0 {
					t.Errorf("%s: %s of width %d: %v allocations a call, want 0", set.Name, c.name, w, n)
				}
			}
		}
	}
}
