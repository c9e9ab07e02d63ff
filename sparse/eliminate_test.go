package sparse

import (
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// layerNamed finds a compiled layer.
func layerNamed(p *Program, name string) (LayerInfo, bool) {
	list := p.Layers()
	i := slices.IndexFunc(list, func(l LayerInfo) bool { return l.Name == name })
	if i < 0 {
		return LayerInfo{}, false
	}
	return list[i], true
}

func compile(t *testing.T, net *Subnet) *Program {
	t.Helper()
	p, err := Compile(net.Graph(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestFilterPruningShrinks: whole filters that go make this layer's outputs and
// the next one's inputs fewer.
func TestFilterPruningShrinks(t *testing.T) {
	sp := general(2, 1)
	half := network.Prune{Scheme: network.Filter, Percent: 50}
	g := space.Genome{Width: 8, Slots: []space.Gene{
		{Kind: space.Wide, Expansion: 2, Prune: [space.MaxConvs]network.Prune{half, half, half}},
		{Kind: space.Plain, Expansion: 1, Prune: [space.MaxConvs]network.Prune{half, {}}}, {}}}
	p := compile(t, randomize(shape(sp, g), check.Rand(t)))
	for _, want := range []struct {
		name    string
		in, out int
	}{
		{"slot1/expand", 8, 8}, {"slot1/reduce", 8, 4}, {"slot1/conv", 4, 8}, // the trunk keeps its channels
		{"slot2/conv1", 8, 4}, {"slot2/conv2", 4, 8},
	} {
		l, _ := layerNamed(p, want.name)
		if l.In != want.in || l.Out != want.out {
			t.Errorf("%s is %d -> %d channels, want %d -> %d", want.name, l.In, l.Out, want.in, want.out)
		}
	}
	if l, _ := layerNamed(p, "slot1/conv"); l.MACs > 4*8*9 || l.DenseMACs != 8*8*9 || l.Speedup < 1.5 || !l.Pays {
		t.Errorf("the half-empty residual layer is %+v, want at most 288 of 576 MACs and to pay", l)
	}
}

func TestEliminate(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	plain := space.Genome{Width: 8, Slots: []space.Gene{{Kind: space.Plain, Expansion: 1}, {Kind: space.Plain, Expansion: 1}, {}}}
	const head, conv1, conv2, conv3, tail = 1, 2, 3, 4, 6 // index in space.Shape's order
	wipe := func(l *Layer, outs ...int) {
		row := l.Size() / l.Out
		for _, o := range outs {
			clear(l.Mask[o*row : (o+1)*row])
			clear(l.Weights[o*row : (o+1)*row])
			l.Bias[o] = 0
		}
	}
	tests := []struct {
		name   string
		change func(*Subnet)
		gone   []string // layers that must not be there
		shape  [3]int   // conv1's outputs, head's outputs, number of layers
	}{
		{"nothing pruned", func(n *Subnet) {}, nil, [3]int{8, 8, 7}},
		{"a negative bias dies in the ReLU", func(n *Subnet) {
			wipe(&n.Layers[conv1], 2, 5)
			n.Layers[conv1].Bias[5] = -1
		}, nil, [3]int{6, 8, 7}},
		{"a negative bias lives through other activations", func(n *Subnet) {
			wipe(&n.Layers[conv1], 2, 5)
			n.Layers[conv1].Bias[5] = -1
			n.Layers[conv1].Act = network.ActSiLU
		}, nil, [3]int{7, 8, 7}},
		{"and through a slope, unless it is 0", func(n *Subnet) {
			wipe(&n.Layers[conv1], 2, 5, 6)
			n.Layers[conv1].Bias[5], n.Layers[conv1].Bias[6] = -1, -1
			n.Layers[conv1].Act, n.Layers[conv1].Learned, n.Layers[conv1].Slope = network.ActPReLU, true, []float32{.1, .2, .3, .4, .5, .6, 0, .8}
		}, nil, [3]int{6, 8, 7}},
		{"a positive bias lives", func(n *Subnet) {
			wipe(&n.Layers[conv1], 2, 5)
			n.Layers[conv1].Bias[5] = 1
		}, nil, [3]int{7, 8, 7}},
		{"a block that adds nothing is bypassed, with all that fed it", func(n *Subnet) {
			wipe(&n.Layers[conv2], 0, 1, 2, 3, 4, 5, 6, 7)
		}, []string{"slot1/conv1", "slot1/conv2"}, [3]int{0, 8, 5}},
		{"a residual row that is empty passes on, its channel stays", func(n *Subnet) {
			wipe(&n.Layers[conv2], 0, 1, 2)
		}, nil, [3]int{8, 8, 7}},
		{"a trunk channel that is zero in every layer goes", func(n *Subnet) {
			for _, i := range []int{head, conv2, conv3 + 1} {
				wipe(&n.Layers[i], 3)
			}
		}, nil, [3]int{8, 7, 7}},
		{"a channel nobody reads goes", func(n *Subnet) {
			l := &n.Layers[conv2]
			for o := range l.Out {
				clear(l.Mask[(o*l.In+4)*9 : (o*l.In+5)*9])
				clear(l.Weights[(o*l.In+4)*9 : (o*l.In+5)*9])
			}
		}, nil, [3]int{7, 8, 7}},
		{"a dead head leaves the constants and the skip", func(n *Subnet) {
			wipe(&n.Layers[head], 0, 1, 2, 3, 4, 5, 6, 7)
			for o := range n.Layers[conv1].Bias {
				n.Layers[conv1].Bias[o] = 0.5 // survives the ReLU
			}
		}, []string{"head"}, [3]int{8, 0, 6}},
		{"a tail of nothing leaves the skip", func(n *Subnet) {
			wipe(&n.Layers[tail], 0, 1, 2, 3)
		}, []string{"head", "slot1/conv1", "slot2/conv2", "tail"}, [3]int{0, 0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			net := randomize(shape(sp, plain), rng)
			tt.change(net)
			p := compile(t, net)
			for _, name := range tt.gone {
				if _, ok := layerNamed(p, name); ok {
					t.Errorf("%s is still there", name)
				}
			}
			c, _ := layerNamed(p, "slot1/conv1")
			h, _ := layerNamed(p, "head")
			if got := [3]int{c.Out, h.Out, len(p.Layers())}; got != tt.shape {
				t.Errorf("conv1 and head have %d and %d outputs in %d layers, want %v", got[0], got[1], got[2], tt.shape)
			}
			if err := p.Graph().Validate(); err != nil {
				t.Error(err)
			}
			src := picture(rng, 11*7)
			near(t, upscale(t, net, src, 11, 7, Options{Threads: 2}), dense(net, src, 11, 7))
			if kept, all := p.MACs(); true {
				if k, d := net.MACs(); kept != k || all != d || p.Params() != net.Params() {
					t.Errorf("%d of %d MACs and %d parameters, want %d, %d and %d as the subnet", kept, all, p.Params(), k, d, net.Params())
				}
			}
		})
	}
}

// TestZerosWithoutMask: zeros in a network from elsewhere are as good as a mask.
func TestZerosWithoutMask(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	g := sp.Largest()
	g.Slots[0].Prune[2] = network.Prune{Scheme: network.Block4, Percent: 75}
	net := randomize(shape(sp, g), rng)
	masked := compile(t, net)
	for i := range net.Layers {
		net.Layers[i].Mask = nil
	}
	for i, l := range compile(t, net).Layers() {
		if want := masked.Layers()[i]; l.Taps != want.Taps || l.B != want.B {
			t.Errorf("%s has %d taps in blocks of %d, want %d and %d", l.Name, l.Taps, l.B, want.Taps, want.B)
		}
	}
	clear(net.Layers[2].Weights)
	if l := compile(t, net).Layers()[1]; l.Name != net.Layers[2].Name || l.Density != 1 || l.DenseMACs != net.Layers[2].Size() {
		t.Errorf("a layer that was never trained is %+v, want it dense", l)
	}
}

// TestMemory: beyond the picture itself, a picture's height must not cost
// memory, and the expanded channels of wide blocks, the most by far, must be
// there once for every thread and not once for every block.
func TestMemory(t *testing.T) {
	rng := check.Rand(t)
	memory := func(slots, h int) int64 {
		sp := general(2, 1)
		sp.Widths = []int{16}
		sp.Slots = slices.Repeat([]space.Slot{{Blocks: space.Blocks{space.Wide: {8}}}}, slots)
		plan, err := compile(t, randomize(shape(sp, sp.Largest()), rng)).c.planFor(64, h)
		if err != nil {
			t.Fatal(err)
		}
		return plan.bytes
	}
	low, high := memory(4, 1000), memory(4, 4000)
	if most := int64(3000 * 4 * (64 + 64)); high-low > most {
		t.Errorf("3000 rows more cost %d bytes, want at most %d", high-low, most)
	}
	const ring = 128 * 4 * (64 + 64) // bytes of a row of the expanded channels
	if deep := memory(5, 1000); deep-low > 8*ring {
		t.Errorf("one block more costs %d bytes, want at most %d", deep-low, 8*ring)
	}
}

// TestChoose: block pruning gets its own block size, dense the largest, on
// every instruction set.
func TestChoose(t *testing.T) {
	rng := check.Rand(t)
	for name := range tables {
		if name == "go" {
			continue // without vectors nothing is gained by blocks
		}
		table := tableFor(name)
		table.winograd = nil // lists only
		for _, tt := range []struct {
			prune network.Prune
			want  []int
		}{
			{network.Prune{}, []int{8, 4}},
			{network.Prune{Scheme: network.Block8, Percent: 75}, []int{8, 4}},
			{network.Prune{Scheme: network.Block4, Percent: 90}, []int{4}},
			{network.Prune{Scheme: network.Block2, Percent: 90}, []int{2}},
			{network.Prune{Scheme: network.Unstructured, Percent: 95}, []int{1, 4}}, // four grouped ones
		} {
			l := Layer{In: 64, Out: 64, Kernel: 3, Prune: tt.prune}
			net := randomize(&Subnet{Layers: []Layer{l}}, rng)
			if info, _ := table.describe(lone(&net.Layers[0])); !slices.Contains(tt.want, info.B) {
				t.Errorf("%s: %v gets blocks of %d, want %v", name, tt.prune, info.B, tt.want)
			}
		}
	}
}
