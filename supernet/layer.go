package supernet

import (
	"fmt"
	"slices"

	"evosr/network"
)

// none, as the add of a layer: nothing is added.
const none = -2

// layer is one operation as training runs it. A convolution (stride 1, same size
// out as in) has what follows it in it: out = act(conv(input of src) + bias +
// output of add). The picture is read with its edge values around it, other
// layers with zeros.
type layer struct {
	name    string
	in, out int // channels
	kernel  int // side of the square filter; 0 of what is no convolution
	groups  int // of channels; above 1 its filters are written as those of one group, zeros between
	src     int // index of the layer that is read, or network.Picture
	add     int // index of the layer that is added before the activation, or none
	act     network.Act
	prune   network.Prune

	weights []float32 // (output, input, row, column); masked ones are 0
	bias    []float32 // out
	mask    []uint8   // as weights: 1 keeps, 0 prunes; nil keeps all
	slope   []float32 // of ActPReLU: out; a leaky ReLU has equal ones
	learned bool      // the slopes are trained, not given as a leaky ReLU's
	frame   []uint8   // of groups: structure, which stays when numbers go

	node, bend int // of the graph: the convolution, and its activation or -1

	// Of an operation that is no convolution. src and add are none then.
	inputs []int // layers, or network.Picture
	of     *network.Node
}

// conv says whether the layer is a convolution.
func (l *layer) conv() bool { return l.kernel > 0 }

// biases is how many biases the layer has.
func (l *layer) biases() int {
	if l.conv() {
		return l.out
	}
	return 0
}

// reads lists the layers that are read, network.Picture among them, in the memory
// of list.
func (l *layer) reads(list []int) []int {
	if !l.conv() {
		return append(list[:0], l.inputs...)
	}
	if list = append(list[:0], l.src); l.add >= 0 {
		list = append(list, l.add)
	}
	return list
}

// pruning is how the layer's lists of weights are to be expected: groups look like
// single weights that were pruned.
func (l *layer) pruning() network.Prune {
	if l.groups > 1 {
		return network.Prune{Scheme: network.Unstructured, Percent: 100 - (99+l.groups)/l.groups}
	}
	return l.prune
}

// structure is the mask of the filters of a layer of groups, nil of others.
func (l *layer) structure() []uint8 {
	if l.groups <= 1 {
		return nil
	}
	mask := make([]uint8, l.size())
	for o := range l.out {
		for c := range l.in {
			if o/(l.out/l.groups) == c/(l.in/l.groups) {
				at := (o*l.in + c) * l.kernel * l.kernel
				for k := range l.kernel * l.kernel {
					mask[at+k] = 1
				}
			}
		}
	}
	return mask
}

// spread writes the filters of a grouped convolution as those of one group.
func (l *layer) spread(weights []float32) []float32 {
	if l.groups <= 1 || len(weights) == 0 {
		return weights
	}
	to, from := make([]float32, l.size()), 0
	for i, keep := range l.structure() {
		if keep != 0 {
			to[i] = weights[from]
			from++
		}
	}
	return to
}

// gathered is the inverse of spread.
func (l *layer) gathered() []float32 {
	if l.groups <= 1 || len(l.weights) == 0 {
		return l.weights
	}
	var to []float32
	for i, keep := range l.structure() {
		if keep != 0 {
			to = append(to, l.weights[i])
		}
	}
	return to
}

// size is the number of weights of the dense layer, biases not counted.
func (l *layer) size() int { return l.out * l.in * l.kernel * l.kernel }

// kept is the number of weights that the mask keeps.
func (l *layer) kept() int {
	if l.mask == nil {
		return l.size()
	}
	n := 0
	for _, m := range l.mask {
		n += int(m)
	}
	return n
}

// layers are those of a graph, and the graph.
type layers struct {
	*network.Graph
	list []layer
}

