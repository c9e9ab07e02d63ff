package onnx

import (
	"slices"
	"strings"

	"evosr/network"
)

// Names of operators and of their modes, for the writer and the reader.
var (
	pairOps = map[network.Op]string{network.OpAdd: "Add", network.OpSub: "Sub", network.OpMul: "Mul", network.OpMax: "Max", network.OpMin: "Min", network.OpDiv: "Div", network.OpPow: "Pow"}
	poolOps = map[network.Op]string{network.OpMaxPool: "MaxPool", network.OpAvgPool: "AveragePool",
		network.OpMean: "GlobalAveragePool", network.OpPeak: "GlobalMaxPool"}
	borderModes = []string{network.Zeros: "constant", network.Edge: "edge", network.Reflect: "reflect"}
	interpModes = []string{network.Nearest: "nearest", network.Linear: "linear", network.Cubic: "cubic"}
	coordModes  = []string{network.HalfPixel: "half_pixel", network.TorchHalfPixel: "pytorch_half_pixel", network.Asymmetric: "asymmetric", network.AlignCorners: "align_corners"}
	roundModes  = []string{network.RoundPreferFloor: "round_prefer_floor", network.RoundPreferCeil: "round_prefer_ceil", network.Floor: "floor", network.Ceil: "ceil"}
)

// of gives the value of a node or the picture.
func (b *builder) of(i int) string {
	if i == network.Picture {
		return b.picture
	}
	return b.values[i]
}

// last appends the node that makes value i, with the node's own name.
func (b *builder) last(i int, op string, inputs []string, attrs ...attribute) {
	b.put(b.g.Nodes[i].Name, op, inputs, b.values[i], attrs...)
}

// part names a part of a node: of NAME/relu and other activations that are named
// after what they follow it is a part of NAME.
func (b *builder) part(i int, what string) string {
	n := &b.g.Nodes[i]
	if n.Op == network.OpActivate {
		return strings.TrimSuffix(n.Name, "/"+n.Act.String()) + "/" + what
	}
	return n.Name + "/" + what
}

// step appends a node on the way and returns its value.
func (b *builder) step(i int, what, op string, inputs []string, attrs ...attribute) string {
	name := b.part(i, what)
	value := fresh(b.valueNames, name)
	b.add(name, op, inputs, value, attrs...)
	return value
}

// list appends a constant that is one number, or one a channel.
func (b *builder) list(i int, what string, values []float32) string {
	dims := []int64{}
	if len(values) > 1 {
		dims = []int64{int64(len(values)), 1, 1}
	}
	return b.constant(floatTensor(b.part(i, what), values, dims...))
}

// ints64 appends a list of whole numbers.
func (b *builder) ints64(i int, what string, values ...int64) string {
	return b.constant(intTensor(b.part(i, what), values...))
}

// node appends the operators that node i of the graph becomes.
func (b *builder) node(i int) error {
	n := &b.g.Nodes[i]
	var in []string
	for _, j := range n.Inputs {
		in = append(in, b.of(j))
	}
	if name := pairOps[n.Op]; name != "" {
		b.last(i, name, in)
		return nil
	}
	switch n.Op {
	case network.OpConv, network.OpDeconv:
		return b.filters(i, in[0])
	case network.OpActivate:
		b.activation(i, in[0])
	case network.OpAffine:
		switch {
		case len(n.Gain) > 0 && len(n.Bias) > 0:
			x := b.step(i, "gained", "Mul", []string{in[0], b.list(i, "gain", n.Gain)})
			b.last(i, "Add", []string{x, b.list(i, "bias", n.Bias)})
		case len(n.Gain) > 0:
			b.last(i, "Mul", []string{in[0], b.list(i, "gain", n.Gain)})
		case len(n.Bias) > 0:
			b.last(i, "Add", []string{in[0], b.list(i, "bias", n.Bias)})
		default:
			b.last(i, "Identity", in)
		}
	case network.OpConcat:
		b.last(i, "Concat", in, intAttr("axis", 1))
	case network.OpSlice:
		b.last(i, "Slice", []string{in[0], b.ints64(i, "starts", int64(n.From)), b.ints64(i, "ends", int64(n.From+n.Out)), b.ints64(i, "axes", 1)})
	case network.OpShuffle:
		mode := "CRD"
		if n.DCR {
			mode = "DCR"
		}
		b.shuffle(n.Name, in[0], b.values[i], b.g.Colors, n.Factor, mode)
	case network.OpResize:
		b.interpolation(i, in)
	case network.OpPad:
		b.border(i, n.Name, in[0], b.values[i])
	case network.OpMean, network.OpPeak:
		one := b.step(i, "pool", poolOps[n.Op], in)
		b.last(i, "Expand", []string{one, b.step(i, "shape", "Shape", in)})
	case network.OpMaxPool, network.OpAvgPool:
		stride, _ := n.Inside()
		attrs := []attribute{intsAttr("kernel_shape", int64(n.Kernel), int64(n.Kernel)), intsAttr("strides", int64(stride), int64(stride)), padsAttr(n.Pad)}
		if n.Counted {
			attrs = append(attrs, intAttr("count_include_pad", 1))
		}
		b.last(i, poolOps[n.Op], in, attrs...)
	}
	return nil
}

