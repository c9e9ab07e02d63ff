package sparse

import (
	"slices"

	"evosr/network"
)

// dummy stands in an order for a channel that is zero and that nothing reads.
const dummy = -1

// order puts output channels that keep weights in the same places side by side
// where that makes lists cheaper: elimination takes single channels, and what is
// left of the blocks of two neighbours would else share a list that is as long as
// both. Where only 1x1 layers read 1x1 ones, a block that lacks one channel may get
// a dummy for it, which can cost less than the lists of its halves.
func (n *lowered) order(table *costs) (layers, dummies int) {
	for i, readers := range n.readers() {
		l := &n.layers[i]
		if !n.permutable(i, readers) {
			continue
		}
		pad := l.pointwise()
		for _, r := range readers {
			pad = pad && n.layers[r].pointwise()
		}
		best, order := *l, []int(nil)
		cost := table.choose(l).cost
		for _, with := range []bool{false, true} {
			if with && !pad {
				continue
			}
			to := arrange(l, with)
			if slices.IsSorted(to) { // as they are
				continue
			}
			try := *l
			try.permute(to)
			if c := table.choose(&try).cost; c < cost {
				best, order, cost = try, to, c
			}
		}
		if order == nil {
			continue
		}
		layers++
		dummies += len(order) - l.out
		for _, r := range readers {
			n.layers[r].pick(order)
		}
		*l = best
	}
	return layers, dummies
}

// permutable says whether the channels of layer i may come in any order: only
// the sums of convolutions read them.
func (n *lowered) permutable(i int, readers []int) bool {
	l := &n.layers[i]
	if l.op != network.OpConv || l.groups > 1 || l.mask == nil || len(l.reads) > 1 || len(readers) == 0 {
		return false
	}
	for _, r := range readers {
		to := &n.layers[r]
		whole := to.reads[0]
		if whole.reach = 0; to.op != network.OpConv || to.groups > 1 || whole != (read{layer: i, channels: l.out}) {
			return false
		}
		for _, other := range to.reads[1:] {
			if other.layer == i {
				return false
			}
		}
	}
	return true
}

// arrange lists l's output channels by the places of their kept weights, in
// blocks as large as agree, the largest first, so that each lies at a multiple of
// its size. With pad, blocks of four and eight that lack one channel get a dummy.
func arrange(l *layer, pad bool) (order []int) {
	cols := len(l.mask) / l.out
	group := map[string]int{}
	var groups [][]int
	for o := range l.out {
		key := string(l.mask[o*cols : (o+1)*cols])
		g, ok := group[key]
		if !ok {
			g = len(groups)
			group[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], o)
	}
	var blocks [4][]int // of 1, 2, 4 and 8
	for _, g := range groups {
		if pad && len(g)%4 == 3 {
			g = append(g, dummy)
		}
		for size := 3; size >= 0; size-- {
			for n := 1 << size; len(g) >= n; g = g[n:] {
				blocks[size] = append(blocks[size], g[:n]...)
			}
		}
	}
	return slices.Concat(blocks[3], blocks[2], blocks[1], blocks[0])
}

// permute gives l the output channels of order.
func (l *layer) permute(order []int) {
	cols := len(l.mask) / l.out
	was := *l
	l.out = len(order)
	l.weights, l.mask, l.bias = make([]float32, l.out*cols), make([]uint8, l.out*cols), make([]float32, l.out)
	if was.slope != nil {
		l.slope = make([]float32, l.out)
	}
	for to, from := range order {
		if from == dummy {
			continue
		}
		copy(l.weights[to*cols:(to+1)*cols], was.weights[from*cols:])
		copy(l.mask[to*cols:(to+1)*cols], was.mask[from*cols:])
		l.bias[to] = was.bias[from]
		if was.slope != nil {
			l.slope[to] = was.slope[from]
		}
	}
}

// pick has l read its input's channels in that order.
func (l *layer) pick(order []int) {
	taps := l.kernel * l.kernel
	was := *l
	l.in = len(order)
	l.reads = slices.Clone(l.reads)
	l.reads[0].channels = l.in
	l.weights, l.mask = make([]float32, l.out*l.in*taps), make([]uint8, l.out*l.in*taps)
	for o := range l.out {
		for to, from := range order {
			if from == dummy {
				continue
			}
			at := (o*was.in + from) * taps
			copy(l.weights[(o*l.in+to)*taps:][:taps], was.weights[at:])
			mask := l.mask[(o*l.in+to)*taps:][:taps]
			if was.mask != nil {
				copy(mask, was.mask[at:])
				continue
			}
			for t := range mask {
				mask[t] = 1
			}
		}
	}
	if !slices.Contains(l.mask, 0) {
		l.mask = nil
	}
}
