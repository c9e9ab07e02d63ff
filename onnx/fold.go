package onnx

import (
	"fmt"
	"math"
	"slices"
)

// constant is a tensor that does not depend on the picture's values: weights, or
// the arithmetic of shapes.
type constant struct {
	dims   []int64
	whole  bool // integers and truth values are in ints, else floats holds all
	ints   []int64
	floats []float32
}

func (k *constant) n() int { return max(len(k.ints), len(k.floats)) }

// load converts a tensor of the file.
func (im *importer) load(n *node, t *tensor) (*constant, error) {
	each := uintptr(4)
	if t.kind == typeInt64 || t.kind == typeInt32 || t.kind == typeBool {
		each = 8
	}
	if err := im.mem.take(t.n+1, each, "constants"); err != nil {
		return nil, im.bad(n, "%v", err)
	}
	k := &constant{dims: t.dims}
	var err error
	switch t.kind {
	case typeFloat, typeFloat16, typeBFloat16, typeDouble:
		k.floats, err = t.floats()
	case typeInt64, typeInt32, typeBool:
		k.whole = true
		k.ints, err = t.ints()
	default:
		err = fmt.Errorf("tensor %s holds %v, want float32, float16, int64, int32 or bool", quote(t.name), t.kind)
	}
	if err != nil {
		return nil, im.bad(n, "has a constant that does not fit: %v", err)
	}
	return k, nil
}

// maker makes constants within the memory that a file may use.
func (im *importer) maker(n *node, dims []int64, whole bool) (*constant, int, error) {
	count, err := product(dims)
	if err == nil && len(dims) > maxRank {
		err = fmt.Errorf("has %d dims, want at most %d", len(dims), maxRank)
	}
	if err != nil {
		return nil, 0, im.bad(n, "%v", err)
	}
	k := &constant{dims: dims, whole: whole}
	if count > int(im.mem.left/8) { // before take multiplies
		return nil, 0, im.bad(n, "makes %d constants, more than a file of this size may", count)
	}
	if err := im.mem.take(count+1, 8, "constants"); err != nil {
		return nil, 0, im.bad(n, "%v", err)
	}
	if whole {
		k.ints = make([]int64, count)
	} else {
		k.floats = make([]float32, count)
	}
	return k, count, nil
}

// picked makes a constant whose element i is element at(i) of k.
func (im *importer) picked(n *node, k *constant, dims []int64, at func(i int) int) (*constant, error) {
	out, count, err := im.maker(n, dims, k.whole)
	if err != nil {
		return nil, err
	}
	for i := range count {
		if k.whole {
			out.ints[i] = k.ints[at(i)]
		} else {
			out.floats[i] = k.floats[at(i)]
		}
	}
	return out, nil
}

// fold works out a node that depends on constants and sizes only; is tells
// whether this is one.
func (im *importer) fold(n *node) (k *constant, is bool, err error) {
	switch n.op {
	case "Constant":
		k, err = im.constant(n)
		return k, true, err
	case "Shape":
		k, err = im.shape(n)
		return k, true, err
	}
	f, known := im.folders[n.op]
	if !known {
		return nil, false, nil
	}
	for _, name := range n.inputs {
		if v, has := im.values[name]; name != "" && (!has || !v.constant()) {
			return nil, false, nil
		}
	}
	in := make([]*constant, len(n.inputs))
	for i := range in {
		if n.inputs[i] == "" {
			continue
		}
		if in[i], err = im.known(n, i); err != nil {
			return nil, true, err
		}
	}
	if len(n.outputs) != 1 || len(in) == 0 || in[0] == nil {
		return nil, true, im.bad(n, "has %d inputs and %d outputs, want a constant in and one out", len(in), len(n.outputs))
	}
	k, err = f(im, n, in)
	return k, true, err
}

// folder works on constants; in[0] is there.
type folder func(im *importer, n *node, in []*constant) (*constant, error)

