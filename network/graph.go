package network

import (
	"fmt"
	"slices"
)

// Border says what lies outside of a tensor.
type Border uint8

const (
	Zeros   Border = iota // Node.Value, 0 for a convolution
	Edge                  // the outermost values repeated
	Reflect               // mirrored without repeating the outermost value
)

// Interp is how OpResize finds values between pixels.
type Interp uint8

const (
	Nearest Interp = iota
	Linear
	Cubic // Keys' kernel with Node.CubicA; outside of the picture its edge values
)

// Coord is how OpResize maps a place of the output to one of the input, with
// ONNX's names: scale is output / input size.
type Coord uint8

const (
	HalfPixel      Coord = iota // (x+0.5)/scale - 0.5
	TorchHalfPixel              // the same, but 0 where the output is one pixel
	Asymmetric                  // x/scale
	AlignCorners                // x*(in-1)/(out-1)
)

// Rounding is how Nearest takes a place between two pixels.
type Rounding uint8

const (
	RoundPreferFloor Rounding = iota // to the nearest, halves down
	RoundPreferCeil                  // to the nearest, halves up
	Floor
	Ceil
)

// Node is one operation of a Graph. Which fields count depends on its Op.
type Node struct {
	Name string // unique in its Graph
	Op   Op

	// Inputs are indices of earlier nodes, or Picture. Add, Sub, Mul and Max take
	// two of one size; where one of them has a single channel, that is combined
	// with every channel of the other. Concat takes one or more. Resize takes a
	// second one when Factor is 0: its output gets that one's size. All others
	// take one.
	Inputs []int

	// Conv, Deconv; Kernel, Stride and Pad also MaxPool and AvgPool.
	Out     int    // channels; of Slice too
	Kernel  int    // side of the square filter
	Stride  int    // 0 counts as 1
	Groups  int    // of Conv and Deconv; 0 counts as 1
	Pad     [4]int // pixels above, below, left, right: added by Conv, Pad and pools, cut off the output by Deconv
	Grow    int    // rows and columns that Deconv appends below and right (ONNX's output_padding)
	Border  Border // of Conv (Zeros or Edge) and Pad
	Counted bool   // of AvgPool: zeros of the padding count

	// Weights of Conv are (output, input/Groups, row, column), of Deconv (input,
	// output/Groups, row, column), both as in ONNX. Mask is as in Layer.
	Weights []float32
	Mask    []uint8
	Prune   Prune
	Origin  Origin    // Conv, Deconv: what Eliminate found
	Bias    []float32 // Conv, Deconv: Out or none; Affine: as Gain

	Act    Act       // of Activate
	Slope  []float32 // of an Act that is Sloped: one, or one a channel
	Lo, Hi float32   // of ActClip

	Gain []float32 // of Affine: none (ones), one, or one a channel

	From     int  // of Slice
	Factor   int  // of Shuffle and Resize
	DCR      bool // Shuffle takes channel (i*Factor+j)*Out+c, not c*Factor²+i*Factor+j, to row i, column j of channel c
	Interp   Interp
	Coord    Coord
	Rounding Rounding
	CubicA   float64 // usually -0.75 or -0.5
	Value    float32 // of Pad with Zeros: what lies outside
}

// Picture, as an input of a Node, is the low-resolution picture.
const Picture = -1

// Graph is any network over planar pictures: what other people's networks
// become. Nodes are in an order in which they can run; the last one's output is
// the picture, Scale times as wide and high as the input, of as many Colors.
type Graph struct {
	Scale, Colors int
	Genome        string // text of the genome that it was drawn by, "" for none
	Nodes         []Node
}

// Bounds of a Graph: far above what runs in reasonable time, low enough that no
// product of sizes overflows.
const (
	MaxNodes    = 1 << 12
	MaxChannels = 1 << 12
	MaxKernel   = 31
	MaxPool     = 31 // side and stride of a pool's window
	MaxScale    = 8
	MaxPad      = 64
)

// Inside is the stride and groups of a node with their defaults.
func (n *Node) Inside() (stride, groups int) { return max(n.Stride, 1), max(n.Groups, 1) }

// Channels lists what every node puts out. The graph must be valid.
func (g *Graph) Channels() []int {
	list := make([]int, len(g.Nodes))
	for i := range g.Nodes {
		list[i], _ = g.Nodes[i].channels(func(j int) int {
			if j == Picture {
				return g.Colors
			}
			return list[j]
		})
	}
	return list
}

