package space

import (
	"math/rand/v2"
	"slices"

	"evosr/network"
)

// move is a small change of a genome; it says whether the space allows it.
type move func(g *Genome) bool

// shift moves value by d steps in its ascending list, if the list goes so far.
func shift[T comparable](list []T, value *T, d int) bool {
	i := slices.Index(list, *value)
	if i < 0 || i+d < 0 || i+d >= len(list) {
		return false
	}
	*value = list[i+d]
	return true
}

// harder prunes one convolution a step further, or, with d = -1, less far. A
// dense one takes a scheme by lot.
func (sp *Space) harder(p *network.Prune, kernel int, block bool, d int, rng *rand.Rand) bool {
	list := sp.prunable(kernel, block)
	if len(list) == 0 {
		return false
	}
	levels := append([]int{0}, sp.Percents...)
	if !shift(levels, &p.Percent, d) {
		return false
	}
	switch {
	case p.Percent == 0:
		p.Scheme = network.Dense
	case p.Scheme == network.Dense:
		p.Scheme = list[rng.IntN(len(list))]
	}
	return true
}

// convolutions visits every convolution of g that may be pruned.
func convolutions(g *Genome, visit func(p *network.Prune, kernel int, block bool)) {
	visit(&g.Head, 3, false)
	for i := range g.Slots {
		for j, c := range g.Slots[i].Kind.Convs() {
			visit(&g.Slots[i].Prune[j], c.Kernel, true)
		}
	}
	visit(&g.Tail, 3, false)
}

// Prunings are those of g's convolutions, in their order, to be read and written.
func (g *Genome) Prunings() []*network.Prune {
	var list []*network.Prune
	convolutions(g, func(p *network.Prune, _ int, _ bool) { list = append(list, p) })
	return list
}

// prunings gives a move for every convolution, by d steps.
func (sp *Space) prunings(g Genome, d int, rng *rand.Rand) []move {
	var list []move
	n := 0
	convolutions(&g, func(*network.Prune, int, bool) {
		at := n
		n++
		list = append(list, func(g *Genome) (ok bool) {
			i := 0
			convolutions(g, func(p *network.Prune, kernel int, block bool) {
				if i == at {
					ok = sp.harder(p, kernel, block, d, rng)
				}
				i++
			})
			return ok
		})
	})
	return list
}

// expand moves the expansion of slot i by d steps.
func (sp *Space) expand(i, d int) move {
	return func(g *Genome) bool {
		gene := &g.Slots[i]
		return gene.Kind.Expands() && shift(sp.Slots[i].Blocks[gene.Kind], &gene.Expansion, d)
	}
}

// bend gives the block of slot i another activation by lot.
func (sp *Space) bend(i int, rng *rand.Rand) move {
	return func(g *Genome) bool {
		gene := &g.Slots[i]
		if gene.Kind == Skip {
			return false
		}
		gene.Activation = other(sp.Slots[i].Choices(), gene.Activation, rng)
		return true
	}
}

// other draws one of a list of at least two that is not was.
func other[T comparable](list []T, was T, rng *rand.Rand) T {
	x := list[rng.IntN(len(list)-1)]
	if x == was {
		x = list[len(list)-1]
	}
	return x
}

// leave skips slot i.
func (sp *Space) leave(i int) move {
	return func(g *Genome) bool {
		if !sp.Slots[i].Skip || g.Slots[i].Kind == Skip {
			return false
		}
		g.Slots[i] = Gene{}
		return true
	}
}

// take makes one of the moves, by lot among those that are possible; g as it is
// when none is.
func take(g Genome, moves []move, rng *rand.Rand) Genome {
	for _, at := range rng.Perm(len(moves)) {
		if next := g.Clone(); moves[at](&next) {
			return next
		}
	}
	return g
}

// Neighbour changes one gene by one step: the width, an expansion, one
// convolution's ratio or scheme, a block's activation, or what a slot holds. A
// space of one genome has no other.
func (sp *Space) Neighbour(g Genome, rng *rand.Rand) Genome {
	d := 1 - 2*rng.IntN(2)
	moves := sp.prunings(g, d, rng)
	moves = append(moves, func(g *Genome) bool { return shift(sp.Widths, &g.Width, d) })
	n := 0
	convolutions(&g, func(*network.Prune, int, bool) {
		at := n
		n++
		moves = append(moves, func(g *Genome) (ok bool) { // another scheme at the same ratio
			i := 0
			convolutions(g, func(p *network.Prune, kernel int, block bool) {
				list := sp.prunable(kernel, block)
				if i == at && p.Scheme != network.Dense && len(list) > 1 {
					p.Scheme, ok = other(list, p.Scheme, rng), true
				}
				i++
			})
			return ok
		})
	})
	for i := range g.Slots {
		moves = append(moves, sp.expand(i, d), sp.leave(i), func(g *Genome) bool {
			was := g.Slots[i]
			gene := sp.randomBlock(rng, i, false)
			if was.Kind != Skip && gene.Kind != Skip {
				gene.Activation = was.Activation
			}
			for j, c := range gene.Kind.Convs() {
				if p := was.Prune[j]; j < len(was.Kind.Convs()) && slices.Contains(sp.prunable(c.Kernel, true), p.Scheme) {
					gene.Prune[j] = p
				}
			}
			g.Slots[i] = gene
			return gene != was
		})
		if len(sp.Slots[i].Choices()) > 1 {
			moves = append(moves, sp.bend(i, rng))
		}
	}
	return sp.Canonical(take(g, moves, rng))
}

// Shrink makes a network cheaper by one move: a convolution is pruned a step
// further, or all of them; a block gets narrower or is left out, or the trunk
// gets narrower. far takes the moves that concern more than one layer. The
// smallest network stays as it is.
func (sp *Space) Shrink(g Genome, far bool, rng *rand.Rand) Genome {
	near := sp.prunings(g, 1, rng)
	wide := []move{
		func(g *Genome) bool { return shift(sp.Widths, &g.Width, -1) },
		func(g *Genome) (any bool) {
			convolutions(g, func(p *network.Prune, kernel int, block bool) {
				any = sp.harder(p, kernel, block, 1, rng) || any
			})
			return any
		},
	}
	for i := range g.Slots {
		near = append(near, sp.expand(i, -1))
		wide = append(wide, sp.leave(i))
	}
	first, second := near, wide
	if far {
		first, second = wide, near
	}
	next := take(g, first, rng)
	if next.String() == g.String() {
		next = take(g, second, rng)
	}
	return sp.Canonical(next)
}
