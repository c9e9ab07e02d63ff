package onnx

import (
	"math"
	"slices"

	"evosr/network"
)

// Operators that compute value by value or of pairs of values, one method each.

func (im *importer) activate(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	op := network.Node{Op: network.OpActivate, Inputs: []int{src}}
	switch n.op {
	case "PRelu":
		k, err := im.floats(n, 1)
		if err != nil {
			return value{}, err
		}
		if op.Slope, err = im.channelwise(n, k, e.c); err != nil {
			return value{}, err
		}
		op.Act = network.ActPReLU
	case "Clip":
		op.Act = network.ActClip
		if op.Lo, op.Hi, err = im.limits(n); err != nil {
			return value{}, err
		}
	case "Gelu":
		switch a := n.word("approximate", "none"); a {
		case "none":
			op.Act = network.ActGELU
		case "tanh":
			op.Act = network.ActGELUTanh
		default:
			return value{}, im.bad(n, "is approximated by %s, want none or tanh", quote(a))
		}
	}
	return im.append(n, op, e)
}

// limits reads the range of a Clip, which was in attributes before set 11.
func (im *importer) limits(n *node) (lo, hi float32, err error) {
	list := [2]float32{float32(math.Inf(-1)), float32(math.Inf(1))}
	for i, name := range []string{"min", "max"} {
		if im.opset < 11 {
			list[i] = n.fraction(name, list[i])
			continue
		}
		if !n.has(1 + i) {
			continue
		}
		k, err := im.floats(n, 1+i)
		if err != nil {
			return 0, 0, err
		}
		if len(k.floats) != 1 {
			return 0, 0, im.bad(n, "has %d values as %s, want one", len(k.floats), name)
		}
		list[i] = k.floats[0]
	}
	if !(list[0] <= list[1]) {
		return 0, 0, im.bad(n, "clips to %v to %v, want a range", list[0], list[1])
	}
	return list[0], list[1], nil
}

// hardSigmoid is max(0, min(1, alpha*x + beta)).
func (im *importer) hardSigmoid(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	return im.ramp(n, src, e, n.fraction("alpha", 0.2), n.fraction("beta", 0.5))
}

func (im *importer) ramp(n *node, src int, e extent, alpha, beta float32) (value, error) {
	v, err := im.append(n, network.Node{Op: network.OpAffine, Inputs: []int{src}, Gain: []float32{alpha}, Bias: []float32{beta}}, e)
	if err != nil {
		return v, err
	}
	return im.append(n, network.Node{Op: network.OpActivate, Inputs: []int{v.node}, Act: network.ActClip, Lo: 0, Hi: 1}, e)
}

// channelwise reads a constant that is one number, or one for each channel.
func (im *importer) channelwise(n *node, k *constant, channels int64) ([]float32, error) {
	d := k.dims
	if len(d) == 4 && d[0] == 1 {
		d = d[1:]
	}
	switch {
	case len(k.floats) == 1:
	case len(d) == 3 && d[0] == channels && d[1] == 1 && d[2] == 1:
	default:
		return nil, im.bad(n, "has a constant %v, want one number or [%d 1 1], one for each channel", k.dims, channels)
	}
	return slices.Clone(k.floats), nil
}

// arithmetic takes Add, Sub, Mul and Div of two computed values, or of one and a
// constant.
func (im *importer) arithmetic(n *node) (value, error) {
	if len(n.inputs) != 2 {
		return value{}, im.bad(n, "has %d inputs, want two", len(n.inputs))
	}
	a, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	b, err := im.get(n, 1)
	if err != nil {
		return value{}, err
	}
	switch {
	case a.constant():
		return im.withConstant(n, 1, 0)
	case b.constant():
		return im.withConstant(n, 0, 1)
	}
	return im.join(n, map[string]network.Op{"Add": network.OpAdd, "Sub": network.OpSub, "Mul": network.OpMul, "Div": network.OpDiv}[n.op], 0, 1)
}

// join combines two computed inputs.
func (im *importer) join(n *node, op network.Op, i, j int) (value, error) {
	a, ea, err := im.read(n, i)
	if err != nil {
		return value{}, err
	}
	b, eb, err := im.read(n, j)
	if err != nil {
		return value{}, err
	}
	return im.joined(n, op, a, b, ea, eb)
}

func (im *importer) joined(n *node, op network.Op, a, b int, ea, eb extent) (value, error) {
	if im.pixel[a] && !im.pixel[b] {
		ea.h, ea.w = eb.h, eb.w
	} else if im.pixel[b] && !im.pixel[a] {
		eb.h, eb.w = ea.h, ea.w
	}
	if ea.h != eb.h || ea.w != eb.w || ea.c != eb.c && ea.c != 1 && eb.c != 1 {
		return value{}, im.bad(n, "takes %d channels of %s and %d of %s, want as many of one size, or one channel", ea.c, im.size(ea), eb.c, im.size(eb))
	}
	e := ea
	e.c = max(ea.c, eb.c)
	return im.append(n, network.Node{Op: op, Inputs: []int{a, b}}, e)
}

// withConstant takes a computed input i with the constant j: gain*x + bias.
func (im *importer) withConstant(n *node, i, j int) (value, error) {
	src, e, err := im.read(n, i)
	if err != nil {
		return value{}, err
	}
	k, err := im.floats(n, j)
	if err != nil {
		return value{}, err
	}
	list, err := im.channelwise(n, k, e.c)
	if err != nil {
		return value{}, err
	}
	op := network.Node{Op: network.OpAffine, Inputs: []int{src}}
	switch {
	case n.op == "Mul":
		op.Gain = list
	case n.op == "Add":
		op.Bias = list
	case n.op == "Sub" && j == 1:
		op.Bias = mapped(list, func(x float32) float32 { return -x })
	case n.op == "Sub":
		op.Bias, op.Gain = list, []float32{-1}
	case j == 1:
		op.Gain = mapped(list, func(x float32) float32 { return 1 / x })
		if notFinite(op.Gain) >= 0 {
			return value{}, im.bad(n, "divides by 0")
		}
	default: // a/x
		v, err := im.append(n, network.Node{Op: network.OpActivate, Act: network.ActReciprocal, Inputs: []int{src}}, e)
		if err != nil {
			return v, err
		}
		op.Gain, op.Inputs = list, []int{v.node}
	}
	return im.append(n, op, e)
}

