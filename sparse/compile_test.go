package sparse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
)

// drawing builds graphs for tests.
type drawing struct {
	rng *rand.Rand
	g   *network.Graph
}

func draw(rng *rand.Rand, scale, colors int) *drawing {
	return &drawing{rng, &network.Graph{Scale: scale, Colors: colors}}
}

func (d *drawing) values(n int, size float64) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(d.rng.NormFloat64() * size)
	}
	return list
}

func (d *drawing) add(n network.Node) int {
	n.Name = fmt.Sprintf("%v%d", n.Op, len(d.g.Nodes))
	d.g.Nodes = append(d.g.Nodes, n)
	return len(d.g.Nodes) - 1
}

func (d *drawing) channels(i int) int {
	if i < 0 {
		return d.g.Colors
	}
	return d.g.Channels()[i]
}

// conv is a convolution of "same" size.
func (d *drawing) conv(from, out, kernel, groups int) int {
	in := d.channels(from) / groups
	r := kernel / 2
	return d.add(network.Node{Op: network.OpConv, Inputs: []int{from}, Out: out, Kernel: kernel, Groups: groups, Pad: [4]int{r, r, r, r},
		Weights: d.values(out*in*kernel*kernel, 1/math.Sqrt(float64(in*kernel*kernel))), Bias: d.values(out, 0.1)})
}

func (d *drawing) act(from int, kind network.Act) int {
	n := network.Node{Op: network.OpActivate, Inputs: []int{from}, Act: kind}
	switch kind {
	case network.ActPReLU:
		n.Slope = d.values(d.channels(from), 0.3)
	case network.ActClip:
		n.Lo, n.Hi = -0.3, 0.4
	}
	return d.add(n)
}

func (d *drawing) two(op network.Op, a, b int) int {
	return d.add(network.Node{Op: op, Inputs: []int{a, b}})
}

func (d *drawing) shuffle(from, factor int, dcr bool) int {
	return d.add(network.Node{Op: network.OpShuffle, Inputs: []int{from}, Factor: factor, DCR: dcr})
}

func (d *drawing) affine(from int) int {
	c := d.channels(from)
	n := network.Node{Op: network.OpAffine, Inputs: []int{from}}
	if d.rng.IntN(3) > 0 {
		n.Gain = d.values([]int{1, c}[d.rng.IntN(2)], 1)
	}
	if d.rng.IntN(3) > 0 {
		n.Bias = d.values([]int{1, c}[d.rng.IntN(2)], 0.5)
	}
	return d.add(n)
}

func (d *drawing) deconv(from, out, kernel, stride, pad, grow int) int {
	in := d.channels(from)
	return d.add(network.Node{Op: network.OpDeconv, Inputs: []int{from}, Out: out, Kernel: kernel, Stride: stride, Pad: [4]int{pad, pad, pad, pad}, Grow: grow,
		Weights: d.values(in*out*kernel*kernel, 1/math.Sqrt(float64(in*kernel*kernel))), Bias: d.values(out, 0.1)})
}

func (d *drawing) resize(from, factor int) int {
	return d.add(network.Node{Op: network.OpResize, Inputs: []int{from}, Factor: factor, Interp: network.Interp(d.rng.IntN(3)),
		Coord: network.Coord(d.rng.IntN(4)), Rounding: network.Rounding(d.rng.IntN(4)), CubicA: []float64{-0.5, -0.75}[d.rng.IntN(2)]})
}

// The networks that other people publish, in the shapes of this runtime.

func fsrcnn(rng *rand.Rand, scale, d0, s, m int) *network.Graph {
	d := draw(rng, scale, 1)
	x := d.act(d.conv(network.Picture, d0, 5, 1), network.ActPReLU)
	x = d.act(d.conv(x, s, 1, 1), network.ActPReLU)
	for range m {
		x = d.act(d.conv(x, s, 3, 1), network.ActPReLU)
	}
	x = d.act(d.conv(x, d0, 1, 1), network.ActPReLU)
	d.deconv(x, 1, 9, scale, 4, scale-1)
	return d.g
}

