package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"evosr/deviceprofile"
)

const smokeHead = `# The device profile of smoke.yaml: one core of a server, measured once, what is computed in strips and by Winograd set by hand. It
# names no processor, so that it is foreign on every machine, and every machine
# predicts the same milliseconds with it. Where a profile gets new fields,
# EVOSR_WRITE=profile go test -run TestSmokeProfile ./configs measures it anew.
`

// TestSmokeProfile holds the committed profile of the smoke config to what a
// profile is now.
func TestSmokeProfile(t *testing.T) {
	text, err := Preset("smoke")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse("smoke.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("EVOSR_WRITE") == "profile" {
		p, err := deviceprofile.Measure(t.Context(), deviceprofile.MeasureOptions{
			Threads: cfg.Threads, Quick: true, Space: &cfg.Space, Width: cfg.Device.Width, Height: cfg.Device.Height,
		})
		if err != nil {
			t.Fatal(err)
		}
		p.CPU, p.Date, p.Nets, p.Samples = "none, fixed figures for tests", "2026-11-22T00:00:00Z", nil, nil
		text, err := ProfileYAML(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("smoke-profile.yaml", append([]byte(smokeHead), text...), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	p, err := LoadProfile(cfg.Device.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err == nil || !strings.Contains(err.Error(), "none, fixed figures") {
		t.Errorf("Check says %v of a profile of no machine", err)
	}
	if p.Threads != cfg.Threads || p.Width != cfg.Device.Width || p.Height != cfg.Device.Height {
		t.Errorf("measured with %d threads at %dx%d, the config wants %d at %dx%d", p.Threads, p.Width, p.Height, cfg.Threads, cfg.Device.Width, cfg.Device.Height)
	}
}

func TestProfileRoundTrip(t *testing.T) {
	p, err := LoadProfile("builtin:smoke")
	if err != nil {
		t.Fatal(err)
	}
	p.Nets = []deviceprofile.NetSample{{Genome: "w8;head;skip;tail", MS: 1e-7, P10MS: 0.25, Runs: 3}}
	p.Date = "2026-01-02T03:04:05Z"
	p.Samples = []deviceprofile.LayerSample{}
	text, err := ProfileYAML(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseProfile("p.yaml", text)
	if err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("reads back as %+v, want %+v (%v)", again, p, err)
	}
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err = LoadProfile(path); err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("loads as %+v (%v)", again, err)
	}

	replace := func(old, new string) string {
		if !strings.Contains(string(text), old) {
			t.Fatalf("the profile has no %q", old)
		}
		return strings.Replace(string(text), old, new, 1)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":            {"", "an empty file"},
		"a list":           {"- 1", "a list, want a mapping"},
		"unknown key":      {replace("cpu:", "cpus:"), "unknown key: did you mean cpu?"},
		"missing key":      {replace("threads: 1\n", ""), "threads: missing"},
		"a fraction":       {replace("threads: 1", "threads: 1.5"), "threads: 1.5, want a whole number"},
		"a text":           {replace("threads: 1", "threads: one"), "threads: one, want a whole number"},
		"not finite":       {replace("ms: 1e-07", "ms: .inf"), "nets[0].ms: .inf, want a number"},
		"twice":            {replace("threads: 1", "threads: 1\nthreads: 1"), "stands here twice"},
		"alias":            {replace("threads: 1", "threads: &t 1"), "anchors and aliases"},
		"no threads":       {replace("threads: 1", "threads: 0"), "threads: 0, want 1"},
		"no mapping":       {"cpu: x\nlayer_ns: {conv1x1: 3}", "layer_ns.conv1x1: 3, want a mapping"},
		"a mapping's kind": {replace("samples: []", "samples: {}"), "samples: a mapping, want a list"},
	} {
		if _, err := ParseProfile("p.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := LoadProfile("builtin:phone"); err == nil || !strings.Contains(err.Error(), "builtin:smoke") {
		t.Errorf("an unknown builtin: %v", err)
	}
}

func FuzzParseProfile(f *testing.F) {
	text, err := embedded.ReadFile("smoke-profile.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProfile("p.yaml", text)
		if err != nil {
			return
		}
		out, err := ProfileYAML(p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseProfile("p.yaml", out); err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("reads back differently: %v\n%s", err, out)
		}
	})
}
