package onnx

import (
	"fmt"
	"slices"

	"evosr/network"
)

// The operators that Subnet recognises, one method each.

// maxLayers is far above what runs in real time, and bounds the memory of many
// tiny layers.
const maxLayers = 4096

func (r *recogniser) conv(n *node, v traced) (traced, error) {
	if len(r.layers) == maxLayers {
		return traced{}, r.bad(n, fmt.Sprintf("follows %d others, want at most as many", maxLayers))
	}
	w, err := r.floats(n, 1)
	if err != nil {
		return traced{}, err
	}
	dims := r.constants[n.inputs[1]].dims
	l := network.Layer{Add: network.None, Weights: w}
	switch {
	case len(dims) != 4 || dims[2] != dims[3] || dims[2] != 1 && dims[2] != 3 && dims[2] != 5:
		return traced{}, r.bad(n, fmt.Sprintf("has weights %v, want (output, input, k, k) with k of 1, 3 or 5", dims))
	case dims[0] == 0 || dims[1] == 0:
		return traced{}, r.bad(n, fmt.Sprintf("has weights %v, want at least one channel", dims))
	}
	l.Out, l.In, l.Kernel = int(dims[0]), int(dims[1]), int(dims[2])
	pad, err := r.convAttrs(n, int64(l.Kernel))
	if err != nil {
		return traced{}, err
	}
	channels, reach := r.colors, int64(l.Kernel/2)
	switch {
	case v.kind == layerValue:
		l.Src, channels = v.layer, r.layers[v.layer].Out
		if pad != reach {
			return traced{}, r.bad(n, fmt.Sprintf("pads %d pixels, want %d so that the size stays", pad, reach))
		}
	case v.kind != pictureValue:
		return traced{}, r.bad(n, "reads a step of a pixel shuffle or an activation, want the picture or a layer")
	case pad != 0:
		return traced{}, r.bad(n, "puts zeros around the picture, want its edge repeated by a Pad before")
	case int64(v.reach) != reach:
		return traced{}, r.bad(n, fmt.Sprintf("reads the picture with its edge repeated %d times, want %d", v.reach, reach))
	default:
		l.Src = network.Picture
	}
	if l.In != channels {
		return traced{}, r.bad(n, fmt.Sprintf("has weights for %d input channels, want %d", l.In, channels))
	}
	if len(n.inputs) > 2 && n.inputs[2] != "" {
		if l.Bias, err = r.floats(n, 2); err != nil {
			return traced{}, err
		}
		if d := r.constants[n.inputs[2]].dims; len(d) != 1 || len(l.Bias) != l.Out {
			return traced{}, r.bad(n, fmt.Sprintf("has a bias %v, want [%d]", d, l.Out))
		}
	} else {
		if err := r.mem.take(l.Out, 4, "biases"); err != nil {
			return traced{}, r.bad(n, err.Error())
		}
		l.Bias = make([]float32, l.Out)
	}
	l.Mask = maskOfZeros(w)
	if l.Name = n.name; l.Name == "" {
		l.Name = "conv"
	}
	if r.names[l.Name] { // names of nodes need not be unique
		l.Name = fmt.Sprintf("%s_%d", l.Name, len(r.layers))
	}
	l.Name = fresh(r.names, l.Name)
	r.layers = append(r.layers, found{l, r.at})
	return traced{kind: layerValue, layer: len(r.layers) - 1, stage: convStage, sole: true}, nil
}

// convAttrs checks a convolution's attributes and gives the pixels it pads on
// every side.
func (r *recogniser) convAttrs(n *node, k int64) (pad int64, err error) {
	lists := []struct {
		name string
		want []int64
	}{{"strides", []int64{1, 1}}, {"dilations", []int64{1, 1}}, {"kernel_shape", []int64{k, k}}}
	for _, l := range lists {
		if a := n.attr(l.name); a != nil && !slices.Equal(a.ints, l.want) {
			return 0, r.bad(n, fmt.Sprintf("has %s %s, want %v", l.name, few(a.ints), l.want))
		}
	}
	if a := n.attr("group"); a != nil && a.i != 1 {
		return 0, r.bad(n, fmt.Sprintf("has %d groups, want 1", a.i))
	}
	if a := n.attr("auto_pad"); a != nil {
		switch a.s {
		case "SAME_UPPER", "SAME_LOWER": // equal for stride 1 and odd k
			return k / 2, nil
		case "VALID":
			return 0, nil
		case "NOTSET", "":
		default:
			return 0, r.bad(n, fmt.Sprintf("has auto_pad %s, want SAME_UPPER, SAME_LOWER, VALID or NOTSET", quote(a.s)))
		}
	}
	a := n.attr("pads")
	if a == nil {
		return 0, nil
	}
	if len(a.ints) != 4 || slices.Min(a.ints) != slices.Max(a.ints) {
		return 0, r.bad(n, fmt.Sprintf("has pads %s, want four equal ones", few(a.ints)))
	}
	return a.ints[0], nil
}

