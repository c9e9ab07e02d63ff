package sparse

import (
	"math"
	"slices"

	"evosr/network"
)

// rewrites are the passes over a graph, none of which knows the device. What
// they aim at is a network of convolutions and row operations of the picture's
// size with one pixel shuffle at its end, because that runs in bands.
var rewrites = []struct {
	name, what string
	change     func(*editor, sketchNode, int) int
}{
	{"simplify", "nodes do nothing", simplify},
	{"pads", "paddings became part of their convolution", fusePad},
	{"deconvolve", "transposed convolutions became convolutions with a pixel shuffle", deconvolve},
	{"interpolate", "interpolations became convolutions with a pixel shuffle", interpolate},
	{"shuffles", "operations moved before a pixel shuffle", sinkShuffle},
	{"fold", "constant factors and offsets went into convolutions", fold},
	{"broadcast", "repeated channels are read instead of copied", broadcast},
}

// simplify takes out what passes its input on.
func simplify(e *editor, n sketchNode, _ int) int {
	in := n.Inputs[0]
	isOne := func(v float32) bool { return v == 1 }
	isZero := func(v float32) bool { return v == 0 }
	all := func(list []float32, is func(float32) bool) bool {
		return !slices.ContainsFunc(list, func(v float32) bool { return !is(v) })
	}
	gone := false
	switch n.Op {
	case network.OpActivate:
		gone = n.Act == network.ActNone
		switch {
		case n.Act == network.ActPReLU && all(n.Slope, isZero), n.Act == network.ActClip && n.Lo == 0 && n.Hi >= math.MaxFloat32:
			n.Act, n.Slope, n.Lo, n.Hi = network.ActReLU, nil, 0, 0
		}
	case network.OpAffine:
		gone = all(n.Gain, isOne) && all(n.Bias, isZero)
	case network.OpConcat:
		gone = len(n.Inputs) == 1
	case network.OpSlice:
		if from := e.node(in); from != nil && from.Op == network.OpSlice {
			n.From, in = n.From+from.From, from.Inputs[0]
			n.Inputs[0] = in
			e.changes++
		}
		if from := e.node(in); from != nil && from.Op == network.OpConcat { // one part alone
			first := 0
			for _, j := range from.Inputs {
				c := e.channels(j)
				if n.From >= first && n.From+n.Out <= first+c {
					n.From, in = n.From-first, j
					n.Inputs[0] = in
					e.changes++
					break
				}
				first += c
			}
		}
		gone = n.From == 0 && n.Out == e.channels(in)
	case network.OpShuffle, network.OpResize:
		gone = n.Factor == 1
		if n.Op == network.OpShuffle && e.channels(in) == n.Factor*n.Factor {
			n.DCR = false // both orders are one
		}
	case network.OpPad:
		gone = n.Pad == [4]int{}
	}
	if gone {
		e.changes++
		return in
	}
	return e.add(n)
}

// fusePad gives a convolution the padding before it, unless that repeats the
// edges of anything but the picture: bands have edge values around it only.
func fusePad(e *editor, n sketchNode, _ int) int {
	from := e.node(n.Inputs[0])
	if n.Op == network.OpPad && n.Border != network.Zeros && from != nil && from.Op == network.OpAffine {
		affine := *from // repeated values are scaled alike
		affine.Name = n.Name + "/affine"
		n.Inputs[0] = affine.Inputs[0]
		e.changes++
		affine.Inputs = []int{e.add(n)}
		return e.add(affine)
	}
	if n.Op != network.OpConv || from == nil || from.Op != network.OpPad {
		return e.add(n)
	}
	plain := from.Border == network.Zeros && from.Value == 0 && n.Border == network.Zeros
	edge := from.Border == network.Edge && from.Inputs[0] == network.Picture && n.Pad == [4]int{}
	pad := n.Pad
	for i := range pad {
		pad[i] += from.Pad[i]
	}
	if !plain && !edge || slices.Max(pad[:]) >= n.Kernel || n.Kernel%2 == 0 {
		return e.add(n)
	}
	n.Pad, n.Inputs[0] = pad, from.Inputs[0]
	if edge {
		n.Border = network.Edge
	}
	e.changes++
	return e.add(n)
}

// spread is the convolution over low-resolution pixels with Factor² times the
// outputs that a filter over high-resolution pixels is: output phase (i, j) of
// channel o sees a weight of offset (dy, dx) in low-resolution pixels.
type spread struct {
	in, out, groups, factor int
	radius                  int
	weights                 []float32
	mask                    []uint8
	bias                    []float32
}

func newSpread(in, out, groups, factor, radius int) *spread {
	side := 2*radius + 1
	n := out * factor * factor * (in / groups) * side * side
	return &spread{in: in, out: out, groups: groups, factor: factor, radius: radius, weights: make([]float32, n), mask: make([]uint8, n)}
}

// at is the index of a weight: of output channel o's phase (i, j), from the
// channel c of its group, at offset (dy, dx).
func (s *spread) at(o, i, j, c, dy, dx int) int {
	side := 2*s.radius + 1
	row := (o*s.factor+i)*s.factor + j
	return ((row*(s.in/s.groups)+c)*side+dy+s.radius)*side + dx + s.radius
}

// node makes the convolution.
func (s *spread) node(name string, from int, border network.Border, of network.Origin) sketchNode {
	r := s.radius
	if r == 0 {
		border = network.Zeros
	}
	return sketchNode{Node: network.Node{Origin: of,
		Name: name, Op: network.OpConv, Inputs: []int{from}, Out: s.out * s.factor * s.factor, Kernel: 2*r + 1, Groups: s.groups,
		Pad: [4]int{r, r, r, r}, Border: border, Weights: s.weights, Mask: s.mask, Bias: s.bias,
	}}
}

