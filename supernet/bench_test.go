package supernet

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// benchSpace is one network: 8 wide blocks of 16 channels, six times expanded.
func benchSpace() *space.Space {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{16}}
	for range 8 {
		sp.Slots = append(sp.Slots, space.Slot{Blocks: space.Blocks{space.Wide: {6}}})
	}
	return sp
}

// timed wraps a Set so that the time inside its functions is added up.
func timed(set *kernel.Set, total *atomic.Int64) *kernel.Set {
	t := *set
	t.Conv = func(dst, src *kernel.Tensor, blocks []kernel.Block, e *kernel.Epilogue, y0, y1 int) {
		start := time.Now()
		set.Conv(dst, src, blocks, e, y0, y1)
		total.Add(int64(time.Since(start)))
	}
	t.Winograd = func(g *kernel.Winograd, dst, src *kernel.Tensor, e *kernel.Epilogue, y0, y1, lead int, scratch []float32) {
		start := time.Now()
		set.Winograd(g, dst, src, e, y0, y1, lead, scratch)
		total.Add(int64(time.Since(start)))
	}
	t.WeightGrad = func(grad [][]float32, bias []float32, dy, src *kernel.Tensor, blocks []kernel.Block) {
		start := time.Now()
		set.WeightGrad(grad, bias, dy, src, blocks)
		total.Add(int64(time.Since(start)))
	}
	t.WinogradGrad = func(grad, bias []float32, dy, src *kernel.Tensor, scratch []float32) {
		start := time.Now()
		set.WinogradGrad(grad, bias, dy, src, scratch)
		total.Add(int64(time.Since(start)))
	}
	t.Adam = func(w, m, v, g []float32, rate, b1, b2, eps float32) {
		start := time.Now()
		set.Adam(w, m, v, g, rate, b1, b2, eps)
		total.Add(int64(time.Since(start)))
	}
	t.AbsGrad = func(dst, a, b []float32, s float32) float64 {
		start := time.Now()
		defer func() { total.Add(int64(time.Since(start))) }()
		return set.AbsGrad(dst, a, b, s)
	}
	t.Unshuffle = func(dst [4][]float32, src []float32, n int) {
		start := time.Now()
		set.Unshuffle(dst, src, n)
		total.Add(int64(time.Since(start)))
	}
	return &t
}

// benchTuner is a training of the dense network of benchSpace: batch 16 of
// 48x48 patches.
func benchTuner(b testing.TB, set *kernel.Set, threads, steps int) *tuner {
	s := noisy(benchSpace(), 1)
	sub, err := s.Extract(s.Space.Largest())
	if err != nil {
		b.Fatal(err)
	}
	t, err := newTuner(sub, nil, waves{2, 1}, FineTuneOptions{Steps: steps, Batch: 16, Patch: 48, Threads: threads, Rate: 1e-3, Kernels: set})
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// BenchmarkStep measures one plain training step of a fixed dense network on
// one thread, and what part of it is spent outside the kernels (Axpy counts as
// outside: its calls are too short to be timed). The patches are fetched by
// another goroutine; "cached" patches leave it no work.
func BenchmarkStep(b *testing.B) {
	for _, set := range kernel.Sets() {
		b.Run(set.Name, func(b *testing.B) {
			var inside atomic.Int64
			t := benchTuner(b, timed(set, &inside), 1, 1<<30)
			t.feed.src = &cached{from: t.feed.src}
			if _, err := t.advance(); err != nil {
				b.Fatal(err)
			}
			inside.Store(0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.advance(); err != nil {
					b.Fatal(err)
				}
			}
			_, macs := t.net.MACs()
			// Forward, input gradient and weight gradient.
			flops := 3 * 2 * float64(macs) * 16 * 48 * 48 * float64(b.N)
			b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			b.ReportMetric(100*(1-float64(inside.Load())/float64(b.Elapsed())), "%outside")
			t.feed.drop()
		})
	}
}

// BenchmarkSandwich is a step of the quick start's training: the largest, the
// smallest and three random subnets of six slots, masks and lists built anew.
func BenchmarkSandwich(b *testing.B) {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 12, 16}, Percents: []int{25, 50, 75, 85},
		Schemes: []network.Scheme{network.Filter, network.Block4, network.Block8, network.Unstructured}}
	for range 6 {
		sp.Slots = append(sp.Slots, space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {2, 4, 6}, space.Plain: {1, 2}, space.Lean: space.Once()}})
	}
	var inside atomic.Int64
	t, err := NewTrainer(New(sp, 1), &cached{from: waves{2, 1}}, Options{Steps: 1 << 20, Batch: 8, Patch: 24, Subnets: 3,
		Rate: 1e-3, Distill: 0.5, Threads: 1, Kernels: timed(kernel.Best(), &inside)})
	if err != nil {
		b.Fatal(err)
	}
	defer t.feed.drop()
	run(b, t, 1)
	inside.Store(0)
	b.ReportAllocs()
	for b.Loop() {
		run(b, t, 1)
	}
	b.ReportMetric(100*(1-float64(inside.Load())/float64(b.Elapsed())), "%outside")
}

