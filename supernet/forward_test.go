package supernet

import (
	"math"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/space"
)

// TestForward holds what the trainer computes against the reference network
// that Extract hands out.
func TestForward(t *testing.T) {
	for _, set := range kernel.Sets() {
		t.Run(set.Name, func(t *testing.T) {
			forScales(t, func(t *testing.T, sp *space.Space) {
				rng := check.Rand(t)
				s := noisy(sp, rng.Uint64())
				for range 6 {
					g := sp.Random(rng)
					const w, h = 13, 9
					lr := randomPlanes(rng, sp.Colors*w*h)
					sub, err := s.Extract(g)
					if err != nil {
						t.Fatal(err)
					}
					if err := sub.Validate(); err != nil {
						t.Fatal(err)
					}
					r := newRunner(set, s, g, w, h)
					r.w.load(0, lr, nil, sp.Scale)
					got, want := shuffled(r.w.forward(r.net, 0), sp.Scale), Reference(sub, lr, w, h)
					for i := range want {
						if math.Abs(float64(got[i]-want[i])) > 1e-4 {
							t.Fatalf("%v: value %d is %v, want %v", g, i, got[i], want[i])
						}
					}
				}
			})
		})
	}
}
