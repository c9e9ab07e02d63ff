package stat

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPace holds what is foretold after the first quarter to what work of uneven steps
// takes, also of work that slowed down by half before.
func TestPace(t *testing.T) {
	for _, slow := range []int{0, 100} { // steps that took twice as long
		var p Pace
		rng := rand.New(rand.NewPCG(3, 4))
		const total = 1600
		at := make([]time.Time, total+1)
		now := time.Unix(1e9, 0)
		for i := range at {
			at[i] = now
			step := (0.5 + rng.Float64()) * float64(time.Second)
			if i < slow {
				step *= 2
			}
			now = now.Add(time.Duration(step))
		}
		for i, when := range at {
			p.See(when, 100+float64(i)) // 100 were done by another call
			got, ok := p.Left(100 + total)
			if i == 0 && ok {
				t.Errorf("something is foretold from nothing: %v", got)
			}
			want := at[total].Sub(when)
			if i >= total/4 && i < total-10 && (float64(got) < 0.75*float64(want) || float64(got) > 1.25*float64(want)) {
				t.Fatalf("%d slow: after %d of %d: %v left, want about %v", slow, i, total, got, want)
			}
		}
		if len(p.seen) > mostSightings {
			t.Errorf("%d sightings are kept", len(p.seen))
		}
		p.See(now, 3)
		if _, ok := p.Left(10); ok || p.Rate() != 0 {
			t.Error("work that began anew has a pace")
		}
	}
}
