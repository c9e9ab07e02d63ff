package onnx_test

import (
	"bytes"
	"fmt"

	"evosr/network"
	"evosr/onnx"
)

// A network is written as ONNX and read back.
func ExampleExport() {
	g := &network.Graph{Scale: 2, Colors: 1, Nodes: []network.Node{
		{Name: "copy", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 4, Kernel: 1, Weights: []float32{1, 1, 1, 1}},
		{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{0}, Factor: 2},
	}}
	var file bytes.Buffer
	if err := onnx.Export(&file, g, onnx.ExportOptions{Meta: map[string]string{"author": "me"}}); err != nil {
		fmt.Println(err)
		return
	}
	back, meta, err := onnx.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Scale, meta["author"])
	for _, n := range back.Nodes {
		fmt.Println(n.Name, n.Op)
	}
	// Output:
	// 2 me
	// copy conv
	// shuffle shuffle
}
