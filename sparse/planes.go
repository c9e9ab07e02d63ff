package sparse

import (
	"math"
	"slices"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
)

// Networks whose layers differ in size, or need more of a picture than some
// rows around, run one layer after the other over whole planes. Workers share
// the rows of a layer; the next layer begins when all of them are done. Outputs
// share memory when they do not live at the same time.

// plane is the output of one layer over whole planes.
type plane struct {
	border int // of zeros: what convolutions that read it need
	arena  int // index into plan.arenas
	chunk  int // rows that a worker takes at a time
}

// layPlanes finds the borders of all outputs and the memory that they share.
func (p *plan) layPlanes(c *compiled) {
	net := c.net
	last := make([]int, len(net.layers)) // the last reader of each output
	for i := range net.layers {
		s := &p.layers[i]
		s.plane.chunk = tileRows(c.info, max(1, min(32, s.h/(4*c.threads))), p.h)
		if op := placed[net.layers[i].op]; op != nil && op.whole {
			s.plane.chunk = s.h
		}
		for _, r := range net.layers[i].reads {
			if r.layer >= 0 {
				last[r.layer] = i
				p.layers[r.layer].plane.border = max(p.layers[r.layer].plane.border, r.reach)
			}
		}
	}
	last[len(last)-1] = len(last)
	var owner []int // the output that holds each arena
	for i := range net.layers {
		s := &p.layers[i].plane
		need := planeFloats(net.layers[i].out, p.layers[i].h, p.layers[i].w, s.border)
		s.arena = -1
		for a, was := range owner {
			free := last[was] < i
			if free && (s.arena < 0 || fit(int(p.arenas[a]), int(need)) < fit(int(p.arenas[s.arena]), int(need))) {
				s.arena = a
			}
		}
		if s.arena < 0 {
			s.arena = len(owner)
			owner, p.arenas = append(owner, i), append(p.arenas, 0)
		}
		owner[s.arena], p.arenas[s.arena] = i, max(p.arenas[s.arena], need)
	}
}

// planeFloats bounds kernel.Layout's size without overflow.
func planeFloats(channels, h, w, border int) int64 {
	row := int64(w+border+kernel.Lanes-1) / kernel.Lanes * kernel.Lanes
	plane := int64(h+border)*row + kernel.Lanes
	return int64(channels)*plane + int64(2*border+2)*row + int64(border) + 9*kernel.Lanes
}

// sizeOf is the width and height of a layer's output or of the picture.
func (p *plan) sizeOf(layer int) [2]int {
	if layer < 0 {
		return [2]int{p.w, p.h}
	}
	return [2]int{p.layers[layer].w, p.layers[layer].h}
}

// placePlanes makes the outputs over shared memory.
func (f *frame) placePlanes(net *lowered, outs []kernel.Tensor) {
	p := f.plan
	arenas := make([][]float32, len(p.arenas))
	for i, floats := range p.arenas {
		arenas[i] = kernel.Aligned(int(floats))
	}
	for i := range net.layers {
		s := &p.layers[i]
		outs[i].Place(arenas[s.plane.arena], net.layers[i].out, s.h, s.w, s.plane.border)
	}
}

// workPlanes runs all layers, rows shared with the other workers.
func (f *frame) workPlanes(c *compiled, me *worker, timed bool) {
	for i := range c.net.layers {
		start := time.Time{}
		if timed {
			start = time.Now()
		}
		s := &f.plan.layers[i]
		for {
			y0 := int(f.next[i].Add(int32(s.plane.chunk))) - s.plane.chunk
			if y0 >= s.h {
				break
			}
			y1 := min(y0+s.plane.chunk, s.h)
			f.rowsOf(c, me, i, y0, y1)
			if i == len(c.net.layers)-1 {
				f.shuffle(c, me, y0, y1)
			} else {
				clearAround(&me.out[i], y0, y1)
			}
			f.done[i].Add(int32(y1 - y0))
		}
		if timed {
			me.busy[i] += time.Since(start)
		}
		if !f.awaitCount(me, &f.done[i], int32(s.h)) {
			return
		}
	}
}

// clearAround makes the border beside rows [y0, y1) zero, and that above and
// below where they are the first or last: the memory held other outputs.
func clearAround(t *kernel.Tensor, y0, y1 int) {
	if t.Border == 0 {
		return
	}
	for c := range t.C {
		base := t.Origin + c*t.Plane
		if y0 == 0 {
			clear(t.Data[base-t.Border*t.Row-t.Border : base])
		}
		for y := y0; y < y1; y++ {
			clear(t.Data[base+y*t.Row+t.W : base+(y+1)*t.Row])
		}
		if y1 == t.H {
			clear(t.Data[base+t.H*t.Row : base+(t.H+t.Border)*t.Row])
		}
	}
}