func espcn(rng *rand.Rand, scale, c1, c2 int) *network.Graph {
	d := draw(rng, scale, 1)
	x := d.act(d.conv(network.Picture, c1, 5, 1), network.ActTanh)
	x = d.act(d.conv(x, c2, 3, 1), network.ActTanh)
	d.shuffle(d.conv(x, scale*scale, 3, 1), scale, false)
	return d.g
}

func ecbsr(rng *rand.Rand, scale, m, c int) *network.Graph {
	d := draw(rng, scale, 1)
	x := network.Picture
	for range m + 1 {
		x = d.act(d.conv(x, c, 3, 1), network.ActPReLU)
	}
	x = d.conv(x, scale*scale, 3, 1)
	same := d.add(network.Node{Op: network.OpConcat, Inputs: slices.Repeat([]int{network.Picture}, scale*scale)})
	d.shuffle(d.two(network.OpAdd, x, same), scale, true)
	return d.g
}

// imdn has slices and concatenations, leaky rectifiers and a long skip.
func imdn(rng *rand.Rand, scale, c, blocks int) *network.Graph {
	d := draw(rng, scale, 3)
	leaky := func(x int) int {
		return d.add(network.Node{Op: network.OpActivate, Inputs: []int{x}, Act: network.ActPReLU, Slope: []float32{0.05}})
	}
	head := d.conv(network.Picture, c, 3, 1)
	x := head
	var outs []int
	for range blocks {
		var kept []int
		y := x
		for range 3 {
			z := leaky(d.conv(y, c, 3, 1))
			kept = append(kept, d.add(network.Node{Op: network.OpSlice, Inputs: []int{z}, Out: c / 4}))
			y = d.add(network.Node{Op: network.OpSlice, Inputs: []int{z}, From: c / 4, Out: c - c/4})
		}
		kept = append(kept, d.conv(y, c/4, 3, 1))
		x = d.two(network.OpAdd, d.conv(d.add(network.Node{Op: network.OpConcat, Inputs: kept}), c, 1, 1), x)
		outs = append(outs, x)
	}
	x = leaky(d.conv(d.add(network.Node{Op: network.OpConcat, Inputs: outs}), c, 1, 1))
	x = d.two(network.OpAdd, d.conv(x, c, 3, 1), head)
	d.shuffle(d.conv(x, 3*scale*scale, 3, 1), scale, false)
	return d.g
}

// attention is RLFN's: strides, a pooled map, interpolated back, and a gate.
func attention(rng *rand.Rand, scale, c int) *network.Graph {
	d := draw(rng, scale, 1)
	x := d.act(d.conv(network.Picture, c, 3, 1), network.ActReLU)
	f := c / 2
	small := d.conv(x, f, 1, 1)
	y := d.add(network.Node{Op: network.OpConv, Inputs: []int{small}, Out: f, Kernel: 3, Stride: 2, Weights: d.values(f*f*9, 0.2), Bias: d.values(f, 0.1)})
	y = d.add(network.Node{Op: network.OpMaxPool, Inputs: []int{y}, Kernel: 7, Stride: 3, Pad: [4]int{2, 2, 2, 2}})
	y = d.conv(y, f, 3, 1)
	y = d.add(network.Node{Op: network.OpResize, Inputs: []int{y, x}, Interp: network.Linear, Coord: network.TorchHalfPixel})
	y = d.conv(d.two(network.OpAdd, y, small), c, 1, 1)
	x = d.two(network.OpMul, x, d.act(y, network.ActSigmoid))
	d.shuffle(d.conv(x, scale*scale, 3, 1), scale, false)
	return d.g
}

