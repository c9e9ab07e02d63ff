package supernet

import (
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// broadSpace offers everything, three slots of it.
func broadSpace() *space.Space {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 12, 16}, Percents: []int{25, 50, 75},
		Schemes: []network.Scheme{network.Filter, network.Block4, network.Unstructured}}
	for range 3 {
		sp.Slots = append(sp.Slots, space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {2, 3, 6}, space.Plain: {1, 2}, space.Lean: space.Once()}})
	}
	return sp
}

// TestSlice wants every network of a smaller space to have the weights, masks
// and outputs that the same choices have in the larger one.
func TestSlice(t *testing.T) {
	s := noisy(broadSpace(), 5)
	small := &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 12}, Percents: []int{30, 75}, Schemes: []network.Scheme{network.Dense, network.Block4},
		Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {3}, space.Lean: space.Once()}}, {Skip: true, Blocks: space.Blocks{space.Plain: {1}, space.Wide: {2}}}}}
	was := slices.Clone(s.bank.data)
	c, err := s.Slice(small)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.bank.data, was) {
		t.Error("slicing changed the supernet")
	}
	rng := check.Rand(t)
	src := randomPlanes(rng, 6*5)
	wide := broadSpace()
	wide.Percents = []int{25, 30, 50, 75}
	s.Space = wide // so that it extracts the ratio between two that were trained
	for range 40 {
		g := small.Random(rng)
		in := g.Clone()
		in.Slots = append(in.Slots, space.Gene{Kind: space.Skip})
		a, errA := c.Extract(g)
		b, errB := s.Extract(in)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for i := range mustLayers(a).list {
			x, y := &mustLayers(a).list[i], &mustLayers(b).list[i]
			if x.name != y.name || !slices.Equal(x.weights, y.weights) || !slices.Equal(x.bias, y.bias) || !slices.Equal(x.mask, y.mask) {
				t.Fatalf("%s: layer %s differs from %s in the larger space", g, x.name, y.name)
			}
		}
		if !slices.Equal(Reference(a, src, 6, 5), Reference(b, src, 6, 5)) {
			t.Fatalf("%s: other pictures", g)
		}
	}
	// The whole of a space is a part of it, too.
	if c, err = s.Slice(s.Space); err != nil || !slices.Equal(c.bank.data, s.bank.data) {
		t.Errorf("sliced to its own space it differs: %v", err)
	}
}

// TestRescale wants a supernet of another scale to have the head and the blocks,
// and skip and tail as untrained ones have them.
func TestRescale(t *testing.T) {
	s := noisy(broadSpace(), 5)
	sp := broadSpace()
	sp.Scale, sp.Widths, sp.Slots = 4, []int{8, 12}, sp.Slots[:2]
	c, err := s.Rescale(sp, 7)
	if err != nil {
		t.Fatal(err)
	}
	fresh := New(sp, 7)
	like := *sp
	like.Scale = 2
	cut, err := s.Slice(&like)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.bank.tensors {
		name, want := c.bank.tensors[i].name, cut
		if name == "skip" || name == "tail" {
			want = fresh
		}
		got, from := &c.bank.tensors[i], &want.bank.tensors[i]
		if !slices.Equal(c.bank.weights(got), want.bank.weights(from)) || !slices.Equal(c.bank.bias(got), want.bank.bias(from)) {
			t.Errorf("tensor %s is not what it should be", name)
		}
	}
	sp.Widths = []int{20}
	if _, err := s.Rescale(sp, 7); err == nil || !strings.Contains(err.Error(), "width") {
		t.Errorf("a width that was never trained: %v", err)
	}
}

func TestSliceRefuses(t *testing.T) {
	s := New(broadSpace(), 1)
	tests := []struct {
		name   string
		change func(*space.Space)
		want   []string
	}{
		{"scale", func(sp *space.Space) { sp.Scale = 3 }, []string{"scale: 3, want 2"}},
		{"colors", func(sp *space.Space) { sp.Colors = 3 }, []string{"colors: 3, want 1"}},
		{"width between", func(sp *space.Space) { sp.Widths = []int{8, 10, 12} }, []string{"10"}},
		{"width beyond", func(sp *space.Space) { sp.Widths = []int{8, 20} }, []string{"width: 20, want one of [8 12 16]"}},
		{"scheme", func(sp *space.Space) { sp.Schemes = append(sp.Schemes, network.Pattern) }, []string{"scheme: pattern"}},
		{"ratio", func(sp *space.Space) { sp.Percents = []int{50, 85} }, []string{"ratio: 0.85, want at most 0.75"}},
		{"slots", func(sp *space.Space) { sp.Slots = slices.Repeat(sp.Slots, 2) }, []string{"slots: 6, want at most 3"}},
		{"expansions", func(sp *space.Space) {
			sp.Slots = slices.Clone(sp.Slots)
			sp.Slots[1].Blocks[space.Wide], sp.Slots[2].Blocks[space.Plain] = []float64{2, 4}, []float64{4}
		}, []string{"slot 2: wide block of expansion 4", "slot 3: plain block of expansion 4"}},
		{"not an invalid space", func(sp *space.Space) { sp.Slots = nil }, []string{"slots: 0"}},
	}
	for _, tt := range tests {
		sp := broadSpace()
		tt.change(sp)
		_, err := s.Slice(sp)
		for _, w := range tt.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v, want one with %q", tt.name, err, w)
			}
		}
	}
	// What must be there cannot be left out later.
	fixed := broadSpace()
	fixed.Slots[2] = space.Slot{Blocks: space.Blocks{space.Wide: {2}}}
	less := broadSpace()
	less.Slots = less.Slots[:2]
	_, err := New(fixed, 1).Slice(less)
	if err == nil || !strings.Contains(err.Error(), "slot 3: left out") {
		t.Errorf("a slot that was never skipped: %v", err)
	}
	_, err = New(fixed, 1).Slice(broadSpace())
	for _, w := range []string{"slot 3: may be skipped", "slot 3: lean", "slot 3: plain block", "slot 3: wide block of expansion 3"} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error %v, want one with %q", err, w)
		}
	}
	// Schemes without ratios prune nothing.
	bare := broadSpace()
	bare.Schemes, bare.Percents = append(bare.Schemes, network.Pattern), nil
	if _, err := s.Slice(bare); err != nil {
		t.Errorf("a space that prunes nothing: %v", err)
	}
}

// TestBest wants the network that the notes name, its blocks in the first slots.
func TestBest(t *testing.T) {
	s := noisy(broadSpace(), 5)
	best := func(genome string) string {
		meta := map[string]string{}
		if genome != "" {
			meta[NoteGenome] = genome
		}
		net, err := s.Best(meta)
		if err != nil {
			t.Fatal(err)
		}
		return net.Genome
	}
	for genome, want := range map[string]string{
		"":                               s.Space.Largest().String(),
		"w8;head;lean;skip;skip;tail":    "w8;head;lean;skip;skip;tail",
		"w12;head;skip;wide3;lean;tail":  "w12;head;wide3;lean;skip;tail",
		"w12;head;skip;skip;plain2;tail": "w12;head;plain2;skip;skip;tail",
	} {
		if got := best(genome); got != want {
			t.Errorf("%q: %s, want %s", genome, got, want)
		}
	}
	for _, genome := range []string{"w12;head;skip;lean;tail", "w99;head;lean;skip;skip;tail", "lean"} {
		if _, err := s.Best(map[string]string{NoteGenome: genome}); err == nil {
			t.Errorf("%q: no error", genome)
		}
	}
}
