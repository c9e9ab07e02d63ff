package onnx

import (
	"slices"

	"evosr/network"
)

// reduction is how the channels of a pixel become one: each is made before, they
// are summed, and the sum is made after. Of extremes, pair takes two of them.
type reduction struct {
	before, after network.Act
	mean          bool // the sum is divided by the number of channels
	pair          network.Op
}

// reductions are the operators that reduce channels.
var reductions = map[string]reduction{
	"ReduceSum":       {},
	"ReduceMean":      {mean: true},
	"ReduceL1":        {before: network.ActAbs},
	"ReduceL2":        {before: network.ActSquare, after: network.ActSqrt},
	"ReduceSumSquare": {before: network.ActSquare},
	"ReduceLogSum":    {after: network.ActLog},
	"ReduceMax":       {pair: network.OpMax},
	"ReduceMin":       {pair: network.OpMin},
}

// maxReduced bounds the channels of an extreme, each of which becomes nodes.
const maxReduced = 256

// reduce takes the channels of every pixel together. A sum is a convolution of
// 1x1.
func (im *importer) reduce(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	r := reductions[n.op]
	since := int64(18)
	if n.op == "ReduceSum" {
		since = 13
	}
	axes, err := im.listed(n, "axes", 1, int(since))
	if err != nil {
		return value{}, err
	}
	if op, is := map[string]network.Op{"ReduceMean": network.OpMean, "ReduceMax": network.OpPeak}[n.op]; is && pictureAxes(axes) && n.number("keepdims", 1) == 1 {
		return im.overall(n, op, src, e)
	}
	if len(axes) != 1 || n.number("keepdims", 1) != 1 {
		return value{}, im.bad(n, "reduces axes %s, want the axis of the channels, kept", few(axes))
	}
	if err := im.channelAxis(n, axes[0]); err != nil {
		return value{}, err
	}
	if r.pair != 0 {
		return im.extreme(n, r.pair, src, e)
	}
	to := value{node: src, axes: e.axes()}
	act := func(a network.Act) {
		if err == nil && a != network.ActNone {
			to, err = im.append(n, network.Node{Op: network.OpActivate, Act: a, Inputs: []int{to.node}}, im.extent(to.node))
		}
	}
	act(r.before)
	if err != nil {
		return value{}, err
	}
	weight := float32(1)
	if r.mean {
		weight /= float32(e.c)
	}
	one := e
	one.c = 1
	to, err = im.append(n, network.Node{Op: network.OpConv, Inputs: []int{to.node}, Out: 1, Kernel: 1, Weights: slices.Repeat([]float32{weight}, int(e.c))}, one)
	act(r.after)
	return to, err
}

// pictureAxes says whether axes are those of rows and columns.
func pictureAxes(axes []int64) bool {
	var list []int
	for _, a := range axes {
		i, _ := axis(a, 4)
		list = append(list, i)
	}
	slices.Sort(list)
	return slices.Equal(list, []int{2, 3})
}

// overall makes one value of each channel of the picture.
func (im *importer) overall(n *node, op network.Op, src int, e extent) (value, error) {
	v, err := im.append(n, network.Node{Op: op, Inputs: []int{src}}, extent{e.c, 1, 1})
	if err == nil {
		im.pixel[v.node] = true
	}
	return v, err
}

// global takes GlobalAveragePool and GlobalMaxPool.
func (im *importer) global(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	op := network.OpMean
	if n.op == "GlobalMaxPool" {
		op = network.OpPeak
	}
	return im.overall(n, op, src, e)
}

// expand repeats a channel, or what is one pixel.
func (im *importer) expand(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	list, err := im.ints(n, 1)
	if err != nil {
		return value{}, err
	}
	to := []int64{1, e.c, e.h, e.w}
	for i := 1; i <= len(list) && i <= 4; i++ {
		if v := list[len(list)-i]; v != 1 {
			to[4-i] = v
		}
	}
	out := extent{to[1], to[2], to[3]}
	same := out.h == e.h && out.w == e.w
	if len(list) > 4 || to[0] != 1 || out.c != e.c && e.c != 1 || !same && !im.pixel[src] {
		return value{}, im.bad(n, "makes %s of %d channels of %s, want more of one channel or of one pixel", few(list), e.c, im.size(e))
	}
	if out == e {
		return value{node: src, axes: e.axes()}, nil
	}
	if out.c == e.c {
		return im.append(n, network.Node{Op: network.OpAffine, Inputs: []int{src}}, out)
	}
	return im.append(n, network.Node{Op: network.OpConcat, Inputs: slices.Repeat([]int{src}, int(min(out.c, network.MaxChannels+1)))}, out)
}

// normaliseInstance takes each channel's mean over the picture off and divides by
// the root of what is left of its squares.
func (im *importer) normaliseInstance(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	var part [2][]float32
	for i := range part {
		k, err := im.floats(n, 1+i)
		if err != nil {
			return value{}, err
		}
		if int64(len(k.floats)) != e.c {
			return value{}, im.bad(n, "has %d values as %s, want %d", len(k.floats), []string{"scale", "bias"}[i], e.c)
		}
		part[i] = slices.Clone(k.floats)
	}
	var v value
	put := func(op network.Node) int {
		if err == nil {
			v, err = im.append(n, op, e)
		}
		return v.node
	}
	pooled := func(from int) int { return put(network.Node{Op: network.OpMean, Inputs: []int{from}}) }
	act := func(a network.Act, from int) int {
		return put(network.Node{Op: network.OpActivate, Act: a, Inputs: []int{from}})
	}
	centred := put(network.Node{Op: network.OpSub, Inputs: []int{src, pooled(src)}})
	variance := pooled(act(network.ActSquare, centred))
	root := act(network.ActSqrt, put(network.Node{Op: network.OpAffine, Bias: []float32{n.fraction("epsilon", 1e-5)}, Inputs: []int{variance}}))
	unit := put(network.Node{Op: network.OpDiv, Inputs: []int{centred, root}})
	put(network.Node{Op: network.OpAffine, Gain: part[0], Bias: part[1], Inputs: []int{unit}})
	return v, err
}

// extreme takes the largest or smallest channel.
func (im *importer) extreme(n *node, op network.Op, src int, e extent) (value, error) {
	if e.c > maxReduced {
		return value{}, im.bad(n, "reduces %d channels, want at most %d", e.c, maxReduced)
	}
	var best value
	for c := range e.c {
		v, err := im.channels(n, src, c, 1)
		if err == nil && c > 0 {
			v, err = im.joined(n, op, best.node, v.node, im.extent(best.node), im.extent(v.node))
		}
		if err != nil {
			return value{}, err
		}
		best = v
	}
	return best, nil
}
