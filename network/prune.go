package network

import "slices"

// Prune gives a copy of g with its convolutions pruned in one shot by p, by the
// L2 norm of the weights as they are, and the names of those that were. Grouped
// and transposed convolutions stay, and the pattern scheme leaves alone what is
// not 3x3. Unless ends is set, so do the first and the last convolutions on every
// way from the picture to the output, on which most depends. What was pruned
// before stays pruned. A filter takes its bias with it.
func (g *Graph) Prune(p Prune, ends bool) (pruned *Graph, layers []string) {
	out := &Graph{Scale: g.Scale, Colors: g.Colors, Nodes: slices.Clone(g.Nodes)}
	inner := g.inner()
	var masker Masker
	for i := range out.Nodes {
		n := &out.Nodes[i]
		if _, groups := n.Inside(); n.Op != OpConv || groups != 1 || !ends && !inner[i] || !p.Scheme.Prunes(n.Kernel) {
			continue
		}
		in := len(n.Weights) / (n.Out * n.Kernel * n.Kernel)
		mask := make([]uint8, len(n.Weights))
		masker.Mask(mask, n.Weights, n.Out, in, n.Kernel, p)
		n.Weights, n.Bias, n.Prune = slices.Clone(n.Weights), slices.Clone(n.Bias), p
		row := len(n.Weights) / n.Out
		for k := range mask {
			if n.Mask != nil && n.Mask[k] == 0 {
				mask[k] = 0
			}
			if mask[k] == 0 {
				n.Weights[k] = 0
			}
		}
		for o := range n.Bias {
			if p.Scheme == Filter && !slices.Contains(mask[o*row:(o+1)*row], 1) {
				n.Bias[o] = 0
			}
		}
		n.Mask = mask
		layers = append(layers, n.Name)
	}
	return out, layers
}

// inner says of every node whether there are convolutions before and behind it
// on some way.
func (g *Graph) inner() []bool {
	before, behind := make([]bool, len(g.Nodes)), make([]bool, len(g.Nodes))
	weighs := func(i int) bool { return g.Nodes[i].Op == OpConv || g.Nodes[i].Op == OpDeconv }
	for i := range g.Nodes {
		for _, j := range g.Nodes[i].Inputs {
			before[i] = before[i] || j != Picture && (before[j] || weighs(j))
		}
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		for _, j := range g.Nodes[i].Inputs {
			if j != Picture {
				behind[j] = behind[j] || behind[i] || weighs(i)
			}
		}
	}
	inner := make([]bool, len(g.Nodes))
	for i := range inner {
		inner[i] = before[i] && behind[i]
	}
	return inner
}
