package fitness

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"evosr/deviceprofile"
	"evosr/imaging"
	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
	"evosr/supernet"
)

// TestTune wants genomes to be tuned once, before their quality is measured and
// never for their costs, networks from elsewhere not at all, and tuned scores to
// be kept apart.
func TestTune(t *testing.T) {
	sp := tiny()
	net := supernet.New(sp, 1)
	pairs := []imaging.Pair{imaging.NewPair("noise", noise(check.Rand(t), 32, 32), 2)}
	var calls atomic.Int32
	scorer := func(o ScorerOptions) *Scorer {
		t.Helper()
		o.Width, o.Height = 32, 32
		s, err := NewScorer(net, pairs, &deviceprofile.Profile{}, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cache := &memory{m: map[string][]byte{}}
	o := ScorerOptions{Cache: cache, Tuned: "brighter", Tune: func(_ context.Context, _ space.Genome, n *network.Graph) (*network.Graph, error) {
		calls.Add(1)
		better := *n
		better.Nodes = slices.Clone(n.Nodes)
		last := &better.Nodes[slices.IndexFunc(n.Nodes, func(n network.Node) bool { return n.Name == "tail" })]
		last.Bias = slices.Clone(last.Bias)
		for i := range last.Bias {
			last.Bias[i] += 0.1
		}
		return &better, nil
	}}
	plain, tuned := scorer(ScorerOptions{Cache: cache}), scorer(o)
	g := sp.Largest()
	if _, err := tuned.Cost(g); err != nil || calls.Load() != 0 {
		t.Errorf("the cost alone tuned %d times, %v", calls.Load(), err)
	}
	a, err := plain.Score(t.Context(), []space.Genome{g})
	if err != nil || a[0].Err != "" {
		t.Fatal(a, err)
	}
	b, err := tuned.Score(t.Context(), []space.Genome{g, g})
	if err != nil || b[0].Err != "" || b[0].PSNR >= a[0].PSNR {
		t.Fatalf("%+v, %v, want a worse quality than %+v", b, err, a)
	}
	n := calls.Load()
	if again, err := tuned.Score(t.Context(), []space.Genome{g}); err != nil || again[0].PSNR != b[0].PSNR || calls.Load() != n || n > 2 {
		t.Errorf("a known genome: %+v, %v, tuned %d times", again, err, calls.Load())
	}
	if b[0].Params != a[0].Params || b[0].MACs != a[0].MACs {
		t.Errorf("costs %+v, want those of %+v", b[0], a[0])
	}
	// Another scorer of the same finds both in the cache.
	if again, err := scorer(o).Score(t.Context(), []space.Genome{g}); err != nil || again[0].PSNR != b[0].PSNR || calls.Load() != n {
		t.Errorf("from the cache: %+v, %v, tuned %d times more", again, err, calls.Load()-n)
	}
	sub, err := net.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := tuned.Subnet(sub); err != nil || own.PSNR != a[0].PSNR {
		t.Errorf("a network from elsewhere: %+v, %v, want %v dB", own, err, a[0].PSNR)
	}
}

// TestTuneStopped stops a scorer while it tunes, and wants no score, no record
// and the score of a scorer that went through when it is asked again.
func TestTuneStopped(t *testing.T) {
	sp := tiny()
	pairs := []imaging.Pair{imaging.NewPair("noise", noise(check.Rand(t), 32, 32), 2)}
	ctx, stop := context.WithCancel(t.Context())
	cache := &memory{m: map[string][]byte{}}
	s, err := NewScorer(supernet.New(sp, 1), pairs, &deviceprofile.Profile{}, ScorerOptions{
		Width: 32, Height: 32, Cache: cache,
		Tune: func(ctx context.Context, _ space.Genome, n *network.Graph) (*network.Graph, error) {
			stop()
			return n, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	genomes := []space.Genome{sp.Largest()}
	if got, err := s.Score(ctx, genomes); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped it gives %+v, %v, want that it was stopped", got, err)
	}
	if len(cache.m) != 0 {
		t.Errorf("stopped it recorded %q", cache.m)
	}
	if got, err := s.Score(t.Context(), genomes); err != nil || got[0].Err != "" || !(got[0].PSNR > 0) {
		t.Errorf("asked again it gives %+v, %v", got, err)
	}
}
