package supernet

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// splitAt are the shares that these tests split smallSpace and broadSpace at.
var splitAt = []float64{0.6, 0.25, 0.08}

func split(t testing.TB, s *Supernet) *Supernet {
	t.Helper()
	c, err := s.Partition(splitAt, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// distinct splits a supernet and gives every part other numbers.
func distinct(t testing.TB, sp *space.Space) *Supernet {
	s := split(t, noisy(sp, 3))
	for i := range s.bank.tensors {
		for j := range s.bank.weights(&s.bank.tensors[i]) {
			s.bank.weights(&s.bank.tensors[i])[j] += float32(s.bank.tensors[i].part)
		}
	}
	return s
}

func sameNet(a, b *network.Graph) bool {
	return slices.EqualFunc(mustLayers(a).list, mustLayers(b).list, func(x, y layer) bool {
		return x.name == y.name && slices.Equal(x.weights, y.weights) && slices.Equal(x.bias, y.bias) && slices.Equal(x.mask, y.mask)
	})
}

func extract(t testing.TB, s *Supernet, g space.Genome) *network.Graph {
	t.Helper()
	net, err := s.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestSplit wants a split supernet to begin as what it was made of, and every
// network to have the numbers of the part that its multiplications fall into.
func TestSplit(t *testing.T) {
	sp := smallSpace(2, 1)
	s := noisy(sp, 3)
	c, d := split(t, s), distinct(t, sp)
	if c.Weights() != 4*s.Weights() {
		t.Errorf("%d weights, want four times %d", c.Weights(), s.Weights())
	}
	if c.Hash() == s.Hash() || c.Hash() == d.Hash() {
		t.Error("the hash does not tell the splits or the parts")
	}
	most, _ := extract(t, s, sp.Largest()).MACs()
	rng := check.Rand(t)
	seen := map[int]int{}
	for i := range 200 {
		g := sp.Random(rng)
		if i == 0 {
			g = sp.Largest()
		}
		a, b := extract(t, s, g), extract(t, c, g)
		if !sameNet(a, b) {
			t.Fatalf("%s: split, the network differs", g)
		}
		share := float64(load(mustLayers(a))) / float64(most)
		want := 0
		for want < len(splitAt) && share <= splitAt[want] {
			want++
		}
		seen[want]++
		b = extract(t, d, g)
		// The skip is never pruned, and its first weight is the part's own.
		if got, own := mustLayers(b).list[0].weights[0], mustLayers(a).list[0].weights[0]+float32(want); got != own {
			t.Fatalf("%s, %.3f of the multiplications: weight %v, want %v of part %d", g, share, got, own, want+1)
		}
	}
	if len(seen) != 4 {
		t.Errorf("the genomes are of parts %v, want all four", seen)
	}
	// Split again, each new part begins as the one that it was in.
	again, err := d.Partition([]float64{0.5, 0.05}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.bank.tensors {
		x := &again.bank.tensors[i]
		y := &d.bank.tensors[d.index[ref{[]int{0, 1, 3}[x.part], x.name}]]
		if !slices.Equal(again.bank.weights(x), d.bank.weights(y)) {
			t.Fatalf("split again, %s differs from %s", x.stored(), y.stored())
		}
	}
	for _, bad := range [][]float64{{0.5, 0.5}, {0.2, 0.5}, {1}, {0}, {-1}, {0.9, 0.85, 0.8, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3, 0.2}} {
		if _, err := s.Partition(bad, nil); err == nil {
			t.Errorf("split at %v: no error", bad)
		}
	}
}

// TestSplitLoad wants load to be what a network without rounding and without
// pruned layers executes.
func TestSplitLoad(t *testing.T) {
	sp := smallSpace(2, 1)
	net := extract(t, noisy(sp, 1), sp.Largest())
	if kept, _ := net.MACs(); load(mustLayers(net)) != kept {
		t.Errorf("dense: %d, want %d", load(mustLayers(net)), kept)
	}
	g := sp.AtRatio(sp.Largest(), 50)
	for i := range g.Slots {
		for j := range g.Slots[i].Kind.Convs() {
			g.Slots[i].Prune[j] = network.Prune{Scheme: network.Unstructured, Percent: 50}
		}
	}
	net = extract(t, noisy(sp, 1), g)
	if kept, _ := net.MACs(); load(mustLayers(net)) < kept-20 || load(mustLayers(net)) > kept+20 {
		t.Errorf("half pruned: %d, want about %d", load(mustLayers(net)), kept)
	}
}

// TestSplitSlice wants the networks of a smaller space to be of the same parts.
func TestSplitSlice(t *testing.T) {
	s := distinct(t, broadSpace())
	small := &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 12}, Percents: []int{25, 75}, Schemes: []network.Scheme{network.Block4},
		Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {3}, space.Lean: space.Once()}}, {Skip: true, Blocks: space.Blocks{space.Plain: {1}, space.Wide: {2}}}}}
	c, err := s.Slice(small)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Partitions.Borders) == 0 || len(c.Partitions.Borders) >= len(s.Partitions.Borders) {
		t.Errorf("splits %v of %v, want fewer and some", c.Partitions.Borders, s.Partitions.Borders)
	}
	rng := check.Rand(t)
	for i := range 60 {
		g := small.Random(rng)
		if i == 0 {
			g = small.Largest()
		}
		in := g.Clone()
		in.Slots = append(in.Slots, space.Gene{Kind: space.Skip})
		if !sameNet(extract(t, c, g), extract(t, s, in)) {
			t.Fatalf("%s differs from what it is in the larger space", g)
		}
	}
	sp := broadSpace()
	sp.Scale = 4
	r, err := s.Rescale(sp, 7)
	if err != nil {
		t.Fatal(err)
	}
	fresh := New(sp, 7)
	for i := range r.bank.tensors {
		x := &r.bank.tensors[i]
		want := s.bank.weights(&s.bank.tensors[i])
		if x.name == "skip" || x.name == "tail" {
			want = fresh.bank.weights(&fresh.bank.tensors[fresh.index[ref{0, x.name}]])
		}
		if !slices.Equal(r.bank.weights(x), want) {
			t.Errorf("rescaled: %s differs", x.stored())
		}
	}
}