// twoStages enlarges by two twice, with a convolution of fine pixels between,
// and adds an interpolated picture.
func twoStages(rng *rand.Rand) *network.Graph {
	d := draw(rng, 4, 1)
	x := d.act(d.conv(network.Picture, 8, 3, 1), network.ActReLU)
	x = d.act(d.shuffle(d.conv(x, 16, 3, 1), 2, false), network.ActPReLU)
	x = d.shuffle(d.conv(d.conv(x, 4, 5, 1), 8, 3, 2), 2, true)
	x = d.conv(x, 1, 3, 1)
	up := d.add(network.Node{Op: network.OpResize, Inputs: []int{network.Picture}, Factor: 4, Interp: network.Cubic, CubicA: -0.75})
	d.act(d.two(network.OpAdd, x, up), network.ActClip)
	return d.g
}

// holds compiles g and holds it to its definition, on some threads.
func holds(t *testing.T, g *network.Graph, w, h int, o Options) *Program {
	t.Helper()
	p, err := Compile(g, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	src := picture(rand.New(rand.NewPCG(3, uint64(w*h))), g.Colors*w*h)
	want, err := g.Reference(src, w, h)
	if err != nil {
		t.Fatal(err)
	}
	got := check.Guarded(t, rand.New(rand.NewPCG(1, 2)), len(want))
	if err := p.Upscale(got, slices.Clone(src), w, h); err != nil {
		t.Fatal(err)
	}
	near(t, got, want)
	return p
}

func TestPublishedNetworks(t *testing.T) {
	rng := check.Rand(t)
	for _, tt := range []struct {
		name   string
		g      *network.Graph
		bands  bool
		layers int
	}{
		{"fsrcnn x4", fsrcnn(rng, 4, 20, 6, 2), true, 6},
		{"fsrcnn x3", fsrcnn(rng, 3, 12, 5, 1), true, 5},
		{"espcn", espcn(rng, 3, 16, 8), true, 3},
		{"ecbsr", ecbsr(rng, 4, 4, 16), true, 6},
		{"imdn", imdn(rng, 2, 16, 2), true, 1 + 2*(3+1+2) + 3 + 1}, // copies of two kinds of concatenation
		{"attention", attention(rng, 2, 8), true, 10},
		{"two stages", twoStages(rng), true, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, set := range kernel.Sets() {
				for _, size := range [][2]int{{37, 29}, {16, 40}} {
					p := holds(t, tt.g, size[0], size[1], Options{Kernels: set.Name, Threads: 1 + i})
					if p.c.net.planes == tt.bands {
						t.Errorf("in bands: %v, want %v: %v", !p.c.net.planes, tt.bands, p.Passes())
					}
					if n := len(p.Layers()); n != tt.layers {
						t.Errorf("%d layers, want %d", n, tt.layers)
					}
				}
			}
		})
	}
}

