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
	case "Relu":
		op.Act = network.ActReLU
	case "LeakyRelu":
		op.Act, op.Slope = network.ActPReLU, []float32{n.fraction("alpha", 0.01)}
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
	case "Sigmoid":
		op.Act = network.ActSigmoid
	case "Tanh":
		op.Act = network.ActTanh
	case "Gelu":
		op.Act = network.ActGELU
		if a := n.word("approximate", "none"); a != "none" {
			return value{}, im.bad(n, "is approximated by %s, want none", quote(a))
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

// hardSwish is x * max(0, min(1, x/6 + 1/2)).
func (im *importer) hardSwish(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	v, err := im.ramp(n, src, e, 1.0/6, 0.5)
	if err != nil {
		return v, err
	}
	return im.append(n, network.Node{Op: network.OpMul, Inputs: []int{src, v.node}}, e)
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
	op, has := map[string]network.Op{"Add": network.OpAdd, "Sub": network.OpSub, "Mul": network.OpMul}[n.op]
	if !has {
		return value{}, im.bad(n, "divides by what is computed from the picture, want a constant")
	}
	return im.join(n, op, 0, 1)
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
	default:
		return value{}, im.bad(n, "divides by what is computed from the picture, want a constant")
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

// many takes Sum and Max of any number of values, two at a time.
func (im *importer) many(n *node) (value, error) {
	op := network.OpAdd
	if n.op == "Max" {
		op = network.OpMax
	}
	i, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	v := value{node: i, axes: e.axes()}
	for k := 1; k < len(n.inputs); k++ {
		b, eb, err := im.read(n, k)
		if err != nil {
			return value{}, err
		}
		if v, err = im.joined(n, op, v.node, b, im.extent(v.node), eb); err != nil {
			return value{}, err
		}
	}
	return v, nil
}

// maxReduced bounds the channels of a ReduceMax, each of which becomes nodes.
const maxReduced = 256

// reduceMax takes the largest channel.
func (im *importer) reduceMax(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	axes, err := im.listed(n, "axes", 1, 18)
	if err != nil {
		return value{}, err
	}
	if len(axes) != 1 || n.number("keepdims", 1) != 1 || e.c > maxReduced {
		return value{}, im.bad(n, "reduces axes %s of %d channels, want the axis of at most %d channels, kept", few(axes), e.c, maxReduced)
	}
	if err := im.channelAxis(n, axes[0]); err != nil {
		return value{}, err
	}
	var largest value
	for c := range e.c {
		v, err := im.channels(n, src, c, 1)
		if err == nil && c > 0 {
			v, err = im.joined(n, network.OpMax, largest.node, v.node, im.extent(largest.node), im.extent(v.node))
		}
		if err != nil {
			return value{}, err
		}
		largest = v
	}
	return largest, nil
}
