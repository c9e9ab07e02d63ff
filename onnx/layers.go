package onnx

import (
	"math"
	"slices"

	"evosr/network"
)

// Operators with weights, one method each.

// filters are the weights of a Conv or ConvTranspose as square filters: those
// with gaps (dilations) or of unequal sides get zeros.
type filters struct {
	weights   []float32
	rows      int64    // filters: dims 0 and 1 of the weights
	columns   int64    //
	kernel    int      // side, zeros included
	sides     [2]int64 // height and width without the gaps' zeros
	inserted  [2]int64 // zero rows and columns around
	groups    int
	stride    int
	pads      [4]int // above, below, left, right
	autoEqual bool   // auto_pad asks for an output of the input's size / stride
}

// filters reads what Conv and ConvTranspose have in common.
func (im *importer) filters(n *node) (*filters, error) {
	k, err := im.floats(n, 1)
	if err != nil {
		return nil, err
	}
	// Copies of them: with a mask, and with what simplify multiplies in.
	if err := im.mem.take(k.n(), 10, "weights"); err != nil {
		return nil, im.bad(n, "%v", err)
	}
	d := k.dims
	if len(d) != 4 || min(d[0], d[1], d[2], d[3]) < 1 || max(d[2], d[3]) > network.MaxKernel {
		return nil, im.bad(n, "has weights %v, want (channels, channels, height, width) with sides of 1 to %d", d, network.MaxKernel)
	}
	if !n.equalInts("kernel_shape", d[2], d[3]) {
		return nil, im.bad(n, "has kernel_shape %s, want %v as its weights", few(n.attr("kernel_shape").ints), d[2:])
	}
	gap := [2]int64{1, 1}
	if a := n.attr("dilations"); a != nil {
		if len(a.ints) != 2 || min(a.ints[0], a.ints[1]) < 1 || max(a.ints[0], a.ints[1]) > network.MaxKernel {
			return nil, im.bad(n, "has dilations %s, want two of 1 to %d", few(a.ints), network.MaxKernel)
		}
		gap = [2]int64(a.ints)
	}
	f := &filters{rows: d[0], columns: d[1], stride: 1}
	for i := range f.sides {
		f.sides[i] = (d[2+i]-1)*gap[i] + 1
	}
	side := max(f.sides[0], f.sides[1])
	for i := range f.inserted {
		if f.inserted[i] = side - f.sides[i]; f.inserted[i]%2 != 0 {
			return nil, im.bad(n, "has filters of %dx%d, want sides that differ by an even number", f.sides[0], f.sides[1])
		}
		f.inserted[i] /= 2
	}
	if f.kernel = int(side); f.kernel > network.MaxKernel {
		return nil, im.bad(n, "has filters of %d pixels a side with their gaps, want at most %d", side, network.MaxKernel)
	}
	if err := im.spread(n, f, k, gap); err != nil {
		return nil, err
	}
	groups := n.number("group", 1)
	if groups < 1 || groups > network.MaxChannels || f.rows%groups != 0 {
		return nil, im.bad(n, "has %d groups for %d filters, want a divisor", groups, f.rows)
	}
	f.groups = int(groups)
	if a := n.attr("strides"); a != nil {
		if len(a.ints) != 2 || a.ints[0] != a.ints[1] || a.ints[0] < 1 || a.ints[0] > network.MaxScale {
			return nil, im.bad(n, "has strides %s, want two equal ones of 1 to %d", few(a.ints), network.MaxScale)
		}
		f.stride = int(a.ints[0])
	}
	return f, im.padding(n, f)
}

