package onnx

import (
	"math"
	"slices"

	"evosr/network"
)

// The operators that move values: channels, borders, sizes.

// channelAxis checks that an axis is that of the channels.
func (im *importer) channelAxis(n *node, a int64) error {
	if i, ok := axis(a, 4); !ok || i != 1 {
		return im.bad(n, "works along axis %d, want 1, the channels", a)
	}
	return nil
}

func (im *importer) concat(n *node) (value, error) {
	if err := im.channelAxis(n, n.number("axis", 1)); err != nil {
		return value{}, err
	}
	op := network.Node{Op: network.OpConcat}
	var sum extent
	for i := range n.inputs {
		src, e, err := im.read(n, i)
		if err != nil {
			return value{}, err
		}
		if i == 0 {
			sum = extent{0, e.h, e.w}
		}
		if e.h != sum.h || e.w != sum.w {
			return value{}, im.bad(n, "joins %s and %s, want one size", im.size(sum), im.size(e))
		}
		if sum.c += e.c; sum.c > network.MaxChannels {
			break // append refuses it
		}
		op.Inputs = append(op.Inputs, src)
	}
	return im.append(n, op, sum)
}

// channels takes count channels of a node from first on.
func (im *importer) channels(n *node, src int, first, count int64) (value, error) {
	e := im.extent(src)
	if first < 0 || count < 1 || first > e.c-count {
		return value{}, im.bad(n, "takes channels %d to %d of %d", first, first+count-1, e.c)
	}
	if count == e.c {
		return value{node: src, axes: e.axes()}, nil
	}
	e.c = count
	return im.append(n, network.Node{Op: network.OpSlice, Inputs: []int{src}, From: int(first), Out: int(count)}, e)
}

func (im *importer) split(n *node) ([]value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return nil, err
	}
	if err := im.channelAxis(n, n.number("axis", 0)); err != nil {
		return nil, err
	}
	list, err := im.listed(n, "split", 1, 13)
	if err != nil {
		return nil, err
	}
	if list == nil {
		parts := int64(len(n.outputs))
		size := (e.c + parts - 1) / parts // the last part may be smaller
		for left := e.c; left > 0; left -= size {
			list = append(list, min(size, left))
		}
	}
	if len(list) != len(n.outputs) {
		return nil, im.bad(n, "splits %d channels into %d parts, want %d", e.c, len(list), len(n.outputs))
	}
	var outs []value
	first := int64(0)
	for _, count := range list {
		v, err := im.channels(n, src, first, count)
		if err != nil {
			return nil, err
		}
		outs = append(outs, v)
		first += count
	}
	if first != e.c {
		return nil, im.bad(n, "splits %d channels into %s", e.c, few(list))
	}
	return outs, nil
}

func (im *importer) slice(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	size := []int64{1, e.c, e.h, e.w}
	list, err := im.spans(n, size)
	if err != nil {
		return value{}, err
	}
	for a, s := range list {
		if whole := (span{0, 1, size[a]}); a != 1 && s != whole || s.step != 1 {
			return value{}, im.bad(n, "takes %d of %d along axis %d by steps of %d, want channels in a row", s.n, size[a], a, s.step)
		}
	}
	return im.channels(n, src, list[1].first, list[1].n)
}

// gather takes channels by their numbers, such as BGR of RGB.
func (im *importer) gather(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	if err := im.channelAxis(n, n.number("axis", 0)); err != nil {
		return value{}, err
	}
	list, err := im.ints(n, 1)
	if err != nil {
		return value{}, err
	}
	if k, _ := im.known(n, 1); len(k.dims) != 1 || len(list) == 0 || len(list) > network.MaxChannels {
		return value{}, im.bad(n, "takes channels %v, want a list of them", k.dims)
	}
	op := network.Node{Op: network.OpConcat}
	for i := 0; i < len(list); {
		first, ok := axis(list[i], int(e.c))
		if !ok {
			return value{}, im.bad(n, "takes channel %d of %d", list[i], e.c)
		}
		count := 1 // in a row
		for i+count < len(list) && list[i+count] == list[i]+int64(count) && first+count < int(e.c) {
			count++
		}
		v, err := im.channels(n, src, int64(first), int64(count))
		if err != nil {
			return value{}, err
		}
		op.Inputs = append(op.Inputs, v.node)
		i += count
	}
	if len(op.Inputs) == 1 {
		return value{node: op.Inputs[0], axes: im.extent(op.Inputs[0]).axes()}, nil
	}
	e.c = int64(len(list))
	return im.append(n, op, e)
}

