package evolve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ways are the methods over the faulty grid, each with all that it can use.
func ways() map[string]func(context.Context, Problem[[]int], Options[[]int]) (*Outcome[[]int], error) {
	return map[string]func(context.Context, Problem[[]int], Options[[]int]) (*Outcome[[]int], error){
		"Run": Run[[]int], "Random": Random[[]int], "Local": Local[[]int], "Regularised": Regularised[[]int],
		"Staged": func(ctx context.Context, p Problem[[]int], o Options[[]int]) (*Outcome[[]int], error) {
			first, stages := gridStages(p, 100)
			return Staged(ctx, first, stages, o)
		},
	}
}

// gridStages keeps the last number of a genome at 5 before child from, and the
// others as they were after it.
func gridStages(p Problem[[]int], from int) (Problem[[]int], []Stage[[]int]) {
	random, mutate := p.Random, p.Mutate
	fixed := func(g []int) []int { g[3] = 5; return g }
	cross := p.Crossover
	p.Random = func(r *rand.Rand) []int { return fixed(random(r)) }
	p.Mutate = func(g []int, r *rand.Rand) []int { return fixed(mutate(g, r)) }
	p.Crossover = func(a, b []int, r *rand.Rand) []int { return fixed(cross(a, b, r)) }
	var kept [][]int
	last := func(g []int, r *rand.Rand) []int {
		g = slices.Clone(g)
		g[3] = r.IntN(10)
		return g
	}
	return p, []Stage[[]int]{{
		From:   from,
		Random: func(r *rand.Rand) []int { return last(kept[r.IntN(len(kept))], r) },
		Mutate: last,
		Keep: func(survivors []Entry[[]int]) []bool {
			keep := make([]bool, len(survivors))
			kept = nil
			for i, e := range survivors {
				if keep[i] = i%2 == 0; keep[i] {
					kept = append(kept, e.Genome)
				}
			}
			return keep
		},
	}}
}

// screened makes p estimate what cannot enter the front: the bound is the true
// score but for a margin, the estimate is off by that margin.
func screened(p Problem[[]int], estimated *atomic.Int64) Problem[[]int] {
	p.Screen = func(ctx context.Context, gs [][]int, hopeless func(int, []float64) bool) ([]Result, error) {
		out, err := p.Evaluate(ctx, gs)
		for i := range out {
			if f := out[i].F; len(f) == 2 && hopeless(i, []float64{f[0] - 1, f[1] - 1}) {
				out[i].F, out[i].Estimated = []float64{f[0] + 1, f[1] - 1}, true
				estimated.Add(1)
			}
		}
		return out, err
	}
	return p
}

// TestMethods holds every method to the promises of the fixed lag: any number
// of workers, and a resume after any entry, give the same bytes.
func TestMethods(t *testing.T) {
	for name, search := range ways() {
		t.Run(name, func(t *testing.T) {
			var estimated atomic.Int64
			run := func(o Options[[]int], p Problem[[]int]) (string, []byte) {
				t.Helper()
				var journal bytes.Buffer
				o.Journal = func(e Entry[[]int]) error { return json.NewEncoder(&journal).Encode(e) }
				out, err := search(context.Background(), p, o)
				if err != nil {
					t.Fatal(err)
				}
				if name != "Staged" && len(out.All) != o.Evaluations || len(out.All) < 150 { // its second part has few genomes
					t.Fatalf("%d entries, %s", len(out.All), out.Reason)
				}
				for _, e := range out.Front {
					if e.Result.Estimated || e.Result.Err != "" || e.Result.CV > 0 {
						t.Errorf("on the front: %+v", e)
					}
				}
				return text(t, out), journal.Bytes()
			}
			problem := screened(faulty(grid(nil)), &estimated)
			want, journal := run(gridOptions(), problem)
			if estimated.Load() == 0 {
				t.Error("nothing was estimated")
			}
			for _, workers := range []int{2, 4, 8} {
				o := gridOptions()
				o.Workers, o.Batch = workers, workers%3+1
				slow := screened(faulty(grid(func(context.Context, [][]int) error {
					time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
					return nil
				})), &estimated)
				if got, b := run(o, slow); got != want || !bytes.Equal(b, journal) {
					t.Errorf("%d workers: another outcome", workers)
				}
			}
			var known []Entry[[]int]
			for line := range bytes.Lines(journal) {
				var e Entry[[]int]
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatal(err)
				}
				known = append(known, e)
			}
			for n := 0; n <= len(known); n += 7 {
				o := gridOptions()
				o.Workers, o.Known = 3, known[:n]
				if got, rest := run(o, problem); got != want || !bytes.HasSuffix(journal, rest) {
					t.Fatalf("resumed after %d: another outcome", n)
				}
			}
			o := gridOptions()
			o.Seed++
			if _, b := run(o, problem); bytes.Equal(b, journal) {
				t.Error("another seed gives the same journal")
			}
		})
	}
}