// spread writes the weights with their zeros.
func (im *importer) spread(n *node, f *filters, k *constant, gap [2]int64) error {
	size := int64(f.kernel * f.kernel)
	if size == k.dims[2]*k.dims[3] {
		f.weights = slices.Clone(k.floats)
		return nil
	}
	list, _, err := im.maker(n, []int64{f.rows, f.columns, size}, false)
	if err != nil {
		return err
	}
	f.weights = list.floats
	at := 0
	for i := range f.rows * f.columns {
		for y := range k.dims[2] {
			for x := range k.dims[3] {
				to := (y*gap[0]+f.inserted[0])*int64(f.kernel) + x*gap[1] + f.inserted[1]
				f.weights[i*size+to] = k.floats[at]
				at++
			}
		}
	}
	return nil
}

// padding reads pads and auto_pad, into above, below, left and right.
func (im *importer) padding(n *node, f *filters) error {
	switch auto := n.word("auto_pad", "NOTSET"); auto {
	case "SAME_UPPER", "SAME_LOWER":
		f.autoEqual = true
		return nil
	case "VALID":
		return nil
	case "NOTSET", "":
	default:
		return im.bad(n, "has auto_pad %s, want NOTSET, VALID, SAME_UPPER or SAME_LOWER", quote(auto))
	}
	a := n.attr("pads")
	if a == nil {
		return nil
	}
	if len(a.ints) != 4 || slices.Min(a.ints) < 0 || slices.Max(a.ints) > network.MaxPad {
		return im.bad(n, "has pads %s, want four of 0 to %d", few(a.ints), network.MaxPad)
	}
	f.pads = [4]int{int(a.ints[0]), int(a.ints[2]), int(a.ints[1]), int(a.ints[3])}
	return nil
}

// biases reads the third input.
func (im *importer) biases(n *node, out int) ([]float32, error) {
	if !n.has(2) {
		return nil, nil
	}
	k, err := im.floats(n, 2)
	if err != nil {
		return nil, err
	}
	if len(k.dims) != 1 || len(k.floats) != out {
		return nil, im.bad(n, "has a bias %v, want [%d]", k.dims, out)
	}
	return slices.Clone(k.floats), nil
}

func (im *importer) conv(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	f, err := im.filters(n)
	if err != nil {
		return value{}, err
	}
	if im.pixel[src] && f.kernel > 1 {
		return value{}, im.bad(n, "has filters of %d pixels for the single one that is left of the picture, want 1", f.kernel)
	}
	if e.c != f.columns*int64(f.groups) {
		return value{}, im.bad(n, "has weights for %d input channels, want %d", f.columns*int64(f.groups), e.c)
	}
	bias, err := im.biases(n, int(f.rows))
	if err != nil {
		return value{}, err
	}
	if f.autoEqual {
		// For other strides it would depend on the picture's size.
		if f.stride != 1 {
			return value{}, im.bad(n, "has auto_pad for stride %d, want stride 1, or pads", f.stride)
		}
		before := (f.kernel - 1) / 2
		if n.word("auto_pad", "") == "SAME_LOWER" {
			before = f.kernel / 2
		}
		after := f.kernel - 1 - before
		if f.pads = [4]int{before, after, before, after}; before != after {
			grown := extent{e.c, e.h + int64(f.kernel) - 1, e.w + int64(f.kernel) - 1}
			v, err := im.append(n, network.Node{Op: network.OpPad, Inputs: []int{src}, Pad: f.pads}, grown)
			if err != nil {
				return v, err
			}
			src, e, f.pads = v.node, grown, [4]int{}
		}
	} else {
		for i := range f.pads { // the zeros around the filter see beyond what the file pads
			f.pads[i] += int(f.inserted[i/2])
		}
	}
	out := e
	out.c = f.rows
	for i, side := range []*int64{&out.h, &out.w} {
		room := *side + int64(f.pads[2*i]+f.pads[2*i+1]-f.kernel)
		if room < 0 {
			return value{}, im.bad(n, "has filters of %d pixels for %d", f.kernel, *side)
		}
		*side = room/int64(f.stride) + 1
	}
	return im.append(n, network.Node{
		Op: network.OpConv, Inputs: []int{src}, Out: int(f.rows), Kernel: f.kernel, Stride: f.stride, Groups: f.groups,
		Pad: f.pads, Weights: f.weights, Mask: maskOfZeros(f.weights), Bias: bias,
	}, out)
}

