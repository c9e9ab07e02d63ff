package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"evosr/internal/check"
)

// couple is two layers of 1x1 that Chain and two calls of Conv compute.
type couple struct {
	first, second *layer
	mid           *Tensor
	blocks        [2][]Block // over whole rows
	strip         []Block    // the second's over strips
	e1, e2        *Epilogue
}

func randomCouple(t testing.TB, rng *rand.Rand, in, hidden, out, h, w, b int, density float64) *couple {
	t.Helper()
	c := &couple{first: randomLayer(t, rng, hidden, in, 1, h, w, density), second: randomLayer(t, rng, out, hidden, 1, h, w, density)}
	c.second.src = c.first.dst
	c.second.shape.Row, c.second.shape.Plane = c.first.dst.Row, c.first.dst.Plane
	c.mid = ChainTensor(hidden)
	c.mid.Data = check.GuardedAligned(t, len(c.mid.Data))
	c.lower(b)
	c.e1, c.e2 = randomEpilogue(t, rng, c.first), randomEpilogue(t, rng, c.second)
	c.e1.Residual, c.e1.Gate = nil, nil
	return c
}

// lower makes the lists from the layers' weights and masks.
func (c *couple) lower(b int) {
	c.blocks = [2][]Block{c.first.lower(b), c.second.lower(b)}
	strip := *c.second
	strip.shape.Row, strip.shape.Plane = c.mid.Row, c.mid.Plane
	c.strip = strip.lower(b)
}

// lower makes blocks of b channels, grouped taps for 0.
func (l *layer) lower(b int) []Block {
	if b == 0 {
		return l.grouped()
	}
	return Lower(nil, l.shape, l.w, l.bias, l.mask, b, false)
}

// TestChain: to the bit what two calls give, and nothing beside the rows.
func TestChain(t *testing.T) {
	for _, set := range Sets() {
		if set.Chain == nil {
			continue
		}
		t.Run(set.Name, func(t *testing.T) {
			for _, w := range []int{1, 15, 16, 47, 48, 95, 97, 130, 320} {
				for _, b := range []int{1, 2, 4, 8, 0} {
					rng := check.Rand(t)
					hidden := []int{4, 24, 88, 132}[rng.IntN(4)]
					h := 1 + rng.IntN(4)
					density := 0.2 + 0.8*rng.Float64()
					c := randomCouple(t, rng, 1+rng.IntN(20), hidden, 4*(1+rng.IntN(7)), h, w, b, density)
					y0 := rng.IntN(h)
					y1 := y0 + 1 + rng.IntN(h-y0)
					set.Conv(c.first.dst, c.first.src, c.blocks[0], c.e1, y0, y1)
					set.Conv(c.second.dst, c.second.src, c.blocks[1], c.e2, y0, y1)
					want := pixels(c.second.dst)
					for i := y0; i < y1; i++ {
						for o := range c.second.dst.C {
							clear(c.second.dst.At(o, i))
						}
					}
					if c.e2.Residual == c.second.dst || c.e2.Gate == c.second.dst {
						t.Fatal("an epilogue reads what was cleared")
					}
					set.Chain(c.second.dst, c.mid, c.first.src, c.blocks[0], c.strip, c.e1, c.e2, y0, y1)
					for i, v := range pixels(c.second.dst) {
						if v != want[i] && !(math.IsNaN(float64(v)) && math.IsNaN(float64(want[i]))) {
							t.Fatalf("%d wide, blocks of %d, %d hidden, rows [%d, %d): value %d is %v, want %v (%v; %v)", w, b, hidden, y0, y1, i, v, want[i], c.e1, c.e2)
						}
					}
					onlyPixels(t, c.second.dst)
					// The plain loops differ by fused multiply-adds alone.
					chainScalar(c.second.dst, c.mid, c.first.src, c.blocks[0], c.strip, c.e1, c.e2, y0, y1)
					check.Close(t, pixels(c.second.dst), want, 1e-4)
					onlyPixels(t, c.second.dst)
				}
			}
		})
	}
}

