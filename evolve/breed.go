package evolve

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/MaxHalford/eaopt"
)

// climbing is the eaopt Model of Local: it appends a neighbour, not evaluated,
// of the member of the first front that was left least often, by lot among
// equals. With no member it samples.
type climbing[G any] struct {
	problem *Problem[G]
	left    map[int]int // how often, by index of the member
}

// Validate is part of eaopt.Model.
func (c *climbing[G]) Validate() error { return nil }

// Apply is part of eaopt.Model.
func (c *climbing[G]) Apply(pop *eaopt.Population) error {
	var least []*member[G]
	for _, indi := range pop.Individuals {
		m := memberOf[G](indi)
		if m.rank != 0 {
			continue
		}
		if len(least) > 0 && c.left[m.index] < c.left[least[0].index] {
			least = least[:0]
		}
		if len(least) == 0 || c.left[m.index] == c.left[least[0].index] {
			least = append(least, m)
		}
	}
	if len(least) == 0 {
		return (&sampling[G]{c.problem}).Apply(pop)
	}
	rng := rand.New(pop.RNG)
	m := least[rng.IntN(len(least))]
	c.left[m.index]++
	child := newMember(c.problem, c.problem.Neighbour(m.genome, rng))
	child.parents = []int{m.index}
	pop.Individuals = append(pop.Individuals, eaopt.Individual{Genome: child})
	return nil
}

// ageing is the eaopt Model of Regularised that keeps the size youngest
// members, and ranks them as survival does.
type ageing[G any] struct{ size int }

// Validate is part of eaopt.Model.
func (a *ageing[G]) Validate() error {
	if a.size < 2 {
		return fmt.Errorf("evolve: population: %d, want at least 2", a.size)
	}
	return nil
}

// Apply is part of eaopt.Model.
func (a *ageing[G]) Apply(pop *eaopt.Population) error {
	if old := len(pop.Individuals) - a.size; old > 0 { // they stand in the order of their indices
		pop.Individuals = slices.Delete(pop.Individuals, 0, old)
	}
	f, cv := make([][]float64, len(pop.Individuals)), make([]float64, len(pop.Individuals))
	for i, indi := range pop.Individuals {
		r := &memberOf[G](indi).result
		f[i], cv[i] = r.F, r.CV
	}
	rank := RankConstrained(f, cv)
	distance := make([]float64, len(f))
	for k := range f { // at most as many fronts as members
		var order []int
		for i, r := range rank {
			if r == k {
				order = append(order, i)
			}
		}
		crowd(f, order, distance)
	}
	for i := range pop.Individuals {
		m := memberOf[G](pop.Individuals[i])
		m.rank, m.crowding = rank[i], distance[i]
		pop.Individuals[i].Fitness = fitness(m)
	}
	return nil
}

// culling is the eaopt Model of Regularised that appends a mutation, not
// evaluated, of the best of a sample of different members. With no member it
// samples the space.
type culling[G any] struct {
	problem *Problem[G]
	sample  int
}

// Validate is part of eaopt.Model.
func (c *culling[G]) Validate() error { return nil }

// Apply is part of eaopt.Model.
func (c *culling[G]) Apply(pop *eaopt.Population) error {
	if len(pop.Individuals) == 0 {
		return (&sampling[G]{c.problem}).Apply(pop)
	}
	rng := rand.New(pop.RNG)
	drawn := rng.Perm(len(pop.Individuals))
	drawn = drawn[:min(c.sample, len(drawn))]
	best := slices.MinFunc(drawn, func(i, j int) int {
		return cmp.Compare(pop.Individuals[i].Fitness, pop.Individuals[j].Fitness)
	})
	child := pop.Individuals[best].Genome.Clone()
	child.Mutate(pop.RNG)
	child.(*member[G]).parents = []int{memberOf[G](pop.Individuals[best]).index}
	pop.Individuals = append(pop.Individuals, eaopt.Individual{Genome: child})
	return nil
}
