package onnx

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// Nodes of the graph of small, by their index. Node 0 is the Pad of reach 2.
const (
	nodePad, nodeSkip, nodeHead, nodeSlot, nodeRelu, nodeTail, nodeAdd, nodeShuffle = 1, 2, 3, 4, 5, 6, 7, 8
)

func (m *Model) setAttr(i int, a attribute) {
	n := &m.graph.nodes[i]
	n.attrs = slices.DeleteFunc(n.attrs, func(b attribute) bool { return b.name == a.name })
	n.attrs = append(n.attrs, a)
}

func (m *Model) initializer(name string) *tensor {
	i := slices.IndexFunc(m.graph.initializers, func(t tensor) bool { return t.name == name })
	return &m.graph.initializers[i]
}

func (m *Model) insert(i int, n node) { m.graph.nodes = slices.Insert(m.graph.nodes, i, n) }

// TestSubnetErrors spoils one thing of a network at a time.
func TestSubnetErrors(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Model)
		want string
	}{
		{"unknown operator", func(m *Model) { m.graph.nodes[nodeRelu].op = "Tanh" }, `node 5 "slot1/conv/relu": Tanh (opset 13) is not an operator of these networks`},
		{"other domain", func(m *Model) { m.graph.nodes[nodeRelu].domain = "com.example" }, `com.example.Relu (opset 13) is no standard operator`},
		{"old opset", func(m *Model) { m.opsets[0].version = 6 }, "opset 6 of the standard operators, want 7 to 25"},
		{"future opset", func(m *Model) { m.opsets[0].version = 26 }, "opset 26"},
		{"no standard opset", func(m *Model) { m.opsets[0].domain = "com.example" }, "opset 0"},
		{"stride", func(m *Model) { m.setAttr(nodeSlot, intsAttr("strides", 2, 2)) }, `node 4 "slot1/conv": Conv (opset 13) has strides [2 2], want [1 1]`},
		{"dilation", func(m *Model) { m.setAttr(nodeSlot, intsAttr("dilations", 2, 2)) }, "has dilations [2 2]"},
		{"groups", func(m *Model) { m.setAttr(nodeSlot, intAttr("group", 4)) }, "has 4 groups, want 1"},
		{"kernel shape lies", func(m *Model) { m.setAttr(nodeSlot, intsAttr("kernel_shape", 5, 5)) }, "has kernel_shape [5 5], want [3 3]"},
		{"asymmetric pads", func(m *Model) { m.setAttr(nodeSlot, intsAttr("pads", 0, 0, 1, 1)) }, "has pads [0 0 1 1], want four equal ones"},
		{"no pads", func(m *Model) { m.setAttr(nodeSlot, intsAttr("pads", 0, 0, 0, 0)) }, "pads 0 pixels, want 1"},
		{"unknown auto_pad", func(m *Model) { m.setAttr(nodeSlot, textAttr("auto_pad", "FULL")) }, `has auto_pad "FULL"`},
		{"zeros around the picture", func(m *Model) {
			m.graph.nodes[nodeHead].inputs[0] = inputName
			m.setAttr(nodeHead, intsAttr("pads", 1, 1, 1, 1))
		}, `node 3 "head": Conv (opset 13) puts zeros around the picture`},
		{"picture too small", func(m *Model) { m.graph.nodes[nodeHead].inputs[0] = inputName }, "edge repeated 0 times, want 1"},
		{"picture too large", func(m *Model) { m.graph.nodes[nodeHead].inputs[0] = "lr/edge2" }, "edge repeated 2 times, want 1"},
		{"weights of rank 3", func(m *Model) { m.initializer("head/weight").dims = []int64{4, 1, 9} }, "has weights [4 1 9]"},
		{"weights 1x9", func(m *Model) { m.initializer("head/weight").dims = []int64{4, 1, 1, 9} }, "has weights [4 1 1 9]"},
		{"weights for other channels", func(m *Model) { m.initializer("slot1/conv/weight").dims = []int64{8, 2, 3, 3} }, "has weights for 2 input channels, want 4"},
		{"weights of another type", func(m *Model) {
			w := m.initializer("head/weight")
			w.kind, w.raw = 6, make([]byte, 4*w.n)
		}, "holds int32, want float32"},
		{"weights computed", func(m *Model) { m.graph.nodes[nodeTail].inputs[1] = "head" }, `computes its input "head", want a constant`},
		{"no weights", func(m *Model) { m.graph.nodes[nodeTail].inputs = m.graph.nodes[nodeTail].inputs[:1] }, "lacks input 1"},
		{"NaN weight", func(m *Model) { copy(m.initializer("head/weight").raw[8:], "\x00\x00\xc0\x7f") }, `has NaN at 2 of constant "head/weight"`},
		{"bias of another length", func(m *Model) { m.graph.nodes[nodeTail].inputs[2] = "lr/edge1/bias"; m.addConstant("lr/edge1/bias", 5) }, "has a bias [5], want [4]"},
		{"Relu of the picture", func(m *Model) { m.graph.nodes[nodeRelu].inputs[0] = inputName }, "reads no layer"},
		{"Relu of a shared value", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = "slot1/conv/conv" }, "read elsewhere too"},
		{"Add of the picture", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = inputName }, `adds "lr", want the outputs of two layers`},
		{"Add of a constant", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = "tail/bias" }, `reads the constant "tail/bias"`},
		{"Add of one input", func(m *Model) { m.graph.nodes[nodeAdd].inputs = m.graph.nodes[nodeAdd].inputs[:1] }, "lacks input 1"},
		{"Add of two finished layers", func(m *Model) { m.graph.nodes[nodeAdd].inputs = []string{"slot1/conv", "slot1/conv"} }, "adds two layers that other nodes read too"},
		{"zero pads", func(m *Model) { m.setAttr(nodePad, textAttr("mode", "constant")) }, `node 1 "lr/edge1": Pad (opset 13) does not repeat the edge`},
		{"pads of one side", func(m *Model) { m.initializer("lr/edge1/pads").raw = intTensor("", 0, 0, 1, 0, 0, 0, 1, 1).raw }, "has pads [0 0 1 0 0 0 1 1]"},
		{"negative pads", func(m *Model) {
			m.initializer("lr/edge1/pads").raw = intTensor("", 0, 0, -1, -1, 0, 0, -1, -1).raw
		}, "has pads [0 0 -1 -1"},
		{"pads with axes", func(m *Model) {
			m.graph.nodes[nodePad].inputs = append(m.graph.nodes[nodePad].inputs, "", "lr/edge1/pads")
		}, "names its axes"},
		{"blocksize", func(m *Model) { m.setAttr(nodeShuffle, intAttr("blocksize", 3)) }, "has no blocksize of 2"},
		{"shuffle mode", func(m *Model) { m.setAttr(nodeShuffle, textAttr("mode", "RCD")) }, `has mode "RCD"`},
		{"no shuffle", func(m *Model) { m.graph.nodes[nodeShuffle].op = "Identity" }, `output "sr" is not the result of a pixel shuffle`},
		{"shuffle of the picture", func(m *Model) { m.graph.nodes[nodeShuffle].inputs[0] = inputName }, "reads no layer"},
		{"layer after the shuffle", func(m *Model) {
			m.graph.nodes[nodeShuffle].outputs[0] = "big"
			m.insert(9, node{name: "late", op: "Conv", inputs: []string{"big", "head/weight"}, outputs: []string{outputName}})
		}, `node 9 "late": Conv (opset 13) reads a step of a pixel shuffle`},
		{"two outputs", func(m *Model) {
			o := m.graph.outputs[0]
			o.name = "head"
			m.graph.outputs = append(m.graph.outputs, o)
		}, "graph: 2 outputs, want one"},
		{"two inputs", func(m *Model) {
			in := m.graph.inputs[0]
			in.name = "hr"
			m.graph.inputs = append(m.graph.inputs, in)
		}, `graph: inputs "lr" and "hr", want one picture`},
		{"two colors", func(m *Model) { m.graph.inputs[0].dims[1].value = 2 }, "want float32 (1, colors, height, width)"},
		{"batch of four", func(m *Model) { m.graph.inputs[0].dims[0].value = 4 }, "want float32 (1, colors, height, width)"},
		{"bytes as input", func(m *Model) { m.graph.inputs[0].kind = 2 }, "uint8 [1 1"},
		{"input without height", func(m *Model) { m.graph.inputs[0].dims[2] = dim{value: 0} }, "want sides of 1 to 32768 pixels"},
		{"other Reshape", func(m *Model) {
			m.insert(0, node{name: "r", op: "Reshape", inputs: []string{inputName, "lr/edge1/pads"}, outputs: []string{"z"}})
		}, "needs an input of fixed height and width"},
		{"other Transpose", func(m *Model) {
			m.insert(0, node{name: "t", op: "Transpose", inputs: []string{inputName}, outputs: []string{"z"}})
		}, `node 0 "t": Transpose (opset 13) is not that of a pixel shuffle`},
		{"other MatMul", func(m *Model) {
			m.insert(0, node{name: "m", op: "MatMul", inputs: []string{inputName, "head/bias"}, outputs: []string{"z"}})
		}, `node 0 "m": MatMul (opset 13) repeats no edge`},
		{"Constant without a tensor", func(m *Model) {
			m.insert(0, node{name: "c", op: "Constant", outputs: []string{"z"}, attrs: []attribute{intAttr("value_int", 3)}})
		}, "has no tensor as its value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small(t)
			tt.edit(m)
			m, err := Decode(m.encode())
			if err != nil {
				t.Fatal(err)
			}
			net, err := m.Subnet()
			if err == nil {
				t.Fatalf("became a network of %d layers, want error %q", len(net.Layers), tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "onnx: ") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func (m *Model) addConstant(name string, n int) {
	m.graph.initializers = append(m.graph.initializers, floatTensor(name, make([]float32, n), int64(n)))
}

// TestForeignForms are other ways to write the same network.
func TestForeignForms(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Model)
	}{
		{"attributes left out", func(m *Model) {
			for _, i := range []int{nodeSkip, nodeHead} {
				m.graph.nodes[i].attrs = nil
			}
		}},
		{"auto_pad", func(m *Model) {
			m.setAttr(nodeSlot, textAttr("auto_pad", "SAME_UPPER"))
			m.setAttr(nodeHead, textAttr("auto_pad", "VALID"))
		}},
		{"DCR for one color", func(m *Model) { m.setAttr(nodeShuffle, textAttr("mode", "DCR")) }},
		{"Add the other way round", func(m *Model) { slices.Reverse(m.graph.nodes[nodeAdd].inputs) }},
		{"Identity on the way", func(m *Model) {
			m.graph.nodes[nodeRelu].inputs[0] = "same"
			m.insert(nodeRelu, node{op: "Identity", inputs: []string{"slot1/conv/conv"}, outputs: []string{"same"}})
			m.graph.nodes[nodeSkip].inputs[1] = "weights"
			m.insert(0, node{op: "Identity", inputs: []string{"skip/weight"}, outputs: []string{"weights"}})
		}},
		{"Relu twice", func(m *Model) {
			m.graph.nodes[nodeTail].inputs[0] = "again"
			m.insert(nodeTail, node{op: "Relu", inputs: []string{"slot1/conv"}, outputs: []string{"again"}})
		}},
		{"initializers as inputs", func(m *Model) {
			for _, w := range m.graph.initializers {
				m.graph.inputs = append([]valueInfo{{name: w.name, kind: w.kind}}, m.graph.inputs...)
			}
		}},
		{"pads as an attribute, before opset 11", func(m *Model) {
			m.opsets[0].version = 10
			for i, r := range []int64{2, 1} {
				m.graph.nodes[i].inputs = m.graph.nodes[i].inputs[:1]
				m.setAttr(i, intsAttr("pads", 0, 0, r, r, 0, 0, r, r))
			}
			m.setAttr(nodeShuffle, textAttr("mode", "DCR"))
		}},
		{"a dead branch", func(m *Model) {
			m.insert(nodeTail, node{op: "Conv", name: "dead", inputs: []string{"lr/edge1", "head/weight"}, outputs: []string{"dead"}})
		}},
		{"edge repeated in two steps", func(m *Model) {
			m.graph.nodes[0].inputs = []string{"lr/edge1", "lr/edge1/pads"}
			m.graph.nodes[0], m.graph.nodes[1] = m.graph.nodes[1], m.graph.nodes[0]
		}},
		{"batch and size without names", func(m *Model) {
			for i := range m.graph.inputs[0].dims {
				if i != 1 {
					m.graph.inputs[0].dims[i] = dim{value: -1, param: fmt.Sprint("unk", i)}
				}
			}
		}},
		{"bias left out", func(m *Model) {
			clear(m.initializer("head/bias").raw)
			m.graph.nodes[nodeHead].inputs = m.graph.nodes[nodeHead].inputs[:2]
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small(t)
			tt.edit(m)
			got, _, err := Read(bytes.NewReader(m.encode()))
			if err != nil {
				t.Fatal(err)
			}
			want, err := small(t).Subnet()
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "bias left out" {
				clear(want.Layers[1].Bias)
			}
			sameNet(t, got, want)
		})
	}
}