// rowsOf computes rows [y0, y1) of layer i, which me.dst are then.
func (f *frame) rowsOf(c *compiled, me *worker, i, y0, y1 int) {
	l := &c.net.layers[i]
	me.dst = me.out[i]
	me.dst.Origin += y0 * me.dst.Row
	me.dst.H = y1 - y0
	f.whole(&me.src, me, &l.reads[0])
	switch {
	case l.op == network.OpConv:
		if len(l.reads) > 1 {
			f.whole(&me.add, me, &l.reads[1])
		}
		f.convolveRows(c, me, i, y0)
	case l.op == network.OpConcat:
		first := 0
		for j := range l.reads {
			f.whole(&me.src, me, &l.reads[j])
			me.src.Origin += y0 * me.src.Row
			me.copyRows(first)
			first += me.src.C
		}
	case placed[l.op] != nil:
		placed[l.op].rows(me, c.set, l.node, y0, f.plan.layers[i].h)
	default:
		me.src.Origin += y0 * me.src.Row
		if len(l.reads) > 1 {
			f.whole(&me.add, me, &l.reads[1])
			me.add.Origin += y0 * me.add.Row
		}
		me.combine(c.set, l)
	}
	me.activate(c.set, l)
}

// placedOp is an operation that reads by rows and columns of its whole source: a
// row of the table.
type placedOp struct {
	// rows computes rows of me.dst, the first of which is row y0 of height rows in
	// all, from me.src, whose origin is its row 0.
	rows func(me *worker, set *kernel.Set, n *network.Node, y0, height int)

	// level is the output's by those of the inputs (see levels.go), 0 where it
	// cannot run in bands; nil: it never can.
	level func(n *network.Node, of func(k int) int) int

	whole bool // one worker computes all of it, from all of its source
	spare bool // it needs four rows of its source's width or its own
}

var placed = map[network.Op]*placedOp{
	network.OpShuffle: {rows: func(me *worker, set *kernel.Set, n *network.Node, y0, _ int) { me.shuffleRows(set, n, y0) }},
	network.OpPad:     {rows: func(me *worker, _ *kernel.Set, n *network.Node, y0, _ int) { me.padRows(n, y0) }},
	network.OpDeconv:  {rows: func(me *worker, _ *kernel.Set, n *network.Node, y0, _ int) { me.spreadRows(n, y0) }},
	network.OpMaxPool: {rows: func(me *worker, _ *kernel.Set, n *network.Node, y0, _ int) { me.poolRows(n, y0) }, level: lowerLevel},
	network.OpAvgPool: {rows: func(me *worker, set *kernel.Set, n *network.Node, y0, _ int) { me.averageRows(set, n, y0) }, level: lowerLevel, spare: true},
	network.OpMean:    {rows: func(me *worker, _ *kernel.Set, _ *network.Node, _, _ int) { me.overall(mean) }, whole: true},
	network.OpPeak:    {rows: func(me *worker, _ *kernel.Set, _ *network.Node, _, _ int) { me.overall(peak) }, whole: true},
	network.OpResize:  {rows: (*worker).resizeRows, level: raiseLevel, spare: true},
}

// whole makes t the channels that r reads.
func (f *frame) whole(t *kernel.Tensor, me *worker, r *read) {
	if *t = f.pictures[pictureOf(r.layer)]; r.layer >= 0 {
		*t = me.out[r.layer]
	}
	t.Origin += r.first * t.Plane
	t.C = r.channels
}

