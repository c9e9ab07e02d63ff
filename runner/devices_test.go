package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/rundir"
	"evosr/sparse"
)

// phoneProfile writes a made-up profile of a machine that no test runs on: the
// smoke config's, of NEON kernels and five times as slow.
func phoneProfile(t *testing.T, change func(*deviceprofile.Profile)) string {
	t.Helper()
	p, err := configs.LoadProfile("builtin:smoke")
	if err != nil {
		t.Fatal(err)
	}
	p.CPU, p.Kernels, p.Version, p.Threads = "a phone", "neon", sparse.Version, 4
	p.Frame["waiting"] *= 5
	change(p)
	text, err := configs.ProfileYAML(p)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "phone.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTwoDevices searches for two devices at once, with a budget on the second,
// stops, and goes on.
func TestTwoDevices(t *testing.T) {
	cfg := smoke(t, "steps=60\nfinetune=0\nevaluations=60\nobjectives=psnr_db,latency_ms,latency_ms:phone")
	phone := phoneProfile(t, func(*deviceprofile.Profile) {})
	cfg.Devices = []configs.Target{{Name: "phone", Profile: phone, Width: 192, Height: 128}}
	r := &run{cfg: cfg}
	if err := r.namedProfile(); err != nil {
		t.Fatal(err)
	}
	largest, err := newGauge(cfg, r.profile, r.others).of(cfg.Space.Largest())
	if err != nil || len(largest.Others) != 1 || !(largest.Others[0].MS > 4*largest.LatencyMS) {
		t.Fatalf("the largest network is predicted to take %+v (%v)", largest, err)
	}
	budget := largest.Others[0].MS / 2
	cfg.Devices[0].BudgetMS = budget
	dir := filepath.Join(t.TempDir(), "run")
	if err := Run(t.Context(), cfg, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	devices, err := d.Devices()
	if err != nil || len(devices) != 1 || devices[0].Name != "phone" || devices[0].Profile.CPU != "a phone" || devices[0].BudgetMS != budget {
		t.Fatalf("devices %+v, %v", devices, err)
	}
	front, err := d.Front()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileFront))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range front.Points {
		if ms := p.Others["phone"]; !(ms > 0 && ms <= budget) {
			t.Errorf("%s takes %v ms on the phone, want at most %v", p.Genome, ms, budget)
		}
		if want := fmt.Sprintf(`"latencies_ms":{"phone":%.6f}}`, p.Others["phone"]); !strings.Contains(string(text), want) {
			t.Errorf("front.json lacks %s", want)
		}
	}
	all, err := d.Evaluations()
	if err != nil || !slices.ContainsFunc(all, func(e rundir.Evaluation) bool { return e.Violation > 0 && e.Others["phone"] > budget }) {
		t.Errorf("of %d evaluations none breaks the phone's budget (%v)", len(all), err)
	}
	cards, err := d.Winners()
	if err != nil || len(cards) == 0 {
		t.Fatalf("%d winners, %v", len(cards), err)
	}
	for _, c := range cards {
		if len(c.Devices) != 1 {
			t.Fatalf("devices %+v", c.Devices)
		}
		l := c.Devices[0]
		if l.Device != "phone" || l.Width != 192 || l.Threads != 4 || !(l.PredictedMS > 0 && l.PredictedMS <= budget) || l.MedianMS != 0 || l.Stale == "" || l.BudgetMS != budget {
			t.Errorf("on the phone: %+v", l)
		}
	}
	if kept, err := os.ReadFile(filepath.Join(dir, "profile-phone.yaml")); err != nil || !strings.Contains(string(kept), "a phone") {
		t.Errorf("the phone's profile in the directory: %s (%v)", kept, err)
	}

	// The same again changes nothing; another profile is another experiment.
	if err := Run(t.Context(), cfg, dir, Options{}); err != nil {
		t.Error(err)
	}
	if again, err := os.ReadFile(filepath.Join(dir, rundir.FileFront)); err != nil || string(again) != string(text) {
		t.Errorf("front.json changed: %s (%v)", again, err)
	}
	cfg.Devices[0].Profile = phoneProfile(t, func(p *deviceprofile.Profile) { p.Frame["waiting"] *= 2 })
	if err := Run(t.Context(), cfg, dir, Options{}); !errors.Is(err, rundir.ErrIntegrity) || !strings.Contains(err.Error(), "phone") {
		t.Errorf("with another profile: %v", err)
	}
	cfg.Devices[0].Profile, cfg.Devices[0].BudgetMS = phone, 1e-4
	if err := Run(t.Context(), cfg, filepath.Join(t.TempDir(), "run"), Options{}); !errors.Is(err, ErrInfeasible) || !strings.Contains(err.Error(), "phone's budget_ms") {
		t.Errorf("a budget of no time: %v", err)
	}
}

