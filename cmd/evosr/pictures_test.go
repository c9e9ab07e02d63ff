package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/fitness"
	"evosr/imaging"
	"evosr/internal/check"
)

// TestUpscalePicture enlarges by every kind of model; an untrained network is a
// bicubic upscaler, so all results must agree with imaging.Resize.
func TestUpscalePicture(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	writePNG(t, filepath.Join(dir, "in.png"), testColour(60, 44, true))
	writeJPEG(t, filepath.Join(dir, "in.jpg"), testColour(60, 44, false))
	tests := []struct{ model, in string }{
		{"bicubic", "in.png"}, {"model.evosr", "in.png"}, {"model.onnx", "in.png"}, {"disguised.onnx", "in.png"}, {"disguised.evosr", "in.jpg"},
	}
	for _, tt := range tests {
		t.Run(tt.model+" "+tt.in, func(t *testing.T) {
			r := ok(t, dir, "upscale", "-m", tt.model, "--scale", "2", tt.in, "out.png")
			if r.stdout != "" {
				t.Errorf("standard output: %q", r.stdout)
			}
			in, out := open(t, filepath.Join(dir, tt.in)), open(t, filepath.Join(dir, "out.png"))
			if out.Y.W != 120 || out.Y.H != 88 {
				t.Fatalf("%dx%d, want 120x88", out.Y.W, out.Y.H)
			}
			if (out.Alpha != nil) != (in.Alpha != nil) {
				t.Fatalf("alpha: %v, want as in the input: %v", out.Alpha != nil, in.Alpha != nil)
			}
			like(t, "luma", out.Y, in.Y, 40)
			like(t, "Cb", out.Cb, in.Cb, 40)
			like(t, "Cr", out.Cr, in.Cr, 40)
			if in.Alpha != nil {
				like(t, "alpha", out.Alpha, in.Alpha, 40)
			}
		})
	}
}

// like compares an enlarged plane with bicubic interpolation of the small one.
func like(t *testing.T, what string, big, small *imaging.Plane, want float64) {
	t.Helper()
	psnr, err := fitness.PSNR(imaging.Resize(small, big.W, big.H), big, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !(psnr >= want) {
		t.Errorf("%s is %.1f dB from bicubic interpolation, want at least %.0f", what, psnr, want)
	}
}

func TestUpscaleFolder(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "in", "a.png"), testColour(20, 16, false))
	writeJPEG(t, filepath.Join(dir, "in", "b.jpeg"), testColour(24, 18, false))
	write(t, filepath.Join(dir, "in", "notes.txt"), []byte("kept out"))
	ok(t, dir, "upscale", "-m", "bicubic", "--scale", "3", "in", "out")
	if got := names(t, filepath.Join(dir, "out")); got != "a.png b.png" {
		t.Errorf("out holds %s", got)
	}
	if p := open(t, filepath.Join(dir, "out", "b.png")); p.Y.W != 72 || p.Y.H != 54 {
		t.Errorf("b.png is %dx%d, want 72x54", p.Y.W, p.Y.H)
	}
	// What cannot be read does not stop the others.
	write(t, filepath.Join(dir, "in", "aa.png"), []byte("no picture"))
	r := evosr(t, dir, nil, "upscale", "-m", "bicubic", "--scale", "2", "in", "rest")
	if got := names(t, filepath.Join(dir, "rest")); r.code != exitData || !strings.Contains(r.stderr, "aa.png") || got != "a.png b.png" {
		t.Errorf("exit %d, %s; rest holds %s", r.code, r.stderr, got)
	}
	write(t, filepath.Join(dir, "in", "c.png"), nil)
	r = evosr(t, dir, nil, "upscale", "-m", "bicubic", "--scale", "2", "in", "rest")
	if r.code != exitData || !strings.Contains(r.stderr, "2 of 4 pictures") || !strings.Contains(r.stderr, "passed over: notes.txt (no picture") || strings.Count(r.stderr, "\n") != 3 {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
	ok(t, dir, "upscale", "-m", "bicubic", "--scale", "2", "in/b.jpeg", "out") // a folder takes a picture by its name
	if p := open(t, filepath.Join(dir, "out", "b.png")); p.Y.W != 48 {
		t.Errorf("b.png is %d wide, want 48", p.Y.W)
	}
}

