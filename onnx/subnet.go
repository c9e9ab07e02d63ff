package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"evosr/network"
	"evosr/space"
)

// Operator sets whose Conv, activations, Add, Pad, DepthToSpace, Identity, Constant,
// Reshape, Transpose and MatMul mean what Subnet takes them for. Before 7 an Add
// named its axes; sets after the last one are not known yet.
const (
	minReadOpset = 7
	maxReadOpset = 25
)

// MaxFile is the largest file that Read reads, in bytes.
const MaxFile = 256 << 20

// Read decodes an ONNX file and recognises its network, as Decode and Subnet
// do. It reads at most MaxFile bytes.
func Read(r io.Reader) (*network.Subnet, map[string]string, error) {
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
	net, err := m.Subnet()
	if err != nil {
		return nil, nil, err
	}
	return net, m.Meta(), nil
}

// Subnet recognises a graph that fits the layers of room space: convolutions
// (stride 1, one group, 1x1, 3x3 or 5x5) that read the picture with its edge
// repeated or another layer with zeros around it, each followed by an Add of
// another layer and an activation (ReLU, PReLU, LeakyReLU, SiLU) as it has them,
// and a pixel shuffle at the end; what
// Export writes in either form. The error of another graph names the first node
// that does not fit.
//
// A layer with zero weights gets a mask that prunes them. The genome comes from
// the metadata where it parses, and the schemes of the layers that are the
// genome's. Weights are copies.
func (m *Model) Subnet() (*network.Subnet, error) {
	net, err := m.recognise()
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if err := net.Validate(); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if g, err := space.ParseGenome(m.metadata[metaGenome]); err == nil {
		net.Genome = g.String()
		restorePrunes(net, g)
	}
	return net, nil
}

// restorePrunes gives the layers that the genome describes their schemes.
func restorePrunes(net *network.Subnet, g space.Genome) {
	sp := &space.Space{Scale: net.Scale, Colors: net.Colors}
	byName := map[string]*network.Layer{}
	for i := range net.Layers {
		byName[net.Layers[i].Name] = &net.Layers[i]
	}
	shape := sp.Shape(g)
	for i := range shape.Layers {
		want := &shape.Layers[i]
		if l := byName[want.Name]; l != nil && l.In == want.In && l.Out == want.Out && l.Kernel == want.Kernel {
			l.Prune = want.Prune
		}
	}
}

// valueKind is what a value of the graph is to the network.
type valueKind int

const (
	pictureValue  valueKind = iota // with its edge repeated reach times
	layerValue                     // what a layer has computed so far
	shuffledValue                  // the upscaled picture

	// Steps of the portable form, in order.
	flatValue
	wideValue
	tallValue
	cellsValue
	movedValue

	// Steps of activations: of SiLU, and of PReLU in the portable form.
	sigmoidValue
	negatedValue
	negativeValue // Relu of that
	slopedValue   // times the slopes
	positiveValue
)

// Stages of a layer: what it may still be followed by.
const (
	convStage = iota // Add or an activation
	sumStage         // an activation
	doneStage
)

type traced struct {
	kind  valueKind
	reach int
	layer int // of recogniser.layers
	stage int
	sole  bool // one node reads it, so that the layer may go on

	lone    bool // as sole, but for how many read it now: readers
	readers int
	ofTwo   bool      // of a step of an activation: two nodes read the layer, of which it is one
	slope   []float32 // of slopedValue
}

// found is a layer under construction. Its Src and Add are indices of
// recogniser.layers.
type found struct {
	network.Layer
	last int // index of its last node so far: layers run in this order
}

type recogniser struct {
	opset         int
	mem           *memory
	constants     map[string]*tensor
	uses          map[string]int // how many nodes and outputs read a value
	values        map[string]traced
	layers        []found
	names         map[string]bool
	negated       map[string]bool // what a Neg reads
	colors        int
	height, width int64 // of the input, pixels; 0 when dynamic
	scale         int64
	at            int // index of the current node
}