// TestApart gives the pruned networks of two of four parts weights of their own.
func TestApart(t *testing.T) {
	sp := broadSpace()
	d := distinct(t, sp)
	c, err := d.Partition(nil, []int{2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.bank.tensors {
		x := &c.bank.tensors[i]
		if x.part < 4 {
			continue
		}
		// They begin as the part that they were of.
		if y := c.bank.weights(&c.bank.tensors[c.index[ref{x.part - 3, x.name}]]); !slices.Equal(c.bank.weights(x), y) {
			t.Fatalf("%s is not what the part has", x.stored())
		}
		for j := range c.bank.weights(x) {
			c.bank.weights(x)[j]++
		}
	}
	rng := check.Rand(t)
	seen := map[bool]int{}
	for range 300 {
		g := sp.Random(rng)
		a, b := extract(t, d, g), extract(t, c, g)
		kept, dense := loads(mustLayers(a))
		part := d.part(mustLayers(a))
		apart := (part == 1 || part == 2) && float64(kept) <= 0.75*float64(dense)
		want := mustLayers(a).list[0].weights[0]
		if apart {
			want++
		}
		if got := mustLayers(b).list[0].weights[0]; got != want {
			t.Fatalf("%s, part %d, %.2f left: weight %v, want %v", g, part+1, float64(kept)/float64(dense), got, want)
		}
		seen[apart]++
	}
	if seen[true] < 20 || seen[false] < 20 {
		t.Errorf("apart and not: %v, want some of each", seen)
	}

	// A smaller space has the numbers of the parts that it still has.
	small := *sp
	small.Widths = sp.Widths[:1]
	cut, err := c.Slice(&small)
	if err != nil {
		t.Fatal(err)
	}
	if n := cut.Partitions.Count(); n < 2 || n >= c.Partitions.Count() || len(cut.Partitions.Pruned) == 0 {
		t.Errorf("cut out, it has parts %v", cut.Partitions)
	}
	for range 100 {
		if g := small.Random(rng); !sameNet(extract(t, cut, g), extract(t, c, g)) {
			t.Fatalf("%s differs from what it is in the larger space", g)
		}
	}

	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := c.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	if got, _, err := Load(path); err != nil || got.Hash() != c.Hash() || !slices.Equal(got.Partitions.Pruned, []int{2, 3}) {
		t.Errorf("loaded, it differs: %v", err)
	}

	o := options(8)
	o.Subnets, o.LargestPruned, o.Partitions = 2, 1, []int{6}
	tr, err := NewTrainer(c, waves{2, 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.feed.drop)
	run(t, tr, 8)
	for i := range tr.net.bank.tensors {
		x := &tr.net.bank.tensors[i]
		if x.name == "tail" && slices.Equal(tr.net.bank.weights(x), c.bank.weights(x)) == (x.part == 5) {
			t.Errorf("part %d: trained alone, only the sixth should move", x.part+1)
		}
	}
	for _, bad := range [][]int{{0}, {5}, {3, 2}, {1, 2, 3, 4, 5}} {
		if _, err := d.Partition(nil, bad); err == nil {
			t.Errorf("apart %v: no error", bad)
		}
	}
}

// TestSplitFiles writes and reads a split supernet in both forms, and wants
// splits that are none refused.
func TestSplitFiles(t *testing.T) {
	s := distinct(t, smallSpace(2, 1))
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := s.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := Load(path)
	if err != nil || got.Hash() != s.Hash() || !slices.Equal(got.Partitions.Borders, s.Partitions.Borders) {
		t.Errorf("loaded, it differs: %v", err)
	}
	small, _, err := DecodeCompact(compacted(t, s, nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := compacted(t, small, nil); !bytes.Equal(want, compacted(t, s, nil)) || small.part(mustLayers(extract(t, s, s.Space.Smallest()))) != 3 {
		t.Error("the compact form differs")
	}
	for _, bad := range []Partitions{
		{Borders: []int{3, 3}}, {Borders: []int{3, 5}}, {Borders: []int{0}}, {Borders: []int{11, 10, 9, 8, 7, 6, 5, 4, 3, 2}},
		{[]int{5}, []int{0}}, {[]int{5}, []int{3}}, {[]int{5}, []int{2, 2}}, {[]int{5}, []int{2, 1}}, {[]int{9, 8, 7, 6, 5, 4, 3, 2}, []int{1, 2}},
	} {
		if _, _, err := parseSpace(spaceText(s.Space, bad)); err == nil || !strings.Contains(err.Error(), "borders") && !strings.Contains(err.Error(), "pruned") && !strings.Contains(err.Error(), "partitions") {
			t.Errorf("parts %v: error %v", bad, err)
		}
	}
}

// TestSplitTraining wants every step to move the parts that its networks are of
// and no other, and a resumed training to equal one that went through.
func TestSplitTraining(t *testing.T) {
	s := split(t, noisy(smallSpace(2, 1), 3))
	o := options(12)
	o.Subnets, o.LargestPruned = 0, 0
	moved := func(tr *Trainer) (parts [4]bool) {
		for i := range tr.net.bank.tensors {
			x := &tr.net.bank.tensors[i]
			if !slices.Equal(tr.net.bank.weights(x), s.bank.weights(x)) {
				parts[x.part] = true
			}
		}
		return parts
	}
	train := func(s *Supernet) *Trainer {
		tr, err := NewTrainer(s, waves{2, 1}, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tr.feed.drop)
		return tr
	}
	ends := train(s)
	run(t, ends, 3)
	if got := moved(ends); got != [4]bool{true, false, false, true} {
		t.Errorf("the largest and the smallest moved parts %v, want the first and the last", got)
	}
	o.Subnets, o.LargestPruned = 3, 1
	whole := train(s)
	if len(whole.turns) != 4 {
		t.Fatalf("%d parts have networks, want all", len(whole.turns))
	}
	for i, p := range whole.turns {
		if i > 0 && len(p.any) != poolSize || i < 2 && len(p.pruned) != poolSize {
			t.Errorf("part %d: %d networks and %d pruned largest, want as many of every part", i+1, len(p.any), len(p.pruned))
		}
	}
	run(t, whole, 12)
	if got := moved(whole); got != [4]bool{true, true, true, true} {
		t.Errorf("parts %v moved, want all", got)
	}
	o.Partitions = []int{2, 3}
	some := train(s)
	run(t, some, 12)
	if got := moved(some); got != [4]bool{false, true, true, false} {
		t.Errorf("of parts 2 and 3, %v moved", got)
	}
	for _, parts := range [][]int{{0}, {5}} {
		o.Partitions = parts
		if _, err := NewTrainer(s, waves{2, 1}, o); err == nil {
			t.Errorf("parts %v: no error", parts)
		}
	}
	o.Partitions = nil
	path := filepath.Join(t.TempDir(), "training.safetensors")
	first, again := train(s), train(s)
	run(t, first, 5)
	if err := first.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(path); err != nil {
		t.Fatal(err)
	}
	run(t, again, 7)
	if again.Averaged().Hash() != whole.Averaged().Hash() {
		t.Error("resumed, the weights differ")
	}
	if err := train(noisy(smallSpace(2, 1), 3)).Restore(path); err == nil || !strings.Contains(err.Error(), "space") {
		t.Errorf("restored into a supernet without parts: %v", err)
	}
}

// TestElastic wants weights that were trained pruned to be pruned as far as the
// genomes say from the first step on.
func TestElastic(t *testing.T) {
	for _, elastic := range []bool{false, true} {
		o := options(1000)
		o.Subnets, o.LargestPruned, o.Elastic = 2, 2, elastic
		tr := trainer(t, waves{2, 1}, o)
		run(t, tr, 1)
		kept, all := 0, 0
		for _, n := range tr.engine.nets[2:] {
			for i := range n.layers {
				kept, all = kept+n.layers[i].kept(), all+n.layers[i].size()
			}
		}
		if dense := kept == all; dense == elastic {
			t.Errorf("elastic %v: %d of %d weights are kept in the first step", elastic, kept, all)
		}
	}
}
