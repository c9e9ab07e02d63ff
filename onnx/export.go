package onnx

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"evosr/network"
)

// Operator sets that Export writes. Between these its operators did not change
// their meaning. From 11 on Pad reads its pads from an input and DepthToSpace
// has a mode; before, neither file would be the same.
const (
	MinOpset     = 11
	MaxOpset     = 21
	DefaultOpset = 13
)

// Names of the input and the output.
const (
	inputName  = "lr"
	outputName = "sr"
)

// ExportOptions says how Export writes a network. The zero value is opset 13
// with dynamic height and width.
type ExportOptions struct {
	Opset int // MinOpset to MaxOpset; 0 means DefaultOpset, or Gelu's first for networks that have it

	// Meta becomes metadata_props, such as "psnr_db". Its "evosr_version" is
	// named as the producer's version too. Export adds genome, scale, colors,
	// density and sparsity of the network, whatever Meta says of them, and a
	// color_space where Meta has none.
	Meta map[string]string

	// Size of the input in pixels; 0 leaves a side dynamic.
	Width, Height int

	// Portable asks for operators that the oldest importers know: Reshape and
	// Transpose in place of DepthToSpace, MatMul with matrices of zeros and
	// ones, which repeats the picture's edge exactly, in place of Pad. It needs
	// Width and Height, at most MaxPortable each, and a network such as evosr's
	// own, else the error is ErrPortable.
	Portable bool

	// Float16 stores the weights of the layers as float16, each with a Cast to
	// float32 that runtimes fold when they load the file: it halves the file,
	// and the arithmetic stays float32. Not in portable form.
	Float16 bool

	// RGB wraps a luma network in the colour path: the file reads and gives RGB,
	// code/255, luma goes through the network, colour through bicubic
	// interpolation, and the result is clipped to [0, 1].
	RGB bool
}

// MaxPortable is the largest side of a picture in portable form, in pixels: the
// matrices grow with its square.
const MaxPortable = 1024

// maxSide is the largest side that Export fixes, in pixels.
const maxSide = 1 << 15

func (o *ExportOptions) check() error {
	bad := func(what string, got, want any) error {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	most := maxSide
	if o.Portable {
		most = MaxPortable
	}
	switch {
	case o.Opset == 0:
		o.Opset = DefaultOpset
	case o.Opset < MinOpset || o.Opset > MaxOpset:
		return bad("opset", o.Opset, fmt.Sprintf("%d to %d", MinOpset, MaxOpset))
	}
	switch {
	case o.Portable && (o.Width == 0 || o.Height == 0):
		return bad("size", fmt.Sprintf("%dx%d", o.Width, o.Height), "a fixed width and height for the portable form")
	case o.Width < 0 || o.Width > most || o.Height < 0 || o.Height > most:
		return bad("size", fmt.Sprintf("%dx%d", o.Width, o.Height), fmt.Sprintf("0 to %d pixels a side", most))
	}
	if o.Portable && o.Float16 {
		return bad("weights", "float16", "float32 for the portable form: old importers know no Cast")
	}
	for k, v := range o.Meta {
		if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return bad("metadata", fmt.Sprintf("%q: %q", k, v), "UTF-8 and a key that is not empty")
		}
	}
	return nil
}

// irVersion is the file format that came with each operator set. Runtimes
// refuse formats newer than themselves, so it is the oldest that fits.
func irVersion(opset int) int64 {
	switch {
	case opset <= 11:
		return 6
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	}
	return 10
}

// An ExportError says why a network cannot be written as the options ask.
type ExportError struct {
	Err error // may be an ErrPortable
}

