package space

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wideSpace offers every kind, scheme and width.
func wideSpace(scale, colors int) *Space {
	slot := Slot{Skip: true, Wide: []float64{2, 4, 6}, Plain: []float64{1, 2}, Lean: true}
	return &Space{
		Scale: scale, Colors: colors, Widths: []int{8, 12, 16}, Slots: []Slot{slot, slot, slot, slot},
		Schemes: Schemes(), Percents: []int{25, 50, 75, 85},
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
			"one scheme": sp.OneScheme(a, rapid.SampledFrom(Schemes()).Draw(t, "scheme")),
			"uniform":    sp.Uniform(a, Prune{rapid.SampledFrom(Schemes()).Draw(t, "scheme"), 50}),
		} {
			if err := sp.Check(g); err != nil {
				t.Fatalf("%s %v: %v", name, g, err)
			}
			if normal := sp.Normal(g); normal.String() != g.String() {
				t.Fatalf("%s %v: its normal name is %v", name, g, normal)
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
			for i := range net.Layers {
				l := &net.Layers[i]
				l.Weights, l.Bias = make([]float32, l.Size()), make([]float32, l.Out)
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
		{sp.Uniform(g, Prune{Block8, 85}).String(), "w8;head=block8@85;plain2=block8@85,block8@85;wide2=block8@85,block8@85,block8@85;skip;skip;tail=block8@85"},
		{sp.Uniform(g, Prune{Filter, 50}).String(), "w8;head;plain2=filter@50,filter@50;wide2=filter@50,filter@50,filter@50;skip;skip;tail"},
		{sp.Uniform(g, Prune{}).String(), "w8;head;plain2;wide2;skip;skip;tail"},
		{sp.OneScheme(g, Block8).String(), "w8;head=block8@25;plain2=block8@75,block8@50;wide2=block8@25,block8@50,block8@25;skip;skip;tail"},
		{sp.OneScheme(g, Pattern).String(), "w8;head=pattern@25;plain2=pattern@75,pattern@50;wide2=unstructured@25,block2@50,pattern@25;skip;skip;tail"},
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
	if got, want := sp.Normal(g).String(), "w8;head;plain2=block8@50,dense;lean;skip;skip;tail"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if g.String() != text {
		t.Errorf("%s became %s", text, g)
	}
	sp.Slots[3].Plain = []float64{1}
	if got := sp.Normal(g); got.String() != text {
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
	one := &Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []Slot{{Lean: true}}}
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
		for i := range net.Layers {
			l := &net.Layers[i]
			kept += l.Size() * (100 - l.Prune.Percent) / 100
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
	sp := Space{Scale: 5, Colors: 2, Widths: []int{6, 4}, Slots: []Slot{{}, {Wide: []float64{2, 2}}}, Schemes: []Scheme{99}, Percents: []int{50, 96}}
	err := sp.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"scale: 5", "colors: 2", "widths: 6", "slot 1: no kind", "expansion 2 after 2", "scheme(99)", "percents: 96"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestSubnetValidate(t *testing.T) {
	sp := wideSpace(2, 1)
	fresh := func() *Subnet {
		net := sp.Shape(sp.Largest())
		for i := range net.Layers {
			l := &net.Layers[i]
			l.Weights, l.Bias = make([]float32, l.Size()), make([]float32, l.Out)
		}
		return net
	}
	if err := fresh().Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		spoil func(*Subnet)
		want  string
	}{
		{"no layers", func(s *Subnet) { s.Layers = nil }, "no layers"},
		{"scale", func(s *Subnet) { s.Scale = 7 }, "scale 7"},
		{"even kernel", func(s *Subnet) { s.Layers[2].Kernel = 2 }, "kernel is 2"},
		{"reads itself", func(s *Subnet) { s.Layers[2].Src = 2 }, "source is 2"},
		{"adds a later layer", func(s *Subnet) { s.Layers[2].Add = 3 }, "added layer is 3"},
		{"too many channels", func(s *Subnet) { s.Layers[2].In = 1 << 40 }, "channels"},
		{"inputs", func(s *Subnet) { s.Layers[2].In = 3 }, "input channels is 3"},
		{"weights", func(s *Subnet) { s.Layers[2].Weights = nil }, "weights is 0"},
		{"biases", func(s *Subnet) { s.Layers[2].Bias = nil }, "biases is 0"},
		{"mask", func(s *Subnet) { s.Layers[2].Mask = []uint8{1} }, "mask is 1"},
		{"last layer", func(s *Subnet) { s.Layers = s.Layers[:2] }, "last layer has 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fresh()
			tt.spoil(s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
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

// TestMaskKeepsTheStrongest holds every scheme against a slow sort.
func TestMaskKeepsTheStrongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out, in := rapid.IntRange(1, 21).Draw(t, "out"), rapid.IntRange(1, 9).Draw(t, "in")
		k := rapid.SampledFrom([]int{1, 3, 5}).Draw(t, "k")
		percent := rapid.IntRange(1, MaxPercent).Draw(t, "percent")
		scheme := rapid.SampledFrom([]Scheme{Filter, Block2, Block4, Block8, Unstructured}).Draw(t, "scheme")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		w := make([]float32, out*in*k*k)
		for i := range w {
			w[i] = float32(rng.IntN(9) - 4) // few values: many ties
		}
		cols := in * k * k
		b, whole := 1, scheme == Filter
		switch scheme {
		case Block2, Block4, Block8:
			b = 2 << (scheme - Block2)
		}
		// Every group's squared norm, kept or not.
		norm := map[int]float64{}
		group := func(i int) int {
			r, c := i/cols, i%cols
			if whole {
				return r
			}
			return r/b*cols + c
		}
		for i, x := range w {
			norm[group(i)] += float64(x) * float64(x)
		}
		want := max(1, int(math.Round((1-float64(percent)/100)*float64(len(norm)))))
		if scheme == Filter {
			want = min(out, round4((1-float64(percent)/100)*float64(out)))
		}
		mask := make([]uint8, len(w))
		var m Masker
		got := m.Mask(mask, w, out, in, k, Prune{scheme, percent})
		kept := map[int]bool{}
		n := 0
		for i, v := range mask {
			n += int(v)
			if v > 1 {
				t.Fatalf("mask value %d", v)
			}
			if was, seen := kept[group(i)]; seen && was != (v == 1) {
				t.Fatalf("group %d is kept in part", group(i))
			}
			kept[group(i)] = v == 1
		}
		groups := 0
		worst, best := math.Inf(1), 0.0
		for g, v := range norm {
			if kept[g] {
				groups++
				worst = min(worst, v)
			} else {
				best = max(best, v)
			}
		}
		if n != got || groups != want {
			t.Fatalf("%d weights, %d groups kept and %d weights reported, want %d groups", n, groups, got, want)
		}
		if worst < best {
			t.Fatalf("a group of norm %v went while one of %v stayed", best, worst)
		}
	})
}

func TestPatternMask(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const out, in = 16, 12
	w := make([]float32, out*in*9)
	for i := range w {
		w[i] = rng.Float32() - 0.5
	}
	mask := make([]uint8, len(w))
	var m Masker
	for _, percent := range []int{25, 50, 56, 75, 90} {
		kept := m.Mask(mask, w, out, in, 3, Prune{Pattern, percent})
		if got, want := float64(kept)/float64(len(w)), 1-float64(percent)/100; math.Abs(got-want) > 0.02 {
			t.Errorf("%d %%: kept %.3f, want %.3f", percent, got, want)
		}
		for b := 0; b < out; b += 4 {
			for ci := range in {
				var shape uint16
				for r := b; r < b+4; r++ {
					var s uint16
					for p, v := range mask[(r*in+ci)*9 : (r*in+ci)*9+9] {
						s |= uint16(v) << p
					}
					if r > b && s != shape {
						t.Fatalf("%d %%: outputs %d and %d have different shapes", percent, b, r)
					}
					shape = s
				}
				if shape != 0 && shape != 1<<9-1 && !slices.Contains(patterns[:], shape) {
					t.Fatalf("%d %%: shape %09b is none of the shared ones", percent, shape)
				}
			}
		}
	}
}

func TestMaskSurvivesNaN(t *testing.T) {
	w := make([]float32, 64*9)
	for i := range w {
		w[i] = float32(math.NaN())
	}
	mask := make([]uint8, len(w))
	var m Masker
	for _, s := range Schemes()[1:] {
		if got := m.Mask(mask, w, 8, 8, 3, Prune{s, 50}); got == 0 || got == len(w) {
			t.Errorf("%v of NaN weights keeps %d", s, got)
		}
	}
}

func TestMaskAllocatesNothing(t *testing.T) {
	w, mask := make([]float32, 32*32*9), make([]uint8, 32*32*9)
	var m Masker
	for _, s := range Schemes() {
		f := func() { m.Mask(mask, w, 32, 32, 3, Prune{s, 50}) }
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%v: %v allocations", s, n)
		}
	}
}
