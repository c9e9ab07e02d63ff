package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"evosr/internal/check"
)

// benchShapes are real layers: the dense one that the project's promise is
// about, its 1x1 and a tail, then the layers of a training patch.
var benchShapes = []struct{ out, in, kernel, w, h int }{
	{32, 32, 3, 320, 180}, {32, 32, 1, 320, 180}, {16, 16, 3, 320, 180}, {16, 32, 3, 320, 180}, {16, 1, 5, 320, 180},
	{16, 16, 3, 48, 48}, {64, 16, 1, 48, 48}, {16, 64, 1, 48, 48},
}

// benchLayer is a layer with blocks of b channels of which density is kept.
func benchLayer(i, b int, density float64) (dst, src *Tensor, blocks []Block, flops float64) {
	s := benchShapes[i]
	rng := rand.New(rand.NewPCG(1, 2))
	src, dst = NewTensor(s.in, s.h, s.w, s.kernel/2), NewTensor(s.out, s.h, s.w, s.kernel/2)
	for _, x := range []*Tensor{src, dst} {
		for c := range x.C {
			for y := range x.H {
				check.Fill(rng, x.At(c, y))
			}
		}
	}
	column := s.in * s.kernel * s.kernel
	w, mask := make([]float32, s.out*column), make([]uint8, s.out*column)
	check.Fill(rng, w)
	for o := 0; o < s.out; o += b {
		for i := range column {
			if rng.Float64() < density {
				for j := o; j < min(o+b, s.out); j++ {
					mask[j*column+i] = 1
				}
			}
		}
	}
	blocks = Lower(nil, Shape{s.out, s.in, s.kernel, src.Row, src.Plane}, w, nil, mask, b, false)
	return dst, src, blocks, 2 * float64(len(w)*s.w*s.h)
}

// run times call and reports the mean rate, as if every weight had been kept,
// and what share of the core's peak the fastest call reached; the peak is the
// best of two measures, right before and right after. On a busy machine the
// share says more than the mean.
func run(b *testing.B, set *Set, flops float64, call func()) {
	const probe = 20 * time.Millisecond
	peak := set.PeakGFLOPS(probe)
	b.ReportAllocs()
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		call()
		best = min(best, time.Since(start))
	}
	mean := flops * float64(b.N) / b.Elapsed().Seconds() / 1e9
	peak = max(peak, set.PeakGFLOPS(probe))
	b.ReportMetric(mean, "GFLOP/s")
	b.ReportMetric(100*flops/best.Seconds()/1e9/peak, "%peak")
}

// BenchmarkConv runs one thread over real layers, dense and with blocks of
// weights removed. Rates count removed weights too: dense-equivalent GFLOP/s.
func BenchmarkConv(b *testing.B) {
	for _, set := range Sets() {
		for i, s := range benchShapes {
			for _, tile := range []int{8, 4, 2, 1} {
				for _, density := range []float64{1, 0.5, 0.25, 0.1} {
					name := fmt.Sprintf("%s/%dto%d_%dx%d_%dx%d/B=%d/kept=%.0f%%", set.Name, s.in, s.out, s.kernel, s.kernel, s.w, s.h, tile, 100*density)
					b.Run(name, func(b *testing.B) {
						dst, src, blocks, flops := benchLayer(i, tile, density)
						e := &Epilogue{ReLU: true}
						run(b, set, flops, func() { set.Conv(dst, src, blocks, e, 0, dst.H) })
					})
				}
			}
		}
	}
}

func BenchmarkWeightGrad(b *testing.B) {
	for _, set := range Sets() {
		for i, s := range benchShapes {
			for _, tile := range []int{8, 4, 2, 1} {
				name := fmt.Sprintf("%s/%dto%d_%dx%d_%dx%d/B=%d", set.Name, s.in, s.out, s.kernel, s.kernel, s.w, s.h, tile)
				b.Run(name, func(b *testing.B) {
					dy, src, blocks, flops := benchLayer(i, tile, 1)
					bias := make([]float32, dy.C)
					var grad [][]float32
					for _, bl := range blocks {
						grad = append(grad, make([]float32, len(bl.W)))
					}
					run(b, set, flops, func() { set.WeightGrad(grad, bias, dy, src, blocks) })
				})
			}
		}
	}
}

// BenchmarkElements runs the loops over slices that stay in the first-level
// cache, and ones that do not; bytes are those read and written.
func BenchmarkElements(b *testing.B) {
	for _, set := range Sets() {
		for _, n := range []int{1 << 11, 1 << 18} {
			var s [5][]float32
			for i := range s {
				s[i] = Aligned(n)
				for k := range s[i] {
					s[i][k] = float32(k%7) / 8
				}
			}
			rows := [4][]float32{s[0][:n/4], s[1][:n/4], s[2][:n/4], s[3][:n/4]}
			loops := []struct {
				name  string
				moves int // floats read and written for each of n
				call  func()
			}{
				{"axpy", 3, func() { set.Axpy(s[0], 1e-9, s[1]) }},
				{"blend", 3, func() { set.Blend(s[0], 1e-9, s[1]) }},
				{"squares", 1, func() { set.SumSquares(s[1]) }},
				{"gate", 4, func() { set.Gate(s[0], s[1], s[2], s[3]) }},
				{"tanh", 2, func() { set.Tanh(s[0], s[1]) }},
				{"adam", 7, func() { set.Adam(s[0], s[1], s[2], s[3], 1e-9, 0.9, 0.999, 1e-8) }},
				{"absgrad", 3, func() { set.AbsGrad(s[0], s[1], s[2], 1) }},
				{"shuffle2", 1, func() { set.Shuffle(s[4][:n/2], rows, 2) }},
				{"shuffle3", 1, func() { set.Shuffle(s[4][:n/4*3], rows, 3) }},
				{"shuffle4", 2, func() { set.Shuffle(s[4], rows, 4) }},
				{"stream4", 2, func() { set.Stream(s[4], rows, 4) }},
				{"unshuffle4", 2, func() { set.Unshuffle(rows, s[4], 4) }},
			}
			for _, l := range loops {
				b.Run(fmt.Sprintf("%s/%s/n=%d", set.Name, l.name, n), func(b *testing.B) {
					b.SetBytes(int64(4 * n * l.moves))
					for b.Loop() {
						l.call()
					}
				})
			}
		}
	}
}
