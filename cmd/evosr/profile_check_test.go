package main

import (
	"bytes"
	"math"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/network"
	"evosr/space"
)

// checkedProfile measures this machine in about a second and writes the profile, and
// one of another machine.
func checkedProfile(t *testing.T, dir string) *deviceprofile.Profile {
	t.Helper()
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {1, 2}, space.Plain: {1}, space.Lean: space.Once()}}
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8}, Slots: []space.Slot{slot, slot}, Schemes: network.Schemes(), Percents: []int{25, 50, 75}}
	p, err := deviceprofile.Measure(t.Context(), deviceprofile.MeasureOptions{Threads: 1, Quick: true, Space: sp, Width: 64, Height: 48, Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	other := *p
	other.CPU = "Z80"
	for name, p := range map[string]*deviceprofile.Profile{"device.yaml": p, "other.yaml": &other} {
		text, err := configs.ProfileYAML(p)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), text)
	}
	write(t, filepath.Join(dir, "broken.yaml"), []byte("cpu: none\n"))
	return p
}

func TestProfileCheck(t *testing.T) {
	dir := t.TempDir()
	p := checkedProfile(t, dir)
	var r checkResult
	unmarshal(t, ok(t, dir, "profile", "check", "device.yaml", "--nets", "4", "--seed", "7", "--json").stdout, &r)
	if r.Profile != "device.yaml" || r.Stale != "" || r.CPU != p.CPU || r.Threads != 1 || r.Width != 64 || r.Height != 48 || r.Seed != 7 || len(r.Nets) != 4 {
		t.Errorf("%+v", r)
	}
	for i, n := range r.Nets {
		if !(n.MeasuredMS > 0 && n.PredictedMS > 0 && n.MACs > 0 && n.Genome != "") || math.Abs(n.Error-(n.PredictedMS/n.MeasuredMS-1)) > 1e-9 {
			t.Errorf("network %+v", n)
		}
		if i > 0 && math.Abs(n.Error) > math.Abs(r.Nets[i-1].Error) {
			t.Errorf("an error of %v stands after %v, want the worst first", n.Error, r.Nets[i-1].Error)
		}
	}
	// The same seed draws the same networks, a stale profile is used where that
	// is allowed, and another picture is another time.
	text := ok(t, dir, "profile", "check", "other.yaml", "--nets", "4", "--seed", "7", "--size", "32x24", "--allow-stale").stdout
	for _, want := range append([]string{"other.yaml", "stale: ", "Z80", "32x24", "within 5%", "within 10%", "RMSPE", "Kendall tau", "MACs alone", "machine: ", "worst:"}, r.Nets[0].Genome, r.Nets[3].Genome) {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"nowhere.yaml", exitData, "nowhere.yaml"},
		{"broken.yaml", exitUsage, "broken.yaml"},
		{"other.yaml", exitUsage, "--allow-stale"},
		{"device.yaml --threads 2", exitUsage, "--threads 1"},
		{"device.yaml --runner echo", exitUsage, "no --runner"},
		{"device.yaml --nets 1", exitUsage, "from 2 to 1000"},
		{"device.yaml --config none.yaml", exitUsage, "none.yaml"},
		{"device.yaml other.yaml", exitUsage, "arg"},
	} {
		bad := evosr(t, dir, nil, append([]string{"profile", "check"}, strings.Fields(tt.args)...)...)
		if bad.code != tt.code || bad.stdout != "" || !strings.Contains(bad.stderr, tt.says) {
			t.Errorf("check %s: exit %d, want %d: %q, want %q in it", tt.args, bad.code, tt.code, bad.stderr, tt.says)
		}
	}
}

// TestCheckIsHonest: where the machine was busy, the text must not leave the
// blame with the profile.
func TestCheckIsHonest(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var out bytes.Buffer
		a := &app{out: &out}
		if err := a.printCheck(&checkResult{Quiet: quiet, Runtime: "evosr", QuietShare: 0.25, Nets: []checkNet{{Genome: "w8", Error: 0.4, PredictedMS: 1.4, MeasuredMS: 1}}}); err != nil {
			t.Fatal(err)
		}
		if says := strings.Contains(out.String(), "not quiet") && strings.Contains(out.String(), "repeat"); says == quiet {
			t.Errorf("quiet %v: %s", quiet, out.String())
		}
		if !strings.Contains(out.String(), "+40.0%") || !strings.Contains(out.String(), "25%") {
			t.Errorf("no error or share in %s", out.String())
		}
	}
}

// TestProfileRunner measures another runtime, made up of a shell script, checks
// the profile and refuses what cannot be meant.
func TestProfileRunner(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil || runtime.GOOS == "windows" {
		t.Skip("no sh here")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "slow.sh"), []byte("while read -r m w h n; do wc -c < \"$m\" | awk '{ print 1 + $1/1e4, 1 + $1/1e4 }'; done\n"))
	args := []string{"profile", "--runner", "sh slow.sh", "--config", "smoke", "--size", "64x48", "--threads", "3", "--seconds", "1"}
	if r := ok(t, dir, append(args, "-o", "slow.yaml")...); !strings.Contains(r.stderr, "times by sh slow.sh, 3 threads") {
		t.Errorf("says %q", r.stderr)
	}
	p, err := configs.LoadProfile(filepath.Join(dir, "slow.yaml"))
	if err != nil || p.Runtime != "sh slow.sh" || p.Threads != 3 || p.Width != 64 {
		t.Fatalf("%+v, %v", p, err)
	}
	var r checkResult
	unmarshal(t, ok(t, dir, "profile", "check", "slow.yaml", "--config", "smoke", "--nets", "4", "--runner", "sh slow.sh", "--json").stdout, &r)
	if r.Runtime != "sh slow.sh" || len(r.Nets) != 4 || r.Predictor.RMSPE > 0.3 {
		t.Errorf("%+v", r)
	}
	if script := ok(t, dir, "profile", "--write-runner", "ort", "-o", "ort.mjs"); script.stdout != "" {
		t.Errorf("says %q", script.stdout)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"profile", "check", "slow.yaml"}, exitUsage, "--runner"},
		{[]string{"profile", "--runner", "echo {width}"}, exitData, "without {model}"},
		{[]string{"profile", "--runner", "echo fast; : {model}"}, exitData, `"fast"`},
		{[]string{"profile", "--write-runner", "tvm"}, exitUsage, "want one of ort"},
		{[]string{"profile", "--write-runner", "ort", "-o", "ort.mjs"}, exitUsage, "stays as it is"},
	} {
		if bad := evosr(t, dir, nil, tt.args...); bad.code != tt.code || !strings.Contains(bad.stderr, tt.says) {
			t.Errorf("%v: exit %d, want %d: %q, want %q in it", tt.args, bad.code, tt.code, bad.stderr, tt.says)
		}
	}
}