func folders() map[string]folder {
	list := map[string]folder{
		"Identity":        func(_ *importer, _ *node, in []*constant) (*constant, error) { return in[0], nil },
		"Cast":            (*importer).castConstant,
		"ConstantOfShape": (*importer).constantOfShape,
		"Gather":          (*importer).gatherConstant,
		"Slice":           (*importer).sliceConstant,
		"Concat":          (*importer).concatConstants,
		"Reshape":         (*importer).reshapeConstant,
		"Squeeze":         (*importer).squeezeConstant,
		"Unsqueeze":       (*importer).unsqueezeConstant,
		"Transpose":       (*importer).transposeConstant,
		"Add":             (*importer).calculate,
		"Sub":             (*importer).calculate,
		"Mul":             (*importer).calculate,
		"Div":             (*importer).calculate,
		"Pow":             (*importer).calculate,
		"Min":             (*importer).calculate,
		"Max":             (*importer).calculate,
	}
	for _, u := range unaryOps {
		list[u.op] = (*importer).unaryConstant
	}
	return list
}

func (im *importer) constant(n *node) (*constant, error) {
	if len(n.outputs) != 1 || len(n.attrs) != 1 {
		return nil, im.bad(n, "has %d attributes and %d outputs, want one of each", len(n.attrs), len(n.outputs))
	}
	a := &n.attrs[0]
	switch {
	case a.name == "value" && a.t != nil:
		return im.load(n, a.t)
	case a.name == "value_float":
		return &constant{floats: []float32{a.f}}, nil
	case a.name == "value_floats":
		return &constant{dims: []int64{int64(len(a.floats))}, floats: a.floats}, nil
	case a.name == "value_int":
		return &constant{whole: true, ints: []int64{a.i}}, nil
	case a.name == "value_ints":
		return &constant{dims: []int64{int64(len(a.ints))}, whole: true, ints: a.ints}, nil
	}
	return nil, im.bad(n, "has %s, want a tensor or numbers as its value", quote(a.name))
}