func shuffle(name string, from, factor int) sketchNode {
	return sketchNode{Node: network.Node{Name: name, Op: network.OpShuffle, Inputs: []int{from}, Factor: factor}}
}

// deconvolve turns a transposed convolution that enlarges by exactly its stride
// into a convolution of stride² times the outputs and a pixel shuffle. Output
// pixel y*s+i gets weight t of input y+d where t = i + pad - d*s.
func deconvolve(e *editor, n sketchNode, _ int) int {
	if n.Op != network.OpDeconv {
		return e.add(n)
	}
	s, groups := n.Inside()
	k, in := n.Kernel, e.channels(n.Inputs[0])
	if n.Pad[0]+n.Pad[1] != k+n.Grow-s || n.Pad[2]+n.Pad[3] != k+n.Grow-s {
		return e.add(n)
	}
	radius := 0
	place := func(t, pad int) (phase, d int) { // of weight t
		at := t - pad // = i - d*s
		phase = (at%s + s) % s
		return phase, (phase - at) / s
	}
	for t := range k {
		for _, pad := range []int{n.Pad[0], n.Pad[2]} {
			_, d := place(t, pad)
			radius = max(radius, d, -d)
		}
	}
	if size := n.Out * s * s * (in / groups) * (2*radius + 1) * (2*radius + 1); 2*radius+1 > network.MaxKernel || n.Out*s*s > network.MaxChannels || !e.afford(size) {
		return e.add(n)
	}
	to := newSpread(in, n.Out, groups, s, radius)
	outs := n.Out / groups
	for c := range in {
		for o := range outs {
			for ty := range k {
				for tx := range k {
					i, dy := place(ty, n.Pad[0])
					j, dx := place(tx, n.Pad[2])
					from, at := ((c*outs+o)*k+ty)*k+tx, to.at(c/(in/groups)*outs+o, i, j, c%(in/groups), dy, dx)
					to.weights[at], to.mask[at] = n.Weights[from], n.Mask[from]
				}
			}
		}
	}
	for _, b := range n.Bias {
		to.bias = append(to.bias, slices.Repeat([]float32{b}, s*s)...)
	}
	e.changes++
	conv := to.node(n.Name, n.Inputs[0], network.Zeros, n.Origin)
	conv.Prune = n.Prune
	return e.add(shuffle(n.Name+"/shuffle", e.add(conv), s))
}

// interpolate turns a resize by a whole factor into a convolution with edge
// values outside and a pixel shuffle: clamped places are repeated edges. Only
// the picture has edge values around it; nearest neighbours need none.
func interpolate(e *editor, n sketchNode, _ int) int {
	if n.Op != network.OpResize || n.Factor < 2 {
		return e.add(n)
	}
	if from := e.node(n.Inputs[0]); from != nil && from.Op == network.OpAffine {
		// Interpolation weights sum to one, so that constants pass through.
		affine := *from
		affine.Name = n.Name + "/affine"
		n.Inputs[0] = affine.Inputs[0]
		e.changes++
		affine.Inputs = []int{interpolate(e, n, 0)}
		return e.add(affine)
	}
	const far, wide = 32, 65 // from any border
	f, radius := n.Factor, 0
	phases := make([][]network.Tap, f)
	for i := range f {
		phases[i] = n.AppendTaps(nil, far*f+i, wide, wide*f)
		phases[i] = slices.DeleteFunc(phases[i], func(t network.Tap) bool { return t.Weight == 0 })
		for _, t := range phases[i] {
			radius = max(radius, t.At-far, far-t.At)
		}
	}
	c := e.channels(n.Inputs[0])
	if n.Coord == network.AlignCorners || radius > 0 && n.Inputs[0] != network.Picture || c*f*f > network.MaxChannels || !e.afford(c*f*f*(2*radius+1)*(2*radius+1)) {
		return e.add(n)
	}
	to := newSpread(c, c, c, f, radius)
	kept := 0
	for o := range c {
		for i, rows := range phases {
			for j, columns := range phases {
				for _, r := range rows {
					for _, q := range columns {
						at := to.at(o, i, j, 0, r.At-far, q.At-far)
						to.weights[at] += float32(r.Weight * q.Weight)
						if to.mask[at] == 0 {
							to.mask[at] = 1
							kept++
						}
					}
				}
			}
		}
	}
	to.bias = make([]float32, c*f*f)
	e.changes++
	return e.add(shuffle(n.Name+"/shuffle", e.add(to.node(n.Name, n.Inputs[0], network.Edge, network.Origin{Weights: kept, Density: 1})), f))
}

// broadcast reads a single channel instead of copies of it, where all readers
// combine it with as many channels.
func broadcast(e *editor, n sketchNode, _ int) int {
	if n.Op.Pair() == nil {
		return e.add(n)
	}
	for k, j := range n.Inputs {
		from := e.node(j)
		if from == nil || from.Op != network.OpConcat {
			continue
		}
		one := from.Inputs[0]
		same := e.channels(one) == 1 && e.channels(n.Inputs[1-k]) == len(from.Inputs)
		for _, i := range from.Inputs {
			same = same && i == one
		}
		if same {
			n.Inputs[k] = one
			e.changes++
		}
	}
	return e.add(n)
}
