package evolve

import (
	"context"
	"fmt"
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/MaxHalford/eaopt"
	"pgregory.net/rapid"
)

// evaluated wraps a result as the harness does.
func evaluated(p *Problem[int], i int, r Result) eaopt.Individual {
	m := newMember(p, i)
	m.index, m.result = i, r
	return eaopt.Individual{Genome: m, Fitness: math.Inf(1), Evaluated: true, ID: strconv.Itoa(i)}
}

// TestSurvival holds the incremental ranking and the choice of who leaves
// against sorting and crowding the whole population after every newcomer.
func TestSurvival(t *testing.T) {
	shapes(t, []int{1, 2, 3}, []int{2, 10, 30, 60}, coarse(), func(t *rapid.T, f [][]float64) {
		cv := rapid.SliceOfN(oneOf(0, 0, 0, 1, 2), len(f), len(f)).Draw(t, "cv")
		s := &survival[int]{size: rapid.SampledFrom([]int{5, 12, 9, 3, 2, 25}).Draw(t, "size")}
		together := rapid.SampledFrom([]int{1, 1, 2, 5}).Draw(t, "newcomers at a time")

		var pop eaopt.Population
		var want []int // survivors, by index
		for i := range f {
			want = append(want, i)
			pf, pcv := pick(f, want), pick(cv, want)
			rank := RankConstrained(pf, pcv)
			if len(want) > s.size {
				last := slices.Max(rank)
				var front []int
				for at, r := range rank {
					if r == last {
						front = append(front, at)
					}
				}
				victim, least := 0, math.Inf(1)
				for at, c := range Crowding(pick(pf, front)) {
					if c <= least {
						victim, least = front[at], c
					}
				}
				want = slices.Delete(want, victim, victim+1)
			}
			pop.Individuals = append(pop.Individuals, evaluated(nil, i, Result{F: f[i], CV: cv[i]}))
			if (i+1)%together != 0 && i+1 < len(f) {
				continue
			}
			if err := s.Apply(&pop); err != nil {
				t.Fatal(err)
			}
			pf, pcv = pick(f, want), pick(cv, want)
			rank = RankConstrained(pf, pcv)
			if len(pop.Individuals) != len(want) {
				t.Fatalf("after %d: %d survivors, want %d", i, len(pop.Individuals), len(want))
			}
			for at, indi := range pop.Individuals {
				m := memberOf[int](indi)
				if m.index != want[at] || m.rank != rank[at] {
					t.Fatalf("after %d: survivor %d is %d of rank %d, want %d of rank %d", i, at, m.index, m.rank, want[at], rank[at])
				}
				var front []int
				for j, r := range rank {
					if r == m.rank {
						front = append(front, j)
					}
				}
				crowding := Crowding(pick(pf, front))[slices.Index(front, at)]
				if fitness := float64(m.rank) + 1/(2+crowding); indi.Fitness != fitness {
					t.Fatalf("after %d: fitness %v, want %v", i, indi.Fitness, fitness)
				}
			}
		}
	})
}

func pick[T any](s []T, at []int) []T {
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = s[j]
	}
	return out
}

// TestTournament counts who wins among five members: with two draws, the k-th
// best of n does with probability (2(n-k)+1)/n².
func TestTournament(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var indis eaopt.Individuals
	for _, fitness := range []float64{3, 1, 4, 2, 5} {
		indis = append(indis, eaopt.Individual{Fitness: fitness})
	}
	const draws = 100_000
	for not := -1; not < len(indis); not++ {
		wins := make([]int, len(indis))
		for range draws {
			wins[tournament(indis, not, rng)]++
		}
		for i := range indis {
			n, better := 0, 0
			for j := range indis {
				if j != not {
					n++
					if indis[j].Fitness < indis[i].Fitness {
						better++
					}
				}
			}
			want := float64(2*(n-better)-1) / float64(n*n)
			if i == not {
				want = 0
			}
			if got := float64(wins[i]) / draws; math.Abs(got-want) > 0.01 {
				t.Errorf("without %d: member %d wins %.3f of the tournaments, want %.3f", not, i, got, want)
			}
		}
	}
}

// watched is a Model that looks at the Population it is applied to.
type watched struct {
	eaopt.Model
	look func(pop *eaopt.Population)
}

func (w watched) Apply(pop *eaopt.Population) error {
	w.look(pop)
	return w.Model.Apply(pop)
}

