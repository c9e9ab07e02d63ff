package onnx

import (
	"fmt"
	"slices"

	"evosr/network"
)

// A tensor that a node computes has three parts: channels, rows and columns.
// Reshape and Transpose split, merge and move their digits without touching a
// value: channel 4*a + 2*b + c is three digits of one part. What they make of
// it is followed in these digits, and once another operator reads the result it
// must again be channels, rows and columns, or the pixel shuffle of them.

// digit is one digit of an index: of part p, worth stride, with n values.
type digit struct {
	p         int // 0 channels, 1 rows, 2 columns
	stride, n int64
}

// axes lays a tensor out as (1, channels, rows, columns).
func (e extent) axes() [][]digit {
	return [][]digit{{}, {{0, 1, e.c}}, {{1, 1, e.h}}, {{2, 1, e.w}}}
}

// dims gives the sizes of axes.
func dims(axes [][]digit) []int64 {
	list := make([]int64, len(axes))
	for i, a := range axes {
		list[i] = 1
		for _, d := range a {
			list[i] *= d.n
		}
	}
	return list
}

// merged joins neighbouring digits that count on from each other and leaves out
// those of one value.
func merged(a []digit) []digit {
	var out []digit
	for _, d := range a {
		if d.n == 1 {
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].p == d.p && out[k].stride == d.stride*d.n {
			out[k] = digit{d.p, d.stride, d.n * out[k].n}
			continue
		}
		out = append(out, d)
	}
	return out
}

// settle gives the node whose output v is, (1, channels, rows, columns); where v
// is the pixel shuffle of a node, it appends that.
func (im *importer) settle(n *node, v value) (int, error) {
	bad := func() (int, error) {
		return 0, im.bad(n, "reads %s values in an order that is neither (1, channels, height, width) nor a pixel shuffle of that", im.words(dims(v.axes)))
	}
	if len(v.axes) != 4 || len(merged(v.axes[0])) != 0 {
		return bad()
	}
	e := im.extent(v.node)
	same := true
	var got [3][]digit
	for p, want := range e.axes()[1:] {
		got[p] = merged(v.axes[1+p])
		same = same && slices.Equal(got[p], merged(want))
	}
	if same {
		return v.node, nil
	}
	// Rows and columns each end in a digit of the channels.
	if len(got[1]) != 2 || len(got[2]) != 2 || len(got[0]) > 1 ||
		got[1][0] != (digit{1, 1, e.h}) || got[2][0] != (digit{2, 1, e.w}) {
		return bad()
	}
	i, j := got[1][1], got[2][1]
	rest := digit{0, 0, 1}
	if len(got[0]) == 1 {
		rest = got[0][0]
	}
	if i.p != 0 || j.p != 0 || rest.p != 0 || i.n != j.n || i.n > network.MaxScale {
		return bad()
	}
	s := i.n
	shuffle := network.Node{Op: network.OpShuffle, Inputs: []int{v.node}, Factor: int(s)}
	switch {
	case i.stride == s && j.stride == 1 && (rest.n == 1 || rest.stride == s*s):
	case i.stride == s*rest.n && j.stride == rest.n && rest.stride == 1:
		shuffle.DCR = true
	default:
		return bad()
	}
	w, err := im.append(n, shuffle, extent{rest.n, e.h * s, e.w * s})
	return w.node, err
}

// reshaped lays digits out anew. A dim of 0 copies that of the input, one of -1
// takes what is left.
func (im *importer) reshaped(axes [][]digit, want []int64) ([][]digit, error) {
	have := dims(axes)
	total := int64(1)
	for _, n := range have {
		total *= n
	}
	want = slices.Clone(want)
	left, open := total, -1
	for i, n := range want {
		if n == 0 && i < len(have) {
			n = have[i]
			want[i] = n
		}
		switch {
		case n == -1 && open < 0:
			open = i
		case n < 1 || left%n != 0:
			return nil, fmt.Errorf("does not fit %s values into %s", im.words(have), im.words(want))
		default:
			left /= n
		}
	}
	if open >= 0 {
		want[open] = left
	} else if left != 1 {
		return nil, fmt.Errorf("does not fit %s values into %s", im.words(have), im.words(want))
	}
	var flat []digit
	for _, a := range axes {
		flat = append(flat, merged(a)...)
	}
	out := make([][]digit, len(want))
	for i, need := range want {
		for need > 1 {
			d := flat[0] // there, because the products are equal
			switch {
			case need%d.n == 0:
				out[i], flat = append(out[i], d), flat[1:]
				need /= d.n
			case d.n%need == 0:
				rest := d.n / need
				out[i] = append(out[i], digit{d.p, d.stride * rest, need})
				flat[0] = digit{d.p, d.stride, rest}
				need = 1
			default:
				return nil, fmt.Errorf("cuts %s values to %s, across rows or columns", im.words(have), im.words(want))
			}
		}
	}
	return out, nil
}

