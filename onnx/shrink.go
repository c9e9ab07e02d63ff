package onnx

import (
	"slices"

	"evosr/network"
)

// Shrink gives a copy of a graph without the channels of convolutions that are
// zero whatever the picture is, where only convolutions read them, possibly
// behind activations that keep zeros. What filter pruning took away is then not
// in the file.
func Shrink(g *network.Graph) *network.Graph {
	out := &network.Graph{Scale: g.Scale, Colors: g.Colors, Genome: g.Genome, Nodes: slices.Clone(g.Nodes)}
	readers := make([][]int, len(g.Nodes))
	for i := range out.Nodes {
		for _, j := range out.Nodes[i].Inputs {
			if j != network.Picture {
				readers[j] = append(readers[j], i)
			}
		}
	}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		if _, groups := n.Inside(); n.Op != network.OpConv || groups != 1 || i == len(out.Nodes)-1 {
			continue
		}
		keep := living(n)
		acts, convs, ok := followers(out, readers, i)
		if !ok || len(keep) == n.Out {
			continue
		}
		if len(keep) == 0 {
			keep = []int{0} // a tensor has at least one channel
		}
		size := len(n.Weights) / n.Out
		n.Weights, n.Mask = rows(n.Weights, keep, size), rows(n.Mask, keep, size)
		n.Bias, n.Out = rows(n.Bias, keep, 1), len(keep)
		for _, a := range acts {
			if slope := out.Nodes[a].Slope; len(slope) > 1 {
				out.Nodes[a].Slope = rows(slope, keep, 1)
			}
		}
		for _, c := range convs {
			columns(&out.Nodes[c], keep)
		}
	}
	return out
}

// living lists the output channels of a convolution that are not always zero.
func living(n *network.Node) []int {
	var keep []int
	size := len(n.Weights) / n.Out
	for o := range n.Out {
		used := len(n.Bias) > 0 && n.Bias[o] != 0
		for k := o * size; k < (o+1)*size && !used; k++ {
			used = n.Weights[k] != 0 && (n.Mask == nil || n.Mask[k] != 0)
		}
		if used {
			keep = append(keep, o)
		}
	}
	return keep
}

// followers lists the activations behind node i and the convolutions that read
// it through them; not ok when anything else does.
func followers(g *network.Graph, readers [][]int, i int) (acts, convs []int, ok bool) {
	stack := []int{i}
	for len(stack) > 0 {
		j := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if j == len(g.Nodes)-1 {
			return nil, nil, false
		}
		for _, k := range readers[j] {
			n := &g.Nodes[k]
			_, groups := n.Inside()
			switch {
			case n.Op == network.OpConv && groups == 1:
				convs = append(convs, k)
			case n.Op == network.OpActivate && keepsZero(n):
				acts, stack = append(acts, k), append(stack, k)
			default:
				return nil, nil, false
			}
		}
	}
	return acts, convs, true
}

func keepsZero(n *network.Node) bool {
	return n.Act != network.ActSigmoid && (n.Act != network.ActClip || n.Lo <= 0 && n.Hi >= 0)
}

// rows keeps some of the parts of the given size that a list is made of.
func rows[T any](list []T, keep []int, size int) []T {
	if list == nil {
		return nil
	}
	out := make([]T, 0, len(keep)*size)
	for _, k := range keep {
		out = append(out, list[k*size:(k+1)*size]...)
	}
	return out
}

// columns keeps some of the input channels of a convolution.
func columns(n *network.Node, keep []int) {
	taps := n.Kernel * n.Kernel
	size := len(n.Weights) / n.Out
	var weights []float32
	var mask []uint8
	for o := range n.Out {
		weights = append(weights, rows(n.Weights[o*size:(o+1)*size], keep, taps)...)
		if n.Mask != nil {
			mask = append(mask, rows(n.Mask[o*size:(o+1)*size], keep, taps)...)
		}
	}
	n.Weights, n.Mask = weights, mask
}