// layersOf fuses the nodes of a graph into layers that share its numbers, or
// names the first node that training cannot compute. The graph must be valid or,
// without weights, a shape.
func layersOf(g *network.Graph) (*layers, error) {
	ls := &layers{Graph: g}
	readers := make([]int, len(g.Nodes))
	for i := range g.Nodes {
		for _, j := range g.Nodes[i].Inputs {
			if j >= 0 {
				readers[j]++
			}
		}
	}
	at := make([]int, len(g.Nodes)) // the layer that a node's output is
	of := func(j int) int {
		if j == network.Picture {
			return network.Picture
		}
		return at[j]
	}
	bad := func(i int, why string) error {
		return fmt.Errorf("node %q (%v) %s", g.Nodes[i].Name, g.Nodes[i].Op, why)
	}
	last := len(g.Nodes) - 1
	channels := g.Channels()
	// single makes a layer of a node that no convolution takes in.
	single := func(i int) error {
		n := &g.Nodes[i]
		if operationOf(n) == nil {
			return bad(i, "is an operation that training does not know")
		}
		l := layer{name: n.Name, in: g.Colors, out: channels[i], src: none, add: none, node: i, bend: -1, of: n}
		if from := n.Inputs[0]; from != network.Picture {
			l.in = channels[from]
		}
		for _, j := range n.Inputs {
			l.inputs = append(l.inputs, of(j))
		}
		at[i] = len(ls.list)
		ls.list = append(ls.list, l)
		return nil
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		from := n.Inputs[0]
		// grows says that the node ends the layer of the one before, which nothing else reads.
		grows := func(j int) *layer {
			if j < 0 || readers[j] > 1 {
				return nil
			}
			return &ls.list[at[j]]
		}
		switch n.Op {
		case network.OpConv:
			r := n.Kernel / 2
			stride, groups := n.Inside()
			if stride != 1 || n.Pad != [4]int{r, r, r, r} || n.Kernel%2 == 0 || n.Kernel > 5 {
				return nil, bad(i, "is no convolution of 1x1, 3x3 or 5x5 that keeps the size")
			}
			if (n.Border == network.Edge) != (from == network.Picture) && n.Kernel > 1 {
				return nil, bad(i, "reads zeros around the picture, or edges around something else")
			}
			in := g.Colors
			if from != network.Picture {
				in = channels[from]
			}
			l := layer{name: n.Name, in: in, out: n.Out, kernel: n.Kernel, groups: groups, src: of(from), add: none, prune: n.Prune,
				bias: n.Bias, mask: n.Mask, node: i, bend: -1}
			if l.weights = l.spread(n.Weights); groups > 1 {
				if n.Mask != nil && slices.Contains(n.Mask, 0) {
					return nil, bad(i, "has groups and a mask")
				}
				l.frame, l.prune = l.structure(), network.Prune{}
				l.mask = l.frame
			}
			if len(n.Weights) > 0 && len(n.Bias) == 0 {
				l.bias = make([]float32, n.Out)
			}
			at[i] = len(ls.list)
			ls.list = append(ls.list, l)
		case network.OpAdd:
			later, other := n.Inputs[0], of(n.Inputs[1])
			if of(later) < other {
				later, other = n.Inputs[1], of(later)
			}
			l := grows(later)
			if l != nil && l.conv() && l.add == none && l.act == network.ActNone && other >= 0 && of(later) != other && ls.list[other].out == l.out {
				l.add, at[i] = other, at[later]
			} else if err := single(i); err != nil {
				return nil, err
			}
		case network.OpActivate:
			l := grows(from)
			if l == nil || !l.conv() || l.act != network.ActNone || activationOf(n.Act) == nil {
				if err := single(i); err != nil {
					return nil, err
				}
				continue
			}
			l.act, l.bend = n.Act, i
			if n.Act == network.ActPReLU {
				if l.slope, l.learned = n.Slope, len(n.Slope) > 1; !l.learned {
					l.slope = slices.Repeat(n.Slope, l.out)
				}
			}
			at[i] = at[from]
		case network.OpShuffle:
			if i != last || from < 0 || n.Factor != g.Scale || n.DCR {
				return nil, bad(i, "is no pixel shuffle into the picture")
			}
			if at[from] != len(ls.list)-1 {
				return nil, bad(i, "shuffles a layer that is not the last")
			}
		default:
			if err := single(i); err != nil {
				return nil, err
			}
		}
	}
	if g.Nodes[last].Op != network.OpShuffle {
		return nil, bad(last, "is no pixel shuffle into the picture")
	}
	return ls, nil
}

// mustLayers is layersOf of a genome's shape, which training knows.
func mustLayers(g *network.Graph) *layers {
	ls, err := layersOf(g)
	if err != nil {
		panic("supernet: " + err.Error())
	}
	return ls
}

// graph is the graph with the numbers of the layers.
func (ls *layers) graph() *network.Graph {
	g := *ls.Graph
	g.Nodes = slices.Clone(g.Nodes)
	for i := range ls.list {
		l := &ls.list[i]
		if !l.conv() {
			continue
		}
		n := &g.Nodes[l.node]
		if n.Weights, n.Bias = l.gathered(), l.bias; l.groups <= 1 {
			n.Mask = l.mask
		}
		if l.learned {
			g.Nodes[l.bend].Slope = l.slope
		}
	}
	return &g
}

// clone copies the layers, their numbers still shared.
func (ls *layers) clone() *layers { return &layers{ls.Graph, slices.Clone(ls.list)} }
