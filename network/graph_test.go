package network

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// ones is n times the value.
func ones(n int, value float32) []float32 { return slices.Repeat([]float32{value}, n) }

// twice is a valid graph: a 3x3 convolution to four channels, shuffled.
func twice() *Graph {
	return &Graph{Scale: 2, Colors: 1, Nodes: []Node{
		{Name: "conv", Op: OpConv, Inputs: []int{Picture}, Out: 4, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Weights: ones(36, 1), Bias: ones(4, 0)},
		{Name: "act", Op: OpActivate, Inputs: []int{0}, Act: ActPReLU, Slope: ones(4, 0.5)},
		{Name: "up", Op: OpShuffle, Inputs: []int{1}, Factor: 2},
	}}
}

func TestGraphFaults(t *testing.T) {
	if err := twice().Validate(); err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name  string
		spoil func(*Graph)
		want  string
	}{
		{"scale", func(g *Graph) { g.Scale = 9 }, "scale 9"},
		{"colors", func(g *Graph) { g.Colors = 2 }, "2 colors"},
		{"no nodes", func(g *Graph) { g.Nodes = nil }, "0 nodes"},
		{"no name", func(g *Graph) { g.Nodes[0].Name = "" }, "name"},
		{"a name twice", func(g *Graph) { g.Nodes[1].Name = "conv" }, "node 1: name"},
		{"itself as input", func(g *Graph) { g.Nodes[1].Inputs = []int{1} }, `"act" (activate): input is 1`},
		{"no such input", func(g *Graph) { g.Nodes[1].Inputs = []int{-2} }, "input is -2"},
		{"no input", func(g *Graph) { g.Nodes[0].Inputs = nil }, "number of inputs is 0"},
		{"an empty concat", func(g *Graph) { g.Nodes[1] = Node{Name: "c", Op: OpConcat} }, "number of inputs is 0"},
		{"operation", func(g *Graph) { g.Nodes[1].Op = 99 }, "operation is op(99)"},
		{"kernel", func(g *Graph) { g.Nodes[0].Kernel = 33 }, "kernel is 33"},
		{"even kernel", func(g *Graph) { g.Nodes[0].Kernel = 2 }, "kernel is 2"},
		{"stride", func(g *Graph) { g.Nodes[0].Stride = -1 }, "stride is -1"},
		{"groups", func(g *Graph) { g.Nodes[0].Groups = 3 }, "3 groups"},
		{"negative padding", func(g *Graph) { g.Nodes[0].Pad[0] = -1 }, "padding"},
		{"padding beyond the kernel", func(g *Graph) { g.Nodes[0].Pad[3] = 3 }, "padding"},
		{"border", func(g *Graph) { g.Nodes[0].Border = Reflect }, "border"},
		{"weights", func(g *Graph) { g.Nodes[0].Weights = ones(35, 1) }, "number of weights is 35, want [36]"},
		{"mask", func(g *Graph) { g.Nodes[0].Mask = make([]uint8, 35) }, "mask is 35"},
		{"biases", func(g *Graph) { g.Nodes[0].Bias = ones(3, 1) }, "number of biases is 3"},
		{"NaN", func(g *Graph) { g.Nodes[0].Bias[2] = nan }, "biases is NaN"},
		{"slopes", func(g *Graph) { g.Nodes[1].Slope = ones(2, 1) }, "number of slopes is 2"},
		{"clip", func(g *Graph) { g.Nodes[1] = Node{Name: "c", Op: OpActivate, Inputs: []int{0}, Act: ActClip, Lo: 1} }, "clipping"},
		{"activation", func(g *Graph) { g.Nodes[1].Act = 77 }, "activation"},
		{"shuffled channels", func(g *Graph) { g.Nodes[2].Factor = 3 }, "input channels is 4"},
		{"factor", func(g *Graph) { g.Nodes[2].Factor = 0 }, "factor is 0"},
		{"slice", func(g *Graph) { g.Nodes[1] = Node{Name: "s", Op: OpSlice, Inputs: []int{0}, From: 3, Out: 2} }, "slice"},
		{"slice that overflows", func(g *Graph) {
			g.Nodes[1] = Node{Name: "s", Op: OpSlice, Inputs: []int{0}, From: math.MaxInt, Out: 2}
		}, "slice"},
		{"sum of different channels", func(g *Graph) {
			g.Nodes[1] = Node{Name: "cat", Op: OpConcat, Inputs: []int{0, 0}}
			g.Nodes[2] = Node{Name: "sum", Op: OpAdd, Inputs: []int{0, 1}}
		}, "channels is [4 8]"},
		{"sum of different sizes", func(g *Graph) {
			g.Nodes = append(g.Nodes, Node{Name: "sum", Op: OpAdd, Inputs: []int{2, Picture}})
		}, "sizes of the inputs"},
		{"the picture's size", func(g *Graph) { g.Nodes[0].Pad = [4]int{} }, "2 times as many a side"},
		{"the picture's colors", func(g *Graph) { g.Colors = 3; g.Nodes[0].Weights = ones(108, 1) }, "output channels is 1, want 3"},
		{"nothing left", func(g *Graph) {
			g.Nodes[0] = Node{Name: "c", Op: OpMaxPool, Inputs: []int{Picture}, Kernel: 9, Stride: 8}
			g.Nodes[1] = Node{Name: "d", Op: OpMaxPool, Inputs: []int{0}, Kernel: 11, Stride: 8}
			g.Nodes[2] = Node{Name: "up", Op: OpResize, Inputs: []int{1}, Factor: 2}
		}, `"d" (maxpool): output is 0x0`},
	} {
		g := twice()
		tt.spoil(g)
		if err := g.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestGraphReference holds the definition of every operation to values that can
// be found with a pencil. The picture is 1 2 / 3 4 (and the graphs need not be
// whole networks).
func TestGraphReference(t *testing.T) {
	in := []int{Picture}
	half := func(f func(*Node)) Node {
		n := Node{Name: "n", Op: OpResize, Inputs: in, Factor: 2}
		f(&n)
		return n
	}
	for _, tt := range []struct {
		name  string
		scale int
		nodes []Node
		want  []float32
	}{
		{"conv", 1, []Node{{Op: OpConv, Inputs: in, Out: 1, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Weights: []float32{0, 0, 0, 0, 1, 10, 0, 0, 0}, Bias: []float32{100}}}, []float32{121, 102, 143, 104}},
		{"conv with edge values", 1, []Node{{Op: OpConv, Inputs: in, Out: 1, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Border: Edge, Weights: []float32{0, 0, 0, 0, 1, 10, 0, 0, 0}}}, []float32{21, 22, 43, 44}},
		{"deconv", 2, []Node{{Op: OpDeconv, Inputs: in, Out: 1, Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}, Grow: 1, Weights: []float32{0, 0, 0, 1, 10, 100, 0, 0, 0}}},
			[]float32{10, 102, 20, 200, 0, 0, 0, 0, 30, 304, 40, 400, 0, 0, 0, 0}},
		{"prelu", 1, []Node{{Op: OpAffine, Inputs: in, Bias: []float32{-2}}, {Op: OpActivate, Inputs: []int{0}, Act: ActPReLU, Slope: []float32{0.5}}}, []float32{-0.5, 0, 1, 2}},
		{"clip", 1, []Node{{Op: OpActivate, Inputs: in, Act: ActClip, Lo: 2, Hi: 3}}, []float32{2, 2, 3, 3}},
		{"sigmoid", 1, []Node{{Op: OpAffine, Inputs: in, Gain: []float32{0}}, {Op: OpActivate, Inputs: []int{0}, Act: ActSigmoid}}, []float32{0.5, 0.5, 0.5, 0.5}},
		{"sub and mul", 1, []Node{{Op: OpMul, Inputs: []int{Picture, Picture}}, {Op: OpSub, Inputs: []int{0, Picture}}}, []float32{0, 2, 6, 12}},
		{"max", 1, []Node{{Op: OpAffine, Inputs: in, Gain: []float32{-1}, Bias: []float32{5}}, {Op: OpMax, Inputs: []int{0, Picture}}}, []float32{4, 3, 3, 4}},
		{"concat and slice", 1, []Node{{Op: OpAffine, Inputs: in, Gain: []float32{2}}, {Op: OpConcat, Inputs: []int{Picture, 0}}, {Op: OpSlice, Inputs: []int{1}, From: 1, Out: 1}}, []float32{2, 4, 6, 8}},
		{"shuffle", 2, []Node{{Op: OpConv, Inputs: in, Out: 4, Kernel: 1, Weights: []float32{1, 2, 3, 4}}, {Op: OpShuffle, Inputs: []int{0}, Factor: 2}},
			[]float32{1, 2, 2, 4, 3, 4, 6, 8, 3, 6, 4, 8, 9, 12, 12, 16}},
		{"nearest", 2, []Node{half(func(n *Node) { n.Coord = Asymmetric; n.Rounding = Floor })}, []float32{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}},
		{"linear", 2, []Node{half(func(n *Node) { n.Interp = Linear })}, []float32{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}},
		{"linear with aligned corners", 2, []Node{half(func(n *Node) { n.Interp = Linear; n.Coord = AlignCorners })},
			[]float32{1, 4. / 3, 5. / 3, 2, 5. / 3, 2, 7. / 3, 8. / 3, 7. / 3, 8. / 3, 3, 10. / 3, 3, 10. / 3, 11. / 3, 4}},
		{"pad and maxpool", 1, []Node{{Op: OpPad, Inputs: in, Pad: [4]int{1, 0, 0, 1}, Border: Reflect}, {Op: OpMaxPool, Inputs: []int{0}, Kernel: 2}}, []float32{4, 4, 4, 4}},
		{"pad with a value", 1, []Node{{Op: OpPad, Inputs: in, Pad: [4]int{1, 0, 0, 1}, Value: 9}, {Op: OpMaxPool, Inputs: []int{0}, Kernel: 2}}, []float32{9, 9, 4, 9}},
	} {
		g := &Graph{Scale: tt.scale, Colors: 1, Nodes: tt.nodes}
		got, err := g.Reference([]float32{1, 2, 3, 4}, 2, 2)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i := range tt.want {
			if math.Abs(float64(got[i]-tt.want[i])) > 1e-6 {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}

// TestKeys: the cubic kernel keeps constants and straight lines.
func TestKeys(t *testing.T) {
	for _, a := range []float64{-0.5, -0.75} {
		n := Node{Op: OpResize, Factor: 3, Interp: Cubic, CubicA: a}
		for out := 6; out < 24; out++ { // away from the edges of 10 values
			var sum, place float64
			for _, tap := range n.AppendTaps(nil, out, 10, 30) {
				sum += tap.Weight
				place += tap.Weight * float64(tap.At)
			}
			if math.Abs(sum-1) > 1e-12 || a == -0.5 && math.Abs(place-((float64(out)+0.5)/3-0.5)) > 1e-12 {
				t.Errorf("a = %v: weights sum to %v at %v", a, sum, place)
			}
		}
	}
}

func TestGraphMACs(t *testing.T) {
	g := twice()
	g.Nodes[0].Mask = slices.Repeat([]uint8{1, 0, 1}, 12)
	if kept, dense := g.MACs(); kept != 24 || dense != 36 {
		t.Errorf("MACs = %d, %d, want 24, 36", kept, dense)
	}
	if got := g.Params(); got != 24+4+4 {
		t.Errorf("Params = %d, want 32", got)
	}
	g.Nodes = append(g.Nodes, Node{Name: "fine", Op: OpConv, Inputs: []int{2}, Out: 1, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Weights: ones(9, 1)})
	if kept, dense := g.MACs(); kept != 24+36 || dense != 36+36 { // four pixels for each of the input's
		t.Errorf("MACs = %d, %d, want 60, 72", kept, dense)
	}
}
