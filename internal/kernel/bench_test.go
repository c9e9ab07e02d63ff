package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkConv(b *testing.B) {
	shapes := []struct {
		out, in, kernel, w, h int
	}{
		{32, 32, 3, 320, 180}, {32, 32, 1, 320, 180}, {16, 16, 3, 48, 48}, {64, 16, 1, 48, 48},
	}
	for _, set := range Sets() {
		for _, s := range shapes {
			for _, tile := range []int{8, 4, 2, 1} {
				b.Run(fmt.Sprintf("%s/%dx%dx%dx%d/%dx%d/B=%d", set.Name, s.out, s.in, s.kernel, s.kernel, s.w, s.h, tile), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					src, dst := NewTensor(s.in, s.h, s.w, 1), NewTensor(s.out, s.h, s.w, 1)
					for c := range s.in {
						for y := range s.h {
							for x := range s.w {
								src.At(c, y)[x] = rng.Float32()
							}
						}
					}
					w := make([]float32, s.out*s.in*s.kernel*s.kernel)
					for i := range w {
						w[i] = rng.Float32()
					}
					blocks := Lower(nil, Shape{s.out, s.in, s.kernel, src.Row, src.Plane}, w, nil, nil, tile, false)
					e := &Epilogue{ReLU: true}
					for b.Loop() {
						set.Conv(dst, src, blocks, e, 0, s.h)
					}
					flops := 2 * float64(len(w)*s.w*s.h) * float64(b.N)
					b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
