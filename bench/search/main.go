// Command search holds evosr's searches against eaopt's own algorithms on
// problems whose fronts are known, with equal evaluations, and prints one table
// of hypervolumes.
//
// eaopt's algorithms minimise one number. Each gets the budget in equal shares
// for evenly spread weights of the augmented Tchebycheff function (Steuer, Choo
// 1983), whose minima are the front, and everything that any of these runs
// evaluated counts. Of ours stand both the survivors, which are as many as the
// population, and everything. It is a module of its own: the product meets eaopt
// in one room only.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"

	"evosr/evolve"
	"evosr/internal/problems"
)

func main() {
	seeds := flag.Int("seeds", 15, "seeds, each a repeat of everything")
	evaluations := flag.Int("evaluations", 6400, "of each search")
	population := flag.Int("population", 64, "members of our population")
	flag.Parse()
	if flag.NArg() > 0 || *seeds < 1 || *evaluations < 100 || *population < 4 {
		fmt.Fprintln(os.Stderr, "search: want -seeds from 1, -evaluations from 100, -population from 4 and no arguments")
		os.Exit(2)
	}
	if err := table(os.Stdout, *seeds, *evaluations, *population); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// quoted is what others measured; docs/numbers.md says where it is from.
const quoted = `
pymoo's NSGA-II on ZDT1 with population 64 and 6,400 evaluations: 0.860 generational, 0.866 in steady state, of at most 0.877
(measured on a machine of this kind for this project's anchors, not in this run).
`

// contender searches a problem and gives the objectives of what it found.
type contender struct {
	name string
	run  func(p *problems.Problem, evaluations, population int, seed uint64) ([][]float64, error)
}

func contenders() []contender {
	list := []contender{
		{"evosr NSGA-II, survivors", func(p *problems.Problem, n, pop int, seed uint64) ([][]float64, error) {
			out, err := ours(p, n, pop, seed, evolve.Run[[]float64])
			return values(out.Population), err
		}},
		{"evosr NSGA-II, all", func(p *problems.Problem, n, pop int, seed uint64) ([][]float64, error) {
			out, err := ours(p, n, pop, seed, evolve.Run[[]float64])
			return values(out.Front), err
		}},
		{"evosr local, all", func(p *problems.Problem, n, pop int, seed uint64) ([][]float64, error) {
			out, err := ours(p, n, pop, seed, evolve.Local[[]float64])
			return values(out.Front), err
		}},
		{"evosr regularised, all", func(p *problems.Problem, n, pop int, seed uint64) ([][]float64, error) {
			out, err := ours(p, n, pop, seed, evolve.Regularised[[]float64])
			return values(out.Front), err
		}},
		{"evosr random, all", func(p *problems.Problem, n, pop int, seed uint64) ([][]float64, error) {
			out, err := ours(p, n, pop, seed, evolve.Random[[]float64])
			return values(out.Front), err
		}},
	}
	for _, s := range solvers() {
		list = append(list, contender{"eaopt " + s.name + ", all", func(p *problems.Problem, n, _ int, seed uint64) ([][]float64, error) {
			return theirs(p, n, seed, s)
		}})
	}
	return list
}

type search = func(context.Context, evolve.Problem[[]float64], evolve.Options[[]float64]) (*evolve.Outcome[[]float64], error)

func ours(p *problems.Problem, evaluations, population int, seed uint64, method search) (*evolve.Outcome[[]float64], error) {
	out, err := method(context.Background(), evolve.Problem[[]float64]{
		Random: p.Random, Crossover: p.Crossover, Mutate: p.Mutate, Key: problems.Key,
		Evaluate: func(_ context.Context, xs [][]float64) ([]evolve.Result, error) {
			list := make([]evolve.Result, len(xs))
			for i, x := range xs {
				list[i].F, list[i].CV = p.Score(x)
			}
			return list, nil
		},
	}, evolve.Options[[]float64]{Population: population, Evaluations: evaluations, Seed: seed, Reference: p.Reference})
	if out == nil {
		out = &evolve.Outcome[[]float64]{}
	}
	return out, err
}

func values(list []evolve.Entry[[]float64]) [][]float64 {
	var f [][]float64
	for _, e := range list {
		f = append(f, e.Result.F)
	}
	return f
}

// table runs every contender on the problems without constraints.
func table(out io.Writer, seeds, evaluations, population int) error {
	list := problems.All()[:4]
	fmt.Fprintf(out, "hypervolume after %d evaluations, mean of %d seeds (standard deviation); population %d\n\n", evaluations, seeds, population)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "search")
	for _, p := range list {
		fmt.Fprintf(w, "\t%s", p.Name)
	}
	fmt.Fprintln(w)
	for _, c := range contenders() {
		fmt.Fprint(w, c.name)
		for i := range list {
			p := &list[i]
			var sum, squares float64
			for seed := range seeds {
				f, err := c.run(p, evaluations, population, uint64(seed))
				if err != nil {
					return fmt.Errorf("search: %s on %s: %w", c.name, p.Name, err)
				}
				v := evolve.Hypervolume(f, p.Reference)
				sum += v
				squares += v * v
			}
			n := float64(seeds)
			mean := sum / n
			fmt.Fprintf(w, "\t%.4f (%.4f)", mean, math.Sqrt(max(0, squares/n-mean*mean)))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "the true front")
	for _, p := range list {
		fmt.Fprintf(w, "\t%.4f", p.Most)
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(out, quoted)
	return err
}
