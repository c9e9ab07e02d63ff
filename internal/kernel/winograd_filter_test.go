package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// sameTransform holds the transformed weights of a layer and of its input
// gradient against those in float64.
func sameTransform(t *testing.T, rng *rand.Rand, set *Set, out, in int) {
	t.Helper()
	w, bias := check.Guarded(t, rng, out*in*9), check.Guarded(t, rng, out)
	was := slices.Clone(w)
	size := WinogradFloats(out, in)
	for _, transpose := range []bool{false, true} {
		room := check.GuardedAligned(t, size+3)
		check.Fill(rng, room) // whatever a step before left
		want := set.NewWinograd(out, in, w, bias)
		if transpose {
			want = set.NewWinograd(in, out, turned(w, out, in), make([]float32, in))
		}
		var got Winograd
		if rest := got.Transform(set, out, in, w, bias, transpose, room); len(rest) != 3 {
			t.Fatalf("%d floats are left, want 3", len(rest))
		}
		t.Logf("%s: %d to %d channels, transposed: %v", set.Name, in, out, transpose)
		if got.In != want.In || got.Out != want.Out || got.set != want.set {
			t.Errorf("(%d, %d), want (%d, %d)", got.In, got.Out, want.In, want.Out)
		}
		check.Close(t, got.u, want.u, 1e-6)
		check.Close(t, got.bias, want.bias, 0)
		check.Close(t, w, was, 0)
	}
}

// turned are the weights (in, out, 3, 3) of the input gradient.
func turned(w []float32, out, in int) []float32 {
	t := make([]float32, len(w))
	for o := range out {
		for i := range in {
			for k := range 9 {
				t[(i*out+o)*9+k] = w[(o*in+i)*9+8-k]
			}
		}
	}
	return t
}

// TestTransform: every Set that has such kernels, at sizes around vectors and
// blocks.
func TestTransform(t *testing.T) {
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for range 40 {
				sameTransform(t, rng, set, 1+rng.IntN(20), 1+rng.IntN(20))
			}
			sameTransform(t, rng, set, 24, 48)
		})
	}
}

// TestWinogradInputGradient holds the input gradient with its gate and what it
// adds to against the scalar one over the transposed list, and the fused gate
// against Set.Gate: those are the same bits.
func TestWinogradInputGradient(t *testing.T) {
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for _, w := range []int{1, 13, 20, 31, 48, 64, 65, 100, 200} {
				out, in := 1+rng.IntN(12), 1+rng.IntN(20)
				l := randomLayer(t, rng, in, out, 3, 1+rng.IntN(9), w, 1) // from out to in channels
				weights := check.Guarded(t, rng, out*in*9)
				shape := Shape{Out: out, In: in, Kernel: 3, Row: l.src.Row, Plane: l.src.Plane}
				e := &Epilogue{Gate: randomGate(t, rng, l)}
				if rng.IntN(2) == 0 {
					e.Residual = l.side
				}
				want := NewTensor(in, l.dst.H, w, l.dst.Border)
				convScalar(want, l.src, Lower(nil, shape, weights, nil, nil, 1, true), e, 0, want.H)
				var g Winograd
				g.Transform(set, out, in, weights, make([]float32, out), true, Aligned(WinogradFloats(out, in)))
				scratch := Aligned(set.WinogradScratch(out))
				g.Conv(l.dst, l.src, e, 0, want.H, 0, scratch)
				t.Logf("%s: %d to %d channels, %dx%d", set.Name, in, out, w, want.H)
				onlyPixels(t, l.dst)
				check.CloseSums(t, pixels(l.dst), pixels(want), winogradClose, usualSum(out*9))

				g.Conv(want, l.src, &Epilogue{Residual: e.Residual}, 0, want.H, 0, scratch)
				for c := range want.C {
					for y := range want.H {
						set.Gate(want.At(c, y), want.At(c, y), nil, e.Gate.At(c, y))
					}
				}
				check.Close(t, pixels(l.dst), pixels(want), 0)
			}
		})
	}
}

// randomGate is an activation of the strides that l.dst has.
func randomGate(t testing.TB, rng *rand.Rand, l *layer) *Tensor {
	t.Helper()
	gate := guardedTensor(t, rng, l.dst.C, l.dst.H, l.dst.W, l.dst.Border)
	for c := range gate.C {
		for y := range gate.H {
			row := gate.At(c, y)
			for x := range row {
				row[x] = max(row[x], 0)
			}
		}
	}
	return gate
}
