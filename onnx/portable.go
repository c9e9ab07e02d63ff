package onnx

import (
	"fmt"
	"slices"

	"evosr/network"
)

// The portable form repeats the picture's edge by two multiplications. The
// picture is taken as a matrix of all rows of all colors,
//
//	(colors*height, width) x columns (width, width+2r) -> wider rows
//	rows (colors*(height+2r), colors*height) x that    -> more rows
//
// and both matrices hold a single one in each column or row, so that every sum
// has one term that is not zero: the result is exact.

// reachPortable is how often an edge is repeated at most: for 5x5 filters.
const reachPortable = 2

// edgeColumns is the matrix that repeats both ends of rows of n pixels r times.
func edgeColumns(n, r int) []float32 {
	m := make([]float32, n*(n+2*r))
	for x := range n + 2*r {
		m[min(max(x-r, 0), n-1)*(n+2*r)+x] = 1
	}
	return m
}

// edgeRows is the matrix that repeats the first and last row of each of colors
// planes of n rows r times.
func edgeRows(n, r, colors int) []float32 {
	m := make([]float32, colors*(n+2*r)*colors*n)
	for c := range colors {
		for y := range n + 2*r {
			m[(c*(n+2*r)+y)*colors*n+c*n+min(max(y-r, 0), n-1)] = 1
		}
	}
	return m
}

func (b *builder) portableEdge(name, src, dst string, planes, r int) {
	c, h, w := planes, b.height, b.width
	columns := b.constant(floatTensor(name+"/columns", edgeColumns(w, r), int64(w), int64(w+2*r)))
	rows := b.constant(floatTensor(name+"/rows", edgeRows(h, r, c), int64(c*(h+2*r)), int64(c*h)))
	flat, wide, tall := fresh(b.valueNames, name+"/flat"), fresh(b.valueNames, name+"/wide"), fresh(b.valueNames, name+"/tall")
	b.reshape(name+"/flatten", src, flat, int64(c*h), int64(w))
	b.add(name+"/widen", "MatMul", []string{flat, columns}, wide)
	b.add(name+"/heighten", "MatMul", []string{rows, wide}, tall)
	b.reshape(name, tall, dst, 1, int64(c), int64(h+2*r), int64(w+2*r))
}

// shufflePerm orders (color, cell row, cell column, height, width) as (color,
// height, cell row, width, cell column).
func shufflePerm() []int64 { return []int64{0, 3, 1, 4, 2} }

func (b *builder) portableShuffle(name, src, dst string, planes int) {
	c, s, h, w := int64(planes), int64(b.net.Scale), int64(b.height), int64(b.width)
	cells, moved := fresh(b.valueNames, name+"/cells"), fresh(b.valueNames, name+"/moved")
	b.reshape(name+"/split", src, cells, c, s, s, h, w)
	b.add(name+"/move", "Transpose", []string{cells}, moved, intsAttr("perm", shufflePerm()...))
	b.reshape(name, moved, dst, 1, c, h*s, w*s)
}

func (b *builder) reshape(name, src, dst string, dims ...int64) {
	b.add(name, "Reshape", []string{src, b.constant(intTensor(name+"/shape", dims...))}, dst)
}

// Reading the portable form back: each step knows which value of this chain it
// was given.

func (r *recogniser) reshape(n *node, v traced) (traced, error) {
	dims, err := r.ints(n, 1)
	if err != nil {
		return traced{}, err
	}
	c, h, w := int64(r.colors), r.height, r.width
	if h < 1 || w < 1 {
		return traced{}, r.bad(n, "needs an input of fixed height and width")
	}
	s := int64(0)
	if v.kind == layerValue {
		s = r.scaleOf(v.layer)
	}
	e := 2 * int64(v.reach)
	switch {
	case v.kind == pictureValue && v.reach == 0 && slices.Equal(dims, []int64{c * h, w}):
		return traced{kind: flatValue, sole: true}, nil
	case v.kind == tallValue && slices.Equal(dims, []int64{1, c, h + e, w + e}):
		return traced{kind: pictureValue, reach: v.reach, sole: true}, nil
	case v.kind == layerValue && s > 0 && slices.Equal(dims, []int64{c, s, s, h, w}):
		v.kind = cellsValue
		return v, nil
	case v.kind == movedValue && slices.Equal(dims, []int64{1, c, h * r.scale, w * r.scale}):
		v.kind = shuffledValue
		return v, nil
	}
	return traced{}, r.bad(n, fmt.Sprintf("to %v fits neither the edge of the picture nor the pixel shuffle", dims))
}

