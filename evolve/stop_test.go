package evolve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCancel cancels at many moments. What was journaled is a prefix of the
// whole, nothing runs on, and the search can be resumed.
func TestCancel(t *testing.T) {
	want, _ := journaled(t, grid(nil), gridOptions())
	for _, after := range []int{0, 1, 5, 17, 100, 219} {
		for _, obedient := range []bool{true, false} { // does Evaluate look at its context?
			ctx, cancel := context.WithCancel(context.Background())
			var began, running atomic.Int64
			p := grid(func(ctx context.Context, gs [][]int) error {
				running.Add(1)
				defer running.Add(-1)
				if began.Add(int64(len(gs))) > int64(after) {
					cancel()
				}
				time.Sleep(100 * time.Microsecond)
				if obedient {
					return ctx.Err()
				}
				return nil
			})
			o := gridOptions()
			o.Workers, o.Batch = 4, 2
			o.Journal = func(e Entry[[]int]) error { o.Known = append(o.Known, e); return nil }
			out, err := Run(ctx, p, o)
			cancel()
			if running.Load() != 0 {
				t.Fatalf("after %d: evaluations run on", after)
			}
			if len(out.All) < len(want.All) && (!errors.Is(err, context.Canceled) || out.Reason != Cancelled) {
				t.Fatalf("after %d: error %v, reason %q", after, err, out.Reason)
			}
			if fmt.Sprint(out.All) != fmt.Sprint(o.Known) || fmt.Sprint(out.All) != fmt.Sprint(want.All[:len(out.All)]) {
				t.Fatalf("after %d: journal and outcome are not the prefix", after)
			}
			if !obedient && len(out.All) == 0 {
				t.Fatalf("after %d: batches that ended were lost", after)
			}
			o.Journal = nil
			if again, err := Run(context.Background(), grid(nil), o); err != nil || text(t, again) != text(t, want) {
				t.Fatalf("after %d: resumed to another outcome (%v)", after, err)
			}
		}
	}
}

func TestCancelledBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	whole, _ := journaled(t, grid(nil), gridOptions())
	for _, known := range [][]Entry[[]int]{nil, whole.All[:50]} {
		o := gridOptions()
		o.Known = known
		out, err := Run(ctx, grid(func(context.Context, [][]int) error {
			t.Error("evaluated")
			return nil
		}), o)
		if !errors.Is(err, context.Canceled) || out == nil || out.Reason != Cancelled || len(out.All) != 0 {
			t.Errorf("error %v, outcome %+v", err, out)
		}
	}
}

func TestEvaluateFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	tests := []struct {
		name string
		spot func([]Result) ([]Result, error) // what child 40's batch gives
		want string
	}{
		{"an error", func([]Result) ([]Result, error) { return nil, broken }, "child"},
		{"too few results", func(r []Result) ([]Result, error) { return r[1:], nil }, "results, want"},
		{"no objectives", func(r []Result) ([]Result, error) { return make([]Result, len(r)), nil }, "0 objectives, want 2"},
		{"more objectives", func(r []Result) ([]Result, error) {
			return slices.Repeat([]Result{{F: []float64{1, 2, 3}}}, len(r)), nil
		}, "3 objectives, want 2"},
	}
	whole, _ := journaled(t, grid(nil), gridOptions())
	for _, tt := range tests {
		for _, workers := range []int{1, 4} {
			t.Run(fmt.Sprint(tt.name, workers), func(t *testing.T) {
				p := grid(nil)
				inner, key := p.Evaluate, p.Key(whole.All[40].Genome)
				p.Evaluate = func(ctx context.Context, gs [][]int) ([]Result, error) {
					out, err := inner(ctx, gs)
					if slices.ContainsFunc(gs, func(g []int) bool { return p.Key(g) == key }) {
						return tt.spot(out)
					}
					return out, err
				}
				o := gridOptions()
				o.Workers = workers
				out, err := Run(context.Background(), p, o)
				if err == nil || !strings.Contains(err.Error(), tt.want) || out.Reason != Failed {
					t.Fatalf("error %v, reason %q, want an error with %q", err, out.Reason, tt.want)
				}
				if tt.name == "an error" && !errors.Is(err, broken) {
					t.Errorf("%v does not wrap the cause", err)
				}
				if len(out.All) > 40 || fmt.Sprint(out.All) != fmt.Sprint(whole.All[:len(out.All)]) {
					t.Errorf("%d entries, want a prefix of at most 40", len(out.All))
				}
			})
		}
	}
}

