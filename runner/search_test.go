package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evosr/rundir"
	"evosr/space"
)

// short is the smoke config with a search that is all of it, and a change.
func short(change string) string {
	return strings.TrimSuffix("steps=40\nfinetune=0\nevaluations=90\n"+change, "\n")
}

// searched opens a run for a look at its evaluations.
func searched(t *testing.T, dir string) (all []rundir.Evaluation, reason string) {
	t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if all, err = d.Evaluations(); err != nil {
		t.Fatal(err)
	}
	if reason, _, err = d.SearchEnd(); err != nil {
		t.Fatal(err)
	}
	return all, reason
}

// TestModes runs every mode with 1 to 8 workers, and interrupted:
// the same bytes.
func TestModes(t *testing.T) {
	fronts := map[string]string{}
	for _, mode := range []string{"joint", "staged", "local", "regularised", "random"} {
		var want []byte
		counts := []int{1, 8}
		if mode == "joint" {
			counts = []int{1, 2, 4, 8}
		}
		for _, workers := range counts {
			dir := filepath.Join(t.TempDir(), "run")
			got := mustRun(t, smoke(t, short("mode="+mode)), dir, Options{Workers: workers})
			if want == nil {
				want = got
				all, reason := searched(t, dir)
				spent := len(all) == 90 && reason == "evaluations spent"
				if !spent && !(mode == "staged" && reason == "space exhausted") { // few ratios of few architectures
					t.Errorf("%s: %d evaluations, %s", mode, len(all), reason)
				}
				if mode == "staged" {
					seam(t, all)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %d workers give another front", mode, workers)
			}
		}
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(ctx, smoke(t, short("mode="+mode)), dir, Options{Workers: 3, Report: func(p Progress) {
			if p.Stage == rundir.StageSearch && p.Done > 0 { // later ones may come too late on a fast machine
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, ErrInterrupted) {
			t.Fatalf("%s: %v, want ErrInterrupted", mode, err)
		}
		if got := mustRun(t, smoke(t, short("mode="+mode)), dir, Options{Workers: 2}); !bytes.Equal(got, want) {
			t.Errorf("%s: another front after an interruption", mode)
		}
		fronts[string(want)] = mode
	}
	if len(fronts) < 5 {
		t.Errorf("five modes give %d fronts", len(fronts))
	}
}

// TestStagedBudget wants a staged search under a budget to hold it, and the
// order of its parts.
func TestStagedBudget(t *testing.T) {
	free := filepath.Join(t.TempDir(), "run")
	mustRun(t, smoke(t, short("mode=random")), free, Options{})
	points := openFront(t, free).Points
	budget := (points[0].LatencyMS + points[len(points)-1].LatencyMS) / 2
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, smoke(t, short(fmt.Sprintf("mode=staged\nbudget_ms=%v", budget))), dir, Options{})
	for _, p := range openFront(t, dir).Points {
		if p.LatencyMS > budget {
			t.Errorf("%s takes %v ms of %v", p.ID, p.LatencyMS, budget)
		}
	}
	all, _ := searched(t, dir)
	seam(t, all)
	kept := 0
	for _, e := range all[32:] {
		if e.Violation == 0 {
			kept++
		}
	}
	if kept < len(all[32:])*3/4 {
		t.Errorf("%d of %d children keep the budget, want most of them: infeasible ones are repaired", kept, len(all[32:]))
	}
}

// seam looks at a staged search: one ratio before the middle, the architectures
// of before after it.
func seam(t *testing.T, all []rundir.Evaluation) {
	t.Helper()
	parse := func(text string) space.Genome {
		g, err := space.ParseGenome(text)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	ratios := map[string]bool{}
	for _, e := range all[:45] {
		for part := range strings.FieldsFuncSeq(e.Genome, func(r rune) bool { return strings.ContainsRune(";=,", r) }) {
			if _, percent, ok := strings.Cut(part, "@"); ok {
				ratios[percent] = true
			}
		}
	}
	if len(ratios) != 1 {
		t.Errorf("the first half has ratios %v, want one", ratios)
	}
	for _, e := range all[45:] {
		known := false
		for _, before := range all[:45] {
			known = known || space.SameButRatios(parse(e.Genome), parse(before.Genome))
		}
		if !known {
			t.Errorf("evaluation %d, %s, has an architecture of its own", e.Index, e.Genome)
		}
	}
}

// TestScreening holds a search that estimates against one that measures all:
// nothing estimated is on the front, and with the same children the same points
// are.
func TestScreening(t *testing.T) {
	// Random breeds the same children either way.
	one, two := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "run")
	with := mustRun(t, smoke(t, short("mode=random\nsteps=200")), one, Options{})
	without := mustRun(t, smoke(t, short("mode=random\nsteps=200\nscreen=false")), two, Options{})
	all, _ := searched(t, one)
	estimated := 0
	for _, e := range all {
		if e.Estimated {
			estimated++
			if bytes.Contains(with, []byte(e.ID)) {
				t.Errorf("%s was estimated and is on the front", e.ID)
			}
		}
	}
	if estimated < 5 {
		t.Errorf("%d of %d evaluations were estimated", estimated, len(all))
	}
	if !bytes.Equal(with, without) {
		t.Errorf("with estimates the front is\n%s\nwithout\n%s", with, without)
	}
}

// TestStops wants the reason of every way in which a search ends.
func TestStops(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, smoke(t, short("stall=20\nevaluations=2000")), dir, Options{})
	if all, reason := searched(t, dir); reason != "hypervolume stalled" || len(all) >= 2000 {
		t.Errorf("stall: %s after %d", reason, len(all))
	}
	dir = filepath.Join(t.TempDir(), "run")
	cfg := smoke(t, short("max_minutes=0.01"))
	cfg.Search.Evaluations = 1e6
	began := time.Now()
	front := mustRun(t, cfg, dir, Options{})
	all, reason := searched(t, dir)
	if reason != "time spent" || len(all) == 0 || time.Since(began) > time.Minute {
		t.Errorf("time: %s after %d", reason, len(all))
	}
	if again := mustRun(t, cfg, dir, Options{}); !bytes.Equal(again, front) {
		t.Error("time: a finished run gives another front")
	}
}

// TestSearchSeed repeats the search alone.
func TestSearchSeed(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "run")
	first := mustRun(t, smoke(t, short("")), a, Options{})
	second := mustRun(t, smoke(t, short("search.seed=2")), b, Options{})
	if bytes.Equal(first, second) {
		t.Error("another seed of the search gives the same front")
	}
	x, err := rundir.OpenStore(a, false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := rundir.OpenStore(b, false)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	for _, key := range []string{rundir.MetaValidation, rundir.MetaTrainData, rundir.MetaSupernet} {
		u, err1 := x.Meta(key)
		v, err2 := y.Meta(key)
		if u == "" || u != v || err1 != nil || err2 != nil {
			t.Errorf("%s: %q and %q (%v, %v)", key, u, v, err1, err2)
		}
	}
}

// TestScoresAreKept loses the rows of the last evaluations, as a kill may, and
// wants them scored from what was measured.
func TestScoresAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cfg := smoke(t, short(""))
	want := mustRun(t, cfg, dir, Options{})
	before := scoresKept(t, dir)
	if before < 90 {
		t.Fatalf("%d scores kept", before)
	}
	// A score that nobody would measure shows where it came from.
	query(t, dir, "DELETE FROM winners", "DELETE FROM front", "DELETE FROM evaluations WHERE idx > 40",
		"DELETE FROM meta WHERE key IN ('search.end', 'winners.finished')")
	if got := mustRun(t, cfg, dir, Options{Workers: 2}); !bytes.Equal(got, want) {
		t.Error("another front from kept scores")
	}
	if after := scoresKept(t, dir); after != before {
		t.Errorf("%d scores after %d: something was measured again", after, before)
	}
}
