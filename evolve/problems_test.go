package evolve

import (
	"context"
	"slices"

	"evosr/internal/problems"
)

// real is a genome of real numbers.
type real = []float64

// realProblem is a test problem in the terms of this package.
func realProblem(p problems.Problem) Problem[real] {
	return Problem[real]{
		Random: p.Random, Crossover: p.Crossover, Mutate: p.Mutate, Key: problems.Key,
		Evaluate: func(_ context.Context, xs []real) ([]Result, error) {
			out := make([]Result, len(xs))
			for i, x := range xs {
				out[i].F, out[i].CV = p.Score(x)
			}
			return out, nil
		},
	}
}

func same(n int, v float64) real { return slices.Repeat(real{v}, n) }
