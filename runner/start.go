package runner

import (
	"math/rand/v2"
	"slices"

	"evosr/network"
	"evosr/space"
)

// usual are the schemes in the order in which one is taken to stand for all.
var usual = []network.Scheme{network.Block4, network.Block8, network.Block2, network.Unstructured, network.Pattern, network.Filter}

// starts gives at most n known-good designs: the ends of the space, and, spread
// evenly, networks of one kind of block throughout at every width, at full and
// half depth, dense and pruned by one scheme.
func starts(sp *space.Space, n int) []space.Genome {
	ends := []space.Genome{sp.Largest(), sp.Smallest()}
	scheme := network.Dense
	for _, s := range usual {
		if slices.Contains(sp.Schemes, s) {
			scheme = s
			break
		}
	}
	prunes := []network.Prune{{}}
	if m := len(sp.Percents); m > 0 && scheme != network.Dense {
		for _, i := range []int{m / 2, m - 1, 0} {
			prunes = append(prunes, network.Prune{Scheme: scheme, Percent: sp.Percents[i]})
		}
	}
	var all []space.Genome
	seen := map[string]bool{}
	for _, p := range prunes {
		for _, depth := range []float64{1, 0.5} {
			for _, kind := range space.Widest() {
				for i := len(sp.Widths) - 1; i >= 0; i-- {
					g := space.Genome{Width: sp.Widths[i], Slots: make([]space.Gene, len(sp.Slots))}
					for slot, s := range sp.Slots {
						g.Slots[slot] = block(s, kind)
						if s.Skip && float64(slot) >= depth*float64(len(sp.Slots)) {
							g.Slots[slot] = space.Gene{}
						}
					}
					if g = sp.Uniform(g, p); sp.Check(g) == nil && !seen[g.String()] {
						seen[g.String()] = true
						all = append(all, g)
					}
				}
			}
		}
	}
	list := ends
	for room := min(n-len(ends), len(all)); len(list) < len(ends)+room; {
		list = append(list, all[(len(list)-len(ends))*len(all)/room])
	}
	return list[:min(len(list), max(n, 1))]
}

// block is a slot's narrowest block of a kind, with the first of its activations,
// or where the slot has none, its widest, or nothing.
func block(s space.Slot, kind space.Kind) space.Gene {
	for _, k := range append([]space.Kind{kind}, space.Widest()...) {
		if list := s.Blocks[k]; len(list) > 0 {
			return space.Gene{Kind: k, Expansion: list[0], Activation: s.Choices()[0]}
		}
	}
	return space.Gene{}
}

// calibrating is how many genomes the scorer's short cut is learnt from.
const calibrating = 32

// calibration gives genomes that span the space: known-good designs for its
// upper end, random ones for the rest.
func calibration(sp *space.Space, seed uint64) []space.Genome {
	list := starts(sp, calibrating/2)
	rng := rand.New(rand.NewPCG(seed, 0))
	for len(list) < calibrating {
		list = append(list, sp.Random(rng))
	}
	return list
}