// maskOfZeros prunes the zero weights; nil when there are none.
func maskOfZeros(w []float32) []uint8 {
	if !slices.Contains(w, 0) {
		return nil
	}
	mask := make([]uint8, len(w))
	for i, x := range w {
		if x != 0 {
			mask[i] = 1
		}
	}
	return mask
}

func (im *importer) deconv(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	f, err := im.filters(n)
	if err != nil {
		return value{}, err
	}
	outs := f.columns * int64(f.groups)
	if e.c != f.rows {
		return value{}, im.bad(n, "has weights for %d input channels, want %d", f.rows, e.c)
	}
	if outs > network.MaxChannels {
		return value{}, im.bad(n, "makes %d channels, want at most %d", outs, network.MaxChannels)
	}
	bias, err := im.biases(n, int(outs))
	if err != nil {
		return value{}, err
	}
	if f.inserted != [2]int64{} || f.sides[0] != f.sides[1] {
		return value{}, im.bad(n, "has filters of %dx%d, want square ones", f.sides[0], f.sides[1])
	}
	var grow int64
	if a := n.attr("output_padding"); a != nil {
		if len(a.ints) != 2 || a.ints[0] != a.ints[1] {
			return value{}, im.bad(n, "has output_padding %s, want two equal ones", few(a.ints))
		}
		grow = a.ints[0]
	}
	if grow < 0 || grow >= max(int64(f.stride), 2) {
		return value{}, im.bad(n, "has output_padding %d, want less than the stride, %d", grow, f.stride)
	}
	if a := n.attr("output_shape"); a != nil {
		return value{}, im.bad(n, "names its output_shape %s, want pads", few(a.ints))
	}
	if f.autoEqual {
		total := f.kernel - f.stride + int(grow)
		if total < 0 || total%2 != 0 {
			return value{}, im.bad(n, "has auto_pad for stride %d and filters of %d, want an even difference, or pads", f.stride, f.kernel)
		}
		f.pads = [4]int{total / 2, total / 2, total / 2, total / 2}
	}
	out := extent{outs, e.h, e.w}
	for i, side := range []*int64{&out.h, &out.w} {
		*side = (*side-1)*int64(f.stride) + int64(f.kernel) + grow - int64(f.pads[2*i]+f.pads[2*i+1])
	}
	return im.append(n, network.Node{
		Op: network.OpDeconv, Inputs: []int{src}, Out: int(outs), Kernel: f.kernel, Stride: f.stride, Groups: f.groups,
		Pad: f.pads, Grow: int(grow), Weights: f.weights, Mask: maskOfZeros(f.weights), Bias: bias,
	}, out)
}

func (im *importer) normalise(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	var part [4][]float32 // scale, offset, mean, variance
	for i := range part {
		k, err := im.floats(n, 1+i)
		if err != nil {
			return value{}, err
		}
		if int64(len(k.floats)) != e.c {
			return value{}, im.bad(n, "has %d values as %s, want %d", len(k.floats), quote(n.inputs[1+i]), e.c)
		}
		part[i] = k.floats
	}
	if n.number("training_mode", 0) != 0 {
		return value{}, im.bad(n, "is in training mode")
	}
	epsilon := float64(n.fraction("epsilon", 1e-5))
	gain, bias := make([]float32, e.c), make([]float32, e.c)
	for c := range gain {
		g := float64(part[0][c]) / math.Sqrt(float64(part[3][c])+epsilon)
		gain[c], bias[c] = float32(g), float32(float64(part[1][c])-g*float64(part[2][c]))
	}
	if notFinite(gain) >= 0 || notFinite(bias) >= 0 {
		return value{}, im.bad(n, "divides by the root of a variance below %g", -epsilon)
	}
	return im.append(n, network.Node{Op: network.OpAffine, Inputs: []int{src}, Gain: gain, Bias: bias}, e)
}
