package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evosr/internal/check"
)

// winogradClose is how far Winograd's sums may be from the direct ones, of the
// sums' usual size.
const winogradClose = 1e-5

// sameWinograd holds a layer by Winograd against the scalar direct one.
func sameWinograd(t *testing.T, rng *rand.Rand, set *Set, l *layer, lead int) {
	t.Helper()
	g := set.NewWinograd(l.shape.Out, l.shape.In, l.w, l.bias)
	e := randomEpilogue(t, rng, l)
	if e.Gate != nil {
		e.Gate = randomGate(t, rng, l)
	}
	src, side := slices.Clone(l.src.Data), slices.Clone(l.side.Data)
	want := NewTensor(l.dst.C, l.dst.H, l.dst.W, l.dst.Border)
	convScalar(want, l.src, Lower(nil, l.shape, l.w, l.bias, nil, 1, false), e, 0, want.H)
	scratch := check.GuardedAligned(t, g.Scratch())
	check.Fill(rng, scratch) // whatever a call before left
	g.Conv(l.dst, l.src, e, 0, want.H, lead, scratch)
	t.Logf("%s: %+v (%d, %d, %d) lead %d %v", set.Name, l.shape, want.C, want.H, want.W, lead, e)
	onlyPixels(t, l.dst)
	check.Close(t, l.src.Data, src, 0)
	check.Close(t, l.side.Data, side, 0)
	check.CloseSums(t, pixels(l.dst), pixels(want), winogradClose, usualSum(l.shape.In*9))

	// Rows split at tiles' edges give the same bits.
	whole := pixels(l.dst)
	for y := 0; y < want.H; {
		end, phase := y+TileRows*(1+rng.IntN(2)), 0
		if y == 0 {
			end, phase = end-lead, lead
		}
		end = min(end, want.H)
		g.Conv(l.dst, l.src, e, y, end, phase, scratch)
		y = end
	}
	check.Close(t, pixels(l.dst), whole, 0)
}

// TestWinograd: every Set that has it, at all widths around its strips.
func TestWinograd(t *testing.T) {
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for range 60 {
				l := randomLayer(t, rng, 1+rng.IntN(24), 1+rng.IntN(9), 3, 1+rng.IntN(14), 1+rng.IntN(120), 1)
				sameWinograd(t, rng, set, l, rng.IntN(TileRows))
			}
			sameWinograd(t, rng, set, randomLayer(t, rng, 32, 64, 3, 6, 330, 1), 1)
			for w := pairWidth/2 - 1; w <= pairWidth+1; w++ { // two rows of tiles in a vector
				sameWinograd(t, rng, set, randomLayer(t, rng, 1+rng.IntN(24), 1+rng.IntN(9), 3, 8*(1+rng.IntN(4)), w, 1), 0)
			}
		})
	}
}

// TestWinogradPadding: values beside the picture's rows and one pixel of border
// on the left are never part of a result, whatever they are.
func TestWinogradPadding(t *testing.T) {
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		rng := check.Rand(t)
		for _, w := range []int{1, 15, 17, 24, 32, 63, 64, 77, 200} {
			h, lead := 7, 1
			if w == 24 || w == 32 {
				h, lead = 8, 0 // two rows of tiles in a vector
			}
			l := randomLayer(t, rng, 9, 2, 3, h, w, 1)
			g := set.NewWinograd(9, 2, l.w, l.bias)
			scratch := Aligned(g.Scratch())
			g.Conv(l.dst, l.src, new(Epilogue), 0, h, lead, scratch)
			want := pixels(l.dst)
			near := map[int]bool{}
			for c := range l.src.C {
				for y := -1; y <= l.src.H; y++ {
					for x := -1; x < w; x++ {
						near[l.src.Origin+c*l.src.Plane+y*l.src.Row+x] = true
					}
				}
			}
			for i := range l.src.Data {
				if !near[i] {
					l.src.Data[i] = float32(nan)
				}
			}
			g.Conv(l.dst, l.src, new(Epilogue), 0, h, lead, scratch)
			check.Close(t, pixels(l.dst), want, 0)
		}
	}
}

