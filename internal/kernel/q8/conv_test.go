package q8

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
)

// layer is a random convolution with everything that it may read and write.
type layer struct {
	w              Weights
	src            *Bytes
	bytes          *Bytes
	stream, before *Stream // before is a residual
	rows, skip     *kernel.Tensor
	zero           uint8
}

// guardedQuads is a tensor over guarded memory, its values random, border and all.
func guardedQuads[T uint8 | int16](t testing.TB, rng *rand.Rand, c, h, w, border int) *Quads[T] {
	t.Helper()
	q := new(Quads[T])
	q.Place(check.GuardedAligned(t, q.Floats(c, h, w, border)), c, h, w, border)
	for i := range q.Data {
		q.Data[i] = T(rng.Uint32())
	}
	return q
}

// guardedRows is a tensor of float32 likewise.
func guardedRows(t testing.TB, rng *rand.Rand, c, h, w, border int) *kernel.Tensor {
	t.Helper()
	_, _, _, size := kernel.Layout(c, h, w, border)
	x := new(kernel.Tensor)
	x.Place(check.GuardedAligned(t, size), c, h, w, border)
	check.Fill(rng, x.Data)
	return x
}

// randomLayer draws a layer whose weights are at most most by amount; density is
// the share of 4x4 units that are kept.
func randomLayer(t testing.TB, rng *rand.Rand, out, in, k, h, w, most int, density float64) *layer {
	t.Helper()
	l := &layer{
		src:    guardedQuads[uint8](t, rng, in, h, w, k/2+rng.IntN(2)),
		bytes:  guardedQuads[uint8](t, rng, out, h, w, rng.IntN(3)),
		stream: guardedQuads[int16](t, rng, out, h, w, rng.IntN(3)),
		before: guardedQuads[int16](t, rng, out, h, w, rng.IntN(2)),
		rows:   guardedRows(t, rng, out, h, w, rng.IntN(2)),
		skip:   guardedRows(t, rng, out, h, w, rng.IntN(2)),
		zero:   uint8(rng.Uint32()) * uint8(rng.IntN(2)),
	}
	l.w = Weights{Out: out, In: in, Kernel: k, W: make([]int8, out*in*k*k), Zero: uint8(rng.Uint32()) * uint8(rng.IntN(2))}
	kept := map[[3]int]bool{}
	for i := range l.w.W {
		unit := [3]int{i / (in * k * k) / 4, i / (k * k) % in / 4, i % (k * k)}
		if _, drawn := kept[unit]; !drawn {
			kept[unit] = rng.Float64() < density
		}
		if kept[unit] {
			l.w.W[i] = int8(min(max(rng.IntN(2*most+1)-most, math.MinInt8), math.MaxInt8))
		}
	}
	usual := 1 / (float64(most) * 80 * math.Sqrt(float64(in*k*k)))
	reach := []float64{3, 100, 1e4}[rng.IntN(3)] // codes: few, those of bytes, those of a stream
	for range out {
		l.w.Scale = append(l.w.Scale, float32(usual*reach*(0.5+rng.Float64())))
		l.w.Start = append(l.w.Start, int32(rng.NormFloat64()/usual))
		l.w.Bias = append(l.w.Bias, float32(reach*rng.NormFloat64()))
		l.w.Slope = append(l.w.Slope, float32(rng.NormFloat64()/3))
	}
	if rng.IntN(2) == 0 {
		l.w.Start = nil
	}
	if rng.IntN(3) == 0 {
		l.w.Bias = nil
	}
	if rng.IntN(2) == 0 {
		l.w.Slope = nil
	}
	return l
}

// lower is Lower of what must not fail.
func lower(t testing.TB, w *Weights, src *Bytes) *Layer {
	t.Helper()
	l, err := Lower(w, src.Row, src.Plane)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// outputs are ways to write the layer.
func (l *layer) outputs(rng *rand.Rand) []*Output {
	low := uint8(rng.IntN(100))
	factor := int16(rng.IntN(1 << 15))
	return []*Output{
		{Bytes: l.bytes, Zero: l.zero, High: 255},
		{Bytes: l.bytes, Zero: l.zero, Low: low, High: low + 100},
		{Stream: l.stream},
		{Stream: l.stream, Residual: l.before, Bytes: l.bytes, Zero: l.zero, High: 255, Factor: factor},
		{Stream: l.stream, Residual: l.stream, Bytes: l.bytes, Low: low, High: 200, Factor: factor},
		{Rows: l.rows},
		{Rows: l.rows, Skip: l.skip},
		{Rows: l.rows, Skip: l.rows},
	}
}

// String is for messages.
func (o *Output) String() string {
	return fmt.Sprintf("bytes=%v zero=%d [%d, %d] stream=%v residual=%v factor=%d rows=%v skip=%v",
		o.Bytes != nil, o.Zero, o.Low, o.High, o.Stream != nil, o.Residual != nil, o.Factor, o.Rows != nil, o.Skip != nil)
}

// memory is a copy of all that an output may write to.
type memory struct {
	bytes  []uint8
	stream []int16
	rows   []uint32 // bits, as guards are no numbers
}

func (l *layer) memory() (m memory) {
	m.bytes, m.stream = slices.Clone(l.bytes.Data), slices.Clone(l.stream.Data)
	for _, v := range l.rows.Data {
		m.rows = append(m.rows, math.Float32bits(v))
	}
	return m
}

// put brings back what was copied.
func (l *layer) put(m memory) {
	copy(l.bytes.Data, m.bytes)
	copy(l.stream.Data, m.stream)
	for i, v := range m.rows {
		l.rows.Data[i] = math.Float32frombits(v)
	}
}

// same fails unless both hold the same bits, borders and padding too.
func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	bad := 0
	for i := range want {
		if got[i] == want[i] {
			continue
		}
		if bad++; bad < 4 {
			t.Errorf("%s: %v at %d of %d, want %v", what, got[i], i, len(want), want[i])
		}
	}
	if bad > 0 {
		t.Fatalf("%s: %d of %d differ", what, bad, len(want))
	}
}

