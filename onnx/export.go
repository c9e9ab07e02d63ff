package onnx

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
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
	Opset int // MinOpset to MaxOpset; 0 means DefaultOpset

	// Meta becomes metadata_props, such as "psnr_db". Its "evosr_version" is
	// named as the producer's version too. Export adds genome, scale, colors,
	// color_space, density and sparsity of the network, whatever Meta says of
	// them.
	Meta map[string]string

	// Size of the input in pixels; 0 leaves a side dynamic.
	Width, Height int

	// Portable asks for operators that the oldest importers know: Reshape and
	// Transpose in place of DepthToSpace, MatMul with matrices of zeros and
	// ones, which repeats the picture's edge exactly, in place of Pad. It needs
	// Width and Height, at most MaxPortable each.
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
		return fmt.Errorf("onnx: export: %s: %v, want %v", what, got, want)
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

// Export writes net as an ONNX file. Weights that a mask prunes are written as
// zeros, and every layer with the channels that it has: sparse.Program.Subnet is
// the network without those that filter pruning removed.
func Export(w io.Writer, net *network.Subnet, o ExportOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	m, err := build(net, o)
	if err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	if _, err := w.Write(m.encode()); err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	return nil
}

// builder makes the graph of a network, nodes in the order in which they run.
type builder struct {
	graph
	net        *network.Subnet
	width      int // of the input, pixels; 0 when dynamic
	height     int
	portable   bool
	half       bool
	nodeNames  map[string]bool
	valueNames map[string]bool
	picture    string         // the value that the network reads
	edges      map[int]string // the picture with its edge repeated, by reach
}

func build(net *network.Subnet, o ExportOptions) (*Model, error) {
	if err := net.Validate(); err != nil {
		return nil, err
	}
	if o.RGB && net.Colors != 1 {
		return nil, fmt.Errorf("colour path: a network of %d colors, want one of luma", net.Colors)
	}
	b := &builder{
		graph: graph{name: "evosr_x" + strconv.Itoa(net.Scale)},
		net:   net, width: o.Width, height: o.Height, portable: o.Portable, half: o.Float16,
		nodeNames:  map[string]bool{},
		valueNames: map[string]bool{inputName: true, outputName: true},
		picture:    inputName,
	}
	// Layers first: their names must come back as they are.
	for i := range net.Layers {
		name := net.Layers[i].Name
		if name == "" || !utf8.ValidString(name) || b.nodeNames[name] {
			return nil, fmt.Errorf("layer %d: name %q, want a unique one", i, name)
		}
		b.nodeNames[name] = true
	}
	values := make([]string, len(net.Layers))
	for i := range net.Layers {
		values[i] = fresh(b.valueNames, net.Layers[i].Name)
	}
	colors := net.Colors
	if o.RGB {
		colors = 3
		b.picture = fresh(b.valueNames, "luma")
		b.lumaIn()
	}
	b.edges = map[int]string{0: b.picture}
	for i := range net.Layers {
		if l := &net.Layers[i]; l.Src == network.Picture {
			b.edge(l.Kernel / 2)
		}
	}
	for i := range net.Layers {
		if err := b.layer(i, values); err != nil {
			return nil, fmt.Errorf("layer %d %q: %w", i, net.Layers[i].Name, err)
		}
	}
	last := values[len(values)-1]
	if o.RGB {
		luma := fresh(b.valueNames, "luma/sr")
		b.shuffle("shuffle", last, luma, 1)
		b.rgbOut(luma)
	} else {
		b.shuffle("shuffle", last, outputName, colors)
	}
	b.inputs = []valueInfo{b.info(inputName, colors, 1, "height", "width")}
	b.outputs = []valueInfo{b.info(outputName, colors, net.Scale, "sr_height", "sr_width")}
	return &Model{
		ir:              irVersion(o.Opset),
		producer:        "evosr",
		producerVersion: o.Meta["evosr_version"],
		opsets:          []opset{{version: int64(o.Opset)}},
		metadata:        metadata(net, colors, o),
		graph:           b.graph,
	}, nil
}

// Keys of the metadata that Export writes itself.
const (
	metaGenome     = "genome"
	metaScale      = "scale"
	metaColors     = "colors"
	metaColorSpace = "color_space"
	metaDensity    = "density"  // kept weights / all weights
	metaSparsity   = "sparsity" // JSON: the pruned layers
	metaWeights    = "weights"  // type that they are stored as
)

// prunedLayer describes a layer with zeros among its weights.
type prunedLayer struct {
	Layer   string  `json:"layer"` // the name of its Conv
	Scheme  string  `json:"scheme"`
	Density float64 `json:"density"` // kept weights / all weights
}

func pruned(name string, scheme network.Scheme, kept, all int) prunedLayer {
	return prunedLayer{name, scheme.String(), math.Round(1e6*float64(kept)/float64(all)) / 1e6}
}

