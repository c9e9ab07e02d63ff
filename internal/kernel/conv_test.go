package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
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
	for c := range out { // gates are activations: many are exactly 0
		for y := range h {
			for x, v := range l.side.At(c, y) {
				if v < -0.3 {
					l.side.At(c, y)[x] = 0
				}
			}
		}
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

// randomEpilogue draws what follows the sums of a layer.
func randomEpilogue(t testing.TB, rng *rand.Rand, l *layer) *Epilogue {
	t.Helper()
	e := &Epilogue{ReLU: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		e.Residual = l.side
	}
	if rng.IntN(2) == 0 {
		e.Gate = l.side
	}
	if rng.IntN(2) == 0 {
		e.ReLU = false // or there are no negative values
		e.Slope = check.Guarded(t, rng, l.dst.C)
	}
	if rng.IntN(3) == 0 {
		e.Clip = &Range{Low: -rng.Float32(), High: rng.Float32()}
	}
	return e
}

// String is for messages.
func (e *Epilogue) String() string {
	return fmt.Sprintf("relu=%v residual=%v gate=%v slope=%v clip=%v", e.ReLU, e.Residual != nil, e.Gate != nil, e.Slope != nil, e.Clip)
}

// sameConv holds conv against the scalar kernel on one layer.
func sameConv(t *testing.T, rng *rand.Rand, conv convFunc, l *layer, b int) {
	t.Helper()
	sameBlocksConv(t, rng, conv, l, Lower(nil, l.shape, l.w, l.bias, l.mask, b, false))
}

// sameGrouped does so with grouped taps; the layer has a multiple of
// GroupChannels outputs.
func sameGrouped(t *testing.T, rng *rand.Rand, conv convFunc, l *layer) {
	t.Helper()
	sameBlocksConv(t, rng, conv, l, l.grouped())
}

// grouped are the layer's blocks with grouped taps.
func (l *layer) grouped() (blocks []Block) {
	column := l.shape.In * l.shape.Kernel * l.shape.Kernel
	s := l.shape
	s.Out = GroupChannels
	for o := 0; o < l.shape.Out; o += GroupChannels {
		var mask []uint8
		if l.mask != nil {
			mask = l.mask[o*column:][:GroupChannels*column]
		}
		b := LowerGroups(s, l.w[o*column:][:GroupChannels*column], l.bias[o:], mask)
		b.Out = o
		blocks = append(blocks, b)
	}
	return blocks
}

func sameBlocksConv(t *testing.T, rng *rand.Rand, conv convFunc, l *layer, blocks []Block) {
	t.Helper()
	e := randomEpilogue(t, rng, l)
	src, side := slices.Clone(l.src.Data), slices.Clone(l.side.Data)
	want := NewTensor(l.dst.C, l.dst.H, l.dst.W, l.dst.Border)
	plain := blocks
	if blocks[0].Groups != nil { // single channels have no zeros that fill up either
		plain = Lower(nil, l.shape, l.w, l.bias, l.mask, 1, false)
	}
	convScalar(want, l.src, plain, e, 0, want.H)
	cut := rng.IntN(want.H + 1) // two row ranges must make the whole
	conv(l.dst, l.src, blocks, e, 0, cut)
	conv(l.dst, l.src, blocks, e, cut, want.H)
	what := fmt.Sprintf("B=%d %+v (%d, %d, %d) %v", blocks[0].B, l.shape, want.C, want.H, want.W, e)
	onlyPixels(t, l.dst)
	t.Log(what)
	check.Close(t, l.src.Data, src, 0) // inputs stay
	check.Close(t, l.side.Data, side, 0)
	check.CloseSums(t, pixels(l.dst), pixels(want), 1e-5, usualSum(l.shape.In*l.shape.Kernel*l.shape.Kernel))
}

// usualSum is the standard deviation of n products of values drawn from
// [-1, 1), at least 1: what a sum that happens to cancel is measured by.
func usualSum(n int) float64 { return max(1, math.Sqrt(float64(n))/3) }

// TestConv holds the Sets as a whole against the scalar kernel, blocks of all
// sizes mixed as layers have them, also with values that are no numbers.
func TestConv(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for range 60 {
				l := randomLayer(t, rng, 1+rng.IntN(24), 1+rng.IntN(4), 1+2*rng.IntN(3), 1+rng.IntN(6), 1+rng.IntN(120), rng.Float64()*1.5)
				if rng.IntN(3) == 0 {
					sprinkle(rng, l.src.At(0, 0), nan, inf, -inf)
				}
				if rng.IntN(3) == 0 {
					sprinkle(rng, l.side.At(0, 0), nan, inf, -inf, 0)
				}
				if l.shape.Out%GroupChannels == 0 {
					sameGrouped(t, rng, set.Conv, l)
				}
				sameConv(t, rng, set.Conv, l, 1<<rng.IntN(4))
			}
		})
	}
}

// TestConvInPlace: the residual may be the destination itself.
func TestConvInPlace(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		l := randomLayer(t, rng, 15, 3, 3, 5, 70, 1)
		blocks := Lower(nil, l.shape, l.w, l.bias, nil, 8, false)
		want := NewTensor(l.dst.C, l.dst.H, l.dst.W, l.dst.Border)
		set.Conv(want, l.src, blocks, &Epilogue{Residual: l.side}, 0, 5)
		set.Conv(l.side, l.src, blocks, &Epilogue{Residual: l.side}, 0, 5)
		check.Close(t, pixels(l.side), pixels(want), 0)
	}
}

