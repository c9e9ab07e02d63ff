package sparse

import (
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// wideNet is wide blocks of 12 channels, pruned by p.
func wideNet(t *testing.T, p network.Prune, expansions ...float64) *Subnet {
	t.Helper()
	g := space.Genome{Width: 12, Head: p, Tail: p}
	for _, e := range expansions {
		g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: e, Prune: [space.MaxConvs]network.Prune{p, p, p}})
	}
	return randomize(shape(general(2, 1), g), check.Rand(t))
}

// TestChain: layers that are computed together give the bits that they give one
// after the other, for any size and number of threads.
func TestChain(t *testing.T) {
	for _, set := range kernel.Sets() {
		if set.Chain == nil {
			continue
		}
		apart := *set
		apart.Chain = nil
		for _, p := range []network.Prune{{}, {Scheme: network.Block4, Percent: 75}, {Scheme: network.Unstructured, Percent: 85}, {Scheme: network.Filter, Percent: 50}} {
			net := wideNet(t, p, 2, 6, 1)
			for _, size := range [][2]int{{1, 1}, {5, 3}, {48, 17}, {97, 40}, {320, 33}} {
				w, h := size[0], size[1]
				src := picture(check.Rand(t), w*h)
				want := upscaleOn(t, net, src, w, h, &apart, Options{Threads: 1})
				for _, threads := range []int{1, 3} {
					if got := upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: threads}); !slices.Equal(got, want) {
						t.Fatalf("%s, %v, %dx%d on %d threads: not the same as layer after layer", set.Name, p, w, h, threads)
					}
				}
			}
		}
	}
}

// TestChained says which layers are.
func TestChained(t *testing.T) {
	if kernel.Best().Chain == nil {
		t.Skip("no such kernels here")
	}
	p := compile(t, wideNet(t, network.Prune{}, 2, 30))
	for _, want := range []struct {
		name    string
		chained bool
	}{
		{"head", false}, {"slot1/expand", true}, {"slot1/reduce", false}, {"slot1/conv", false},
		{"slot2/expand", false}, // 360 channels fill the cache
		{"tail", false},
	} {
		l, ok := layerNamed(p, want.name)
		if !ok || l.Chained != want.chained {
			t.Errorf("%s: %+v, want chained %v", want.name, l, want.chained)
		}
	}
	_, layers, err := p.Time(64, 36, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range p.Layers() {
		if timed := layers[i].Median > 0; timed == l.Chained {
			t.Errorf("%s takes %v, chained %v", l.Name, layers[i].Median, l.Chained)
		}
	}
}

func TestArrange(t *testing.T) {
	rows := func(list ...string) *layer {
		l := &layer{out: len(list)}
		for _, r := range list {
			for _, c := range r {
				l.mask = append(l.mask, uint8(c-'0'))
			}
		}
		return l
	}
	for _, tt := range []struct {
		name string
		l    *layer
		pad  bool
		want []int
	}{
		{"all differ", rows("100", "010", "001"), true, []int{0, 1, 2}},
		{"all agree", rows("1", "1", "1", "1", "1", "1"), true, []int{0, 1, 2, 3, 4, 5}},
		{"what is left of blocks", rows("10", "10", "01", "01", "01", "01"), true, []int{2, 3, 4, 5, 0, 1}},
		{"a block that lacks one", rows("10", "01", "01", "01"), true, []int{1, 2, 3, dummy, 0}},
		{"the same without dummies", rows("10", "01", "01", "01"), false, []int{1, 2, 0, 3}},
		{"seven are eight", rows("1", "1", "1", "1", "1", "1", "1"), true, []int{0, 1, 2, 3, 4, 5, 6, dummy}},
	} {
		if got := arrange(tt.l, tt.pad); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestOrder: elimination leaves pieces of blocks; side by side they make shorter
// lists, and the network still computes what its definition says.
func TestOrder(t *testing.T) {
	block := network.Prune{Scheme: network.Block4, Percent: 75}
	g := space.Genome{Width: 32, Slots: []space.Gene{{Kind: space.Wide, Expansion: 4, Prune: [space.MaxConvs]network.Prune{block, block, {}}}}}
	net := randomize(shape(general(2, 1), g), check.Rand(t))
	small := sketchOf(net.Graph().Eliminate())
	loose := small.lower()
	table := tables["avx512"]
	layers, _ := loose.order(&table)
	if layers != 1 {
		t.Fatalf("%d layers are in a new order, want the expansion", layers)
	}
	i := slices.IndexFunc(loose.layers, func(l layer) bool { return l.name == "slot1/expand" })
	was := table.choose(&small.lower().layers[i]).cost
	if now := table.choose(&loose.layers[i]).cost; now >= was {
		t.Errorf("a cost of %.0f, %.0f without an order", now, was)
	}
	const w, h = 37, 11
	src := picture(check.Rand(t), w*h)
	near(t, upscale(t, net, src, w, h, Options{}), dense(net, src, w, h))
}

// TestPermutable: whatever else reads or is added keeps its channels' order.
func TestPermutable(t *testing.T) {
	mask := []uint8{1, 0, 1, 1}
	conv := func(name string, reads ...read) layer {
		return layer{name: name, op: network.OpConv, in: 2, out: 2, kernel: 1, groups: 1, mask: mask, reads: reads,
			weights: []float32{1, 2, 3, 4}, bias: make([]float32, 2)}
	}
	of := func(i int) read { return read{layer: i, channels: 2} }
	chain := []layer{conv("a", of(network.Picture)), conv("b", of(0)), conv("c", of(1))}
	for _, tt := range []struct {
		name   string
		change func(l []layer)
		want   bool
	}{
		{"a chain", func([]layer) {}, true},
		{"something is added", func(l []layer) { l[0].reads = append(l[0].reads, of(network.Picture)) }, false},
		{"it is added", func(l []layer) { l[1].reads = append(l[1].reads, of(0)) }, false},
		{"a part is read", func(l []layer) { l[1].reads[0].channels = 1 }, false},
		{"from the second on", func(l []layer) { l[1].reads[0].first = 1 }, false},
		{"no convolution reads it", func(l []layer) { l[1].op = network.OpActivate }, false},
		{"groups", func(l []layer) { l[1].groups = 2 }, false},
		{"own groups", func(l []layer) { l[0].groups = 2 }, false},
		{"not pruned", func(l []layer) { l[0].mask = nil }, false},
	} {
		n := &lowered{layers: slices.Clone(chain)}
		for i := range n.layers {
			n.layers[i].reads = slices.Clone(n.layers[i].reads)
		}
		tt.change(n.layers)
		if got := n.permutable(0, []int{1}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if n := (&lowered{layers: chain}); n.permutable(2, nil) {
		t.Error("the last layer's channels are pixels")
	}
}
