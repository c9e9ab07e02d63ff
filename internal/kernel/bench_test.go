package kernel

import (
	"fmt"
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

// report prints a rate as if every weight had been kept, and the share of the
// peak that one core was measured to have right before and after.
func report(b *testing.B, set *Set, flops, before float64) {
	rate := flops * float64(b.N) / b.Elapsed().Seconds() / 1e9
	peak := max(before, set.PeakGFLOPS(20*time.Millisecond))
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
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
						peak := set.PeakGFLOPS(20 * time.Millisecond)
						b.ReportAllocs()
						for b.Loop() {
							set.Conv(dst, src, blocks, e, 0, dst.H)
						}
						report(b, set, flops, peak)
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
					peak := set.PeakGFLOPS(20 * time.Millisecond)
					b.ReportAllocs()
					for b.Loop() {
						set.WeightGrad(grad, bias, dy, src, blocks)
					}
					report(b, set, flops, peak)
				})
			}
		}
	}
}
