package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// layer is a random convolution with everything that it reads and writes.
type layer struct {
	shape    Shape
	w, bias  []float32
	mask     []uint8
	src, dst *Tensor
	side     *Tensor // as large as dst
}

// guardedTensor is a tensor over guarded memory, its pixels random, all else 0.
func guardedTensor(t testing.TB, rng *rand.Rand, c, h, w, border int) *Tensor {
	t.Helper()
	_, _, _, size := Layout(c, h, w, border)
	x := new(Tensor)
	x.Place(check.GuardedAligned(t, size), c, h, w, border)
	for c := range x.C {
		for y := range x.H {
			check.Fill(rng, x.At(c, y))
		}
	}
	return x
}

// randomLayer draws a layer; density is the share of weights that are kept.
func randomLayer(t testing.TB, rng *rand.Rand, out, in, kernel, h, w int, density float64) *layer {
	t.Helper()
	border := kernel / 2
	l := &layer{
		src:  guardedTensor(t, rng, in, h, w, border+rng.IntN(2)),
		dst:  guardedTensor(t, rng, out, h, w, rng.IntN(3)),
		side: guardedTensor(t, rng, out, h, w, rng.IntN(2)),
		w:    check.Guarded(t, rng, out*in*kernel*kernel),
		bias: check.Guarded(t, rng, out),
	}
	l.shape = Shape{Out: out, In: in, Kernel: kernel, Row: l.src.Row, Plane: l.src.Plane}
	if density < 1 {
		l.mask = make([]uint8, len(l.w))
		for i := range l.mask {
			if rng.Float64() < density {
				l.mask[i] = 1
			}
		}
	}
	return l
}

// onlyPixels fails when anything of x beside its pixels is not zero.
func onlyPixels(t testing.TB, x *Tensor) {
	t.Helper()
	rest := slices.Clone(x.Data)
	for c := range x.C {
		for y := range x.H {
			i := x.Origin + c*x.Plane + y*x.Row
			clear(rest[i : i+x.W])
		}
	}
	for i, v := range rest {
		if v != 0 {
			t.Fatalf("a kernel wrote %v outside the pixels, at %d from the origin", v, i-x.Origin)
		}
	}
}

// pixels are x's values, rows without padding.
func pixels(x *Tensor) (all []float32) {
	for c := range x.C {
		for y := range x.H {
			all = append(all, x.At(c, y)...)
		}
	}
	return all
}

// convFunc is the type of Set.Conv.
type convFunc func(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int)

// sameConv holds conv against the scalar kernel on one layer.
func sameConv(t *testing.T, rng *rand.Rand, conv convFunc, l *layer, b int) {
	t.Helper()
	blocks := Lower(nil, l.shape, l.w, l.bias, l.mask, b, false)
	e := &Epilogue{ReLU: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		e.Residual = l.side
	}
	if rng.IntN(2) == 0 {
		e.Gate = l.side
	}
	src, side := slices.Clone(l.src.Data), slices.Clone(l.side.Data)
	want := NewTensor(l.dst.C, l.dst.H, l.dst.W, l.dst.Border)
	convScalar(want, l.src, blocks, e, 0, want.H)
	cut := rng.IntN(want.H + 1) // two row ranges must make the whole
	conv(l.dst, l.src, blocks, e, 0, cut)
	conv(l.dst, l.src, blocks, e, cut, want.H)
	what := fmt.Sprintf("B=%d %+v (%d, %d, %d) relu=%v residual=%v gate=%v", b, l.shape, want.C, want.H, want.W,
		e.ReLU, e.Residual != nil, e.Gate != nil)
	onlyPixels(t, l.dst)
	if !slices.Equal(src, l.src.Data) || !slices.Equal(side, l.side.Data) {
		t.Fatalf("%s: the kernel wrote to its input", what)
	}
	t.Log(what)
	check.CloseSums(t, pixels(l.dst), pixels(want), 1e-5, 1)
}

// edges are the widths around every strip up to one vector more than p.
func edges(p, lanes int) (widths []int) {
	widths = []int{1, 2, 3}
	for v := 1; v <= p+1; v++ {
		widths = append(widths, v*lanes-1, v*lanes, v*lanes+1)
	}
	return append(widths, 2*p*lanes+lanes/2, 3*p*lanes)
}
