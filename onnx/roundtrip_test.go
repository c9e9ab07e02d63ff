package onnx

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// sameNet asks for equal nodes, weights bit by bit. A mask that prunes nothing is
// as good as none, a stride of 0 as one of 1.
func sameNet(t *testing.T, got, want *network.Graph) {
	t.Helper()
	if got.Scale != want.Scale || got.Colors != want.Colors || got.Genome != want.Genome {
		t.Fatalf("scale %d, %d colors, genome %v, want %d, %d, %v", got.Scale, got.Colors, got.Genome, want.Scale, want.Colors, want.Genome)
	}
	if len(got.Nodes) != len(want.Nodes) {
		t.Fatalf("%d nodes, want %d", len(got.Nodes), len(want.Nodes))
	}
	for i := range want.Nodes {
		g, w := got.Nodes[i], want.Nodes[i]
		sameBits := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
		if !slices.EqualFunc(g.Weights, w.Weights, sameBits) || !slices.EqualFunc(g.Bias, w.Bias, sameBits) {
			t.Fatalf("node %d %q: weights or biases differ", i, w.Name)
		}
		mask := w.Mask
		if w.Kept() == len(w.Weights) {
			mask = nil
		}
		if !slices.Equal(g.Mask, mask) {
			t.Fatalf("node %d %q: mask differs", i, w.Name)
		}
		shape := func(n network.Node) string {
			n.Stride, n.Groups = n.Inside()
			n.Weights, n.Bias, n.Mask = nil, nil, nil
			return fmt.Sprintf("%+v", n)
		}
		if shape(g) != shape(w) {
			t.Fatalf("node %d is %s, want %s", i, shape(g), shape(w))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rng := check.Rand(t)
	for _, scale := range []int{2, 3, 4} {
		for _, colors := range []int{1, 3} {
			for i := range 20 {
				net := randomNet(rng, scale, colors)
				o := ExportOptions{Opset: MinOpset + rng.IntN(MaxOpset-MinOpset+1)}
				if i%4 == 1 {
					o.Width, o.Height = 9, 7
				}
				if i%4 == 2 {
					o.Width, o.Height, o.Portable = 9, 7, true
				}
				data := export(t, net, o)
				got, meta, err := Read(bytes.NewReader(data))
				if err != nil {
					t.Fatalf("%v %+v: %v", net.Genome, o, err)
				}
				sameNet(t, got, net)
				if meta["scale"] != fmt.Sprint(scale) || meta["colors"] != fmt.Sprint(colors) || meta["genome"] != net.Genome {
					t.Fatalf("metadata %v", meta)
				}
				if again := export(t, got, o); !bytes.Equal(again, data) {
					t.Fatalf("%v %+v: written again, the file differs", net.Genome, o)
				}
			}
		}
	}
}

// TestBlocks names every kind of block once.
func TestBlocks(t *testing.T) {
	rng := check.Rand(t)
	for _, genome := range []string{
		"w8;head;skip;tail",
		"w8;head;lean;tail",
		"w8;head;plain1.5;tail",
		"w8;head;wide2;tail",
		"w8;head=block2@50;wide2=filter@50,block4@25,pattern@50;skip;plain1=unstructured@75,block8@25;lean=pattern@25;tail=block4@50",
	} {
		net := netOf(t, rng, genome, 2, 1)
		got, _, err := Read(bytes.NewReader(export(t, net, ExportOptions{})))
		if err != nil {
			t.Fatalf("%s: %v", genome, err)
		}
		sameNet(t, got, net)
	}
}

// TestActivations writes every activation in every form and reads it back.
func TestActivations(t *testing.T) {
	rng := check.Rand(t)
	for _, act := range space.Activations() {
		for name, o := range forms(6, 5) {
			if o.RGB || o.Float16 {
				continue // no subnet, or other weights
			}
			t.Run(fmt.Sprintf("%v/%s", act, name), func(t *testing.T) {
				net := bent(t, rng, act)
				got, _, err := Read(bytes.NewReader(export(t, net, o)))
				if err != nil {
					t.Fatal(err)
				}
				sameNet(t, got, net)
				if a, b := got.Params(), net.Params(); a != b {
					t.Errorf("%d parameters, want %d", a, b)
				}
			})
		}
	}
	silly := bent(t, rng, space.PReLU)
	for i := range silly.Nodes {
		if n := &silly.Nodes[i]; n.Act == network.ActPReLU {
			n.Slope[1] = float32(math.NaN())
		}
	}
	if err := Export(&bytes.Buffer{}, silly, ExportOptions{}); err == nil || !strings.Contains(err.Error(), "slopes is NaN") {
		t.Errorf("a slope of NaN: %v", err)
	}
}

// TestHalfActivations changes what is written as several nodes, so that it is no
// activation of the network any more: it must be taken for what it is.
func TestHalfActivations(t *testing.T) {
	find := func(m *Model, op string) *node {
		for i := range m.graph.nodes {
			if n := &m.graph.nodes[i]; n.op == op && (op != "Relu" || strings.HasSuffix(n.name, "negative")) {
				return n
			}
		}
		t.Fatalf("no %s", op)
		return nil
	}
	again := func(m *Model, input string) { // is read by the sum at the end, too
		at := slices.IndexFunc(m.graph.nodes, func(n node) bool { return slices.Contains(n.outputs, input) })
		m.insert(at+1, node{op: "Neg", inputs: []string{input}, outputs: []string{"again"}})
		find(m, "Add").inputs[1] = "again"
	}
	tests := []struct {
		name string
		act  space.Activation
		edit func(m *Model)
		want int // activations of the kind that stay
	}{
		{"nothing", space.SiLU, func(*Model) {}, 1},
		{"nothing", space.PReLU, func(*Model) {}, 1},
		{"the sigmoid of another layer", space.SiLU, func(m *Model) { find(m, "Sigmoid").inputs[0] = "head" }, 0},
		{"the sigmoid alone", space.SiLU, func(m *Model) { find(m, "Mul").inputs[0] = find(m, "Sigmoid").outputs[0] }, 0},
		{"the other way round", space.SiLU, func(m *Model) { slices.Reverse(find(m, "Mul").inputs) }, 1},
		{"the sum is read elsewhere", space.SiLU, func(m *Model) { again(m, find(m, "Sigmoid").inputs[0]) }, 1},
		{"the negative part twice", space.PReLU, func(m *Model) { find(m, "Sub").inputs[0] = find(m, "Relu").outputs[0] }, 0},
		{"the negative part of another layer", space.PReLU, func(m *Model) { find(m, "Neg").inputs[0] = "head" }, 0},
		{"not negated", space.PReLU, func(m *Model) { find(m, "Neg").op = "Relu" }, 0},
		{"halved, not negated", space.PReLU, func(m *Model) {
			n := find(m, "Neg")
			n.op, n.inputs = "Mul", append(n.inputs, "half")
			m.graph.initializers = append(m.graph.initializers, scalarTensor("half", -0.5))
		}, 0},
		{"the parts the other way round", space.PReLU, func(m *Model) { slices.Reverse(find(m, "Sub").inputs) }, 0},
		{"a sum of the parts", space.PReLU, func(m *Model) { find(m, "Sub").op = "Add" }, 0},
		{"a part is read elsewhere", space.PReLU, func(m *Model) { again(m, find(m, "Relu").outputs[0]) }, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.act, " ", tt.name), func(t *testing.T) {
			rng := check.Rand(t)
			// All layers have four channels, so that they can be mixed.
			o := ExportOptions{Width: 6, Height: 5, Portable: tt.act == space.PReLU}
			m, err := build(netOf(t, rng, fmt.Sprintf("w4;head;lean:%v;tail", tt.act), 2, 1), o)
			if err != nil {
				t.Fatal(err)
			}
			tt.edit(m)
			if m, err = Decode(m.encode()); err != nil {
				t.Fatal(err)
			}
			raw, err := m.imported(ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			g, err := m.Graph(ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for i := range g.Nodes {
				if n := &g.Nodes[i]; n.Op == network.OpActivate && n.Act == tt.act.Act() {
					count++
				}
			}
			if count != tt.want {
				t.Errorf("%d activations, want %d", count, tt.want)
			}
			src := picture(rng, 1, 6, 5)
			got, err := g.Reference(src, 6, 5)
			if err != nil {
				t.Fatal(err)
			}
			if diff := difference(t, floatBytes(got), reference(t, &raw.graph, src, 6, 5)); !(diff <= 1e-6) {
				t.Errorf("differs by %g from the nodes of the file", diff)
			}
		})
	}
}

func TestExportForm(t *testing.T) {
	rng := check.Rand(t)
	net := netOf(t, rng, "w8;head;wide2;tail", 3, 1)
	m, err := Decode(export(t, net, ExportOptions{Meta: map[string]string{"evosr_version": "1.2.3", "psnr_db": "37.5", "scale": "9"}}))
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for i := range m.graph.nodes {
		ops = append(ops, m.graph.nodes[i].name+":"+m.graph.nodes[i].op)
	}
	want := "lr/edge2:Pad lr/edge1:Pad skip:Conv head:Conv slot1/expand:Conv slot1/expand/relu:Relu slot1/reduce:Conv " +
		"slot1/conv:Conv slot1/conv/add:Add tail:Conv tail/add:Add shuffle:DepthToSpace"
	if got := strings.Join(ops, " "); got != want {
		t.Errorf("nodes %s\nwant  %s", got, want)
	}
	if in := fmt.Sprint(m.graph.inputs[0].dims); in != `[1 1 "height" "width"]` {
		t.Errorf("input %s", in)
	}
	if m.ir != 7 || m.Opset() != 13 || m.producer != "evosr" || m.producerVersion != "1.2.3" {
		t.Errorf("ir %d, opset %d, producer %q %q", m.ir, m.Opset(), m.producer, m.producerVersion)
	}
	meta := map[string]string{
		"genome": "w8;head;wide2;tail", "scale": "3", "colors": "1", "density": "1.000000",
		"color_space": "luma BT.601 studio range, code/255", "evosr_version": "1.2.3", "psnr_db": "37.5",
		"sparsity": "[]", "weights": "float32",
	}
	if !maps.Equal(m.Meta(), meta) {
		t.Errorf("metadata %v, want %v", m.Meta(), meta)
	}
	m, err = Decode(export(t, net, ExportOptions{Opset: 21, Width: 320, Height: 180}))
	if err != nil {
		t.Fatal(err)
	}
	if m.ir != 10 || fmt.Sprint(m.graph.inputs[0].dims, m.graph.outputs[0].dims) != "[1 1 180 320] [1 1 540 960]" {
		t.Errorf("ir %d, input %v, output %v", m.ir, m.graph.inputs[0].dims, m.graph.outputs[0].dims)
	}
}

// TestMasked asks for zeros where a mask prunes, whatever the weights are.
func TestMasked(t *testing.T) {
	net := netOf(t, check.Rand(t), "w8;head=block4@50;lean;tail", 2, 1)
	want := slices.Clone(net.Nodes[1].Weights)
	for i, keep := range net.Nodes[1].Mask {
		if keep == 0 {
			net.Nodes[1].Weights[i] = 5
		}
	}
	got, _, err := Read(bytes.NewReader(export(t, net, ExportOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Nodes[1].Weights, want) || !slices.Equal(got.Nodes[1].Mask, net.Nodes[1].Mask) {
		t.Error("pruned weights came back")
	}
}

// TestNames gives nodes the names that Export makes up itself.
func TestNames(t *testing.T) {
	for name, o := range forms(3, 3) {
		if o.RGB || o.Float16 {
			continue
		}
		net := netOf(t, check.Rand(t), "w4;head;plain1:prelu;tail", 2, 1)
		names := []string{"lr", "sr", "sr/edge1", "sr/edge2", "lr/edge2", "lr/edge1/wide", "lr/edge1", "luma/negative", "shuffle/cells"}
		if len(net.Nodes) != len(names) {
			t.Fatalf("%d nodes", len(net.Nodes))
		}
		for i := range net.Nodes {
			net.Nodes[i].Name = names[i]
		}
		net.Genome = ""
		got, meta, err := Read(bytes.NewReader(export(t, net, o)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameNet(t, got, net)
		if _, has := meta["genome"]; has {
			t.Error("a network without a genome got one")
		}
	}
}

func TestExportErrors(t *testing.T) {
	rng := check.Rand(t)
	good := func() *network.Graph { return netOf(t, rng, "w4;head;lean;tail", 2, 1) }
	tests := []struct {
		name string
		o    ExportOptions
		edit func(*network.Graph)
		want string
	}{
		{"old opset", ExportOptions{Opset: 10}, nil, "opset: 10, want 11 to 21"},
		{"new opset", ExportOptions{Opset: 22}, nil, "opset: 22, want 11 to 21"},
		{"portable without a size", ExportOptions{Portable: true, Width: 8}, nil, "size: 8x0, want a fixed width and height"},
		{"portable too large", ExportOptions{Portable: true, Width: 8, Height: 1025}, nil, "size: 8x1025, want 0 to 1024"},
		{"portable in float16", ExportOptions{Width: 8, Height: 8, Portable: true, Float16: true}, nil, "weights: float16, want float32 for the portable form"},
		{"colour path of colours", ExportOptions{RGB: true}, func(s *network.Graph) { *s = *netOf(t, rng, "w4;head;skip;tail", 2, 3) }, "colour path: a network of 3 colors, want one of luma"},
		{"too large for float16", ExportOptions{Float16: true}, func(s *network.Graph) { s.Nodes[1].Weights[2] = -65520 }, `node 1 "head": weight 2 is -65520, want at most 65504`},
		{"negative size", ExportOptions{Width: -1}, nil, "size: -1x0"},
		{"huge size", ExportOptions{Height: 1 << 20}, nil, "size: 0x1048576"},
		{"key", ExportOptions{Meta: map[string]string{"": "x"}}, nil, "metadata"},
		{"not UTF-8", ExportOptions{Meta: map[string]string{"x": "\xff"}}, nil, "metadata"},
		{"NaN", ExportOptions{}, func(s *network.Graph) { s.Nodes[2].Weights[3] = float32(math.NaN()) }, `node "slot1/conv" (conv): weights is NaN`},
		{"Inf", ExportOptions{}, func(s *network.Graph) { s.Nodes[0].Bias[1] = float32(math.Inf(1)) }, `node "skip" (conv): biases is +Inf`},
		{"same name", ExportOptions{}, func(s *network.Graph) { s.Nodes[1].Name = "skip" }, `node 1: name "skip", want one of its own`},
		{"no name", ExportOptions{}, func(s *network.Graph) { s.Nodes[1].Name = "" }, `node 1: name ""`},
		{"a name that is not UTF-8", ExportOptions{}, func(s *network.Graph) { s.Nodes[1].Name = "\xff" }, "want UTF-8"},
		{"a faulty network", ExportOptions{}, func(s *network.Graph) { s.Nodes[2].Inputs[0] = 7 }, "input is 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			net := good()
			if tt.edit != nil {
				tt.edit(net)
			}
			var b bytes.Buffer
			err := Export(&b, net, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "onnx: export: ") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if b.Len() != 0 {
				t.Errorf("%d bytes written in spite of the error", b.Len())
			}
		})
	}
}