func (im *importer) reshape(n *node) (value, error) {
	v, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	want, err := im.ints(n, 1)
	if err != nil {
		return value{}, err
	}
	if len(want) > maxRank || n.number("allowzero", 0) != 0 && slices.Contains(want, 0) {
		return value{}, im.bad(n, "to %s, want at most %d dims, none of them 0", few(want), maxRank)
	}
	if v.axes, err = im.reshaped(v.axes, want); err != nil {
		return value{}, im.bad(n, "%v", err)
	}
	return v, nil
}

func (im *importer) transpose(n *node) (value, error) {
	v, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	perm, err := n.perm(len(v.axes))
	if err != nil {
		return value{}, im.bad(n, "%v", err)
	}
	axes := make([][]digit, len(perm))
	for i, p := range perm {
		axes[i] = v.axes[p]
	}
	v.axes = axes
	return v, nil
}

// perm reads the permutation of a Transpose, which is reversed by default.
func (n *node) perm(rank int) ([]int64, error) {
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(rank - 1 - i)
	}
	a := n.attr("perm")
	if a == nil {
		return perm, nil
	}
	sorted := slices.Sorted(slices.Values(a.ints))
	slices.Reverse(perm)
	if !slices.Equal(sorted, perm) {
		return nil, fmt.Errorf("has perm %s, want an order of %d axes", few(a.ints), rank)
	}
	return a.ints, nil
}

func (im *importer) squeeze(n *node) (value, error) {
	v, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	keep, err := im.squeezed(n, dims(v.axes))
	if err != nil {
		return value{}, err
	}
	var axes [][]digit
	for _, i := range keep {
		axes = append(axes, v.axes[i])
	}
	v.axes = axes
	return v, nil
}

// squeezed lists the axes that a Squeeze leaves of a tensor.
func (im *importer) squeezed(n *node, dims []int64) (keep []int, err error) {
	list, err := im.listed(n, "axes", 1, 13)
	if err != nil {
		return nil, err
	}
	drop := make([]bool, len(dims))
	for i, d := range dims {
		drop[i] = list == nil && d == 1
	}
	for _, a := range list {
		i, ok := axis(a, len(dims))
		if !ok || dims[i] != 1 {
			return nil, im.bad(n, "takes axis %d out of %s, want one of size 1", a, im.words(dims))
		}
		drop[i] = true
	}
	for i, out := range drop {
		if !out {
			keep = append(keep, i)
		}
	}
	return keep, nil
}

func (im *importer) unsqueeze(n *node) (value, error) {
	v, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	places, err := im.inserted(n, len(v.axes))
	if err != nil {
		return value{}, err
	}
	axes := slices.Clone(v.axes)
	for _, i := range places {
		axes = slices.Insert(axes, i, []digit(nil))
	}
	v.axes = axes
	return v, nil
}

// inserted gives the places of an Unsqueeze's new axes in the result, in order.
func (im *importer) inserted(n *node, rank int) (places []int, err error) {
	list, err := im.listed(n, "axes", 1, 13)
	if err != nil {
		return nil, err
	}
	rank += len(list)
	for _, a := range list {
		i, ok := axis(a, rank)
		if !ok || slices.Contains(places, i) || rank > maxRank {
			return nil, im.bad(n, "inserts axes %s, want different ones below %d", few(list), rank)
		}
		places = append(places, i)
	}
	slices.Sort(places)
	return places, nil
}
