package space

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"evosr/network"
)

// wideSpace offers every kind, scheme and width.
func wideSpace(scale, colors int) *Space {
	slot := Slot{Skip: true, Blocks: Blocks{Wide: {2, 4, 6}, Plain: {1, 2}, Lean: Once()}}
	return &Space{
		Scale: scale, Colors: colors, Widths: []int{8, 12, 16}, Slots: []Slot{slot, slot, slot, slot},
		Schemes: network.Schemes(), Percents: []int{25, 50, 75, 85},
	}
}

func TestGenomesStayInTheirSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sp := wideSpace(rapid.IntRange(2, 4).Draw(t, "scale"), rapid.SampledFrom([]int{1, 3}).Draw(t, "colors"))
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		a, b := sp.Random(rng), sp.Random(rng)
		for name, g := range map[string]Genome{
			"random": a, "crossover": sp.Crossover(a, b, rng), "mutant": sp.Mutate(a, rng),
			"neighbour": sp.Neighbour(a, rng), "shrunk": sp.Shrink(a, true, rng),
			"largest": sp.Largest(), "smallest": sp.Smallest(),
			"one scheme": sp.OneScheme(a, rapid.SampledFrom(network.Schemes()).Draw(t, "scheme")),
			"uniform":    sp.Uniform(a, network.Prune{Scheme: rapid.SampledFrom(network.Schemes()).Draw(t, "scheme"), Percent: 50}),
		} {
			if err := sp.Check(g); err != nil {
				t.Fatalf("%s %v: %v", name, g, err)
			}
			if canonical := sp.Canonical(g); canonical.String() != g.String() {
				t.Fatalf("%s %v: its canonical name is %v", name, g, canonical)
			}
			back, err := ParseGenome(g.String())
			if err != nil {
				t.Fatalf("%s %v: %v", name, g, err)
			}
			if back.String() != g.String() || back.ID() != g.ID() {
				t.Fatalf("%s: %v reads back as %v", name, g, back)
			}
			if err := sp.Check(back); err != nil {
				t.Fatalf("%s read back: %v", name, err)
			}
			net := sp.Shape(g)
			for i := range net.Nodes {
				n := &net.Nodes[i]
				n.Weights, n.Bias = make([]float32, n.Size(reads(net, i))), make([]float32, n.Out)
			}
			if err := net.Validate(); err != nil {
				t.Fatalf("%s %v: %v", name, g, err)
			}
		}
	})
}

// TestUniform wants all convolutions pruned alike, and one scheme to leave ratios
// and dense convolutions as they are; what a convolution cannot have it goes
// without: 1x1 ones patterns, head and tail a pruning of filters.
func TestUniform(t *testing.T) {
	sp := wideSpace(2, 1)
	g, err := ParseGenome("w8;head=block4@25;plain2=pattern@75,block4@50;wide2=unstructured@25,block2@50,filter@25;skip;skip;tail")
	if err != nil {
		t.Fatal(err)
	}
	before := g.String()
	for _, c := range [][2]string{
		{sp.Uniform(g, network.Prune{Scheme: network.Block8, Percent: 85}).String(), "w8;head=block8@85;plain2=block8@85,block8@85;wide2=block8@85,block8@85,block8@85;skip;skip;tail=block8@85"},
		{sp.Uniform(g, network.Prune{Scheme: network.Filter, Percent: 50}).String(), "w8;head;plain2=filter@50,filter@50;wide2=filter@50,filter@50,filter@50;skip;skip;tail"},
		{sp.Uniform(g, network.Prune{}).String(), "w8;head;plain2;wide2;skip;skip;tail"},
		{sp.OneScheme(g, network.Block8).String(), "w8;head=block8@25;plain2=block8@75,block8@50;wide2=block8@25,block8@50,block8@25;skip;skip;tail"},
		{sp.OneScheme(g, network.Pattern).String(), "w8;head=pattern@25;plain2=pattern@75,pattern@50;wide2=unstructured@25,block2@50,pattern@25;skip;skip;tail"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s, want %s", c[0], c[1])
		}
	}
	if g.String() != before {
		t.Errorf("%s became %s", before, g)
	}
}

