package onnx

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"evosr/network"
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

// TestOwnErrors spoils one thing of a network at a time.
func TestOwnErrors(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Model)
		want string
	}{
		{"other domain", func(m *Model) { m.graph.nodes[nodeRelu].domain = "com.example" }, `com.example.Relu (opset 13) is no standard operator`},
		{"old opset", func(m *Model) { m.opsets[0].version = 6 }, "opset 6 of the standard operators, want 7 to 26"},
		{"future opset", func(m *Model) { m.opsets[0].version = 27 }, "opset 27"},
		{"no standard opset", func(m *Model) { m.opsets[0].domain = "com.example" }, "opset 0"},
		{"stride", func(m *Model) { m.setAttr(nodeSlot, intsAttr("strides", 2, 2)) }, `node 7 "tail/add": Add (opset 13) takes 4 channels of 0.5x0.5 times the picture and 4 of 1x1 times the picture, want as many of one size`},
		{"dilation", func(m *Model) { m.setAttr(nodeSlot, intsAttr("dilations", 2, 2)) }, "takes 4 channels of 0.9998x0.9998 times the picture"},
		{"groups", func(m *Model) { m.setAttr(nodeSlot, intAttr("group", 4)) }, "has weights for 16 input channels, want 4"},
		{"kernel shape lies", func(m *Model) { m.setAttr(nodeSlot, intsAttr("kernel_shape", 5, 5)) }, "has kernel_shape [5 5], want [3 3]"},
		{"asymmetric pads", func(m *Model) { m.setAttr(nodeSlot, intsAttr("pads", 0, 0, 1, 1)) }, "takes 4 channels of 0.9999x0.9999 times the picture"},
		{"no pads", func(m *Model) { m.setAttr(nodeSlot, intsAttr("pads", 0, 0, 0, 0)) }, "takes 4 channels of 0.9998x0.9998 times the picture"},
		{"unknown auto_pad", func(m *Model) { m.setAttr(nodeSlot, textAttr("auto_pad", "FULL")) }, `has auto_pad "FULL"`},
		{"picture too small", func(m *Model) { m.graph.nodes[nodeHead].inputs[0] = inputName }, "takes 4 channels of 0.9998x0.9998 times the picture"},
		{"picture too large", func(m *Model) { m.graph.nodes[nodeHead].inputs[0] = "lr/edge2" }, "takes 4 channels of 1x1 times the picture and 4 of 1x1 times the picture"},
		{"weights of rank 3", func(m *Model) { m.initializer("head/weight").dims = []int64{4, 1, 9} }, "has weights [4 1 9]"},
		{"weights 1x9", func(m *Model) { m.initializer("head/weight").dims = []int64{4, 1, 1, 9} }, "has kernel_shape [3 3], want [1 9] as its weights"},
		{"weights for other channels", func(m *Model) { m.initializer("slot1/conv/weight").dims = []int64{8, 2, 3, 3} }, "has weights for 2 input channels, want 4"},
		{"weights of another type", func(m *Model) {
			w := m.initializer("head/weight")
			w.kind, w.raw = 6, make([]byte, 4*w.n)
		}, `has whole numbers as "head/weight", want float32`},
		{"weights computed", func(m *Model) { m.graph.nodes[nodeTail].inputs[1] = "head" }, `computes its input "head" from the picture, want a constant`},
		{"no weights", func(m *Model) { m.graph.nodes[nodeTail].inputs = m.graph.nodes[nodeTail].inputs[:1] }, "lacks input 1"},
		{"NaN weight", func(m *Model) { copy(m.initializer("head/weight").raw[8:], "\x00\x00\xc0\x7f") }, `has NaN at 2 of constant "head/weight"`},
		{"bias of another length", func(m *Model) { m.graph.nodes[nodeTail].inputs[2] = "lr/edge1/bias"; m.addConstant("lr/edge1/bias", 5) }, "has a bias [5], want [4]"},
		{"Relu of the picture", func(m *Model) { m.graph.nodes[nodeRelu].inputs[0] = inputName }, "has weights for 4 input channels, want 1"},
		{"Add of a constant", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = "tail/bias" }, "has a constant [4], want one number or [4 1 1], one for each channel"},
		{"Add of one input", func(m *Model) { m.graph.nodes[nodeAdd].inputs = m.graph.nodes[nodeAdd].inputs[:1] }, "has 1 inputs, want two"},
		{"pads of one side", func(m *Model) { m.initializer("lr/edge1/pads").raw = intTensor("", 0, 0, 1, 0, 0, 0, 1, 1).raw }, "takes 4 channels of 0.9999x1 times the picture"},
		{"negative pads", func(m *Model) {
			m.initializer("lr/edge1/pads").raw = intTensor("", 0, 0, -1, -1, 0, 0, -1, -1).raw
		}, "has pads [0 0 -1 -1"},
		{"pads with axes", func(m *Model) {
			m.graph.nodes[nodePad].inputs = append(m.graph.nodes[nodePad].inputs, "", "lr/edge1/pads")
		}, "has pads [0 0 1 1 0 0 1 1] for axes [0 0 1 1 0 0 1 1]"},
		{"blocksize", func(m *Model) { m.setAttr(nodeShuffle, intAttr("blocksize", 3)) }, "has blocksize 3 for 4 channels"},
		{"shuffle mode", func(m *Model) { m.setAttr(nodeShuffle, textAttr("mode", "RCD")) }, `has mode "RCD"`},
		{"no shuffle", func(m *Model) { m.graph.nodes[nodeShuffle].op = "Identity" }, `output "sr" has 4 colors, 1 times the width and 1 times the height of the input, want 1 and a whole number`},
		{"shuffle of the picture", func(m *Model) { m.graph.nodes[nodeShuffle].inputs[0] = inputName }, "has blocksize 2 for 1 channels"},
		{"layer after the shuffle", func(m *Model) {
			m.graph.nodes[nodeShuffle].outputs[0] = "big"
			m.insert(9, node{name: "late", op: "Conv", inputs: []string{"big", "head/weight"}, outputs: []string{outputName}})
		}, `output "sr" has 4 colors, 2 times the width and 2 times the height of the input, want 1 and a whole number`},
		{"two outputs", func(m *Model) {
			o := m.graph.outputs[0]
			o.name = "head"
			m.graph.outputs = append(m.graph.outputs, o)
		}, "graph: 2 outputs, want one"},
		{"two inputs", func(m *Model) {
			in := m.graph.inputs[0]
			in.name = "hr"
			m.graph.inputs = append(m.graph.inputs, in)
			last := &m.graph.nodes[len(m.graph.nodes)-1]
			last.inputs = append(last.inputs, "hr")
		}, `graph: inputs "lr" and "hr", want one picture`},
		{"two colors", func(m *Model) { m.graph.inputs[0].dims[1].value = 2 }, "want 1 or 3 colors"},
		{"bytes as input", func(m *Model) { m.graph.inputs[0].kind = 2 }, "uint8 [1 1"},
		{"input without height", func(m *Model) { m.graph.inputs[0].dims[2] = dim{value: 0} }, "want sides of 1 to 32768 pixels"},
		{"other Reshape", func(m *Model) {
			m.insert(0, node{name: "r", op: "Reshape", inputs: []string{inputName, "lr/edge1/pads"}, outputs: []string{"z"}})
		}, "does not fit [1 1 height width] values into [1 1 1 1 0 0 1 1]"},
		{"other MatMul", func(m *Model) {
			m.insert(0, node{name: "m", op: "MatMul", inputs: []string{inputName, "head/bias"}, outputs: []string{"z"}})
		}, `node 0 "m": MatMul (opset 13) multiplies no matrix of a picture's rows`},
		{"Constant of text", func(m *Model) {
			m.insert(0, node{name: "c", op: "Constant", outputs: []string{"z"}, attrs: []attribute{textAttr("value_string", "3")}})
		}, "want a tensor or numbers as its value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small(t)
			tt.edit(m)
			m, err := Decode(m.encode())
			if err != nil {
				t.Fatal(err)
			}
			net, err := m.Graph(ImportOptions{})
			if err == nil {
				t.Fatalf("became a network of %d nodes, want error %q", len(net.Nodes), tt.want)
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

// TestForeignForms are other ways to write the same network, or nearly the same:
// also does to the graph what edit does to the file.
func TestForeignForms(t *testing.T) {
	const head, relu, add = 1, 3, 5 // nodes of the graph
	tests := []struct {
		name string
		edit func(*Model)
		also func(*network.Graph)
	}{
		{"attributes left out", func(m *Model) {
			for _, i := range []int{nodeSkip, nodeHead} {
				m.graph.nodes[i].attrs = nil
			}
		}, nil},
		{"auto_pad", func(m *Model) {
			m.setAttr(nodeSlot, textAttr("auto_pad", "SAME_UPPER"))
			m.setAttr(nodeHead, textAttr("auto_pad", "VALID"))
		}, nil},
		{"DCR for one color", func(m *Model) { m.setAttr(nodeShuffle, textAttr("mode", "DCR")) }, nil},
		{"Add the other way round", func(m *Model) { slices.Reverse(m.graph.nodes[nodeAdd].inputs) },
			func(g *network.Graph) { slices.Reverse(g.Nodes[add].Inputs) }},
		{"another activation", func(m *Model) { m.graph.nodes[nodeRelu].op = "Tanh" }, func(g *network.Graph) { g.Nodes[relu].Act = network.ActTanh }},
		{"zeros around the picture", func(m *Model) {
			m.graph.nodes[nodeHead].inputs[0] = inputName
			m.setAttr(nodeHead, intsAttr("pads", 1, 1, 1, 1))
		}, func(g *network.Graph) { g.Nodes[head].Border = network.Zeros }},
		{"zeros around the picture by Pad", func(m *Model) { m.setAttr(nodePad, textAttr("mode", "constant")) },
			func(g *network.Graph) { g.Nodes[head].Border = network.Zeros }},
		{"Add of the picture", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = inputName }, func(g *network.Graph) {
			g.Nodes[add].Inputs[1] = network.Picture
			g.Nodes[head].Inputs[0] = network.Picture
			dropFirst(g)
		}},
		{"a sum before its activation is read, too", func(m *Model) { m.graph.nodes[nodeAdd].inputs[1] = m.graph.nodes[nodeSlot].outputs[0] }, func(g *network.Graph) {
			g.Nodes[add].Inputs[1] = 2
			dropFirst(g)
		}},
		{"Add of two finished layers", func(m *Model) {
			v := m.graph.nodes[nodeRelu].outputs[0]
			m.graph.nodes[nodeAdd].inputs = []string{v, v}
		}, func(g *network.Graph) {
			g.Nodes[add].Inputs = []int{relu, relu}
			g.Nodes = slices.Delete(g.Nodes, 4, 5) // the tail
			g.Nodes[4].Inputs, g.Nodes[5].Inputs = []int{relu, relu}, []int{4}
			dropFirst(g)
		}},
		{"a Transpose that nothing reads", func(m *Model) {
			m.insert(0, node{name: "t", op: "Transpose", inputs: []string{inputName}, outputs: []string{"z"}})
		}, nil},
		{"Identity on the way", func(m *Model) {
			m.graph.nodes[nodeRelu].inputs[0] = "same"
			m.insert(nodeRelu, node{op: "Identity", inputs: []string{"slot1/conv"}, outputs: []string{"same"}})
			m.graph.nodes[nodeSkip].inputs[1] = "weights"
			m.insert(0, node{op: "Identity", inputs: []string{"skip/weight"}, outputs: []string{"weights"}})
		}, nil},
		{"Relu twice", func(m *Model) {
			m.graph.nodes[nodeTail].inputs[0] = "again"
			m.insert(nodeTail, node{op: "Relu", inputs: m.graph.nodes[nodeRelu].outputs, outputs: []string{"again"}})
		}, func(g *network.Graph) {
			again := network.Node{Name: "again", Op: network.OpActivate, Act: network.ActReLU, Inputs: []int{relu}}
			for i := relu + 1; i < len(g.Nodes); i++ {
				for k, j := range g.Nodes[i].Inputs {
					if j >= relu {
						g.Nodes[i].Inputs[k]++
					}
				}
			}
			g.Nodes = slices.Insert(g.Nodes, relu+1, again)
		}},
		{"initializers as inputs", func(m *Model) {
			for _, w := range m.graph.initializers {
				m.graph.inputs = append([]valueInfo{{name: w.name, kind: w.kind}}, m.graph.inputs...)
			}
		}, nil},
		{"pads as an attribute, before opset 11", func(m *Model) {
			m.opsets[0].version = 10
			for i, r := range []int64{2, 1} {
				m.graph.nodes[i].inputs = m.graph.nodes[i].inputs[:1]
				m.setAttr(i, intsAttr("pads", 0, 0, r, r, 0, 0, r, r))
			}
			m.setAttr(nodeShuffle, textAttr("mode", "DCR"))
		}, nil},
		{"a dead branch", func(m *Model) {
			m.insert(nodeTail, node{op: "Conv", name: "dead", inputs: []string{"lr/edge1", "head/weight"}, outputs: []string{"dead"}})
		}, nil},
		{"edge repeated in two steps", func(m *Model) {
			m.graph.nodes[0].inputs = []string{"lr/edge1", "lr/edge1/pads"}
			m.graph.nodes[0], m.graph.nodes[1] = m.graph.nodes[1], m.graph.nodes[0]
		}, nil},
		{"batch and size without names", func(m *Model) {
			for i := range m.graph.inputs[0].dims {
				if i != 1 {
					m.graph.inputs[0].dims[i] = dim{value: -1, param: fmt.Sprint("unk", i)}
				}
			}
		}, nil},
		{"bias left out", func(m *Model) {
			clear(m.initializer("head/bias").raw)
			m.graph.nodes[nodeHead].inputs = m.graph.nodes[nodeHead].inputs[:2]
		}, func(g *network.Graph) { g.Nodes[head].Bias = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small(t)
			tt.edit(m)
			got, _, err := Read(bytes.NewReader(m.encode()))
			if err != nil {
				t.Fatal(err)
			}
			want, err := small(t).Graph(ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.also != nil {
				tt.also(want)
			}
			sameNet(t, got, want)
		})
	}
}

// dropFirst takes the first node out, which nothing reads any more.
func dropFirst(g *network.Graph) {
	g.Nodes = g.Nodes[1:]
	for i := range g.Nodes {
		for k, j := range g.Nodes[i].Inputs {
			if j != network.Picture {
				g.Nodes[i].Inputs[k]--
			}
		}
	}
}

// TestForeignData reads weights from the typed field of a tensor, packed and
// not, and from a Constant node.
func TestForeignData(t *testing.T) {
	m := small(t)
	want, err := small(t).Graph(ImportOptions{})
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

// TestMetadata reads what the metadata tell of a network, true or not.
func TestMetadata(t *testing.T) {
	const text = "w4;head;lean;tail"
	tests := []struct {
		name, sparsity string
		want           network.Prune // of slot1/conv
	}{
		{"nothing", "", network.Prune{}},
		{"as it is written", `[{"layer":"slot1/conv","scheme":"block4","density":0.47,"percent":50}]`, network.Prune{Scheme: network.Block4, Percent: 50}},
		{"without a percent, as in older files", `[{"layer":"slot1/conv","scheme":"pattern","density":0.246}]`, network.Prune{Scheme: network.Pattern, Percent: 75}},
		{"in another order, and more of it", ` [ {"x":[],"scheme":"filter","percent":25,"layer":"slot1/conv"} ] `, network.Prune{Scheme: network.Filter, Percent: 25}},
		{"behind others", `[{"layer":"a","scheme":"block4"},{"layer":"slot1/conv/relu","scheme":"block4"},{"layer":"slot1/conv","scheme":"block8","percent":10}]`,
			network.Prune{Scheme: network.Block8, Percent: 10}},
		{"dense", `[{"layer":"slot1/conv","scheme":"dense","density":0.5}]`, network.Prune{}},
		{"no such scheme", `[{"layer":"slot1/conv","scheme":"block16","density":0.5,"percent":50}]`, network.Prune{}},
		{"a scheme of other filters", `[{"layer":"skip","scheme":"pattern","percent":50}]`, network.Prune{}},
		{"too much", `[{"layer":"slot1/conv","scheme":"block2","percent":1000}]`, network.Prune{Scheme: network.Block2, Percent: network.MaxPercent}},
		{"less than nothing", `[{"layer":"slot1/conv","scheme":"block2","density":-1e300,"percent":-5}]`, network.Prune{Scheme: network.Block2, Percent: 1}},
		{"a density above 1", `[{"layer":"slot1/conv","scheme":"block2","density":1e300}]`, network.Prune{Scheme: network.Block2, Percent: 1}},
		{"another type", `[{"layer":"slot1/conv","scheme":4,"percent":50}]`, network.Prune{}},
		{"no list", `{"layer":"slot1/conv","scheme":"block4","percent":50}`, network.Prune{}},
		{"no JSON", "block4@50", network.Prune{}},
		{"cut off", `[{"layer":"slot1/conv","scheme":"block4","percent":50}`, network.Prune{Scheme: network.Block4, Percent: 50}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small(t)
			m.metadata[metaSparsity] = tt.sparsity
			g, err := m.Graph(ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if g.Genome != text {
				t.Errorf("genome %q", g.Genome)
			}
			for i := range g.Nodes {
				n := &g.Nodes[i]
				if want := (network.Prune{}); n.Name != "slot1/conv" && n.Prune != want || n.Name == "slot1/conv" && n.Prune != tt.want {
					t.Errorf("%s: pruned %+v, want %+v for slot1/conv only", n.Name, n.Prune, tt.want)
				}
			}
		})
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
	net, _, err := Read(bytes.NewReader(tower(network.MaxNodes - 1)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range net.Nodes {
		names[net.Nodes[i].Name] = true
	}
	if len(names) != network.MaxNodes || !names["same"] || !names["same_4094"] {
		t.Errorf("%d names for %d nodes", len(names), len(net.Nodes))
	}
	if _, _, err := Read(bytes.NewReader(tower(network.MaxNodes))); err == nil || !strings.Contains(err.Error(), "follows 4096 others") {
		t.Errorf("error %v", err)
	}
}
