package sparse

import (
	"fmt"
	"slices"

	"evosr/network"
	"evosr/space"
)

// What follows is a second way to say a network of ours, for tests: layers with
// what is fused into them, which the loops of dense run as they stand.

// None, as the Add of a Layer: nothing is added.
const None = -2

// Layer is one convolution (stride 1, same size out as in) with what follows
// it: out = act(conv(input of Src) + Bias + output of Add).
type Layer struct {
	Name    string      // "head", "slot3/expand", ..., unique in its Subnet
	In, Out int         // channels
	Kernel  int         // side of the square filter: 1, 3 or 5
	Src     int         // index of the layer that is read, or Picture
	Add     int         // index of the layer that is added before the activation, or None
	Act     network.Act // ActNone, ActReLU, ActPReLU or network.ActSiLU

	Prune   network.Prune
	Weights []float32 // Out*In*Kernel*Kernel, (output, input, row, column); masked ones are 0
	Bias    []float32 // Out
	Mask    []uint8   // as Weights: 1 keeps, 0 prunes; nil keeps all
	Slope   []float32 // of ActPReLU: what negative values of a channel are multiplied by, Out; a leaky ReLU has equal ones
	Learned bool      // the slopes are trained, not given as a leaky ReLU's
}

// Size is the number of weights of the dense layer, biases not counted.
func (l *Layer) Size() int { return l.Out * l.In * l.Kernel * l.Kernel }

// Kept is the number of weights that the mask keeps.
func (l *Layer) Kept() int {
	if l.Mask == nil {
		return l.Size()
	}
	n := 0
	for _, m := range l.Mask {
		n += int(m)
	}
	return n
}

// Subnet is one network: its layers in an order in which they can run, each
// reading only layers before it. The last layer's output, Colors*Scale²
// channels, is pixel-shuffled (channel c*Scale²+i*Scale+j goes to row i, column
// j of each Scale x Scale cell of color c) into the picture.
type Subnet struct {
	Scale, Colors int
	Genome        string // text of the genome that it was drawn by, "" for none
	Layers        []Layer
}

// Params counts kept weights, all biases and learned slopes.
func (s *Subnet) Params() int {
	n := 0
	for i := range s.Layers {
		n += s.Layers[i].Kept() + s.Layers[i].Out
		if s.Layers[i].Learned {
			n += s.Layers[i].Out
		}
	}
	return n
}

// MACs counts the multiplications of kept weights per low-resolution pixel;
// dense counts those of all weights.
func (s *Subnet) MACs() (kept, dense int) {
	for i := range s.Layers {
		kept += s.Layers[i].Kept()
		dense += s.Layers[i].Size()
	}
	return kept, dense
}

// Validate reports the first layer that does not fit the ones before it, so
// that a subnet from a file is safe to compile.
func (s *Subnet) Validate() error {
	if s.Scale < 2 || s.Scale > 4 || s.Colors != 1 && s.Colors != 3 {
		return fmt.Errorf("sparse: subnet: scale %d and %d colors, want 2 to 4 and 1 or 3", s.Scale, s.Colors)
	}
	if len(s.Layers) == 0 {
		return fmt.Errorf("sparse: subnet: no layers")
	}
	channels := func(i int) int {
		if i == network.Picture {
			return s.Colors
		}
		return s.Layers[i].Out
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		bad := func(what string, got, want any) error {
			return fmt.Errorf("sparse: layer %d %q: %s is %v, want %v", i, l.Name, what, got, want)
		}
		switch {
		case l.Kernel != 1 && l.Kernel != 3 && l.Kernel != 5:
			return bad("kernel", l.Kernel, "1, 3 or 5")
		case l.In < 1 || l.In > network.MaxChannels || l.Out < 1 || l.Out > network.MaxChannels:
			return bad("channels", [2]int{l.In, l.Out}, fmt.Sprintf("1 to %d", network.MaxChannels))
		case l.Src < network.Picture || l.Src >= i:
			return bad("source", l.Src, "an earlier layer")
		case l.Add != None && (l.Add < 0 || l.Add >= i):
			return bad("added layer", l.Add, "an earlier layer")
		case channels(l.Src) != l.In:
			return bad("input channels", l.In, channels(l.Src))
		case l.Add != None && channels(l.Add) != l.Out:
			return bad("output channels", l.Out, channels(l.Add))
		case len(l.Weights) != l.Size():
			return bad("weights", len(l.Weights), l.Size())
		case len(l.Bias) != l.Out:
			return bad("biases", len(l.Bias), l.Out)
		case l.Mask != nil && len(l.Mask) != l.Size():
			return bad("mask", len(l.Mask), l.Size())
		case l.Act != network.ActNone && l.Act != network.ActReLU && l.Act != network.ActPReLU && l.Act != network.ActSiLU:
			return bad("activation", l.Act, "none, relu, prelu or silu")
		case l.Act == network.ActPReLU && len(l.Slope) != l.Out:
			return bad("slopes", len(l.Slope), l.Out)
		case l.Act != network.ActPReLU && len(l.Slope) != 0:
			return bad("slopes", len(l.Slope), "none, which only prelu has")
		}
	}
	if got, want := s.Layers[len(s.Layers)-1].Out, s.Colors*s.Scale*s.Scale; got != want {
		return fmt.Errorf("sparse: subnet: last layer has %d channels, want %d for scale %d", got, want, s.Scale)
	}
	return nil
}

