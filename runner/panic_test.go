package runner

import (
	"errors"
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
		// Without a scorer nothing can be scored: nobody can ask for that from
		// outside.
		search := &problem{cfg: cfg, search: &cfg.Search, space: sp}
		_, err := search.run(t.Context(), evolve.Options[space.Genome]{Population: 8, Evaluations: 16, Lag: 4, Workers: 2, Seed: 1})
		var p *relay.Panic
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "runner.(*problem).evaluate") {
			t.Errorf("the search ended with %v, want the panic and its stack", err)
		}
	})
}