func (im *importer) depthToSpace(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	s := n.number("blocksize", 0)
	if s < 1 || s > network.MaxScale || e.c%(s*s) != 0 {
		return value{}, im.bad(n, "has blocksize %d for %d channels, want 1 to %d and a multiple of its square", s, e.c, network.MaxScale)
	}
	mode := n.word("mode", "DCR") // it came with opset 11
	if mode != "DCR" && mode != "CRD" {
		return value{}, im.bad(n, "has mode %s, want CRD or DCR", quote(mode))
	}
	op := network.Node{Op: network.OpShuffle, Inputs: []int{src}, Factor: int(s), DCR: mode == "DCR" && e.c > s*s}
	return im.append(n, op, extent{e.c / (s * s), e.h * s, e.w * s})
}

// interpolation reads how a Resize or Upsample finds values.
func (im *importer) interpolation(n *node, op *network.Node) error {
	mode := n.word("mode", "nearest")
	if mode == "bilinear" { // as some writers of Upsample say
		mode = "linear"
	}
	interp := slices.Index(interpModes, mode)
	if interp < 0 {
		return im.bad(n, "has mode %s, want nearest, linear or cubic", quote(mode))
	}
	op.Interp = network.Interp(interp)
	op.CubicA = float64(n.fraction("cubic_coeff_a", -0.75))
	if n.op == "Upsample" || im.opset < 11 {
		op.Coord, op.Rounding = network.Asymmetric, network.Floor
		return nil
	}
	name, rounds := n.word("coordinate_transformation_mode", "half_pixel"), n.word("nearest_mode", "round_prefer_floor")
	if name == "half_pixel_symmetric" { // equal where sizes are whole multiples
		name = "half_pixel"
	}
	coord, rounding := slices.Index(coordModes, name), slices.Index(roundModes, rounds)
	op.Coord, op.Rounding = network.Coord(coord), network.Rounding(rounding)
	switch {
	case coord < 0:
		return im.bad(n, "has coordinates %s, want half_pixel, pytorch_half_pixel, half_pixel_symmetric, asymmetric or align_corners", quote(name))
	case rounding < 0:
		return im.bad(n, "rounds by %s, want round_prefer_floor, round_prefer_ceil, floor or ceil", quote(rounds))
	case n.number("exclude_outside", 0) != 0:
		return im.bad(n, "excludes what is outside, want the edge repeated")
	case n.attr("axes") != nil:
		return im.bad(n, "names its axes, want all four")
	}
	return nil
}

func (im *importer) resize(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	op := network.Node{Op: network.OpResize, Inputs: []int{src}}
	if err := im.interpolation(n, &op); err != nil {
		return value{}, err
	}
	to, err := im.resized(n, e)
	if err != nil {
		return value{}, err
	}
	if n.number("antialias", 0) != 0 && (to.h < e.h || to.w < e.w) {
		return value{}, im.bad(n, "has antialias, want none where it makes smaller")
	}
	if n.word("keep_aspect_ratio_policy", "stretch") != "stretch" && to.h*e.w != to.w*e.h {
		return value{}, im.bad(n, "keeps the aspect ratio of %s for %s, want sizes of one ratio", im.size(e), im.size(to))
	}
	if to.h%e.h == 0 && to.w%e.w == 0 && to.h/e.h == to.w/e.w && to.h/e.h <= network.MaxScale {
		op.Factor = int(to.h / e.h)
		return im.append(n, op, to)
	}
	// Not a multiple: it must be as large as something that is there.
	if e := im.in; e.h == to.h && e.w == to.w {
		op.Inputs = append(op.Inputs, network.Picture)
		return im.append(n, op, to)
	}
	for i, e := range im.sizes {
		if e.h == to.h && e.w == to.w {
			op.Inputs = append(op.Inputs, i)
			return im.append(n, op, to)
		}
	}
	return value{}, im.bad(n, "makes %s of %s, want a whole multiple up to %d or the size of an earlier value", im.size(to), im.size(e), network.MaxScale)
}

// resized reads the size that a Resize or Upsample makes.
func (im *importer) resized(n *node, e extent) (extent, error) {
	var scales []float32
	at := 1 // the input that holds scales
	switch {
	case n.op == "Upsample" && im.opset < 9:
		a := n.attr("scales")
		if a == nil {
			return e, im.bad(n, "has no scales")
		}
		scales = a.floats
	default:
		if n.op == "Resize" && im.opset >= 11 {
			at = 2
		}
		if n.has(3) {
			if k, err := im.known(n, 3); err == nil && k.n() == 0 {
				break // scales count
			}
			list, err := im.ints(n, 3)
			if err != nil {
				return e, err
			}
			if len(list) != 4 || list[0] != 1 || list[1] != e.c {
				return e, im.bad(n, "makes sizes %s, want [1 %d height width]", few(list), e.c)
			}
			return extent{e.c, list[2], list[3]}, nil
		}
	}
	if scales == nil {
		k, err := im.floats(n, at)
		if err != nil {
			return e, err
		}
		scales = k.floats
	}
	if len(scales) != 4 || scales[0] != 1 || scales[1] != 1 || !(slices.Min(scales) > 0 && slices.Max(scales) <= 64) {
		return e, im.bad(n, "scales by %v, want [1 1 height width] of at most 64", scales[:min(len(scales), 8)])
	}
	grow := func(n int64, s float32) int64 { return int64(math.Floor(float64(n) * float64(s))) }
	return extent{e.c, grow(e.h, scales[2]), grow(e.w, scales[3])}, nil
}