// convolveRows computes rows of a convolution from row y0 on, of me.src, whose
// origin is its row 0, and me.add. The source is moved so that the filter's
// centre lies where the padding puts it.
func (f *frame) convolveRows(c *compiled, me *worker, i, y0 int) {
	l := &c.net.layers[i]
	stride, up, left := 1, l.kernel/2, l.kernel/2
	if l.node != nil {
		stride, _ = l.node.Inside()
		up, left = l.node.Pad[0], l.node.Pad[2]
	}
	s := &f.plan.layers[i]
	me.src.Origin += (y0*stride+l.kernel/2-up)*me.src.Row + l.kernel/2 - left
	if stride == 1 {
		me.src.H, me.src.W = me.dst.H, me.dst.W
		if len(l.reads) > 1 {
			me.add.Origin += y0 * me.add.Row
			me.add.H = me.dst.H
		}
		me.convolve(c.set, l, s, y0%kernel.TileRows)
		return
	}
	// Rows are skipped; between columns everything is computed and thrown away,
	// which full vectors make up for.
	me.epilogue = l.fuse()
	me.strided.Place(me.spare, l.out, 1, (me.dst.W-1)*stride+1, 0)
	me.src.H, me.src.W = 1, me.strided.W
	for y := range me.dst.H {
		c.set.Conv(&me.strided, &me.src, s.blocks, &me.epilogue, 0, 1)
		me.src.Origin += stride * me.src.Row
		for o := range l.out {
			from, to := me.strided.At(o, 0), me.dst.At(o, y)
			for x := range to {
				to[x] = from[x*stride]
			}
		}
	}
}

// shuffleRows is OpShuffle.
func (me *worker) shuffleRows(set *kernel.Set, n *network.Node, y0 int) {
	f := n.Factor
	step, perColor := 1, f*f
	if n.DCR {
		step, perColor = me.dst.C, 1
	}
	for c := range me.dst.C {
		for y := range me.dst.H {
			dst := me.dst.At(c, y)
			first := c*perColor + (y0+y)%f*f*step
			if f == 1 {
				copy(dst, me.src.At(first, y0+y))
				continue
			}
			if f <= 4 {
				for j := range f {
					me.rows[j] = me.src.At(first+j*step, (y0+y)/f)
				}
				set.Shuffle(dst, me.rows, f)
				continue
			}
			for j := range f {
				for x, v := range me.src.At(first+j*step, (y0+y)/f) {
					dst[x*f+j] = v
				}
			}
		}
	}
}

// resizeRows is OpResize: rows of the source are widened, each once, and summed.
func (me *worker) resizeRows(set *kernel.Set, n *network.Node, y0, height int) {
	me.columns(n)
	var taps [4]network.Tap
	for c := range me.dst.C {
		held := [4]int{-1, -1, -1, -1} // the source's row that each part of spare is widened from
		for y := range me.dst.H {
			dst := me.dst.At(c, y)
			clear(dst)
			for _, r := range n.AppendTaps(taps[:0], y0+y, me.src.H, height) {
				wide := me.spare[r.At%len(held)*len(dst):][:len(dst)]
				if held[r.At%len(held)] != r.At {
					held[r.At%len(held)] = r.At
					me.widen(wide, me.src.At(c, r.At))
				}
				set.Axpy(dst, float32(r.Weight), wide)
			}
		}
	}
}

// columns lists what every column of a resized output is made of. The last list is
// kept.
func (me *worker) columns(n *network.Node) {
	if me.columnsOf == n && me.columnsFor == [2]int{me.src.W, me.dst.W} {
		return
	}
	me.columnsOf, me.columnsFor = n, [2]int{me.src.W, me.dst.W}
	me.columnsAt, me.columnsBy = me.columnsAt[:0], me.columnsBy[:0]
	var taps [4]network.Tap
	for x := range me.dst.W {
		for _, t := range n.AppendTaps(taps[:0], x, me.src.W, me.dst.W) {
			me.columnsAt, me.columnsBy = append(me.columnsAt, int32(t.At)), append(me.columnsBy, float32(t.Weight))
		}
	}
}

// widen interpolates a row by the list of columns.
func (me *worker) widen(dst, src []float32) {
	at, by := me.columnsAt, me.columnsBy
	switch len(at) / len(dst) {
	case 1: // nearest
		for x := range dst {
			dst[x] = src[at[x]]
		}
	case 2: // linear
		for x := range dst {
			i := 2 * x
			dst[x] = by[i]*src[at[i]] + by[i+1]*src[at[i+1]]
		}
	default: // cubic
		for x := range dst {
			i := 4 * x
			dst[x] = by[i]*src[at[i]] + by[i+1]*src[at[i+1]] + by[i+2]*src[at[i+2]] + by[i+3]*src[at[i+3]]
		}
	}
}

