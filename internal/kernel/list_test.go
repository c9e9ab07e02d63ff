package kernel

import (
	"fmt"
	"slices"
	"testing"

	"evosr/internal/check"
)

// planes is a dense picture in float64: value (c, y, x) is at (c*h+y)*w+x.
type planes struct {
	c, h, w int
	v       []float64
}

// at is a value, 0 outside.
func (p *planes) at(c, y, x int) float64 {
	if y < 0 || y >= p.h || x < 0 || x >= p.w {
		return 0
	}
	return p.v[(c*p.h+y)*p.w+x]
}

func newPlanes(t *Tensor) *planes {
	p := &planes{c: t.C, h: t.H, w: t.W}
	for _, v := range pixels(t) {
		p.v = append(p.v, float64(v))
	}
	return p
}

// convolve is the definition: same padding with zeros, weights (out, in, k, k).
func convolve(src *planes, w, bias []float64, out, k int) *planes {
	dst := &planes{c: out, h: src.h, w: src.w}
	for o := range out {
		for y := range src.h {
			for x := range src.w {
				sum := bias[o]
				for i := range src.c {
					for ky := range k {
						for kx := range k {
							sum += w[((o*src.c+i)*k+ky)*k+kx] * src.at(i, y+ky-k/2, x+kx-k/2)
						}
					}
				}
				dst.v = append(dst.v, sum)
			}
		}
	}
	return dst
}

// masked is w in float64, zero where the mask removed it.
func masked(w []float32, mask []uint8) []float64 {
	wide := make([]float64, len(w))
	for i, v := range w {
		if mask == nil || mask[i] != 0 {
			wide[i] = float64(v)
		}
	}
	return wide
}

func float64s(s []float32) []float64 { return masked(s, nil) }

// TestLower holds every Set over lowered lists against the definition of a
// convolution, for every block size and density.
func TestLower(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			var blocks []Block
			for _, b := range []int{1, 2, 4, 8} {
				for _, kernel := range []int{1, 3, 5} {
					for _, density := range []float64{0, 0.3, 1} {
						l := randomLayer(t, rng, 1+rng.IntN(20), 1+rng.IntN(4), kernel, 1+rng.IntN(6), 1+rng.IntN(40), density)
						blocks = Lower(blocks, l.shape, l.w, l.bias, l.mask, b, false)
						set.Conv(l.dst, l.src, blocks, new(Epilogue), 0, l.dst.H)
						want := convolve(newPlanes(l.src), masked(l.w, l.mask), float64s(l.bias), l.shape.Out, kernel)
						check.CloseSums(t, newPlanes(l.dst).v, want.v, 1e-5, usualSum(l.shape.In*kernel*kernel))
					}
				}
			}
		})
	}
}

// TestGradients holds the transposed lists and the weight gradient against
// finite differences of the definition, in float64.
func TestGradients(t *testing.T) {
	for _, set := range Sets() {
		for _, b := range []int{1, 4, 8} {
			for _, density := range []float64{0.4, 1} {
				t.Run(fmt.Sprintf("%s/B=%d/kept=%v", set.Name, b, density), func(t *testing.T) {
					rng := check.Rand(t)
					kernel := 1 + 2*rng.IntN(3)
					// The loss is the sum over the output of dst times conv(src).
					l := randomLayer(t, rng, 5, 3, kernel, 4, 7, density)
					src, weights, bias, dy := newPlanes(l.src), masked(l.w, l.mask), float64s(l.bias), newPlanes(l.dst)
					loss := func() (sum float64) {
						for i, v := range convolve(src, weights, bias, l.shape.Out, kernel).v {
							sum += v * dy.v[i]
						}
						return sum
					}

					// By the source: the transposed list reads dst.
					dx := NewTensor(l.src.C, l.src.H, l.src.W, 0)
					wide := NewTensor(l.dst.C, l.dst.H, l.dst.W, kernel/2)
					for c := range wide.C {
						for y := range wide.H {
							copy(wide.At(c, y), l.dst.At(c, y))
						}
					}
					turned := l.shape
					turned.Row, turned.Plane = wide.Row, wide.Plane
					set.Conv(dx, wide, Lower(nil, turned, l.w, l.bias, l.mask, b, true), new(Epilogue), 0, dx.H)
					check.Gradient(t, loss, src.v, float64s(pixels(dx)), 1e-3, 1e-5)

					// By the kept weights and the bias.
					blocks := Lower(nil, l.shape, l.w, l.bias, l.mask, b, false)
					var grad [][]float32
					for _, bl := range blocks {
						grad = append(grad, make([]float32, len(bl.W)))
					}
					dw, db := make([]float32, len(l.w)), make([]float32, l.shape.Out)
					set.WeightGrad(grad, db, l.dst, l.src, blocks)
					Scatter(dw, blocks, grad)
					check.Gradient(t, loss, bias, float64s(db), 1e-3, 1e-5)
					numeric := slices.Clone(weights)
					for i := range numeric {
						was := weights[i]
						weights[i] = was + 0.5
						up := loss()
						weights[i] = was - 0.5
						numeric[i] = up - loss()
						weights[i] = was
						if l.mask != nil && l.mask[i] == 0 {
							numeric[i] = 0
						}
					}
					check.Close(t, float64s(dw), numeric, 1e-5)
				})
			}
		}
	}
}

