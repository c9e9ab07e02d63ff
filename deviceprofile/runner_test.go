package deviceprofile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/check"
)

// fake is a runner whose milliseconds are 2 and a millionth of the model's size
// for each thread; awk is everywhere where sh is.
func fake(t *testing.T, once bool) *Runner {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil || runtime.GOOS == "windows" {
		t.Skip("no sh here")
	}
	body := `size=$(wc -c < "$m"); echo "$size $4 $2 $3" | awk '{ print 2 + $1*$2/1e6, 2 + $1*$2/1e6 }'` + "\n"
	if once {
		body = `m="$1"; ` + body
	} else {
		body = "while read -r m w h n; do set -- \"$m\" \"$w\" \"$h\" \"$n\"\n" + body + "done\n"
	}
	path := filepath.Join(t.TempDir(), "a runner.sh")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	command := "sh " + quoted(path)
	if once {
		command += " {model} {width} {height} {threads}"
	}
	return &Runner{Command: command}
}

// TestRunner times one network by a command of each kind.
func TestRunner(t *testing.T) {
	for _, once := range []bool{true, false} {
		w, err := fake(t, once).start(3)
		if err != nil {
			t.Fatal(err)
		}
		sp := tiny()
		g := sp.Random(check.Rand(t))
		n := &timed{genome: g, w: 40, h: 30}
		if err := w.prepare(n, randomSubnet(sp, g)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(n.file)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o, err := w.turn(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			want := 2 + float64(info.Size())*3/1e6
			if len(o.Frames) != 2 || o.Waited != nil || max(o.Frames[0].Seconds()*1000-want, want-o.Frames[0].Seconds()*1000) > 1e-3 {
				t.Errorf("once %v: %v, want two frames of %v ms", once, o, want)
			}
		}
		w.release(n)
		dir := w.dir
		w.stop()
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("once %v: the models' folder is still there: %v", once, err)
		}
	}
}

// TestRunnerFaults: what a user's command can do wrong is said with the command
// and what it printed.
func TestRunnerFaults(t *testing.T) {
	fake(t, true)
	sp := tiny()
	for _, tt := range []struct{ command, want string }{
		{"  ", "empty command"},
		{"time.sh {width}", "without {model}"},
		{"echo fast; : {model}", `"fast"`},
		{": {model}", "printed nothing"},
		{"echo 0; : {model}", "above 0"},
		{"echo NaN; : {model}", "above 0"},
		{"echo broken >&2; exit 3; : {model}", "exit status 3: broken"},
		{"read line; echo error: no such operator", "no such operator"},
		{"read line; echo gone >&2", "without an answer: EOF: gone"},
		{"sleep 60; : {model}", "no answer in 200ms"},
		{"sleep 60", "no answer in 200ms"},
	} {
		w, err := (&Runner{Command: tt.command, Patience: 200 * time.Millisecond}).start(1)
		if err == nil {
			g := sp.Smallest()
			n := &timed{genome: g, w: 16, h: 16}
			if err := w.prepare(n, randomSubnet(sp, g)); err != nil {
				t.Fatal(err)
			}
			_, err = w.turn(t.Context(), n)
			w.stop()
			if err == nil {
				t.Errorf("%s: no error", tt.command)
				continue
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.command, err, tt.want)
			}
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.command, err, tt.want)
		}
	}
}

// TestRunnerStops: an end of the context ends a command that hangs, and is what
// is returned.
func TestRunnerStops(t *testing.T) {
	fake(t, true)
	for _, command := range []string{"sleep 60; : {model}", "sleep 60"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := Measure(ctx, MeasureOptions{Runner: &Runner{Command: command}, Space: tiny(), Threads: 1, Quick: true})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the context's error", command, err)
		}
	}
}

