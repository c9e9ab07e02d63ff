package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"evosr/network"
	"evosr/onnx"
	"evosr/space"
)

// subject is one architecture of the table.
type subject struct {
	name  string
	what  string // one line for the legend
	gmac  float64
	extra bool // beside the six that the means are over

	// One of them, without weights, all dense: layers of ours, or a graph of
	// somebody else's operators.
	shape func() *network.Graph
	graph func() *network.Graph
}

// networks are the six of the rivals' table that this one continues, with the
// multiply-adds that they have there at 320x180 pixels in, and one more: the size
// and the frame rate of the paper's network.
func networks() []subject {
	return []subject{
		{name: "wdsr-16x8", gmac: 2.25, what: "WDSR-B-like, RGB x4: 16 channels, 8 wide blocks of expansion 4", shape: func() *network.Graph { return wdsr(16, 8) }},
		{name: "wdsr-32x16", gmac: 14.0, what: "WDSR-B-like, RGB x4: 32 channels, 16 wide blocks of expansion 4", shape: func() *network.Graph { return wdsr(32, 16) }},
		{name: "fsrcnn", gmac: 0.72, what: "FSRCNN(56, 12, 4), luma x4: 5x5, PReLU, transposed convolution 9x9", graph: fsrcnn},
		{name: "espcn", gmac: 1.42, what: "ESPCN, luma x4: 5x5 1-64, 3x3 64-32, 3x3 32-16, tanh", graph: espcn},
		{name: "ecbsr-m4c16", gmac: 0.67, what: "ECBSR-M4C16 as deployed, luma x4: 3x3 1-16, four 16-16, 16-16, PReLU", graph: ecbsr},
		{name: "plain-32", gmac: 4.03, what: "RGB x4: 3x3 convolutions 3-32, six times 32-32 with ReLU, 32-48", shape: plain},
		{name: "searched-125k", gmac: 7.11, extra: true, what: "luma x4: 28 channels, 10 wide blocks of expansions 3 to 6, a shape of the space in configs/paper.yaml", shape: searched},
	}
}

// colors is the number of planes of the picture.
func (n *subject) colors() int {
	if n.graph != nil {
		return n.graph().Colors
	}
	return n.shape().Colors
}

// variant is one way to prune every layer but the 5x5 skip.
type variant struct {
	name  string
	prune network.Prune
}

func (v variant) dense() bool { return v.prune.Scheme == network.Dense }

// variants are the rows of each network, the dense one first.
func variants() []variant {
	list := []variant{{name: "dense"}}
	for _, p := range []network.Prune{
		{Scheme: network.Block4, Percent: 50}, {Scheme: network.Block4, Percent: 75}, {Scheme: network.Block4, Percent: 90},
		{Scheme: network.Unstructured, Percent: 75}, {Scheme: network.Unstructured, Percent: 90},
	} {
		list = append(list, variant{fmt.Sprintf("%v@%d", p.Scheme, p.Percent), p})
	}
	return list
}

func wdsr(width, blocks int) *network.Graph {
	sp := &space.Space{Scale: 4, Colors: 3}
	g := space.Genome{Width: width}
	for range blocks {
		g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: 4})
	}
	return sp.Shape(g)
}

func searched() *network.Graph {
	sp := &space.Space{Scale: 4, Colors: 1}
	g := space.Genome{Width: 28}
	for _, expansion := range []float64{3, 4, 4, 5, 3, 4, 6, 3, 4, 4} {
		g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: expansion})
	}
	return sp.Shape(g)
}

func plain() *network.Graph {
	const width, scale, colors = 32, 4, 3
	channels := []int{colors}
	for range 7 {
		channels = append(channels, width)
	}
	return chain(scale, colors, []int{3, 3, 3, 3, 3, 3, 3, 3}, append(channels, colors*scale*scale))
}

