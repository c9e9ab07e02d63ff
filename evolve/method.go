package evolve

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/MaxHalford/eaopt"
)

// method is a way to search: which members survive, and how a child is bred
// from them.
type method[G any] struct {
	survive eaopt.Model
	breed   eaopt.Model
}

// Run searches by steady-state NSGA-II. The Outcome is nil only when the
// options or the problem are wrong; with an error of the context, of Evaluate
// or of Journal it holds what was committed until then.
func Run[G any](ctx context.Context, p Problem[G], o Options[G]) (*Outcome[G], error) {
	if err := prepare(&p, &o); err != nil {
		return nil, err
	}
	return search(ctx, &p, &o, method[G]{&survival[G]{size: o.Population}, &mating[G]{problem: &p}}, nil)
}

// Random draws every genome from the whole space: the baseline that a search
// has to beat. It takes the same options as Run and keeps a population by the
// same rule.
func Random[G any](ctx context.Context, p Problem[G], o Options[G]) (*Outcome[G], error) {
	if err := prepare(&p, &o); err != nil {
		return nil, err
	}
	return search(ctx, &p, &o, method[G]{&survival[G]{size: o.Population}, &sampling[G]{problem: &p}}, nil)
}

// Local is local search over several objectives, after Pareto local search
// (Paquete, Chiarandini, Stuetzle, Metaheuristics for Multiobjective
// Optimisation, 2004): a child is a neighbour of the member of the first front
// that was left by the fewest children so far. It takes the same options as Run
// and keeps a population by the same rule.
func Local[G any](ctx context.Context, p Problem[G], o Options[G]) (*Outcome[G], error) {
	if err := prepare(&p, &o); err != nil {
		return nil, err
	}
	return search(ctx, &p, &o, method[G]{&survival[G]{size: o.Population}, &climbing[G]{problem: &p, left: map[int]int{}}}, nil)
}

// Regularised is regularised evolution (Real, Aggarwal, Huang, Le, AAAI 2019)
// with the crowded comparison in place of one fitness: the oldest member dies
// whatever it is worth, and a child is a mutation of the best of a quarter of
// the members, drawn anew. It takes the same options as Run.
func Regularised[G any](ctx context.Context, p Problem[G], o Options[G]) (*Outcome[G], error) {
	if err := prepare(&p, &o); err != nil {
		return nil, err
	}
	return search(ctx, &p, &o, method[G]{&ageing[G]{size: o.Population}, &culling[G]{problem: &p, sample: max(2, o.Population/4)}}, nil)
}

// Stage is a later part of a staged search, with operators of its own.
type Stage[G any] struct {
	From int // index of its first child; earlier where the stage before exhausts its space

	Random    func(*rand.Rand) G
	Crossover func(a, b G, r *rand.Rand) G // nil when there is none
	Mutate    func(G, *rand.Rand) G
	Repair    func(G, *rand.Rand) G // as Problem.Repair; nil when there is none

	// Keep chooses among the survivors of the stage before, in the order of
	// their indices, those that are bred from; nil keeps all. It is called once,
	// before anything else of the stage.
	Keep func(survivors []Entry[G]) []bool
}

// Staged is Run in parts: the search begins with the operators of p, and at
// each Stage.From, when everything before is committed, goes over to those of
// the stage. Known children, the front and the budget run through all parts; a
// stall ends the last one only.
func Staged[G any](ctx context.Context, p Problem[G], stages []Stage[G], o Options[G]) (*Outcome[G], error) {
	if err := prepare(&p, &o); err != nil {
		return nil, err
	}
	from := 0
	for i, s := range stages {
		if s.From <= from || s.Random == nil || s.Mutate == nil {
			return nil, fmt.Errorf("evolve: stage %d: from %d with its operators, want more than %d, Random and Mutate", i+1, s.From, from)
		}
		from = s.From
	}
	return search(ctx, &p, &o, method[G]{&survival[G]{size: o.Population}, &mating[G]{problem: &p}}, stages)
}
