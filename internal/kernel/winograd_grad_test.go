package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// sameWinogradGrad holds the weight gradient by Winograd against the direct one.
func sameWinogradGrad(t *testing.T, rng *rand.Rand, set *Set, l *layer) {
	t.Helper()
	out, in := l.dst.C, l.src.C
	dy := NewTensor(out, l.dst.H, l.dst.W, rng.IntN(3))
	for c := range out {
		for y := range dy.H {
			check.Fill(rng, dy.At(c, y))
		}
	}
	blocks := Lower(nil, l.shape, l.w, nil, nil, 1, false)
	was, bias := make([]float32, 9*out*in), check.Guarded(t, rng, out)
	check.Fill(rng, was)
	want, wantBias := slices.Clone(was), slices.Clone(bias)
	lists := make([][]float32, out)
	for o := range lists {
		lists[o] = make([]float32, in*9)
	}
	weightGradScalar(lists, wantBias, dy, l.src, blocks)
	for o, list := range lists {
		for i := range in {
			for k := range 9 {
				want[(k*in+i)*out+o] += list[i*9+k]
			}
		}
	}
	got := check.Guarded(t, rng, len(was))
	copy(got, was)
	scratch := check.GuardedAligned(t, set.WinogradGradScratch(out, in))
	check.Fill(rng, scratch)
	src, side := slices.Clone(l.src.Data), slices.Clone(dy.Data)
	set.WinogradGrad(got, bias, dy, l.src, scratch)
	t.Logf("%s: %d to %d channels, %dx%d", set.Name, in, out, dy.W, dy.H)
	check.Close(t, l.src.Data, src, 0)
	check.Close(t, dy.Data, side, 0)
	// Plain loops add up whole patches in one float32.
	check.CloseSums(t, got, want, 3*winogradClose, usualSum(dy.H*dy.W))
	check.CloseSums(t, bias, wantBias, 1e-5, usualSum(dy.H*dy.W))
}

// TestWinogradGrad: every Set that has it, at patches as in training, more tiles
// than are in memory at a time, and anything.
func TestWinogradGrad(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for _, size := range [][4]int{{24, 48, 48, 48}, {48, 24, 64, 64}, {8, 8, 24, 24}, {5, 3, 13, 20}, {3, 9, 330, 15}, {2, 3, 64, 70}} {
				sameWinogradGrad(t, rng, set, randomLayer(t, rng, size[1], size[0], 3, size[3], size[2], 1))
			}
			for w := pairWidth/2 - 1; w <= pairWidth+1; w++ {
				sameWinogradGrad(t, rng, set, randomLayer(t, rng, 1+rng.IntN(40), 1+rng.IntN(20), 3, 8*(1+rng.IntN(4)), w, 1))
			}
			for range 30 {
				sameWinogradGrad(t, rng, set, randomLayer(t, rng, 1+rng.IntN(20), 1+rng.IntN(20), 3, 1+rng.IntN(20), 1+rng.IntN(120), 1))
			}
		})
	}
}

// TestWinogradGradMisuse: a call that would leave its memory panics before it does.
func TestWinogradGradMisuse(t *testing.T) {
	src, dy := NewTensor(2, 4, 20, 1), NewTensor(4, 4, 20, 0)
	grad, bias := make([]float32, 9*2*4), make([]float32, 4)
	for _, set := range Sets() {
		scratch := Aligned(set.WinogradGradScratch(4, 2))
		set.WinogradGrad(grad, bias, dy, src, scratch) // fine
		short := *src
		short.Data = short.Data[:len(short.Data)/2]
		for name, call := range map[string]func(){
			"height":       func() { set.WinogradGrad(grad, bias, NewTensor(4, 5, 20, 0), src, scratch) },
			"channels":     func() { set.WinogradGrad(grad, bias, NewTensor(3, 4, 20, 0), src, scratch) },
			"border":       func() { set.WinogradGrad(grad, bias, dy, NewTensor(2, 4, 20, 0), scratch) },
			"short source": func() { set.WinogradGrad(grad, bias, dy, &short, scratch) },
			"scratch":      func() { set.WinogradGrad(grad, bias, dy, src, scratch[1:]) },
			"gradients":    func() { set.WinogradGrad(grad[1:], bias, dy, src, scratch) },
			"biases":       func() { set.WinogradGrad(grad, bias[1:], dy, src, scratch) },
		} {
			t.Run(set.Name+"/"+name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				call()
			})
		}
	}
}
