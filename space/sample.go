package space

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"evosr/network"
)

// prunable lists the schemes that a convolution of the given kernel may have.
// Head and tail keep all their channels: their outputs are the trunk and the
// picture.
func (sp *Space) prunable(kernel int, block bool) []network.Scheme {
	var list []network.Scheme
	for _, s := range sp.Schemes {
		if s == network.Dense || !s.Prunes(kernel) || s.Block() == 0 && !block {
			continue
		}
		list = append(list, s)
	}
	if len(sp.Percents) == 0 {
		return nil
	}
	return list
}

// allows says whether a convolution may be pruned by p.
func (sp *Space) allows(p network.Prune, kernel int, block bool) bool {
	return slices.Contains(sp.prunable(kernel, block), p.Scheme) && slices.Contains(sp.Percents, p.Percent)
}

// Check reports why g does not belong to the space, or nil.
func (sp *Space) Check(g Genome) error {
	if !slices.Contains(sp.Widths, g.Width) {
		return fmt.Errorf("space: genome: width %d, want one of %v", g.Width, sp.Widths)
	}
	if len(g.Slots) != len(sp.Slots) {
		return fmt.Errorf("space: genome: %d slots, want %d", len(g.Slots), len(sp.Slots))
	}
	prune := func(where string, p network.Prune, kernel int, block bool) error {
		if p == (network.Prune{}) {
			return nil
		}
		if !sp.allows(p, kernel, block) {
			return fmt.Errorf("space: genome: %s: %v@%d is not in the space", where, p.Scheme, p.Percent)
		}
		return nil
	}
	if err := prune("head", g.Head, 3, false); err != nil {
		return err
	}
	if err := prune("tail", g.Tail, 3, false); err != nil {
		return err
	}
	for i, gene := range g.Slots {
		where := fmt.Sprintf("slot %d", i+1)
		if !slices.ContainsFunc(sp.Slots[i].blocks(), func(b Gene) bool { return b.Kind == gene.Kind && b.Expansion == gene.Expansion }) {
			return fmt.Errorf("space: genome: %s: %v%v is not in the space", where, gene.Kind, gene.Expansion)
		}
		if gene.Kind == Skip && gene.Activation != ReLU || gene.Kind != Skip && !slices.Contains(sp.Slots[i].Choices(), gene.Activation) {
			return fmt.Errorf("space: genome: %s: activation %v is not in the space", where, gene.Activation)
		}
		for j, p := range gene.Prune {
			if j >= len(gene.Kind.Convs()) {
				if p != (network.Prune{}) {
					return fmt.Errorf("space: genome: %s: a pruning beyond its convolutions", where)
				}
				continue
			}
			if err := prune(where, p, gene.Kind.Convs()[j].Kernel, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// blocks lists every unpruned gene a slot may hold, smallest first within a
// kind, with ReLU whatever its activations are.
func (s Slot) blocks() []Gene {
	var list []Gene
	if s.Skip {
		list = append(list, Gene{Kind: Skip})
	}
	for _, k := range Kinds() {
		for _, e := range s.Blocks[k] {
			list = append(list, Gene{Kind: k, Expansion: e})
		}
	}
	return list
}

// Largest is the dense genome with the most weights, the teacher of the
// sandwich rule. Where a wide and another block tie, the wide one is taken, and
// of a slot's activations the first.
func (sp *Space) Largest() Genome { return sp.extreme(sp.MaxTrunk(), 1, 0) }

// Smallest is the genome with the fewest weights, each layer pruned as far as
// the space allows by its first scheme.
func (sp *Space) Smallest() Genome {
	p := 0
	if n := len(sp.Percents); n > 0 {
		p = sp.Percents[n-1]
	}
	return sp.extreme(sp.Widths[0], -1, p)
}

func (sp *Space) extreme(width, sign, percent int) Genome {
	first := func(kernel int, block bool) network.Prune {
		if list := sp.prunable(kernel, block); percent > 0 && len(list) > 0 {
			return network.Prune{Scheme: list[0], Percent: percent}
		}
		return network.Prune{}
	}
	g := Genome{Width: width, Head: first(3, false), Tail: first(3, false)}
	for _, s := range sp.Slots {
		var best Gene
		size := -1
		for _, b := range s.blocks() {
			n := 1 + b.weights(width)
			if size < 0 || sign*n >= sign*size {
				best, size = b, n
			}
		}
		for j, c := range best.Kind.Convs() {
			best.Prune[j] = first(c.Kernel, true)
		}
		if best.Kind != Skip {
			best.Activation = s.Choices()[0]
		}
		g.Slots = append(g.Slots, best)
	}
	return g
}

// weights counts a block's weights at full density.
func (g Gene) weights(width int) int {
	sp := Space{Scale: 2, Colors: 1}
	_, with := sp.Shape(Genome{Width: width, Slots: []Gene{g}}).MACs()
	_, without := sp.Shape(Genome{Width: width}).MACs()
	return with - without
}

// Random draws a genome. So that samples spread over the whole range of costs,
// each draw first chooses how many slots are used and how far it prunes, and
// only then the genes: independent genes would all have about the same cost.
func (sp *Space) Random(rng *rand.Rand) Genome {
	depth, force := rng.Float64(), rng.Float64()
	g := Genome{Width: sp.Widths[rng.IntN(len(sp.Widths))], Head: sp.randomPrune(rng, 3, false, force), Tail: sp.randomPrune(rng, 3, false, force)}
	for i := range sp.Slots {
		gene := sp.randomBlock(rng, i, rng.Float64() > depth)
		for j, c := range gene.Kind.Convs() {
			gene.Prune[j] = sp.randomPrune(rng, c.Kernel, true, force)
		}
		g.Slots = append(g.Slots, gene)
	}
	return sp.Canonical(g)
}

// Canonical gives a network its canonical form: where all slots offer the same, its blocks
// are in the first ones and the skipped slots behind. A block's shared weights
// then always follow those of the slot before, which makes them much better
// (docs/numbers.md), and no search looks at one network under several names.
func (sp *Space) Canonical(g Genome) Genome {
	gap := slices.IndexFunc(g.Slots, func(gene Gene) bool { return gene.Kind == Skip })
	if gap < 0 || !slices.ContainsFunc(g.Slots[gap:], func(gene Gene) bool { return gene.Kind != Skip }) || !sp.alike() {
		return g
	}
	g = g.Clone()
	blocks := slices.DeleteFunc(g.Slots, func(gene Gene) bool { return gene.Kind == Skip })
	g.Slots = append(blocks, make([]Gene, len(g.Slots)-len(blocks))...)
	return g
}

// alike says whether all slots offer the same.
func (sp *Space) alike() bool {
	return !slices.ContainsFunc(sp.Slots, func(s Slot) bool { return !s.Same(sp.Slots[0]) })
}

func (sp *Space) randomBlock(rng *rand.Rand, slot int, skip bool) Gene {
	list := sp.Slots[slot].blocks()
	if sp.Slots[slot].Skip && len(list) > 1 {
		if skip {
			return list[0]
		}
		list = list[1:]
	}
	// First the kind, then its expansion, so that a long list of expansions
	// does not crowd out the other kinds.
	var kinds []Kind
	for _, b := range list {
		if !slices.Contains(kinds, b.Kind) {
			kinds = append(kinds, b.Kind)
		}
	}
	kind := kinds[rng.IntN(len(kinds))]
	list = slices.DeleteFunc(list, func(b Gene) bool { return b.Kind != kind })
	gene := list[rng.IntN(len(list))]
	if acts := sp.Slots[slot].Choices(); kind != Skip {
		gene.Activation = acts[0]
		if len(acts) > 1 { // a space without the choice draws as it did before there was one
			gene.Activation = acts[rng.IntN(len(acts))]
		}
	}
	return gene
}

// randomPrune draws a pruning; force in [0, 1] is how strong it is on average.
func (sp *Space) randomPrune(rng *rand.Rand, kernel int, block bool, force float64) network.Prune {
	list := sp.prunable(kernel, block)
	level := (force+rng.Float64())/2*float64(len(sp.Percents)+1) - 1
	pick := rng.Uint64()
	if len(list) == 0 || level < 0 {
		return network.Prune{}
	}
	return network.Prune{Scheme: list[pick%uint64(len(list))], Percent: sp.Percents[min(int(level), len(sp.Percents)-1)]}
}

// RandomPrunes draws the prunings of g anew, as Random does, and leaves the
// architecture as it is.
func (sp *Space) RandomPrunes(g Genome, rng *rand.Rand) Genome {
	force := rng.Float64()
	g = g.Clone()
	g.Head, g.Tail = sp.randomPrune(rng, 3, false, force), sp.randomPrune(rng, 3, false, force)
	for i := range g.Slots {
		for j, c := range g.Slots[i].Kind.Convs() {
			g.Slots[i].Prune[j] = sp.randomPrune(rng, c.Kernel, true, force)
		}
	}
	return g
}

// Uniform prunes every convolution of g by p where the space allows it, and
// leaves it dense elsewhere.
func (sp *Space) Uniform(g Genome, p network.Prune) Genome {
	g = g.Clone()
	convolutions(&g, func(q *network.Prune, kernel int, block bool) {
		*q = network.Prune{}
		if sp.allows(p, kernel, block) {
			*q = p
		}
	})
	return g
}

// OneScheme gives every pruned convolution of g the scheme where the space
// allows it, and leaves the ratios as they are.
func (sp *Space) OneScheme(g Genome, scheme network.Scheme) Genome {
	g = g.Clone()
	convolutions(&g, func(q *network.Prune, kernel int, block bool) {
		if p := (network.Prune{Scheme: scheme, Percent: q.Percent}); sp.allows(p, kernel, block) {
			*q = p
		}
	})
	return g
}

// Shares of the operators. On a 16-slot space, two validation crops and 600
// evaluations, NSGA-II came to 0.981 of the hypervolume that all searches found
// together (mean of six seeds); to 0.976 where every child was crossed and every
// mutation changed any number of genes. More of one or the other (0.7, 0.3, 0.5)
// gave the same.
const (
	uncrossed    = 0.5  // children that are mutations of one parent
	ratiosOnly   = 0.15 // mutations that change ratios alone
	oneGeneAStep = 0.6  // mutations that are Neighbour
)

// Crossover takes every slot, and the width, head and tail, from one parent or
// the other; half of the children are the first parent, for Mutate to change.
func (sp *Space) Crossover(a, b Genome, rng *rand.Rand) Genome {
	if rng.Float64() < uncrossed {
		return a.Clone()
	}
	child := a.Clone()
	if rng.IntN(2) == 1 {
		child.Width = b.Width
	}
	if rng.IntN(2) == 1 {
		child.Head = b.Head
	}
	if rng.IntN(2) == 1 {
		child.Tail = b.Tail
	}
	for i := range child.Slots {
		if rng.IntN(2) == 1 {
			child.Slots[i] = b.Slots[i]
		}
	}
	return sp.Canonical(child)
}

// Mutate changes at least one gene where the space leaves a choice: ratios
// alone, one gene by one step, or any number of genes.
func (sp *Space) Mutate(g Genome, rng *rand.Rand) Genome {
	switch x := rng.Float64(); {
	case x < ratiosOnly:
		if next := sp.MutateRatios(g, rng); next.String() != g.String() {
			return next // else nothing is pruned
		}
	case x < ratiosOnly+oneGeneAStep:
		return sp.Neighbour(g, rng)
	}
	return sp.mutateGenes(g, rng)
}

// mutateGenes moves numbers mostly by one step and draws kinds and schemes anew.
func (sp *Space) mutateGenes(g Genome, rng *rand.Rand) Genome {
	was := g.String()
	g = g.Clone()
	for range 64 { // a space of one genome has nothing else to offer
		rate := 1.5 / float64(len(g.Slots)+1)
		if rng.Float64() < rate {
			g.Width = step(sp.Widths, g.Width, rng)
		}
		if rng.Float64() < rate {
			g.Head = sp.mutatePrune(g.Head, rng, 3, false)
		}
		if rng.Float64() < rate {
			g.Tail = sp.mutatePrune(g.Tail, rng, 3, false)
		}
		for i := range g.Slots {
			if rng.Float64() < rate {
				g.Slots[i] = sp.mutateGene(i, g.Slots[i], rng)
			}
		}
		if rng.Float64() < 0.2 {
			g = sp.shiftPercents(g, rng)
		}
		if g = sp.Canonical(g); g.String() != was {
			break
		}
	}
	return g
}

func (sp *Space) mutateGene(slot int, gene Gene, rng *rand.Rand) Gene {
	switch r := rng.Float64(); {
	case r < 0.35 || gene.Kind == Skip:
		was := gene
		gene = sp.randomBlock(rng, slot, rng.IntN(3) == 0)
		for j, c := range gene.Kind.Convs() {
			// Keep what the old block knew about pruning where it is legal.
			if p := was.Prune[j]; j < len(was.Kind.Convs()) && slices.Contains(sp.prunable(c.Kernel, true), p.Scheme) {
				gene.Prune[j] = p
			} else {
				gene.Prune[j] = sp.randomPrune(rng, c.Kernel, true, rng.Float64())
			}
		}
	case r < 0.55 && gene.Kind.Expands():
		gene.Expansion = step(sp.Slots[slot].Blocks[gene.Kind], gene.Expansion, rng)
	case r < 0.65 && len(sp.Slots[slot].Choices()) > 1:
		gene.Activation = other(sp.Slots[slot].Choices(), gene.Activation, rng)
	default:
		j := rng.IntN(len(gene.Kind.Convs()))
		gene.Prune[j] = sp.mutatePrune(gene.Prune[j], rng, gene.Kind.Convs()[j].Kernel, true)
	}
	return gene
}

func (sp *Space) mutatePrune(p network.Prune, rng *rand.Rand, kernel int, block bool) network.Prune {
	list := sp.prunable(kernel, block)
	if len(list) == 0 {
		return network.Prune{}
	}
	if rng.IntN(3) == 0 {
		return sp.randomPrune(rng, kernel, block, rng.Float64())
	}
	levels := append([]int{0}, sp.Percents...)
	p.Percent = step(levels, p.Percent, rng)
	if p.Percent == 0 {
		return network.Prune{}
	}
	if p.Scheme == network.Dense {
		p.Scheme = list[rng.IntN(len(list))]
	}
	return p
}

// shiftPercents moves every pruned layer one step in the same direction, the
// move along the front that single genes rarely make.
func (sp *Space) shiftPercents(g Genome, rng *rand.Rand) Genome {
	up := rng.IntN(2) == 1
	convolutions(&g, func(p *network.Prune, _ int, _ bool) {
		i := slices.Index(sp.Percents, p.Percent)
		switch {
		case i < 0:
		case up:
			p.Percent = sp.Percents[min(i+1, len(sp.Percents)-1)]
		case i > 0:
			p.Percent = sp.Percents[i-1]
		}
	})
	return g
}

// step moves value to a neighbour in its ascending list, or further away in
// one of four moves.
func step[T int | float64](list []T, value T, rng *rand.Rand) T {
	i := max(0, slices.Index(list, value))
	d := 1
	if rng.IntN(4) == 0 {
		d = 1 + rng.IntN(len(list))
	}
	if rng.IntN(2) == 0 {
		d = -d
	}
	return list[min(max(i+d, 0), len(list)-1)]
}