// TestScreen wants of everything that was estimated that it is no loss: its
// true score is matched by an entry that was committed when it was bred.
func TestScreen(t *testing.T) {
	var estimated atomic.Int64
	out, _ := journaled(t, screened(grid(nil), &estimated), gridOptions())
	n := 0
	for _, e := range out.All {
		if !e.Result.Estimated {
			continue
		}
		n++
		f := gridScore(e.Genome).F
		if !slices.ContainsFunc(out.All[:max(0, e.Index-gridOptions().Lag+1)], func(b Entry[[]int]) bool {
			return !b.Result.Estimated && b.Result.CV == 0 && atMost(b.Result.F, []float64{f[0] - 1, f[1] - 1})
		}) {
			t.Errorf("entry %d was estimated, but nothing before was as good as its bound", e.Index)
		}
	}
	if n < 20 || int(estimated.Load()) != n {
		t.Errorf("%d of %d estimated, counted %d", n, len(out.All), estimated.Load())
	}
	var last Progress
	o := gridOptions()
	o.Progress = func(p Progress) { last = p }
	journaled(t, screened(grid(nil), &estimated), o)
	if last.Estimated != n {
		t.Errorf("progress tells of %d, want %d", last.Estimated, n)
	}
}

// TestStaged looks at the seam: nothing of the second part is bred before all
// of the first is committed, and the parts vary what they should.
func TestStaged(t *testing.T) {
	const from = 80
	first, stages := gridStages(grid(nil), from)
	var survivors []Entry[[]int]
	keep := stages[0].Keep
	stages[0].Keep = func(s []Entry[[]int]) []bool {
		survivors = s
		return keep(s)
	}
	out, err := Staged(context.Background(), first, stages, gridOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(survivors) != gridOptions().Population || survivors[len(survivors)-1].Index >= from {
		t.Fatalf("%d survivors at the seam, the last %+v", len(survivors), survivors[len(survivors)-1])
	}
	kept := map[string]bool{}
	for i, e := range survivors {
		if i%2 == 0 {
			kept[fmt.Sprint(e.Genome[:3])] = true
		}
	}
	free := 0
	for _, e := range out.All {
		switch {
		case e.Index < from && e.Genome[3] != 5:
			t.Errorf("entry %d of the first part is %v", e.Index, e.Genome)
		case e.Index >= from && !kept[fmt.Sprint(e.Genome[:3])]:
			t.Errorf("entry %d, %v, does not come from a survivor that was kept", e.Index, e.Genome)
		case e.Index >= from && e.Genome[3] != 5:
			free++
		}
	}
	if free < len(kept) {
		t.Errorf("the second part varied %d genomes", free)
	}
	if out.Reason != Exhausted { // ten genomes for each that was kept
		t.Errorf("reason %q, want %q", out.Reason, Exhausted)
	}
	// A first part that runs out of genomes hands over early.
	first.Random = func(r *rand.Rand) []int { return []int{r.IntN(3), r.IntN(10), 5, 5} }
	first.Mutate = func(g []int, r *rand.Rand) []int { return first.Random(r) }
	first.Crossover = nil
	out, err = Staged(context.Background(), first, stages, gridOptions())
	if err != nil || !slices.ContainsFunc(out.All[:60], func(e Entry[[]int]) bool { return e.Genome[3] != 5 }) {
		t.Errorf("a first part of 30 genomes did not end: %v", err)
	}
	for _, bad := range [][]Stage[[]int]{{{From: 0}}, {stages[0], stages[0]}, {{From: 10}}} {
		if _, err := Staged(context.Background(), first, bad, gridOptions()); err == nil || !strings.Contains(err.Error(), "evolve: stage") {
			t.Errorf("error %v, want one about the stage", err)
		}
	}
}

// TestRegularised wants the oldest to die, and only them.
func TestRegularised(t *testing.T) {
	out, err := Regularised(context.Background(), grid(nil), gridOptions())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range out.Population {
		if want := len(out.All) - len(out.Population) + i; e.Index != want {
			t.Errorf("member %d is entry %d, want %d", i, e.Index, want)
		}
	}
}

// TestLocal wants every member of the front to be left in its turn.
func TestLocal(t *testing.T) {
	p := grid(nil)
	var from []string
	p.Neighbour = func(g []int, r *rand.Rand) []int {
		from = append(from, fmt.Sprint(g))
		return p.Mutate(g, r)
	}
	out, err := Local(context.Background(), p, gridOptions())
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, g := range from {
		times[g]++
	}
	left := 0
	for _, e := range out.Front {
		if times[fmt.Sprint(e.Genome)] > 0 {
			left++
		}
	}
	if len(from) != len(out.All)-gridOptions().Population || left < len(out.Front)/2 {
		t.Errorf("%d moves, %d of %d members of the front were left", len(from), left, len(out.Front))
	}
}

// TestRepair wants every random genome and every child to be repaired, once,
// when it is new.
func TestRepair(t *testing.T) {
	p := grid(nil)
	calls := 0
	p.Repair = func(g []int, r *rand.Rand) []int {
		calls++
		g = slices.Clone(g)
		g[2] = g[2] / 2 * 2 // even only
		return g
	}
	o := gridOptions()
	o.Start = [][]int{{9, 9, 9, 9}}
	out, _ := journaled(t, p, o)
	for _, e := range out.All[1:] {
		if e.Genome[2]%2 != 0 {
			t.Errorf("entry %d, %v, is not repaired", e.Index, e.Genome)
		}
	}
	if fmt.Sprint(out.All[0].Genome) != "[9 9 9 9]" || calls < len(out.All)-1 {
		t.Errorf("%d repairs, first entry %v", calls, out.All[0].Genome)
	}
}

// TestDeadline ends a search by the clock and goes on from its journal.
func TestDeadline(t *testing.T) {
	want, _ := journaled(t, grid(nil), gridOptions())
	o := gridOptions()
	o.Workers = 3
	o.Deadline = time.Now().Add(30 * time.Millisecond)
	p := grid(func(context.Context, [][]int) error {
		time.Sleep(2 * time.Millisecond)
		return nil
	})
	out, err := Run(context.Background(), p, o)
	if err != nil || out.Reason != Late || len(out.All) == 0 || len(out.All) == len(want.All) {
		t.Fatalf("error %v, reason %q after %d entries", err, out.Reason, len(out.All))
	}
	if fmt.Sprint(out.All) != fmt.Sprint(want.All[:len(out.All)]) || len(out.Front) == 0 {
		t.Error("what was committed is not a prefix of the whole")
	}
	o.Known = out.All
	again, err := Run(context.Background(), p, o)
	if err != nil || text(t, again) != text(t, out) {
		t.Errorf("after the deadline: error %v, reason %q after %d entries", err, again.Reason, len(again.All))
	}
	o.Deadline = time.Time{}
	if all, err := Run(context.Background(), grid(nil), o); err != nil || text(t, all) != text(t, want) {
		t.Errorf("without the deadline: another outcome (%v)", err)
	}
}
