package sparse

import (
	"slices"

	"evosr/network"
)

// constant is value c of a list with one entry, one for each channel, or none.
func constant(list []float32, c int, none float32) float32 {
	switch len(list) {
	case 0:
		return none
	case 1:
		return list[0]
	}
	return list[c]
}

// fold takes factors and offsets by channel into convolutions and into each
// other. Before a convolution that pads with zeros only factors go in: an offset
// would not be outside.
func fold(e *editor, n sketchNode, was int) int {
	if n.Inputs[0] < 0 {
		return e.add(n)
	}
	from := e.node(n.Inputs[0])
	alone := e.readers[e.was.nodes[was].Inputs[0]] == 1
	switch {
	case n.Op == network.OpAffine && from.Op == network.OpConv && alone && e.afford(len(from.Weights)+from.Out):
		conv := *from
		per := len(conv.Weights) / conv.Out
		conv.Weights, conv.Bias = slices.Clone(conv.Weights), make([]float32, conv.Out)
		for o := range conv.Out {
			gain := constant(n.Gain, o, 1)
			for i := range per {
				conv.Weights[o*per+i] *= gain
			}
			conv.Bias[o] = constant(from.Bias, o, 0)*gain + constant(n.Bias, o, 0)
		}
		e.changes++
		return e.add(conv)
	case n.Op == network.OpAffine && from.Op == network.OpAffine && e.afford(2*e.channels(n.Inputs[0])):
		c := e.channels(n.Inputs[0])
		gain, bias := make([]float32, c), make([]float32, c)
		for i := range c {
			gain[i] = constant(from.Gain, i, 1) * constant(n.Gain, i, 1)
			bias[i] = constant(from.Bias, i, 0)*constant(n.Gain, i, 1) + constant(n.Bias, i, 0)
		}
		n.Gain, n.Bias, n.Inputs[0] = gain, bias, from.Inputs[0]
		e.changes++
		return e.add(n)
	case n.Op == network.OpConv && from.Op == network.OpAffine:
		offset := slices.ContainsFunc(from.Bias, func(v float32) bool { return v != 0 })
		inside := n.Pad == [4]int{} || n.Border == network.Edge
		if offset && !inside || n.Border == network.Edge && n.Pad != [4]int{} && from.Inputs[0] != network.Picture || !e.afford(len(n.Weights)+n.Out) {
			return e.add(n)
		}
		_, groups := n.Inside()
		ins, kk := e.channels(n.Inputs[0])/groups, n.Kernel*n.Kernel
		weights, bias := slices.Clone(n.Weights), make([]float32, n.Out)
		copy(bias, n.Bias)
		for o := range n.Out {
			for i := range ins {
				c := o/(n.Out/groups)*ins + i
				for t := range kk {
					at := (o*ins+i)*kk + t
					bias[o] += weights[at] * constant(from.Bias, c, 0)
					weights[at] *= constant(from.Gain, c, 1)
				}
			}
		}
		n.Weights, n.Bias, n.Inputs[0] = weights, bias, from.Inputs[0]
		e.changes++
		return e.add(n)
	}
	return e.add(n)
}

// sinkShuffle moves operations before a pixel shuffle that feeds them, so that
// the shuffle comes last: value by value they are the same on the shuffled
// channels, and a convolution of fine pixels is one of coarse pixels with
// factor² times the channels and no more multiplications.
func sinkShuffle(e *editor, n sketchNode, _ int) int {
	from := make([]*sketchNode, len(n.Inputs))
	for k, j := range n.Inputs {
		if from[k] = e.node(j); from[k] == nil || from[k].Op != network.OpShuffle || from[k].Factor != e.nodes[n.Inputs[0]].Factor || from[k].DCR != e.nodes[n.Inputs[0]].DCR {
			return e.add(n)
		}
	}
	f, dcr := from[0].Factor, from[0].DCR
	out, coarse := n, make([]int, len(n.Inputs))
	for k := range coarse {
		coarse[k] = from[k].Inputs[0]
	}
	out.Inputs = coarse
	switch n.Op {
	case network.OpActivate, network.OpAffine:
		if !e.afford((len(n.Slope) + len(n.Gain) + len(n.Bias)) * f * f) {
			return e.add(n)
		}
		out.Slope, out.Gain, out.Bias = spreadList(n.Slope, f, dcr), spreadList(n.Gain, f, dcr), spreadList(n.Bias, f, dcr)
	case network.OpConcat:
		if dcr {
			return e.add(n)
		}
	case network.OpSlice:
		if dcr {
			return e.add(n)
		}
		out.From, out.Out = n.From*f*f, n.Out*f*f
	case network.OpConv:
		coarser, ok := coarseConv(e, &n, e.channels(n.Inputs[0]), f, dcr)
		if !ok {
			return e.add(n)
		}
		coarser.Inputs = coarse
		out, dcr = coarser, true
	case network.OpShuffle:
		if n.Factor*f > network.MaxScale {
			return e.add(n)
		}
		at, ok := permute(e, coarse[0], shuffledTwice(e.channels(coarse[0]), f, n.Factor, dcr, n.DCR), n.Name)
		if !ok {
			return e.add(n)
		}
		e.changes++
		return e.add(shuffle(n.Name, at, n.Factor*f))
	default:
		if n.Op.Pair() == nil || e.channels(n.Inputs[0]) != e.channels(n.Inputs[1]) {
			return e.add(n)
		}
	}
	e.changes++
	fine := shuffle(n.Name+"/shuffle", e.add(out), f)
	fine.DCR = dcr
	return e.add(fine)
}

