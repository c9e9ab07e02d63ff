package evolve_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"evosr/evolve"
)

// ZDT1 (Zitzler, Deb, Thiele 2000) in three variables: its front is f2 = 1 -
// sqrt(f1).
func ExampleRun() {
	type genome [3]float64
	mutate := func(g genome, rng *rand.Rand) genome {
		i := rng.IntN(len(g))
		g[i] = min(max(g[i]+rng.NormFloat64()/10, 0), 1)
		return g
	}
	out, err := evolve.Run(context.Background(), evolve.Problem[genome]{
		Random: func(rng *rand.Rand) genome { return genome{rng.Float64(), rng.Float64(), rng.Float64()} },
		Crossover: func(a, b genome, rng *rand.Rand) genome {
			i := rng.IntN(len(a))
			a[i] = b[i]
			return a
		},
		Mutate: mutate,
		Key:    func(g genome) string { return fmt.Sprint(g) },
		Evaluate: func(_ context.Context, batch []genome) ([]evolve.Result, error) {
			list := make([]evolve.Result, len(batch))
			for i, x := range batch {
				g := 1 + 9*(x[1]+x[2])/2
				list[i].F = []float64{x[0], g * (1 - math.Sqrt(x[0]/g))}
			}
			return list, nil
		},
	}, evolve.Options[genome]{Population: 40, Evaluations: 4000, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	worst := 0.0
	for _, e := range out.Front {
		worst = max(worst, e.Result.F[1]-(1-math.Sqrt(e.Result.F[0])))
	}
	fmt.Println(out.Reason, len(out.Front) >= 30, worst < 0.05)
	// Output: evaluations spent true true
}