// Validate reports the first node that does not fit the ones before it, by its
// name, so that a graph from a file is safe to compile.
func (g *Graph) Validate() error {
	if g.Scale < 1 || g.Scale > MaxScale || g.Colors != 1 && g.Colors != 3 {
		return fmt.Errorf("network: graph: scale %d and %d colors, want 1 to %d and 1 or 3", g.Scale, g.Colors, MaxScale)
	}
	if len(g.Nodes) == 0 || len(g.Nodes) > MaxNodes {
		return fmt.Errorf("network: graph: %d nodes, want 1 to %d", len(g.Nodes), MaxNodes)
	}
	names := make(map[string]bool, len(g.Nodes))
	channels := make([]int, 0, len(g.Nodes))
	of := func(j int) int {
		if j == Picture {
			return g.Colors
		}
		return channels[j]
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Name == "" || names[n.Name] {
			return fmt.Errorf("network: node %d: name %q, want one of its own", i, n.Name)
		}
		names[n.Name] = true
		for _, j := range n.Inputs {
			if j < Picture || j >= i {
				return n.fault("input", j, "an earlier node")
			}
		}
		if err := n.inputs(); err != nil {
			return err
		}
		c, err := n.channels(of)
		if err != nil {
			return err
		}
		if c < 1 || c > MaxChannels {
			return n.fault("output channels", c, fmt.Sprintf("1 to %d", MaxChannels))
		}
		if err := n.values(of(n.Inputs[0]), c); err != nil {
			return err
		}
		channels = append(channels, c)
	}
	last := &g.Nodes[len(g.Nodes)-1]
	if got := channels[len(channels)-1]; got != g.Colors {
		return last.fault("output channels", got, fmt.Sprintf("%d, as the picture", g.Colors))
	}
	// Sizes must hold for every picture; that is tried on some.
	for _, s := range []int{64, 81, 240} {
		if _, err := g.Sizes(s, s+13); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) fault(what string, got, want any) error {
	return fmt.Errorf("network: node %q (%v): %s is %v, want %v", n.Name, n.Op, what, got, want)
}

// inputs checks the number of inputs and everything that needs no channels.
func (n *Node) inputs() error {
	if int(n.Op) >= len(operations) {
		return n.fault("operation", n.Op, "a known one")
	}
	if want := n.arity(); len(n.Inputs) != want || want > MaxChannels {
		return n.fault("number of inputs", len(n.Inputs), want)
	}
	for _, p := range n.Pad {
		if p < 0 || p > MaxPad {
			return n.fault("padding", n.Pad, fmt.Sprintf("0 to %d each", MaxPad))
		}
	}
	if check := operations[n.Op].check; check != nil {
		return check(n)
	}
	return nil
}

// OutputChannels are those of a valid node, by those of what it reads.
func (n *Node) OutputChannels(of func(input int) int) int {
	c, _ := n.channels(of)
	return c
}

// channels gives the node's output channels.
func (n *Node) channels(of func(int) int) (int, error) {
	rule := operations[n.Op].channels
	if rule == nil {
		return of(n.Inputs[0]), nil
	}
	in := make([]int, len(n.Inputs))
	for k, j := range n.Inputs {
		in[k] = of(j)
	}
	return rule(n, in)
}

// values checks the lengths of everything that holds numbers, and the numbers.
func (n *Node) values(in, out int) error {
	weights, row := n.Size(in), &operations[n.Op]
	lengths := func(rule func(*Node, int) []int) []int {
		if rule == nil {
			return []int{0}
		}
		return rule(n, out)
	}
	for _, v := range []struct {
		what string
		list []float32
		want []int
	}{{"weights", n.Weights, []int{weights}}, {"biases", n.Bias, lengths(row.biases)}, {"slopes", n.Slope, lengths(row.slopes)}, {"gains", n.Gain, lengths(row.gains)}} {
		if !slices.Contains(v.want, len(v.list)) {
			return n.fault("number of "+v.what, len(v.list), v.want)
		}
		if at := slices.IndexFunc(v.list, func(x float32) bool { return x-x != 0 }); at >= 0 {
			return n.fault(v.what, v.list[at], "finite numbers")
		}
	}
	if n.Mask != nil && len(n.Mask) != weights {
		return n.fault("mask", len(n.Mask), weights)
	}
	if n.Value-n.Value != 0 || n.Op == OpActivate && n.Act == ActClip && (n.Lo != n.Lo || n.Hi != n.Hi) {
		return n.fault("constant", []float32{n.Value, n.Lo, n.Hi}, "numbers")
	}
	return nil
}

// Sizes gives the width and height of every node's output for a picture of w x h
// pixels, or which node cannot be computed at that size.
func (g *Graph) Sizes(w, h int) ([][2]int, error) {
	list := make([][2]int, len(g.Nodes))
	of := func(j int) [2]int {
		if j == Picture {
			return [2]int{w, h}
		}
		return list[j]
	}
	const most = 1 << 27 // far beyond any picture, far below overflow
	for i := range g.Nodes {
		n := &g.Nodes[i]
		in := of(n.Inputs[0])
		out := n.OutputSize(func(k int) [2]int { return of(n.Inputs[k]) })
		for _, j := range n.Inputs[1:] {
			if n.Op != OpResize && of(j) != in {
				return nil, n.fault("sizes of the inputs", [2][2]int{in, of(j)}, "equal ones")
			}
		}
		if out[0] < 1 || out[1] < 1 || out[0] > most || out[1] > most {
			return nil, n.fault("output", fmt.Sprintf("%dx%d pixels of %dx%d", out[0], out[1], w, h), "at least 1x1")
		}
		list[i] = out
	}
	if got := list[len(list)-1]; got != [2]int{w * g.Scale, h * g.Scale} {
		return nil, g.Nodes[len(list)-1].fault("output", fmt.Sprintf("%dx%d pixels of %dx%d", got[0], got[1], w, h), fmt.Sprintf("%d times as many a side", g.Scale))
	}
	return list, nil
}

// Size is the number of weights of a convolution that reads so many channels, 0
// of other nodes. It does not need them to be there.
func (n *Node) Size(in int) int {
	_, groups := n.Inside()
	switch n.Op {
	case OpConv:
		return n.Out * (in / groups) * n.Kernel * n.Kernel
	case OpDeconv:
		return in * (n.Out / groups) * n.Kernel * n.Kernel
	}
	return 0
}

// weights counts those of every convolution by its shape, and of these the ones
// that its mask keeps.
func (g *Graph) weights() (kept, all []int) {
	channels := g.Channels()
	kept, all = make([]int, len(g.Nodes)), make([]int, len(g.Nodes))
	for i := range g.Nodes {
		n, in := &g.Nodes[i], g.Colors
		if n.Inputs[0] != Picture {
			in = channels[n.Inputs[0]]
		}
		all[i] = n.Size(in)
		if kept[i] = all[i]; n.Mask != nil {
			kept[i] = count(n.Mask)
		}
	}
	return kept, all
}

// Kept is the number of weights that the mask keeps.
func (n *Node) Kept() int {
	if n.Mask == nil {
		return len(n.Weights)
	}
	return count(n.Mask)
}

// Params counts kept weights, biases, one for each channel of a convolution, and
// everything else that was learned.
func (g *Graph) Params() int {
	sum := 0
	kept, _ := g.weights()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		sum += kept[i] + len(n.Gain)
		if sum += len(n.Bias); len(n.Weights) == 0 && kept[i] > 0 {
			sum += n.Out // of a shape
		}
		if len(n.Slope) > 1 { // one is a leaky ReLU's, which is given
			sum += len(n.Slope)
		}
	}
	return sum
}

// MACs counts the multiplications of kept weights of all convolutions per
// low-resolution pixel, borders not counted, rounded; dense those of all.
func (g *Graph) MACs() (kept, dense int) {
	const side = 960 // divides by all usual scales and strides
	sizes, err := g.Sizes(side, side)
	if err != nil {
		return 0, 0
	}
	var k, d float64
	left, all := g.weights()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Op != OpConv && n.Op != OpDeconv {
			continue
		}
		at := [2]int{side, side} // a deconvolution multiplies at its input's pixels
		if n.Op == OpConv {
			at = sizes[i]
			stride, _ := n.Inside()
			if n.Pad == [4]int{} && stride == 1 { // as if it kept the size
				at[0], at[1] = at[0]+n.Kernel-1, at[1]+n.Kernel-1
			}
		} else if n.Inputs[0] != Picture {
			at = sizes[n.Inputs[0]]
		}
		part := float64(at[0]) * float64(at[1]) / (side * side)
		k += part * float64(left[i])
		d += part * float64(all[i])
	}
	return int(k + 0.5), int(d + 0.5)
}