// TestForeignData reads weights from the typed field of a tensor, packed and
// not, and from a Constant node.
func TestForeignData(t *testing.T) {
	m := small(t)
	want, err := small(t).Subnet()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"packed", "single", "constant"} {
		t.Run(form, func(t *testing.T) {
			data := foreign(t, m, form)
			got, _, err := Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			sameNet(t, got, want)
		})
	}
}

// foreign writes the file of m with head/weight in another form.
func foreign(t *testing.T, m *Model, form string) []byte {
	t.Helper()
	w := m.initializer("head/weight")
	body := slices.Concat(numberField(tensorType, int64(typeFloat)), bytesField(tensorDims, []byte{4, 1, 3, 3}))
	if form == "constant" {
		body = append(body, bytesField(tensorRaw, w.raw)...)
		attr := slices.Concat(bytesField(attrName, []byte("value")), bytesField(attrT, body), numberField(attrType, int64(attrTensor)))
		n := slices.Concat(bytesField(nodeOutput, []byte(w.name)), bytesField(nodeOp, []byte("Constant")), bytesField(nodeAttr, attr))
		return rebuild(m, bytesField(graphNode, n))
	}
	body = append(body, bytesField(tensorName, []byte(w.name))...)
	if form == "packed" {
		body = append(body, bytesField(tensorFloatData, w.raw)...)
	} else {
		for i := 0; i < len(w.raw); i += 4 {
			body = append(append(body, byte(tensorFloatData<<3|5)), w.raw[i:i+4]...)
		}
	}
	return rebuild(m, bytesField(graphInitializer, body))
}

