package network

import (
	"slices"
)

// Origin is what a convolution was before Eliminate took channels from it. The
// zero value says that it is as it was given.
type Origin struct {
	Weights int     // kept or not
	Density float64 // kept weights / all weights
}

// KeptMask is the node's mask, or what stands in for it: without one, weights
// that are exactly zero are taken as pruned, which is how pruned networks come
// from other tools. A layer of nothing but zeros is one that was never trained:
// it stays dense, so that its cost is not mistaken. The caller must not change it.
func (n *Node) KeptMask() []uint8 {
	if n.Mask != nil {
		return n.Mask
	}
	mask := make([]uint8, len(n.Weights))
	any := false
	for i, w := range n.Weights {
		if w != 0 {
			mask[i], any = 1, true
		}
	}
	if !any {
		for i := range mask {
			mask[i] = 1
		}
	}
	return mask
}

// Eliminate gives a smaller graph that computes the same; what stays as it is
// shares its weights with g, which must be valid.
//
// A channel goes when nothing reads it, or when it is zero whatever the picture
// is. Operations that combine channels one by one keep the same ones on both
// sides, so that one of them may stay with no weight kept. A sum of something
// and zeros, and a ReLU behind a ReLU, is passed by. Channels that are constant
// but not zero stay: the zeros around them make folding them into the next bias
// wrong at the picture's edge. Grouped convolutions that are not depthwise keep
// all channels.
func (g *Graph) Eliminate() *Graph {
	const rounds = 64 // each takes something away; few are ever needed
	for range rounds {
		e := newElimination(g)
		e.constants()
		e.needs()
		e.align()
		small := e.rebuild()
		if !e.changed {
			return small
		}
		g = small
	}
	return g
}

// elimination is one round: what is known of every channel of every node.
type elimination struct {
	g        *Graph
	channels []int
	fine     []bool      // the output is as large as the picture
	masks    [][]uint8   // of convolutions
	link     [][]bool    // of convolutions: (output, input of its group), whether a weight joins them
	known    [][]bool    // the channel has the same value everywhere, for every picture
	value    [][]float64 // of known channels
	need     [][]bool    // the output depends on the channel
	forced   []bool      // the node must be there, needed or not
	used     []bool
	offset   []int // of a node's channels in class
	class    []int // union-find over all channels: those that go together
	keep     [][]bool
	changed  bool // a node was passed by, so that more may go
}

func newElimination(g *Graph) *elimination {
	n := len(g.Nodes)
	e := &elimination{
		g: g, channels: g.Channels(), fine: make([]bool, n), masks: make([][]uint8, n), link: make([][]bool, n), known: make([][]bool, n), value: make([][]float64, n),
		need: make([][]bool, n), forced: make([]bool, n), used: make([]bool, n), offset: make([]int, n), keep: make([][]bool, n),
	}
	const side = 960
	sizes, err := g.Sizes(side, side)
	sum := 0
	for i := range g.Nodes {
		c := e.channels[i]
		e.fine[i] = err == nil && sizes[i] == [2]int{side, side}
		e.known[i], e.value[i], e.need[i] = make([]bool, c), make([]float64, c), make([]bool, c)
		e.offset[i] = sum
		sum += c
	}
	e.class = make([]int, sum)
	for i := range e.class {
		e.class[i] = i
	}
	return e
}

// puts is how many channels a node or the picture has.
func (e *elimination) puts(i int) int {
	if i == Picture {
		return e.g.Colors
	}
	return e.channels[i]
}

// zero says whether a channel of a node or of the picture is zero everywhere.
func (e *elimination) zero(i, c int) bool {
	return i != Picture && e.known[i][c] && e.value[i][c] == 0
}

// depthwise says whether every output of a convolution reads the input of the
// same index alone.
func (e *elimination) depthwise(n *Node) bool {
	_, groups := n.Inside()
	return n.Op == OpConv && groups > 1 && groups == n.Out && groups == e.puts(n.Inputs[0])
}

// joined gives the weights between output o and input c of the group of o as
// places in Weights: first, and how many lie side by side.
func (e *elimination) joined(n *Node, o, c int) (first, count int) {
	kk := n.Kernel * n.Kernel
	in := e.puts(n.Inputs[0])
	_, groups := n.Inside()
	if n.Op == OpDeconv { // (input, output/groups)
		return (c*(n.Out/groups) + o%(n.Out/groups)) * kk, kk
	}
	return (o*(in/groups) + c) * kk, kk
}

