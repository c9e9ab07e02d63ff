package runner

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"evosr/evolve"
	"evosr/internal/relay"
	"evosr/space"
)

// TestPanics wants panics of worker goroutines to arrive in the caller's, where
// the command line turns them into a sentence and exit code 70.
func TestPanics(t *testing.T) {
	t.Run("pictures", func(t *testing.T) {
		defer func() {
			if p, ok := recover().(*relay.Panic); !ok || p.Error() != "a watcher that cannot watch" {
				t.Errorf("recovered %v", p)
			}
		}()
		err := Run(t.Context(), smoke(t, ""), filepath.Join(t.TempDir(), "run"), Options{Report: func(Progress) { panic("a watcher that cannot watch") }})
		t.Errorf("Run returned (%v), want a panic", err)
	})
	t.Run("search", func(t *testing.T) {
		cfg := smoke(t, "")
		sp := &cfg.Space
		_, err := evolve.Run(t.Context(), evolve.Problem[space.Genome]{
			Random: func(r *rand.Rand) space.Genome { return sp.Random(r) }, Crossover: sp.Crossover, Mutate: sp.Mutate, Key: space.Genome.String,
			Evaluate: caught(func(context.Context, []space.Genome) ([]evolve.Result, error) { panic("a genome of lead") }),
		}, evolve.Options[space.Genome]{Population: 8, Evaluations: 16, Lag: 4, Workers: 2, Seed: 1})
		var p *relay.Panic
		if !errors.As(err, &p) || p.Error() != "a genome of lead" || !strings.Contains(string(p.Stack), "TestPanics") {
			t.Errorf("the search ended with %v, want the panic and its stack", err)
		}
	})
}