// TestLowerReuse: a second Lower into the same blocks allocates nothing and
// leaves nothing of the first; Repack gives what Lower would.
func TestLowerReuse(t *testing.T) {
	rng := check.Rand(t)
	l := randomLayer(t, rng, 13, 6, 3, 2, 20, 0.5)
	for _, transpose := range []bool{false, true} {
		want := Lower(nil, l.shape, l.w, l.bias, l.mask, 8, transpose)
		blocks := Lower(nil, l.shape, l.w, l.bias, nil, 8, transpose)
		if n := testing.AllocsPerRun(10, func() {
			blocks = Lower(blocks, l.shape, l.w, l.bias, l.mask, 8, transpose)
		}); n != 0 {
			t.Errorf("transpose=%v: %v allocations, want 0", transpose, n)
		}
		sameBlocks(t, blocks, want)

		w, bias := slices.Clone(l.w), slices.Clone(l.bias)
		check.Fill(rng, w)
		check.Fill(rng, bias)
		if transpose {
			bias = nil
		}
		Repack(blocks, w, bias)
		sameBlocks(t, blocks, Lower(nil, l.shape, w, bias, l.mask, 8, transpose))
	}
}

func sameBlocks(t *testing.T, got, want []Block) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(g, w Block) bool {
		return g.B == w.B && g.Out == w.Out && slices.Equal(g.Off, w.Off) && slices.Equal(g.W, w.W) &&
			slices.Equal(g.Index, w.Index) && slices.Equal(g.Bias, w.Bias)
	}) {
		t.Fatalf("blocks differ:\n%+v\nwant\n%+v", got, want)
	}
}

// TestLowerLists looks at the lists of a tiny layer themselves.
func TestLowerLists(t *testing.T) {
	s := Shape{Out: 3, In: 2, Kernel: 1, Row: 16, Plane: 48}
	w := []float32{1, 2, 3, 4, 5, 6}
	mask := []uint8{1, 0, 0, 0, 1, 1}
	got := Lower(nil, s, w, []float32{7, 8, 9}, mask, 2, false)
	sameBlocks(t, got, []Block{
		{B: 2, Out: 0, Off: []int32{0}, W: []float32{1, 0}, Bias: []float32{7, 8}, Index: []int32{0, -1}},
		{B: 1, Out: 2, Off: []int32{0, 48}, W: []float32{5, 6}, Bias: []float32{9}, Index: []int32{4, 5}},
	})
	got = Lower(nil, s, w, []float32{7, 8, 9}, mask, 2, true)
	sameBlocks(t, got, []Block{
		{B: 2, Out: 0, Off: []int32{0, 96}, W: []float32{1, 0, 5, 6}, Bias: []float32{0, 0}, Index: []int32{0, -1, 4, 5}},
	})
}

func BenchmarkLower(b *testing.B) {
	for _, masked := range []bool{false, true} {
		b.Run(fmt.Sprintf("16to16_3x3/masked=%v", masked), func(b *testing.B) {
			s := Shape{Out: 16, In: 16, Kernel: 3, Row: 64, Plane: 3136}
			w := make([]float32, 16*16*9)
			var mask []uint8
			if masked {
				mask = make([]uint8, len(w))
				for i := range mask {
					mask[i] = uint8(i % 2)
				}
			}
			blocks := Lower(nil, s, w, nil, nil, 8, false)
			b.ReportAllocs()
			for b.Loop() {
				blocks = Lower(blocks, s, w, nil, mask, 8, false)
			}
		})
	}
}
