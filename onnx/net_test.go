package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"evosr/network"
	"evosr/space"
)

// testSpace allows every kind of block that has a portable form, every scheme and
// every activation.
func testSpace(scale, colors int) *space.Space {
	slot := space.Slot{Skip: true, Blocks: space.Every(1, 1.5, 2), Activations: space.Activations()}
	slot.Blocks[space.Attend] = nil
	return &space.Space{
		Scale: scale, Colors: colors, Widths: []int{4, 8, 12}, Slots: []space.Slot{slot, slot, slot},
		Schemes: network.Schemes(), Percents: []int{25, 50, 75, 90},
	}
}

// fill gives a network without weights random ones, of a size that keeps its
// values about as large as its input, and prunes them as its layers say.
func fill(rng *rand.Rand, g *network.Graph) *network.Graph {
	var masker network.Masker
	channels := g.Channels()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Act == network.ActPReLU {
			if len(n.Slope) == 1 {
				n.Slope = []float32{0.2}
			}
			for o := range n.Slope {
				if len(n.Slope) > 1 {
					n.Slope[o] = float32(0.3 * rng.NormFloat64())
				}
			}
		}
		if n.Op != network.OpConv {
			continue
		}
		in := g.Colors
		if j := n.Inputs[0]; j != network.Picture {
			in = channels[j]
		}
		if n.Weights == nil {
			n.Weights, n.Bias = make([]float32, n.Out*in*n.Kernel*n.Kernel), make([]float32, n.Out)
		}
		spread := 1 / math.Sqrt(float64(in*n.Kernel*n.Kernel))
		for j := range n.Weights {
			n.Weights[j] = float32(spread * rng.NormFloat64())
		}
		for j := range n.Bias {
			n.Bias[j] = float32(0.1 * rng.NormFloat64())
		}
		if n.Prune.Scheme == network.Dense {
			continue
		}
		n.Mask = make([]uint8, len(n.Weights))
		masker.Mask(n.Mask, n.Weights, n.Out, in, n.Kernel, n.Prune)
		for j, keep := range n.Mask {
			if keep == 0 {
				n.Weights[j] = 0
			}
		}
	}
	return g
}

func randomNet(rng *rand.Rand, scale, colors int) *network.Graph {
	sp := testSpace(scale, colors)
	return fill(rng, sp.Shape(sp.Random(rng)))
}

// netOf builds the network of a genome's text.
func netOf(t testing.TB, rng *rand.Rand, genome string, scale, colors int) *network.Graph {
	t.Helper()
	g, err := space.ParseGenome(genome)
	if err != nil {
		t.Fatal(err)
	}
	return fill(rng, (&space.Space{Scale: scale, Colors: colors}).Shape(g))
}

func export(t testing.TB, g *network.Graph, o ExportOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(&b, g, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reference computes a network as its definition says.
func reference(t testing.TB, g *network.Graph, src []float32, w, h int) []float64 {
	t.Helper()
	values, err := g.Reference(src, w, h)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// picture draws w x h values in [0, 1] for each color.
func picture(rng *rand.Rand, colors, w, h int) []float32 {
	p := make([]float32, colors*w*h)
	for i := range p {
		p[i] = rng.Float32()
	}
	return p
}