func (m *Model) recognise() (*network.Subnet, error) {
	r := &recogniser{
		opset: m.Opset(), mem: newMemory(m.size),
		constants: map[string]*tensor{}, uses: map[string]int{}, values: map[string]traced{}, names: map[string]bool{}, negated: map[string]bool{},
	}
	if r.opset < minReadOpset || r.opset > maxReadOpset {
		return nil, fmt.Errorf("model: opset %d of the standard operators, want %d to %d", r.opset, minReadOpset, maxReadOpset)
	}
	g := &m.graph
	// Each node has an entry in most maps, and each of its inputs one in uses.
	entries := 4*len(g.nodes) + 2*len(g.initializers)
	for i := range g.nodes {
		entries += len(g.nodes[i].inputs)
	}
	if err := r.mem.take(entries, mapEntry, "values"); err != nil {
		return nil, err
	}
	for i := range g.initializers {
		r.constants[g.initializers[i].name] = &g.initializers[i]
	}
	if err := r.input(g); err != nil {
		return nil, err
	}
	if len(g.outputs) != 1 {
		return nil, fmt.Errorf("graph: %d outputs, want one", len(g.outputs))
	}
	r.uses[g.outputs[0].name]++
	for i := range g.nodes {
		for _, name := range g.nodes[i].inputs {
			r.uses[name]++
			if g.nodes[i].op == "Neg" {
				r.negated[name] = true
			}
		}
	}
	for i := range g.nodes {
		r.at = i
		if err := r.node(&g.nodes[i]); err != nil {
			return nil, err
		}
	}
	end, has := r.values[g.outputs[0].name]
	if !has || end.kind != shuffledValue {
		return nil, fmt.Errorf("graph: output %s is not the result of a pixel shuffle (DepthToSpace)", quote(g.outputs[0].name))
	}
	return r.subnet(end.layer), nil
}

// input finds the one input that is not a constant.
func (r *recogniser) input(g *graph) error {
	var in *valueInfo
	for i := range g.inputs {
		if r.constants[g.inputs[i].name] != nil {
			continue
		}
		if in != nil {
			return fmt.Errorf("graph: inputs %s and %s, want one picture", quote(in.name), quote(g.inputs[i].name))
		}
		in = &g.inputs[i]
	}
	if in == nil {
		return errors.New("graph: no input, want a picture")
	}
	d := in.dims
	if in.kind != typeFloat || len(d) != 4 || d[0].value > 1 || d[0].value == 0 || d[1].value != 1 && d[1].value != 3 {
		return fmt.Errorf("graph: input %s: %v %v, want float32 (1, colors, height, width) with 1 or 3 colors", quote(in.name), in.kind, d)
	}
	for _, side := range d[2:] {
		if side.value == 0 || side.value > maxSide {
			return fmt.Errorf("graph: input %s: %v, want sides of 1 to %d pixels", quote(in.name), d, maxSide)
		}
	}
	r.colors = int(d[1].value)
	r.height, r.width = max(0, d[2].value), max(0, d[3].value)
	r.values[in.name] = traced{kind: pictureValue}
	return nil
}

// bad says why a node does not fit.
func (r *recogniser) bad(n *node, why string) error {
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	return fmt.Errorf("node %d %s: %.80s (opset %d) %s", r.at, quote(n.name), op, r.opset, why)
}

func (r *recogniser) node(n *node) error {
	if n.domain != "" {
		return r.bad(n, "is no standard operator")
	}
	if n.op == "Constant" {
		a := n.attr("value")
		if a == nil || a.t == nil {
			return r.bad(n, "has no tensor as its value")
		}
		r.constants[n.outputs[0]] = a.t
		return nil
	}
	if (n.op == "Identity" || n.op == "Cast" && n.attr("to") != nil && n.attr("to").i == int64(typeFloat)) && len(n.inputs) == 1 {
		if t := r.constants[n.inputs[0]]; t != nil { // floats reads every type as float32
			r.constants[n.outputs[0]] = t
			return nil
		}
	}
	v, err := r.compute(n)
	if err != nil {
		return err
	}
	if len(n.outputs) != 1 {
		return r.bad(n, fmt.Sprintf("has %d outputs, want one", len(n.outputs)))
	}
	r.values[n.outputs[0]] = v
	return nil
}

