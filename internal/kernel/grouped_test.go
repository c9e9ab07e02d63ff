package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"evosr/internal/check"
)

// TestLowerGroups looks at the lists of a tiny layer themselves.
func TestLowerGroups(t *testing.T) {
	s := Shape{Out: 4, In: 3, Kernel: 1, Row: 16, Plane: 48}
	w := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	mask := []uint8{
		1, 0, 1,
		0, 0, 1,
		1, 0, 1,
		0, 0, 0,
	}
	got := LowerGroups(s, w, []float32{1, 2, 3, 4}, mask)
	want := Block{B: 4, Off: []int32{0, 96}, W: []float32{1, 7, 3, 6, 9}, Bias: []float32{1, 2, 3, 4}, Index: []int32{0, 6, 2, 5, 8}}
	sameBlocks(t, []Block{got}, []Block{want})
	if *got.Groups != [Subsets]int32{0b101 - 1: 1, 0b111 - 1: 1} {
		t.Errorf("groups are %v", *got.Groups)
	}
}

// BenchmarkGrouped runs layers whose weights were pruned one by one over single
// channels' lists, over grouped ones and dense, in turn; it reports what the
// fastest calls of the first two gain on the dense one and what share of the
// core's peak their multiplications are.
func BenchmarkGrouped(b *testing.B) {
	const w, h = 320, 8
	for _, set := range Sets() {
		for _, shape := range [][3]int{{16, 16, 3}, {32, 32, 3}, {16, 64, 1}, {64, 16, 1}, {32, 128, 1}} {
			for _, density := range []float64{0.5, 0.25, 0.1} {
				in, out, k := shape[0], shape[1], shape[2]
				b.Run(fmt.Sprintf("%s/%dto%d_%dx%d/kept=%.0f%%", set.Name, in, out, k, k, 100*density), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					src, dst := NewTensor(in, h, w, k/2), NewTensor(out, h, w, 0)
					l := &layer{shape: Shape{out, in, k, src.Row, src.Plane}, bias: make([]float32, out)}
					l.w, l.mask = make([]float32, out*in*k*k), make([]uint8, out*in*k*k)
					check.Fill(rng, l.w)
					kept := 0
					for i := range l.mask {
						if rng.Float64() < density {
							l.mask[i] = 1
							kept++
						}
					}
					ways := [][]Block{
						Lower(nil, l.shape, l.w, l.bias, nil, 8, false),
						Lower(nil, l.shape, l.w, l.bias, l.mask, 1, false),
						l.grouped(),
					}
					best := []time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64}
					e := &Epilogue{ReLU: true}
					peak := set.PeakGFLOPS(20 * time.Millisecond)
					for b.Loop() {
						for i, blocks := range ways {
							start := time.Now()
							set.Conv(dst, src, blocks, e, 0, h)
							best[i] = min(best[i], time.Since(start))
						}
					}
					peak = max(peak, set.PeakGFLOPS(20*time.Millisecond))
					share := 100 * 2 * float64(kept*w*h) / 1e9 / peak
					b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "single-times-dense")
					b.ReportMetric(best[0].Seconds()/best[2].Seconds(), "times-dense")
					b.ReportMetric(share/best[1].Seconds(), "%peak-single")
					b.ReportMetric(share/best[2].Seconds(), "%peak")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
