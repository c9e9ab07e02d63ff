package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/doctor"
)

func TestDoctor(t *testing.T) {
	var r doctor.Report
	unmarshal(t, ok(t, t.TempDir(), "doctor", "--json").stdout, &r)
	if !r.Fit || r.Kernels == "" || len(r.Available) == 0 || r.Threads < 1 || !(r.PeakGFLOPS > 0) || !(r.MemoryGBs > 0) || !(r.ClockNoise >= 0) {
		t.Errorf("%+v", r)
	}
	if r.Available[0] != r.Kernels || r.Available[len(r.Available)-1] != "go" {
		t.Errorf("kernels %s of %v", r.Kernels, r.Available)
	}
	text := ok(t, t.TempDir(), "doctor").stdout
	for _, want := range []string{"CPU", "kernels", "threads", "memory", "disk", "clock noise", "verdict", "fit"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func TestInit(t *testing.T) {
	dir := t.TempDir()
	r := ok(t, dir, "init", "new/place")
	path := filepath.Join("new", "place", "quickstart.yaml")
	if r.stdout != path+"\n" || !strings.Contains(r.stderr, "evosr run "+path) {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Load(filepath.Join(dir, path)); err != nil || !strings.Contains(string(text), "#") {
		t.Errorf("the config is not valid or not commented: %v", err)
	}
	write(t, filepath.Join(dir, path), []byte("mine"))
	if r := evosr(t, dir, nil, "init", "new/place"); r.code != exitUsage || !strings.Contains(r.stderr, "stays as it is") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if text, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(text) != "mine" {
		t.Errorf("the config was overwritten: %s, %v", text, err)
	}
	if r := ok(t, dir, "init", "--preset", "mobile", "my.yaml"); r.stdout != "my.yaml\n" {
		t.Errorf("stdout %q, want the name that was asked for", r.stdout)
	}
	if want, err := configs.Preset("mobile"); err != nil || content(t, filepath.Join(dir, "my.yaml")) != string(want) {
		t.Errorf("my.yaml is not the preset: %v", err)
	}
}

// TestDataDraw wants a folder of pictures that all differ and can be read, the
// same for the same seed.
func TestDataDraw(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		ok(t, dir, "data", "draw", name, "--count", "3", "--size", "64", "--seed", "5")
	}
	ok(t, dir, "data", "draw", "c", "--count", "3", "--size", "64", "--seed", "6")
	var r dataReport
	unmarshal(t, ok(t, dir, "data", "check", "a", "c", "--json").stdout, &r)
	if len(r.Pictures) != 6 || r.Faults != 0 || r.Duplicates != 0 || r.Pictures[0].Width != 64 || r.Pictures[0].Kind != "grey" {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{"procedural0001.png", "procedural0003.png"} {
		if content(t, filepath.Join(dir, "a", name)) != content(t, filepath.Join(dir, "b", name)) {
			t.Errorf("%s differs from seed to same seed", name)
		}
	}
	if r := evosr(t, dir, nil, "data", "draw", "d", "--size", "8"); r.code != exitUsage {
		t.Errorf("pictures of 8 pixels: exit %d, %s", r.code, r.stderr)
	}
}

func TestDataCheck(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "train", "a.png"), testColour(20, 16, false))
	writePNG(t, filepath.Join(dir, "train", "b.png"), testColour(21, 16, true))
	writePNG(t, filepath.Join(dir, "valid", "same.png"), testColour(20, 16, false))
	var r dataReport
	unmarshal(t, ok(t, dir, "data", "check", "train", "valid", "--json").stdout, &r)
	if len(r.Pictures) != 3 || r.Faults != 0 || r.Duplicates != 1 || r.Pictures[2].Duplicate != filepath.Join("train", "a.png") {
		t.Errorf("%+v", r)
	}
	if p := r.Pictures[1]; p.Width != 21 || p.Height != 16 || p.Kind != "colour with alpha" {
		t.Errorf("%+v", p)
	}
	write(t, filepath.Join(dir, "train", "c.png"), []byte("\x89PNG\r\n\x1a\nand no more"))
	bad := evosr(t, dir, nil, "data", "check", "train")
	if bad.code != exitData || !strings.Contains(bad.stdout, "broken") || !strings.Contains(bad.stderr, "1 of 3 pictures") {
		t.Errorf("exit %d\n%s%s", bad.code, bad.stdout, bad.stderr)
	}
}

// content reads a file.
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
