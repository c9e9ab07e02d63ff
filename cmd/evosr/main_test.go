package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/imaging"
	"evosr/network"
	"evosr/onnx"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// TestMain lets the test binary be the command itself.
func TestMain(m *testing.M) {
	if os.Getenv("EVOSR_BE_THE_COMMAND") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a command left.
type result struct {
	code           int
	stdout, stderr string
}

func command(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "EVOSR_BE_THE_COMMAND=1", "NO_COLOR=1")
	return c
}

func evosr(t testing.TB, dir string, stdin []byte, args ...string) result {
	t.Helper()
	c := command(t, dir, args...)
	var out, talk bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &talk
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), talk.String()}
}

// ok runs a command that must succeed.
func ok(t testing.TB, dir string, args ...string) result {
	t.Helper()
	r := evosr(t, dir, nil, args...)
	if r.code != 0 {
		t.Fatalf("evosr %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one document on standard output: %s", text)
	}
}

// testColour is a smooth colour picture with an edge and, where wanted, a
// transparent corner.
func testColour(w, h int, alpha bool) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(128 + 100*math.Sin(float64(x)/7)), uint8(60 + x*120/w), uint8(200 - y*150/h), 255}
			if (x-w/2)*(x-w/2)+(y-h/2)*(y-h/2) < w*h/16 {
				c.R, c.G = 220, 40
			}
			if alpha && x+y < w/2 {
				c.A = 90
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func writePNG(t testing.TB, path string, m image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func writeJPEG(t testing.TB, path string, m image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// testNet is an untrained network, which enlarges as bicubic interpolation
// does.
func testNet(t testing.TB, scale int) *network.Graph {
	t.Helper()
	sp := &space.Space{
		Scale: scale, Colors: 1, Widths: []int{8}, Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {2}}}, {Blocks: space.Blocks{space.Plain: {1}}}},
		Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
	}
	net, err := supernet.New(sp, 1).Extract(sp.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// models writes model.evosr and model.onnx, and each under the other's kind of
// name.
func models(t testing.TB, dir string, scale int) {
	t.Helper()
	net := testNet(t, scale)
	p, err := sparse.Compile(net, sparse.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var program, graph bytes.Buffer
	if err := sparse.Encode(&program, p); err != nil {
		t.Fatal(err)
	}
	if err := onnx.Export(&graph, net, onnx.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "model.evosr"), program.Bytes())
	write(t, filepath.Join(dir, "model.onnx"), graph.Bytes())
	write(t, filepath.Join(dir, "disguised.onnx"), program.Bytes())
	write(t, filepath.Join(dir, "disguised.evosr"), graph.Bytes())
}

// names lists a folder, hidden files too.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// TestBadCalls holds every bad call to its exit code, one sentence, no data and
// nothing written.
func TestBadCalls(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	writePNG(t, filepath.Join(dir, "good.png"), testColour(40, 30, false))
	whole, err := os.ReadFile(filepath.Join(dir, "good.png"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cut", "cut.png"), whole[:len(whole)/2])
	write(t, filepath.Join(dir, "tiny", "tiny.png"), nil)
	writePNG(t, filepath.Join(dir, "dot", "dot.png"), testColour(1, 1, false))
	writePNG(t, filepath.Join(dir, "large.png"), image.NewGray(image.Rect(0, 0, 1001, 1000)))
	writePNG(t, filepath.Join(dir, "twins", "a.png"), testColour(20, 20, false))
	writeJPEG(t, filepath.Join(dir, "twins", "a.jpg"), testColour(20, 20, false))
	program, err := os.ReadFile(filepath.Join(dir, "model.evosr"))
	if err != nil {
		t.Fatal(err)
	}
	program[len(program)/2] ^= 1
	write(t, filepath.Join(dir, "broken.evosr"), program)
	write(t, filepath.Join(dir, "noise.onnx"), []byte("this is no model"))
	write(t, filepath.Join(dir, "empty", "note.txt"), []byte("no pictures here"))
	write(t, filepath.Join(dir, "bad.yaml"), []byte("seed: 1\nsede: 2\ndata:\n  pictures: 1.5\nspace:\n  ratios: [1.5]\n"))
	before := names(t, dir)
	tests := []struct {
		name string
		args string
		code int
		says []string
	}{
		{"unknown command", "frobnicate", 2, []string{"frobnicate"}},
		{"unknown flag", "eval bicubic --frob", 2, []string{"--frob", "evosr eval --help"}},
		{"missing argument", "eval --images good", 2, []string{"0 arguments, want MODEL"}},
		{"an argument too many", "convert a b c", 2, []string{"3 arguments, want"}},
		{"missing flag", "eval bicubic", 2, []string{"images"}},
		{"data without command", "data", 2, []string{"evosr data --help"}},
		{"scale not a number", "eval bicubic --images empty --scale two", 2, []string{"from 2 to 4"}},
		{"scale out of range", "eval bicubic --images empty --scale 9", 2, []string{"from 2 to 4"}},
		{"bicubic without scale", "eval bicubic --images empty", 2, []string{"--scale"}},
		{"folder missing", "eval bicubic --images nowhere --scale 2", 4, []string{"nowhere"}},
		{"folder without pictures", "eval bicubic --images empty --scale 2", 4, []string{"empty", "no pictures"}},
		{"folder is a file", "eval bicubic --images good.png --scale 2", 4, []string{"good.png"}},
		{"cut picture", "eval bicubic --images cut --scale 2", 4, []string{"cut.png"}},
		{"empty picture", "eval bicubic --images tiny --scale 2", 4, []string{"tiny.png", "empty"}},
		{"picture too small", "eval bicubic --images dot --scale 2", 4, []string{"dot.png", "1x1"}},
		{"model missing", "eval none.onnx --images twins", 4, []string{"none.onnx", "no such file"}},
		{"model is a folder", "eval twins --images twins", 4, []string{"twins"}},
		{"model is noise", "eval noise.onnx --images twins", 4, []string{"noise.onnx"}},
		{"model is damaged", "eval broken.evosr --images twins", 6, []string{"broken.evosr"}},
		{"model not in this version", "eval pretrained:x3 --images twins", 2, []string{"pretrained"}},
		{"scale of another model", "eval model.onnx --images twins --scale 3", 2, []string{"by 2", "by 3"}},
		{"upscale without model", "upscale good.png out.png", 2, []string{"model"}},
		{"upscale missing", "upscale -m bicubic --scale 2 none.png out.png", 4, []string{"none.png"}},
		{"upscale cut", "upscale -m bicubic --scale 2 cut/cut.png out.png", 4, []string{"cut.png"}},
		{"upscale a folder of cut pictures", "upscale -m bicubic --scale 2 cut out", 4, []string{"cut.png"}},
		{"upscale over its input", "upscale -m bicubic --scale 2 good.png good.png", 2, []string{"overwritten"}},
		{"upscale over its input by another way", "upscale -m bicubic --scale 2 good.png twins/../good.png", 2, []string{"overwritten"}},
		{"upscale to a WebP", "upscale -m bicubic --scale 2 good.png out.webp", 2, []string{"WebP is read and not written", ".png, .jpg"}},
		{"upscale to nothing", "upscale -m bicubic --scale 2 good.png", 2, []string{"1 argument, want IN OUT"}},
		{"several pictures into a picture", "upscale -m bicubic --scale 2 good.png large.png out.png", 2, []string{"OUT must be a folder"}},
		{"a scale and a size", "upscale -m bicubic --scale 2 --width 9 good.png out.png", 2, []string{"exclude each other"}},
		{"a scale that is none", "upscale -m bicubic --scale 0 good.png out.png", 2, []string{"a number such as 2 or 1.5"}},
		{"a format that is none", "upscale -m bicubic --scale 2 --format bmp dot out", 2, []string{"png or jpg"}},
		{"a pattern of nothing", "upscale -m bicubic --scale 2 *.tiff out", 4, []string{"no file matches"}},
		{"upscale to no folder", "upscale -m bicubic --scale 2 good.png nowhere/out.png", 4, []string{"no folder nowhere"}},
		{"upscale into no folder", "upscale -m bicubic --scale 2 good.png nowhere/", 4, []string{"nowhere/", "no such folder"}},
		{"upscale a large picture", "upscale -m bicubic --scale 2 --max-megapixels 1 large.png out.png", 4, []string{"too many pixels", "--max-megapixels"}},
		{"video under a picture's name", "upscale -m bicubic --scale 2 - out.png", 2, []string{".y4m"}},
		{"upscale a folder onto itself", "upscale -m bicubic --scale 2 dot dot", 2, []string{"overwritten"}},
		{"picture to standard output", "upscale -m bicubic --scale 2 good.png -", 2, []string{"Y4M"}},
		{"no video on standard input", "upscale -m bicubic --scale 2 - -", 4, []string{"standard input"}},
		{"picture larger than allowed", "upscale -m bicubic --scale 2 --max-megapixels 0 good.png out.png", 2, []string{"from 1"}},
		{"bench of bicubic", "bench bicubic", 2, []string{"bicubic"}},
		{"bench size", "bench model.evosr --size 10", 2, []string{"WIDTHxHEIGHT"}},
		{"bench of nothing", "bench none.evosr", 4, []string{"none.evosr"}},
		{"config missing", "run nowhere.yaml", 2, []string{"nowhere.yaml", "quickstart"}},
		{"config with faults", "plan bad.yaml", 2, []string{"bad.yaml:2:1", "bad.yaml:4:", "bad.yaml:6:", "sede"}},
		{"run with faults", "run bad.yaml", 2, []string{"bad.yaml:2:1", "sede"}},
		{"workers none", "run quickstart --workers 0", 2, []string{"from 1"}},
		{"preset missing", "init --preset nothing", 2, []string{"nothing", "quickstart"}},
		{"status of no run", "status twins", 2, []string{"twins"}},
		{"report of no run", "report twins", 2, []string{"twins"}},
		{"export of no run", "export twins --winner a -o out.onnx", 2, []string{"twins"}},
		{"export in no format", "export twins --winner a --format zip -o out.zip", 2, []string{"onnx, program or go"}},
		{"data check of nothing", "data check nowhere", 4, []string{"nowhere"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := evosr(t, dir, nil, strings.Fields(tt.args)...)
			if r.code != tt.code {
				t.Errorf("exit %d, want %d: %s", r.code, tt.code, r.stderr)
			}
			if r.stdout != "" {
				t.Errorf("standard output holds %q", r.stdout)
			}
			if !strings.HasPrefix(r.stderr, "evosr: ") || strings.Contains(r.stderr, "goroutine") {
				t.Errorf("standard error: %q, want one sentence", r.stderr)
			}
			if lines := strings.Count(r.stderr, "\n"); lines != 1 && !strings.Contains(tt.args, "bad.yaml") {
				t.Errorf("%d lines, want one: %q", lines, r.stderr)
			}
			for _, s := range tt.says {
				if !strings.Contains(r.stderr, s) {
					t.Errorf("%q does not say %q", r.stderr, s)
				}
			}
			if after := names(t, dir); after != before {
				t.Errorf("the folder held %s and now holds %s", before, after)
			}
		})
	}
}

// panics is a stream that only a bug of ours could explain.
type panics struct{}

func (panics) Read([]byte) (int, error) { panic("a test's panic") }

func TestBugIsConfessed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, talk bytes.Buffer
	a := &app{in: panics{}, out: &out, err: &talk}
	if code := a.execute(context.Background(), []string{"upscale", "-m", "bicubic", "--scale", "2", "-", "-"}); code != exitBug {
		t.Errorf("exit %d, want %d", code, exitBug)
	}
	if text := talk.String(); !strings.Contains(text, "a bug in evosr: a test's panic") || !strings.Contains(text, "evosr-crash-") || strings.Count(text, "\n") != 1 {
		t.Errorf("standard error: %q", text)
	}
	kept, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "evosr-crash-*.txt"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || !strings.Contains(string(text), "panics") || !strings.Contains(string(text), "upscaleVideo") {
		t.Errorf("the kept text does not show where: %v %s", err, text)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		r := ok(t, t.TempDir(), args...)
		for _, c := range []string{"init", "doctor", "data", "profile", "plan", "run", "status", "report", "export", "upscale", "bench", "eval", "Exit codes"} {
			if !strings.Contains(r.stdout, c) {
				t.Errorf("help does not name %q", c)
			}
		}
	}
	if r := ok(t, t.TempDir(), "--version"); !strings.HasPrefix(r.stdout, "evosr ") {
		t.Errorf("version: %q", r.stdout)
	}
	if r := ok(t, t.TempDir(), "completion", "bash"); !strings.Contains(r.stdout, "evosr") {
		t.Error("no completion for bash")
	}
}

func open(t testing.TB, path string) *imaging.Picture {
	t.Helper()
	p, err := imaging.Open(path, imaging.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
