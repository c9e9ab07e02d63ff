package runner

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"evosr/evolve"
	"evosr/fitness"
	"evosr/space"
)

// staged searches in the order of Zhan et al.: for half of the evaluations the
// architecture and every layer's scheme, with one ratio wherever something is
// pruned, and then the ratios of the best architectures. With a latency budget
// these are the best quarter of the survivors by quality, which lie nearest to
// it; else the first front.
func (p *problem) staged(ctx context.Context, e evolve.Problem[space.Genome], o evolve.Options[space.Genome], start []space.Genome) (*evolve.Outcome[space.Genome], error) {
	sp := p.space
	ratio := sp.Percents[len(sp.Percents)/2]
	fixed := func(g space.Genome) space.Genome { return sp.AtRatio(g, ratio) }
	for _, g := range start {
		o.Start = append(o.Start, fixed(g))
	}
	e.Random = func(rng *rand.Rand) space.Genome { return fixed(sp.Random(rng)) }
	e.Mutate = func(g space.Genome, rng *rand.Rand) space.Genome { return fixed(sp.Mutate(g, rng)) }
	var ratios func(space.Genome, *rand.Rand) space.Genome
	if e.Repair != nil { // within what each stage may change
		e.Repair = p.repair(func(g space.Genome, far bool, rng *rand.Rand) space.Genome { return fixed(sp.Shrink(g, far, rng)) })
		ratios = p.repair(sp.RaiseRatios)
	}
	var kept []space.Genome
	return evolve.Staged(ctx, e, []evolve.Stage[space.Genome]{{
		From:      max(1, o.Evaluations/2),
		Random:    func(rng *rand.Rand) space.Genome { return sp.RandomRatios(kept[rng.IntN(len(kept))], rng) },
		Crossover: sp.CrossRatios,
		Mutate:    sp.MutateRatios,
		Repair:    ratios,
		Keep: func(survivors []evolve.Entry[space.Genome]) []bool {
			keep := p.architectures(survivors)
			kept = nil
			for i, yes := range keep {
				if yes {
					kept = append(kept, survivors[i].Genome)
				}
			}
			if len(kept) == 0 { // everything failed: Random needs something
				kept = []space.Genome{fixed(sp.Largest())}
			}
			return keep
		},
	}}, o)
}

// architectures chooses what the second stage goes on with.
func (p *problem) architectures(survivors []evolve.Entry[space.Genome]) []bool {
	keep := make([]bool, len(survivors))
	f, cv := make([][]float64, len(survivors)), make([]float64, len(survivors))
	order := make([]int, len(survivors))
	for i, e := range survivors {
		f[i], cv[i], order[i] = e.Result.F, e.Result.CV, i
	}
	rank := evolve.RankConstrained(f, cv)
	if p.search.BudgetMS == 0 {
		for i := range keep {
			keep[i] = rank[i] == 0
		}
		return keep
	}
	quality := slices.IndexFunc(p.aims, func(o fitness.Objective) bool { return o.Maximised })
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(cv[a], cv[b]), cmp.Compare(f[a][quality], f[b][quality]))
	})
	for _, i := range order[:(len(order)+3)/4] {
		keep[i] = true
	}
	return keep
}
