package runner

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/fitness"
	"evosr/rundir"
)

// TestCompare compares searches of two modes with two seeds each on the
// same supernet, and what must not be compared.
func TestCompare(t *testing.T) {
	base := t.TempDir()
	var dirs []string
	for _, run := range []string{"joint=1", "joint=2", "random=1", "random=2"} {
		mode, seed, _ := strings.Cut(run, "=")
		dir := filepath.Join(base, mode+seed)
		mustRun(t, smoke(t, short("steps=200\nmode="+mode+"\nsearch.seed="+seed)), dir, Options{})
		dirs = append(dirs, dir)
	}
	c, err := Compare(dirs, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 0 || c.Evaluations != 90 || len(c.Groups) != 2 || len(c.Tests) != 1 {
		t.Fatalf("%+v", c)
	}
	for _, r := range c.Runs {
		if !(r.Ratio > 0 && r.Ratio <= 1 && r.After[0] > 0 && r.After[0] <= r.After[1] && r.After[1] <= r.Ratio) || r.Seed != 1 || r.End != "evaluations spent" {
			t.Errorf("run %+v", r)
		}
		d, err := rundir.Open(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		// The reference is the searches' own, so are the hypervolumes.
		_, volume, err := d.SearchEnd()
		if err != nil || math.Abs(volume-r.Hypervolume) > 1e-9*volume {
			t.Errorf("%s: hypervolume %v, the search says %v (%v)", r.Dir, r.Hypervolume, volume, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	for i, g := range c.Groups {
		if g.Runs != 2 || g.Min > g.Median || g.Median > g.Max || i > 0 && g.Mean > c.Groups[i-1].Mean {
			t.Errorf("group %+v", g)
		}
	}
	if x := c.Tests[0]; x.Test != "signed-rank" || x.Pairs != 2 || x.A != c.Groups[0].Name || x.Lowest != 0.5 || x.P < 0.5 || x.Gain < 0 {
		t.Errorf("test %+v", x)
	}

	half, err := Compare(dirs, 45)
	if err != nil || half.Evaluations != 45 {
		t.Fatalf("%+v, %v", half, err)
	}
	three, err := Compare(dirs[:3], 0)
	if err != nil || three.Tests[0].Test != "rank-sum" || three.Tests[0].Pairs != 2 {
		t.Errorf("unequal groups: %+v, %v", three, err)
	}

	// Another supernet is another world, another space another group.
	other := filepath.Join(base, "other")
	mustRun(t, smoke(t, short("seed=9")), other, Options{})
	c, err = Compare(append(dirs[:2:2], other), 0)
	if err != nil || len(c.Groups) != 2 || !strings.HasPrefix(c.Groups[0].Name, "joint ") {
		t.Fatalf("%+v, %v", c, err)
	}
	warned := strings.Join(c.Warnings, "; ")
	if !strings.Contains(warned, "2 different combinations") || !strings.Contains(warned, "stands alone") {
		t.Errorf("warnings %q", c.Warnings)
	}

	third := filepath.Join(base, "ssim")
	mustRun(t, smoke(t, short("objectives=ssim,latency_ms")), third, Options{})
	for _, bad := range [][]string{{dirs[0]}, {dirs[0], dirs[0]}, {dirs[0], third}, {dirs[0], base}} {
		if _, err := Compare(bad, 0); !errors.Is(err, rundir.ErrUsage) {
			t.Errorf("%v: %v, want rundir.ErrUsage", bad, err)
		}
	}
}

// TestMeasure wants ratios by hand: what nothing beats is 1, a run that found
// nothing 0.
func TestMeasure(t *testing.T) {
	search := &configs.Search{Objectives: []string{"psnr_db", "latency_ms"}}
	aims, err := fitness.ParseObjectives(search.Objectives)
	if err != nil {
		t.Fatal(err)
	}
	at := func(psnr, ms float64) rundir.Evaluation {
		return rundir.Evaluation{Point: rundir.Point{Values: fitness.Values{PSNR: psnr, LatencyMS: ms}}}
	}
	broken := rundir.Evaluation{Err: "no"}
	estimated, infeasible := at(99, 0.1), at(99, 0.1)
	estimated.Estimated, infeasible.Violation = true, 0.5
	c := &Comparison{Evaluations: 3, Runs: []ComparedRun{
		{Dir: "all", Group: "a", search: search, aims: aims, all: []rundir.Evaluation{at(30, 2), at(31, 3), at(29, 1)}},
		{Dir: "one", Group: "b", search: search, aims: aims, all: []rundir.Evaluation{estimated, infeasible, at(30, 2), at(50, 1)}},
		{Dir: "none", Group: "b", search: search, aims: aims, all: []rundir.Evaluation{broken, estimated, infeasible}},
	}}
	if err := c.measure(); err != nil {
		t.Fatal(err)
	}
	// The union is (30, 2), (31, 3), (29, 1): ranges 2 and 2, reference (28.8, 3.2).
	whole := (3.2-1)*0.2 + (3.2-2)*1 + (3.2-3)*1
	for i, want := range []float64{1, (3.2 - 2) * 1.2 / whole, 0} {
		if got := c.Runs[i].Ratio; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.Runs[i].Dir, got, want)
		}
	}
	if c.Runs[1].Points != 1 {
		t.Errorf("a front of %d points, want what was measured, feasible and counts", c.Runs[1].Points)
	}
}
