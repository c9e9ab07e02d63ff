package sparse

import (
	"math"
	"slices"

	"evosr/network"
)

// A node of a graph in a program file, fields that its operation does not use
// included:
//
//	bytes    what
//	         name
//	1 1 1 1  operation, activation, border, flags (1: channels in DCR order, 2: a mask follows)
//	1 1 1 1  interpolation, coordinates, rounding, 0
//	1 1 1 1  side of the filter, stride, rows and columns that are appended, factor
//	1 1 1 1  padding above, below, left, right
//	4 4 4    output channels, groups, first channel
//	4 4 4 8  lowest and highest value, value outside (float32), parameter of the cubic (float64)
//	1 1 2    scheme, pruned percent, 0
//	8 8      of a convolution before elimination: weights, density (float64); zeros as it is; not in version 2
//	4 ...    inputs: number, then indices of nodes; -1 the picture
//	4 ...    weights: number; the mask when flagged and the kept weights as in a layer
//	4 ...    biases, float32: number, values
//	4 ...    slopes, gains: the same
const (
	flagDCR     = 1
	flagCounted = 4
	nodeHead    = 4 + 4*4 + 3*4 + 3*4 + 8 + 4 + 5*4 // bytes of a node without name and lists
)

// graph writes all nodes.
func (e *encoder) graph(g *network.Graph) {
	e.uint32(uint32(len(g.Nodes)))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		e.text("node name", n.Name)
		mask := n.Mask
		if !slices.Contains(mask, 0) {
			mask = nil
		}
		flags := byte(0)
		if n.DCR {
			flags |= flagDCR
		}
		if mask != nil {
			flags |= flagMask
		}
		if n.Counted {
			flags |= flagCounted
		}
		for _, v := range [...]int{n.Kernel, n.Stride, n.Grow, n.Factor, n.Pad[0], n.Pad[1], n.Pad[2], n.Pad[3]} {
			if v < 0 || v > math.MaxUint8 {
				e.fail("node %q: a size of %d, want 0 to 255", n.Name, v)
			}
		}
		for _, v := range [...]int{n.Out, n.Groups, n.From} {
			if v < 0 || v > math.MaxInt32 {
				e.fail("node %q: %d channels, want 0 to 2^31-1", n.Name, v)
			}
		}
		e.put(byte(n.Op), byte(n.Act), byte(n.Border), flags, byte(n.Interp), byte(n.Coord), byte(n.Rounding), 0)
		e.put(byte(n.Kernel), byte(n.Stride), byte(n.Grow), byte(n.Factor), byte(n.Pad[0]), byte(n.Pad[1]), byte(n.Pad[2]), byte(n.Pad[3]))
		e.uint32(uint32(n.Out))
		e.uint32(uint32(n.Groups))
		e.uint32(uint32(n.From))
		e.float(n.Lo)
		e.float(n.Hi)
		e.float(n.Value)
		e.uint64(math.Float64bits(n.CubicA))
		e.put(byte(n.Prune.Scheme), byte(n.Prune.Percent), 0, 0)
		e.uint64(uint64(n.Origin.Weights))
		e.uint64(math.Float64bits(n.Origin.Density))
		e.uint32(uint32(len(n.Inputs)))
		for _, j := range n.Inputs {
			e.uint32(uint32(int32(j)))
		}
		e.uint32(uint32(len(n.Weights)))
		if mask != nil {
			e.mask(mask)
		}
		e.weights(n.Name, n.Weights, mask)
		for _, list := range [][]float32{n.Bias, n.Slope, n.Gain} {
			e.uint32(uint32(len(list)))
			e.floats(n.Name, list)
		}
	}
}

// graph reads all nodes.
func (d *decoder) graph(g *network.Graph, format uint32) {
	for range d.size("nodes", network.MaxNodes, nodeHead) {
		if !d.allow("nodes", 0, 512) { // a Node itself, for each pass
			break
		}
		n := d.node(format)
		if d.err != nil {
			break
		}
		g.Nodes = append(g.Nodes, n)
	}
}

func (d *decoder) node(format uint32) (n network.Node) {
	n.Name = d.text()
	b := d.take(16)
	if b == nil {
		return n
	}
	n.Op, n.Act, n.Border, n.DCR = network.Op(b[0]), network.Act(b[1]), network.Border(b[2]), b[3]&flagDCR != 0
	n.Interp, n.Coord, n.Rounding = network.Interp(b[4]), network.Coord(b[5]), network.Rounding(b[6])
	n.Kernel, n.Stride, n.Grow, n.Factor = int(b[8]), int(b[9]), int(b[10]), int(b[11])
	for i := range n.Pad {
		n.Pad[i] = int(b[12+i])
	}
	flags := b[3]
	n.Counted = flags&flagCounted != 0
	sizes := [...]uint32{d.uint32(), d.uint32(), d.uint32()}
	if flags > flagDCR|flagMask|flagCounted || b[7] != 0 || slices.Max(sizes[:]) > math.MaxInt32 {
		d.fail("node %q: flags %d and %d, channels %v", n.Name, flags, b[7], sizes)
		return n
	}
	n.Out, n.Groups, n.From = int(sizes[0]), int(sizes[1]), int(sizes[2])
	n.Lo, n.Hi, n.Value = math.Float32frombits(d.uint32()), math.Float32frombits(d.uint32()), math.Float32frombits(d.uint32())
	n.CubicA = math.Float64frombits(d.uint64())
	if n.Lo != n.Lo || n.Hi != n.Hi || n.Value != n.Value || n.CubicA != n.CubicA {
		d.fail("node %q: a constant is no number", n.Name)
	}
	if b = d.take(4); b == nil {
		return n
	}
	if !network.Scheme(b[0]).Known() || b[1] > 100 || b[2] != 0 || b[3] != 0 {
		d.fail("node %q: scheme %d, %d percent", n.Name, b[0], b[1])
		return n
	}
	n.Prune = network.Prune{Scheme: network.Scheme(b[0]), Percent: int(b[1])}
	if format > versionGraph {
		n.Origin = d.origin(n.Name)
	}
	inputs := d.size("inputs of node "+n.Name, network.MaxChannels, 4)
	if !d.allow(n.Name, 0, 16*int64(inputs)) {
		return n
	}
	for range inputs {
		n.Inputs = append(n.Inputs, int(int32(d.uint32())))
	}
	weights := d.uint32()
	if weights > 1<<30 {
		d.fail("node %q: %d weights, want at most 2^30", n.Name, weights)
		return n
	}
	if weights > 0 || flags&flagMask != 0 {
		n.Weights, n.Mask = d.weights(n.Name, int(weights), flags&flagMask != 0)
	}
	for _, list := range []*[]float32{&n.Bias, &n.Slope, &n.Gain} {
		if count := d.size("constants of node "+n.Name, network.MaxChannels, 4); count > 0 && d.allow(n.Name, int64(count), 8*int64(count)) {
			*list = make([]float32, count)
			d.floats(*list)
		}
	}
	return n
}

// origin reads what a convolution was before elimination.
func (d *decoder) origin(name string) network.Origin {
	o := network.Origin{Weights: d.count(), Density: math.Float64frombits(d.uint64())}
	if !(o.Density >= 0 && o.Density <= 1) {
		d.fail("%q: density %v, want 0 to 1", name, o.Density)
	}
	return o
}