// Error says it in one line.
func (e *ExportError) Error() string { return "onnx: export: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *ExportError) Unwrap() error { return e.Err }

// Export writes a network as an ONNX file. Weights that a mask prunes are written
// as zeros, and every layer with the channels that it has; Graph.Eliminate takes
// dead ones. What is written reads back as the same graph, where that is one of
// evosr's own, and as one that computes the same otherwise. Options that do not fit
// the network are an *ExportError.
func Export(w io.Writer, g *network.Graph, o ExportOptions) error {
	m, err := build(g, o)
	if err != nil {
		return &ExportError{err}
	}
	if _, err := w.Write(m.encode()); err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	return nil
}

// builder makes the file of a network, nodes in the order in which they run.
type builder struct {
	graph
	g          *network.Graph
	opset      int
	width      int // of the input, pixels; 0 when dynamic
	height     int
	portable   bool
	half       bool
	nodeNames  map[string]bool
	valueNames map[string]bool
	picture    string         // the value that the network reads
	edges      map[int]string // the picture with its edge repeated, by reach
	values     []string       // of the nodes of g
}

func build(g *network.Graph, o ExportOptions) (*Model, error) {
	gelu := func(n network.Node) bool {
		return n.Op == network.OpActivate && (n.Act == network.ActGELU || n.Act == network.ActGELUTanh)
	}
	if o.Opset == 0 && slices.ContainsFunc(g.Nodes, gelu) {
		o.Opset = geluOpset
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if o.Portable {
		if err := portable(g); err != nil {
			return nil, err
		}
	}
	if o.RGB && g.Colors != 1 {
		return nil, fmt.Errorf("colour path: a network of %d colors, want one of luma", g.Colors)
	}
	b := &builder{
		graph: graph{name: "evosr_x" + strconv.Itoa(g.Scale)},
		g:     g, opset: o.Opset, width: o.Width, height: o.Height, portable: o.Portable, half: o.Float16,
		nodeNames:  map[string]bool{},
		valueNames: map[string]bool{inputName: true, outputName: true},
		picture:    inputName, edges: map[int]string{}, values: make([]string, len(g.Nodes)),
	}
	// Names of the network first: they must come back as they are.
	for i := range g.Nodes {
		name := g.Nodes[i].Name
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("node %d: name %q, want UTF-8", i, name)
		}
		b.nodeNames[name] = true
	}
	last := len(g.Nodes) - 1
	for i := range g.Nodes {
		if i < last {
			b.values[i] = fresh(b.valueNames, g.Nodes[i].Name)
		}
	}
	colors := g.Colors
	b.values[last] = outputName
	if o.RGB {
		colors = 3
		b.picture, b.values[last] = fresh(b.valueNames, "luma"), fresh(b.valueNames, "luma/sr")
		b.lumaIn()
	}
	for i := range g.Nodes {
		if r, ok := edgeReach(&g.Nodes[i]); ok {
			b.edge(r)
		}
	}
	for i := range g.Nodes {
		if err := b.node(i); err != nil {
			return nil, fmt.Errorf("node %d %q: %w", i, g.Nodes[i].Name, err)
		}
	}
	if o.RGB {
		b.rgbOut(b.values[last])
	}
	b.inputs = []valueInfo{b.info(inputName, colors, 1, "height", "width")}
	b.outputs = []valueInfo{b.info(outputName, colors, g.Scale, "sr_height", "sr_width")}
	return &Model{
		ir:              irVersion(o.Opset),
		producer:        "evosr",
		producerVersion: o.Meta["evosr_version"],
		opsets:          []opset{{version: int64(o.Opset)}},
		metadata:        metadata(g, colors, o),
		graph:           b.graph,
	}, nil
}

// fresh reserves a name, with underscores where it is taken.
func fresh(taken map[string]bool, name string) string {
	for taken[name] {
		name += "_"
	}
	taken[name] = true
	return name
}

// put appends a node whose name is reserved for it.
func (b *builder) put(name, op string, inputs []string, output string, attrs ...attribute) {
	b.nodes = append(b.nodes, node{name: name, op: op, inputs: inputs, outputs: []string{output}, attrs: attrs})
}

// add appends a node whose name may be taken.
func (b *builder) add(name, op string, inputs []string, output string, attrs ...attribute) {
	b.put(fresh(b.nodeNames, name), op, inputs, output, attrs...)
}

// constant appends a tensor whose name may be taken and returns its final name.
func (b *builder) constant(t tensor) string {
	t.name = fresh(b.valueNames, t.name)
	b.initializers = append(b.initializers, t)
	return t.name
}

func intAttr(name string, v int) attribute {
	return attribute{name: name, kind: attrInt, i: int64(v)}
}

func intsAttr(name string, v ...int64) attribute {
	return attribute{name: name, kind: attrInts, ints: v}
}

func floatAttr(name string, v float32) attribute {
	return attribute{name: name, kind: attrFloat, f: v}
}

func textAttr(name, v string) attribute {
	return attribute{name: name, kind: attrString, s: v}
}

func (b *builder) info(name string, colors, scale int, height, width string) valueInfo {
	side := func(size int, param string) dim {
		if size == 0 {
			return dim{value: -1, param: param}
		}
		return dim{value: int64(size * scale)}
	}
	return valueInfo{name: name, isTensor: true, kind: typeFloat, ranked: true, dims: []dim{
		{value: 1}, {value: int64(colors)}, side(b.height, height), side(b.width, width),
	}}
}

// stored appends the filters of a layer and returns the value that holds them
// as float32.
func (b *builder) stored(layer string, values []float32, dims ...int64) (string, error) {
	name := layer + "/weight"
	if !b.half {
		return b.constant(floatTensor(name, values, dims...)), nil
	}
	t, err := halfTensor(name+"/half", values, dims...)
	if err != nil {
		return "", err
	}
	half, full := b.constant(t), fresh(b.valueNames, name)
	b.add(name, "Cast", []string{half}, full, intAttr("to", int(typeFloat)))
	return full, nil
}

func notFinite(values []float32) int {
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return i
		}
	}
	return -1
}

// edgeReach says whether a node reads the picture with its edge repeated equally
// on all sides, and how often.
func edgeReach(n *network.Node) (reach int, ok bool) {
	r := n.Pad[0]
	return r, n.Op == network.OpConv && n.Border == network.Edge && n.Inputs[0] == network.Picture && r > 0 && n.Pad == [4]int{r, r, r, r}
}

// edge makes the picture with its outermost pixels repeated reach times, once.
func (b *builder) edge(reach int) {
	if b.edges[reach] == "" {
		name := fmt.Sprintf("%s/edge%d", b.picture, reach)
		b.edges[reach] = fresh(b.valueNames, name)
		b.repeatEdge(name, b.picture, b.edges[reach], b.g.Colors, reach)
	}
}

// repeatEdge repeats the outermost pixels of the planes of src reach times.
func (b *builder) repeatEdge(name, src, dst string, planes, reach int) {
	if b.portable {
		b.portableEdge(name, src, dst, planes, reach)
		return
	}
	r := int64(reach)
	pads := b.constant(intTensor(name+"/pads", 0, 0, r, r, 0, 0, r, r))
	b.add(name, "Pad", []string{src, pads}, dst, textAttr("mode", "edge"))
}

// shuffle turns planes*factor² channels into planes of factor times the size, by a
// node whose name is reserved for it.
func (b *builder) shuffle(name, src, dst string, planes, factor int, mode string) {
	if b.portable {
		b.portableShuffle(name, src, dst, planes, factor)
		return
	}
	b.put(name, "DepthToSpace", []string{src}, dst, intAttr("blocksize", factor), textAttr("mode", mode))
}
