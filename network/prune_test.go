package network

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// threeConvs is a x2 network of luma: 3x3, 3x3, 1x1, pixel shuffle, with a
// depthwise convolution in between.
func threeConvs() *Graph {
	rng := rand.New(rand.NewPCG(1, 2))
	conv := func(name string, src, in, out, k, groups int) Node {
		n := Node{Name: name, Op: OpConv, Inputs: []int{src}, Out: out, Kernel: k, Groups: groups, Pad: [4]int{k / 2, k / 2, k / 2, k / 2}}
		n.Weights, n.Bias = make([]float32, out*in/groups*k*k), make([]float32, out)
		for i := range n.Weights {
			n.Weights[i] = rng.Float32() - 0.5
		}
		for i := range n.Bias {
			n.Bias[i] = 1
		}
		return n
	}
	return &Graph{Scale: 2, Colors: 1, Nodes: []Node{
		conv("first", Picture, 1, 16, 3, 1), conv("deep", 0, 16, 16, 3, 16), conv("middle", 1, 16, 16, 3, 1),
		conv("last", 2, 16, 4, 1, 1), {Name: "shuffle", Op: OpShuffle, Inputs: []int{3}, Factor: 2},
	}}
}

func TestPrune(t *testing.T) {
	for _, scheme := range Schemes()[1:] {
		g := threeConvs()
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		was := slices.Clone(g.Nodes[2].Weights)
		g.Nodes[2].Mask = slices.Repeat([]uint8{1}, len(was))
		g.Nodes[2].Mask[7] = 0
		p, names := g.Prune(Prune{scheme, 75}, false)
		if !slices.Equal(names, []string{"middle"}) {
			t.Errorf("%v: pruned %v, want the middle one", scheme, names)
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		n := &p.Nodes[2]
		if d := float64(n.Kept()) / float64(len(was)); math.Abs(d-0.25) > 0.02 || n.Mask[7] != 0 {
			t.Errorf("%v: keeps %.3f", scheme, d)
		}
		for k, keep := range n.Mask {
			if keep == 0 && n.Weights[k] != 0 || keep == 1 && n.Weights[k] != was[k] {
				t.Fatalf("%v: weight %d is %v", scheme, k, n.Weights[k])
			}
		}
		biases := 0
		for _, b := range n.Bias {
			biases += int(b)
		}
		if want := map[bool]int{true: 4, false: 16}[scheme == Filter]; biases != want {
			t.Errorf("%v: %d biases stay, want %d", scheme, biases, want)
		}
		if !slices.Equal(g.Nodes[2].Weights, was) || g.Nodes[2].Bias[0] != 1 {
			t.Errorf("%v: the original changed", scheme)
		}
	}
	if _, names := threeConvs().Prune(Prune{Block4, 50}, true); !slices.Equal(names, []string{"first", "middle", "last"}) {
		t.Errorf("with the ends: %v", names)
	}
	if _, names := threeConvs().Prune(Prune{Pattern, 50}, true); !slices.Equal(names, []string{"first", "middle"}) {
		t.Errorf("patterns: %v", names)
	}
}
