package onnx

import (
	"errors"
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

// ErrPortable says that a network has what the portable form has no words for.
var ErrPortable = errors.New("portable form")

// portable tells the first node of a graph that the portable form cannot say. All
// nodes that it can say keep the picture's size, but for the shuffle at the end.
func portable(g *network.Graph) error {
	channels := g.Channels()
	of := func(j int) int {
		if j == network.Picture {
			return g.Colors
		}
		return channels[j]
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		stride, groups := n.Inside()
		r := n.Kernel / 2
		var ok bool
		switch n.Op {
		case network.OpConv:
			fits := n.Kernel%2 == 1 && r <= reachPortable && n.Pad == [4]int{r, r, r, r}
			ok = fits && stride == 1 && groups == 1 && (r == 0 || (n.Border == network.Edge) == (n.Inputs[0] == network.Picture))
		case network.OpAdd:
			ok = of(n.Inputs[0]) == of(n.Inputs[1])
		case network.OpActivate:
			ok = n.Act == network.ActReLU || n.Act == network.ActPReLU || n.Act == network.ActSiLU
		case network.OpShuffle:
			ok = i == len(g.Nodes)-1 && !n.DCR
		}
		if !ok {
			return fmt.Errorf("%w: node %q (%v), want convolutions of 1x1, 3x3 or 5x5 that keep the size, with the edge repeated around the picture"+
				" and zeros inside, sums, ReLU, PReLU, SiLU and a pixel shuffle at the end", ErrPortable, n.Name, n.Op)
		}
	}
	return nil
}

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
	b.reshape(fresh(b.nodeNames, name+"/flatten"), src, flat, int64(c*h), int64(w))
	b.add(name+"/widen", "MatMul", []string{flat, columns}, wide)
	b.add(name+"/heighten", "MatMul", []string{rows, wide}, tall)
	b.reshape(fresh(b.nodeNames, name), tall, dst, 1, int64(c), int64(h+2*r), int64(w+2*r))
}

// portableShuffle orders (plane, cell row, cell column, height, width) as (plane,
// height, cell row, width, cell column).
func (b *builder) portableShuffle(name, src, dst string, planes, factor int) {
	c, s, h, w := int64(planes), int64(factor), int64(b.height), int64(b.width)
	cells, moved := fresh(b.valueNames, name+"/cells"), fresh(b.valueNames, name+"/moved")
	b.reshape(fresh(b.nodeNames, name+"/split"), src, cells, c, s, s, h, w)
	b.add(name+"/move", "Transpose", []string{cells}, moved, intsAttr("perm", 0, 3, 1, 4, 2))
	b.reshape(name, moved, dst, 1, c, h*s, w*s)
}

// portablePRelu is Relu(x) less slope times Relu(-x), of which one term is zero, so
// that the result is exact: onnx-go knows no PRelu.
func (b *builder) portablePRelu(i int, src string) {
	slope := b.list(i, "slope", b.g.Nodes[i].Slope)
	negative := b.step(i, "negative", "Relu", []string{b.step(i, "negated", "Neg", []string{src})})
	positive := b.step(i, "positive", "Relu", []string{src})
	b.last(i, "Sub", []string{positive, b.step(i, "sloped", "Mul", []string{negative, slope})})
}

// reshape appends a Reshape whose name is reserved for it.
func (b *builder) reshape(name, src, dst string, dims ...int64) {
	b.put(name, "Reshape", []string{src, b.constant(intTensor(name+"/shape", dims...))}, dst)
}

// matmul reads the products of portableEdge: a matrix of all rows of all planes
// times one that repeats both ends of each, or one that repeats first and last rows
// times that.
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
