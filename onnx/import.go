package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"evosr/network"
)

// Operator sets whose operators mean what Graph takes them for. Before 7 an Add named
// its axes; sets after the last one are not known yet.
const (
	minReadOpset = 7
	maxReadOpset = 26
)

// MaxFile is the largest file that Read reads, in bytes.
const MaxFile = 256 << 20

// Read decodes an ONNX file and takes its network, as Decode and Graph do, for
// pictures in [0, 1], and its metadata. It reads at most MaxFile bytes.
func Read(r io.Reader) (*network.Graph, map[string]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	if len(data) > MaxFile {
		return nil, nil, fmt.Errorf("onnx: file: more than %d MiB, want at most that", MaxFile>>20)
	}
	m, err := Decode(data)
	if err != nil {
		return nil, nil, err
	}
	g, err := m.Graph(ImportOptions{})
	if err != nil {
		return nil, nil, err
	}
	return g, m.Meta(), nil
}

// ImportOptions say how a network from elsewhere is to be taken. The zero value
// is a network over pictures in [0, 1].
type ImportOptions struct {
	// Range is the value of white, 1 or 255 as a rule; 0 means 1. Pictures are
	// multiplied by it before the network and divided by it behind.
	Range float32
}

// Graph turns a network of any origin into a graph that runs here: one picture
// of 1 or 3 colors in, an enlarged one out. What the operators mean is
// onnx.proto's operator sets 7 to 26; docs/operators.md lists them with what is
// taken of each. Whatever depends only on constants and on sizes is worked out,
// so that the network runs at any size, also where the file names one.
//
// A convolution with zero weights gets a mask that prunes them. What Export wrote,
// in any of its forms but RGB, comes back node by node, with its genome and the
// schemes that its layers were pruned by.
//
// The error of another network names the first node that does not fit, its
// operator, the operator set and why.
func (m *Model) Graph(o ImportOptions) (*network.Graph, error) {
	g, err := m.graphOf(o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return g, nil
}

// Sizes that stand for those of any picture: primes, so that no product of
// other sizes is taken for them.
const (
	anyHeight = 10007
	anyWidth  = 10009
)

// maxExtent bounds rows and columns of any value, so that no product of them
// overflows.
const maxExtent = 1 << 22

// importer turns nodes of the file into nodes of network.Graph, one by one. Shape
// arithmetic is done in numbers, those of a picture of anyHeight x anyWidth
// where the file leaves the size open.
type importer struct {
	opset  int
	mem    *memory
	values map[string]value
	graph  network.Graph
	names  map[string]bool
	sizes  []extent // of the nodes of graph

	// Nodes that the file says are one pixel, because they were made of all of the
	// picture: in the graph they have that value at every place.
	pixel map[int]bool
	in    extent // of the picture
	last  string // name of the input, for messages
	at    int    // index of the current node

	operators map[string]operator
	folders   map[string]folder
}

// extent is the size of a tensor: channels, height, width.
type extent struct{ c, h, w int64 }

// value is a constant, or a node of the graph seen in a certain shape.
type value struct {
	tensor *tensor   // constant as the file has it, until it is needed
	k      *constant // constant
	node   int       // else a node, or network.Picture
	axes   [][]digit // how its elements are arranged
}

func (v *value) constant() bool { return v.tensor != nil || v.k != nil }

func (m *Model) graphOf(o ImportOptions) (*network.Graph, error) {
	if o.Range == 0 {
		o.Range = 1
	}
	if !(o.Range > 0) || math.IsInf(float64(o.Range), 0) {
		return nil, fmt.Errorf("import: range %v, want more than 0", o.Range)
	}
	im, err := m.imported()
	if err != nil {
		return nil, err
	}
	simplify(&im.graph, o.Range)
	m.annotate(&im.graph, im.mem)
	if err := im.graph.Validate(); err != nil {
		return nil, err
	}
	return &im.graph, nil
}

// imported takes a file's nodes as they are.
func (m *Model) imported() (*importer, error) {
	im, err := newImporter(m)
	if err != nil {
		return nil, err
	}
	g := &m.graph
	for i := range g.nodes {
		im.at = i
		if err := im.node(&g.nodes[i]); err != nil {
			return nil, err
		}
	}
	return im, im.output(g)
}

// newImporter knows a file's constants and its picture.
func newImporter(m *Model) (*importer, error) {
	im := &importer{opset: m.Opset(), mem: newMemory(m.size), names: map[string]bool{}, pixel: map[int]bool{}, operators: operators(), folders: folders()}
	if im.opset < minReadOpset || im.opset > maxReadOpset {
		return nil, fmt.Errorf("model: opset %d of the standard operators, want %d to %d", im.opset, minReadOpset, maxReadOpset)
	}
	g := &m.graph
	entries := len(g.initializers) + 1
	for i := range g.nodes {
		entries += 2 + len(g.nodes[i].outputs)
	}
	if err := im.mem.take(entries, 3*mapEntry, "values"); err != nil {
		return nil, err
	}
	im.values = make(map[string]value, entries)
	for i := range g.initializers {
		im.values[g.initializers[i].name] = value{tensor: &g.initializers[i]}
	}
	return im, im.input(g)
}

// reads says whether a node or an output is the value of a name.
func (g *graph) reads(name string) bool {
	return slices.ContainsFunc(g.nodes, func(n node) bool { return slices.Contains(n.inputs, name) }) ||
		slices.ContainsFunc(g.outputs, func(o valueInfo) bool { return o.name == name })
}

// input finds the picture: (1, colors, height, width), or the same with the
// colors last.
func (im *importer) input(g *graph) error {
	var in, unread *valueInfo
	for i := range g.inputs {
		name := g.inputs[i].name
		if _, has := im.values[name]; has {
			continue // an initializer, which old files list here too
		}
		if !g.reads(name) {
			unread = &g.inputs[i]
			continue
		}
		if in != nil {
			return fmt.Errorf("graph: inputs %s and %s, want one picture", quote(in.name), quote(name))
		}
		in = &g.inputs[i]
	}
	if in == nil {
		in = unread // something else will be wrong with it
	}
	if in == nil {
		return errors.New("graph: no input, want a picture")
	}
	d := in.dims
	if in.kind != typeFloat && in.kind != typeFloat16 || len(d) != 4 || d[0].value == 0 { // of a batch each picture is one
		return fmt.Errorf("graph: input %s: %v %v, want float32 (1, colors, height, width)", quote(in.name), in.kind, d)
	}
	color, first := 1, 2
	if colorful := func(d dim) bool { return d.value == 1 || d.value == 3 }; !colorful(d[1]) && colorful(d[3]) {
		color, first = 3, 1
	}
	im.in = extent{d[color].value, d[first].value, d[first+1].value}
	if im.in.c != 1 && im.in.c != 3 {
		return fmt.Errorf("graph: input %s: %v %v, want 1 or 3 colors", quote(in.name), in.kind, d)
	}
	for _, side := range []struct {
		n       *int64
		instead int64
	}{{&im.in.h, anyHeight}, {&im.in.w, anyWidth}} {
		switch {
		case *side.n < 0:
			*side.n = side.instead
		case *side.n < 1 || *side.n > maxSide:
			return fmt.Errorf("graph: input %s: %v, want sides of 1 to %d pixels", quote(in.name), d, maxSide)
		}
	}
	im.graph.Colors = int(im.in.c)
	im.last = in.name
	v := value{node: network.Picture, axes: im.in.axes()}
	if color == 3 {
		v.axes = [][]digit{v.axes[0], v.axes[2], v.axes[3], v.axes[1]}
	}
	im.values[in.name] = v
	return nil
}

// output makes the picture that goes out the last node.
func (im *importer) output(g *graph) error {
	if len(g.outputs) != 1 {
		return fmt.Errorf("graph: %d outputs, want one", len(g.outputs))
	}
	name := g.outputs[0].name
	v, has := im.values[name]
	if !has || v.constant() {
		return fmt.Errorf("graph: output %s does not depend on the picture", quote(name))
	}
	im.at = len(g.nodes) - 1
	n := &g.nodes[im.at]
	// The colors may come last, as in files for channels-last frameworks.
	if i, err := im.settle(n, v); err == nil {
		v.node = i
	} else {
		if len(v.axes) == 4 {
			v.axes = [][]digit{v.axes[0], v.axes[3], v.axes[1], v.axes[2]}
		}
		if v.node, err = im.settle(n, v); err != nil {
			return err
		}
	}
	if v.node == network.Picture {
		return fmt.Errorf("graph: output %s is the input", quote(name))
	}
	e := im.sizes[v.node]
	if e.c != im.in.c || e.h%im.in.h != 0 || e.w%im.in.w != 0 || e.h/im.in.h != e.w/im.in.w || e.h/im.in.h > network.MaxScale {
		at := func(n, in int64) string { return fmt.Sprintf("%.4g", float64(n)/float64(in)) }
		return fmt.Errorf("graph: output %s has %d colors, %s times the width and %s times the height of the input, want %d and a whole number up to %d for both",
			quote(name), e.c, at(e.w, im.in.w), at(e.h, im.in.h), im.in.c, network.MaxScale)
	}
	im.graph.Scale = int(e.h / im.in.h)
	im.graph.Nodes = im.graph.Nodes[:v.node+1] // what comes later is not read by it
	return nil
}

// bad says why a node does not fit.
func (im *importer) bad(n *node, format string, args ...any) error {
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	return fmt.Errorf("node %d %s: %.80s (opset %d) %s", im.at, quote(n.name), op, im.opset, fmt.Sprintf(format, args...))
}

// size writes the width and height of a value for a message, as multiples of the
// picture's, which no user knows as anyHeight and anyWidth.
func (im *importer) size(e extent) string {
	return fmt.Sprintf("%.4gx%.4g times the picture", float64(e.w)/float64(im.in.w), float64(e.h)/float64(im.in.h))
}

// words writes a shape for a message, with names for sides that are open.
func (im *importer) words(list []int64) string {
	var parts []string
	for _, d := range list {
		word := fmt.Sprint(d)
		for _, side := range []struct {
			n    int64
			name string
		}{{anyHeight, "height"}, {anyWidth, "width"}} {
			switch {
			case d == side.n:
				word = side.name
			case d%side.n == 0 && d > 0:
				word = fmt.Sprintf("%d*%s", d/side.n, side.name)
			}
		}
		parts = append(parts, word)
	}
	if len(parts) > 8 {
		parts = append(parts[:8], "...")
	}
	return fmt.Sprint(parts)
}

// append adds a node to the graph and gives the value that it makes.
func (im *importer) append(n *node, op network.Node, e extent) (value, error) {
	if len(im.graph.Nodes) == network.MaxNodes {
		return value{}, im.bad(n, "follows %d others, want at most as many", network.MaxNodes)
	}
	if e.c < 1 || e.h < 1 || e.w < 1 || e.c > network.MaxChannels || e.h > maxExtent || e.w > maxExtent {
		return value{}, im.bad(n, "makes %d channels of %s, want 1 to %d and at least a pixel", e.c, im.size(e), network.MaxChannels)
	}
	op.Name = n.name
	if op.Name == "" && len(n.outputs) > 0 {
		op.Name = n.outputs[0]
	}
	if op.Name == "" || im.names[op.Name] { // names of nodes need not be unique
		op.Name = fmt.Sprintf("%s_%d", op.Name, len(im.graph.Nodes))
	}
	op.Name = fresh(im.names, op.Name)
	if e.h == 1 && e.w == 1 && slices.ContainsFunc(op.Inputs, func(j int) bool { return im.pixel[j] }) {
		im.pixel[len(im.graph.Nodes)] = true
	}
	im.graph.Nodes = append(im.graph.Nodes, op)
	im.sizes = append(im.sizes, e)
	return value{node: len(im.graph.Nodes) - 1, axes: e.axes()}, nil
}

// extent gives the size of a node or the picture.
func (im *importer) extent(node int) extent {
	if node == network.Picture {
		return im.in
	}
	return im.sizes[node]
}

// get gives input i as it is.
func (im *importer) get(n *node, i int) (value, error) {
	if !n.has(i) {
		return value{}, im.bad(n, "lacks input %d", i)
	}
	v, has := im.values[n.inputs[i]]
	if !has {
		return value{}, im.bad(n, "reads %s, which no node before gives", quote(n.inputs[i]))
	}
	return v, nil
}

// read gives input i as a node of the graph, (1, channels, height, width).
func (im *importer) read(n *node, i int) (int, extent, error) {
	v, err := im.get(n, i)
	if err != nil {
		return 0, extent{}, err
	}
	if v.constant() {
		return 0, extent{}, im.bad(n, "reads the constant %s, want what is computed from the picture", quote(n.inputs[i]))
	}
	j, err := im.settle(n, v)
	if err != nil {
		return 0, extent{}, err
	}
	return j, im.extent(j), nil
}

// known gives input i as a constant.
func (im *importer) known(n *node, i int) (*constant, error) {
	v, err := im.get(n, i)
	if err != nil {
		return nil, err
	}
	if !v.constant() {
		return nil, im.bad(n, "computes its input %s from the picture, want a constant", quote(n.inputs[i]))
	}
	if v.k == nil {
		if v.k, err = im.load(n, v.tensor); err != nil {
			return nil, err
		}
		im.values[n.inputs[i]] = v // each is converted once
	}
	return v.k, nil
}

// floats gives input i as numbers with a fraction. It is read only: whoever
// keeps it copies it, which is what is taken from the memory here.
func (im *importer) floats(n *node, i int) (*constant, error) {
	k, err := im.known(n, i)
	if err != nil {
		return nil, err
	}
	if k.whole {
		return nil, im.bad(n, "has whole numbers as %s, want float32", quote(n.inputs[i]))
	}
	if err := im.mem.take(k.n(), 4, "constants"); err != nil { // many nodes may read one large constant
		return nil, im.bad(n, "%v", err)
	}
	if j := notFinite(k.floats); j >= 0 {
		return nil, im.bad(n, "has %v at %d of constant %s, want finite numbers", k.floats[j], j, quote(n.inputs[i]))
	}
	return k, nil
}

// ints gives input i as whole numbers.
func (im *importer) ints(n *node, i int) ([]int64, error) {
	k, err := im.known(n, i)
	if err != nil {
		return nil, err
	}
	if !k.whole {
		return nil, im.bad(n, "has float32 numbers as %s, want whole ones", quote(n.inputs[i]))
	}
	return k.ints, nil
}

// listed gives what an operator set before `since` has as an attribute and
// later ones as input i; nil when it is left out.
func (im *importer) listed(n *node, name string, i, since int) ([]int64, error) {
	if im.opset < since {
		if a := n.attr(name); a != nil {
			return a.ints, nil
		}
		return nil, nil
	}
	if !n.has(i) {
		return nil, nil
	}
	return im.ints(n, i)
}

// axis counts a negative axis from the end.
func axis(a int64, rank int) (int, bool) {
	if a < 0 {
		a += int64(rank)
	}
	return int(a), a >= 0 && a < int64(rank)
}

// node takes one node of the file.
func (im *importer) node(n *node) error {
	if n.domain != "" {
		return im.bad(n, "is no standard operator")
	}
	// What a node and the order of its values take at most, constants aside.
	if err := im.mem.take(1, 2048, "nodes"); err != nil {
		return im.bad(n, "%v", err)
	}
	// Shapes are constants whatever they belong to, and so is what only
	// constants go into.
	if k, is, err := im.fold(n); is {
		if err == nil {
			im.values[n.outputs[0]] = value{k: k}
		}
		return err
	}
	f, known := im.operators[n.op]
	if !known {
		return im.bad(n, "is not an operator that this runtime has, see docs/operators.md")
	}
	outs, err := f(im, n)
	if err != nil {
		return err
	}
	for i, name := range n.outputs {
		if i >= len(outs) {
			if name != "" {
				return im.bad(n, "has %d outputs, want %d", len(n.outputs), len(outs))
			}
			continue
		}
		if name != "" {
			im.values[name] = outs[i]
		}
	}
	return nil
}
