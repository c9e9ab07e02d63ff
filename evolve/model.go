package evolve

import (
	"errors"
	"fmt"
	mathrand "math/rand"
	"math/rand/v2"
	"slices"

	"github.com/MaxHalford/eaopt"
)

// member is a genome of the problem in eaopt's terms, with what the search knows
// about it. Operators never change the genome that they are given, so members
// may share one.
type member[G any] struct {
	problem *Problem[G]
	genome  G

	parents  []int   // indices of what it was bred from
	index    int     // launch order; -1 for one that is being bred
	result   Result  // usable; meaningful once the Individual is Evaluated
	rank     int     // number of its front; -1 before survival has seen it
	crowding float64 // within its front
}

func newMember[G any](p *Problem[G], g G) *member[G] {
	return &member[G]{problem: p, genome: g, index: -1, rank: -1}
}

// Evaluate refuses: eaopt would score one genome at a time, the harness scores
// batches and marks the Individual as Evaluated.
func (m *member[G]) Evaluate() (float64, error) {
	return 0, errors.New("evolve: a genome is evaluated in a batch, by the harness")
}

// Mutate replaces the genome by a neighbour.
func (m *member[G]) Mutate(rng *mathrand.Rand) {
	m.genome = m.problem.Mutate(m.genome, rand.New(rng))
}

// Crossover replaces the genome by a child of it and the mate, which stays as
// it is.
func (m *member[G]) Crossover(mate eaopt.Genome, rng *mathrand.Rand) {
	if m.problem.Crossover != nil {
		m.genome = m.problem.Crossover(m.genome, mate.(*member[G]).genome, rand.New(rng))
	}
}

// Clone gives a member of the same genome that was not evaluated.
func (m *member[G]) Clone() eaopt.Genome { return newMember(m.problem, m.genome) }

func memberOf[G any](indi eaopt.Individual) *member[G] { return indi.Genome.(*member[G]) }

// beats is constrained domination between usable results, as dominates.
func beats(a, b *Result) bool {
	if a.CV != b.CV {
		return a.CV < b.CV
	}
	return paretoDominates(a.F, b.F)
}

// survival is the eaopt Model that ends NSGA-II's step: of a population with
// newcomers at its end it keeps size members. Newcomers enter one by one, in
// order; each time the population is too large, the member with the smallest
// crowding distance of the last front leaves, the youngest of equals. Afterwards
// every Individual.Fitness is rank + 1/(2 + crowding distance), lower is better:
// the crowded comparison of Deb et al. as one number.
type survival[G any] struct {
	size int

	// scratch
	f        [][]float64
	order    []int
	distance []float64
	moved    []*member[G]
	next     []*member[G]
}

// Validate is part of eaopt.Model.
func (s *survival[G]) Validate() error {
	if s.size < 2 {
		return fmt.Errorf("evolve: population: %d, want at least 2", s.size)
	}
	return nil
}

// Apply is part of eaopt.Model.
func (s *survival[G]) Apply(pop *eaopt.Population) error {
	n := 0
	for n < len(pop.Individuals) && memberOf[G](pop.Individuals[n]).rank >= 0 {
		n++
	}
	for n < len(pop.Individuals) {
		last := s.enter(pop.Individuals[:n+1])
		if n < s.size {
			n++
			continue
		}
		s.crowdFront(pop.Individuals[:n+1], last)
		victim := -1
		for i, indi := range pop.Individuals[:n+1] {
			m := memberOf[G](indi)
			if m.rank == last && (victim < 0 || m.crowding <= memberOf[G](pop.Individuals[victim]).crowding) {
				victim = i
			}
		}
		pop.Individuals = slices.Delete(pop.Individuals, victim, victim+1)
	}
	last := 0
	for _, indi := range pop.Individuals {
		last = max(last, memberOf[G](indi).rank)
	}
	for k := range last + 1 {
		s.crowdFront(pop.Individuals, k)
	}
	for i := range pop.Individuals {
		m := memberOf[G](pop.Individuals[i])
		pop.Individuals[i].Fitness = fitness(m)
	}
	return nil
}

// fitness is the crowded comparison as one number.
func fitness[G any](m *member[G]) float64 { return float64(m.rank) + 1/(2+m.crowding) }