func video(t testing.TB, h imaging.Y4MHeader, frames int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := imaging.NewY4MWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	f := &imaging.Frame{Y: imaging.NewPlane(h.W, h.H)}
	if cw, ch := h.ChromaSize(); cw > 0 {
		f.Cb, f.Cr = imaging.NewPlane(cw, ch), imaging.NewPlane(cw, ch)
	}
	for n := range frames {
		for k, p := range []*imaging.Plane{f.Y, f.Cb, f.Cr} {
			if p == nil {
				continue
			}
			for i := range p.Pix {
				p.Pix[i] = float32(0.5 + 0.3*math.Sin(float64(i%p.W+n)/5+float64(k)))
			}
		}
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestUpscaleVideo(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	for _, chroma := range []string{"420jpeg", "422", "444", "mono"} {
		h := imaging.Y4MHeader{W: 34, H: 22, RateNum: 30000, RateDen: 1001, Chroma: chroma, Extra: []string{"COLORRANGE=LIMITED"}}
		in := video(t, h, 5)
		r := evosr(t, dir, in, "upscale", "-m", "model.evosr", "-", "-")
		if r.code != 0 || !strings.Contains(r.stderr, "5 frames, 34x22 to 68x44") || !strings.Contains(r.stderr, "frames/s") {
			t.Fatalf("%s: exit %d: %s", chroma, r.code, r.stderr)
		}
		small, err := imaging.NewY4MReader(bytes.NewReader(in), imaging.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		big, err := imaging.NewY4MReader(strings.NewReader(r.stdout), imaging.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if g := big.Header; g.W != 68 || g.H != 44 || g.RateNum != 30000 || g.RateDen != 1001 || g.Chroma != chroma || fmt.Sprint(g.Extra) != "[COLORRANGE=LIMITED]" {
			t.Errorf("%s: header %+v", chroma, g)
		}
		var a, b imaging.Frame
		for range 5 {
			if err := small.Read(&a); err != nil {
				t.Fatal(err)
			}
			if err := big.Read(&b); err != nil {
				t.Fatal(err)
			}
			like(t, chroma+" luma", b.Y, a.Y, 40)
			if a.Cb != nil && chroma != "422" { // whose samples do not lie in the middle (imaging's TestChromaSiting)
				like(t, chroma+" Cb", b.Cb, a.Cb, 45)
				like(t, chroma+" Cr", b.Cr, a.Cr, 45)
			}
		}
	}
	// A file is found out by its content, and a stream that is cut short leaves
	// nothing.
	in := video(t, imaging.Y4MHeader{W: 16, H: 16, RateNum: 25, RateDen: 1, Chroma: "420"}, 3)
	write(t, filepath.Join(dir, "clip"), in)
	ok(t, dir, "upscale", "-m", "bicubic", "--scale", "4", "clip", "large.y4m")
	if info, err := os.Stat(filepath.Join(dir, "large.y4m")); err != nil || info.Size() < 3*64*64*3/2 {
		t.Errorf("large.y4m: %v, %v", info, err)
	}
	before := names(t, dir)
	write(t, filepath.Join(dir, "clip"), in[:len(in)-10])
	r := evosr(t, dir, nil, "upscale", "-m", "bicubic", "--scale", "2", "clip", "cut.y4m")
	if r.code != exitData || !strings.Contains(r.stderr, "frame 3") {
		t.Errorf("a cut stream: exit %d: %s", r.code, r.stderr)
	}
	if after := names(t, dir); after != before {
		t.Errorf("the folder held %s and now holds %s", before, after)
	}
}

// TestBicubicTable holds eval to the published figures.
func TestBicubicTable(t *testing.T) {
	tests := []struct {
		set   string
		scale int
		psnr  float64
		ssim  float64
	}{
		{"Set5", 2, 33.66, 0.9299}, {"Set5", 3, 30.39, 0.8682}, {"Set5", 4, 28.42, 0.8104},
		{"Set14", 2, 30.23, 0.8687}, {"Set14", 3, 27.54, 0.7736}, {"Set14", 4, 26.00, 0.7019},
	}
	for _, tt := range tests {
		folder := check.Data(t, "eval/"+tt.set)
		folder, err := filepath.Abs(folder)
		if err != nil {
			t.Fatal(err)
		}
		r := ok(t, t.TempDir(), "eval", "bicubic", "--images", folder, "--scale", fmt.Sprint(tt.scale), "--json")
		var s fitness.SetScore
		unmarshal(t, r.stdout, &s)
		if math.Abs(s.Mean.PSNR-tt.psnr) > 0.01 || math.Abs(s.Mean.SSIM-tt.ssim) > 0.001 {
			t.Errorf("%s x%d: %.3f/%.4f, want %.2f/%.4f", tt.set, tt.scale, s.Mean.PSNR, s.Mean.SSIM, tt.psnr, tt.ssim)
		}
		if s.Scale != tt.scale || s.Bicubic != s.Mean || len(s.Images) < 5 {
			t.Errorf("%s x%d: %+v", tt.set, tt.scale, s)
		}
	}
}

func TestEval(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	writePNG(t, filepath.Join(dir, "set", "one.png"), testColour(61, 45, false))
	writePNG(t, filepath.Join(dir, "set", "two.png"), testColour(40, 40, false))
	var byFile, byGraph fitness.SetScore
	unmarshal(t, ok(t, dir, "eval", "model.evosr", "--images", "set", "--json").stdout, &byFile)
	unmarshal(t, ok(t, dir, "eval", "model.onnx", "--images", "set", "--json").stdout, &byGraph)
	if byFile.Scale != 2 || len(byFile.Images) != 2 || byFile.Images[0].Name != "one" {
		t.Errorf("%+v", byFile)
	}
	if math.Abs(byFile.Mean.PSNR-byGraph.Mean.PSNR) > 1e-3 || math.Abs(byFile.Mean.PSNR-byFile.Bicubic.PSNR) > 1 {
		t.Errorf("program %.4f dB, graph %.4f dB, bicubic %.4f dB", byFile.Mean.PSNR, byGraph.Mean.PSNR, byFile.Bicubic.PSNR)
	}
	if mean := (byFile.Images[0].PSNR + byFile.Images[1].PSNR) / 2; math.Abs(mean-byFile.Mean.PSNR) > 1e-9 {
		t.Errorf("mean %v, want %v", byFile.Mean.PSNR, mean)
	}
	text := ok(t, dir, "eval", "model.evosr", "--images", "set").stdout
	for _, want := range []string{"picture", "one ", "two ", "mean", "bicubic mean", "model.evosr, x2. " + fitness.Definition} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func TestBench(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	var b benchResult
	unmarshal(t, ok(t, dir, "bench", "model.evosr", "--size", "64x36", "--threads", "1", "--runs", "5", "--json").stdout, &b)
	if b.Model != "model.evosr" || b.Width != 64 || b.Height != 36 || b.Scale != 2 || b.Threads != 1 || b.Kernels == "" {
		t.Errorf("%+v", b)
	}
	if !(b.MedianMS > 0) || b.P90MS < b.MedianMS || b.MACs <= 0 || b.DenseMACs <= b.MACs || !(b.GFLOPS > 0) || len(b.Layers) == 0 {
		t.Errorf("%+v", b)
	}
	if got := 2 * float64(b.MACs) / b.MedianMS / 1e6; math.Abs(got-b.GFLOPS) > 1e-6*got {
		t.Errorf("%v GFLOP/s, want %v", b.GFLOPS, got)
	}
	text := ok(t, dir, "bench", "model.onnx", "--size", "64x36", "--runs", "3").stdout
	for _, want := range []string{"layer", "tail", "64x36 to 128x72", "median", "GFLOP/s", "pruning pays"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}
