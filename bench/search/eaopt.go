package main

import (
	"math"
	mathrand "math/rand"
	"math/rand/v2"

	"github.com/MaxHalford/eaopt"

	"evosr/evolve"
	"evosr/internal/problems"
)

// members is the population that a solver has for one weight, and generations
// how many follow the first: 400 evaluations, 16 weights of 6,400.
const (
	members     = 20
	generations = 19
	share       = members * (1 + generations)
)

// task is one weighted minimisation. What is asked for after its evaluations are
// spent is +Inf and does not count.
type task struct {
	p      *problems.Problem
	weight []float64
	left   int
	seen   *[][]float64 // objectives of everything evaluated
}

// value is the augmented Tchebycheff function from the ideal point (0 in every
// objective, -0.8 in ZDT3's second), to be minimised. What is outside the bounds
// is set to the bound, as our operators do.
func (t *task) value(x []float64) float64 {
	if t.left == 0 {
		return math.Inf(1)
	}
	t.left--
	inside := make([]float64, len(x))
	for i, v := range x {
		inside[i] = min(max(v, t.p.Low[i]), t.p.High[i])
	}
	f, _ := t.p.Score(inside)
	*t.seen = append(*t.seen, f)
	most, sum := math.Inf(-1), 0.0
	for k, v := range f {
		if t.p.Name == "ZDT3" && k == 1 {
			v += 0.8
		}
		most = max(most, t.weight[k]*v)
		sum += v
	}
	return most + 0.01*sum
}

// solver is one of eaopt's algorithms.
type solver struct {
	name string
	run  func(t *task, rng *mathrand.Rand) error
}

func solvers() []solver {
	tournament := eaopt.SelTournament{NContestants: 3}
	return []solver{
		{"generational GA", genetic(eaopt.ModGenerational{Selector: tournament, MutRate: 1, CrossRate: 0.9})},
		{"steady-state GA", genetic(eaopt.ModSteadyState{Selector: tournament, KeepBest: true, MutRate: 1, CrossRate: 0.9})},
		{"differential evolution", func(t *task, rng *mathrand.Rand) error {
			s, err := eaopt.NewDiffEvo(members, generations, 0, 1, 0.5, 0.5, false, rng)
			if err == nil {
				_, _, err = s.Minimize(t.value, uint(len(t.p.Low)))
			}
			return err
		}},
		{"particle swarm", func(t *task, rng *mathrand.Rand) error {
			s, err := eaopt.NewSPSO(members, generations, 0, 1, 0.5, false, rng)
			if err == nil {
				_, _, err = s.Minimize(t.value, uint(len(t.p.Low)))
			}
			return err
		}},
		{"evolution strategy", func(t *task, rng *mathrand.Rand) error {
			s, err := eaopt.NewOES(members, generations, 0.1, 0.1, false, rng)
			if err == nil {
				_, _, err = s.Minimize(t.value, t.p.Random(rand.New(rng)))
			}
			return err
		}},
	}
}

// genetic runs eaopt's GA by a model, with the operators that ours has, until
// the evaluations are spent.
func genetic(model eaopt.Model) func(*task, *mathrand.Rand) error {
	return func(t *task, rng *mathrand.Rand) error {
		config := eaopt.NewDefaultGAConfig()
		config.PopSize, config.NGenerations, config.Model, config.RNG = members, share, model, rng
		config.EarlyStop = func(*eaopt.GA) bool { return t.left == 0 }
		ga, err := config.NewGA()
		if err != nil {
			return err
		}
		return ga.Minimize(func(rng *mathrand.Rand) eaopt.Genome {
			return &point{t, t.p.Random(rand.New(rng))}
		})
	}
}

// point is a genome of eaopt's.
type point struct {
	task *task
	x    []float64
}

func (g *point) Evaluate() (float64, error) { return g.task.value(g.x), nil }
func (g *point) Mutate(rng *mathrand.Rand)  { g.x = g.task.p.Mutate(g.x, rand.New(rng)) }
func (g *point) Clone() eaopt.Genome        { return &point{g.task, g.x} } // operators make new slices

func (g *point) Crossover(mate eaopt.Genome, rng *mathrand.Rand) {
	g.x = g.task.p.Crossover(g.x, mate.(*point).x, rand.New(rng))
}

// theirs spends the evaluations on evenly spread weights and gives what no other
// point dominates.
func theirs(p *problems.Problem, evaluations int, seed uint64, s solver) ([][]float64, error) {
	var seen [][]float64
	list := weights(len(p.Reference), max(2, evaluations/share))
	for i, w := range list {
		t := &task{p: p, weight: w, seen: &seen, left: evaluations*(i+1)/len(list) - evaluations*i/len(list)}
		if err := s.run(t, mathrand.New(mathrand.NewSource(int64(seed)*1000+int64(i)))); err != nil {
			return nil, err
		}
	}
	var front [][]float64
	for _, i := range evolve.Nondominated(seen) {
		front = append(front, seen[i])
	}
	return front, nil
}

// weights spreads about n weight vectors evenly over the simplex (Das, Dennis
// 1998), none of them 0 anywhere.
func weights(objectives, n int) [][]float64 {
	parts := n - 1
	if objectives == 3 {
		for parts = 1; (parts+2)*(parts+3)/2 <= n; parts++ {
		}
	}
	var list [][]float64
	var fill func(w []float64, left int)
	fill = func(w []float64, left int) {
		if len(w) == objectives-1 {
			w = append(w[:len(w):len(w)], float64(left)/float64(parts))
			for k := range w {
				w[k] = max(w[k], 1e-3)
			}
			list = append(list, w)
			return
		}
		for take := range left + 1 {
			fill(append(w[:len(w):len(w)], float64(take)/float64(parts)), left-take)
		}
	}
	fill(nil, parts)
	return list
}