func padsAttr(p [4]int) attribute {
	return intsAttr("pads", int64(p[0]), int64(p[2]), int64(p[1]), int64(p[3]))
}

// convAttrs spells everything out: not every importer knows the defaults.
func convAttrs(kernel, stride, groups int, pads [4]int) []attribute {
	k, s := int64(kernel), int64(stride)
	return []attribute{
		intsAttr("dilations", 1, 1), intAttr("group", groups), intsAttr("kernel_shape", k, k), padsAttr(pads), intsAttr("strides", s, s),
	}
}

// border appends a Pad of the node's sides, of a name that is reserved for it.
func (b *builder) border(i int, name, src, dst string) {
	n := &b.g.Nodes[i]
	p := n.Pad
	inputs := []string{src, b.ints64(i, "pads", 0, 0, int64(p[0]), int64(p[2]), 0, 0, int64(p[1]), int64(p[3]))}
	if n.Border == network.Zeros && n.Value != 0 {
		inputs = append(inputs, b.constant(scalarTensor(n.Name+"/value", n.Value)))
	}
	b.put(name, "Pad", inputs, dst, textAttr("mode", borderModes[n.Border]))
}

func (b *builder) filters(i int, src string) error {
	n := &b.g.Nodes[i]
	weights := slices.Clone(n.Weights)
	for j, keep := range n.Mask {
		if keep == 0 {
			weights[j] = 0
		}
	}
	stride, groups := n.Inside()
	k, pads := int64(n.Kernel), n.Pad
	op, rows := "Conv", n.Out
	if n.Op == network.OpDeconv {
		op, rows = "ConvTranspose", len(weights)*groups/(n.Out*n.Kernel*n.Kernel)
	}
	if reach, whole := edgeReach(n); whole {
		src, pads = b.edges[reach], [4]int{}
	} else if n.Op == network.OpConv && n.Border == network.Edge && pads != [4]int{} {
		name := fresh(b.nodeNames, n.Name+"/edge")
		value := fresh(b.valueNames, name)
		b.border(i, name, src, value)
		src, pads = value, [4]int{}
	}
	w, err := b.stored(n.Name, weights, int64(rows), int64(len(weights)/(rows*n.Kernel*n.Kernel)), k, k)
	if err != nil {
		return err
	}
	inputs := []string{src, w}
	if len(n.Bias) > 0 {
		inputs = append(inputs, b.constant(floatTensor(n.Name+"/bias", n.Bias, int64(len(n.Bias)))))
	}
	attrs := convAttrs(n.Kernel, stride, groups, pads)
	if n.Grow > 0 {
		attrs = append(attrs, intsAttr("output_padding", int64(n.Grow), int64(n.Grow)))
	}
	b.last(i, op, inputs, attrs...)
	return nil
}

// geluOpset is the first operator set with Gelu.
const geluOpset = 20

func (b *builder) activation(i int, src string) {
	n := &b.g.Nodes[i]
	switch n.Act {
	case network.ActPReLU:
		switch {
		case len(n.Slope) == 1:
			b.last(i, "LeakyRelu", []string{src}, floatAttr("alpha", n.Slope[0]))
		case b.portable:
			b.portablePRelu(i, src)
		default:
			b.last(i, "PRelu", []string{src, b.list(i, "slope", n.Slope)})
		}
	case network.ActClip:
		b.last(i, "Clip", []string{src, b.bound(i, "low", n.Lo), b.bound(i, "high", n.Hi)})
	case network.ActNone:
		b.last(i, "Identity", []string{src})
	case network.ActSquare:
		b.last(i, "Mul", []string{src, src})
	case network.ActPow:
		b.last(i, "Pow", []string{src, b.list(i, "power", n.Slope)})
	case network.ActSiLU:
		b.last(i, "Mul", []string{src, b.step(i, "sigmoid", "Sigmoid", []string{src})})
	case network.ActGELU, network.ActGELUTanh:
		b.gelu(i, src)
	default:
		u := unaryBy(n.Act)
		if b.opset < u.since {
			b.older(i, src)
			return
		}
		var attrs []attribute
		if u.attr != "" {
			attrs = append(attrs, floatAttr(u.attr, n.Slope[0]))
		}
		b.last(i, u.op, []string{src}, attrs...)
	}
}

