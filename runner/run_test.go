package runner

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/rundir"
	"evosr/space"
)

// childDir names the run directory in which this binary, started again, carries
// a short run out instead of running tests.
const childDir = "EVOSR_TEST_RUN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		cfg, err := configs.Load(filepath.Join("configs", "smoke.yaml"))
		if err == nil {
			cfg.Data.Pictures, cfg.Train.Steps, cfg.Train.Checkpoint = 4, 40, 5
			cfg.Search.Evaluations, cfg.Winners.Finetune = 250, 40
			stage := ""
			err = Run(context.Background(), cfg, dir, Options{Report: func(p Progress) {
				if p.Stage != stage {
					stage = p.Stage
					fmt.Println(stage) // TestKill waits for it
				}
			}})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// smoke is the smoke config with a change.
func smoke(t *testing.T, change string) *configs.Config {
	t.Helper()
	text, err := configs.Preset("smoke")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Parse(filepath.Join(t.TempDir(), "smoke.yaml"), text)
	if err != nil {
		t.Fatal(err)
	}
	if change != "" {
		// The change is a config of its own; its keys replace those of smoke.
		for line := range strings.SplitSeq(change, "\n") {
			apply(t, cfg, line)
		}
	}
	return cfg
}

func apply(t *testing.T, cfg *configs.Config, line string) {
	t.Helper()
	path, value, _ := strings.Cut(line, "=")
	var err error
	switch path {
	case "seed":
		_, err = fmt.Sscan(value, &cfg.Seed)
	case "train":
		cfg.Data.Train = value
	case "validation":
		cfg.Data.Validation = value
	case "profile":
		cfg.Device.Profile = value
	case "budget_ms":
		_, err = fmt.Sscan(value, &cfg.Search.BudgetMS)
	case "max_params":
		_, err = fmt.Sscan(value, &cfg.Search.MaxParams)
	case "mode":
		cfg.Search.Mode = value
	case "max_memory_mb":
		_, err = fmt.Sscan(value, &cfg.Search.MaxMemoryMB)
	case "max_minutes":
		_, err = fmt.Sscan(value, &cfg.Search.MaxMinutes)
	case "stall":
		_, err = fmt.Sscan(value, &cfg.Search.Stall)
	case "screen":
		_, err = fmt.Sscan(value, &cfg.Search.Screen)
	case "search.seed":
		_, err = fmt.Sscan(value, &cfg.Search.Seed)
	case "evaluations":
		_, err = fmt.Sscan(value, &cfg.Search.Evaluations)
	case "objectives":
		cfg.Search.Objectives = strings.Split(value, ",")
	case "steps":
		_, err = fmt.Sscan(value, &cfg.Train.Steps)
	case "checkpoint":
		_, err = fmt.Sscan(value, &cfg.Train.Checkpoint)
	case "finetune":
		_, err = fmt.Sscan(value, &cfg.Winners.Finetune)
	default:
		t.Fatalf("unknown change %q", line)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

func mustRun(t *testing.T, cfg *configs.Config, dir string, o Options) []byte {
	t.Helper()
	if err := Run(t.Context(), cfg, dir, o); err != nil {
		t.Fatal(err)
	}
	return frontOf(t, dir)
}

func frontOf(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileFront))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSameFrontForAnyWorkers runs the smoke config with 1, 2 and 4 workers.
func TestSameFrontForAnyWorkers(t *testing.T) {
	var want []byte
	for _, workers := range []int{1, 2, 4} {
		dir := filepath.Join(t.TempDir(), "run")
		got := mustRun(t, smoke(t, ""), dir, Options{Workers: workers})
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d workers give another front:\n%s\nwith 1:\n%s", workers, got, want)
		}
	}
	if n := bytes.Count(want, []byte(`"id"`)); n < 3 {
		t.Errorf("a front of %d points, want a trade-off:\n%s", n, want)
	}
	if got := mustRun(t, smoke(t, "seed=2"), filepath.Join(t.TempDir(), "run"), Options{}); bytes.Equal(got, want) {
		t.Error("another seed gives the same front")
	}
}

// TestInterrupt cancels a run in every stage and continues it.
func TestInterrupt(t *testing.T) {
	want := mustRun(t, smoke(t, ""), filepath.Join(t.TempDir(), "whole"), Options{})
	dir := filepath.Join(t.TempDir(), "run")
	for _, stage := range []string{rundir.StageData, rundir.StageSupernet, rundir.StageSearch, rundir.StageWinners} {
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(ctx, smoke(t, ""), dir, Options{Report: func(p Progress) {
			if p.Stage == stage {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, ErrInterrupted) {
			t.Fatalf("cancelled in %s: %v, want ErrInterrupted", stage, err)
		}
		if stage == rundir.StageData {
			continue
		}
		d, err := rundir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Status()
		if err != nil || s.Running || s.Stage != stage {
			t.Errorf("cancelled in %s: status %+v, %v", stage, s, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := mustRun(t, smoke(t, ""), dir, Options{}); !bytes.Equal(got, want) {
		t.Errorf("the front is\n%s\nwant\n%s", got, want)
	}
}

// TestRefusals holds every way in which a run cannot start to its error, its
// words, and to leaving nothing behind.
func TestRefusals(t *testing.T) {
	base := t.TempDir()
	path := func(parts ...string) string { return filepath.Join(append([]string{base}, parts...)...) }
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := picture(t, 128, 1)
	write("good/a.png", whole)
	write("good/b.png", picture(t, 128, 2))
	write("cut/a.png", whole)
	write("cut/half.png", whole[:len(whole)/2])
	write("small/tiny.png", picture(t, 20, 3))
	write("none/readme.txt", []byte("no picture"))
	write("copy/other.png", whole)
	write("file", nil)
	write("full/notes.txt", nil)
	write("profile.yaml", []byte("cpu: 3\nwarp: 9\n"))
	tests := []struct {
		name, change, dir string
		want              error
		words             []string
	}{
		{"missing folder", "train=" + path("nowhere"), "", rundir.ErrData, []string{"nowhere", "no such file"}},
		{"a file for a folder", "train=" + path("file"), "", rundir.ErrData, []string{"file", "not a folder"}},
		{"no pictures", "train=" + path("none"), "", rundir.ErrData, []string{"none"}},
		{"truncated picture", "train=" + path("cut"), "", rundir.ErrData, []string{"half.png"}},
		{"truncated validation picture", "validation=" + path("cut"), "", rundir.ErrData, []string{"half.png"}},
		{"too small for a patch", "train=" + path("small"), "", rundir.ErrData, []string{"tiny.png", "20x20", "32x32"}},
		{"too small for a crop", "validation=" + path("small"), "", rundir.ErrData, []string{"tiny.png", "64x64"}},
		{"trained on the validation", "train=" + path("good") + "\nvalidation=" + path("copy"), "", rundir.ErrData, []string{"other.png", "a.png"}},
		{"no profile", "profile=" + path("nowhere.yaml"), "", rundir.ErrUsage, []string{"nowhere.yaml"}},
		{"bad profile", "profile=" + path("profile.yaml"), "", rundir.ErrUsage, []string{"profile.yaml:1:6", "profile.yaml:2:1", "warp"}},
		{"a file for the directory", "", path("file"), rundir.ErrUsage, []string{"is a file"}},
		{"another full directory", "", path("full"), rundir.ErrUsage, []string{"no run.db"}},
		{"a bad config", "mode=stagd", "", rundir.ErrUsage, []string{"search.mode"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "run")
			}
			err := Run(t.Context(), smoke(t, tt.change), dir, Options{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("error is %v, want %v", err, tt.want)
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
			if tt.dir == "" {
				if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the run directory is there: %v", err)
				}
			}
		})
	}
}

// picture is a PNG of random levels, side x side.
func picture(t *testing.T, side int, seed uint64) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	m := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			m.SetGray(x, y, color.Gray{Y: uint8(16 + rng.IntN(200))})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInfeasibleBudgets(t *testing.T) {
	for _, change := range []string{"budget_ms=0.000001", "max_params=5", "max_memory_mb=0.001"} {
		dir := filepath.Join(t.TempDir(), "run")
		err := Run(t.Context(), smoke(t, change), dir, Options{})
		if !errors.Is(err, ErrInfeasible) {
			t.Fatalf("%s: %v, want ErrInfeasible", change, err)
		}
		name, value, _ := strings.Cut(change, "=")
		if name == "budget_ms" {
			value = "1e-06"
		}
		for _, want := range []string{name + " " + value, "the nearest takes ", " ms, ", " MB a frame", " parameters (w4;"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want it to say %q", change, err, want)
			}
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: left %s behind (%v), where the corrected config would be refused", change, dir, err)
		}
		// A folder of the user's stays.
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), smoke(t, change), dir, Options{}); !errors.Is(err, ErrInfeasible) {
			t.Fatalf("%s: %v, want ErrInfeasible", change, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v in an empty folder", change, left, err)
		}
	}
}

// TestBudgetsHold searches under constraints that some of the space meets.
func TestBudgetsHold(t *testing.T) {
	free := filepath.Join(t.TempDir(), "free")
	mustRun(t, smoke(t, "finetune=0"), free, Options{})
	f := openFront(t, free)
	last := f.Points[len(f.Points)-1]
	first := f.Points[0]
	budget, params := (first.LatencyMS+last.LatencyMS)/2, (first.Params+last.Params)/2
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, smoke(t, fmt.Sprintf("finetune=0\nobjectives=ssim,params,latency_ms\nbudget_ms=%v\nmax_params=%d", budget, params)), dir, Options{})
	g := openFront(t, dir)
	for _, p := range g.Points {
		if p.LatencyMS > budget || p.Params > params {
			t.Errorf("%+v breaks %v ms or %d parameters", p, budget, params)
		}
	}
	if len(g.Points) < 2 || g.Objectives[0] != "ssim" {
		t.Errorf("front %+v", g)
	}
}

func openFront(t *testing.T, dir string) *rundir.Front {
	t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := d.Front()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestMemoryHolds searches under a bound of memory that some of the space meets.
func TestMemoryHolds(t *testing.T) {
	cfg := smoke(t, "steps=20\nfinetune=0\nevaluations=80")
	m := newGauge(cfg, nil, nil)
	small, err := m.of(cfg.Space.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	large, err := m.of(cfg.Space.Largest())
	if err != nil || large.MemoryBytes <= small.MemoryBytes {
		t.Fatalf("%d and %d bytes, %v", small.MemoryBytes, large.MemoryBytes, err)
	}
	cfg.Search.MaxMemoryMB = float64(small.MemoryBytes+large.MemoryBytes) / 2 / megabyte
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, cfg, dir, Options{})
	for _, p := range openFront(t, dir).Points {
		g, err := space.ParseGenome(p.Genome)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := m.of(g); err != nil || float64(e.MemoryBytes) > 1.02*cfg.Search.MaxMemoryMB*megabyte { // other masks than the trained ones
			t.Errorf("%s takes %d bytes of %v MB (%v)", p.Genome, e.MemoryBytes, cfg.Search.MaxMemoryMB, err)
		}
	}
}

// TestWinnersUnderBudgets wants a winner under a budget that the front meets,
// and a word about one that it does not.
func TestWinnersUnderBudgets(t *testing.T) {
	cfg := smoke(t, "steps=20\nfinetune=0")
	cfg.Winners.BudgetsMS = []float64{1e-6, 1000}
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, cfg, dir, Options{})
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cards, err := d.Winners()
	if err != nil {
		t.Fatal(err)
	}
	reasons := ""
	for _, c := range cards {
		reasons += c.Reason + "; "
	}
	if !strings.Contains(reasons, "best under 1000 ms") || strings.Contains(reasons, "1e-06") {
		t.Errorf("winners are there because: %s", reasons)
	}
	events, err := d.Events()
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		if strings.HasPrefix(e.Text, "no winner under 1e-06 ms") {
			told++
		} else if strings.HasPrefix(e.Text, "no winner") {
			t.Errorf("event %q", e.Text)
		}
	}
	if told != 1 {
		t.Errorf("%d events tell of the budget that nothing meets, want 1", told)
	}
}
