package sparse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// BenchmarkCosts measures the two numbers of every entry of tables: the time of
// one list entry and of one block, each on one vector of pixels, from layers of
// 32 to 32 channels with short and with long lists on a band of 320x16 pixels.
func BenchmarkCosts(b *testing.B) {
	const w, h, channels = 320, 16, 32
	rng := rand.New(rand.NewPCG(1, 1))
	src, dst := kernel.NewTensor(channels, h, w, 1), kernel.NewTensor(channels, h, w, 1)
	for c := range channels {
		src.Set(c, picture(rng, w*h))
	}
	for _, set := range kernel.Sets() {
		for size := 1; size <= 8; size *= 2 {
			for _, side := range []int{1, 3} {
				b.Run(fmt.Sprintf("%s/b=%d/%dx%d", set.Name, size, side, side), func(b *testing.B) {
					var blocks [2][]kernel.Block
					var taps [2]int
					for i, percent := range []int{50, 90} {
						scheme := []network.Scheme{1: network.Unstructured, 2: network.Block2, 4: network.Block4, 8: network.Block8}[size]
						l := Layer{In: channels, Out: channels, Kernel: side, Prune: network.Prune{Scheme: scheme, Percent: percent}}
						l = randomize(&Subnet{Layers: []Layer{l}}, rng).Layers[0]
						shape := kernel.Shape{Out: channels, In: channels, Kernel: side, Row: src.Row, Plane: src.Plane}
						blocks[i] = kernel.Lower(nil, shape, l.Weights, l.Bias, l.Mask, size, false)
						for _, bl := range blocks[i] {
							taps[i] += len(bl.Off)
						}
					}
					var best [2]time.Duration
					e := kernel.Epilogue{ReLU: true}
					for b.Loop() {
						for i := range 2 {
							start := time.Now()
							set.Conv(dst, src, blocks[i], &e, 0, h)
							if d := time.Since(start); best[i] == 0 || d < best[i] {
								best[i] = d
							}
						}
					}
					vectors := float64(w / kernel.Lanes * h)
					tap := float64(best[0]-best[1]) / float64(taps[0]-taps[1]) / vectors
					block := (float64(best[1])/vectors - tap*float64(taps[1])) / float64(len(blocks[1]))
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(tap, "ns/tap")
					b.ReportMetric(block, "ns/block")
				})
			}
		}
	}
}

