package supernet

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/imaging"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// halves is a picture whose left half is 0.25 and whose right half is 0.75.
func halves(w, h int) *imaging.Plane {
	p := imaging.NewPlane(w, h)
	for i := range p.Pix {
		p.Pix[i] = 0.25
		if i%w >= w/2 {
			p.Pix[i] = 0.75
		}
	}
	return p
}

// byHand is a network of one hidden layer whose channels see the pixel itself:
// one shows it, one its negative, one only a bias below zero, one what is above
// 0.5, and one is pruned.
func byHand() *network.Graph {
	centre := func(out, in int, values ...float32) []float32 {
		w := make([]float32, out*in*9)
		for i, v := range values {
			w[i*in*9+4] = v
		}
		return w
	}
	hidden := layer{name: "slot1/conv1", in: 1, out: 5, kernel: 3, src: network.Picture, add: none, act: network.ActReLU,
		weights: centre(5, 1, 1, -1, 0, 1, 0), bias: []float32{0, 0, -1, -0.5, 0}, mask: make([]uint8, 45),
		prune: network.Prune{Scheme: network.Filter, Percent: 20}}
	for i := range 36 {
		hidden.mask[i] = 1
	}
	last := layer{name: "tail", in: 5, out: 4, kernel: 1, src: 0, add: none, weights: make([]float32, 20), bias: make([]float32, 4)}
	for o := range 4 {
		last.weights[o*5+o] = 3
	}
	return handmade([]layer{hidden, last})
}

// TestExamine holds a network that was made by hand against what is known of it.
func TestExamine(t *testing.T) {
	want := []LayerState{
		// Channels 1, 2 and 4 have nothing above zero; the last one is no channel any more.
		{Name: "slot1/conv1", Channels: 4, Activated: true, Active: 1.5 / 4, Dead: 2, Norm: math.Sqrt(3), Rank: 1, FullRank: 4},
		{Name: "tail", Channels: 4, Norm: 6, Rank: 4, FullRank: 4},
	}
	for _, pictures := range [][]*imaging.Plane{
		{halves(16, 12)}, {halves(lookSide, lookSide)}, {halves(192, 50), halves(16, 100)},
		{halves(16*40, 16), halves(16*40, 16*40)}, // more patches than are looked at
	} {
		got, err := examine(byHand(), pictures, kernel.Best())
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			g, w := got[i], want[i]
			near := math.Abs(g.Active-w.Active) < 0.02 && math.Abs(g.Norm-w.Norm) < 1e-6 && math.Abs(g.Rank-w.Rank) < 1e-6
			g.Active, g.Norm, g.Rank = w.Active, w.Norm, w.Rank
			if !near || g != w {
				t.Errorf("%d pictures, layer %d: %+v, want %+v", len(pictures), i, got[i], w)
			}
		}
	}
}

func TestEffectiveRank(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{0, 0}, 0}, {[]float64{7}, 1}, {[]float64{2, 2, 2, 2}, 4}, {[]float64{5, 0, 0}, 1},
		{[]float64{3, 1}, 4 / math.Pow(27, 0.25)}, // exp(-(3/4 ln 3/4 + 1/4 ln 1/4))
	} {
		if got := effectiveRank(tt.values); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("effective rank of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	layer := func(name string, channels, dead int) LayerState {
		return LayerState{Name: name, Channels: channels, Dead: dead, Activated: true}
	}
	for _, tt := range []struct {
		name   string
		layers []LayerState
		want   []string // beginnings
	}{
		{"none", nil, nil},
		{"no activation", []LayerState{{Name: "tail", Channels: 4}}, nil},
		{"two in a hundred", []LayerState{layer("a", 50, 2), layer("b", 50, 0)}, nil},
		{"three in a hundred", []LayerState{layer("a", 50, 2), layer("b", 50, 1), {Name: "tail", Channels: 100}}, []string{": 3 of 100 channels are dead: 3.0 %, want at most 2 %"}},
		{"a layer", []LayerState{layer("a", 1000, 0), layer("b", 8, 8)}, []string{"b: b is dead: none of its 8 channels"}},
		{"pruned whole", []LayerState{layer("a", 0, 0)}, nil},
		{"both", []LayerState{layer("a", 8, 8), layer("b", 8, 0)}, []string{"a: a is dead", ": 8 of 16"}},
	} {
		got := Warnings(tt.layers)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			continue
		}
		for i, w := range got {
			if !strings.HasPrefix(w.Layer+": "+w.Text, tt.want[i]) {
				t.Errorf("%s: %q, want %q", tt.name, w, tt.want[i])
			}
		}
	}
}

// TestExamineUntrained wants fresh weights to have the norm that is expected of
// them, whatever network takes them, and full width to be nearly of full rank.
func TestExamineUntrained(t *testing.T) {
	forScales(t, func(t *testing.T, sp *space.Space) {
		s := New(sp, 5)
		for _, text := range []string{"w16;head;wide4;lean;plain2;tail", "w8;head;plain0.5;wide1;lean;tail", "w12;head;lean;lean;plain1=block4@50,dense;tail"} {
			g, err := space.ParseGenome(text)
			if err != nil {
				t.Fatal(err)
			}
			layers, err := s.Examine(g, []*imaging.Plane{halves(20, 20)})
			if err != nil {
				t.Fatal(err)
			}
			net := sp.Shape(g)
			for i, l := range layers {
				// Four standard deviations of a norm of so many normal numbers; a mask
				// keeps what is large.
				room := 4 / math.Sqrt(2*float64(mustLayers(net).list[i].size()))
				if mustLayers(net).list[i].prune.Percent > 0 {
					room = 1
				}
				if l.Name != mustLayers(net).list[i].name || math.Abs(l.Growth-1) > room || l.Rank <= 0 || l.Rank > float64(l.FullRank)+1e-9 || l.Update != 0 {
					t.Errorf("%s: %+v, want a norm ratio within %.2f of 1", text, l, room)
				}
			}
			if tail := layers[len(layers)-1]; tail.Activated || tail.Rank < 0.8*float64(tail.FullRank) {
				t.Errorf("%s: tail %+v", text, tail)
			}
		}
	})
}