func TestJournalFails(t *testing.T) {
	full := errors.New("no space left")
	o := gridOptions()
	calls := 0
	o.Journal = func(e Entry[[]int]) error {
		if calls++; e.Index == 33 {
			return full
		}
		return nil
	}
	out, err := Run(context.Background(), grid(nil), o)
	if !errors.Is(err, full) || out.Reason != Failed || len(out.All) != 33 || calls != 34 {
		t.Errorf("error %v, reason %q, %d entries, %d calls", err, out.Reason, len(out.All), calls)
	}
}

// TestExhausted searches spaces with fewer genomes than evaluations.
func TestExhausted(t *testing.T) {
	for _, size := range []int{1, 2, 5, 30, 100} {
		for name, search := range map[string]func(context.Context, Problem[int], Options[int]) (*Outcome[int], error){
			"Run": Run[int], "Random": Random[int],
		} {
			p := Problem[int]{
				Random:    func(r *rand.Rand) int { return r.IntN(size) },
				Crossover: func(a, b int, r *rand.Rand) int { return (a + b) / 2 },
				Mutate:    func(g int, r *rand.Rand) int { return (g + r.IntN(size)) % size },
				Key:       func(g int) string { return fmt.Sprint(g) },
				Evaluate: func(_ context.Context, gs []int) ([]Result, error) {
					out := make([]Result, len(gs))
					for i, g := range gs {
						out[i].F = []float64{float64(g), float64(-g)}
					}
					return out, nil
				},
			}
			o := Options[int]{Population: 8, Evaluations: 1000, Lag: 4, Workers: 2, Retries: 5000, Seed: 5}
			out, err := search(context.Background(), p, o)
			if err != nil || out.Reason != Exhausted || len(out.All) != size || len(out.Front) != size {
				t.Fatalf("%s over %d genomes: error %v, reason %q, %d entries, front of %d", name, size, err, out.Reason, len(out.All), len(out.Front))
			}
			o.Known = out.All[:size/2]
			again, err := search(context.Background(), p, o)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(out) {
				t.Errorf("%s over %d genomes: resumed to another outcome (%v)", name, size, err)
			}
			o.Known = append(slices.Clone(out.All), Entry[int]{Index: size})
			if _, err := search(context.Background(), p, o); err == nil || !strings.Contains(err.Error(), "exhausted after") {
				t.Errorf("%s over %d genomes: one entry too many: error %v", name, size, err)
			}
		}
	}
}

func TestRetriesAreBounded(t *testing.T) {
	mutations, randoms := 0, 0
	p := grid(nil)
	p.Mutate = func(g []int, _ *rand.Rand) []int { mutations++; return g }
	p.Random = func(*rand.Rand) []int { randoms++; return []int{1, 2, 3, 4} }
	o := gridOptions()
	o.Retries = 10
	out, err := Run(context.Background(), p, o)
	if err != nil || out.Reason != Exhausted || len(out.All) != 1 || mutations != 5 || randoms != 1+1+5 {
		t.Errorf("error %v, reason %q, %d entries, %d mutations, %d draws", err, out.Reason, len(out.All), mutations, randoms)
	}
}

