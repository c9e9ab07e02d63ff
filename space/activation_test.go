package space

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// TestActivationTable holds every row to what other rooms rely on.
func TestActivationTable(t *testing.T) {
	for _, a := range Activations() {
		if got, err := ParseActivation(a.String()); err != nil || got != a {
			t.Errorf("%v reads back as %v, %v", a, got, err)
		}
		start, learned := a.Slope()
		if prelu := a.Act() == network.ActPReLU; prelu != (start > 0) || learned && !prelu {
			t.Errorf("%v: slope %v, learned %v", a, start, learned)
		}
		sp := &Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []Slot{{Blocks: Blocks{Wide: {2}, Plain: {1}, Lean: Once()}, Activations: []Activation{a}}}}
		for _, b := range sp.Slots[0].blocks() {
			b.Activation = a
			g := Genome{Width: 8, Slots: []Gene{b}}
			if err := sp.Check(g); err != nil {
				t.Fatal(err)
			}
			net := sp.Shape(g)
			acts, slopes := 0, 0
			for i := range net.Nodes {
				n := &net.Nodes[i]
				if n.Op != network.OpActivate {
					continue
				}
				acts++
				if n.Act != a.Act() || (len(n.Slope) == net.Channels()[i]) != learned {
					t.Errorf("%s: %s has %v with slopes %v", g, n.Name, n.Act, n.Slope)
				}
				if learned {
					slopes += len(n.Slope)
				}
			}
			if acts != 1 {
				t.Errorf("%s: %d activated layers, want 1", g, acts)
			}
			plain := sp.Shape(Genome{Width: 8, Slots: []Gene{{Kind: b.Kind, Expansion: b.Expansion}}})
			if got, want := net.Params(), plain.Params()+slopes; got != want {
				t.Errorf("%s: %d parameters, want %d", g, got, want)
			}
		}
	}
	if s := Activation(200).String(); s != "activation(200)" {
		t.Error(s)
	}
}

// TestAct holds activations to closed forms.
func TestAct(t *testing.T) {
	for _, tt := range []struct {
		act         network.Act
		x, slope, y float64
	}{
		{network.ActNone, -2, 0.5, -2}, {network.ActReLU, -2, 0.5, 0}, {network.ActReLU, 2, 0.5, 2}, {network.ActPReLU, -2, 0.25, -0.5}, {network.ActPReLU, 3, 0.25, 3},
		{network.ActSiLU, 0, 0, 0}, {network.ActSiLU, 1, 0, 1 / (1 + math.Exp(-1))}, {network.ActSiLU, -40, 0, -40 / (1 + math.Exp(40))},
	} {
		if got := tt.act.Of(tt.x, tt.slope); got != tt.y {
			t.Errorf("%v(%v) = %v, want %v", tt.act, tt.x, got, tt.y)
		}
	}
}

func TestActivationText(t *testing.T) {
	for text, slots := range map[string][]Gene{
		"w8;head;plain2:prelu=block4@50,dense;wide4:silu;tail": {
			{Kind: Plain, Expansion: 2, Activation: PReLU, Prune: [MaxConvs]network.Prune{{Scheme: network.Block4, Percent: 50}}}, {Kind: Wide, Expansion: 4, Activation: SiLU}},
		"w8;head;lean:leaky;lean;skip;tail": {{Kind: Lean, Activation: Leaky}, {Kind: Lean}, {}},
	} {
		g, err := ParseGenome(text)
		if err != nil || !slices.Equal(g.Slots, slots) || g.String() != text {
			t.Errorf("%s is read as %+v and written as %s (%v)", text, g.Slots, g, err)
		}
	}
	if g, err := ParseGenome("w8;head;plain1:relu;tail"); err != nil || g.String() != "w8;head;plain1;tail" {
		t.Errorf("ReLU is written: %s (%v)", g, err)
	}
	for _, text := range []string{"w8;head;skip:relu;tail", "w8;head;plain1:tanh;tail", "w8;head;plain1:;tail", "w8;head;plain:silu1;tail", "w8;head:silu;skip;tail"} {
		if g, err := ParseGenome(text); err == nil {
			t.Errorf("%s is read as %s", text, g)
		}
	}
}

// TestNoChoice: a space of one activation draws what a space of ReLU draws, number
// for number, and one that names ReLU is one that names none.
func TestNoChoice(t *testing.T) {
	rng := check.Rand(t)
	seed := rng.Uint64()
	walk := func(acts []Activation) (texts []string) {
		sp, rng := roomy(), rand.New(rand.NewPCG(seed, 1))
		for i := range sp.Slots {
			sp.Slots[i].Activations = acts
		}
		a, b := sp.Random(rng), sp.Largest()
		for range 300 {
			a, b = sp.Mutate(sp.Crossover(a, b, rng), rng), sp.Neighbour(sp.Shrink(sp.RandomPrunes(a, rng), rng.IntN(2) == 0, rng), rng)
			for _, g := range []Genome{a, b} {
				if err := sp.Check(g); err != nil {
					t.Fatal(err)
				}
				texts = append(texts, g.String())
			}
		}
		return texts
	}
	want := walk(nil)
	if got := walk([]Activation{ReLU}); !slices.Equal(got, want) {
		t.Error("a space that names ReLU draws other networks")
	}
	got := walk([]Activation{SiLU})
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], ":silu", "")
	}
	if !slices.Equal(got, want) {
		t.Error("a space of SiLU alone draws other networks")
	}
}

// TestActivationMoves: every operator reaches every activation of a slot, and no
// other.
func TestActivationMoves(t *testing.T) {
	rng := check.Rand(t)
	sp := roomy()
	sp.Slots[0].Activations, sp.Slots[1].Activations = []Activation{SiLU, ReLU}, []Activation{PReLU, Leaky, ReLU}
	for name, next := range map[string]func(g Genome) Genome{
		"Random":    func(Genome) Genome { return sp.Random(rng) },
		"Mutate":    func(g Genome) Genome { return sp.Mutate(g, rng) },
		"Neighbour": func(g Genome) Genome { return sp.Neighbour(g, rng) },
		"Crossover": func(g Genome) Genome { return sp.Crossover(g, sp.Random(rng), rng) },
	} {
		seen := map[[2]int]bool{}
		g := sp.Largest()
		for range 2000 {
			was := g
			g = next(g)
			if err := sp.Check(g); err != nil {
				t.Fatalf("%s: %s -> %s: %v", name, was, g, err)
			}
			for i, s := range g.Slots {
				if s.Kind != Skip {
					seen[[2]int{i, int(s.Activation)}] = true
				}
			}
		}
		if len(seen) != 2+3+1 {
			t.Errorf("%s reaches %v", name, seen)
		}
	}
	if g := sp.Largest(); g.Slots[0].Activation != SiLU || g.Slots[1].Activation != PReLU {
		t.Errorf("the largest network is %s, want every slot's first activation", g)
	}
	all := sp.Count()
	sp.Slots[1].Activations = nil
	if want := new(big.Int).Mul(sp.Count(), big.NewInt(3)); all.Cmp(want) != 0 {
		t.Errorf("%v genomes, want %v", all, want)
	}
	bad := roomy()
	bad.Slots[0].Activations, bad.Slots[1].Activations = []Activation{SiLU, SiLU}, []Activation{99}
	err := bad.Validate()
	for _, want := range []string{"slot 1: activation silu stands in the list twice", "slot 2: activation(99) is unknown"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