// BenchmarkUpscale runs whole networks of 320x180 pixels in, x4, at several
// prunings, on one thread and on two.
func BenchmarkUpscale(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, net := range []struct {
		name   string
		width  int
		blocks int
	}{{"wide16x8", 16, 8}, {"wide32x16", 32, 16}} {
		for _, prune := range []network.Prune{{}, {Scheme: network.Block4, Percent: 75}, {Scheme: network.Block4, Percent: 90}, {Scheme: network.Unstructured, Percent: 75}, {Scheme: network.Filter, Percent: 50}} {
			sp := &space.Space{Scale: 4, Colors: 1}
			g := space.Genome{Width: net.width}
			for range net.blocks {
				g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: 4, Prune: [space.MaxConvs]network.Prune{prune, prune, prune}})
			}
			subnet := randomize(shape(sp, g), rng)
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%v@%d/threads=%d", net.name, prune.Scheme, prune.Percent, threads), func(b *testing.B) {
					p, err := Compile(subnet.Graph(), Options{Threads: threads})
					if err != nil {
						b.Fatal(err)
					}
					defer p.Close()
					src := picture(rng, 320*180)
					dst := make([]float32, 16*len(src))
					b.ReportAllocs()
					var times []time.Duration
					for b.Loop() {
						start := time.Now()
						if err := p.Upscale(dst, src, 320, 180); err != nil {
							b.Fatal(err)
						}
						times = append(times, time.Since(start))
					}
					executed := 0
					for _, l := range p.Layers() {
						executed += l.MACs
					}
					median := summary(times, nil).Median
					b.ReportMetric(median.Seconds()*1e3, "median-ms")
					b.ReportMetric(2*float64(executed)*320*180/median.Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// BenchmarkThreads runs dense networks of 320x180 pixels in, x4, a frame on one
// thread and a frame on two in turn, so that both see the same machine. Rates are
// of the lowest decile of frames; quiet is the share of frames on two threads that
// nothing disturbed.
func BenchmarkThreads(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, net := range []struct{ width, blocks int }{{16, 8}, {32, 16}} {
		b.Run(fmt.Sprintf("wide%dx%d", net.width, net.blocks), func(b *testing.B) {
			g := space.Genome{Width: net.width, Slots: slices.Repeat([]space.Gene{{Kind: space.Wide, Expansion: 4}}, net.blocks)}
			subnet := randomize(shape(&space.Space{Scale: 4, Colors: 1}, g), rng)
			var programs [2]*Program
			var seen [2]Observation
			for i := range programs {
				p, err := Compile(subnet.Graph(), Options{Threads: i + 1})
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				programs[i] = p
			}
			for b.Loop() {
				for i, p := range programs {
					o, err := p.Observe(320, 180, 1)
					if err != nil {
						b.Fatal(err)
					}
					seen[i].Frames, seen[i].Waited = append(seen[i].Frames, o.Frames...), append(seen[i].Waited, o.Waited...)
					seen[i].Alone = append(seen[i].Alone, o.Alone...)
				}
			}
			macs, _ := programs[0].MACs()
			var low [2]float64
			for i := range seen {
				low[i] = slices.Sorted(slices.Values(seen[i].Frames))[(len(seen[i].Frames)-1)/10].Seconds()
				b.ReportMetric(2*float64(macs)*320*180/low[i]/1e9, fmt.Sprintf("GFLOP/s@%d", i+1))
			}
			quiet := 0
			if len(seen[1].Waited) < len(seen[1].Frames) {
				seen[1].Waited = nil // not known on this system
			}
			for _, q := range seen[1].Quiet() {
				if q {
					quiet++
				}
			}
			b.ReportMetric(low[0]/low[1], "speedup")
			b.ReportMetric(float64(quiet)/float64(len(seen[1].Frames)), "quiet")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkPublished runs networks that others publish, random weights, 320x180
// in, x4, on one thread and on two.
func BenchmarkPublished(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, net := range []struct {
		name string
		g    *network.Graph
	}{{"fsrcnn", fsrcnn(rng, 4, 44, 12, 4)}, {"espcn", espcn(rng, 4, 64, 32)}, {"ecbsr", ecbsr(rng, 4, 4, 16)}, {"imdn", imdn(rng, 2, 12, 6)}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", net.name, threads), func(b *testing.B) {
				p, err := Compile(net.g, Options{Threads: threads})
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				var seen Observation
				for b.Loop() {
					o, err := p.Observe(320, 180, 1)
					if err != nil {
						b.Fatal(err)
					}
					seen.Frames = append(seen.Frames, o.Frames...)
					for i, l := range o.Layers {
						if len(seen.Layers) <= i {
							seen.Layers = append(seen.Layers, nil)
						}
						seen.Layers[i] = append(seen.Layers[i], l...)
					}
				}
				_, macs := p.MACs()
				low := slices.Min(seen.Frames)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(low.Seconds()*1e3, "best-ms")
				b.ReportMetric(summary(seen.Frames, nil).Median.Seconds()*1e3, "median-ms")
				b.ReportMetric(2*float64(macs)*320*180/low.Seconds()/1e9, "GFLOP/s")
				for i, l := range p.Layers() {
					b.Logf("%-20s %-6s %-8s %d-%d k%d b%d  %v", l.Name, l.Op, l.Method, l.In, l.Out, l.Kernel, l.B, slices.Min(seen.Layers[i]))
				}
			})
		}
	}
}

// BenchmarkActivations runs four dense blocks of 24 channels at 320x180 pixels in,
// x4, on one thread, a frame by each activation in turn, so that all see the same
// machine. Times are lowest deciles.
func BenchmarkActivations(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, block := range []space.Gene{{Kind: space.Plain, Expansion: 2}, {Kind: space.Wide, Expansion: 4}} {
		b.Run(fmt.Sprint(block.Kind, block.Expansion), func(b *testing.B) {
			acts := space.Activations()
			programs := make([]*Program, len(acts))
			for i := range acts {
				block.Activation = acts[i]
				g := space.Genome{Width: 24, Slots: []space.Gene{block, block, block, block}}
				p, err := Compile(randomize(shape(&space.Space{Scale: 4, Colors: 1}, g), rng).Graph(), Options{Threads: 1})
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				programs[i] = p
			}
			src := picture(rng, 320*180)
			dst := make([]float32, 16*len(src))
			times := make([][]time.Duration, len(acts))
			for b.Loop() {
				for i, p := range programs {
					start := time.Now()
					if err := p.Upscale(dst, src, 320, 180); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			for i, act := range acts {
				slices.Sort(times[i])
				b.ReportMetric(times[i][len(times[i])/10].Seconds()*1e3, act.String()+"-ms")
			}
		})
	}
}