// randomNetwork is a graph of any operations on any earlier nodes of the right
// size, brought to the picture's size and colors at its end.
func randomNetwork(rng *rand.Rand) *network.Graph {
	d := draw(rng, 1+rng.IntN(4), 1+2*rng.IntN(2))
	type made struct{ node, zoom int }
	all := []made{{network.Picture, 1}}
	put := func(node, zoom int) { all = append(all, made{node, zoom}) }
	pick := func() made { return all[max(rng.IntN(len(all)), rng.IntN(len(all)))] }
	wide := []int{1, 2, 4, 8, 9, 16}
	for range 2 + rng.IntN(12) {
		a := pick()
		c := d.channels(a.node)
		switch rng.IntN(14) {
		case 0, 1, 2:
			groups := 1
			if rng.IntN(3) == 0 && c%2 == 0 {
				groups = []int{2, c}[rng.IntN(2)]
			}
			out := wide[rng.IntN(len(wide))]
			put(d.conv(a.node, (out+groups-1)/groups*groups, []int{1, 3, 3, 5, 7}[rng.IntN(5)], groups), a.zoom)
		case 3, 4:
			put(d.act(a.node, network.Act(rng.IntN(8))), a.zoom)
		case 5, 6:
			b := pick()
			if cb := d.channels(b.node); b.zoom == a.zoom && (cb == c || cb == 1 || c == 1) {
				put(d.two([]network.Op{network.OpAdd, network.OpAdd, network.OpSub, network.OpMul, network.OpMax}[rng.IntN(5)], a.node, b.node), a.zoom)
			}
		case 7:
			put(d.affine(a.node), a.zoom)
		case 8:
			if b := pick(); b.zoom == a.zoom {
				put(d.add(network.Node{Op: network.OpConcat, Inputs: []int{a.node, b.node, a.node}}), a.zoom)
			}
		case 9:
			from := rng.IntN(c)
			put(d.add(network.Node{Op: network.OpSlice, Inputs: []int{a.node}, From: from, Out: 1 + rng.IntN(c-from)}), a.zoom)
		case 10:
			if a.zoom == 1 && d.g.Scale == 4 && rng.IntN(2) == 0 { // in two steps
				x := d.shuffle(d.conv(a.node, 32, 1, 1), 2, rng.IntN(2) == 0)
				if rng.IntN(2) == 0 {
					x = d.act(d.conv(x, 8, 3, 1), network.ActPReLU)
				}
				put(d.shuffle(x, 2, rng.IntN(2) == 0), 4)
			} else if a.zoom == 1 && d.g.Scale > 1 {
				put(d.shuffle(d.conv(a.node, 2*d.g.Scale*d.g.Scale, 1, 1), d.g.Scale, rng.IntN(2) == 0), d.g.Scale)
			}
		case 11:
			if a.zoom == 1 && d.g.Scale > 1 {
				put(d.resize(a.node, d.g.Scale), d.g.Scale)
			}
		case 12:
			if s := d.g.Scale; a.zoom == 1 && s > 1 {
				k := s + 2*rng.IntN(3) // k - s even: pads are symmetric
				put(d.deconv(a.node, 1+rng.IntN(3), k, s, (k-s)/2, 0), s)
			}
		case 13:
			border := network.Border(rng.IntN(3))
			pad := d.add(network.Node{Op: network.OpPad, Inputs: []int{a.node}, Pad: [4]int{1, 2, 2, 1}, Border: border, Value: float32(rng.IntN(2))})
			n := d.add(network.Node{Op: network.OpMaxPool, Inputs: []int{pad}, Kernel: 4})
			if rng.IntN(2) == 0 {
				d.g.Nodes = d.g.Nodes[:n]
				pad = d.add(network.Node{Op: network.OpPad, Inputs: []int{a.node}, Pad: [4]int{1, 1, 1, 1}, Border: border})
				d.g.Nodes[pad-1].Pad = [4]int{1, 1, 1, 1} // one of the two is dead
				n = d.conv(pad, 4, 3, 1)
				d.g.Nodes[n].Pad = [4]int{}
			}
			put(n, a.zoom)
		}
	}
	end := all[len(all)-1]
	s := d.g.Scale
	if end.zoom == s {
		d.conv(end.node, d.g.Colors, 1, 1)
	} else {
		d.shuffle(d.conv(end.node, d.g.Colors*s*s, 3, 1), s, rng.IntN(2) == 0)
	}
	return d.g
}

func TestRandomNetworks(t *testing.T) {
	rng := check.Rand(t)
	bands := 0
	n := check.Times(400)
	for i := range n {
		g := randomNetwork(rng)
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		set := kernel.Sets()[i%len(kernel.Sets())]
		w, h := 3+rng.IntN(20), 3+rng.IntN(30)
		one := holds(t, g, w, h, Options{Kernels: set.Name, Threads: 1})
		if t.Failed() {
			for _, n := range g.Nodes {
				t.Logf("%v %v out %d k %d pad %v border %v groups %d act %v factor %d dcr %v interp %v %v", n.Name, n.Inputs, n.Out, n.Kernel, n.Pad, n.Border, n.Groups, n.Act, n.Factor, n.DCR, n.Interp, n.Coord)
			}
			t.Log(one.Passes())
			return
		}
		if !one.c.net.planes {
			bands++
		}
		many, err := Compile(g, Options{Kernels: set.Name, Threads: 4})
		if err != nil {
			t.Fatal(err)
		}
		src := picture(rng, g.Colors*w*h)
		a, b := make([]float32, len(src)*g.Scale*g.Scale), make([]float32, len(src)*g.Scale*g.Scale)
		for range 2 { // memory of the last frame must not matter
			if err := one.Upscale(a, src, w, h); err != nil {
				t.Fatal(err)
			}
			if err := many.Upscale(b, src, w, h); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a, b) {
				t.Fatalf("four threads differ from one: %v", many.Passes())
			}
		}
		many.Close()
	}
	if bands < n/4 || bands > 9*n/10 {
		t.Errorf("%d of %d networks ran in bands, want some of both kinds", bands, n)
	}
}

