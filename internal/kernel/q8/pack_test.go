package q8

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
)

// samePack holds the ways into and out of the formats against the scalar ones, at
// all widths up to four vectors, with values at the ends and ones that are no
// numbers.
func samePack(t *testing.T, rng *rand.Rand, pack func(*Output, *kernel.Tensor, float32, int, int), narrow func(*Output, int, int)) {
	t.Helper()
	inf := float32(math.Inf(1))
	for w := 1; w < 70; w++ {
		l := randomLayer(t, rng, 1+rng.IntN(9), 1, 1, 1+rng.IntN(3), w, 64, 1)
		for c := range l.rows.C {
			for y := range l.rows.H {
				row := l.rows.At(c, y)
				for _, v := range []float32{inf, -inf, inf - inf, 0.5, 1.5, -0.5, 3e9, -3e9} {
					if rng.IntN(3) == 0 {
						row[rng.IntN(w)] = v
					}
				}
			}
		}
		scale := []float32{1, 10, 300, 60000, 1e30}[rng.IntN(5)]
		low, factor := uint8(rng.IntN(100)), int16(rng.IntN(1<<15))
		both := Output{Stream: l.stream, Bytes: l.bytes, Zero: l.zero, Low: low, High: low + 150, Factor: factor}
		bytes, stream := Output{Bytes: l.bytes, Zero: l.zero, High: 255}, Output{Stream: l.stream}
		cut := rng.IntN(l.rows.H + 1)
		tests := []struct {
			name string
			call func(pack func(*Output, *kernel.Tensor, float32, int, int), narrow func(*Output, int, int), y0, y1 int)
		}{
			{"bytes", func(pack func(*Output, *kernel.Tensor, float32, int, int), _ func(*Output, int, int), y0, y1 int) {
				pack(&bytes, l.rows, scale, y0, y1)
			}},
			{"stream", func(pack func(*Output, *kernel.Tensor, float32, int, int), _ func(*Output, int, int), y0, y1 int) {
				pack(&stream, l.rows, scale, y0, y1)
			}},
			{"both", func(pack func(*Output, *kernel.Tensor, float32, int, int), _ func(*Output, int, int), y0, y1 int) {
				pack(&both, l.rows, scale, y0, y1)
			}},
			{"narrow", func(_ func(*Output, *kernel.Tensor, float32, int, int), narrow func(*Output, int, int), y0, y1 int) {
				narrow(&both, y0, y1)
			}},
		}
		for _, tt := range tests {
			before := l.memory()
			tt.call(packScalar, narrowScalar, 0, l.rows.H)
			want := l.memory()
			l.put(before)
			tt.call(pack, narrow, 0, cut)
			tt.call(pack, narrow, cut, l.rows.H)
			got, what := l.memory(), fmt.Sprintf("%s: %d channels, %dx%d, scale %v", tt.name, l.rows.C, w, l.rows.H, scale)
			same(t, what+": bytes", got.bytes, want.bytes)
			same(t, what+": stream", got.stream, want.stream)
			same(t, what+": source", got.rows, want.rows)
		}
	}
}

func TestPack(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) { samePack(t, check.Rand(t), set.Pack, set.Narrow) })
	}
}

// TestPackScalar: known values.
func TestPackScalar(t *testing.T) {
	in := []float32{-3, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 1000, float32(math.NaN()), float32(math.Inf(1))}
	wantBytes := []uint8{4, 8, 10, 10, 10, 12, 12, 255, 0, 255}
	wantStream := []int16{-6, -2, 0, 0, 0, 2, 2, 2000, -32768, 32767}
	src, bytes, stream := kernel.NewTensor(1, 1, len(in), 0), NewBytes(1, 1, len(in), 0, 0), NewStream(1, 1, len(in), 0)
	src.Set(0, in)
	for _, set := range Sets() {
		set.Pack(&Output{Bytes: bytes, Zero: 10, High: 255}, src, 2, 0, 1)
		set.Pack(&Output{Stream: stream}, src, 2, 0, 1)
		for x := range in {
			if b, s := bytes.At(0, 0)[4*x], stream.At(0, 0)[4*x]; b != wantBytes[x] || s != wantStream[x] {
				t.Errorf("%s: 2 * %v becomes %d and %d, want %d and %d", set.Name, in[x], b, s, wantBytes[x], wantStream[x])
			}
		}
	}
}