// TestChainMisuse: what would leave the tensors panics.
func TestChainMisuse(t *testing.T) {
	for _, set := range Sets() {
		if set.Chain == nil {
			continue
		}
		for name, spoil := range map[string]func(c *couple){
			"rows":           func(c *couple) { c.second.dst.H-- },
			"strip":          func(c *couple) { c.mid.W -= 8 },
			"no room":        func(c *couple) { c.mid.Data = c.mid.Data[:len(c.mid.Data)-1] },
			"few channels":   func(c *couple) { c.mid.C-- },
			"whole rows":     func(c *couple) { c.strip = c.blocks[1] },
			"source":         func(c *couple) { c.first.src.Data = c.first.src.Data[:c.first.src.Origin+40] },
			"residual":       func(c *couple) { c.e1.Residual = c.first.dst },
			"gate":           func(c *couple) { c.e1.Gate = c.first.dst },
			"slopes":         func(c *couple) { c.e2.Slope = make([]float32, 3) },
			"short residual": func(c *couple) { c.e2.Residual = c.first.src },
		} {
			c := randomCouple(t, check.Rand(t), 6, 24, 8, 3, 50, 4, 1)
			c.e1, c.e2 = new(Epilogue), new(Epilogue)
			spoil(c)
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: %s: no panic", set.Name, name)
					}
				}()
				set.Chain(c.second.dst, c.mid, c.first.src, c.blocks[0], c.strip, c.e1, c.e2, 0, c.second.dst.H)
			}()
		}
	}
}

// BenchmarkChain runs an expansion and the reduction after it as two calls over a
// band of rows and as a chain, in turn; it reports what the chain gains in the fastest
// calls and what share of the core's peak the kept multiplications are.
func BenchmarkChain(b *testing.B) {
	const w, h = 320, 16
	for _, set := range Sets() {
		if set.Chain == nil {
			continue
		}
		for _, shape := range [][3]int{{16, 64, 16}, {28, 84, 24}, {28, 140, 24}, {32, 128, 32}} {
			for _, density := range []float64{1, 0.5, 0.25, 0.1} {
				b.Run(fmt.Sprintf("%s/%d-%d-%d/kept=%.0f%%", set.Name, shape[0], shape[1], shape[2], 100*density), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					size := 4
					if density == 1 {
						size = 8
					}
					c := randomCouple(b, rng, shape[0], shape[1], shape[2], h, w, size, 1)
					for _, l := range []*layer{c.first, c.second} {
						l.mask = blockMask(rng, l.shape.Out, l.shape.In, density)
					}
					c.lower(size)
					kept := 0
					for _, list := range c.blocks {
						for i := range list {
							kept += len(list[i].W)
						}
					}
					c.e1, c.e2 = &Epilogue{ReLU: true}, new(Epilogue)
					best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
					peak := set.PeakGFLOPS(20 * time.Millisecond)
					for b.Loop() {
						start := time.Now()
						set.Conv(c.first.dst, c.first.src, c.blocks[0], c.e1, 0, h)
						set.Conv(c.second.dst, c.second.src, c.blocks[1], c.e2, 0, h)
						best[0] = min(best[0], time.Since(start))
						start = time.Now()
						set.Chain(c.second.dst, c.mid, c.first.src, c.blocks[0], c.strip, c.e1, c.e2, 0, h)
						best[1] = min(best[1], time.Since(start))
					}
					peak = max(peak, set.PeakGFLOPS(20*time.Millisecond))
					share := 100 * 2 * float64(kept*w*h) / 1e9 / peak
					b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "times-two-calls")
					b.ReportMetric(share/best[0].Seconds(), "%peak-two")
					b.ReportMetric(share/best[1].Seconds(), "%peak")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// blockMask keeps weights of 1x1 in blocks of four output channels.
func blockMask(rng *rand.Rand, out, in int, density float64) []uint8 {
	mask := make([]uint8, out*in)
	for first := 0; first < out; first += 4 {
		for i := range in {
			if rng.Float64() < density {
				for o := first; o < min(first+4, out); o++ {
					mask[o*in+i] = 1
				}
			}
		}
	}
	return mask
}