// links finds which pairs of channels of a convolution a kept weight joins.
func (e *elimination) links(i int) {
	n := &e.g.Nodes[i]
	_, groups := n.Inside()
	in := e.puts(n.Inputs[0]) / groups
	e.masks[i], e.link[i] = n.KeptMask(), make([]bool, n.Out*in)
	for o := range n.Out {
		for c := range in {
			first, count := e.joined(n, o, c)
			e.link[i][o*in+c] = slices.Contains(e.masks[i][first:first+count], 1)
		}
	}
}

// constants finds the channels that have one value everywhere.
func (e *elimination) constants() {
	for i := range e.g.Nodes {
		n := &e.g.Nodes[i]
		from := n.Inputs[0]
		set := func(c int, known bool, value float64) {
			if e.known[i][c] = known; known {
				e.value[i][c] = value
			}
		}
		of := func(k, c int) (bool, float64) { // of input k
			j := n.Inputs[k]
			if j == Picture {
				return false, 0
			}
			c = min(c, e.channels[j]-1)
			return e.known[j][c], e.value[j][c]
		}
		if pair := n.Op.Pair(); pair != nil {
			for c := range e.channels[i] {
				p, a := of(0, c)
				q, b := of(1, c)
				v, nothing := pair(a, b), n.Op == OpMul && (p && a == 0 || q && b == 0)
				set(c, (p && q || nothing) && v-v == 0, v)
			}
			continue
		}
		switch n.Op {
		case OpConv, OpDeconv:
			e.links(i)
			_, groups := n.Inside()
			in := e.puts(from) / groups
			for o := range n.Out {
				row := e.link[i][o*in : (o+1)*in]
				for c := range row {
					row[c] = row[c] && !e.zero(from, o/(n.Out/groups)*in+c)
				}
				set(o, !slices.Contains(row, true), n.bias(o))
			}
		case OpActivate, OpAffine:
			for c := range e.channels[i] {
				p, a := of(0, c)
				v := n.at(c, a)
				set(c, p && v-v == 0, v)
			}
		case OpConcat:
			at := 0
			for k := range n.Inputs {
				for c := range e.puts(n.Inputs[k]) {
					p, a := of(k, c)
					set(at+c, p, a)
				}
				at += e.puts(n.Inputs[k])
			}
		case OpSlice:
			for c := range n.Out {
				p, a := of(0, n.From+c)
				set(c, p, a)
			}
		case OpShuffle:
			for c := range e.channels[i] {
				p, a := of(0, n.shuffled(c, 0, e.channels[i]))
				for k := range n.Factor * n.Factor {
					q, b := of(0, n.shuffled(c, k, e.channels[i]))
					p = p && q && a == b
				}
				set(c, p, a)
			}
		case OpPad, OpMaxPool, OpAvgPool, OpResize:
			for c := range e.channels[i] {
				p, a := of(0, c)
				set(c, p && (n.Op != OpPad || n.Border != Zeros || float64(n.Value) == a) && !(n.Counted && a != 0), a)
			}
		}
	}
}

// shuffled is the input channel of part k of a cell of output channel c.
func (n *Node) shuffled(c, k, channels int) int {
	if n.DCR {
		return k*channels + c
	}
	return c*n.Factor*n.Factor + k
}

// needs finds the channels that the output depends on, and the nodes that must
// stay.
func (e *elimination) needs() {
	last := len(e.g.Nodes) - 1
	for c := range e.need[last] {
		e.need[last][c] = true
	}
	want := func(j, c int) {
		if j != Picture {
			e.need[j][min(c, e.channels[j]-1)] = true
		}
	}
	force := func(j int) {
		if j != Picture {
			e.forced[j] = true
		}
	}
	for i := last; i >= 0; i-- {
		n := &e.g.Nodes[i]
		for c := range e.need[i] {
			e.need[i][c] = e.need[i][c] && (!e.zero(i, c) || i == last)
		}
		if e.used[i] = e.forced[i] || slices.Contains(e.need[i], true); !e.used[i] {
			continue
		}
		from := n.Inputs[0]
		_, groups := n.Inside()
		switch n.Op {
		case OpConv, OpDeconv:
			in := e.puts(from) / groups
			for o, needed := range e.need[i] {
				for c, is := range e.link[i][o*in : (o+1)*in] {
					if needed && is {
						want(from, o/(n.Out/groups)*in+c)
					}
				}
			}
			if groups > 1 || from != Picture && !e.fine[from] { // the picture cannot stand in for it
				force(from)
			}
			continue
		case OpConcat:
			at := 0
			for _, j := range n.Inputs {
				for c := range e.puts(j) {
					if e.need[i][at+c] {
						want(j, c)
					}
				}
				at += e.puts(j)
			}
		case OpSlice:
			for c := range n.Out {
				if e.need[i][c] {
					want(from, n.From+c)
				}
			}
		case OpShuffle:
			for c := range e.need[i] {
				for k := range n.Factor * n.Factor {
					if e.need[i][c] {
						want(from, n.shuffled(c, k, e.channels[i]))
					}
				}
			}
		case OpAdd, OpSub:
			for c := range e.need[i] {
				for _, j := range n.Inputs {
					if e.need[i][c] {
						want(j, c)
					}
				}
			}
			if j := e.skipped(i); j >= 0 {
				force(j)
				continue
			}
		default:
			for c := range e.need[i] {
				if e.need[i][c] {
					want(from, c)
					if len(n.Inputs) > 1 && n.Op != OpResize {
						want(n.Inputs[1], c)
					}
				}
			}
		}
		for _, j := range n.Inputs {
			force(j)
		}
	}
}