func (r *recogniser) compute(n *node) (traced, error) {
	switch n.op {
	case "Add":
		return r.sum(n)
	case "MatMul":
		return r.matmul(n)
	case "Mul":
		return r.mul(n)
	case "Sub":
		return r.sub(n)
	case "Conv", "Relu", "LeakyRelu", "PRelu", "Sigmoid", "Neg", "Pad", "DepthToSpace", "Identity", "Reshape", "Transpose":
	default:
		return traced{}, r.bad(n, "is not an operator of these networks, want Conv, Relu, Add, Pad and DepthToSpace")
	}
	v, err := r.read(n, 0)
	if err != nil {
		return traced{}, err
	}
	switch n.op {
	case "Conv":
		return r.conv(n, v)
	case "Relu":
		return r.relu(n, v)
	case "LeakyRelu":
		return r.leakyRelu(n, v)
	case "PRelu":
		return r.prelu(n, v)
	case "Sigmoid":
		return r.step(n, v, layerValue, sigmoidValue)
	case "Neg":
		return r.step(n, v, layerValue, negatedValue)
	case "Pad":
		return r.pad(n, v)
	case "DepthToSpace":
		return r.depthToSpace(n, v)
	case "Reshape":
		return r.reshape(n, v)
	case "Transpose":
		return r.transpose(n, v)
	}
	return v, nil // Identity
}

// read gives input i of a node, which must depend on the picture.
func (r *recogniser) read(n *node, i int) (traced, error) {
	if i >= len(n.inputs) || n.inputs[i] == "" {
		return traced{}, r.bad(n, fmt.Sprintf("lacks input %d", i))
	}
	v, has := r.values[n.inputs[i]]
	if !has {
		return traced{}, r.bad(n, fmt.Sprintf("reads the constant %s, want a value computed from the picture", quote(n.inputs[i])))
	}
	v.lone, v.readers = v.sole, r.uses[n.inputs[i]]
	v.sole = v.lone && v.readers == 1
	return v, nil
}

// constant gives input i of a node, which must not depend on the picture.
func (r *recogniser) constant(n *node, i int) (*tensor, error) {
	if i >= len(n.inputs) || n.inputs[i] == "" {
		return nil, r.bad(n, fmt.Sprintf("lacks input %d", i))
	}
	t := r.constants[n.inputs[i]]
	if t == nil {
		return nil, r.bad(n, fmt.Sprintf("computes its input %s, want a constant", quote(n.inputs[i])))
	}
	// Many nodes may read one large constant.
	if err := r.mem.take(t.n, 10, "constants"); err != nil {
		return nil, r.bad(n, err.Error())
	}
	return t, nil
}

func (r *recogniser) floats(n *node, i int) ([]float32, error) {
	t, err := r.constant(n, i)
	if err != nil {
		return nil, err
	}
	values, err := t.floats()
	if err != nil {
		return nil, r.bad(n, "has a constant that does not fit: "+err.Error())
	}
	if j := notFinite(values); j >= 0 {
		return nil, r.bad(n, fmt.Sprintf("has %v at %d of constant %s, want finite numbers", values[j], j, quote(n.inputs[i])))
	}
	return values, nil
}

func (r *recogniser) ints(n *node, i int) ([]int64, error) {
	t, err := r.constant(n, i)
	if err != nil {
		return nil, err
	}
	values, err := t.ints()
	if err != nil {
		return nil, r.bad(n, "has a constant that does not fit: "+err.Error())
	}
	return values, nil
}

// subnet collects the layers that the output depends on.
func (r *recogniser) subnet(last int) *network.Subnet {
	needed := make([]bool, len(r.layers))
	stack := []int{last}
	needed[last] = true
	for len(stack) > 0 {
		l := &r.layers[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		for _, j := range []int{l.Src, l.Add} {
			if j >= 0 && !needed[j] {
				needed[j] = true
				stack = append(stack, j)
			}
		}
	}
	var order []int
	for i := range r.layers {
		if needed[i] {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(r.layers[a].last, r.layers[b].last) })
	place := make([]int, len(r.layers))
	net := &network.Subnet{Scale: int(r.scale), Colors: r.colors}
	for i, j := range order {
		place[j] = i
		l := r.layers[j].Layer
		if l.Src >= 0 {
			l.Src = place[l.Src]
		}
		if l.Add >= 0 {
			l.Add = place[l.Add]
		}
		net.Layers = append(net.Layers, l)
	}
	return net
}
