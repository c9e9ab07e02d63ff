package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"evosr/configs"
	"evosr/fitness"
	"evosr/rundir"
	"evosr/runner"
)

type runOutput struct {
	Dir     string       `json:"dir"`
	Report  string       `json:"report"`
	Winners []winnerJSON `json:"winners"`
}

type statusOutput struct {
	Stage       string       `json:"stage"`
	Running     bool         `json:"running"`
	TrainStep   int          `json:"train_step"`
	TrainSteps  int          `json:"train_steps"`
	Evaluations int          `json:"evaluations"`
	Budget      int          `json:"budget"`
	SearchEnd   string       `json:"search_end"`
	Winners     []winnerJSON `json:"winners"`
	WinnersWant int          `json:"winners_want"`
}

// TestRun goes the whole way: run, run again, look, hand over, use.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	first := ok(t, dir, "run", "smoke")
	if !strings.Contains(first.stdout, "winner") || !strings.Contains(first.stdout, filepath.Join("runs", "smoke", "report.html")) {
		t.Errorf("standard output: %s", first.stdout)
	}
	if strings.ContainsAny(first.stderr, "\x1b\r") {
		t.Errorf("a bar without a terminal: %q", first.stderr)
	}
	var again runOutput
	unmarshal(t, ok(t, dir, "run", "configs/smoke.yaml", "--workers", "1", "--json").stdout, &again)
	if again.Dir != filepath.Join("runs", "smoke") || len(again.Winners) == 0 {
		t.Fatalf("%+v", again)
	}
	for _, name := range []string{"report.html", "evaluations.csv", "front.svg", "before-after.png", "front.json"} {
		if _, err := os.Stat(filepath.Join(dir, again.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, again.Report))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range again.Winners {
		if !bytes.Contains(page, []byte(`id="winner-`+w.ID+`"`)) {
			t.Errorf("the report has no card of %s", w.ID)
		}
	}
	var s statusOutput
	unmarshal(t, ok(t, dir, "status", again.Dir, "--json").stdout, &s)
	if s.Stage != rundir.StageDone || s.Running || s.Evaluations == 0 || s.TrainStep != s.TrainSteps || len(s.Winners) != s.WinnersWant {
		t.Errorf("%+v", s)
	}
	if text := ok(t, dir, "status", again.Dir).stdout; !strings.Contains(text, "state") || !strings.Contains(text, again.Winners[0].ID) {
		t.Errorf("status: %s", text)
	}
	if page := ok(t, dir, "report", again.Dir).stdout; page != filepath.Join(again.Dir, "report.html")+"\n" {
		t.Errorf("report: %q", page)
	}
	handOver(t, dir, again)
}

// handOver exports a winner in both formats and uses it.
func handOver(t *testing.T, dir string, run runOutput) {
	best := run.Winners[len(run.Winners)-1]
	ok(t, dir, "export", run.Dir, "--winner", best.ID, "--format", "onnx", "-o", "best.onnx")
	ok(t, dir, "export", run.Dir, "--winner", best.ID[:8], "--format", "program", "-o", "best.evosr")
	for from, to := range map[string]string{best.ONNX: "best.onnx", best.Program: "best.evosr"} {
		want, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, to)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not the run's file: %v", to, err)
		}
	}
	if r := evosr(t, dir, nil, "export", run.Dir, "--winner", "zzz", "-o", "none.onnx"); r.code != exitUsage || !strings.Contains(r.stderr, best.ID) {
		t.Errorf("unknown winner: exit %d: %s", r.code, r.stderr)
	}
	writePNG(t, filepath.Join(dir, "set", "one.png"), testColour(64, 48, false))
	ok(t, dir, "export", run.Dir, "--winner", "best", "-o", "named.onnx")
	if got, err := os.ReadFile(filepath.Join(dir, "named.onnx")); err != nil || len(got) == 0 {
		t.Errorf("the best winner: %v", err)
	}
	for _, name := range []string{run.Dir + "@A", run.Dir + "@fastest", run.Dir + "@" + best.ID[:6]} {
		ok(t, dir, "eval", name, "--images", "set")
	}
	ok(t, dir, "prune", run.Dir+"@best", "-o", "pruned.onnx", "--size", "32x24")
	if r := evosr(t, dir, nil, "eval", run.Dir+"@under:0.0001ms", "--images", "set"); r.code != exitUsage || !strings.Contains(r.stderr, "the fastest takes") {
		t.Errorf("no such winner: exit %d: %s", r.code, r.stderr)
	}
	var a, b fitness.SetScore
	unmarshal(t, ok(t, dir, "eval", "best.onnx", "--images", "set", "--json").stdout, &a)
	unmarshal(t, ok(t, dir, "eval", "best.evosr", "--images", "set", "--json").stdout, &b)
	if d := a.Mean.PSNR - b.Mean.PSNR; d > 0.01 || d < -0.01 {
		t.Errorf("the graph gives %.3f dB, the program %.3f dB", a.Mean.PSNR, b.Mean.PSNR)
	}
	ok(t, dir, "upscale", "-m", "best.evosr", "set/one.png", "large.png")
	if p := open(t, filepath.Join(dir, "large.png")); p.Y.W != 128 || p.Y.H != 96 {
		t.Errorf("large.png is %dx%d, want 128x96", p.Y.W, p.Y.H)
	}
	ok(t, dir, "export", run.Dir, "--winner", best.ID, "--color", "rgb", "--weights", "f16", "--opset", "17", "-o", "rgb.onnx")
	var c fitness.SetScore // what is rounded differs, which counts at 45 dB
	unmarshal(t, ok(t, dir, "eval", "rgb.onnx", "--images", "set", "--json").stdout, &c)
	if d := a.Mean.PSNR - c.Mean.PSNR; d > 0.5 || d < -2 {
		t.Errorf("luma gives %.3f dB, RGB %.3f dB", a.Mean.PSNR, c.Mean.PSNR)
	}
	ok(t, dir, "export", run.Dir, "--winner", best.ID, "--format", "go", "-o", "enlarge")
	if list, err := os.ReadDir(filepath.Join(dir, "enlarge")); err != nil || len(list) != 4 {
		t.Errorf("a Go package of %v, %v", list, err)
	}
	if r := evosr(t, dir, nil, "export", run.Dir, "--winner", best.ID, "--format", "program", "--opset", "12", "-o", "x.evosr"); r.code != exitUsage || !strings.Contains(r.stderr, "are of --format onnx") {
		t.Errorf("a program of an operator set: exit %d: %s", r.code, r.stderr)
	}
	write(t, filepath.Join(dir, best.ONNX), []byte("changed since"))
	if r := evosr(t, dir, nil, "export", run.Dir, "--winner", best.ID, "--format", "onnx", "-o", "changed.onnx"); r.code != exitIntegrity || !strings.Contains(r.stderr, "SHA-256") {
		t.Errorf("a changed file: exit %d: %s", r.code, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "changed.onnx")); err == nil {
		t.Error("a changed file was handed over")
	}
}