// sameConv holds conv against the scalar kernel on one layer, in all its outputs:
// all memory must be the same, whether pixels or not.
func sameConv(t *testing.T, rng *rand.Rand, conv func(*Output, *Bytes, *Layer, int, int), l *layer) {
	t.Helper()
	lists := lower(t, &l.w, l.src)
	for _, o := range l.outputs(rng) {
		before, src := l.memory(), slices.Clone(l.src.Data)
		convScalar(o, l.src, lists, 0, l.src.H)
		want := l.memory()
		l.put(before)
		cut := rng.IntN(l.src.H + 1) // two row ranges must make the whole
		conv(o, l.src, lists, 0, cut)
		conv(o, l.src, lists, cut, l.src.H)
		got := l.memory()
		what := fmt.Sprintf("%d to %d, %dx%d, %dx%d, %d units, %v", l.w.In, l.w.Out, l.w.Kernel, l.w.Kernel, l.src.W, l.src.H, lists.Units, o)
		same(t, what+": bytes", got.bytes, want.bytes)
		same(t, what+": stream", got.stream, want.stream)
		same(t, what+": rows", got.rows, want.rows)
		same(t, what+": source", l.src.Data, src)
	}
}

// TestConv holds the Sets as a whole against the scalar kernel: all widths up to
// several tiles and a tail, all densities.
func TestConv(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng, step := check.Rand(t), 1
			if testing.Short() {
				step = 3
			}
			for w := 1; w <= 230; w += step {
				sameConv(t, rng, set.Conv, randomLayer(t, rng, 1+rng.IntN(14), 1+rng.IntN(14), 1+2*rng.IntN(3), 1+rng.IntN(4), w, set.MaxWeight, rng.Float64()*1.3))
			}
		})
	}
}

// TestConvBands: lists and planes too long for a cache are cut into bands and
// groups of blocks.
func TestConvBands(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		sameConv(t, rng, set.Conv, randomLayer(t, rng, 40, 160, 3, 23, 17, set.MaxWeight, 0.8))
	}
}

// direct is the layer's value at a pixel, straight from the weights.
func (l *layer) direct(c, y, x int) float32 {
	sum, k, r := int64(0), l.w.Kernel, l.w.Kernel/2
	if l.w.Start != nil {
		sum = int64(l.w.Start[c])
	}
	for i := range l.w.In {
		for dy := range k {
			for dx := range k {
				place := l.src.Origin + i/4*l.src.Plane + (y+dy-r)*l.src.Row + x + dx - r
				sum += int64(l.w.W[((c*l.w.In+i)*k+dy)*k+dx]) * (int64(l.src.Data[4*place+i%4]) - int64(l.w.Zero))
			}
		}
	}
	v := float32(float64(float32(sum)) * float64(l.w.Scale[c])) // one rounding: 48 bits are exact
	if l.w.Bias != nil {
		v += l.w.Bias[c]
	}
	if l.w.Slope != nil && v < 0 {
		v = float32(float64(v) * float64(l.w.Slope[c]))
	}
	return v
}