// rebuild writes m with part at the head of its graph in place of head/weight.
func rebuild(m *Model, part []byte) []byte {
	c := *m
	c.graph.initializers = slices.DeleteFunc(slices.Clone(m.graph.initializers), func(t tensor) bool { return t.name == "head/weight" })
	info := slices.Concat(part, c.graph.encode())
	return slices.Concat(numberField(modelIR, c.ir), bytesField(modelGraph, info), bytesField(modelOpset, numberField(opsetVersion, 13)),
		bytesField(modelMetadata, bytesField(entryKey, []byte(metaGenome)), bytesField(entryValue, []byte(c.metadata[metaGenome]))))
}

// TestDepthToSpaceColors refuses the order of colors that differs.
func TestDepthToSpaceColors(t *testing.T) {
	m, err := build(netOf(t, check.Rand(t), "w4;head;skip;tail", 2, 3), ExportOptions{Opset: 13})
	if err != nil {
		t.Fatal(err)
	}
	m.setAttr(len(m.graph.nodes)-1, textAttr("mode", "DCR"))
	if _, err := m.Subnet(); err == nil || !strings.Contains(err.Error(), "has mode DCR for 3 colors, want CRD") {
		t.Errorf("error %v", err)
	}
}

// TestGenome keeps a network whose genome is no genome, or another's.
func TestGenome(t *testing.T) {
	rng := check.Rand(t)
	for _, tt := range []struct{ text, want string }{
		{"rubbish", ""},
		{"w8;head;wide2=block4@50,dense,dense;tail", "w8;head;wide2=block4@50,dense,dense;tail"},
	} {
		m, err := build(netOf(t, rng, "w4;head;lean;tail", 2, 1), ExportOptions{Opset: 13})
		if err != nil {
			t.Fatal(err)
		}
		m.metadata[metaGenome] = tt.text
		net, err := m.Subnet()
		if err != nil {
			t.Fatal(err)
		}
		if got := net.Genome; got != tt.want {
			t.Errorf("%s: genome %s, want %s", tt.text, got, tt.want)
		}
	}
}