// smokeWith writes the smoke config with a change.
func smokeWith(t *testing.T, path string, change func(*configs.Config)) {
	t.Helper()
	text, err := configs.Preset("smoke")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	change(cfg)
	write(t, path, cfg.YAML())
}

func TestPlan(t *testing.T) {
	dir := t.TempDir()
	text := ok(t, dir, "plan", "smoke").stdout
	for _, want := range []string{"valid", "networks", "smallest", "largest", "satisfiable", "disk"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	var e runner.Estimate
	unmarshal(t, ok(t, dir, "plan", "smoke", "--json").stdout, &e)
	if e.Largest.Params <= e.Smallest.Params || e.Disk <= 0 || e.Satisfiable == "no" {
		t.Errorf("%+v", e)
	}
	smokeWith(t, filepath.Join(dir, "tight.yaml"), func(c *configs.Config) { c.Search.MaxParams = 1 })
	for _, command := range []string{"plan", "run"} {
		r := evosr(t, dir, nil, command, "tight.yaml")
		if r.code != exitInfeasible || !strings.Contains(r.stderr, "max_params 1; the nearest takes") {
			t.Errorf("%s: exit %d, want %d: %s", command, r.code, exitInfeasible, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "runs", "tight", "winners")); err == nil {
		t.Error("an infeasible run left winners")
	}
}

// TestInterrupt stops a long training: exit 5, a page of what is there, and
// the state on disk.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	smokeWith(t, filepath.Join(dir, "long.yaml"), func(c *configs.Config) { c.Train.Steps, c.Train.Checkpoint = 50_000_000, 20 })
	c := command(t, dir, "run", "long.yaml")
	var talk bytes.Buffer
	c.Stderr = &talk
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	waitForTraining(t, dir, c, done)
	if r := evosr(t, dir, nil, "run", "long.yaml"); r.code == 0 || !strings.HasPrefix(r.stderr, "evosr: ") {
		t.Errorf("a second run of one directory: exit %d: %s", r.code, r.stderr)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Errorf("still running: %v", c.Process.Kill())
		<-done
	}
	if code := c.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(talk.String(), "continues") {
		t.Errorf("exit %d: %s", code, talk.String())
	}
	var s statusOutput
	unmarshal(t, ok(t, dir, "status", "runs/long", "--json").stdout, &s)
	if s.Running || s.Stage != rundir.StageSupernet || len(s.Winners) != 0 {
		t.Errorf("%+v", s)
	}
	ok(t, dir, "report", "runs/long")
	page, err := os.ReadFile(filepath.Join(dir, "runs", "long", "report.html"))
	if err != nil || !bytes.Contains(page, []byte("training the supernet")) {
		t.Errorf("the page does not say where the run is: %v", err)
	}
	if r := evosr(t, dir, nil, "export", "runs/long", "--winner", "a", "-o", "x.onnx"); r.code != exitUsage || !strings.Contains(r.stderr, "no winner yet") {
		t.Errorf("export: exit %d: %s", r.code, r.stderr)
	}
}

// waitForTraining waits for the first checkpoint.
func waitForTraining(t *testing.T, dir string, c *exec.Cmd, done <-chan error) {
	t.Helper()
	for range 600 {
		select {
		case err := <-done:
			t.Fatalf("the run ended by itself: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := os.Stat(filepath.Join(dir, "runs", "long", "supernet.checkpoint")); err == nil {
			return
		}
	}
	t.Fatalf("no training after 30 seconds: %v", c.Process.Kill())
}