// chain makes convolutions one after another, with ReLU between them.
func chain(scale, colors int, kernels, channels []int) *network.Graph {
	net := &network.Graph{Scale: scale, Colors: colors}
	at := network.Picture
	add := func(n network.Node) {
		net.Nodes = append(net.Nodes, n)
		at = len(net.Nodes) - 1
	}
	for i, k := range kernels {
		r := k / 2
		n := network.Node{Name: fmt.Sprintf("conv%d", i+1), Op: network.OpConv, Inputs: []int{at}, Out: channels[i+1], Kernel: k, Pad: [4]int{r, r, r, r}}
		if i == 0 {
			n.Border = network.Edge
		}
		if add(n); i < len(kernels)-1 {
			add(network.Node{Name: fmt.Sprintf("relu%d", i+1), Op: network.OpActivate, Inputs: []int{at}, Act: network.ActReLU})
		}
	}
	add(network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{at}, Factor: scale})
	return net
}

// skipLayer is the one that Space.Shape never prunes.
const skipLayer = "skip"

// random draws from the network's own seed, so that every variant gets the same
// weights before it is pruned.
func (n *subject) random() *rand.Rand {
	seed := fnv.New64a()
	seed.Write([]byte(n.name))
	return rand.New(rand.NewPCG(seed.Sum64(), 1))
}

// build draws a subnet's weights and prunes them by magnitude. Their variance
// keeps values near those of the picture through all layers, however pruned, so
// that differences between runtimes mean something.
func (n *subject) build(v variant) *network.Graph {
	rng := n.random()
	net := n.shape()
	var masker network.Masker
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if n.Op != network.OpConv {
			continue
		}
		gain := 1.0
		switch next := &net.Nodes[i+1]; {
		case next.Act == network.ActReLU:
			gain = 2 // half of the variance goes
		case next.Op == network.OpAdd:
			gain = 0.1 // a residual adds to what is there
		}
		in := net.Reads(i)
		n.Weights, n.Bias = make([]float32, n.Size(in)), make([]float32, n.Out)
		draw(n.Weights, n.Bias, gain/float64(in*n.Kernel*n.Kernel), rng)
		if v.prune.Scheme == network.Dense || n.Name == skipLayer {
			continue
		}
		n.Prune = v.prune
		n.Mask = make([]uint8, len(n.Weights))
		masker.Mask(n.Mask, n.Weights, n.Out, in, n.Kernel, n.Prune)
		prune(n.Weights, n.Mask)
	}
	return net
}

// prune zeroes what the mask prunes and scales the rest to the same sum of
// squares.
func prune(weights []float32, mask []uint8) {
	var all, kept float64
	for i, w := range weights {
		square := float64(w) * float64(w)
		all += square
		kept += square * float64(mask[i])
	}
	scale := float32(math.Sqrt(all / kept))
	for i, m := range mask {
		weights[i] *= scale * float32(m)
	}
}

// file is the network as ONNX for pictures of that size. Every runtime reads
// these bytes.
func (n *subject) file(v variant, s size) ([]byte, error) {
	var g *network.Graph
	if n.graph != nil {
		g = n.graph()
		fill(g, n.random(), v.prune)
		g = g.Eliminate()
	} else {
		g = n.build(v)
	}
	var b bytes.Buffer
	if err := onnx.Export(&b, g, onnx.ExportOptions{Width: s.w, Height: s.h}); err != nil {
		return nil, fmt.Errorf("bench: %s %s: %w", n.name, v.name, err)
	}
	return b.Bytes(), nil
}

// size is a picture's, in pixels.
type size struct{ w, h int }

func (s size) String() string { return fmt.Sprintf("%dx%d", s.w, s.h) }

// picture draws colors planes with edges, slopes and grain, studio range / 255.
func picture(s size, colors int) []float32 {
	rng := rand.New(rand.NewPCG(7, 7))
	out := make([]float32, 0, colors*s.w*s.h)
	for c := range colors {
		for y := range s.h {
			for x := range s.w {
				v := 0.5 + 0.2*math.Sin(float64(x)/(9+float64(c)))*math.Cos(float64(y)/13)
				if (x/24+y/24)%2 == 0 {
					v += 0.15
				}
				out = append(out, float32(v+0.04*(rng.Float64()-0.5)))
			}
		}
	}
	return out
}
