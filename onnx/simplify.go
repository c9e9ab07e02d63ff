package onnx

import (
	"slices"

	"evosr/network"
)

// simplify makes a graph smaller that computes the same: what follows a
// convolution channel by channel moves into its weights, and so does the border
// that was put around its input; activations that were written as several nodes
// become one, and what nothing reads goes. Pictures are multiplied by white on the
// way in and divided by it on the way out.
//
// The last node is the picture that goes out. The graph need not be valid yet,
// but its inputs are nodes before.
func simplify(g *network.Graph, white float32) {
	if white != 1 {
		scaled(g, white)
	}
	clean(g)
	r := newRewriter(g)
	for i := range g.Nodes {
		switch n := &g.Nodes[i]; n.Op {
		case network.OpMul, network.OpDiv:
			r.recognise(i)
		case network.OpSub:
			r.prelu(i)
		case network.OpPad:
			r.join(i)
		case network.OpConv:
			r.border(i)
			r.gain(i)
		case network.OpAffine:
			if r.recognise(i); n.Op == network.OpAffine {
				r.affine(i)
			}
		}
	}
	clean(g)
}

// scaled puts the multiplication and the division around a graph.
func scaled(g *network.Graph, white float32) {
	for i := range g.Nodes {
		in := g.Nodes[i].Inputs
		for k, j := range in {
			in[k] = j + 1 // the picture becomes node 0
		}
	}
	names := map[string]bool{}
	for i := range g.Nodes {
		names[g.Nodes[i].Name] = true
	}
	g.Nodes = slices.Insert(g.Nodes, 0, network.Node{Name: fresh(names, "range/in"), Op: network.OpAffine, Inputs: []int{network.Picture}, Gain: []float32{white}})
	g.Nodes = append(g.Nodes, network.Node{Name: fresh(names, "range/out"), Op: network.OpAffine, Inputs: []int{len(g.Nodes) - 1}, Gain: []float32{1 / white}})
}

// rewriter changes a graph in place. A node that lost its readers stays until
// clean.
type rewriter struct {
	g    *network.Graph
	uses []int // how many nodes read each
}

// newRewriter counts the readers of every node; the last one has the outside.
func newRewriter(g *network.Graph) *rewriter {
	r := &rewriter{g: g, uses: make([]int, len(g.Nodes))}
	r.uses[len(r.uses)-1]++
	for i := range g.Nodes {
		for _, j := range g.Nodes[i].Inputs {
			r.use(j, 1)
		}
	}
	return r
}

// use counts n readers of node j more or less; one without any reads nothing.
func (r *rewriter) use(j, n int) {
	if j == network.Picture {
		return
	}
	if r.uses[j] += n; r.uses[j] == 0 {
		for _, k := range r.g.Nodes[j].Inputs {
			r.use(k, -1)
		}
	}
}

// redirect makes a node read j in place of what it read as input k.
func (r *rewriter) redirect(n *network.Node, k, j int) {
	was := n.Inputs[k]
	n.Inputs[k] = j
	r.use(j, 1)
	r.use(was, -1)
}

// input gives the node that input k of n is, nil for the picture.
func (r *rewriter) input(n *network.Node, k int) *network.Node {
	if j := n.Inputs[k]; j != network.Picture {
		return &r.g.Nodes[j]
	}
	return nil
}

// prelu recognises max(x, 0) - slope*max(-x, 0), which the portable form has.
func (r *rewriter) prelu(i int) {
	n := &r.g.Nodes[i]
	relu := func(n *network.Node) bool { return n != nil && n.Op == network.OpActivate && n.Act == network.ActReLU }
	gain := func(n *network.Node) bool {
		return n != nil && n.Op == network.OpAffine && len(n.Gain) > 0 && len(n.Bias) == 0
	}
	positive, sloped := r.input(n, 0), r.input(n, 1)
	if !relu(positive) || !gain(sloped) {
		return
	}
	negative := r.input(sloped, 0)
	if !relu(negative) {
		return
	}
	if minus := r.input(negative, 0); gain(minus) && slices.Equal(minus.Gain, []float32{-1}) && minus.Inputs[0] == positive.Inputs[0] {
		r.activation(i, network.ActPReLU, minus.Inputs[0], sloped.Gain)
	}
}

// activation makes node i an activation of node x.
func (r *rewriter) activation(i int, act network.Act, x int, slope []float32) {
	n := &r.g.Nodes[i]
	r.use(x, 1)
	for _, j := range n.Inputs {
		r.use(j, -1)
	}
	*n = network.Node{Name: n.Name, Op: network.OpActivate, Act: act, Slope: slope, Inputs: []int{x}}
}

// join makes one Pad of two with edge values, one of columns and one of rows.
func (r *rewriter) join(i int) {
	n := &r.g.Nodes[i]
	p := r.input(n, 0)
	if p == nil || p.Op != network.OpPad || p.Border != network.Edge || n.Border != network.Edge {
		return
	}
	sum := n.Pad
	for k, v := range p.Pad {
		sum[k] += v
	}
	if slices.Max(sum[:]) <= network.MaxPad {
		n.Pad = sum
		r.redirect(n, 0, p.Inputs[0])
	}
}

