package network

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// everywhere are activations that are defined for every value and do not grow
// fast.
var everywhere = []Act{ActReLU, ActPReLU, ActClip, ActSigmoid, ActTanh, ActSiLU, ActGELU, ActGELUTanh, ActAbs, ActErf, ActSoftplus, ActSoftsign, ActMish,
	ActHardSwish, ActELU, ActSELU, ActThreshold, ActSin, ActCos, ActAtan, ActAsinh}

// sparseGraph draws a network of every operation that keeps the picture's size,
// with rows and columns of nothing, constants and filters that were pruned whole.
func sparseGraph(rng *rand.Rand) *Graph {
	g := &Graph{Scale: 2, Colors: 1 + 2*rng.IntN(2)}
	channels := func(i int) int {
		if i == Picture {
			return g.Colors
		}
		return g.Channels()[i]
	}
	few := func(n int) []float32 {
		list := make([]float32, n)
		for i := range list {
			list[i] = []float32{0, 0, 0.5, -0.5, 1}[rng.IntN(5)]
		}
		return list
	}
	add := func(n Node) int {
		n.Name = fmt.Sprintf("node%d", len(g.Nodes))
		g.Nodes = append(g.Nodes, n)
		return len(g.Nodes) - 1
	}
	conv := func(from, out, groups int) int {
		k := []int{1, 3, 5}[rng.IntN(3)]
		in := channels(from) / groups
		n := Node{Op: OpConv, Inputs: []int{from}, Out: out, Kernel: k, Pad: [4]int{k / 2, k / 2, k / 2, k / 2}, Groups: groups, Weights: make([]float32, out*in*k*k)}
		if from == Picture {
			n.Border = Edge
		}
		for i := range n.Weights {
			n.Weights[i] = float32(rng.NormFloat64()) / float32(in*k)
		}
		n.Mask = slices.Repeat([]uint8{1}, len(n.Weights))
		for o := range out {
			for c := range in {
				if rng.IntN(3) == 0 {
					at := (o*in + c) * k * k
					clear(n.Weights[at : at+k*k])
					clear(n.Mask[at : at+k*k])
				}
			}
			if rng.IntN(3) == 0 {
				at := o * in * k * k
				clear(n.Weights[at : at+in*k*k])
				clear(n.Mask[at : at+in*k*k])
			}
		}
		if rng.IntN(4) > 0 {
			n.Bias = few(out)
		}
		return add(n)
	}
	any := func() int { return rng.IntN(len(g.Nodes)+1) - 1 }
	conv(Picture, 4, 1)
	for range 2 + rng.IntN(9) {
		from := any()
		c := channels(from)
		switch rng.IntN(9) {
		case 0:
			conv(from, []int{1, 3, 4, 6}[rng.IntN(4)], 1)
		case 1:
			groups := []int{1, 2, c}[rng.IntN(3)]
			if c%groups == 0 {
				conv(from, c, groups)
			}
		case 2:
			n := Node{Op: OpActivate, Inputs: []int{from}, Act: everywhere[rng.IntN(len(everywhere))], Lo: -0.5, Hi: 0.75}
			if n.Act.Sloped() {
				n.Slope = few([]int{1, c}[rng.IntN(2)])
			}
			add(n)
		case 3:
			add(Node{Op: OpAffine, Inputs: []int{from}, Gain: few([]int{1, c}[rng.IntN(2)]), Bias: few([]int{0, 1, c}[rng.IntN(3)])})
		case 4:
			add(Node{Op: OpConcat, Inputs: []int{from, any()}})
		case 5:
			first := rng.IntN(c)
			add(Node{Op: OpSlice, Inputs: []int{from}, From: first, Out: 1 + rng.IntN(c-first)})
		case 6:
			add(Node{Op: OpMaxPool, Inputs: []int{from}, Kernel: 3, Pad: [4]int{1, 1, 1, 1}})
		default:
			if other := any(); channels(other) == c || channels(other) == 1 {
				add(Node{Op: []Op{OpAdd, OpAdd, OpSub, OpMul, OpMax, OpMin}[rng.IntN(6)], Inputs: []int{from, other}})
			}
		}
	}
	from := len(g.Nodes) - 1
	if rng.IntN(2) == 0 {
		from = add(Node{Op: OpAdd, Inputs: []int{conv(from, 4*g.Colors, 1), conv(Picture, 4*g.Colors, 1)}})
	} else {
		from = conv(from, 4*g.Colors, 1)
	}
	add(Node{Op: OpShuffle, Inputs: []int{from}, Factor: 2, DCR: rng.IntN(2) == 0})
	return g
}

// TestEliminate: what is left computes the same, in fewer channels where there
// is anything to take, and nothing of the graph is changed.
func TestEliminate(t *testing.T) {
	rng := check.Rand(t)
	taken := 0
	for range 2000 {
		g := sparseGraph(rng)
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		const w, h = 6, 5
		src := make([]float32, g.Colors*w*h)
		for i := range src {
			src[i] = rng.Float32()
		}
		want, err := g.Reference(src, w, h)
		if err != nil {
			t.Fatal(err)
		}
		small := g.Eliminate()
		if err := small.Validate(); err != nil {
			t.Fatal(err)
		}
		got, err := small.Reference(src, w, h)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := g.Reference(src, w, h); !slices.Equal(again, want) {
			t.Fatal("the graph was changed")
		}
		for i := range want {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5*max(1, math.Abs(float64(want[i])))) {
				t.Fatalf("value %d is %v, want %v\n%+v\n%+v", i, got[i], want[i], g.Nodes, small.Nodes)
			}
		}
		sum := func(list []int) (n int) {
			for _, c := range list {
				n += c
			}
			return n
		}
		was, is := sum(g.Channels()), sum(small.Channels())
		if is > was {
			t.Fatalf("%d channels became %d", was, is)
		}
		if is < was {
			taken++
		}
	}
	if taken < 1000 {
		t.Errorf("only %d of 2000 networks lost a channel", taken)
	}
}