// TestPopulationIsEaopts drives a search with a Model from outside: all that it
// breeds from is in the exported fields of eaopt's Population.
func TestPopulationIsEaopts(t *testing.T) {
	p := grid(nil)
	o := Options[[]int]{Population: 12, Evaluations: 80, Lag: 5, Seed: 3}
	if err := prepare(&p, &o); err != nil {
		t.Fatal(err)
	}
	var scored []Entry[[]int]
	o.Journal = func(e Entry[[]int]) error { scored = append(scored, e); return nil }
	child := o.Population
	model := watched{&mating[[]int]{problem: &p}, func(pop *eaopt.Population) {
		if got, want := len(scored), child-o.Lag+1; got != want || pop.Generations != uint(want) {
			t.Fatalf("child %d is bred from %d results in %d generations, want %d", child, got, pop.Generations, want)
		}
		if got, want := len(pop.Individuals), min(len(scored), o.Population); got != want {
			t.Fatalf("child %d: %d individuals, want %d", child, got, want)
		}
		var f [][]float64
		var cv []float64
		for _, indi := range pop.Individuals {
			i, err := strconv.Atoi(indi.ID)
			if err != nil || !indi.Evaluated || p.Key(memberOf[[]int](indi).genome) != p.Key(scored[i].Genome) {
				t.Fatalf("child %d: %v is not entry %q", child, indi, indi.ID)
			}
			if err := indi.Evaluate(); err != nil { // nothing to do for eaopt
				t.Fatal(err)
			}
			f = append(f, scored[i].Result.F)
			cv = append(cv, scored[i].Result.CV)
		}
		// eaopt's own sort by fitness is the order of the fronts.
		sorted := slices.Clone(pop.Individuals)
		sorted.SortByFitness()
		rank := slices.Sorted(slices.Values(RankConstrained(f, cv)))
		for i, indi := range sorted {
			if int(indi.Fitness) != rank[i] {
				t.Fatalf("child %d: place %d has fitness %v, want rank %d", child, i, indi.Fitness, rank[i])
			}
		}
		child++
	}}
	out, err := search(context.Background(), &p, &o, method[[]int]{&survival[[]int]{size: o.Population}, model}, nil)
	if err != nil || child != o.Evaluations {
		t.Fatalf("search: %v, the model bred up to child %d, want %d", err, child, o.Evaluations)
	}
	again, err := Run(context.Background(), p, o)
	if err != nil || fmt.Sprint(again.All) != fmt.Sprint(out.All) {
		t.Fatalf("Run differs from the search by the same models: %v", err)
	}
}

// TestMemberIsAGenome checks what eaopt and mating rely on.
func TestMemberIsAGenome(t *testing.T) {
	p := grid(nil)
	rng := mathrand.New(&stream{})
	a, b := newMember(&p, []int{0, 0, 0, 0}), newMember(&p, []int{5, 5, 5, 5})
	a.rank, a.result = 0, Result{F: []float64{1, 2}}
	child := a.Clone().(*member[[]int])
	if child.rank != -1 || child.result.F != nil {
		t.Errorf("a clone keeps rank %d and result %v", child.rank, child.result)
	}
	if _, err := child.Evaluate(); err == nil {
		t.Error("a member let eaopt evaluate it")
	}
	child.Crossover(b, rng)
	child.Mutate(rng)
	if got, want := p.Key(a.genome)+p.Key(b.genome), p.Key([]int{0, 0, 0, 0})+p.Key([]int{5, 5, 5, 5}); got != want {
		t.Errorf("parents are %s after breeding, want %s", got, want)
	}
	if p.Key(child.genome) == p.Key(a.genome) {
		t.Error("mutation left the child as it was")
	}
	p.Crossover = nil
	alone := a.Clone().(*member[[]int])
	alone.Crossover(b, rng)
	if p.Key(alone.genome) != p.Key(a.genome) {
		t.Error("without a crossover the child is not the first parent")
	}
}

// TestStreams looks for numbers that two streams share, and for a bias over the
// first numbers of neighbouring ones.
func TestStreams(t *testing.T) {
	seen := map[uint64]string{}
	ones, draws := 0, 0
	for seed := range uint64(40) {
		for child := range 100 {
			var s stream
			s.start(seed, child)
			for range 4 {
				v := s.Uint64()
				name := fmt.Sprintf("seed %d child %d", seed, child)
				if was, ok := seen[v]; ok {
					t.Fatalf("%s and %s share %d", was, name, v)
				}
				seen[v] = name
				ones += int(v >> 63)
				draws++
			}
		}
	}
	if share := float64(ones) / float64(draws); math.Abs(share-0.5) > 0.02 { // 5 sigma
		t.Errorf("the first bit is 1 in %.3f of the draws, want 0.5", share)
	}
	var a, b stream
	a.start(7, 3)
	b.start(7, 3)
	x, y := rand.New(mathrand.New(&a)), rand.New(&b)
	for range 10 {
		if x.Uint64() != y.Uint64() {
			t.Fatal("math/rand changes the numbers on the way")
		}
	}
}