// border moves a Pad of zeros or edge values into the convolution behind it.
func (r *rewriter) border(i int) {
	n := &r.g.Nodes[i]
	p := r.input(n, 0)
	if p == nil || p.Op != network.OpPad || n.Pad != [4]int{} || n.Kernel%2 == 0 || max(p.Pad[0], p.Pad[1], p.Pad[2], p.Pad[3]) >= n.Kernel {
		return
	}
	if p.Border != network.Edge && (p.Border != network.Zeros || p.Value != 0) {
		return
	}
	n.Pad, n.Border = p.Pad, p.Border
	r.redirect(n, 0, p.Inputs[0])
}

// per gives value c of a list that holds one for all channels or one for each.
func per(list []float32, c int, preset float32) float32 {
	switch len(list) {
	case 0:
		return preset
	case 1:
		return list[0]
	}
	return list[c]
}

// gain moves a multiplication of the input into a convolution. A sum before it
// must stay: it would not hold for the zeros around.
func (r *rewriter) gain(i int) {
	n := &r.g.Nodes[i]
	a := r.input(n, 0)
	if a == nil || a.Op != network.OpAffine || len(a.Bias) != 0 || len(a.Gain) == 0 {
		return
	}
	_, groups := n.Inside()
	taps := n.Kernel * n.Kernel
	in := len(n.Weights) / max(n.Out*taps, 1) // channels of a group
	weights := slices.Clone(n.Weights)
	for at := range weights {
		filter := at / (in * taps)
		c := filter/(n.Out/groups)*in + at/taps%in
		weights[at] *= per(a.Gain, c, 1)
	}
	if notFinite(weights) >= 0 {
		return
	}
	n.Weights = weights
	r.redirect(n, 0, a.Inputs[0])
}

// affine moves gain*x + bias into the convolution or the affine node before it,
// where nothing else reads that.
func (r *rewriter) affine(i int) {
	n := &r.g.Nodes[i]
	c := r.input(n, 0)
	if c == nil || r.uses[n.Inputs[0]] != 1 {
		return
	}
	out := c.Out
	switch c.Op {
	case network.OpConv, network.OpDeconv:
	case network.OpAffine:
		out = max(len(c.Gain), len(c.Bias), len(n.Gain), len(n.Bias))
	default:
		return
	}
	bias := make([]float32, out)
	for k := range bias {
		bias[k] = per(n.Gain, k, 1)*per(c.Bias, k, 0) + per(n.Bias, k, 0)
	}
	merged := *c
	switch {
	case c.Op == network.OpAffine:
		merged.Gain = make([]float32, out)
		for k := range merged.Gain {
			merged.Gain[k] = per(n.Gain, k, 1) * per(c.Gain, k, 1)
		}
	case len(n.Gain) > 0:
		merged.Weights = slices.Clone(c.Weights)
		_, groups := c.Inside()
		taps := c.Kernel * c.Kernel
		columns := c.Out / groups // of a Deconv: output channels of a group
		in := len(c.Weights) / max(columns*taps, 1)
		for at := range merged.Weights {
			k := at / (len(c.Weights) / c.Out) // Conv: rows are outputs
			if c.Op == network.OpDeconv {
				row := at / (columns * taps)
				k = row/(in/groups)*columns + at/taps%columns
			}
			merged.Weights[at] *= per(n.Gain, k, 1)
		}
	}
	if notFinite(bias) >= 0 || notFinite(merged.Gain) >= 0 || notFinite(merged.Weights) >= 0 {
		return
	}
	merged.Bias = nil
	if slices.ContainsFunc(bias, func(x float32) bool { return x != 0 }) {
		merged.Bias = bias
	}
	// The node takes the place of both, so that those behind it find it.
	merged.Inputs = slices.Clone(c.Inputs)
	r.use(merged.Inputs[0], 1)
	r.use(n.Inputs[0], -1)
	*n = merged
	if n.Op == network.OpAffine {
		r.affine(i)
	}
}

// clean takes out what does not reach the last node.
func clean(g *network.Graph) {
	last := len(g.Nodes) - 1
	needed := make([]bool, len(g.Nodes))
	needed[last] = true
	for i := last; i >= 0; i-- {
		for _, j := range g.Nodes[i].Inputs {
			if j != network.Picture && needed[i] {
				needed[j] = true
			}
		}
	}
	place := make([]int, len(g.Nodes))
	var kept []network.Node
	for i, n := range g.Nodes {
		if !needed[i] {
			continue
		}
		for k, j := range n.Inputs {
			if j != network.Picture {
				n.Inputs[k] = place[j]
			}
		}
		place[i] = len(kept)
		kept = append(kept, n)
	}
	g.Nodes = kept
}
