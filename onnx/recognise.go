package onnx

import (
	"math"

	"evosr/network"
)

// Some activations are written as many nodes, in more ways than one would list:
// GELU by Erf or Tanh with its factors in any order, Mish, hard swish, SiLU. What
// a value is as a function of one earlier value is found by computing it.

// recognised are the activations that are looked for.
var recognised = []network.Act{network.ActSiLU, network.ActGELU, network.ActGELUTanh, network.ActMish, network.ActHardSwish}

// maxCone bounds the nodes that one activation may be written as.
const maxCone = 16

// valuewise says whether a node does the same to every value of every channel.
func (r *rewriter) valuewise(n *network.Node) bool {
	return n.Op == network.OpActivate && len(n.Slope) < 2 || n.Op == network.OpAffine && len(n.Gain) < 2 && len(n.Bias) < 2 || n.Op.Pair() != nil
}

// recognise makes one activation of node i where it computes one. It goes back
// from the node, the latest of what is left first, and looks whenever all that is
// left is one value.
func (r *rewriter) recognise(i int) {
	between, edge := []int(nil), map[int]bool{i: true}
	for len(between) < maxCone {
		last := network.Picture
		for j := range edge {
			last = max(last, j)
		}
		if last == network.Picture || !r.valuewise(&r.g.Nodes[last]) {
			return
		}
		delete(edge, last)
		between = append([]int{last}, between...)
		for _, j := range r.g.Nodes[last].Inputs {
			edge[j] = true
		}
		if len(edge) > 1 || len(between) < 2 {
			continue
		}
		for x := range edge {
			if act, is := r.match(x, between); is {
				r.activation(i, act, x, nil)
				return
			}
		}
	}
}

// match says which activation of value x the last of some nodes is.
func (r *rewriter) match(x int, between []int) (network.Act, bool) {
	left := append([]network.Act(nil), recognised...)
	for v := -9.0; v <= 9 && len(left) > 0; v += 0.37 {
		at := map[int]float64{x: v}
		for _, j := range between {
			at[j] = computed(&r.g.Nodes[j], at)
		}
		got := at[between[len(between)-1]]
		kept := left[:0]
		for _, a := range left {
			if math.Abs(a.Of(v, 0)-got) <= 2e-6*(1+math.Abs(v)) {
				kept = append(kept, a)
			}
		}
		left = kept
	}
	if len(left) == 0 {
		return 0, false
	}
	return left[0], true
}

// computed is one value of a node that valuewise holds of.
func computed(n *network.Node, at map[int]float64) float64 {
	one := func(list []float32, none float64) float64 {
		if len(list) == 0 {
			return none
		}
		return float64(list[0])
	}
	v := at[n.Inputs[0]]
	switch {
	case n.Op == network.OpAffine:
		return v*one(n.Gain, 1) + one(n.Bias, 0)
	case n.Op == network.OpActivate && n.Act == network.ActClip:
		return min(max(v, float64(n.Lo)), float64(n.Hi))
	case n.Op == network.OpActivate:
		return n.Act.Of(v, one(n.Slope, 0))
	}
	return n.Op.Pair()(v, at[n.Inputs[1]])
}