// skippable says whether a sum is its other operand, because operand k is zero.
func (e *elimination) skippable(i, k int) bool {
	n := &e.g.Nodes[i]
	j, other := n.Inputs[k], n.Inputs[1-k]
	if i == len(e.g.Nodes)-1 || j == Picture || other == Picture || n.Op == OpSub && k == 0 || e.channels[other] != e.channels[i] {
		return false
	}
	for c := range e.channels[j] {
		if !e.zero(j, c) {
			return false
		}
	}
	return true
}

// skipped is the operand that a sum passes on, or -1.
func (e *elimination) skipped(i int) int {
	if op := e.g.Nodes[i].Op; op == OpAdd || op == OpSub {
		for k := range 2 {
			if e.skippable(i, k) {
				return e.g.Nodes[i].Inputs[1-k]
			}
		}
	}
	return -1
}

func (e *elimination) find(x int) int {
	for e.class[x] != x {
		e.class[x] = e.class[e.class[x]]
		x = e.class[x]
	}
	return x
}

// align decides which channels stay: all of a class, if any of it must.
func (e *elimination) align() {
	pinned := map[int]bool{}
	pin := func(i int) {
		if i != Picture {
			for c := range e.channels[i] {
				pinned[e.offset[i]+c] = true
			}
		}
	}
	join := func(i, c, j, d int) {
		if j == Picture {
			pinned[e.offset[i]+c] = true
			return
		}
		e.class[e.find(e.offset[i]+c)] = e.find(e.offset[j] + d)
	}
	pin(len(e.g.Nodes) - 1)
	for i := range e.g.Nodes {
		n := &e.g.Nodes[i]
		if !e.used[i] {
			continue
		}
		from := n.Inputs[0]
		_, groups := n.Inside()
		switch n.Op {
		case OpConv, OpDeconv:
			if e.depthwise(n) {
				for c := range n.Out {
					join(i, c, from, c)
				}
			} else if groups > 1 {
				pin(i)
				pin(from)
			}
		case OpConcat:
			at := 0
			for _, j := range n.Inputs {
				for c := range e.puts(j) {
					join(i, at+c, j, c)
				}
				at += e.puts(j)
			}
		case OpSlice:
			for c := range n.Out {
				join(i, c, from, n.From+c)
			}
		case OpShuffle:
			for c := range e.channels[i] {
				for k := range n.Factor * n.Factor {
					join(i, c, from, n.shuffled(c, k, e.channels[i]))
				}
			}
		default:
			if n.Op.Pair() != nil {
				for k, j := range n.Inputs {
					if e.puts(j) != e.channels[i] || e.skipped(i) >= 0 && e.skipped(i) != n.Inputs[k] {
						pin(j) // one for all, or passed by
						continue
					}
					for c := range e.channels[i] {
						join(i, c, j, c)
					}
				}
				break
			}
			for c := range e.channels[i] {
				join(i, c, from, c)
			}
		}
	}
	stays := make([]bool, len(e.class))
	for i := range e.g.Nodes {
		first := e.forced[i] && !slices.Contains(e.need[i], true) // something of it must be there
		for c, needed := range e.need[i] {
			if at := e.offset[i] + c; needed || pinned[at] || first && c == 0 {
				stays[e.find(at)] = true
			}
		}
	}
	for i := range e.g.Nodes {
		e.keep[i] = make([]bool, e.channels[i])
		for c := range e.keep[i] {
			e.keep[i][c] = stays[e.find(e.offset[i]+c)]
		}
	}
}