// Graph is the subnet as a graph that shares its weights: a convolution for each
// layer, then "NAME/add" and "NAME/ACTIVATION" as the layer has them, and "shuffle"
// at the end. The slopes that are not learned become one.
func (s *Subnet) Graph() *network.Graph {
	g := &network.Graph{Scale: s.Scale, Colors: s.Colors, Genome: s.Genome}
	at := make([]int, len(s.Layers)) // last node of a layer
	add := func(n network.Node) int {
		g.Nodes = append(g.Nodes, n)
		return len(g.Nodes) - 1
	}
	from := func(layer int) int {
		if layer == network.Picture {
			return network.Picture
		}
		return at[layer]
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		r := l.Kernel / 2
		n := network.Node{
			Name: l.Name, Op: network.OpConv, Inputs: []int{from(l.Src)}, Out: l.Out, Kernel: l.Kernel, Pad: [4]int{r, r, r, r},
			Weights: l.Weights, Mask: l.Mask, Prune: l.Prune, Bias: l.Bias,
		}
		if l.Src == network.Picture {
			n.Border = network.Edge
		}
		at[i] = add(n)
		if l.Add != None {
			at[i] = add(network.Node{Name: l.Name + "/add", Op: network.OpAdd, Inputs: []int{at[i], at[l.Add]}})
		}
		if l.Act != network.ActNone {
			n := network.Node{Name: l.Name + "/" + l.Act.String(), Op: network.OpActivate, Inputs: []int{at[i]}, Act: l.Act, Slope: l.Slope}
			if !l.Learned && len(l.Slope) > 0 {
				n.Slope = l.Slope[:1]
			}
			at[i] = add(n)
		}
	}
	add(network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{at[len(at)-1]}, Factor: s.Scale})
	return g
}

// shape is a genome's network as layers.
func shape(sp *space.Space, g space.Genome) *Subnet {
	net := sp.Shape(g)
	s := &Subnet{Scale: net.Scale, Colors: net.Colors, Genome: net.Genome}
	at := map[int]int{network.Picture: network.Picture}
	channels := net.Channels()
	for i := range net.Nodes {
		switch n := &net.Nodes[i]; n.Op {
		case network.OpConv:
			in := net.Colors
			if from := n.Inputs[0]; from != network.Picture {
				in = channels[from]
			}
			at[i] = len(s.Layers)
			s.Layers = append(s.Layers, Layer{Name: n.Name, In: in, Out: n.Out, Kernel: n.Kernel, Src: at[n.Inputs[0]], Add: None, Prune: n.Prune})
		case network.OpAdd:
			at[i] = at[n.Inputs[0]]
			s.Layers[at[i]].Add = at[n.Inputs[1]]
		case network.OpActivate:
			at[i] = at[n.Inputs[0]]
			l := &s.Layers[at[i]]
			if l.Act = n.Act; n.Act == network.ActPReLU {
				if l.Learned, l.Slope = len(n.Slope) > 1, n.Slope; !l.Learned {
					l.Slope = slices.Repeat(n.Slope, l.Out)
				}
			}
		}
	}
	return s
}
