package onnx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/onnx/opinion"
	"evosr/space"
)

// Names of the variables that make a test binary run a file in onnx-go.
const (
	childJob  = "EVOSR_ONNXGO_JOB" // model, input and output file, colors, height, width
	childSize = 4 << 30            // bytes of address space
)

// TestOnnxGo runs files of portable form in onnx-go with its Gorgonia backend,
// an implementation that shares nothing with ours, and compares. Each run has a
// process and a memory limit of its own, because onnx-go trusts what it reads.
func TestOnnxGo(t *testing.T) {
	rng := check.Rand(t)
	dir := t.TempDir()
	worst := 0.0
	for i := range 20 {
		net := winner(rng, i)
		if acts := space.Activations(); i < len(acts) {
			net = bent(t, rng, acts[i])
		}
		for _, rgb := range []bool{false, true} {
			colors := net.Colors
			if rgb && colors == 3 {
				continue
			}
			if rgb {
				colors = 3
			}
			w, h := 5+rng.IntN(8), 5+rng.IntN(8)
			base := filepath.Join(dir, fmt.Sprintf("%d-%d", i, colors))
			o := ExportOptions{Width: w, Height: h, Portable: true, RGB: rgb}
			src := picture(rng, colors, w, h)
			data := export(t, net, o)
			for name, b := range map[string][]byte{".onnx": data, ".in": floatBytes(src)} {
				if err := os.WriteFile(base+name, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOnnxGoChild$", "-test.count=1")
			cmd.Env = append(os.Environ(), childJob+"="+strings.Join([]string{
				base + ".onnx", base + ".in", base + ".out", strconv.Itoa(colors), strconv.Itoa(h), strconv.Itoa(w),
			}, "\n"))
			if talk, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("winner %d, %v, %d colors: %v\n%s", i, net.Genome, colors, err, talk)
			}
			out, err := os.ReadFile(base + ".out")
			if err != nil {
				t.Fatal(err)
			}
			diff := difference(t, out, expected(t, net, o, src, w, h))
			if worst = max(worst, diff); !(diff <= agreement) {
				t.Errorf("winner %d, %v, %d colors, %dx%d: differs by %g, want at most %g", i, net.Genome, colors, w, h, diff, agreement)
			}
		}
	}
	t.Logf("largest difference %.2g", worst)
}

// TestOnnxGoChild is the other side of TestOnnxGo.
func TestOnnxGoChild(t *testing.T) {
	job := strings.Split(os.Getenv(childJob), "\n")
	if len(job) != 6 {
		t.Skip("the child of TestOnnxGo, which does nothing by itself")
	}
	if err := opinion.Limit(childSize); err != nil {
		t.Fatal(err)
	}
	shape := make([]int, 4)
	shape[0] = 1
	for i, s := range job[3:] {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		shape[i+1] = n
	}
	data, err := os.ReadFile(job[0])
	if err != nil {
		t.Fatal(err)
	}
	input, err := os.ReadFile(job[1])
	if err != nil {
		t.Fatal(err)
	}
	out, err := opinion.Run(data, floatsOf(input), shape[1], shape[2], shape[3])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(job[2], floatBytes(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
