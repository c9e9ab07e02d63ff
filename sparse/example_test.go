package sparse_test

import (
	"fmt"

	"evosr/space"
	"evosr/sparse"
)

// A network that doubles a picture by nearest neighbours: one convolution with
// four outputs that copy, and a pixel shuffle.
func ExampleCompileGraph() {
	g := &space.Graph{Scale: 2, Colors: 1, Nodes: []space.Node{
		{Name: "copy", Op: space.OpConv, Inputs: []int{space.Picture}, Out: 4, Kernel: 1, Weights: []float32{1, 1, 1, 1}},
		{Name: "shuffle", Op: space.OpShuffle, Inputs: []int{0}, Factor: 2},
	}}
	p, err := sparse.CompileGraph(g, sparse.Options{Threads: 1})
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