func (im *importer) pad(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	op := network.Node{Op: network.OpPad, Inputs: []int{src}}
	mode := n.word("mode", "constant")
	border := slices.Index(borderModes, mode)
	if border < 0 {
		return value{}, im.bad(n, "has mode %s, want constant, edge or reflect", quote(mode))
	}
	op.Border = network.Border(border)
	list, err := im.listed(n, "pads", 1, 11)
	if err != nil {
		return value{}, err
	}
	if list, err = im.allAxes(n, list); err != nil {
		return value{}, err
	}
	if len(list) != 8 || slices.Min(list) < 0 || slices.Max(list) > network.MaxPad || list[0]|list[1]|list[4]|list[5] != 0 {
		return value{}, im.bad(n, "has pads %s, want [0 0 y x 0 0 y x] of 0 to %d", few(list), network.MaxPad)
	}
	op.Pad = [4]int{int(list[2]), int(list[6]), int(list[3]), int(list[7])}
	if op.Border == network.Zeros {
		op.Value = n.fraction("value", 0)
		if im.opset >= 11 && n.has(2) {
			k, err := im.floats(n, 2)
			if err != nil {
				return value{}, err
			}
			if len(k.floats) != 1 {
				return value{}, im.bad(n, "has %d values to pad with, want one", len(k.floats))
			}
			op.Value = k.floats[0]
		}
	}
	e.h += list[2] + list[6]
	e.w += list[3] + list[7]
	if op.Pad == [4]int{} {
		return value{node: src, axes: e.axes()}, nil
	}
	return im.append(n, op, e)
}

// allAxes spreads the pads of named axes over all four.
func (im *importer) allAxes(n *node, list []int64) ([]int64, error) {
	if !n.has(3) {
		return list, nil
	}
	axes, err := im.ints(n, 3)
	if err != nil {
		return nil, err
	}
	if len(list) != 2*len(axes) {
		return nil, im.bad(n, "has pads %s for axes %s", few(list), few(axes))
	}
	all := make([]int64, 8)
	for i, a := range axes {
		at, ok := axis(a, 4)
		if !ok {
			return nil, im.bad(n, "pads axis %d of 4", a)
		}
		all[at], all[4+at] = list[i], list[len(axes)+i]
	}
	return all, nil
}

func (im *importer) pool(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	a := n.attr("kernel_shape")
	if a == nil || len(a.ints) != 2 || a.ints[0] != a.ints[1] || a.ints[0] < 1 || a.ints[0] > network.MaxPool {
		return value{}, im.bad(n, "has no square kernel_shape of 1 to %d", network.MaxPool)
	}
	f := &filters{kernel: int(a.ints[0]), stride: 1}
	if a := n.attr("strides"); a != nil {
		if len(a.ints) != 2 || a.ints[0] != a.ints[1] || a.ints[0] < 1 || a.ints[0] > network.MaxPool {
			return value{}, im.bad(n, "has strides %s, want two equal ones of 1 to %d", few(a.ints), network.MaxPool)
		}
		f.stride = int(a.ints[0])
	}
	if err := im.padding(n, f); err != nil {
		return value{}, err
	}
	if f.autoEqual || n.number("ceil_mode", 0) != 0 || !n.equalInts("dilations", 1, 1) {
		return value{}, im.bad(n, "has auto_pad, ceil_mode or dilations, want pads alone")
	}
	out := e
	for i, side := range []*int64{&out.h, &out.w} {
		*side = (*side+int64(f.pads[2*i]+f.pads[2*i+1]-f.kernel))/int64(f.stride) + 1
	}
	to := network.Node{Op: network.OpMaxPool, Inputs: []int{src}, Kernel: f.kernel, Stride: f.stride, Pad: f.pads}
	if n.op == "AveragePool" {
		to.Op, to.Counted = network.OpAvgPool, n.number("count_include_pad", 0) != 0
	}
	return im.append(n, to, out)
}