// padRows is OpPad.
func (me *worker) padRows(n *network.Node, y0 int) {
	w, h := me.src.W, me.src.H
	inside := func(i, size int) int {
		switch {
		case n.Border == network.Edge:
			return min(max(i, 0), size-1)
		case n.Border == network.Reflect && i < 0:
			return -i
		case n.Border == network.Reflect && i >= size:
			return 2*(size-1) - i
		case i < 0 || i >= size:
			return -1
		}
		return i
	}
	for c := range me.dst.C {
		for y := range me.dst.H {
			dst := me.dst.At(c, y)
			from := inside(y0+y-n.Pad[0], h)
			if from < 0 {
				for x := range dst {
					dst[x] = n.Value
				}
				continue
			}
			src := me.src.At(c, from)
			copy(dst[n.Pad[2]:], src)
			for x := range dst {
				if x >= n.Pad[2] && x < n.Pad[2]+w {
					continue
				}
				dst[x] = n.Value
				if at := inside(x-n.Pad[2], w); at >= 0 {
					dst[x] = src[at]
				}
			}
		}
	}
}

// poolRows is OpMaxPool.
func (me *worker) poolRows(n *network.Node, y0 int) {
	stride, _ := n.Inside()
	for c := range me.dst.C {
		for y := range me.dst.H {
			dst := me.dst.At(c, y)
			for x := range dst {
				dst[x] = float32(math.Inf(-1))
			}
			top := (y0+y)*stride - n.Pad[0]
			for r := max(top, 0); r < min(top+n.Kernel, me.src.H); r++ {
				src := me.src.At(c, r)
				for x := range dst {
					left := x*stride - n.Pad[2]
					for _, v := range src[max(left, 0):min(left+n.Kernel, me.src.W)] {
						dst[x] = max(dst[x], v)
					}
				}
			}
		}
	}
}

// averageRows is OpAvgPool, rows first.
func (me *worker) averageRows(set *kernel.Set, n *network.Node, y0 int) {
	stride, _ := n.Inside()
	sums := me.spare[:me.src.W]
	for y := range me.dst.H {
		top := (y0+y)*stride - n.Pad[0]
		from, to := max(top, 0), min(top+n.Kernel, me.src.H)
		for c := range me.dst.C {
			clear(sums)
			for r := from; r < to; r++ {
				set.Axpy(sums, 1, me.src.At(c, r))
			}
			dst := me.dst.At(c, y)
			for x := range dst {
				left := x*stride - n.Pad[2]
				first, last := max(left, 0), min(left+n.Kernel, me.src.W)
				var sum float32
				for _, v := range sums[first:last] {
					sum += v
				}
				count := (last - first) * (to - from)
				if n.Counted {
					count = n.Kernel * n.Kernel
				}
				dst[x] = sum / float32(count)
			}
		}
	}
}

// overall gives every value of a channel what f makes of all of the source's.
func (me *worker) overall(f func(t *kernel.Tensor, c int) float32) {
	for c := range me.dst.C {
		v := f(&me.src, c)
		for y := range me.dst.H {
			row := me.dst.At(c, y)
			for x := range row {
				row[x] = v
			}
		}
	}
}

func mean(t *kernel.Tensor, c int) float32 {
	var sum float64
	for y := range t.H {
		for _, v := range t.At(c, y) {
			sum += float64(v)
		}
	}
	return float32(sum / float64(t.H*t.W))
}

func peak(t *kernel.Tensor, c int) float32 {
	best := float32(math.Inf(-1))
	for y := range t.H {
		best = max(best, slices.Max(t.At(c, y)))
	}
	return best
}

// spreadRows is OpDeconv by definition, for those that do not enlarge by their
// stride and so are no convolution with a shuffle.
func (me *worker) spreadRows(n *network.Node, y0 int) {
	stride, groups := n.Inside()
	k, ins, outs := n.Kernel, me.src.C/groups, n.Out/groups
	for o := range n.Out {
		for y := range me.dst.H {
			dst := me.dst.At(o, y)
			for x := range dst {
				dst[x] = 0
				if n.Bias != nil {
					dst[x] = n.Bias[o]
				}
			}
			for t := range k {
				at := y0 + y + n.Pad[0] - t
				if at < 0 || at%stride != 0 || at/stride >= me.src.H {
					continue
				}
				for i := range ins {
					src := me.src.At(o/outs*ins+i, at/stride)
					weights := n.Weights[((o/outs*ins+i)*outs+o%outs)*k*k+t*k:][:k]
					for x, v := range src {
						for q, weight := range weights {
							if to := x*stride - n.Pad[2] + q; to >= 0 && to < len(dst) {
								dst[to] += weight * v
							}
						}
					}
				}
			}
		}
	}
}
