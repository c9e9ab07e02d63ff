package q8

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// run times call and reports the mean rate of the products in the lists, and what
// share of the core's peak the fastest call reached. Calls and probes of the peak
// take turns, as the clock changes and others use the machine: the share says more
// than the mean.
func run(b *testing.B, set *Set, macs float64, call func()) {
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
	b.ReportMetric(macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
	const turns, turn = 60, 2 * time.Millisecond
	best, peak := time.Duration(math.MaxInt64), 0.0
	for range turns {
		peak = max(peak, set.PeakGMACs(turn))
		for begin := time.Now(); time.Since(begin) < turn; {
			start := time.Now()
			call()
			best = min(best, time.Since(start))
		}
	}
	b.ReportMetric(100*macs/best.Seconds()/1e9/peak, "%peak")
}

// prune keeps that share of a dense layer's 4x4 units, to the unit.
func (l *layer) prune(rng *rand.Rand, density float64) {
	area, in := l.w.Kernel*l.w.Kernel, l.w.In/4
	units := rng.Perm(l.w.Out / 4 * in * area)
	for _, u := range units[int(math.Round(density*float64(len(units)))):] {
		o, i, tap := u/area/in, u/area%in, u%area
		for k := range 16 {
			l.w.W[((4*o+k/4)*l.w.In+4*i+k%4)*area+tap] = 0
		}
	}
}

// BenchmarkConv runs one thread over 16 rows, a band, of layers as networks have
// them, dense and with 4x4 units removed: to bytes, without and with a bias in
// float32, and to a stream. Rates count what the lists hold.
func BenchmarkConv(b *testing.B) {
	const w, h = 320, 16
	for _, set := range Sets() {
		for _, kernel := range []int{3, 1} {
			for _, channels := range []int{16, 24, 32, 48} {
				for _, density := range []float64{1, 0.5, 0.25} {
					for _, kind := range []string{"bytes", "bias", "stream"} {
						b.Run(fmt.Sprintf("%s/%dx%d/%d/kept=%.0f%%/%s", set.Name, kernel, kernel, channels, 100*density, kind), func(b *testing.B) {
							l := randomLayer(b, rand.New(rand.NewPCG(1, 2)), channels, channels, kernel, h, w, set.MaxWeight, 1)
							l.prune(rand.New(rand.NewPCG(3, 4)), density)
							l.w.Slope, l.w.Bias = nil, nil
							if kind == "bias" {
								l.w.Bias = make([]float32, channels)
							}
							lists := lower(b, &l.w, l.src)
							o := &Output{Bytes: l.bytes, High: 255}
							if kind == "stream" {
								o.Stream, o.Residual, o.Factor = l.stream, l.before, 1000
							}
							run(b, set, float64(lists.Units*16*w*h), func() { set.Conv(o, l.src, lists, 0, h) })
						})
					}
				}
			}
		}
	}
}

// BenchmarkPack runs the ways into and out of the formats; bytes are those read
// and written.
func BenchmarkPack(b *testing.B) {
	const c, w, h = 16, 320, 8
	for _, set := range Sets() {
		l := randomLayer(b, rand.New(rand.NewPCG(1, 2)), c, 1, 1, h, w, 64, 1)
		bytes, both := &Output{Bytes: l.bytes, High: 255}, &Output{Stream: l.stream, Bytes: l.bytes, High: 255, Factor: 1000}
		for _, way := range []struct {
			name  string
			bytes int64
			call  func()
		}{
			{"pack", 5, func() { set.Pack(bytes, l.rows, 100, 0, h) }},
			{"pack-stream", 7, func() { set.Pack(both, l.rows, 1e4, 0, h) }},
			{"narrow", 3, func() { set.Narrow(both, 0, h) }},
		} {
			b.Run(set.Name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(way.bytes * c * w * h)
				for b.Loop() {
					way.call()
				}
			})
		}
	}
}
