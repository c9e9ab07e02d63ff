package onnx

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"evosr/network"
)

// ExportGraph writes a graph as an ONNX file, at the operator set and with the
// metadata of o, its size fixed where o names one; without a set it takes the
// default one, or that of Gelu for networks that have it. Portable and RGB are for
// Export. Weights that a mask prunes are written as zeros; channels that are zero
// whatever the picture is are left out where only convolutions read them. Read
// back by Graph, it computes the same.
func ExportGraph(w io.Writer, g *network.Graph, o ExportOptions) error {
	gelu := func(n network.Node) bool { return n.Op == network.OpActivate && n.Act == network.ActGELU }
	if o.Opset == 0 && slices.ContainsFunc(g.Nodes, gelu) {
		o.Opset = geluOpset
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.Portable || o.RGB {
		return fmt.Errorf("onnx: export: form: portable or RGB, want the plain one for a network from elsewhere")
	}
	if err := g.Validate(); err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	meta := graphMeta(g, o)
	g = shrunk(g)
	b := &graphWriter{
		builder: builder{
			graph: graph{name: "evosr_graph_x" + strconv.Itoa(g.Scale)}, width: o.Width, height: o.Height, half: o.Float16,
			nodeNames: map[string]bool{}, valueNames: map[string]bool{inputName: true, outputName: true},
		},
		g: g, opset: o.Opset, values: make([]string, len(g.Nodes)),
	}
	for i := range g.Nodes {
		b.nodeNames[g.Nodes[i].Name] = true
	}
	last := len(g.Nodes) - 1
	for i := range g.Nodes {
		if b.values[i] = outputName; i != last {
			b.values[i] = fresh(b.valueNames, g.Nodes[i].Name)
		}
	}
	for i := range g.Nodes {
		if err := b.node(i); err != nil {
			return fmt.Errorf("onnx: export: node %d %q: %w", i, g.Nodes[i].Name, err)
		}
	}
	b.inputs = []valueInfo{b.info(inputName, g.Colors, 1, "height", "width")}
	b.outputs = []valueInfo{b.info(outputName, g.Colors, g.Scale, "sr_height", "sr_width")}
	m := &Model{
		ir: irVersion(o.Opset), producer: "evosr", producerVersion: o.Meta["evosr_version"],
		opsets: []opset{{version: int64(o.Opset)}}, metadata: meta, graph: b.graph,
	}
	if _, err := w.Write(m.encode()); err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	return nil
}

// geluOpset is the first operator set with Gelu.
const geluOpset = 20

// graphMeta describes a graph. Its colors are what the network was made for,
// which evosr cannot know better than its metadata.
func graphMeta(g *network.Graph, o ExportOptions) map[string]string {
	kept, dense := g.MACs()
	var list []prunedLayer
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Kept() < len(n.Weights) {
			list = append(list, pruned(n.Name, n.Prune.Scheme, n.Kept(), len(n.Weights)))
		}
	}
	meta := described(o, g.Scale, g.Colors, kept, dense, list)
	delete(meta, metaGenome)
	if space := o.Meta[metaColorSpace]; space != "" {
		meta[metaColorSpace] = space
	}
	return meta
}

type graphWriter struct {
	builder
	g      *network.Graph
	opset  int
	values []string // of the nodes
}

// of gives the value of a node or the picture.
func (b *graphWriter) of(i int) string {
	if i == network.Picture {
		return inputName
	}
	return b.values[i]
}

// last appends the node that makes value i, with the node's own name.
func (b *graphWriter) last(i int, op string, inputs []string, attrs ...attribute) {
	b.nodes = append(b.nodes, node{name: b.g.Nodes[i].Name, op: op, inputs: inputs, outputs: []string{b.values[i]}, attrs: attrs})
}

// step appends a node on the way and returns its value.
func (b *graphWriter) step(i int, what, op string, inputs []string, attrs ...attribute) string {
	name := b.g.Nodes[i].Name + "/" + what
	value := fresh(b.valueNames, name)
	b.add(name, op, inputs, value, attrs...)
	return value
}

// list appends a constant that is one number, or one a channel.
func (b *graphWriter) list(i int, what string, values []float32) string {
	dims := []int64{}
	if len(values) > 1 {
		dims = []int64{int64(len(values)), 1, 1}
	}
	return b.constant(floatTensor(b.g.Nodes[i].Name+"/"+what, values, dims...))
}

// ints64 appends a list of whole numbers.
func (b *graphWriter) ints64(i int, what string, values ...int64) string {
	return b.constant(intTensor(b.g.Nodes[i].Name+"/"+what, values...))
}

func (b *graphWriter) node(i int) error {
	n := &b.g.Nodes[i]
	var in []string
	for _, j := range n.Inputs {
		in = append(in, b.of(j))
	}
	switch n.Op {
	case network.OpConv, network.OpDeconv:
		return b.filters(i, in[0])
	case network.OpActivate:
		b.activation(i, in[0])
	case network.OpAdd, network.OpSub, network.OpMul, network.OpMax:
		b.last(i, map[network.Op]string{network.OpAdd: "Add", network.OpSub: "Sub", network.OpMul: "Mul", network.OpMax: "Max"}[n.Op], in)
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
		b.last(i, "DepthToSpace", in, intAttr("blocksize", n.Factor), textAttr("mode", mode))
	case network.OpResize:
		b.interpolation(i, in)
	case network.OpPad:
		b.border(i, in[0], b.values[i], n.Name, n.Border)
	case network.OpMaxPool:
		stride, _ := n.Inside()
		b.last(i, "MaxPool", in, intsAttr("kernel_shape", int64(n.Kernel), int64(n.Kernel)), intsAttr("strides", int64(stride), int64(stride)), padsAttr(n.Pad))
	}
	return nil
}