func (im *importer) shape(n *node) (*constant, error) {
	v, err := im.get(n, 0)
	if err != nil {
		return nil, err
	}
	list := dims(v.axes)
	if v.constant() {
		k, err := im.known(n, 0)
		if err != nil {
			return nil, err
		}
		list = k.dims
	}
	rank := int64(len(list))
	clamp := func(i int64) int64 {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	first, end := clamp(n.number("start", 0)), clamp(n.number("end", rank))
	list = slices.Clone(list[first:max(first, end)])
	return &constant{dims: []int64{int64(len(list))}, whole: true, ints: list}, nil
}

func (im *importer) castConstant(n *node, in []*constant) (*constant, error) {
	var whole bool
	switch to := dataType(n.number("to", 0)); to {
	case typeFloat, typeFloat16, typeBFloat16, typeDouble:
	case typeInt64, typeInt32, typeBool:
		whole = true
	default:
		return nil, im.bad(n, "makes %v of a constant, want float32, int64 or int32", to)
	}
	if whole == in[0].whole {
		return in[0], nil
	}
	k, _, err := im.maker(n, in[0].dims, whole)
	if err != nil {
		return nil, err
	}
	for i, v := range in[0].ints {
		k.floats[i] = float32(v)
	}
	for i, v := range in[0].floats {
		if !(math.Abs(float64(v)) < 1<<62) {
			return nil, im.bad(n, "makes a whole number of %v", v)
		}
		k.ints[i] = int64(v)
	}
	return k, nil
}

func (im *importer) constantOfShape(n *node, in []*constant) (*constant, error) {
	value := &constant{floats: []float32{0}}
	if a := n.attr("value"); a != nil && a.t != nil {
		var err error
		if value, err = im.load(n, a.t); err != nil {
			return nil, err
		}
	}
	if !in[0].whole || value.n() != 1 {
		return nil, im.bad(n, "has %d values, want one and a shape", value.n())
	}
	return im.picked(n, value, in[0].ints, func(int) int { return 0 })
}

// parted splits dims into those before an axis, it, and those behind.
func parted(dims []int64, axis int) (before, size, behind int) {
	before, behind = 1, 1
	for i, d := range dims {
		switch {
		case i < axis:
			before *= int(d)
		case i == axis:
			size = int(d)
		default:
			behind *= int(d)
		}
	}
	return before, size, behind
}

func (im *importer) gatherConstant(n *node, in []*constant) (*constant, error) {
	a, ok := axis(n.number("axis", 0), len(in[0].dims))
	if len(in) != 2 || in[1] == nil || !in[1].whole || !ok {
		return nil, im.bad(n, "has axis %d of %d dims, want one of them and indices", n.number("axis", 0), len(in[0].dims))
	}
	_, size, behind := parted(in[0].dims, a)
	indices := make([]int, len(in[1].ints))
	for i, v := range in[1].ints {
		if indices[i], ok = axis(v, size); !ok {
			return nil, im.bad(n, "takes element %d of %d", v, size)
		}
	}
	dims := slices.Concat(in[0].dims[:a], in[1].dims, in[0].dims[a+1:])
	return im.picked(n, in[0], dims, func(i int) int {
		row, col := i/behind, i%behind
		return (row/len(indices)*size+indices[row%len(indices)])*behind + col
	})
}

// span is what a Slice takes of one axis.
type span struct{ first, step, n int64 }

// spans reads a Slice: of every axis of dims, what it takes.
func (im *importer) spans(n *node, dims []int64) ([]span, error) {
	list := make([]span, len(dims))
	for i, d := range dims {
		list[i] = span{0, 1, d}
	}
	var part [4][]int64 // starts, ends, axes, steps
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		var err error
		if part[i], err = im.listed(n, name, i+1, 10); err != nil {
			return nil, err
		}
	}
	starts, ends, axes, steps := part[0], part[1], part[2], part[3]
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) || len(starts) > len(dims) {
		return nil, im.bad(n, "has %d starts, %d ends, %d axes and %d steps, want as many of each", len(starts), len(ends), len(axes), len(steps))
	}
	for i := range starts {
		a, ok := i, true
		if axes != nil {
			a, ok = axis(axes[i], len(dims))
		}
		step := int64(1)
		if steps != nil {
			step = steps[i]
		}
		if !ok || step == 0 || step == math.MinInt64 {
			return nil, im.bad(n, "has axes %s and steps %s, want axes of %d and steps other than 0", few(axes), few(steps), len(dims))
		}
		d := dims[a]
		bound := func(v, lo, hi int64) int64 {
			if v < 0 {
				v += d
			}
			return min(max(v, lo), hi)
		}
		s := span{step: step}
		if step > 0 {
			s.first = bound(starts[i], 0, d)
			s.n = max(0, (bound(ends[i], 0, d)-s.first+step-1)/step)
		} else {
			s.first = bound(starts[i], 0, d-1)
			s.n = max(0, (s.first-bound(ends[i], -1, d-1)-step-1)/-step)
		}
		list[a] = s
	}
	return list, nil
}