// spreadList repeats constants by channel for factor² shuffled channels.
func spreadList(list []float32, f int, dcr bool) []float32 {
	if len(list) < 2 {
		return list
	}
	if dcr {
		return slices.Repeat(list, f*f)
	}
	var all []float32
	for _, v := range list {
		all = append(all, slices.Repeat([]float32{v}, f*f)...)
	}
	return all
}

// coarseConv is a convolution of the pixels of a shuffle as one of what is
// shuffled. Its outputs are in DCR order: those of one phase read the same
// inputs, so that they share blocks.
func coarseConv(e *editor, n *sketchNode, in, f int, dcr bool) (sketchNode, bool) {
	stride, groups := n.Inside()
	r := n.Kernel / 2
	radius := (r + f - 1) / f
	side := 2*radius + 1
	ins, outs := in*f*f, n.Out*f*f
	if n.Kernel%2 == 0 || stride != 1 || n.Pad != [4]int{r, r, r, r} || n.Border != network.Zeros ||
		ins > network.MaxChannels || outs > network.MaxChannels || !e.afford(ins*outs*side*side) {
		return *n, false
	}
	to := *n
	to.Out, to.Kernel, to.Groups = outs, side, 1
	to.Pad = [4]int{radius, radius, radius, radius}
	to.Weights, to.Mask = make([]float32, ins*outs*side*side), make([]uint8, ins*outs*side*side)
	to.Bias = slices.Repeat(n.Bias, f*f)
	to.Origin.Weights *= f * f
	perGroup := in / groups
	for o := range n.Out {
		for c := range perGroup {
			channel := o/(n.Out/groups)*perGroup + c
			for t := range n.Kernel * n.Kernel {
				weight := (o*perGroup+c)*n.Kernel*n.Kernel + t
				for p := range f * f { // phase of the output pixel
					y, x := p/f+t/n.Kernel-r, p%f+t%n.Kernel-r // where it reads, in fine pixels
					dy, dx := floorDiv(y, f), floorDiv(x, f)
					phase := (y-dy*f)*f + x - dx*f
					from := channel*f*f + phase
					if dcr {
						from = phase*in + channel
					}
					at := (((p*n.Out+o)*ins+from)*side+dy+radius)*side + dx + radius
					to.Weights[at], to.Mask[at] = n.Weights[weight], n.Mask[weight]
				}
			}
		}
	}
	return to, true
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// shuffledTwice lists which channel, of those that are shuffled by f and then by
// g, is each channel of one shuffle by f*g that does the same.
func shuffledTwice(channels, f, g int, dcrF, dcrG bool) []int {
	both := f * g
	colors := channels / (both * both)
	list := make([]int, channels)
	for i := range list {
		color, y, x := i/(both*both), i/both%both, i%both
		middle := (color*g+y%g)*g + x%g // channel between the two
		if dcrG {
			middle = (y%g*g+x%g)*colors + color
		}
		list[i] = (middle*f+y/g)*f + x/g
		if dcrF {
			list[i] = (y/g*f+x/g)*(colors*g*g) + middle
		}
	}
	return list
}

// permute makes a node whose channel i is channel list[i] of node from, a
// convolution with its outputs in that order where it can.
func permute(e *editor, from int, list []int, name string) (at int, ok bool) {
	if from >= 0 {
		n := e.nodes[from]
		pick := func(values []float32) []float32 {
			if len(values) < len(list) {
				return values // one for all, or none
			}
			to := make([]float32, len(list))
			for i, c := range list {
				to[i] = values[c]
			}
			return to
		}
		switch _, groups := n.Inside(); {
		case n.Op == network.OpConv && groups == 1 && e.afford(len(n.Weights)+len(list)):
			per := len(n.Weights) / n.Out
			weights, mask := make([]float32, len(n.Weights)), make([]uint8, len(n.Weights))
			for i, c := range list {
				copy(weights[i*per:(i+1)*per], n.Weights[c*per:])
				copy(mask[i*per:(i+1)*per], n.Mask[c*per:])
			}
			n.Weights, n.Mask, n.Bias = weights, mask, pick(n.Bias)
			return e.add(n), true
		case (n.Op == network.OpActivate || n.Op == network.OpAffine) && e.afford(3*len(list)):
			if n.Inputs[0], ok = permute(e, n.Inputs[0], list, name); ok {
				n.Slope, n.Gain, n.Bias = pick(n.Slope), pick(n.Gain), pick(n.Bias)
				return e.add(n), true
			}
			return 0, false
		}
	}
	size := len(list) * len(list)
	if !e.afford(size) {
		return 0, false
	}
	n := sketchNode{Node: network.Node{Origin: network.Origin{Weights: len(list), Density: 1},
		Name: name + "/order", Op: network.OpConv, Inputs: []int{from}, Out: len(list), Kernel: 1,
		Weights: make([]float32, size), Mask: make([]uint8, size), Bias: make([]float32, len(list)),
	}}
	for i, c := range list {
		n.Weights[i*len(list)+c], n.Mask[i*len(list)+c] = 1, 1
	}
	return e.add(n), true
}