// TestWinogradMisuse: a call that would leave its tensors panics before it does.
func TestWinogradMisuse(t *testing.T) {
	src, dst := NewTensor(2, 4, 20, 1), NewTensor(4, 4, 20, 0)
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		g := set.NewWinograd(4, 2, make([]float32, 4*2*9), make([]float32, 4))
		scratch := Aligned(g.Scratch())
		short := *src
		short.Data = short.Data[:len(short.Data)/2]
		g.Conv(dst, src, new(Epilogue), 0, 4, 0, scratch) // fine
		for name, call := range map[string]func(){
			"rows":            func() { g.Conv(dst, src, new(Epilogue), 0, 5, 0, scratch) },
			"lead":            func() { g.Conv(dst, src, new(Epilogue), 0, 4, 4, scratch) },
			"source channels": func() { g.Conv(dst, NewTensor(3, 4, 20, 1), new(Epilogue), 0, 4, 0, scratch) },
			"channels":        func() { g.Conv(NewTensor(3, 4, 20, 0), src, new(Epilogue), 0, 4, 0, scratch) },
			"border":          func() { g.Conv(dst, NewTensor(2, 4, 20, 0), new(Epilogue), 0, 4, 0, scratch) },
			"short source":    func() { g.Conv(dst, &short, new(Epilogue), 0, 4, 0, scratch) },
			"scratch":         func() { g.Conv(dst, src, new(Epilogue), 0, 4, 0, scratch[1:]) },
			"gate's strides":  func() { g.Conv(dst, src, &Epilogue{Gate: NewTensor(4, 4, 20, 1)}, 0, 4, 0, scratch) },
			"gate's channels": func() { g.Conv(dst, src, &Epilogue{Gate: NewTensor(5, 4, 20, 0)}, 0, 4, 0, scratch) },
			"slopes":          func() { g.Conv(dst, src, &Epilogue{Slope: make([]float32, 3)}, 0, 4, 0, scratch) },
			"room": func() {
				new(Winograd).Transform(set, 4, 2, make([]float32, 72), make([]float32, 4), false, make([]float32, 300))
			},
			"weights": func() { set.NewWinograd(4, 2, make([]float32, 71), make([]float32, 4)) },
		} {
			t.Run(set.Name+"/"+name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				call()
			})
		}
	}
}

// BenchmarkWinograd runs dense 3x3 layers directly and by Winograd in turn, on
// bands of 16 rows; it reports the fastest calls' ratio and what the direct one
// and, counting the multiplications that the filter has, Winograd's are of the
// core's peak.
func BenchmarkWinograd(b *testing.B) {
	const h = 16
	for _, set := range Sets() {
		if set.winograd == nil {
			continue
		}
		for _, shape := range [][2]int{{12, 12}, {16, 16}, {24, 24}, {32, 32}, {48, 48}, {64, 64}, {64, 32}, {16, 48}, {32, 12}, {16, 4}, {32, 4}, {8, 8}, {16, 8}, {128, 128}, {256, 64}} {
			for _, w := range []int{160, 320, 640} {
				in, out := shape[0], shape[1]
				b.Run(fmt.Sprintf("%s/%dto%d/w=%d", set.Name, in, out, w), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					src, dst := NewTensor(in, h, w, 1), NewTensor(out, h, w, 1)
					for c := range in {
						for y := range h {
							check.Fill(rng, src.At(c, y))
						}
					}
					weights, bias := make([]float32, out*in*9), make([]float32, out)
					check.Fill(rng, weights)
					blocks := Lower(nil, Shape{out, in, 3, src.Row, src.Plane}, weights, bias, nil, 8, false)
					g := set.NewWinograd(out, in, weights, bias)
					scratch, e := Aligned(g.Scratch()), &Epilogue{ReLU: true}
					calls := []func(){
						func() { set.Conv(dst, src, blocks, e, 0, h) },
						func() { g.Conv(dst, src, e, 0, h, 0, scratch) },
					}
					best := []time.Duration{math.MaxInt64, math.MaxInt64}
					peak := set.PeakGFLOPS(20 * time.Millisecond)
					for b.Loop() {
						for i, call := range calls {
							start := time.Now()
							call()
							best[i] = min(best[i], time.Since(start))
						}
					}
					peak = max(peak, set.PeakGFLOPS(20*time.Millisecond))
					flops := 2 * float64(len(weights)*w*h) / 1e9
					b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "times-direct")
					b.ReportMetric(100*flops/best[0].Seconds()/peak, "%peak-direct")
					b.ReportMetric(100*flops/best[1].Seconds()/peak, "%peak")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
