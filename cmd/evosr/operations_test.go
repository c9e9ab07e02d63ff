package main

import (
	"bytes"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/onnx"
	"evosr/sparse"
)

// operationSamples has a node of every operation, which reads node 0, of eight
// channels, and where it reads two node 1, alike.
var operationSamples = map[network.Op]network.Node{
	network.OpConv:     {Out: 8, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Groups: 4, Weights: make([]float32, 144), Bias: make([]float32, 8)},
	network.OpDeconv:   {Out: 2, Kernel: 4, Stride: 2, Pad: [4]int{1, 1, 1, 1}, Weights: make([]float32, 256)},
	network.OpActivate: {Act: network.ActReLU},
	network.OpAdd:      {Inputs: []int{0, 1}},
	network.OpSub:      {Inputs: []int{0, 1}},
	network.OpMul:      {Inputs: []int{0, 1}},
	network.OpMax:      {Inputs: []int{0, 1}},
	network.OpMin:      {Inputs: []int{0, 1}},
	network.OpDiv:      {Inputs: []int{0, 1}},
	network.OpPow:      {Inputs: []int{0, 1}},
	network.OpAffine:   {Gain: []float32{0.5}, Bias: []float32{0.1}},
	network.OpConcat:   {Inputs: []int{0, 1, 0}},
	network.OpSlice:    {From: 2, Out: 3},
	network.OpShuffle:  {Factor: 2},
	network.OpResize:   {Factor: 2, Interp: network.Linear},
	network.OpPad:      {Pad: [4]int{1, 0, 2, 1}, Border: network.Edge},
	network.OpMaxPool:  {Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}},
	network.OpAvgPool:  {Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}, Counted: true},
	network.OpMean:     {},
	network.OpPeak:     {},
}

// TestEveryOperation holds every room to the table of operations: what a graph may
// say is compiled, written to and read from program files and ONNX, and means the
// same everywhere.
func TestEveryOperation(t *testing.T) {
	rng := check.Rand(t)
	const w, h = 14, 11
	for _, op := range network.Ops() {
		n, has := operationSamples[op]
		if !has {
			t.Errorf("%v has no sample: add one", op)
			continue
		}
		positive := func(name string) network.Node { // between 0.2 and 0.9: defined for all
			c := network.Node{Name: name, Op: network.OpConv, Inputs: []int{network.Picture}, Out: 8, Kernel: 1, Weights: make([]float32, 8)}
			for i := range c.Weights {
				c.Weights[i] = 0.2 + 0.7*rng.Float32()
			}
			return c
		}
		n.Name, n.Op = "it", op
		if n.Inputs == nil {
			n.Inputs = []int{0}
		}
		for i := range n.Weights {
			n.Weights[i] = rng.Float32() - 0.5
		}
		for i := range n.Inputs {
			n.Inputs[i] = min(n.Inputs[i], 1)
		}
		g := &network.Graph{Scale: 1, Colors: 1, Nodes: []network.Node{positive("a"), positive("b"), n}}
		// Whatever size it has, it is brought back to the picture's and to one channel.
		channels := g.Channels()[2]
		g.Nodes = append(g.Nodes,
			network.Node{Name: "back", Op: network.OpResize, Inputs: []int{2, network.Picture}, Interp: network.Linear},
			network.Node{Name: "sum", Op: network.OpConv, Inputs: []int{3}, Out: 1, Kernel: 1, Weights: make([]float32, channels)})
		for i := range g.Nodes[4].Weights {
			g.Nodes[4].Weights[i] = rng.Float32()
		}
		if err := g.Validate(); err != nil {
			t.Errorf("%v: %v", op, err)
			continue
		}
		src := make([]float32, w*h)
		for i := range src {
			src[i] = 0.3 + 0.7*rng.Float32()
		}
		want, err := g.Reference(src, w, h)
		if err != nil {
			t.Fatal(err)
		}
		same := func(how string, got []float32, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%v %s: %v", op, how, err)
				return
			}
			for i := range want {
				if d := want[i] - got[i]; d > 1e-4 || d < -1e-4 {
					t.Errorf("%v %s: value %d is %v, want %v", op, how, i, got[i], want[i])
					return
				}
			}
		}
		p, err := sparse.Compile(g, sparse.Options{Threads: 2})
		if err != nil {
			t.Errorf("%v: %v", op, err)
			continue
		}
		got := make([]float32, w*h)
		same("compiled", got, p.Upscale(got, src, w, h))
		var file bytes.Buffer
		if err := sparse.Encode(&file, p); err != nil {
			t.Errorf("%v: %v", op, err)
		} else if q, err := sparse.Decode(&file); err != nil {
			t.Errorf("%v as a program: %v", op, err)
		} else {
			same("as a program", got, q.Upscale(got, src, w, h))
			q.Close()
		}
		p.Close()
		file.Reset()
		if err := onnx.Export(&file, g, onnx.ExportOptions{}); err != nil {
			t.Errorf("%v: %v", op, err)
		} else if back, _, err := onnx.Read(&file); err != nil {
			t.Errorf("%v as ONNX: %v", op, err)
		} else {
			got, err := back.Reference(src, w, h)
			same("as ONNX", got, err)
		}
	}
}