func padsAttr(p [4]int) attribute {
	return intsAttr("pads", int64(p[0]), int64(p[2]), int64(p[1]), int64(p[3]))
}

// border appends a Pad of the node's sides.
func (b *graphWriter) border(i int, src, dst, name string, kind network.Border) {
	n := &b.g.Nodes[i]
	p := n.Pad
	inputs := []string{src, b.ints64(i, "pads", 0, 0, int64(p[0]), int64(p[2]), 0, 0, int64(p[1]), int64(p[3]))}
	mode := map[network.Border]string{network.Zeros: "constant", network.Edge: "edge", network.Reflect: "reflect"}[kind]
	if kind == network.Zeros && n.Value != 0 {
		inputs = append(inputs, b.constant(scalarTensor(n.Name+"/value", n.Value)))
	}
	b.nodes = append(b.nodes, node{name: name, op: "Pad", inputs: inputs, outputs: []string{dst}, attrs: []attribute{textAttr("mode", mode)}})
}

func (b *graphWriter) filters(i int, src string) error {
	n := &b.g.Nodes[i]
	weights := slices.Clone(n.Weights)
	for j, keep := range n.Mask {
		if keep == 0 {
			weights[j] = 0
		}
	}
	stride, groups := n.Inside()
	k := int64(n.Kernel)
	op, pads := "Conv", n.Pad
	taps := int64(n.Kernel * n.Kernel)
	rows := int64(n.Out)
	if n.Op == network.OpDeconv {
		op, rows = "ConvTranspose", int64(len(n.Weights))/taps/int64(n.Out/groups)
	}
	if n.Op == network.OpConv && n.Border == network.Edge && pads != [4]int{} {
		name := fresh(b.nodeNames, n.Name+"/edge")
		value := fresh(b.valueNames, name)
		b.border(i, src, value, name, network.Edge)
		src, pads = value, [4]int{}
	}
	w, err := b.stored(n.Name, weights, rows, int64(len(weights))/taps/rows, k, k)
	if err != nil {
		return err
	}
	inputs := []string{src, w}
	if len(n.Bias) > 0 {
		inputs = append(inputs, b.constant(floatTensor(n.Name+"/bias", n.Bias, int64(len(n.Bias)))))
	}
	attrs := []attribute{
		intsAttr("dilations", 1, 1), intAttr("group", groups), intsAttr("kernel_shape", k, k),
		padsAttr(pads), intsAttr("strides", int64(stride), int64(stride)),
	}
	if n.Grow > 0 {
		attrs = append(attrs, intsAttr("output_padding", int64(n.Grow), int64(n.Grow)))
	}
	b.last(i, op, inputs, attrs...)
	return nil
}

func (b *graphWriter) activation(i int, src string) {
	n := &b.g.Nodes[i]
	switch n.Act {
	case network.ActNone:
		b.last(i, "Identity", []string{src})
	case network.ActReLU:
		b.last(i, "Relu", []string{src})
	case network.ActPReLU:
		if len(n.Slope) == 1 {
			b.last(i, "LeakyRelu", []string{src}, floatAttr("alpha", n.Slope[0]))
			return
		}
		b.last(i, "PRelu", []string{src, b.list(i, "slope", n.Slope)})
	case network.ActClip:
		b.last(i, "Clip", []string{src, b.bound(n.Name+"/low", n.Lo), b.bound(n.Name+"/high", n.Hi)})
	case network.ActSigmoid:
		b.last(i, "Sigmoid", []string{src})
	case network.ActTanh:
		b.last(i, "Tanh", []string{src})
	case network.ActSiLU:
		b.last(i, "Mul", []string{src, b.step(i, "sigmoid", "Sigmoid", []string{src})})
	case network.ActGELU:
		if b.opset >= geluOpset {
			b.last(i, "Gelu", []string{src})
			return
		}
		const root = 0.7071067811865476
		x := b.step(i, "scaled", "Mul", []string{src, b.constant(scalarTensor(n.Name+"/root", root))})
		x = b.step(i, "erf", "Erf", []string{x})
		x = b.step(i, "more", "Add", []string{x, b.constant(scalarTensor(n.Name+"/one", 1))})
		x = b.step(i, "times", "Mul", []string{src, x})
		b.last(i, "Mul", []string{x, b.constant(scalarTensor(n.Name+"/half", 0.5))})
	}
}

// bound is one end of a Clip; "" where there is none.
func (b *graphWriter) bound(name string, v float32) string {
	if v-v != 0 {
		return ""
	}
	return b.constant(scalarTensor(name, v))
}

func (b *graphWriter) interpolation(i int, in []string) {
	n := &b.g.Nodes[i]
	attrs := []attribute{
		textAttr("mode", map[network.Interp]string{network.Nearest: "nearest", network.Linear: "linear", network.Cubic: "cubic"}[n.Interp]),
		textAttr("coordinate_transformation_mode", map[network.Coord]string{network.HalfPixel: "half_pixel",
			network.TorchHalfPixel: "pytorch_half_pixel", network.Asymmetric: "asymmetric", network.AlignCorners: "align_corners"}[n.Coord]),
		textAttr("nearest_mode", map[network.Rounding]string{network.RoundPreferFloor: "round_prefer_floor",
			network.RoundPreferCeil: "round_prefer_ceil", network.Floor: "floor", network.Ceil: "ceil"}[n.Rounding]),
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
