package supernet

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"evosr/internal/kernel"
	"evosr/network"
)

// taught is some outputs.
func taught(t *testing.T, teacher *network.Graph, src Source, patch, count int) *TeacherOutputs {
	t.Helper()
	l, err := Teach(t.Context(), teacher, src, TeachOptions{Count: count, Patch: patch, Seed: 4, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFineTune(t *testing.T) {
	s := New(smallSpace(2, 1), 3)
	g := s.Space.Smallest()
	g.Slots[1].Prune[0] = network.Prune{Scheme: network.Filter, Percent: 50}
	net, err := s.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	teacher, err := s.Extract(s.Space.Largest())
	if err != nil {
		t.Fatal(err)
	}
	was := mustLayers(net).list[0].weights[0]
	score := func(n *network.Graph) (float64, error) {
		rng := rand.New(rand.NewPCG(77, 5))
		lr, hr := make([]float32, 144), make([]float32, 4*144)
		waves{2, 1}.Patch(rng, 12, lr, hr)
		sum := 0.0
		for i, v := range Reference(n, lr, 12, 12) {
			sum -= math.Abs(float64(v - hr[i]))
		}
		return sum, nil
	}
	o := FineTuneOptions{Steps: 120, Batch: 4, Patch: 12, Rate: 2e-3, Distill: 0.2, Seed: 1, Threads: 2}
	steps := 0
	o.Progress = func(n int) {
		if steps++; n != steps {
			t.Errorf("told of step %d after %d", n, steps-1)
		}
	}
	best, err := FineTune(context.Background(), net, taught(t, teacher, waves{2, 1}, 12, 20), waves{2, 1}, score, o)
	if steps != o.Steps {
		t.Errorf("told of %d steps, want %d", steps, o.Steps)
	}
	o.Progress = nil
	if err != nil {
		t.Fatal(err)
	}
	if err := best.Validate(); err != nil {
		t.Fatal(err)
	}
	before, _ := score(net)
	after, _ := score(best)
	t.Logf("error %v before, %v after", -before, -after)
	if after < before*0.9 {
		t.Errorf("error %v, want less than %v", -after, -before*0.9)
	}
	if mustLayers(net).list[0].weights[0] != was {
		t.Error("the network that came in was changed")
	}
	for i := range mustLayers(best).list {
		l := &mustLayers(best).list[i]
		if !slices.Equal(l.mask, mustLayers(net).list[i].mask) {
			t.Errorf("layer %s: the mask changed", l.name)
		}
		for j, keep := range l.mask {
			if keep == 0 && l.weights[j] != 0 {
				t.Fatalf("layer %s: masked weight %d is %v", l.name, j, l.weights[j])
			}
		}
		for o := range l.bias {
			if pruned(l, o) && l.bias[o] != 0 {
				t.Fatalf("layer %s: bias %d of a pruned channel is %v", l.name, o, l.bias[o])
			}
		}
	}

	// Nothing better is ever found: the inherited weights come back.
	calls := 0
	worse := func(*network.Graph) (float64, error) { calls++; return -float64(calls), nil }
	if best, err = FineTune(context.Background(), net, nil, waves{2, 1}, worse, o); err != nil {
		t.Fatal(err)
	}
	if calls != candidates+1 {
		t.Errorf("%d validations, want %d", calls, candidates+1)
	}
	for i := range mustLayers(best).list {
		if !slices.Equal(mustLayers(best).list[i].weights, mustLayers(net).list[i].weights) {
			t.Fatalf("layer %s: not the inherited weights", mustLayers(best).list[i].name)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FineTune(ctx, net, nil, waves{2, 1}, nil, o); err != context.Canceled {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// TestFineTuneThreads wants the same bits from any number of threads.
func TestFineTuneThreads(t *testing.T) {
	net, err := New(smallSpace(2, 3), 3).Extract(smallSpace(2, 3).Largest())
	if err != nil {
		t.Fatal(err)
	}
	var want *network.Graph
	for _, threads := range []int{1, runtime.NumCPU() + 1} {
		got, err := FineTune(context.Background(), net, taught(t, net, waves{2, 3}, 8, 5), waves{2, 3}, nil,
			FineTuneOptions{Steps: 5, Batch: 20, Patch: 8, Threads: threads, Rate: 1e-3, Distill: 0.5, Kernels: kernel.Best()})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
			continue
		}
		for i := range mustLayers(got).list {
			if !slices.Equal(mustLayers(got).list[i].weights, mustLayers(want).list[i].weights) || !slices.Equal(mustLayers(got).list[i].bias, mustLayers(want).list[i].bias) {
				t.Fatalf("layer %s differs with %d threads", mustLayers(got).list[i].name, threads)
			}
		}
	}
}
