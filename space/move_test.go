package space

import (
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

func roomy() *Space {
	return &Space{Scale: 2, Colors: 1, Widths: []int{8, 12, 16}, Schemes: []network.Scheme{network.Filter, network.Block4, network.Pattern, network.Unstructured}, Percents: []int{25, 50, 75},
		Slots: []Slot{{Skip: true, Blocks: Blocks{Wide: {2, 4}, Plain: {1, 2}, Lean: Once()}}, {Blocks: Blocks{Wide: {2, 3, 4}}}, {Skip: true, Blocks: Blocks{Lean: Once()}}}}
}

// differences counts the genes in which two genomes differ; a slot of another
// kind counts once.
func differences(a, b Genome) (n int) {
	count := func(differ bool) {
		if differ {
			n++
		}
	}
	count(a.Width != b.Width)
	count(a.Head != b.Head)
	count(a.Tail != b.Tail)
	for i, s := range a.Slots {
		if o := b.Slots[i]; s.Kind != o.Kind {
			count(true)
		} else {
			count(s.Expansion != o.Expansion)
			count(s.Activation != o.Activation)
			for j := range s.Prune {
				count(s.Prune[j] != o.Prune[j])
			}
		}
	}
	return n
}

func TestNeighbour(t *testing.T) {
	rng := check.Rand(t)
	sp := roomy()
	sp.Slots[0].Activations, sp.Slots[1].Activations = []Activation{ReLU, SiLU}, Activations()
	kinds := 0
	for range 2000 {
		g := sp.Random(rng)
		n := sp.Neighbour(g, rng)
		if err := sp.Check(n); err != nil {
			t.Fatalf("%s -> %s: %v", g, n, err)
		}
		moved := differences(g, n)
		for i := range g.Slots { // another block of the same kind: expansion, and nothing else
			if g.Slots[i].Kind != n.Slots[i].Kind {
				kinds++
			}
		}
		if moved != 1 {
			t.Fatalf("%s -> %s: %d genes, want 1", g, n, moved)
		}
	}
	if kinds < 100 {
		t.Errorf("%d moves changed what a slot holds", kinds)
	}
	one := &Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []Slot{{Blocks: Blocks{Lean: Once()}}}}
	if g := one.Largest(); one.Neighbour(g, rng).String() != g.String() || one.Shrink(g, true, rng).String() != g.String() {
		t.Error("a space of one genome has another")
	}
}

// TestShrink goes down from the largest genome: every step is in the space,
// and the way ends where nothing is left to take away.
func TestShrink(t *testing.T) {
	rng := check.Rand(t)
	sp := roomy()
	for _, far := range []bool{false, true} {
		g := sp.Largest()
		steps := 0
		for ; steps < 1000; steps++ {
			next := sp.Shrink(g, far, rng)
			if err := sp.Check(next); err != nil {
				t.Fatalf("%s -> %s: %v", g, next, err)
			}
			if next.String() == g.String() {
				break
			}
			g = next
		}
		if steps == 1000 || steps < 4 || g.Width != 8 {
			t.Errorf("far %v: %d steps to %s", far, steps, g)
		}
	}
}

func TestRatios(t *testing.T) {
	rng := check.Rand(t)
	sp := roomy()
	changed := 0
	for range 1000 {
		a, b := sp.Random(rng), sp.Random(rng)
		for what, g := range map[string]Genome{
			"RaiseRatios": sp.RaiseRatios(a, false, rng), "RaiseRatios far": sp.RaiseRatios(a, true, rng),
			"AtRatio": sp.AtRatio(a, 50), "RandomRatios": sp.RandomRatios(a, rng), "CrossRatios": sp.CrossRatios(a, b, rng), "MutateRatios": sp.MutateRatios(a, rng),
		} {
			if err := sp.Check(g); err != nil || !SameButRatios(a, g) {
				t.Fatalf("%s: %s -> %s (%v)", what, a, g, err)
			}
			if what == "MutateRatios" && g.String() != a.String() {
				changed++
			}
		}
		c := sp.AtRatio(a, 50)
		convolutions(&c, func(p *network.Prune, _ int, _ bool) {
			if *p != (network.Prune{}) && p.Percent != 50 {
				t.Fatalf("%s at 50 percent: %s", a, c)
			}
		})
	}
	g := sp.AtRatio(sp.Smallest(), 25)
	if one, all := sp.RaiseRatios(g, false, rng), sp.RaiseRatios(g, true, rng); differences(g, one) != 1 || all.String() != sp.AtRatio(g, 50).String() {
		t.Errorf("%s raised to %s and %s", g, one, all)
	}
	if g = sp.AtRatio(g, 75); sp.RaiseRatios(g, true, rng).String() != g.String() {
		t.Errorf("%s was raised", g)
	}
	if changed < 900 { // all but the dense ones
		t.Errorf("%d of 1000 mutations changed a ratio", changed)
	}
	if SameButRatios(Genome{Width: 8}, Genome{Width: 12}) {
		t.Error("another width is another architecture")
	}
}
