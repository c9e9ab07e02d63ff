package sparse

import (
	"slices"

	"evosr/network"
)

// sketch is a graph on its way to a network. Passes make a new one from it and
// never change what they were given.
type sketch struct {
	scale, colors int
	nodes         []sketchNode
	output        int  // the node that is the picture, or network.Picture
	budget        *int // weights that passes may still make
}

type sketchNode struct {
	network.Node
	puts int // channels that it puts out
}

// sketchOf takes a graph as it is; it shares all weights.
func sketchOf(g *network.Graph) *sketch {
	s := &sketch{scale: g.Scale, colors: g.Colors, output: len(g.Nodes) - 1}
	for _, n := range g.Nodes {
		to := sketchNode{Node: n}
		if n.Op == network.OpConv || n.Op == network.OpDeconv {
			to.Mask = n.KeptMask()
			kept := 0
			for _, m := range to.Mask {
				kept += int(m)
			}
			if n.Origin.Weights == 0 {
				to.Origin = network.Origin{Weights: len(n.Weights), Density: float64(kept) / float64(len(n.Weights))}
			}
		}
		s.add(to)
	}
	return s
}

// graph is the sketch as space knows it. Its output must be its last node.
func (s *sketch) graph() *network.Graph {
	g := &network.Graph{Scale: s.scale, Colors: s.colors}
	for i := range s.nodes {
		g.Nodes = append(g.Nodes, s.nodes[i].Node)
	}
	return g
}

// editor writes the sketch that a pass makes.
type editor struct {
	sketch
	was     *sketch
	place   []int // by old index: the new one, or network.Picture
	readers []int // by old index: how many nodes read it, the picture that is put out included
	changes int
}

// edit makes a new sketch: change is called for every node in order, its inputs
// already those of the new one, and says which node of the new one stands for
// it. What nothing needs is left out.
func (s *sketch) edit(change func(e *editor, n sketchNode, was int) int) (*sketch, int) {
	e := &editor{sketch: sketch{scale: s.scale, colors: s.colors, budget: s.budget}, was: s, place: make([]int, len(s.nodes)), readers: make([]int, len(s.nodes))}
	count := func(i int) {
		if i >= 0 {
			e.readers[i]++
		}
	}
	for i := range s.nodes {
		for _, j := range s.nodes[i].Inputs {
			count(j)
		}
	}
	count(s.output)
	for i := range s.nodes {
		n := s.nodes[i]
		n.Inputs = slices.Clone(n.Inputs)
		for k, j := range n.Inputs {
			n.Inputs[k] = e.at(j)
		}
		e.place[i] = change(e, n, i)
	}
	e.output = e.at(s.output)
	return e.sketch.live(), e.changes
}

// afford takes n new weights off the budget, if it has them.
func (s *sketch) afford(n int) bool {
	if n > *s.budget {
		return false
	}
	*s.budget -= n
	return true
}

// at is where an old node is now.
func (e *editor) at(old int) int {
	if old < 0 {
		return old
	}
	return e.place[old]
}

// add appends a node and returns its index.
func (s *sketch) add(n sketchNode) int {
	n.puts = n.OutputChannels(s.channels)
	s.nodes = append(s.nodes, n)
	return len(s.nodes) - 1
}

// node is an input as a node of the new sketch, nil for the picture.
func (s *sketch) node(i int) *sketchNode {
	if i < 0 {
		return nil
	}
	return &s.nodes[i]
}

// channels is what a node puts out.
func (s *sketch) channels(i int) int {
	if i < 0 {
		return s.colors
	}
	return s.nodes[i].puts
}

// live drops what the output does not need.
func (s *sketch) live() *sketch {
	need := make([]bool, len(s.nodes))
	if s.output >= 0 {
		need[s.output] = true
	}
	for i := len(s.nodes) - 1; i >= 0; i-- {
		for _, j := range s.nodes[i].Inputs {
			if j >= 0 && need[i] {
				need[j] = true
			}
		}
	}
	place := make([]int, len(s.nodes))
	out := &sketch{scale: s.scale, colors: s.colors, output: s.output, budget: s.budget}
	for i, n := range s.nodes {
		if !need[i] {
			continue
		}
		n.Inputs = slices.Clone(n.Inputs)
		for k, j := range n.Inputs {
			if j >= 0 {
				n.Inputs[k] = place[j]
			}
		}
		place[i] = out.add(n)
	}
	if s.output >= 0 {
		out.output = place[s.output]
	}
	return out
}