// enter ranks the last member among the others, which are ranked, and gives the
// number of the last front. A member that is newly dominated moves down by
// exactly one front, and takes along those of that front which it dominates (Li,
// Deb, Zhang, Zhang: Efficient non-domination level update method for
// steady-state evolutionary multiobjective optimization, 2014).
func (s *survival[G]) enter(indis eaopt.Individuals) (last int) {
	others := indis[:len(indis)-1]
	child := memberOf[G](indis[len(indis)-1])
	child.rank = 0
	for _, indi := range others {
		m := memberOf[G](indi)
		last = max(last, m.rank)
		if m.rank >= child.rank && beats(&m.result, &child.result) {
			child.rank = m.rank + 1
		}
	}
	moved := append(s.moved[:0], child)
	next := s.next[:0]
	for k := child.rank; len(moved) > 0; k++ {
		last = max(last, k)
		next = next[:0]
		for _, indi := range others {
			m := memberOf[G](indi)
			if m.rank == k && slices.ContainsFunc(moved, func(up *member[G]) bool { return beats(&up.result, &m.result) }) {
				next = append(next, m)
			}
		}
		for _, m := range next {
			m.rank = k + 1
		}
		moved, next = next, moved
	}
	s.moved, s.next = moved, next
	return last
}

// crowdFront sets the crowding distances of front k.
func (s *survival[G]) crowdFront(indis eaopt.Individuals, k int) {
	s.f, s.order = s.f[:0], s.order[:0]
	for i, indi := range indis {
		m := memberOf[G](indi)
		s.f = append(s.f, m.result.F)
		if m.rank == k {
			s.order = append(s.order, i)
		}
	}
	s.distance = slices.Grow(s.distance[:0], len(indis))[:len(indis)]
	crowd(s.f, s.order, s.distance)
	for _, i := range s.order {
		memberOf[G](indis[i]).crowding = s.distance[i]
	}
}

// mating is the eaopt Model that appends one child, not evaluated, to a
// population: two binary tournaments by Fitness for two different parents, then
// crossover and mutation. With fewer than two members it samples.
type mating[G any] struct{ problem *Problem[G] }

// Validate is part of eaopt.Model.
func (m *mating[G]) Validate() error { return nil }

// Apply is part of eaopt.Model.
func (m *mating[G]) Apply(pop *eaopt.Population) error {
	n := len(pop.Individuals)
	if n < 2 {
		return (&sampling[G]{m.problem}).Apply(pop)
	}
	rng := rand.New(pop.RNG)
	first := tournament(pop.Individuals, -1, rng)
	second := tournament(pop.Individuals, first, rng)
	child := pop.Individuals[first].Genome.Clone()
	child.Crossover(pop.Individuals[second].Genome, pop.RNG)
	child.Mutate(pop.RNG)
	child.(*member[G]).parents = []int{memberOf[G](pop.Individuals[first]).index, memberOf[G](pop.Individuals[second]).index}
	pop.Individuals = append(pop.Individuals, eaopt.Individual{Genome: child})
	return nil
}

// tournament draws two members with replacement and gives the index of the one
// with the lower Fitness. The member at index not (-1 for none) does not take
// part.
func tournament(indis eaopt.Individuals, not int, rng *rand.Rand) int {
	draw := func() int {
		if not < 0 {
			return rng.IntN(len(indis))
		}
		i := rng.IntN(len(indis) - 1)
		if i >= not {
			i++
		}
		return i
	}
	a, b := draw(), draw()
	if indis[b].Fitness < indis[a].Fitness {
		return b
	}
	return a
}

// sampling is the eaopt Model that appends a genome drawn from the whole space,
// not evaluated, to a population.
type sampling[G any] struct{ problem *Problem[G] }

// Validate is part of eaopt.Model.
func (s *sampling[G]) Validate() error { return nil }

// Apply is part of eaopt.Model.
func (s *sampling[G]) Apply(pop *eaopt.Population) error {
	g := s.problem.Random(rand.New(pop.RNG))
	pop.Individuals = append(pop.Individuals, eaopt.Individual{Genome: newMember(s.problem, g)})
	return nil
}
