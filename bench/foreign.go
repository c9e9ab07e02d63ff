package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"evosr/network"
)

// The three networks of other authors, as they publish them. Their activations
// are what a space has not, so they are graphs and reach the runtime through
// the importer of ONNX files.

// slope is that of every PReLU, with which PyTorch starts them. The files hold
// one for each channel, as published ones do.
const slope = 0.25

// espcn is Shi et al.'s of 2016 (arXiv:1609.05158): 5x5 and 3x3 convolutions with
// tanh, luma x4.
func espcn() *network.Graph {
	g := &network.Graph{Scale: 4, Colors: 1}
	conv(g, network.Picture, 1, 64, 5)
	act(g, network.ActTanh)
	conv(g, last(g), 64, 32, 3)
	act(g, network.ActTanh)
	conv(g, last(g), 32, 16, 3)
	shuffle(g)
	return g
}

// fsrcnn is Dong et al.'s FSRCNN(56, 12, 4) of 2016 (arXiv:1608.00367): features,
// shrinking, mapping, expanding, and a 9x9 transposed convolution, luma x4.
func fsrcnn() *network.Graph {
	g := &network.Graph{Scale: 4, Colors: 1}
	in := 1
	at := network.Picture
	for _, l := range []struct{ out, kernel int }{{56, 5}, {12, 1}, {12, 3}, {12, 3}, {12, 3}, {12, 3}, {56, 1}} {
		conv(g, at, in, l.out, l.kernel)
		act(g, network.ActPReLU)
		in, at = l.out, last(g)
	}
	add(g, network.Node{
		Name: "deconv", Op: network.OpDeconv, Inputs: []int{at}, Out: 1, Kernel: 9, Stride: 4, Pad: [4]int{4, 4, 4, 4}, Grow: 3,
		Weights: make([]float32, in*9*9), Bias: make([]float32, 1),
	})
	return g
}

// ecbsr is Zhang, Zeng and Zhang's ECBSR-M4C16 of 2021 with its edge-oriented
// blocks merged into one convolution each, as it is deployed: 3x3 convolutions
// with PReLU, the picture added to every channel before the shuffle, luma x4.
func ecbsr() *network.Graph {
	g := &network.Graph{Scale: 4, Colors: 1}
	conv(g, network.Picture, 1, 16, 3)
	act(g, network.ActPReLU)
	for range 4 {
		conv(g, last(g), 16, 16, 3)
		act(g, network.ActPReLU)
	}
	conv(g, last(g), 16, 16, 3)
	add(g, network.Node{Name: "global", Op: network.OpAdd, Inputs: []int{last(g), network.Picture}})
	shuffle(g)
	return g
}

func add(g *network.Graph, n network.Node) { g.Nodes = append(g.Nodes, n) }

func last(g *network.Graph) int { return len(g.Nodes) - 1 }

func conv(g *network.Graph, src, in, out, kernel int) {
	p := kernel / 2
	add(g, network.Node{
		Name: fmt.Sprintf("conv%d", len(g.Nodes)), Op: network.OpConv, Inputs: []int{src}, Out: out, Kernel: kernel, Pad: [4]int{p, p, p, p},
		Weights: make([]float32, out*in*kernel*kernel), Bias: make([]float32, out),
	})
}

// act follows the convolution just added.
func act(g *network.Graph, a network.Act) {
	n := network.Node{Name: fmt.Sprintf("act%d", len(g.Nodes)), Op: network.OpActivate, Act: a, Inputs: []int{last(g)}}
	if a == network.ActPReLU {
		n.Slope = slices.Repeat([]float32{slope}, g.Nodes[last(g)].Out)
	}
	add(g, n)
}

func shuffle(g *network.Graph) {
	add(g, network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{last(g)}, Factor: g.Scale})
}

// fill draws the weights of a graph and prunes them, as build does for a subnet.
func fill(g *network.Graph, rng *rand.Rand, p network.Prune) {
	var masker network.Masker
	channels := g.Channels()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Op != network.OpConv && n.Op != network.OpDeconv {
			continue
		}
		gain := 1.0
		if i+1 < len(g.Nodes) && g.Nodes[i+1].Act == network.ActPReLU {
			gain = 2 / (1 + slope*slope)
		}
		in := 1
		if j := n.Inputs[0]; j != network.Picture {
			in = channels[j]
		}
		stride, _ := n.Inside()
		draw(n.Weights, n.Bias, gain/(float64(in*n.Kernel*n.Kernel)/float64(stride*stride)), rng)
		if p.Scheme == network.Dense {
			continue
		}
		mask := make([]uint8, len(n.Weights))
		if n.Op == network.OpDeconv {
			maskDeconv(mask, n.Weights, n.Kernel, n.Stride, p)
		} else {
			masker.Mask(mask, n.Weights, n.Out, in, n.Kernel, p)
		}
		prune(n.Weights, mask)
	}
}

// draw makes weights of a variance and small biases.
func draw(weights, bias []float32, variance float64, rng *rand.Rand) {
	for j := range weights {
		weights[j] = float32(math.Sqrt(variance) * rng.NormFloat64())
	}
	for j := range bias {
		bias[j] = float32(0.05 * rng.NormFloat64())
	}
}

// maskDeconv prunes a transposed convolution by the norm of groups. A group of a
// block scheme is a run of stride weights of one row: they make as many
// neighbouring pixels of the output out of one of the input, so they are a
// block of the convolution and pixel shuffle that compute the same.
func maskDeconv(mask []uint8, w []float32, kernel, stride int, p network.Prune) {
	width := 1
	if p.Scheme == network.Block4 {
		width = stride
	}
	type group struct {
		from, n int
		norm    float64
	}
	var groups []group
	for row := 0; row < len(w); row += kernel {
		for x := 0; x < kernel; x += width {
			g := group{from: row + x, n: min(width, kernel-x)}
			for _, v := range w[g.from : g.from+g.n] {
				g.norm += float64(v) * float64(v) / float64(g.n)
			}
			groups = append(groups, g)
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.norm, a.norm) })
	keep := int(math.Round(float64(len(w)) * (1 - float64(p.Percent)/100)))
	clear(mask)
	for _, g := range groups {
		if keep <= 0 {
			return
		}
		for i := range g.n {
			mask[g.from+i] = 1
		}
		keep -= g.n
	}
}