// TestNormal wants skips behind the blocks, in their order, where slots are alike.
func TestNormal(t *testing.T) {
	sp := wideSpace(2, 1)
	g, err := ParseGenome("w8;head;skip;plain2=block8@50,dense;skip;lean;tail")
	if err != nil {
		t.Fatal(err)
	}
	text := g.String()
	if got, want := sp.Canonical(g).String(), "w8;head;plain2=block8@50,dense;lean;skip;skip;tail"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if g.String() != text {
		t.Errorf("%s became %s", text, g)
	}
	sp.Slots[3].Blocks[Plain] = []float64{1}
	if got := sp.Canonical(g); got.String() != text {
		t.Errorf("where slots differ %s became %s", text, got)
	}
}

func TestMutateMovesAndSpares(t *testing.T) {
	sp := wideSpace(2, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		g := sp.Random(rng)
		was := g.String()
		m := sp.Mutate(g, rng)
		if g.String() != was {
			t.Fatalf("Mutate changed its argument %s to %v", was, g)
		}
		if m.String() == was {
			t.Fatalf("Mutate left %s as it was", was)
		}
	}
	one := &Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []Slot{{Blocks: Blocks{Lean: Once()}}}}
	if g := one.Mutate(one.Largest(), rng); g.String() != one.Largest().String() {
		t.Errorf("a space of one genome gave %v", g)
	}
}

func TestRandomSpreads(t *testing.T) {
	sp := wideSpace(2, 1)
	rng := rand.New(rand.NewPCG(3, 4))
	var macs []int
	for range 400 {
		kept := 0
		net := sp.Shape(sp.Random(rng))
		for i := range net.Nodes {
			kept += net.Nodes[i].Size(reads(net, i)) * (100 - net.Nodes[i].Prune.Percent) / 100
		}
		macs = append(macs, kept)
	}
	sort.Ints(macs)
	if lo, hi := macs[20], macs[380]; hi < 6*lo {
		t.Errorf("90 %% of random genomes cost %d to %d multiplications, want a spread of at least 6", lo, hi)
	}
}

func TestExtremes(t *testing.T) {
	sp := wideSpace(2, 1)
	if got, want := sp.Largest().String(), "w16;head;plain2;plain2;plain2;plain2;tail"; got != want {
		t.Errorf("Largest is %s, want %s", got, want)
	}
	if g := sp.Smallest(); g.Width != 8 || slices.ContainsFunc(g.Slots, func(s Gene) bool { return s.Kind != Skip }) {
		t.Errorf("Smallest is %v, want width 8 and no blocks", g)
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	sp := Space{Scale: 5, Colors: 2, Widths: []int{6, 4}, Slots: []Slot{{}, {Blocks: Blocks{Wide: {2, 2}}}}, Schemes: []network.Scheme{99}, Percents: []int{50, 96}}
	err := sp.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"scale: 5", "colors: 2", "widths: 6", "slot 1: no kind", "expansion 2 after 2", "scheme(99)", "percents: 96"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	slots := 0
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *Fault
		if !errors.As(e, &f) || f.Part == "" || f.Text == "" || (f.Slot > 0) != (f.Part == "slots") || e.Error() != "space: "+f.Place()+": "+f.Text {
			t.Errorf("%v is the fault %+v", e, f)
		}
		slots += f.Slot
	}
	if slots != 1+2 {
		t.Errorf("the faults of slots are of %d, want one of slot 1 and one of slot 2:\n%v", slots, err)
	}
}

func TestParseGenomeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "w16", "16;head;tail", "w-4;head;tail", "w9999;head;tail", "w16;tail;head", "w16;head;what;tail",
		"w16;head;wideNaN;tail", "w16;head;wide0;tail", "w16;head;wide4=dense;tail", "w16;head;lean=block4;tail",
		"w16;head;lean=block4@0;tail", "w16;head;lean=block4@99;tail", "w16;head;lean=dense@5;tail", "w16;head=dense,dense;tail",
		"w16;head" + strings.Repeat(";skip", 20) + ";tail",
	} {
		if g, err := ParseGenome(text); err == nil {
			t.Errorf("ParseGenome(%q) = %v, want an error", text, g)
		}
	}
}

func FuzzParseGenome(f *testing.F) {
	f.Add("w16;head=block4@50;wide4=block4@50,dense,block8@75;skip;lean=filter@25;tail=block4@50")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGenome(text)
		if err != nil {
			return
		}
		back, err := ParseGenome(g.String())
		if err != nil || back.String() != g.String() {
			t.Fatalf("%q gives %v, which reads back as %v, %v", text, g, back, err)
		}
	})
}

// reads is how many channels node i reads of its first input.
func reads(g *network.Graph, i int) int {
	if j := g.Nodes[i].Inputs[0]; j != network.Picture {
		return g.Channels()[j]
	}
	return g.Colors
}
