package main

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"evosr/evolve"
	"evosr/internal/problems"
)

// TestBudgets wants every contender to find something on DTLZ2 and nothing
// beyond the true front.
func TestBudgets(t *testing.T) {
	p := problems.All()[3]
	for _, c := range contenders() {
		f, err := c.run(&p, 1600, 32, 1)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		v := evolve.Hypervolume(f, []float64{3, 3, 3})
		if most := 27 - math.Pi/6; !(v > 10 && v < most) {
			t.Errorf("%s: hypervolume %v, want 10 to %v", c.name, v, most)
		}
	}
}

// TestSolversSpend wants a solver to make every evaluation that it has, and no
// more.
func TestSolversSpend(t *testing.T) {
	p := problems.All()[0]
	score := p.Score
	for _, s := range solvers() {
		n := 0
		p.Score = func(x []float64) ([]float64, float64) {
			n++
			return score(x)
		}
		if _, err := theirs(&p, 4*share, 1, s); err != nil {
			t.Fatal(err)
		}
		if n > 4*share || n < 3*share {
			t.Errorf("%s made %d of %d evaluations", s.name, n, 4*share)
		}
	}
}

func TestWeights(t *testing.T) {
	for _, objectives := range []int{2, 3} {
		list := weights(objectives, 16)
		if len(list) < 15 || len(list) > 16 {
			t.Errorf("%d objectives: %d weights", objectives, len(list))
		}
		for _, w := range list {
			sum := 0.0
			for _, v := range w {
				sum += v
				if v <= 0 {
					t.Errorf("weight %v", w)
				}
			}
			if len(w) != objectives || math.Abs(sum-1) > 0.003 {
				t.Errorf("weight %v", w)
			}
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := table(&b, 1, 200, 16); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ZDT3", "eaopt particle swarm", "the true front", "pymoo"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