// TestScalar holds the scalar kernel against the formulas of the package comment.
func TestScalar(t *testing.T) {
	rng := check.Rand(t)
	for range 40 {
		l := randomLayer(t, rng, 1+rng.IntN(9), 1+rng.IntN(9), 1+2*rng.IntN(3), 1+rng.IntN(3), 1+rng.IntN(80), 128, rng.Float64()*1.3)
		lists := lower(t, &l.w, l.src)
		low, high, factor := uint8(rng.IntN(100)), uint8(150+rng.IntN(100)), int16(rng.IntN(1<<15))
		stream := &Output{Stream: l.stream, Residual: l.before, Bytes: guardedQuads[uint8](t, rng, l.w.Out, l.src.H, l.src.W, 0), Zero: l.zero, Low: low, High: high, Factor: factor}
		convScalar(&Output{Bytes: l.bytes, Zero: l.zero, Low: low, High: high}, l.src, lists, 0, l.src.H)
		convScalar(stream, l.src, lists, 0, l.src.H)
		convScalar(&Output{Rows: l.rows, Skip: l.skip}, l.src, lists, 0, l.src.H)
		for c := range l.w.Out {
			for y := range l.src.H {
				for x := range l.src.W {
					v := l.direct(c, y, x)
					clamp := func(v float64) uint8 { return uint8(min(max(v+float64(l.zero), float64(low)), float64(high))) }
					if got, want := l.bytes.At(c/4, y)[4*x+c%4], clamp(math.RoundToEven(float64(v))); got != want {
						t.Fatalf("byte (%d, %d, %d) of %v is %d, want %d", c, y, x, v, got, want)
					}
					r := min(max(math.RoundToEven(float64(v)), -32768), 32767) + float64(l.before.At(c/4, y)[4*x+c%4])
					r = min(max(r, -32768), 32767)
					if got := l.stream.At(c/4, y)[4*x+c%4]; float64(got) != r {
						t.Fatalf("stream (%d, %d, %d) of %v is %d, want %v", c, y, x, v, got, r)
					}
					if got, want := stream.Bytes.At(c/4, y)[4*x+c%4], clamp(math.Floor(r*float64(factor)/32768+0.5)); got != want {
						t.Fatalf("byte (%d, %d, %d) of a stream's %v by %d is %d, want %d", c, y, x, r, factor, got, want)
					}
					if got, want := l.rows.At(c, y)[x], v+l.skip.At(c, y)[x]; got != want {
						t.Fatalf("row (%d, %d, %d) is %v, want %v", c, y, x, got, want)
					}
				}
			}
		}
	}
}

// TestExtremes: the largest bytes, weights and lists that pass give the exact sum,
// and values far beyond a format's range its ends.
func TestExtremes(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			most := set.MaxWeight
			for _, sign := range []int{-1, 1} {
				weight := int8(min(sign*most, math.MaxInt8))
				const in = math.MaxInt32 / (128 * 255) // no longer list has weights of -128 throughout
				src := NewBytes(in, 1, 3, 0, 255)
				w := &Weights{Out: 4, In: in, Kernel: 1, W: make([]int8, 4*in), Scale: []float32{0.4, 0.3, 1e-5, 1e-9}, Bias: make([]float32, 4)}
				for i := range w.W {
					w.W[i] = weight
				}
				l := lower(t, w, src)
				rows := guardedRows(t, rng, 4, 1, 3, 0)
				set.Conv(&Output{Rows: rows}, src, l, 0, 1)
				for c, scale := range w.Scale {
					if got, want := rows.At(c, 0)[2], float32(int(weight)*255*in)*scale; got != want {
						t.Errorf("sum of %d products of 255 and %d times %v is %v, want %v", in, weight, scale, got, want)
					}
				}
				bytes, stream := NewBytes(4, 1, 3, 0, 7), NewStream(4, 1, 3, 0)
				set.Conv(&Output{Bytes: bytes, Zero: 3, High: 255}, src, l, 0, 1)
				set.Conv(&Output{Stream: stream}, src, l, 0, 1)
				wantByte, wantWord := uint8(0), int16(math.MinInt16)
				if sign > 0 {
					wantByte, wantWord = 255, math.MaxInt16
				}
				if b, s := bytes.At(0, 0)[0], stream.At(0, 0)[0]; b != wantByte || s != wantWord {
					t.Errorf("values far beyond become %d and %d, want %d and %d", b, s, wantByte, wantWord)
				}
				w.Scale[3] = 2
				if _, err := Lower(w, src.Row, src.Plane); err == nil {
					t.Error("values beyond 2^30 pass")
				}
			}
		})
	}
}

// TestTies: halves go to the even number, a stream's to the higher byte.
func TestTies(t *testing.T) {
	for _, set := range Sets() {
		src, out, stream := NewBytes(1, 1, 40, 0, 0), NewBytes(1, 1, 40, 0, 0), NewStream(1, 1, 40, 0)
		for x := range 40 {
			src.At(0, 0)[4*x] = uint8(x)
		}
		l := lower(t, &Weights{Out: 1, In: 1, Kernel: 1, W: []int8{1}, Scale: []float32{0.5}, Bias: []float32{-4}}, src)
		set.Conv(&Output{Bytes: out, Zero: 10, High: 255}, src, l, 0, 1)
		for x := range 40 {
			if got, want := out.At(0, 0)[4*x], uint8(10+math.RoundToEven(float64(x)/2-4)); got != want {
				t.Errorf("%s: %v becomes %d, want %d", set.Name, float64(x)/2-4, got, want)
			}
			stream.At(0, 0)[4*x] = int16(x - 20)
		}
		set.Narrow(&Output{Stream: stream, Bytes: out, Zero: 20, High: 255, Factor: 1 << 14}, 0, 1)
		for x := range 40 {
			if got, want := out.At(0, 0)[4*x], uint8(20+math.Floor(float64(x-20)/2+0.5)); got != want {
				t.Errorf("%s: half of %d becomes %d, want %d", set.Name, x-20, got, want)
			}
		}
	}
}
