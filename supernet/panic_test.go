package supernet

import (
	"math/rand/v2"
	"strings"
	"testing"

	"evosr/internal/relay"
)

// bursting is a source that panics, as a set does whose picture is too small.
type bursting struct{}

func (bursting) Patch(*rand.Rand, int, []float32, []float32) { panic("a source without patches") }

// TestPanics wants what panics in a goroutine of the engine or the feed to
// arrive where Step was called.
func TestPanics(t *testing.T) {
	step := func(tr *Trainer) (p *relay.Panic) {
		defer func() {
			switch v := recover().(type) {
			case *relay.Panic:
				p = v
			case nil:
			default:
				p = relay.Of(v)
			}
		}()
		if _, err := tr.Step(); err != nil {
			t.Error(err)
		}
		return nil
	}
	if p := step(trainer(t, bursting{}, options(5))); p == nil || p.Error() != "a source without patches" || !strings.Contains(string(p.Stack), "bursting.Patch") {
		t.Errorf("from the feed: %+v", p)
	}

	o := options(5)
	o.Threads = 3
	tr := trainer(t, waves{2, 1}, o)
	tr.engine.prepare = func(i int) {
		if i == 1 {
			panic("a net without layers")
		}
	}
	if p := step(tr); p == nil || p.Error() != "a net without layers" {
		t.Errorf("from the engine: %+v", p)
	}
}
