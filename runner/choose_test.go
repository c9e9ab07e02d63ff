package runner

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/fitness"
	"evosr/internal/check"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
)

func TestChoose(t *testing.T) {
	line := func(pairs ...float64) (list []rundir.Point) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, rundir.Point{ID: fmt.Sprintf("p%d", i/2), Values: fitness.Values{LatencyMS: pairs[i], PSNR: pairs[i+1]}})
		}
		return list
	}
	bent := line(1, 30, 2, 34, 4, 34.5, 8, 35, 16, 35.2)
	tests := []struct {
		name    string
		points  []rundir.Point
		budgets []float64
		count   int
		want    []string // id: reason
	}{
		{"no front", nil, []float64{5}, 3, nil},
		{"one point", line(3, 30), []float64{5, 1}, 3, []string{"p0: knee, best under 5 ms"}},
		{"the knee", bent, nil, 1, []string{"p1: knee"}},
		{"and the ends", bent, nil, 3, []string{"p1: knee", "p0: fastest", "p4: best picture"}},
		{"all", bent, nil, 9, []string{"p1: knee", "p0: fastest", "p4: best picture", "p2: spread", "p3: spread"}},
		{"budgets", bent, []float64{5, 0.5, 4}, 2, []string{"p1: knee", "p2: best under 5 ms, best under 4 ms"}},
		{"budgets above count", bent, []float64{1, 4, 9}, 1, []string{"p1: knee", "p0: best under 1 ms", "p2: best under 4 ms", "p3: best under 9 ms"}},
		{"no knee on a straight line", line(1, 30, 2, 31, 3, 32), nil, 1, []string{"p1: knee"}},
		{"worse and slower ones of other objectives", line(1, 30, 2, 29, 4, 32), nil, 3, []string{"p2: knee", "p0: fastest"}},
		{"equal latencies", line(2, 31, 2, 30), nil, 2, []string{"p0: knee"}},
		{"zero latency", line(0, 30, 2, 31), nil, 2, []string{"p1: knee", "p0: fastest"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range choose(tt.points, func(p rundir.Point) float64 { return p.PSNR }, asPredicted(tt.budgets), tt.count) {
				got = append(got, c.ID+": "+c.Reason)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestViolation(t *testing.T) {
	tests := []struct {
		name         string
		budget, ms   float64
		most, params int
		room, mb     float64
		want         float64
	}{
		{"no constraints", 0, 99, 0, 99, 0, 99, 0},
		{"within all", 10, 10, 50, 50, 2, 2, 0},
		{"half too slow", 10, 15, 50, 1, 0, 99, 0.5},
		{"all", 10, 20, 50, 75, 2, 2.5, 1.75},
	}
	for _, tt := range tests {
		c := &configs.Config{Search: configs.Search{BudgetMS: tt.budget, MaxParams: tt.most, MaxMemoryMB: tt.room}}
		if got := violation(c, fitness.Score{LatencyMS: tt.ms, Params: tt.params, MemoryBytes: int64(tt.mb * 1e6)}); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestStarts wants every preset's warm start inside its space, spread out.
func TestStarts(t *testing.T) {
	for _, name := range configs.Presets() {
		cfg := preset(t, name)
		list := starts(&cfg.Space, cfg.Search.Population/2)
		seen := map[string]bool{}
		widths := map[int]bool{}
		for _, g := range list {
			if err := cfg.Space.Check(g); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			seen[g.String()], widths[g.Width] = true, true
		}
		if len(seen) < min(6, cfg.Search.Population/2) || len(widths) < 2 || len(list) > cfg.Search.Population/2 {
			t.Errorf("%s: %d different starts of %d, %d widths", name, len(seen), len(list), len(widths))
		}
	}
	lonely := &space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{{Blocks: space.Blocks{space.Lean: space.Once()}}}}
	if list := starts(lonely, 0); len(list) != 1 || lonely.Check(list[0]) != nil {
		t.Errorf("starts of a space of one: %v", list)
	}
}

func preset(t *testing.T, name string) *configs.Config {
	t.Helper()
	text, err := configs.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Parse(name+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestFastest holds the search for the fastest genome against the whole of a
// small space.
func TestFastest(t *testing.T) {
	cfg := preset(t, "smoke")
	cfg.Space = space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8},
		Slots:   []space.Slot{{Blocks: space.Blocks{space.Plain: {1}, space.Lean: space.Once()}}},
		Schemes: []network.Scheme{network.Filter, network.Block4, network.Unstructured}, Percents: []int{50, 75}}
	m := newGauge(cfg, nil, nil)
	got, err := m.fastest()
	if err != nil {
		t.Fatal(err)
	}
	rng := check.Rand(t)
	least := math.MaxInt
	for range 2000 { // the space holds 2*5*5*(7*7+7) genomes
		e, err := m.of(cfg.Space.Random(rng))
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, e.MACs)
	}
	if got.MACs > least {
		t.Errorf("fastest has %d multiplications (%s), a random genome %d", got.MACs, got.Genome, least)
	}
}

func TestPlan(t *testing.T) {
	cfg := preset(t, "smoke")
	e, err := Plan(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if e.Genomes != cfg.Space.Count().String() || math.Abs(e.Log10-math.Log10(float64(cfg.Space.Count().Int64()))) > 1e-9 {
		t.Errorf("size %s, 10^%v", e.Genomes, e.Log10)
	}
	if e.Satisfiable != "yes" || !(e.Fastest.LatencyMS > 0) || e.Fastest.LatencyMS > e.Centre.LatencyMS || e.Centre.LatencyMS > e.Largest.LatencyMS || e.Smallest.Params > e.Largest.Params {
		t.Errorf("estimate %+v", e)
	}
	if len(e.Time) != 5 || e.Total() <= 0 || e.Disk < 100_000 || e.Disk > 10<<20 {
		t.Errorf("time %v, disk %d", e.Time, e.Disk)
	}
	cfg.Search.BudgetMS = e.Fastest.LatencyMS / 2
	if e, err = Plan(t.Context(), cfg); err != nil || e.Satisfiable != "no" || !strings.Contains(e.Why, "budget") {
		t.Errorf("an impossible budget: %+v, %v", e, err)
	}
	cfg.Device.Profile = ""
	if e, err = Plan(t.Context(), cfg); err != nil || e.Satisfiable != "unknown" || e.Fastest.LatencyMS != 0 {
		t.Errorf("without a profile: %+v, %v", e, err)
	}
	cfg.Data.Train = t.TempDir()
	if _, err = Plan(t.Context(), cfg); !errors.Is(err, rundir.ErrData) || !strings.Contains(err.Error(), cfg.Data.Train) {
		t.Errorf("a folder without pictures: %v, want rundir.ErrData", err)
	}
	big := preset(t, "paper")
	if n := log10(big.Space.Count()); n < 50 || math.IsInf(n, 0) {
		t.Errorf("the paper's space has 10^%v genomes", n)
	}
}