// TestDevicesVersion: a further device may be any machine, but its times must be
// of this version of the runtime, or allowed to be of another.
func TestDevicesVersion(t *testing.T) {
	cfg := smoke(t, "")
	for _, tt := range []struct {
		name  string
		allow bool
		path  string
		want  string
	}{
		{"current", false, phoneProfile(t, func(*deviceprofile.Profile) {}), ""},
		{"old", false, phoneProfile(t, func(p *deviceprofile.Profile) { p.Version = "0" }), "device.allow_stale"},
		{"old, allowed", true, phoneProfile(t, func(p *deviceprofile.Profile) { p.Version = "0" }), ""},
		{"missing", true, filepath.Join(t.TempDir(), "none.yaml"), "none.yaml"},
	} {
		cfg.Device.AllowStale = tt.allow
		cfg.Devices = []configs.Target{{Name: "phone", Profile: tt.path, Width: 96, Height: 64}}
		err := (&run{cfg: cfg}).namedDevices()
		if (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, rundir.ErrUsage) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestHeld walks down a line of networks whose times are known.
func TestHeld(t *testing.T) {
	line := []rundir.Point{{ID: "a", Values: fitness.Values{LatencyMS: 1}}, {ID: "b", Values: fitness.Values{LatencyMS: 4}}, {ID: "c", Values: fitness.Values{LatencyMS: 5}}, {ID: "d", Values: fitness.Values{LatencyMS: 9.5}}, {ID: "e", Values: fitness.Values{LatencyMS: 20}}}
	for _, tt := range []struct {
		name   string
		factor float64 // measured / predicted
		loud   bool
		upTo   float64
		timed  []string
	}{
		{"as predicted", 1, false, 10, []string{"d"}},
		{"a little slower", 1.1, false, 10, []string{"d"}},
		{"half as fast", 2, false, 5, []string{"d", "c"}},
		{"nothing keeps it", 100, false, 0.1, []string{"d"}},
		{"not quiet", 2, true, 10, []string{"d"}},
	} {
		var timed, said []string
		k, err := held(line, 10, func(p rundir.Point) (float64, bool, error) {
			timed = append(timed, p.ID)
			return tt.factor * p.LatencyMS, !tt.loud, nil
		}, func(format string, args ...any) error {
			said = append(said, fmt.Sprintf(format, args...))
			return nil
		})
		if err != nil || k.BudgetMS != 10 || k.UpToMS < tt.upTo*(1-1e-6) || k.UpToMS > tt.upTo*(1+1e-6) || !reflect.DeepEqual(timed, tt.timed) {
			t.Errorf("%s: up to %v ms after %v (%v), want %v after %v", tt.name, k.UpToMS, timed, err, tt.upTo, tt.timed)
		}
		if (len(said) > 0) != (tt.factor > 1.2) {
			t.Errorf("%s: the diary says %q", tt.name, said)
		}
	}
	// What was chosen bears the budget's name, not what became of it.
	got := choose(line, func(p rundir.Point) float64 { return p.LatencyMS }, []keeping{{10, 5}}, 1)
	if len(got) != 1 || got[0].ID != "c" || got[0].Reason != "knee, best under 10 ms" {
		t.Errorf("chosen %+v", got)
	}
}