func metadata(net *network.Subnet, colors int, o ExportOptions) map[string]string {
	var list []prunedLayer
	for i := range net.Layers {
		if l := &net.Layers[i]; l.Kept() < l.Size() {
			list = append(list, pruned(l.Name, l.Prune.Scheme, l.Kept(), l.Size()))
		}
	}
	kept, dense := net.MACs()
	meta := described(o, net.Scale, colors, kept, dense, list)
	delete(meta, metaGenome)
	if net.Genome != "" {
		meta[metaGenome] = net.Genome
	}
	return meta
}

// described adds what every file says of its network to the metadata of o.
func described(o ExportOptions, scale, colors, kept, dense int, list []prunedLayer) map[string]string {
	meta := map[string]string{}
	maps.Copy(meta, o.Meta)
	meta[metaScale] = strconv.Itoa(scale)
	meta[metaColors] = strconv.Itoa(colors)
	meta[metaColorSpace] = "luma BT.601 studio range, code/255"
	if colors == 3 {
		meta[metaColorSpace] = "RGB, code/255"
	}
	meta[metaDensity] = strconv.FormatFloat(float64(kept)/float64(max(dense, 1)), 'f', 6, 64)
	meta[metaWeights] = "float32"
	if o.Float16 {
		meta[metaWeights] = "float16"
	}
	if list == nil {
		list = []prunedLayer{} // "[]", not "null"
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and finite numbers
	}
	meta[metaSparsity] = string(text)
	return meta
}

// fresh reserves a name, with underscores where it is taken.
func fresh(taken map[string]bool, name string) string {
	for taken[name] {
		name += "_"
	}
	taken[name] = true
	return name
}

// add appends a node whose name is free.
func (b *builder) add(name, op string, inputs []string, output string, attrs ...attribute) {
	b.nodes = append(b.nodes, node{
		name: fresh(b.nodeNames, name), op: op, inputs: inputs, outputs: []string{output}, attrs: attrs,
	})
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

// layer appends one layer: Conv, then Add and an activation as it has them. The last of
// them makes the value values[i].
func (b *builder) layer(i int, values []string) error {
	l := &b.net.Layers[i]
	weights := make([]float32, len(l.Weights))
	for j, w := range l.Weights {
		if l.Mask == nil || l.Mask[j] != 0 {
			weights[j] = w
		}
	}
	for _, list := range []struct {
		what   string
		values []float32
	}{{"weight", weights}, {"bias", l.Bias}} {
		if j := notFinite(list.values); j >= 0 {
			return fmt.Errorf("%s %d is %v, want a finite number", list.what, j, list.values[j])
		}
	}
	k := int64(l.Kernel)
	kernel, err := b.stored(l.Name, weights, int64(l.Out), int64(l.In), k, k)
	if err != nil {
		return err
	}
	pad := l.Kernel / 2
	var src string
	if l.Src == network.Picture {
		src, pad = b.edges[l.Kernel/2], 0
	} else {
		src = values[l.Src]
	}
	out := func(last bool, step string) string {
		if last {
			return values[i]
		}
		return fresh(b.valueNames, l.Name+"/"+step)
	}
	value := out(l.Add == network.None && l.Act == network.ActNone, "conv")
	// The node bears the layer's name, which is reserved for it.
	b.nodes = append(b.nodes, node{
		name: l.Name, op: "Conv", outputs: []string{value},
		inputs: []string{
			src,
			kernel,
			b.constant(floatTensor(l.Name+"/bias", l.Bias, int64(l.Out))),
		},
		attrs: convAttrs(l.Kernel, pad, 1),
	})
	if l.Add != network.None {
		sum := out(l.Act == network.ActNone, "sum")
		b.add(l.Name+"/add", "Add", []string{value, values[l.Add]}, sum)
		value = sum
	}
	return b.activate(l, value, values[i])
}

// convAttrs spells everything out: not every importer knows the defaults.
func convAttrs(kernel, pad, groups int) []attribute {
	k, p := int64(kernel), int64(pad)
	return []attribute{
		intsAttr("dilations", 1, 1), intAttr("group", groups), intsAttr("kernel_shape", k, k),
		intsAttr("pads", p, p, p, p), intsAttr("strides", 1, 1),
	}
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

// edge makes the picture with its outermost pixels repeated reach times, once.
func (b *builder) edge(reach int) {
	if b.edges[reach] != "" {
		return
	}
	name := fmt.Sprintf("%s/edge%d", b.picture, reach)
	b.edges[reach] = fresh(b.valueNames, name)
	b.repeatEdge(name, b.picture, b.edges[reach], b.net.Colors, reach)
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

// shuffle turns planes*scale² channels into planes of scale times the size.
func (b *builder) shuffle(name, src, dst string, planes int) {
	if b.portable {
		b.portableShuffle(name, src, dst, planes)
		return
	}
	b.add(name, "DepthToSpace", []string{src}, dst, intAttr("blocksize", b.net.Scale), textAttr("mode", "CRD"))
}