func TestStall(t *testing.T) {
	o := gridOptions()
	o.Evaluations, o.Stall, o.StallGain = 5000, 150, 1e-3
	var volumes []float64
	o.Progress = func(p Progress) { volumes = append(volumes, p.Hypervolume) }
	want, journal := journaled(t, grid(nil), o)
	n := len(want.All)
	if want.Reason != Stalled || n >= 5000 || n < o.Population+o.Stall || len(volumes) != n {
		t.Fatalf("reason %q after %d entries, %d reports", want.Reason, n, len(volumes))
	}
	for i, v := range volumes {
		stalled := i >= o.Stall && volumes[i-o.Stall] > 0 && v-volumes[i-o.Stall] <= o.StallGain*volumes[i-o.Stall]
		if stalled != (i == n-1) {
			t.Errorf("stalled after entry %d: %v, but the search had %d", i, stalled, n)
		}
	}
	o.Workers, o.Known, o.Progress = 5, want.All[:n/2], nil
	got, rest := journaled(t, grid(func(context.Context, [][]int) error {
		time.Sleep(50 * time.Microsecond)
		return nil
	}), o)
	if text(t, got) != text(t, want) || !strings.HasSuffix(string(journal), string(rest)) {
		t.Error("resumed before it stalled: another outcome")
	}
	o.Known = want.All
	if got, rest := journaled(t, grid(nil), o); text(t, got) != text(t, want) || len(rest) != 0 {
		t.Error("resumed after it stalled: another outcome")
	}
}

func TestStart(t *testing.T) {
	o := gridOptions()
	o.Start = [][]int{{9, 0, 0, 0}, {0, 9, 9, 9}, {9, 0, 0, 0}, {5, 5, 0, 0}}
	out, _ := journaled(t, grid(nil), o)
	for i, want := range []string{"[9 0 0 0]", "[0 9 9 9]", "[5 5 0 0]"} {
		if got := fmt.Sprint(out.All[i].Genome); got != want {
			t.Errorf("child %d is %s, want %s", i, got, want)
		}
	}
	seen := map[string]bool{}
	for _, e := range out.All {
		key := fmt.Sprint(e.Genome)
		if seen[key] {
			t.Errorf("child %d repeats %s", e.Index, key)
		}
		seen[key] = true
	}
	o.Evaluations = 2 // fewer than the first population, fewer than Start
	if out, _ := journaled(t, grid(nil), o); len(out.All) != 2 || out.Reason != Spent || out.Hypervolume == 0 {
		t.Errorf("two evaluations: %+v", out)
	}
}