// tower is a file of n convolutions in a row, all of one name, that share their
// weights.
func tower(n int) []byte {
	g := graph{initializers: []tensor{floatTensor("w", []float32{1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1}, 4, 4, 1, 1), floatTensor("first", []float32{1, 2, 3, 4}, 4, 1, 1, 1)}}
	last, weights := inputName, "first"
	for i := range n {
		next := fmt.Sprint("v", i)
		g.nodes = append(g.nodes, node{name: "same", op: "Conv", inputs: []string{last, weights}, outputs: []string{next}})
		last, weights = next, "w"
	}
	g.nodes = append(g.nodes, node{op: "DepthToSpace", inputs: []string{last}, outputs: []string{outputName}, attrs: []attribute{intAttr("blocksize", 2)}})
	shape := []dim{{value: 1}, {value: 1}, {value: -1, param: "h"}, {value: -1, param: "w"}}
	g.inputs = []valueInfo{{name: inputName, kind: typeFloat, dims: shape}}
	g.outputs = []valueInfo{{name: outputName, kind: typeFloat}}
	m := Model{ir: 7, opsets: []opset{{version: 13}}, graph: g}
	return m.encode()
}

// TestTower gives every layer a name of its own, in linear time.
func TestTower(t *testing.T) {
	net, _, err := Read(bytes.NewReader(tower(maxLayers)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range net.Layers {
		names[net.Layers[i].Name] = true
	}
	if len(names) != maxLayers || !names["same"] || !names["same_4095"] {
		t.Errorf("%d names for %d layers", len(names), len(net.Layers))
	}
	if _, _, err := Read(bytes.NewReader(tower(maxLayers + 1))); err == nil || !strings.Contains(err.Error(), "follows 4096 others") {
		t.Errorf("error %v", err)
	}
}
