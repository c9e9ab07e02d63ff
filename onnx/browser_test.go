package onnx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/internal/check"
)

// TestBrowser runs a network of luma and one with the colour path in ONNX
// Runtime in a headless browser. It takes seconds and large packages, so it waits
// to be asked for (make browser-check).
func TestBrowser(t *testing.T) {
	if os.Getenv("EVOSR_REQUIRE_BROWSER") == "" {
		t.Skip("make browser-check runs it")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed")
	}
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Fatal("no Chromium is installed (Debian: chromium)")
	}
	rng := check.Rand(t)
	dir := t.TempDir()
	net := winner(rng, 0)
	const w, h = 17, 11
	for name, o := range map[string]ExportOptions{"luma": {}, "rgb": {RGB: true, Float16: true, Opset: 17}} {
		colors := 1
		if o.RGB {
			colors = 3
		}
		model, input, output := filepath.Join(dir, name+".onnx"), filepath.Join(dir, name+".in"), filepath.Join(dir, name+".out")
		src := picture(rng, colors, w, h)
		for path, data := range map[string][]byte{model: export(t, net, o), input: floatBytes(src)} {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), node, filepath.Join("browsercheck", "run.mjs"), browser, model, input, output, fmt.Sprintf("1,%d,%d,%d", colors, h, w))
		var talk strings.Builder
		cmd.Stderr = &talk
		shape, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, talk.String())
		}
		if got, want := strings.TrimSpace(string(shape)), fmt.Sprintf("1,%d,%d,%d", colors, h*net.Scale, w*net.Scale); got != want {
			t.Fatalf("%s: output %s, want %s", name, got, want)
		}
		data, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		diff := difference(t, data, expected(t, net, o, src, w, h))
		t.Logf("%s: largest difference %.2g", name, diff)
		if !(diff <= agreement) {
			t.Errorf("%s: differs by %g, want at most %g", name, diff, agreement)
		}
	}
}