// gelu writes either form of GELU, as one operator where there is one.
func (b *builder) gelu(i int, src string) {
	exact := b.g.Nodes[i].Act == network.ActGELU
	if b.opset >= geluOpset {
		if exact {
			b.last(i, "Gelu", []string{src})
		} else {
			b.last(i, "Gelu", []string{src}, textAttr("approximate", "tanh"))
		}
		return
	}
	number := func(what string, v float32) string { return b.list(i, what, []float32{v}) }
	var x string
	if exact {
		x = b.step(i, "erf", "Erf", []string{b.step(i, "scaled", "Mul", []string{src, number("root", 0.7071067811865476)})})
	} else {
		x = b.step(i, "cube", "Mul", []string{src, b.step(i, "square", "Mul", []string{src, src})})
		x = b.step(i, "sum", "Add", []string{src, b.step(i, "small", "Mul", []string{x, number("part", 0.044715)})})
		x = b.step(i, "tanh", "Tanh", []string{b.step(i, "scaled", "Mul", []string{x, number("root", 0.7978845608028654)})})
	}
	x = b.step(i, "more", "Add", []string{x, number("one", 1)})
	x = b.step(i, "times", "Mul", []string{src, x})
	b.last(i, "Mul", []string{x, number("half", 0.5)})
}

// older writes what the operator set lacks by what it has.
func (b *builder) older(i int, src string) {
	n := &b.g.Nodes[i]
	number := func(what string, v float32) string { return b.list(i, what, []float32{v}) }
	switch n.Act {
	case network.ActMish:
		b.last(i, "Mul", []string{src, b.step(i, "tanh", "Tanh", []string{b.step(i, "softplus", "Softplus", []string{src})})})
	case network.ActHardSwish:
		b.last(i, "Mul", []string{src, b.step(i, "ramp", "HardSigmoid", []string{src}, floatAttr("alpha", 1.0/6), floatAttr("beta", 0.5))})
	case network.ActCELU: // alpha*elu(x/alpha)
		x := b.step(i, "scaled", "Mul", []string{src, number("inverse", 1/n.Slope[0])})
		b.last(i, "Mul", []string{b.step(i, "elu", "Elu", []string{x}), number("alpha", n.Slope[0])})
	}
}

// bound is one end of a Clip; "" where there is none.
func (b *builder) bound(i int, what string, v float32) string {
	if v-v != 0 {
		return ""
	}
	return b.list(i, what, []float32{v})
}

func (b *builder) interpolation(i int, in []string) {
	n := &b.g.Nodes[i]
	attrs := []attribute{
		textAttr("mode", interpModes[n.Interp]), textAttr("coordinate_transformation_mode", coordModes[n.Coord]), textAttr("nearest_mode", roundModes[n.Rounding]),
	}
	if n.Interp == network.Cubic {
		attrs = append(attrs, floatAttr("cubic_coeff_a", float32(n.CubicA)))
	}
	empty := b.constant(floatTensor(n.Name+"/none", nil, 0))
	if n.Factor > 0 {
		f := float32(n.Factor)
		b.last(i, "Resize", []string{in[0], empty, b.constant(floatTensor(n.Name+"/scales", []float32{1, 1, f, f}, 4))}, attrs...)
		return
	}
	zero, two, four := b.ints64(i, "zero", 0), b.ints64(i, "two", 2), b.ints64(i, "four", 4)
	mine := b.step(i, "channels", "Slice", []string{b.step(i, "shape", "Shape", in[:1]), zero, two})
	theirs := b.step(i, "size", "Slice", []string{b.step(i, "target", "Shape", in[1:]), two, four})
	size := b.step(i, "sizes", "Concat", []string{mine, theirs}, intAttr("axis", 0))
	b.last(i, "Resize", []string{in[0], empty, empty, size}, attrs...)
}
