package main

import (
	"bytes"
	"fmt"

	"evosr/network"
	"evosr/onnx"
)

// describe writes an ONNX file's network for the rivals that are libraries of
// operations and not readers of files (rivals/graph.h reads it): its nodes as
// the importer understands them, where a border of edge values and what follows
// a convolution channel by channel are part of it already.
//
// Text first: "SCALE COLORS NODES", then one line a node, all of it whole numbers
// but the range: operation, number of inputs, inputs (-1 is the picture), input
// channels, output channels, kernel, stride, groups, padding above, below, left,
// right, growth, whether the border is edge values, activation, least, most,
// factor, numbers of weights, biases, slopes. Then those as float32, node by node.
func describe(model []byte) ([]byte, error) {
	m, err := onnx.Decode(model)
	if err != nil {
		return nil, err
	}
	g, err := m.Graph(onnx.ImportOptions{})
	if err != nil {
		return nil, err
	}
	var text, data bytes.Buffer
	fmt.Fprintln(&text, g.Scale, g.Colors, len(g.Nodes))
	channels := g.Channels()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.DCR {
			return nil, fmt.Errorf("bench: node %q: channels in the order DCR, want CRD", n.Name)
		}
		fmt.Fprint(&text, n.Op, " ", len(n.Inputs))
		for _, j := range n.Inputs {
			fmt.Fprint(&text, " ", j)
		}
		in := g.Colors
		if j := n.Inputs[0]; j != network.Picture {
			in = channels[j]
		}
		stride, groups := n.Inside()
		edge := 0
		if n.Border == network.Edge {
			edge = 1
		}
		fmt.Fprintln(&text, "", in, channels[i], n.Kernel, stride, groups, n.Pad[0], n.Pad[1], n.Pad[2], n.Pad[3], n.Grow, edge,
			int(n.Act), n.Lo, n.Hi, n.Factor, len(n.Weights), len(n.Bias), len(n.Slope))
		for _, list := range [][]float32{n.Weights, n.Bias, n.Slope} {
			data.Write(floatBytes(list))
		}
	}
	return append(text.Bytes(), data.Bytes()...), nil
}