// rebuild writes what stays.
func (e *elimination) rebuild() *Graph {
	out := &Graph{Scale: e.g.Scale, Colors: e.g.Colors, Genome: e.g.Genome}
	place := make([]int, len(e.g.Nodes))
	last := len(e.g.Nodes) - 1
	for i := range e.g.Nodes {
		if !e.used[i] {
			continue
		}
		n := e.g.Nodes[i] // a copy
		if j := e.skipped(i); j >= 0 {
			place[i], e.changed = place[j], true
			continue
		}
		kept := indices(e.keep[i])
		inputs := make([]int, len(n.Inputs))
		for k, j := range n.Inputs {
			switch {
			case j == Picture:
				inputs[k] = Picture
			case !e.used[j]: // only a convolution's may be: it reads nothing but zeros
				inputs[k], n.Border = Picture, Edge
			default:
				inputs[k] = place[j]
			}
		}
		switch n.Op {
		case OpConv, OpDeconv:
			e.shrink(i, &n, kept)
		case OpSlice:
			if j := n.Inputs[0]; j != Picture {
				n.From = len(indices(e.keep[j][:n.From]))
			}
			n.Out = len(kept)
		default:
			n.Bias, n.Slope, n.Gain = pick(n.Bias, kept), pick(n.Slope, kept), pick(n.Gain, kept)
		}
		n.Inputs = inputs
		if n.Op == OpActivate && inputs[0] >= 0 && i != last && (n.Act == ActReLU || n.Act == ActPReLU) {
			if was := &out.Nodes[inputs[0]]; was.Op == OpActivate && was.Act == ActReLU {
				place[i], e.changed = inputs[0], true
				continue
			}
		}
		place[i] = len(out.Nodes)
		out.Nodes = append(out.Nodes, n)
	}
	return out
}

// indices lists where keep is true.
func indices(keep []bool) []int {
	list := make([]int, 0, len(keep))
	for i, is := range keep {
		if is {
			list = append(list, i)
		}
	}
	return list
}

// pick is the values of a list by channel that stay; lists of one are for all.
func pick(list []float32, kept []int) []float32 {
	if len(list) < 2 || len(kept) == len(list) {
		return list
	}
	to := make([]float32, len(kept))
	for i, c := range kept {
		to[i] = list[c]
	}
	return to
}

// shrink gives convolution i only the channels that stay. Weights from channels
// that are zero, and of outputs that nothing needs, are no longer kept.
func (e *elimination) shrink(i int, n *Node, outs []int) {
	mask, link, from := e.masks[i], e.link[i], n.Inputs[0]
	if n.Origin.Weights == 0 {
		n.Origin = Origin{len(mask), float64(count(mask)) / float64(len(mask))}
	}
	_, groups := n.Inside()
	in := e.puts(from) / groups
	ins := make([]int, 0, in)
	for c := range in {
		if groups > 1 || from == Picture || e.used[from] && e.keep[from][c] {
			ins = append(ins, c)
		}
	}
	width := len(ins)
	if from != Picture && !e.used[from] {
		width = e.g.Colors // the picture stands in, with no weight kept
	}
	to := *n
	to.Out = len(outs)
	if e.depthwise(n) {
		to.Groups = len(outs)
	}
	size := to.Out * width * n.Kernel * n.Kernel
	weights, kept, bias := make([]float32, size), make([]uint8, size), make([]float32, to.Out)
	same := size == len(n.Weights) && (from == Picture || e.used[from])
	for r, o := range outs {
		if e.known[i][o] {
			bias[r] = float32(e.value[i][o])
		} else if e.need[i][o] {
			bias[r] = float32(n.bias(o))
		}
		for c, was := range ins {
			first, count := e.joined(n, o, was)
			at := (r*width + c) * count
			if n.Op == OpDeconv {
				at = (c*(to.Out/groups) + r%(to.Out/groups)) * count
			}
			live := e.need[i][o] && link[o*in+was]
			for t := range count {
				if mask[first+t] == 0 {
					continue
				}
				if !live {
					same = false
					continue
				}
				weights[at+t], kept[at+t] = n.Weights[first+t], 1
			}
		}
	}
	if same {
		n.Mask = mask // and all else as it was
	} else {
		*n = to
		n.Weights, n.Mask, n.Bias = weights, kept, bias
	}
	if !slices.Contains(n.Mask, 0) {
		n.Mask = nil
	}
}