func TestExamineRefuses(t *testing.T) {
	s := New(smallSpace(2, 1), 1)
	for _, pictures := range [][]*imaging.Plane{nil, {halves(20, 3)}} {
		if _, err := s.Examine(s.Space.Largest(), pictures); err == nil || !strings.Contains(err.Error(), "want at least one") {
			t.Errorf("pictures %v: error %v", pictures, err)
		}
	}
	if _, err := s.Examine(space.Genome{Width: 99}, []*imaging.Plane{halves(20, 20)}); err == nil {
		t.Error("a genome of another space is no error")
	}
	l := layer{name: "a", in: 1, out: 1, kernel: 1, weights: []float32{float32(math.NaN())}}
	if _, err := stateOf(&l); err == nil || !strings.Contains(err.Error(), "no numbers") {
		t.Errorf("error %v", err)
	}
}

// TestExamineTraining looks into a training: at any number of threads and after a
// resume it sees the same, and the training is as if nobody had looked.
func TestExamineTraining(t *testing.T) {
	pictures := []*imaging.Plane{halves(20, 20)}
	const steps, half = 12, 7
	o := options(steps)
	blind := trainer(t, waves{2, 1}, o)
	run(t, blind, steps)
	look := func(tr *Trainer) []LayerState {
		t.Helper()
		layers, err := tr.Examine(pictures)
		if err != nil {
			t.Fatal(err)
		}
		return layers
	}
	var want []LayerState
	path := filepath.Join(t.TempDir(), "half")
	for _, threads := range []int{1, 4} {
		o.Threads = threads
		tr := trainer(t, waves{2, 1}, o)
		for i, l := range look(tr) {
			if l.Update != 0 || math.Abs(l.Growth-1) > 1e-12 {
				t.Errorf("before the first step layer %d is %+v, want a norm ratio of 1 and no update", i, l)
			}
		}
		run(t, tr, half)
		if err := tr.Save(path); err != nil {
			t.Fatal(err)
		}
		run(t, tr, steps-half-1)
		was := tr.net.clone(tr.net.bank.data)
		tr.Watch()
		if l := look(tr)[0]; l.Update != 0 {
			t.Errorf("before the watched step: %+v, want no update", l)
		}
		run(t, tr, 1)
		got := look(tr)
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d threads: %+v, want %+v", threads, got, want)
		}
		if !slices.Equal(tr.net.bank.data, blind.net.bank.data) {
			t.Error("looking changed the training")
		}
		a, errA := was.Extract(was.Space.Largest())
		b, errB := tr.net.Extract(was.Space.Largest())
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for i := range got {
			var step float64
			for j, w := range mustLayers(a).list[i].weights {
				step += math.Pow(float64(mustLayers(b).list[i].weights[j]-w), 2)
			}
			if r := math.Sqrt(step) / norm(mustLayers(a).list[i].weights); !(r > 0) || math.Abs(got[i].Update-r) > 1e-9 {
				t.Errorf("%s: update %v of the weights, want %v", got[i].Name, got[i].Update, r)
			}
			if g := got[i].Growth; g == 1 || math.Abs(g-1) > 1 {
				t.Errorf("%s: norm ratio %v after %d steps", got[i].Name, g, steps)
			}
		}
	}
	resumed := trainer(t, waves{2, 1}, o)
	if err := resumed.Restore(path); err != nil {
		t.Fatal(err)
	}
	run(t, resumed, steps-half-1)
	resumed.Watch()
	run(t, resumed, 1)
	if got := look(resumed); !reflect.DeepEqual(got, want) {
		t.Errorf("resumed: %+v, want %+v", got, want)
	}
}

// TestExamineDead: a block whose activations were driven below zero is dead, and
// only it.
func TestExamineDead(t *testing.T) {
	s := noisy(smallSpace(2, 1), 4)
	g, err := space.ParseGenome("w16;head;plain1;wide3;plain2;tail")
	if err != nil {
		t.Fatal(err)
	}
	bias := s.bank.bias(&s.bank.tensors[s.index[ref{0, "slot2/wide/expand"}]])
	for i := range bias {
		bias[i] = -1e6
	}
	layers, err := s.Examine(g, []*imaging.Plane{halves(20, 20)})
	if err != nil {
		t.Fatal(err)
	}
	list := Warnings(layers)
	if len(list) != 2 || list[0].Layer != "slot2/expand" || list[1].Layer != "" {
		t.Errorf("warnings %q", list)
	}
	for i := range layers {
		if l := &layers[i]; l.Died() != (l.Name == "slot2/expand") || l.Activated != slices.Contains([]string{"slot1/conv1", "slot2/expand", "slot3/conv1"}, l.Name) {
			t.Errorf("%+v", l)
		}
	}
}
