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

// sameNet asks for equal layers, weights bit by bit. A mask that prunes nothing
// is as good as none.
func sameNet(t *testing.T, got, want *network.Subnet) {
	t.Helper()
	if got.Scale != want.Scale || got.Colors != want.Colors || got.Genome != want.Genome {
		t.Fatalf("scale %d, %d colors, genome %v, want %d, %d, %v", got.Scale, got.Colors, got.Genome, want.Scale, want.Colors, want.Genome)
	}
	if len(got.Layers) != len(want.Layers) {
		t.Fatalf("%d layers, want %d", len(got.Layers), len(want.Layers))
	}
	for i := range want.Layers {
		g, w := &got.Layers[i], &want.Layers[i]
		shape := func(l *network.Layer) string {
			return fmt.Sprint(l.Name, l.In, l.Out, l.Kernel, l.Src, l.Add, l.Act, l.Slope, l.Prune)
		}
		if shape(g) != shape(w) {
			t.Fatalf("layer %d is %s, want %s", i, shape(g), shape(w))
		}
		sameBits := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
		if !slices.EqualFunc(g.Weights, w.Weights, sameBits) || !slices.EqualFunc(g.Bias, w.Bias, sameBits) {
			t.Fatalf("layer %d %q: weights or biases differ", i, w.Name)
		}
		mask := w.Mask
		if w.Kept() == w.Size() {
			mask = nil
		}
		if !slices.Equal(g.Mask, mask) {
			t.Fatalf("layer %d %q: mask differs", i, w.Name)
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
	for i := range silly.Layers {
		if l := &silly.Layers[i]; l.Act == network.ActPReLU {
			l.Slope[1] = float32(math.NaN())
		}
	}
	if err := Export(&bytes.Buffer{}, silly, ExportOptions{}); err == nil || !strings.Contains(err.Error(), "slope 1 is NaN") {
		t.Errorf("a slope of NaN: %v", err)
	}
}

// TestHalfActivations wants parts of an activation that other nodes read, or that
// are of two layers, refused.
func TestHalfActivations(t *testing.T) {
	of := func(act space.Activation, portable bool) *Model {
		o := ExportOptions{Opset: DefaultOpset, Width: 6, Height: 5, Portable: portable}
		m, err := build(netOf(t, check.Rand(t), fmt.Sprintf("w4;head;lean:%v;tail", act), 2, 1), o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	find := func(m *Model, op string) *node {
		for i := range m.graph.nodes {
			if n := &m.graph.nodes[i]; n.op == op && (op != "Relu" || strings.HasSuffix(n.name, "negative")) {
				return n
			}
		}
		t.Fatalf("no %s", op)
		return nil
	}
	const slots = "slot1/conv"
	tests := []struct {
		name     string
		act      space.Activation
		portable bool
		edit     func(m *Model)
		want     string
	}{
		{"the sigmoid of another layer", space.SiLU, false, func(m *Model) { find(m, "Sigmoid").inputs[0] = "head" }, "no part of an activation"},
		{"the sigmoid alone", space.SiLU, false, func(m *Model) { find(m, "Mul").inputs[0] = find(m, "Sigmoid").outputs[0] }, "no part of an activation"},
		{"the sum is read elsewhere", space.SiLU, false, func(m *Model) {
			m.graph.nodes = append(m.graph.nodes, node{op: "Neg", inputs: []string{find(m, "Sigmoid").inputs[0]}, outputs: []string{"again"}})
		}, "before the Mul are read elsewhere too"},
		{"slopes of another size", space.PReLU, false, func(m *Model) { m.initializer(slots + "/slope").dims = []int64{2, 2, 1} }, "has slopes [2 2 1], want [4 1 1]"},
		{"slopes of a row", space.PReLU, false, func(m *Model) { m.initializer(slots + "/slope").dims = []int64{4} }, "has slopes [4], want [4 1 1]"},
		{"an activation on top", space.PReLU, false, func(m *Model) {
			n := find(m, "PRelu")
			out := n.outputs[0]
			n.outputs[0] = "first"
			m.graph.nodes = append(m.graph.nodes, node{})
			at := slices.IndexFunc(m.graph.nodes, func(n node) bool { return n.op == "PRelu" })
			copy(m.graph.nodes[at+2:], m.graph.nodes[at+1:])
			m.graph.nodes[at+1] = node{op: "Relu", inputs: []string{"first"}, outputs: []string{out}}
		}, "reads a layer that has an activation"},
		{"the negative part alone", space.PReLU, true, func(m *Model) { find(m, "Sub").inputs[0] = find(m, "Mul").outputs[0] }, "no part of an activation"},
		{"the positive part of another layer", space.PReLU, true, func(m *Model) { find(m, "Neg").inputs[0] = "head" }, "is no part of an activation"},
		{"the part is read elsewhere", space.PReLU, true, func(m *Model) {
			m.graph.nodes = append(m.graph.nodes, node{op: "Neg", inputs: []string{find(m, "Relu").outputs[0]}, outputs: []string{"again"}})
		}, "no part of an activation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := of(tt.act, tt.portable)
			tt.edit(m)
			if _, err := m.Subnet(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
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
	want := slices.Clone(net.Layers[1].Weights)
	for i, keep := range net.Layers[1].Mask {
		if keep == 0 {
			net.Layers[1].Weights[i] = 5
		}
	}
	got, _, err := Read(bytes.NewReader(export(t, net, ExportOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Layers[1].Weights, want) || !slices.Equal(got.Layers[1].Mask, net.Layers[1].Mask) {
		t.Error("pruned weights came back")
	}
}

// TestNames gives layers the names that Export makes up itself.
func TestNames(t *testing.T) {
	net := netOf(t, check.Rand(t), "w4;head;plain1;tail", 2, 3)
	names := []string{"lr", "sr", "sr/relu", "sr/conv", "lr/edge2"}
	for i := range net.Layers {
		net.Layers[i].Name = names[i]
	}
	net.Genome = ""
	got, meta, err := Read(bytes.NewReader(export(t, net, ExportOptions{Width: 3, Height: 3, Portable: true})))
	if err != nil {
		t.Fatal(err)
	}
	sameNet(t, got, net)
	if _, has := meta["genome"]; has {
		t.Error("a network without a genome got one")
	}
}

func TestExportErrors(t *testing.T) {
	rng := check.Rand(t)
	good := func() *network.Subnet { return netOf(t, rng, "w4;head;lean;tail", 2, 1) }
	tests := []struct {
		name string
		o    ExportOptions
		edit func(*network.Subnet)
		want string
	}{
		{"old opset", ExportOptions{Opset: 10}, nil, "opset: 10, want 11 to 21"},
		{"new opset", ExportOptions{Opset: 22}, nil, "opset: 22, want 11 to 21"},
		{"portable without a size", ExportOptions{Portable: true, Width: 8}, nil, "size: 8x0, want a fixed width and height"},
		{"portable too large", ExportOptions{Portable: true, Width: 8, Height: 1025}, nil, "size: 8x1025, want 0 to 1024"},
		{"portable in float16", ExportOptions{Width: 8, Height: 8, Portable: true, Float16: true}, nil, "weights: float16, want float32 for the portable form"},
		{"colour path of colours", ExportOptions{RGB: true}, func(s *network.Subnet) { *s = *netOf(t, rng, "w4;head;skip;tail", 2, 3) }, "colour path: a network of 3 colors, want one of luma"},
		{"too large for float16", ExportOptions{Float16: true}, func(s *network.Subnet) { s.Layers[1].Weights[2] = -65520 }, `layer 1 "head": weight 2 is -65520, want at most 65504`},
		{"negative size", ExportOptions{Width: -1}, nil, "size: -1x0"},
		{"huge size", ExportOptions{Height: 1 << 20}, nil, "size: 0x1048576"},
		{"key", ExportOptions{Meta: map[string]string{"": "x"}}, nil, "metadata"},
		{"not UTF-8", ExportOptions{Meta: map[string]string{"x": "\xff"}}, nil, "metadata"},
		{"NaN", ExportOptions{}, func(s *network.Subnet) { s.Layers[2].Weights[3] = float32(math.NaN()) }, `layer 2 "slot1/conv": weight 3 is NaN`},
		{"Inf", ExportOptions{}, func(s *network.Subnet) { s.Layers[0].Bias[1] = float32(math.Inf(1)) }, `layer 0 "skip": bias 1 is +Inf`},
		{"same name", ExportOptions{}, func(s *network.Subnet) { s.Layers[1].Name = "skip" }, `layer 1: name "skip", want a unique one`},
		{"no name", ExportOptions{}, func(s *network.Subnet) { s.Layers[1].Name = "" }, `layer 1: name ""`},
		{"a faulty network", ExportOptions{}, func(s *network.Subnet) { s.Layers[2].Src = 7 }, "source is 7"},
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