func (r *recogniser) transpose(n *node, v traced) (traced, error) {
	perm := n.attr("perm")
	if v.kind != cellsValue || perm == nil || !slices.Equal(perm.ints, shufflePerm()) {
		return traced{}, r.bad(n, "is not that of a pixel shuffle")
	}
	r.scale = r.scaleOf(v.layer)
	v.kind = movedValue
	return v, nil
}

// matmul reads the two products of portableEdge.
func (r *recogniser) matmul(n *node) (traced, error) {
	side := 1 // which input is the constant
	if len(n.inputs) == 2 && r.constants[n.inputs[0]] != nil {
		side = 0
	}
	v, err := r.read(n, 1-side)
	if err != nil {
		return traced{}, err
	}
	m, err := r.floats(n, side)
	if err != nil {
		return traced{}, err
	}
	dims := r.constants[n.inputs[side]].dims
	c, h, w := r.colors, int(r.height), int(r.width)
	for reach := 1; reach <= reachPortable; reach++ {
		// The dims first: they bound what the comparison makes.
		switch {
		case v.kind == flatValue && side == 1 &&
			slices.Equal(dims, []int64{int64(w), int64(w + 2*reach)}) && slices.Equal(m, edgeColumns(w, reach)):
			return traced{kind: wideValue, reach: reach, sole: true}, nil
		case v.kind == wideValue && side == 0 && v.reach == reach &&
			slices.Equal(dims, []int64{int64(c * (h + 2*reach)), int64(c * h)}) && slices.Equal(m, edgeRows(h, reach, c)):
			return traced{kind: tallValue, reach: reach, sole: true}, nil
		}
	}
	return traced{}, r.bad(n, "repeats no edge of the picture")
}

// matmul takes the products of the portable form for the graphs of Graph: a
// matrix of all rows of all planes times one that repeats both ends of each, or
// one that repeats first and last rows times that.
func (im *importer) matmul(n *node) (value, error) {
	a, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	side := 1 // which input is the constant
	if a.constant() {
		side = 0
	}
	v, err := im.get(n, 1-side)
	if err != nil {
		return value{}, err
	}
	k, err := im.floats(n, side)
	if err != nil {
		return value{}, err
	}
	e := im.extent(v.node)
	axes := e.axes()
	if v.constant() || len(v.axes) != 2 || !slices.Equal(merged(v.axes[0]), merged(slices.Concat(axes[1], axes[2]))) || !slices.Equal(merged(v.axes[1]), merged(axes[3])) {
		return value{}, im.bad(n, "multiplies no matrix of a picture's rows")
	}
	c, h, w := int(e.c), int(e.h), int(e.w)
	for reach := 1; reach <= reachPortable; reach++ {
		p := network.Node{Op: network.OpPad, Inputs: []int{v.node}, Border: network.Edge}
		out := e
		// The dims first: they bound what the comparison makes.
		switch {
		case side == 1 && slices.Equal(k.dims, []int64{int64(w), int64(w + 2*reach)}) && slices.Equal(k.floats, edgeColumns(w, reach)):
			p.Pad = [4]int{0, 0, reach, reach}
			out.w += 2 * int64(reach)
		case side == 0 && slices.Equal(k.dims, []int64{int64(c * (h + 2*reach)), int64(c * h)}) && slices.Equal(k.floats, edgeRows(h, reach, c)):
			p.Pad = [4]int{reach, reach, 0, 0}
			out.h += 2 * int64(reach)
		default:
			continue
		}
		made, err := im.append(n, p, out)
		axes := out.axes()
		made.axes = [][]digit{slices.Concat(axes[1], axes[2]), axes[3]}
		return made, err
	}
	return value{}, im.bad(n, "repeats no edge of the picture")
}
