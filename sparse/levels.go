package sparse

import (
	"math"

	"evosr/network"
)

// A layer behind a pool or a stride has fewer rows than the picture: it is on
// level n when there are about n rows of the picture to one of its own. It runs
// in the same bands as all others, a band of rows/n rows of its own, as long as
// the bands' rows are a multiple of every level. How far one layer lags behind
// another then follows from which rows it reads, whatever their levels.

// maxLevel bounds the rows of the lowest band.
const maxLevel = 32

// levels gives the level of every node, nil where the sketch cannot run in
// bands: a node needs rows far from its own, makes a border of its own, or
// enlarges beyond the picture before the last shuffle.
func (s *sketch) levels() []int {
	list := make([]int, len(s.nodes))
	of := func(j int) int {
		if j < 0 {
			return 1
		}
		return list[j]
	}
	for i := range s.nodes {
		n := &s.nodes[i]
		level := of(n.Inputs[0])
		switch op := placed[n.Op]; {
		case n.Op == network.OpConv:
			stride, _ := n.Inside()
			r := n.Kernel / 2
			same := n.Kernel%2 == 1 && n.Pad == [4]int{r, r, r, r}
			if stride == 1 && !same || n.Border == network.Edge && (n.Inputs[0] != network.Picture || stride > 1) {
				return nil
			}
			level *= stride
		case n.Op == network.OpShuffle && i == s.output:
			if n.Factor != s.scale || level != 1 {
				return nil
			}
		case op != nil && op.level == nil:
			return nil
		case op != nil:
			if level = op.level(&n.Node, func(k int) int { return of(n.Inputs[k]) }); level == 0 {
				return nil
			}
		default:
			for _, j := range n.Inputs[1:] {
				if of(j) != level {
					return nil
				}
			}
		}
		if level > maxLevel {
			return nil
		}
		list[i] = level
	}
	if s.output < 0 || s.scale != 1 && s.nodes[s.output].Op != network.OpShuffle || list[s.output] != 1 {
		return nil
	}
	if step := multiple(list); step > maxLevel {
		return nil
	}
	return list
}

// lowerLevel is the level behind a pool.
func lowerLevel(n *network.Node, of func(k int) int) int {
	stride, _ := n.Inside()
	return of(0) * stride
}

// raiseLevel is the level behind an interpolation, which may not go beyond the
// picture's.
func raiseLevel(n *network.Node, of func(k int) int) int {
	switch level := of(0); {
	case n.Factor == 0:
		return of(1)
	case level%n.Factor == 0:
		return level / n.Factor
	}
	return 0
}

// multiple is the least common multiple of levels.
func multiple(levels []int) int {
	m := 1
	for _, level := range levels {
		a, b := m, level
		for b != 0 {
			a, b = b, a%b
		}
		m = m / a * level
	}
	return m
}

// far says whether a layer reads rows of its first source by another rule than
// its own row and some around: the rule of its node.
func (l *layer) far() bool {
	if l.node == nil {
		return false
	}
	if l.op == network.OpConv {
		stride, _ := l.node.Inside()
		return stride > 1
	}
	return placed[l.op] != nil
}

// relation is which rows of its source a layer reads, in bands: a band of the
// layer has num rows where one of the source has den. For every row y of the
// layer, of which [first, last] are read, below is the most of last*num - y*den
// and above the most of y*den - first*num.
type relation struct{ num, den, below, above int }

// lag is the least shift of a reader whose source has a shift: what it reads of
// the source is then computed by the same band or an earlier one.
func (r relation) lag(source int) int { return ceilDiv(r.below+source*r.num, r.den) }

// lead is the largest shift of a source whose reader has a shift.
func (r relation) lead(reader int) int { return floorDiv(reader*r.den-r.below, r.num) }

// back is how many rows before a band's own first one of the source its reader
// needs; 0 or less for none.
func (r relation) back(reader, source int) int { return floorDiv(reader*r.den+r.above, r.num) - source }

func ceilDiv(a, b int) int { return -floorDiv(-a, b) }

// relate finds the relation of layer i with read k, for outputs of these
// heights.
func (n *lowered) relate(i, k int, height func(layer int) int) relation {
	l, r := &n.layers[i], &n.layers[i].reads[k]
	rel := relation{num: 1, den: 1, below: r.reach, above: r.reach}
	if r.layer >= 0 {
		rel.num, rel.den = n.layers[r.layer].level, l.level
		rel.below, rel.above = r.reach*rel.num, r.reach*rel.num
	}
	if k > 0 || !l.far() {
		return rel
	}
	if l.op != network.OpResize {
		first := -l.node.Pad[0]
		last := first + l.node.Kernel - 1
		rel.below, rel.above = last*rel.num, -first*rel.num
		return rel
	}
	rel.below, rel.above = math.MinInt, math.MinInt
	var taps [4]network.Tap
	for y := range height(i) {
		for _, t := range l.node.AppendTaps(taps[:0], y, height(r.layer), height(i)) {
			rel.below = max(rel.below, t.At*rel.num-y*rel.den)
			rel.above = max(rel.above, y*rel.den-t.At*rel.num)
		}
	}
	return rel
}
