package space

import (
	"math/rand/v2"
	"slices"

	"evosr/network"
)

// AtRatio prunes every pruned convolution of g by the same percent, which the
// space must have, and leaves the dense ones dense.
func (sp *Space) AtRatio(g Genome, percent int) Genome {
	g = g.Clone()
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		if p.Scheme != network.Dense {
			p.Percent = percent
		}
	})
	return g
}

// RandomRatios draws the ratios of g's pruned convolutions anew, as Random does:
// first how far it prunes on average.
func (sp *Space) RandomRatios(g Genome, rng *rand.Rand) Genome {
	force := rng.Float64()
	g = g.Clone()
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		level := int((force + rng.Float64()) / 2 * float64(len(sp.Percents)))
		if p.Scheme != network.Dense {
			p.Percent = sp.Percents[min(level, len(sp.Percents)-1)]
		}
	})
	return g
}

// CrossRatios takes the ratio of every convolution that is pruned in both from
// one parent or the other, and everything else from a.
func (sp *Space) CrossRatios(a, b Genome, rng *rand.Rand) Genome {
	a = a.Clone()
	pick := func(p *network.Prune, q network.Prune) {
		if coin := rng.IntN(2) == 1; coin && p.Scheme != network.Dense && q.Scheme != network.Dense {
			p.Percent = q.Percent
		}
	}
	pick(&a.Head, b.Head)
	for i := range a.Slots {
		for j := range a.Slots[i].Kind.Convs() {
			if j < len(b.Slots[i].Kind.Convs()) {
				pick(&a.Slots[i].Prune[j], b.Slots[i].Prune[j])
			}
		}
	}
	pick(&a.Tail, b.Tail)
	return a
}

// MutateRatios changes at least one ratio of g's pruned convolutions, where
// there is another, mostly by one step, and now and then all of them.
func (sp *Space) MutateRatios(g Genome, rng *rand.Rand) Genome {
	was := g.String()
	g = g.Clone()
	n := 0
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		if p.Scheme != network.Dense {
			n++
		}
	})
	for range 64 { // nothing is pruned, or there is one ratio only
		convolutions(&g, func(p *network.Prune, _ int, _ bool) {
			if p.Scheme != network.Dense && rng.Float64()*float64(n) < 1.5 {
				p.Percent = step(sp.Percents, p.Percent, rng)
			}
		})
		if rng.Float64() < 0.2 {
			g = sp.shiftPercents(g, rng)
		}
		if g.String() != was {
			break
		}
	}
	return g
}

// RaiseRatios prunes one pruned convolution of g a step further, or, with far,
// all of them. Where every one is at its end, g stays as it is.
func (sp *Space) RaiseRatios(g Genome, far bool, rng *rand.Rand) Genome {
	n := 0
	up := func(p *network.Prune) bool {
		return p.Scheme != network.Dense && p.Percent != sp.Percents[len(sp.Percents)-1]
	}
	g = g.Clone()
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		if up(p) {
			n++
		}
	})
	if n == 0 {
		return g
	}
	at := rng.IntN(n)
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		if !up(p) {
			return
		}
		if far || at == 0 {
			shift(sp.Percents, &p.Percent, 1)
		}
		at--
	})
	return g
}

// SameButRatios says whether two genomes differ by their ratios only.
func SameButRatios(a, b Genome) bool {
	plain := func(g Genome) Genome {
		g = g.Clone()
		convolutions(&g, func(p *network.Prune, _ int, _ bool) { p.Percent = 0 })
		return g
	}
	x, y := plain(a), plain(b)
	return x.Width == y.Width && x.Head == y.Head && x.Tail == y.Tail && slices.Equal(x.Slots, y.Slots)
}
