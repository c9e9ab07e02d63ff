package fitness

import (
	"errors"
	"strings"
	"testing"

	"evosr/imaging"
	"evosr/internal/check"
	"evosr/internal/relay"
	"evosr/network"
	"evosr/space"
	"evosr/supernet"
)

func tiny() *space.Space {
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8}, Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
		Slots: []space.Slot{{Skip: true, Blocks: space.Blocks{space.Plain: {1}}}}}
}

// TestScorePanic wants a panic of a worker in the goroutine that called Score,
// with the place where it happened, and no worker left waiting.
func TestScorePanic(t *testing.T) {
	rng := check.Rand(t)
	sp := tiny()
	pairs := []imaging.Pair{imaging.NewPair("noise", noise(rng, 32, 32), 2)}
	// Without a profile the scorer cannot predict: nobody can ask for that from
	// outside.
	s, err := NewScorer(supernet.New(sp, 1), pairs, nil, ScorerOptions{Width: 32, Height: 32, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		p, ok := recover().(*relay.Panic)
		var own *relay.Panic
		if !ok || !errors.As(p, &own) || !strings.Contains(string(p.Stack), "fitness.(*job).compile") {
			t.Errorf("recovered %v, want a *relay.Panic with the worker's stack", p)
		}
	}()
	_, err = s.Score(t.Context(), []space.Genome{sp.Largest(), sp.Smallest(), sp.Largest(), sp.Smallest(), sp.Largest()})
	t.Errorf("Score returned (%v), want a panic", err)
}