func TestGraphRefusals(t *testing.T) {
	rng := check.Rand(t)
	g := espcn(rng, 2, 8, 8)
	g.Nodes[2].Inputs[0] = 5
	if _, err := Compile(g, Options{}); err == nil || !strings.Contains(err.Error(), `"conv2"`) {
		t.Errorf("a node that reads a later one gives %v", err)
	}
	p, err := Compile(attention(rng, 2, 8), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Upscale(make([]float32, 16), make([]float32, 4), 2, 2); err == nil || !strings.Contains(err.Error(), "picture") {
		t.Errorf("a picture smaller than the filter of a stride gives %v", err)
	}
	if p.Reach() != -1 {
		t.Errorf("reach %d, want -1: it is global", p.Reach())
	}
}

// TestGraphAllocation: networks of either kind allocate nothing after the first
// frame.
func TestGraphAllocation(t *testing.T) {
	rng := check.Rand(t)
	for _, g := range []*network.Graph{fsrcnn(rng, 2, 12, 5, 1), attention(rng, 2, 8), imdn(rng, 2, 16, 1)} {
		p, err := Compile(g, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		src := picture(rng, g.Colors*40*30)
		dst := make([]float32, 4*len(src))
		run := func() {
			if err := p.Upscale(dst, src, 40, 30); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 { // until every worker has met every layer
			run()
		}
		if n := testing.AllocsPerRun(check.Times(20), run); n != 0 {
			t.Errorf("%v allocations a frame, want none", n)
		}
		p.Close()
	}
}

// TestKernelsByName: a program has the kernels that it was asked for, a name that
// is none of this processor's is refused, and layers for another processor are
// those of a program for it.
func TestKernelsByName(t *testing.T) {
	sp := general(2, 1)
	g := randomize(shape(sp, sp.Largest()), check.Rand(t)).Graph()
	for _, set := range kernel.Sets() {
		p, err := Compile(g, Options{Kernels: set.Name, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		layers, err := LayersOn(g, set.Name)
		if p.Kernels() != set.Name || err != nil || !reflect.DeepEqual(layers, p.Layers()) {
			t.Errorf("%s: a program of %s kernels, %v", set.Name, p.Kernels(), err)
		}
	}
	if p, err := Compile(g, Options{Threads: 1}); err != nil || p.Kernels() != kernel.Best().Name {
		t.Errorf("no name: %v, want the fastest", err)
	}
	want := fmt.Sprintf("want one of %q on this processor", names(kernel.Sets()))
	if _, err := Compile(g, Options{Kernels: "mmx"}); err == nil || !strings.Contains(err.Error(), `sparse: kernels: "mmx", `+want) {
		t.Errorf("Compile: %v", err)
	}
	if _, err := DecodeFor(strings.NewReader(""), Options{Kernels: "mmx"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("DecodeFor: %v", err)
	}
	if layers, err := LayersOn(g, "mmx"); err != nil || len(layers) == 0 {
		t.Errorf("LayersOn: %d layers, %v", len(layers), err)
	}
}

func names(sets []*kernel.Set) (list []string) {
	for _, s := range sets {
		list = append(list, s.Name)
	}
	return list
}
