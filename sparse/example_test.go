package sparse_test

import (
	"fmt"

	"evosr/network"
	"evosr/sparse"
)

// A network that doubles a picture by nearest neighbours: one convolution with
// four outputs that copy, and a pixel shuffle.
func ExampleCompile() {
	g := &network.Graph{Scale: 2, Colors: 1, Nodes: []network.Node{
		{Name: "copy", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 4, Kernel: 1, Weights: []float32{1, 1, 1, 1}},
		{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{0}, Factor: 2},
	}}
	p, err := sparse.Compile(g, sparse.Options{Threads: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	src := []float32{0.25, 0.75} // two pixels beside each other
	dst := make([]float32, 4*len(src))
	if err := p.Upscale(dst, src, 2, 1); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(dst)
	for _, l := range p.Layers() {
		fmt.Println(l.Name, l.Method, l.MACs)
	}
	// Output:
	// [0.25 0.25 0.75 0.75 0.25 0.25 0.75 0.75]
	// copy lists 4
}
