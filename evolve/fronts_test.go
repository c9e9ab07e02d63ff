package evolve

import (
	"context"
	"math"
	"testing"
)

// fronts are problems whose front is known, with what the search must reach
// with population 64 and 6,400 evaluations: the hypervolume of the survivors,
// not of the larger front of everything evaluated. most is the hypervolume of
// the whole true front, by integration; 64 points cannot reach it (0.870 on
// ZDT1).
var fronts = []struct {
	name      string
	p         func() Problem[real]
	seeds     int
	reference []float64
	most      float64
	mean      float64 // at least, over the seeds
	low       float64 // at least, of every seed
}{
	{"ZDT1", zdt1, 15, real{1.1, 1.1}, 1.21 - 1.0/3, 0.866, 0.860},
	{"ZDT2", zdt2, 5, real{1.1, 1.1}, 1.21 - 2.0/3, 0.530, 0.525},
	{"ZDT3", zdt3, 5, real{1.1, 1.1}, 1.33177, 1.315, 1.230},
	{"DTLZ2", dtlz2, 5, real{1.1, 1.1, 1.1}, 1.331 - math.Pi/6, 0.675, 0.660},
	{"BNH", bnh, 5, real{140, 50}, 5285.34, 5240, 5230},
	{"SRN", srn, 5, real{250, 0}, 30694.9, 30200, 30100},
}

// survivors gives the objectives of the population, all of them feasible.
func survivors(t *testing.T, out *Outcome[real]) [][]float64 {
	t.Helper()
	var f [][]float64
	for _, e := range out.Population {
		if e.Result.CV > 0 {
			t.Errorf("survivor %d is infeasible by %v", e.Index, e.Result.CV)
		}
		f = append(f, e.Result.F)
	}
	return f
}

func TestFronts(t *testing.T) {
	for _, tt := range fronts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seeds := tt.seeds
			if raced {
				seeds = 1 // the same goroutines run for every seed
			}
			mean, whole := 0.0, 0.0
			for seed := range uint64(seeds) {
				o := Options[real]{Population: 64, Evaluations: 6400, Workers: 1, Seed: seed, Reference: tt.reference}
				out, err := Run(context.Background(), tt.p(), o)
				if err != nil {
					t.Fatal(err)
				}
				v := Hypervolume(survivors(t, out), tt.reference)
				if v < tt.low || v > out.Hypervolume || out.Hypervolume > tt.most {
					t.Errorf("seed %d: hypervolume %.5g, of the whole front %.5g, want at least %.5g and at most %.5g",
						seed, v, out.Hypervolume, tt.low, tt.most)
				}
				mean += v / float64(seeds)
				whole += out.Hypervolume / float64(seeds)
			}
			if mean < tt.mean && !raced {
				t.Errorf("mean hypervolume %.5g, want at least %.5g", mean, tt.mean)
			}
			t.Logf("mean hypervolume of 64 survivors %.5g, of the whole front %.5g, at most %.5g", mean, whole, tt.most)
		})
	}
}

// TestAgainstRandom gives the baseline the same budget and the same seeds.
func TestAgainstRandom(t *testing.T) {
	for _, tt := range fronts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				o := Options[real]{Population: 64, Evaluations: 2000, Seed: seed, Reference: tt.reference}
				if tt.name != "BNH" && tt.name != "SRN" {
					o.Reference = same(len(tt.reference), 6) // random points on ZDT are far away
				}
				searched, err := Run(context.Background(), tt.p(), o)
				if err != nil {
					t.Fatal(err)
				}
				drawn, err := Random(context.Background(), tt.p(), o)
				if err != nil {
					t.Fatal(err)
				}
				if len(drawn.All) != len(searched.All) || drawn.Hypervolume == 0 || searched.Hypervolume <= drawn.Hypervolume {
					t.Errorf("seed %d: hypervolume %.6g after %d evaluations, random %.6g after %d", seed,
						searched.Hypervolume, len(searched.All), drawn.Hypervolume, len(drawn.All))
				}
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	for _, tt := range fronts[:4:4] {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(context.Background(), tt.p(), Options[real]{Evaluations: 6400, Reference: tt.reference}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(6400*float64(b.N)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
