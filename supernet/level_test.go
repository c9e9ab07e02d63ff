package supernet

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"evosr/network"
)

// sums gives what the filters of a network's head sum to.
func sums(t *testing.T, net *network.Graph) []float32 {
	t.Helper()
	l := &mustLayers(net).list[1]
	if l.name != "head" {
		t.Fatalf("layer 1 is %s, want the head", l.name)
	}
	var list []float32
	for at := 0; at < len(l.weights); at += l.kernel * l.kernel {
		list = append(list, sum(l.weights[at:][:l.kernel*l.kernel]))
	}
	return list
}

// TestHeadIsBlind trains with one and with three colours: brightness never comes
// into the trunk.
func TestHeadIsBlind(t *testing.T) {
	for _, colors := range []int{1, 3} {
		s := New(smallSpace(2, colors), 3)
		tr, err := NewTrainer(s, waves{2, colors}, options(20))
		if err != nil {
			t.Fatal(err)
		}
		run(t, tr, 20)
		before, err := s.Extract(s.Space.Largest())
		if err != nil {
			t.Fatal(err)
		}
		after, err := tr.net.Extract(s.Space.Largest())
		if err != nil {
			t.Fatal(err)
		}
		moved := false
		for i, w := range mustLayers(after).list[1].weights {
			moved = moved || w != mustLayers(before).list[1].weights[i]
		}
		if !moved {
			t.Errorf("%d colours: the head did not move", colors)
		}
		for i, v := range sums(t, after) {
			if math.Abs(float64(v)) > 1e-5 {
				t.Errorf("%d colours: filter %d sums to %v, want 0", colors, i, v)
			}
		}
	}
}

// TestHeadKeepsItsSums fine-tunes a network of another training, whose head sees
// brightness and is pruned: what filters sum to stays, what is pruned stays 0.
func TestHeadKeepsItsSums(t *testing.T) {
	s := New(smallSpace(2, 1), 3)
	g := s.Space.Largest()
	g.Head = network.Prune{Scheme: network.Unstructured, Percent: 50}
	net, err := s.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	head := &mustLayers(net).list[1]
	for i, keep := range head.mask {
		head.weights[i] = float32(keep) * rng.Float32()
	}
	want := sums(t, net)
	best, err := FineTune(context.Background(), net, nil, waves{2, 1}, nil, FineTuneOptions{Steps: 20, Batch: 4, Patch: 12, Rate: 2e-3, Seed: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range sums(t, best) {
		if math.Abs(float64(v-want[i])) > 1e-4 {
			t.Errorf("filter %d sums to %v, want %v as before", i, v, want[i])
		}
	}
	for i, keep := range head.mask {
		if w := mustLayers(best).list[1].weights[i]; keep == 0 && w != 0 {
			t.Fatalf("weight %d is pruned and %v", i, w)
		}
	}
}