// TestWorkersWorkTogether needs four evaluations at the same time to end.
func TestWorkersWorkTogether(t *testing.T) {
	const workers = 4
	var running, most atomic.Int64
	together := make(chan struct{})
	p := grid(func(ctx context.Context, gs [][]int) error {
		n := running.Add(1)
		defer running.Add(-1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		if n == workers {
			select {
			case <-together:
			default:
				close(together)
			}
		}
		select {
		case <-together:
		case <-time.After(20 * time.Second):
			return errors.New("evaluated one after the other")
		}
		if len(gs) > 2 {
			return fmt.Errorf("a batch of %d, want at most 2", len(gs))
		}
		return nil
	})
	o := gridOptions()
	o.Workers, o.Lag, o.Batch = workers, 16, 2
	if _, err := Run(context.Background(), p, o); err != nil {
		t.Fatal(err)
	}
	if most.Load() != workers {
		t.Errorf("%d evaluations at the same time, want %d", most.Load(), workers)
	}
}

func TestProgress(t *testing.T) {
	whole, _ := journaled(t, faulty(grid(nil)), gridOptions())
	o := gridOptions()
	o.Known = whole.All[:70]
	var reports []Progress
	o.Progress = func(p Progress) { reports = append(reports, p) }
	out, _ := journaled(t, faulty(grid(nil)), o)
	if len(reports) != 151 {
		t.Fatalf("%d reports, want 1 after the replay and 150", len(reports))
	}
	failed := 0
	for _, e := range out.All {
		if e.Result.Err != "" {
			failed++
		}
	}
	for i, p := range reports {
		if p.Evaluations != 70+i || p.Replayed != 70 || p.Budget != 220 || p.Rate < 0 || i > 0 && p.Hypervolume < reports[i-1].Hypervolume {
			t.Errorf("report %d: %+v", i, p)
		}
	}
	last := reports[150]
	if last.Front != len(out.Front) || last.Failed != failed || last.Rate == 0 ||
		!(last.Hypervolume > 0.999999*out.Hypervolume && last.Hypervolume < 1.000001*out.Hypervolume) {
		t.Errorf("last report %+v, outcome has a front of %d, hypervolume %v, %d failed", last, len(out.Front), out.Hypervolume, failed)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *Problem[[]int], o *Options[[]int])
		want   string
	}{
		{"no budget", func(_ *Problem[[]int], o *Options[[]int]) { o.Evaluations = 0 }, "evolve: evaluations: 0, want at least 1"},
		{"one member", func(_ *Problem[[]int], o *Options[[]int]) { o.Population = 1 }, "evolve: population: 1, want at least 2"},
		{"lag", func(_ *Problem[[]int], o *Options[[]int]) { o.Lag = -1 }, "evolve: lag: -1, want at least 1"},
		{"workers", func(_ *Problem[[]int], o *Options[[]int]) { o.Workers = -2 }, "evolve: workers: -2, want at least 1"},
		{"batch", func(_ *Problem[[]int], o *Options[[]int]) { o.Batch = -1 }, "evolve: batch: -1, want at least 1"},
		{"retries", func(_ *Problem[[]int], o *Options[[]int]) { o.Retries = -1 }, "evolve: retries: -1, want at least 1"},
		{"stall", func(_ *Problem[[]int], o *Options[[]int]) { o.Stall = -1 }, "evolve: stall: -1, want at least 0"},
		{"stall gain", func(_ *Problem[[]int], o *Options[[]int]) { o.StallGain = -1 }, "evolve: stall gain: -1, want a number above 0"},
		{"reference", func(_ *Problem[[]int], o *Options[[]int]) { o.Reference = []float64{1, math.NaN()} }, "evolve: reference: value 1 is NaN"},
		{"reference of another length", func(_ *Problem[[]int], o *Options[[]int]) { o.Reference = []float64{1, 2, 3} }, "2 objectives, want 3"},
		{"no operator", func(p *Problem[[]int], _ *Options[[]int]) { p.Mutate = nil }, "evolve: problem: a function is nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, o := grid(nil), gridOptions()
			tt.change(&p, &o)
			for _, search := range []func(context.Context, Problem[[]int], Options[[]int]) (*Outcome[[]int], error){Run[[]int], Random[[]int]} {
				if _, err := search(context.Background(), p, o); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
			}
		})
	}
	// Zero values are defaults.
	if out, err := Run(context.Background(), grid(nil), Options[[]int]{Evaluations: 100}); err != nil || len(out.All) != 100 || len(out.Population) != 64 {
		t.Errorf("defaults: error %v", err)
	}
}

// TestOthersAreCancelled lets one batch fail or the search stall while the other
// batches wait for the end of their context.
func TestOthersAreCancelled(t *testing.T) {
	whole, _ := journaled(t, grid(nil), gridOptions())
	for _, stall := range []bool{false, true} {
		var waiting atomic.Int64
		p := grid(nil)
		inner, last := p.Evaluate, p.Key(whole.All[60].Genome)
		ahead := map[string]bool{} // launched before 60 is committed
		for _, e := range whole.All[61:64] {
			ahead[p.Key(e.Genome)] = true
		}
		p.Evaluate = func(ctx context.Context, gs [][]int) ([]Result, error) {
			switch key := p.Key(gs[0]); {
			case ahead[key]:
				waiting.Add(1)
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(20 * time.Second):
					t.Error("a batch was left to run when the search had ended")
				}
			case key == last:
				for began := time.Now(); waiting.Load() < 3 && time.Since(began) < 20*time.Second; {
					time.Sleep(100 * time.Microsecond)
				}
				if !stall {
					return nil, errors.New("broken")
				}
			}
			return inner(ctx, gs)
		}
		o := gridOptions()
		o.Workers, o.Batch = 4, 1
		want := Failed
		if stall {
			// No growth is enough, counted from the first feasible entry on.
			first := slices.IndexFunc(whole.All, func(e Entry[[]int]) bool { return e.Result.CV == 0 })
			o.Stall, o.StallGain, want = 60-first, 1e9, Stalled
			o.Reference = []float64{1000, 1000}
		}
		out, err := Run(context.Background(), p, o)
		if out.Reason != want || (err == nil) != stall || waiting.Load() != 3 {
			t.Errorf("stall %v: reason %q, error %v, %d waited", stall, out.Reason, err, waiting.Load())
		}
	}
}