// pretrainingSpace is the kind of space that the pretrained weights are trained
// for.
func pretrainingSpace() *space.Space {
	sp := &space.Space{Scale: 4, Colors: 1, Widths: []int{8, 12, 16, 24}, Percents: []int{25, 50, 65, 75, 85},
		Schemes: []network.Scheme{network.Filter, network.Block2, network.Block4, network.Block8, network.Pattern, network.Unstructured}}
	for range 8 {
		sp.Slots = append(sp.Slots, space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {2}, space.Plain: {1, 2}}})
	}
	return sp
}

// BenchmarkPretraining is a step on 8 patches: of the sandwich, and of a space that
// has nothing but its largest network, dense.
func BenchmarkPretraining(b *testing.B) {
	for _, patch := range []int{32, 48, 64} {
		for _, alone := range []bool{true, false} {
			o := Options{Steps: 1 << 20, Batch: 8, Patch: patch, Subnets: 3, LargestPruned: 1, Rate: 1e-3, Distill: 0.5, Threads: 1}
			sp, name := pretrainingSpace(), "sandwich"
			if alone {
				name, o.Subnets, o.LargestPruned = "largest", 0, 0
				sp.Widths, sp.Schemes, sp.Percents = []int{24}, nil, nil
				for i := range sp.Slots {
					sp.Slots[i] = space.Slot{Blocks: space.Blocks{space.Plain: {2}}}
				}
			}
			b.Run(fmt.Sprintf("%s/patch=%d", name, patch), func(b *testing.B) {
				t, err := NewTrainer(New(sp, 1), &cached{from: waves{4, 1}}, o)
				if err != nil {
					b.Fatal(err)
				}
				defer t.feed.drop()
				run(b, t, 1)
				for b.Loop() {
					run(b, t, 1)
				}
			})
		}
	}
}

// BenchmarkRefit is the refit of a network to 64 patches of 32x32, beside one step
// of fine-tuning it on 8 of them, on one thread.
func BenchmarkRefit(b *testing.B) {
	for _, text := range []string{
		"w8;head;plain2;plain2;skip;skip;skip;skip;skip;skip;tail",
		"w24;head=block4@75;plain2=block4@75,block4@75;plain2=block4@75,block4@75;plain2;skip;skip;skip;skip;skip;tail=unstructured@50",
		"w24;head;plain2;plain2;plain2;plain2;plain2;plain2;plain2;plain2;tail",
	} {
		sp := pretrainingSpace()
		g, err := space.ParseGenome(text)
		if err != nil {
			b.Fatal(err)
		}
		net, err := noisy(sp, 1).Extract(g)
		if err != nil {
			b.Fatal(err)
		}
		src := &cached{from: waves{sp.Scale, 1}}
		f, err := NewRefit(src, sp.Scale, 1, RefitOptions{Count: 64, Patch: 32})
		if err != nil {
			b.Fatal(err)
		}
		_, macs := net.MACs()
		b.Run(fmt.Sprintf("%d/refit", macs), func(b *testing.B) {
			for b.Loop() {
				if _, err := f.Net(net); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/step", macs), func(b *testing.B) {
			t, err := newTuner(net, nil, src, FineTuneOptions{Steps: 1 << 30, Batch: 8, Patch: 32, Threads: 1, Rate: 1e-3})
			if err != nil {
				b.Fatal(err)
			}
			defer t.feed.drop()
			for b.Loop() {
				if _, err := t.advance(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkActivations is a training step on 8 patches of 48x48 of a dense network
// of four plain blocks, on one thread: a step with each activation in turn, so that
// all see the same machine. Times are lowest deciles.
func BenchmarkActivations(b *testing.B) {
	acts := space.Activations()
	trainers, times := make([]*Trainer, len(acts)), make([][]time.Duration, len(acts))
	for i, act := range acts {
		sp := pretrainingSpace()
		sp.Widths, sp.Schemes, sp.Percents, sp.Slots = []int{24}, nil, nil, sp.Slots[:4]
		for i := range sp.Slots {
			sp.Slots[i] = space.Slot{Blocks: space.Blocks{space.Plain: {2}}, Activations: []space.Activation{act}}
		}
		t, err := NewTrainer(New(sp, 1), &cached{from: waves{4, 1}}, Options{Steps: 1 << 20, Batch: 8, Patch: 48, Rate: 1e-3, Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer t.feed.drop()
		run(b, t, 1)
		trainers[i] = t
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, t := range trainers {
			start := time.Now()
			run(b, t, 1)
			times[i] = append(times[i], time.Since(start))
		}
	}
	for i, act := range acts {
		slices.Sort(times[i])
		b.ReportMetric(times[i][len(times[i])/10].Seconds()*1e3, act.String()+"-ms")
	}
}
