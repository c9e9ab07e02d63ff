package problems

import (
	"math"
	"testing"

	"evosr/internal/check"
)

// TestOperators wants everything that is drawn, crossed and mutated between the
// bounds, and parents left as they were.
func TestOperators(t *testing.T) {
	rng := check.Rand(t)
	for _, p := range All() {
		for range 200 {
			a, b := p.Random(rng), p.Random(rng)
			key := Key(a) + Key(b)
			for what, x := range map[string][]float64{"Random": a, "Crossover": p.Crossover(a, b, rng), "Mutate": p.Mutate(a, rng)} {
				for i, v := range x {
					if !(v >= p.Low[i] && v <= p.High[i]) {
						t.Fatalf("%s: %s: variable %d is %v, want %v to %v", p.Name, what, i, v, p.Low[i], p.High[i])
					}
				}
			}
			if Key(a)+Key(b) != key {
				t.Fatalf("%s: an operator changed a parent", p.Name)
			}
			if f, cv := p.Score(a); len(f) != len(p.Reference) || cv < 0 {
				t.Fatalf("%s: %v, %v", p.Name, f, cv)
			}
		}
	}
}

// TestFronts scores points of the true fronts.
func TestFronts(t *testing.T) {
	for _, p := range All()[:4] {
		for k := range 11 {
			x := same(len(p.Low), 0)
			x[0] = float64(k) / 10
			f := 1 - x[0]*x[0] // ZDT2
			switch p.Name {
			case "ZDT1":
				f = 1 - math.Sqrt(x[0])
			case "ZDT3":
				f = 1 - math.Sqrt(x[0]) - x[0]*math.Sin(10*math.Pi*x[0])
			case "DTLZ2":
				x = same(12, 0.5)
				x[0] = float64(k) / 10
			}
			got, _ := p.Score(x)
			if p.Name == "DTLZ2" {
				if r := math.Hypot(math.Hypot(got[0], got[1]), got[2]); math.Abs(r-1) > 1e-12 {
					t.Errorf("DTLZ2: %v is %v from the origin, want 1", got, r)
				}
			} else if got[0] != x[0] || math.Abs(got[1]-f) > 1e-12 {
				t.Errorf("%s: %v, want %v", p.Name, got, f)
			}
		}
	}
}
