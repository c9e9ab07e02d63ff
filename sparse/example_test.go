package sparse_test

import (
	"bytes"
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

// A compiled network is written as a program file and read on another machine,
// which chooses kernels of its own.
func ExampleEncode() {
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
	p.SetMeta(map[string]string{"name": "doubler"})
	var file bytes.Buffer
	if err := sparse.Encode(&file, p); err != nil {
		fmt.Println(err)
		return
	}
	q, err := sparse.Decode(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	fmt.Println(q.Meta()["name"], q.Scale(), q.Params())
	// Output: doubler 2 4
}

// Every goroutine has a Clone of its own, over the same weights.
func ExampleProgram_Clone() {
	g := &network.Graph{Scale: 1, Colors: 1, Nodes: []network.Node{
		{Name: "half", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 1, Kernel: 1, Weights: []float32{0.5}},
	}}
	p, err := sparse.Compile(g, sparse.Options{Threads: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	results := make(chan []float32)
	for i := range 2 {
		go func() {
			q := p.Clone()
			defer q.Close()
			dst := make([]float32, 1)
			if err := q.Upscale(dst, []float32{float32(i)}, 1, 1); err != nil {
				dst = nil
			}
			results <- dst
		}()
	}
	a, b := <-results, <-results
	fmt.Println(a[0] + b[0])
	// Output: 0.5
}