func mapped(list []float32, f func(float32) float32) []float32 {
	for i, x := range list {
		list[i] = f(x)
	}
	return list
}

func (im *importer) negate(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	return im.append(n, network.Node{Op: network.OpAffine, Inputs: []int{src}, Gain: []float32{-1}}, e)
}

// many takes Sum, Mean, Max and Min of any number of values, two at a time.
func (im *importer) many(n *node) (value, error) {
	op := map[string]network.Op{"Sum": network.OpAdd, "Mean": network.OpAdd, "Max": network.OpMax, "Min": network.OpMin}[n.op]
	var v value
	var constants []int
	first := true
	for k := range n.inputs {
		got, err := im.get(n, k)
		if err != nil {
			return value{}, err
		}
		if got.constant() {
			constants = append(constants, k)
			continue
		}
		b, eb, err := im.read(n, k)
		if err != nil {
			return value{}, err
		}
		if first {
			v, first = value{node: b, axes: eb.axes()}, false
		} else if v, err = im.joined(n, op, v.node, b, im.extent(v.node), eb); err != nil {
			return value{}, err
		}
	}
	if first {
		_, _, err := im.read(n, 0) // says why not
		return value{}, err
	}
	for _, k := range constants {
		var err error
		if v, err = im.limit(n, op, v, k); err != nil {
			return value{}, err
		}
	}
	if n.op == "Mean" {
		share := 1 / float32(len(n.inputs))
		return im.append(n, network.Node{Op: network.OpAffine, Gain: []float32{share}, Inputs: []int{v.node}}, im.extent(v.node))
	}
	return v, nil
}

// softmax is exp(x - the largest channel) through its sum over the channels.
func (im *importer) softmax(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	if im.opset < 13 {
		return value{}, im.bad(n, "takes shares of all values of a picture, as it does before set 13, want those of the channels")
	}
	if err := im.channelAxis(n, n.number("axis", -1)); err != nil {
		return value{}, err
	}
	most, err := im.extreme(n, network.OpMax, src, e)
	if err != nil {
		return value{}, err
	}
	one := extent{1, e.h, e.w}
	var v value
	for _, step := range []struct {
		op network.Node
		e  extent
	}{
		{network.Node{Op: network.OpSub, Inputs: []int{src, most.node}}, e},
		{network.Node{Op: network.OpActivate, Act: network.ActExp}, e},
		{network.Node{Op: network.OpConv, Out: 1, Kernel: 1, Weights: slices.Repeat([]float32{1}, int(e.c))}, one},
		{network.Node{Op: network.OpDiv}, e},
	} {
		switch {
		case step.op.Op == network.OpDiv:
			step.op.Inputs = []int{v.node - 1, v.node}
		case step.op.Inputs == nil:
			step.op.Inputs = []int{v.node}
		}
		if v, err = im.append(n, step.op, step.e); err != nil {
			return v, err
		}
	}
	return v, nil
}

// tile repeats channels.
func (im *importer) tile(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	times, err := im.ints(n, 1)
	if err != nil {
		return value{}, err
	}
	if len(times) != 4 || times[0] != 1 || times[2] != 1 || times[3] != 1 || times[1] < 1 || times[1] > network.MaxChannels {
		return value{}, im.bad(n, "repeats %s times, want [1 n 1 1]", few(times))
	}
	if times[1] == 1 {
		return value{node: src, axes: e.axes()}, nil
	}
	out := e
	out.c *= times[1]
	return im.append(n, network.Node{Op: network.OpConcat, Inputs: slices.Repeat([]int{src}, int(times[1]))}, out)
}

// limit combines a value with the constant that is input k: a sum, or the larger
// or smaller of both, k + relu(x-k) and k - relu(k-x).
func (im *importer) limit(n *node, op network.Op, v value, k int) (value, error) {
	e := im.extent(v.node)
	c, err := im.floats(n, k)
	if err != nil {
		return value{}, err
	}
	list, err := im.channelwise(n, c, e.c)
	if err != nil {
		return value{}, err
	}
	if op == network.OpAdd {
		return im.append(n, network.Node{Op: network.OpAffine, Bias: list, Inputs: []int{v.node}}, e)
	}
	sign := float32(1)
	if op == network.OpMin {
		sign = -1
	}
	steps := []network.Node{
		{Op: network.OpAffine, Gain: []float32{sign}, Bias: mapped(slices.Clone(list), func(x float32) float32 { return -sign * x })},
		{Op: network.OpActivate, Act: network.ActReLU},
		{Op: network.OpAffine, Gain: []float32{sign}, Bias: list},
	}
	if len(list) == 1 {
		clip := network.Node{Op: network.OpActivate, Act: network.ActClip, Lo: list[0], Hi: float32(math.Inf(1))}
		if op == network.OpMin {
			clip.Lo, clip.Hi = float32(math.Inf(-1)), list[0]
		}
		steps = []network.Node{clip}
	}
	for _, to := range steps {
		to.Inputs = []int{v.node}
		if v, err = im.append(n, to, e); err != nil {
			return v, err
		}
	}
	return v, nil
}