// TestConvPadding: values beyond the border are read, but never matter.
func TestConvPadding(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		for _, w := range []int{1, 15, 17, 40, 77} {
			l := randomLayer(t, rng, 11, 2, 3, 3, w, 1)
			blocks := Lower(nil, l.shape, l.w, l.bias, nil, 8, false)
			set.Conv(l.dst, l.src, blocks, new(Epilogue), 0, 3)
			want := pixels(l.dst)
			near := map[int]bool{} // what a pixel's 3x3 neighbourhood touches
			for c := range l.src.C {
				for y := -1; y <= l.src.H; y++ {
					for x := -1; x <= w; x++ {
						near[l.src.Origin+c*l.src.Plane+y*l.src.Row+x] = true
					}
				}
			}
			for i := range l.src.Data {
				if !near[i] {
					l.src.Data[i] = float32(nan)
				}
			}
			set.Conv(l.dst, l.src, blocks, new(Epilogue), 0, 3)
			check.Close(t, pixels(l.dst), want, 0)
		}
	}
}

// TestConvThreads: rows may be computed at the same time.
func TestConvThreads(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		l := randomLayer(t, rng, 16, 4, 3, 16, 100, 1)
		blocks := Lower(nil, l.shape, l.w, l.bias, nil, 8, false)
		e := &Epilogue{ReLU: true, Residual: l.side}
		set.Conv(l.dst, l.src, blocks, e, 0, 16)
		want := pixels(l.dst)
		var all sync.WaitGroup
		for y := 0; y < 16; y += 2 {
			all.Go(func() { set.Conv(l.dst, l.src, blocks, e, y, y+2) })
		}
		all.Wait()
		check.Close(t, pixels(l.dst), want, 0)
	}
}

// TestConvTiles: a pixel's value does not depend on the size of the picture
// around it, nor on the size of its block.
func TestConvTiles(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		big := randomLayer(t, rng, 8, 3, 3, 4, 200, 1)
		e := &Epilogue{ReLU: true}
		set.Conv(big.dst, big.src, Lower(nil, big.shape, big.w, big.bias, nil, 8, false), e, 0, 4)
		for _, w := range []int{3, 16, 33, 100, 199} {
			for b := 1; b <= 8; b *= 2 {
				src, dst := NewTensor(3, 4, w, 1), NewTensor(8, 4, w, 1)
				for c := range 3 {
					for y := range 4 {
						copy(src.At(c, y), big.src.At(c, y))
					}
				}
				s := big.shape
				s.Row, s.Plane = src.Row, src.Plane
				set.Conv(dst, src, Lower(nil, s, big.w, big.bias, nil, b, false), e, 0, 4)
				for c := range 8 {
					for y := range 4 { // the last column has other neighbours
						check.Close(t, dst.At(c, y)[:w-1], big.dst.At(c, y)[:w-1], 0)
					}
				}
			}
		}
	}
}

// TestMisuse: a call that would leave its tensors panics before it does.
func TestMisuse(t *testing.T) {
	src, dst := NewTensor(2, 4, 20, 1), NewTensor(4, 4, 20, 0)
	good := func() []Block {
		s := Shape{Out: 4, In: 2, Kernel: 3, Row: src.Row, Plane: src.Plane}
		return Lower(nil, s, make([]float32, 4*2*9), nil, nil, 4, false)
	}
	tests := []struct {
		name   string
		change func(b *Block, e *Epilogue) (dst, src *Tensor, y1 int)
	}{
		{"rows", func(*Block, *Epilogue) (*Tensor, *Tensor, int) { return dst, src, 5 }},
		{"source of another width", func(*Block, *Epilogue) (*Tensor, *Tensor, int) { return dst, NewTensor(2, 4, 21, 1), 4 }},
		{"far offset", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) { b.Off[3] = 1 << 20; return dst, src, 4 }},
		{"negative offset", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) { b.Off[3] = -1 << 20; return dst, src, 4 }},
		{"missing weights", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) { b.W = b.W[:8]; return dst, src, 4 }},
		{"wrong groups", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) {
			b.Groups = &[Subsets]int32{Subsets - 1: 17}
			return dst, src, 4
		}},
		{"negative group", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) {
			b.Groups = &[Subsets]int32{0: 1, 1: -1, Subsets - 1: 18}
			return dst, src, 4
		}},
		{"missing bias", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) { b.Bias = nil; return dst, src, 4 }},
		{"channel", func(b *Block, _ *Epilogue) (*Tensor, *Tensor, int) { b.Out = 1; return dst, src, 4 }},
		{"short data", func(*Block, *Epilogue) (*Tensor, *Tensor, int) {
			short := *dst
			short.Data = short.Data[:len(short.Data)/2]
			return &short, src, 4
		}},
		{"slopes", func(_ *Block, e *Epilogue) (*Tensor, *Tensor, int) { e.Slope = make([]float32, 3); return dst, src, 4 }},
		{"residual of another shape", func(_ *Block, e *Epilogue) (*Tensor, *Tensor, int) {
			e.Residual = NewTensor(3, 4, 20, 0)
			return dst, src, 4
		}},
	}
	for _, set := range Sets() {
		for _, tt := range tests {
			t.Run(set.Name+"/"+tt.name, func(t *testing.T) {
				blocks, e := good(), new(Epilogue)
				set.Conv(dst, src, blocks, e, 0, 4) // the unchanged call is fine
				d, s, y1 := tt.change(&blocks[0], e)
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				set.Conv(d, s, blocks, e, 0, y1)
			})
		}
	}
}
