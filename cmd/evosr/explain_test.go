package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/sparse"
)

// TestExplain: every pass and every layer is told about, by one peak.
func TestExplain(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	var r benchResult
	unmarshal(t, ok(t, dir, "bench", "model.evosr", "--size", "64x36", "--threads", "1", "--runs", "3", "--explain", "--json").stdout, &r)
	if r.Explain == nil || !(r.Explain.PeakGFLOPS > 0) || r.Explain.Memory <= 0 || len(r.Explain.Passes) == 0 {
		t.Fatalf("%+v", r.Explain)
	}
	for _, l := range r.Layers {
		if timed := l.PredictedMS > 0 && l.GFLOPS > 0 && l.PeakShare > 0; l.Op != "conv" || l.Method == "" || timed == l.Chained || l.Verdict == "" {
			t.Errorf("%+v, want a kernel, a prediction, a rate and a verdict", l)
		}
	}
	text := ok(t, dir, "bench", "model.onnx", "--size", "64x36", "--runs", "3", "--explain").stdout
	for _, want := range []string{"choose", "plan", "predicted", "of peak", "GFLOP/s", "beside the pictures"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

func TestVerdict(t *testing.T) {
	base := sparse.LayerInfo{Method: sparse.MethodLists, In: 8, Out: 8, Kernel: 3, Density: 0.5}
	for _, tt := range []struct {
		change func(*sparse.LayerInfo)
		want   string
	}{
		{func(l *sparse.LayerInfo) { l.Density = 1 }, "dense"},
		{func(l *sparse.LayerInfo) { l.Pays, l.Speedup = true, 1.94 }, "pays: 1.9 times"},
		{func(l *sparse.LayerInfo) { l.Speedup = 1.01; l.MACs = 300 }, "does not pay: 1.01 times"},
		{func(l *sparse.LayerInfo) { l.MACs = 8 * 8 * 9 }, "runs dense: its kept weights share no blocks"},
		{func(l *sparse.LayerInfo) { l.Method = sparse.MethodWinograd }, "runs dense: that is faster than its kept weights"},
	} {
		l := base
		tt.change(&l)
		if got := verdict(&l); got != tt.want {
			t.Errorf("%+v: %q, want %q", l, got, tt.want)
		}
	}
}

// TestHalfPrograms: half the bytes, what they cost, and the same network.
func TestHalfPrograms(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	text, err := os.ReadFile(filepath.Join(dir, "model.evosr"))
	if err != nil {
		t.Fatal(err)
	}
	r := ok(t, dir, "convert", "model.evosr", "half.evosr", "--weights", "f16")
	if !strings.Contains(r.stderr, "off by at most") || !strings.Contains(r.stderr, "dB") {
		t.Errorf("said %q, want the loss", r.stderr)
	}
	halved, err := os.ReadFile(filepath.Join(dir, "half.evosr"))
	if err != nil {
		t.Fatal(err)
	}
	if len(halved) > len(text)*3/4 {
		t.Errorf("%d bytes of %d, want about half", len(halved), len(text))
	}
	writePNG(t, filepath.Join(dir, "set", "one.png"), testColour(64, 48, false))
	ok(t, dir, "eval", "half.evosr", "--images", "set")
	if r := evosr(t, dir, nil, "convert", "model.evosr", "x.evosr", "--weights", "f8"); r.code != exitUsage || !strings.Contains(r.stderr, "f16") {
		t.Errorf("f8: exit %d: %s", r.code, r.stderr)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	a := &app{err: new(strings.Builder)}
	if err := a.exportHalf(filepath.Join(dir, "model.evosr"), sum, filepath.Join(dir, "again.evosr")); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "again.evosr")); err != nil || !bytes.Equal(again, halved) {
		t.Errorf("export writes another file than convert: %v", err)
	}
}
