package network

// Reads is how many channels node i reads of its first input.
func (g *Graph) Reads(i int) int {
	if j := g.Nodes[i].Inputs[0]; j != Picture {
		return g.Channels()[j]
	}
	return g.Colors
}

// Fill gives every convolution weights that draw makes, one after the other, and
// biases of 0, and prunes it as its Prune says: a network without having been
// trained. fan is the number of products that an output of the node sums.
func (g *Graph) Fill(draw func(n *Node, fan int) float32) {
	var masker Masker
	channels := g.Channels()
	for i := range g.Nodes {
		n, in := &g.Nodes[i], g.Colors
		if n.Inputs[0] != Picture {
			in = channels[n.Inputs[0]]
		}
		size := n.Size(in)
		if size == 0 {
			continue
		}
		_, groups := n.Inside()
		n.Weights, n.Bias, n.Mask = make([]float32, size), make([]float32, n.Out), nil
		for j := range n.Weights {
			n.Weights[j] = draw(n, in/groups*n.Kernel*n.Kernel)
		}
		if n.Prune.Scheme == Dense || n.Op != OpConv || groups > 1 {
			continue
		}
		n.Mask = make([]uint8, size)
		masker.Mask(n.Mask, n.Weights, n.Out, in, n.Kernel, n.Prune)
		for j, keep := range n.Mask {
			if keep == 0 {
				n.Weights[j] = 0
			}
		}
	}
}