// TestMeasureRunner measures and checks a made-up device in a second or two. Its
// times follow the size of the file, which the model can only come near.
func TestMeasureRunner(t *testing.T) {
	r := fake(t, false)
	sp := tiny()
	p, err := Measure(t.Context(), MeasureOptions{Threads: 2, Quick: true, Space: sp, Width: 64, Height: 48, Seconds: 2, Runner: r})
	if err != nil {
		t.Fatal(err)
	}
	if !p.External() || p.Runtime != r.Command || len(p.Nets) < leastNets || len(p.Samples) != 0 {
		t.Errorf("the profile is of %q with %d networks and %d samples", p.Runtime, len(p.Nets), len(p.Samples))
	}
	if err := errors.Join(p.Validate(), p.Check()); err != nil {
		t.Error(err)
	}
	if err := p.Here(); !errors.Is(err, ErrMismatch) {
		t.Errorf("its times are said to compare with evosr's: %v", err)
	}
	if !slices.ContainsFunc(p.Nets, func(s NetSample) bool { return strings.Contains(s.Genome, "head;lean;skip;skip;tail") }) {
		t.Error("no network of one layer was measured")
	}
	report, err := Accuracy(t.Context(), p, AccuracyOptions{Nets: 6, Seed: 2, Space: sp, Runner: r})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Nets) != 6 || report.Profile.RMSPE > 0.2 {
		t.Errorf("%+v", report)
	}
	if _, err := Accuracy(t.Context(), p, AccuracyOptions{Nets: 6, Space: sp}); err == nil {
		t.Error("a runner's profile was held against evosr's runtime")
	}
	if _, err := Accuracy(t.Context(), known(), AccuracyOptions{Nets: 6, Space: sp, Runner: r}); err == nil {
		t.Error("evosr's profile was held against a runner")
	}
	if _, err := Drift(t.Context(), p); !errors.Is(err, ErrMismatch) {
		t.Errorf("a runner's drift: %v", err)
	}
}

// TestONNXRuntimeRunner times networks in ONNX Runtime by the script that ships:
// once a line, once a process, and one that is no model. With EVOSR_REQUIRE_ORT
// set, as in CI, it does not skip.
func TestONNXRuntimeRunner(t *testing.T) {
	skip := t.Skip
	if os.Getenv("EVOSR_REQUIRE_ORT") != "" {
		skip = t.Fatal
	}
	if _, err := exec.LookPath("node"); err != nil {
		skip("node is not installed: the runner of ONNX Runtime is not tried")
	}
	modules, err := filepath.Abs(filepath.Join("..", "onnx", "nodecheck"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "onnxruntime-node")); err != nil {
		skip("onnxruntime-node is not installed (make node-deps): the runner of ONNX Runtime is not tried")
	}
	script := filepath.Join(t.TempDir(), "ort.mjs")
	if err := os.WriteFile(script, []byte(Runners()["ort"]), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EVOSR_ORT_MS", "5")
	command := fmt.Sprintf("cd %s && exec node %s", quoted(modules), quoted(script))
	sp := tiny()
	times := map[string]time.Duration{}
	for _, args := range []string{"", " {model} {width} {height} {threads}"} {
		w, err := (&Runner{Command: command + args}).start(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []string{sp.Smallest().String(), sp.Largest().String()} {
			n := &timed{w: 200, h: 120}
			n.genome = sp.Largest()
			if g == sp.Smallest().String() {
				n.genome = sp.Smallest()
			}
			if err := w.prepare(n, randomSubnet(sp, n.genome)); err != nil {
				t.Fatal(err)
			}
			o, err := w.turn(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			if len(o.Frames) < 5 {
				t.Errorf("%d frames, want at least 5", len(o.Frames))
			}
			times[g] = slices.Min(o.Frames)
		}
		if small, large := times[sp.Smallest().String()], times[sp.Largest().String()]; !(small > 0 && small < large) {
			t.Errorf("the smallest network takes %v, the largest %v", small, large)
		}
		none := filepath.Join(w.dir, "none.onnx")
		if _, err := w.turn(t.Context(), &timed{w: 8, h: 8, file: none}); err == nil || !strings.Contains(err.Error(), "none.onnx") {
			t.Errorf("a model that is not there: %v", err)
		}
		w.stop()
	}
}
