package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// maker builds files as other tools write them, node by node. Its methods return
// names of values.
type maker struct {
	Model
	rng   *rand.Rand
	opset int
	made  int
}

const makerIn, makerOut = "picture", "enlarged"

// newMaker begins a network over (1, colors, h, w); 0 leaves a side open.
func newMaker(rng *rand.Rand, set, colors, h, w int) *maker {
	side := func(n int, param string) dim {
		if n == 0 {
			return dim{value: -1, param: param}
		}
		return dim{value: int64(n)}
	}
	m := &maker{rng: rng, opset: set}
	m.ir, m.opsets = irVersion(max(set, MinOpset)), []opset{{version: int64(set)}}
	m.graph.name = "test"
	m.graph.inputs = []valueInfo{{name: makerIn, isTensor: true, kind: typeFloat, ranked: true,
		dims: []dim{{value: 1}, {value: int64(colors)}, side(h, "h"), side(w, "w")}}}
	return m
}

func (m *maker) name() string {
	m.made++
	return fmt.Sprintf("v%d", m.made)
}

// ops adds a node of several outputs.
func (m *maker) ops(op string, outs int, inputs []string, attrs ...attribute) []string {
	names := make([]string, outs)
	for i := range names {
		names[i] = m.name()
	}
	m.graph.nodes = append(m.graph.nodes, node{name: fmt.Sprintf("n%d", len(m.graph.nodes)), op: op, inputs: inputs, outputs: names, attrs: attrs})
	return names
}

// op adds a node of one output.
func (m *maker) op(op string, inputs []string, attrs ...attribute) string {
	return m.ops(op, 1, inputs, attrs...)[0]
}

func (m *maker) constant(t tensor) string {
	t.name = m.name()
	m.graph.initializers = append(m.graph.initializers, t)
	return t.name
}

// ints is a list of whole numbers.
func (m *maker) ints(values ...int64) string { return m.constant(intTensor("", values...)) }

// scalar is one number without dims.
func (m *maker) scalar(v float32) string { return m.constant(scalarTensor("", v)) }

func (m *maker) floats(values ...float32) string {
	return m.constant(floatTensor("", values, int64(len(values))))
}

// random fills dims with numbers of about the given size.
func (m *maker) random(spread float64, dims ...int64) string {
	n, err := product(dims)
	if err != nil {
		panic(err)
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(spread * m.rng.NormFloat64())
	}
	return m.constant(floatTensor("", values, dims...))
}

// conv adds an odd convolution of stride 1 that keeps the size.
func (m *maker) conv(src string, in, out, k int64) string {
	spread := 1 / math.Sqrt(float64(in*k*k))
	return m.op("Conv", []string{src, m.random(spread, out, in, k, k), m.random(0.1, out)}, intsAttr("pads", k/2, k/2, k/2, k/2))
}

// double ends a network: a convolution to colors*4 channels and a pixel shuffle.
func (m *maker) double(src string, in int64) string {
	colors := m.graph.inputs[0].dims[1].value
	return m.op("DepthToSpace", []string{m.conv(src, in, 4*colors, 3)}, intAttr("blocksize", 2))
}

// file ends the network and gives its bytes.
func (m *maker) file(out string) []byte {
	m.graph.nodes = append(m.graph.nodes, node{name: "end", op: "Identity", inputs: []string{out}, outputs: []string{makerOut}})
	m.graph.outputs = []valueInfo{{name: makerOut, isTensor: true, kind: typeFloat, ranked: true,
		dims: []dim{{value: 1}, {value: -1, param: "c"}, {value: -1, param: "H"}, {value: -1, param: "W"}}}}
	return m.encode()
}
