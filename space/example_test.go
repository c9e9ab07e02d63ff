package space_test

import (
	"fmt"

	"evosr/network"
	"evosr/space"
)

// A genome's text names a network; its shape is a graph without weights.
func ExampleSpace_Shape() {
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Plain: {1, 2}, space.Wide: {2}}}
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 16}, Slots: []space.Slot{slot, slot},
		Schemes: []network.Scheme{network.Block4}, Percents: []int{50}}
	g, err := space.ParseGenome("w8;head;plain1=block4@50,dense;skip;tail")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sp.Check(g); err != nil {
		fmt.Println(err)
		return
	}
	net := sp.Shape(g)
	fmt.Println(g, net.Params(), sp.Largest())
	// Output: w8;head;plain1=block4@50,dense;skip;tail 1644 w16;head;plain2;plain2;tail
}