func (im *importer) sliceConstant(n *node, in []*constant) (*constant, error) {
	list, err := im.spans(n, in[0].dims)
	if err != nil {
		return nil, err
	}
	k := in[0]
	for a, s := range list { // one axis after another
		if s == (span{0, 1, k.dims[a]}) {
			continue
		}
		_, size, behind := parted(k.dims, a)
		dims := slices.Clone(k.dims)
		dims[a] = s.n
		k, err = im.picked(n, k, dims, func(i int) int {
			row, col := i/behind, i%behind
			at := int(s.first) + row%int(s.n)*int(s.step)
			return (row/int(s.n)*size+at)*behind + col
		})
		if err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (im *importer) concatConstants(n *node, in []*constant) (*constant, error) {
	a, ok := axis(n.number("axis", 0), len(in[0].dims))
	if !ok {
		return nil, im.bad(n, "has axis %d of %d dims", n.number("axis", 0), len(in[0].dims))
	}
	dims := slices.Clone(in[0].dims)
	dims[a] = 0
	for _, k := range in {
		if k == nil || k.whole != in[0].whole || len(k.dims) != len(dims) {
			return nil, im.bad(n, "joins constants of different kinds")
		}
		dims[a] += k.dims[a]
		for i, d := range k.dims {
			if i != a && d != dims[i] {
				return nil, im.bad(n, "joins %v and %v along axis %d", in[0].dims, k.dims, a)
			}
		}
	}
	out, _, err := im.maker(n, dims, in[0].whole)
	if err != nil {
		return nil, err
	}
	before, _, behind := parted(dims, a)
	at := 0
	for row := range before {
		for _, k := range in {
			part := int(k.dims[a]) * behind
			if k.whole {
				at += copy(out.ints[at:], k.ints[row*part:][:part])
			} else {
				at += copy(out.floats[at:], k.floats[row*part:][:part])
			}
		}
	}
	return out, nil
}

// seen is the same constant with other dims.
func (k *constant) seen(dims []int64) *constant {
	return &constant{dims, k.whole, k.ints, k.floats}
}

func (im *importer) reshapeConstant(n *node, in []*constant) (*constant, error) {
	if len(in) != 2 || in[1] == nil || !in[1].whole || len(in[1].ints) > maxRank {
		return nil, im.bad(n, "has no shape of at most %d dims", maxRank)
	}
	dims := slices.Clone(in[1].ints)
	have, open := int64(in[0].n()), -1
	known := int64(1)
	for i, d := range dims {
		if d == 0 && i < len(in[0].dims) {
			d = in[0].dims[i]
		}
		dims[i] = d
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 0 || d > 0 && known > have/d:
			return nil, im.bad(n, "makes %s of %d values", few(in[1].ints), have)
		default:
			known *= d
		}
	}
	if open >= 0 && known > 0 && have%known == 0 {
		dims[open], known = have/known, have
	}
	if known != have {
		return nil, im.bad(n, "makes %s of %d values", few(in[1].ints), have)
	}
	return in[0].seen(dims), nil
}

func (im *importer) squeezeConstant(n *node, in []*constant) (*constant, error) {
	keep, err := im.squeezed(n, in[0].dims)
	if err != nil {
		return nil, err
	}
	dims := []int64{}
	for _, i := range keep {
		dims = append(dims, in[0].dims[i])
	}
	return in[0].seen(dims), nil
}

func (im *importer) unsqueezeConstant(n *node, in []*constant) (*constant, error) {
	places, err := im.inserted(n, len(in[0].dims))
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(in[0].dims)
	for _, i := range places {
		dims = slices.Insert(dims, i, 1)
	}
	return in[0].seen(dims), nil
}

// strides of a tensor of the given dims, rows first.
func strides(dims []int64) []int {
	list := make([]int, len(dims))
	step := 1
	for i := len(dims) - 1; i >= 0; i-- {
		list[i] = step
		step *= int(dims[i])
	}
	return list
}

func (im *importer) transposeConstant(n *node, in []*constant) (*constant, error) {
	perm, err := n.perm(len(in[0].dims))
	if err != nil {
		return nil, im.bad(n, "%v", err)
	}
	dims, from := make([]int64, len(perm)), strides(in[0].dims)
	for i, p := range perm {
		dims[i] = in[0].dims[p]
	}
	to := strides(dims)
	return im.picked(n, in[0], dims, func(i int) int {
		at := 0
		for a, p := range perm {
			at += i / to[a] % int(dims[a]) * from[p]
		}
		return at
	})
}