// few writes a list for an error message.
func few(list []int64) string {
	if len(list) > 8 {
		return fmt.Sprintf("%v and %d more", list[:8], len(list)-8)
	}
	return fmt.Sprint(list)
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

// sum joins an Add to the convolution on one of its sides. Where both sides are
// bare convolutions, the later one takes it: the other runs before.
func (r *recogniser) sum(n *node) (traced, error) {
	var sides [2]traced
	for i := range sides {
		v, err := r.read(n, i)
		if err != nil {
			return traced{}, err
		}
		if v.kind != layerValue {
			return traced{}, r.bad(n, fmt.Sprintf("adds %s, want the outputs of two layers", quote(n.inputs[i])))
		}
		sides[i] = v
	}
	bare := func(v traced) bool { return v.stage == convStage && v.sole }
	a, b := sides[0], sides[1]
	if !bare(a) || bare(b) && r.layers[b.layer].last > r.layers[a.layer].last {
		a, b = b, a
	}
	if !bare(a) {
		return traced{}, r.bad(n, "adds two layers that other nodes read too, want a Conv that goes nowhere else on one side")
	}
	l := &r.layers[a.layer]
	if got := r.layers[b.layer].Out; got != l.Out {
		return traced{}, r.bad(n, fmt.Sprintf("adds %d channels to %d, want as many", got, l.Out))
	}
	l.Add, l.last = b.layer, r.at
	a.stage = sumStage
	return a, nil
}

func (r *recogniser) pad(n *node, v traced) (traced, error) {
	if a := n.attr("mode"); a == nil || a.s != "edge" || v.kind != pictureValue {
		return traced{}, r.bad(n, "does not repeat the edge of the picture, want mode edge on the input")
	}
	var pads []int64
	if r.opset < 11 {
		if a := n.attr("pads"); a != nil {
			pads = a.ints
		}
	} else {
		var err error
		if pads, err = r.ints(n, 1); err != nil {
			return traced{}, err
		}
	}
	if len(n.inputs) > 3 && n.inputs[3] != "" {
		return traced{}, r.bad(n, "names its axes, want pads of all four")
	}
	if len(pads) != 8 || !slices.Equal(pads, []int64{0, 0, pads[2], pads[2], 0, 0, pads[2], pads[2]}) || pads[2] < 0 || pads[2] > 2 {
		return traced{}, r.bad(n, fmt.Sprintf("has pads %s, want [0 0 n n 0 0 n n] with n of 1 or 2", few(pads)))
	}
	v.reach += int(pads[2])
	return v, nil
}

func (r *recogniser) depthToSpace(n *node, v traced) (traced, error) {
	if v.kind != layerValue {
		return traced{}, r.bad(n, "reads no layer, want the last Conv before")
	}
	// The mode came with opset 11; it was DCR before, and is unless it is given.
	mode := "DCR"
	if a := n.attr("mode"); a != nil {
		mode = a.s
	}
	s := r.scaleOf(v.layer)
	a := n.attr("blocksize")
	switch {
	case s == 0:
		return traced{}, r.bad(n, fmt.Sprintf("shuffles %d channels, want %d times 4, 9 or 16", r.layers[v.layer].Out, r.colors))
	case a == nil || a.i != s:
		return traced{}, r.bad(n, fmt.Sprintf("has no blocksize of %d, want it for %d channels", s, r.layers[v.layer].Out))
	case mode != "CRD" && mode != "DCR":
		return traced{}, r.bad(n, fmt.Sprintf("has mode %s, want CRD or DCR", quote(mode)))
	case mode == "DCR" && r.colors != 1:
		return traced{}, r.bad(n, fmt.Sprintf("has mode DCR for %d colors, want CRD", r.colors))
	}
	r.scale = s
	v.kind = shuffledValue
	return v, nil
}

// scaleOf is the scale that the pixel shuffle of a layer's channels gives, 0
// when there is none.
func (r *recogniser) scaleOf(layer int) int64 {
	for s := 2; s <= 4; s++ {
		if r.layers[layer].Out == r.colors*s*s {
			return int64(s)
		}
	}
	return 0
}
