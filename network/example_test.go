package network_test

import (
	"fmt"

	"evosr/network"
)

// doubler enlarges by repeating pixels: four copies and a pixel shuffle.
func doubler() *network.Graph {
	return &network.Graph{Scale: 2, Colors: 1, Nodes: []network.Node{
		{Name: "copy", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 4, Kernel: 1, Weights: []float32{1, 1, 1, 1}},
		{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{0}, Factor: 2},
	}}
}

// Reference computes a network by its definition.
func ExampleGraph_Reference() {
	g := doubler()
	if err := g.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	out, err := g.Reference([]float32{0.25, 0.75}, 2, 1)
	fmt.Println(out, err)
	// Output: [0.25 0.25 0.75 0.75 0.25 0.25 0.75 0.75] <nil>
}

// Params and MACs count what the masks keep; MACs are those of one pixel of low
// resolution.
func ExampleGraph_MACs() {
	g := doubler()
	g.Nodes[0].Mask = []uint8{1, 0, 1, 1}
	kept, dense := g.MACs()
	fmt.Println(g.Params(), kept, dense)
	// Output: 3 3 4
}

// A channel that no weight writes is dead, and so is what only read it.
func ExampleGraph_Eliminate() {
	g := &network.Graph{Scale: 1, Colors: 1, Nodes: []network.Node{
		{Name: "two", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 2, Kernel: 1, Weights: []float32{2, 0}},
		{Name: "sum", Op: network.OpConv, Inputs: []int{0}, Out: 1, Kernel: 1, Weights: []float32{0.5, 0.5}},
	}}
	small := g.Eliminate()
	_, before := g.MACs()
	_, after := small.MACs()
	fmt.Println(before, after, small.Nodes[0].Out)
	// Output: 4 2 1
}

// Prune removes weights by a scheme, here half of them in blocks of four filters.
func ExampleGraph_Prune() {
	g := &network.Graph{Scale: 1, Colors: 1, Nodes: []network.Node{
		{Name: "wide", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 8, Kernel: 1},
		{Name: "mix", Op: network.OpConv, Inputs: []int{0}, Out: 8, Kernel: 1},
		{Name: "sum", Op: network.OpConv, Inputs: []int{1}, Out: 1, Kernel: 1},
	}}
	i := 0
	g.Fill(func(*network.Node, int) float32 { i++; return float32(i%7) - 3 })
	pruned, layers := g.Prune(network.Prune{Scheme: network.Block4, Percent: 50}, false)
	fmt.Println(layers, pruned.Nodes[1].Kept(), "of", len(pruned.Nodes[1].Weights))
	// Output: [mix] 32 of 64
}
