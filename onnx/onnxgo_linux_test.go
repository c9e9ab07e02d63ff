package onnx

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/onnx/opinion"
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
	for i, genome := range []string{
		"w4;head;skip;tail",
		"w8;head=block4@50;wide2=block4@50,dense,pattern@50;plain1.5;tail=unstructured@50",
		"w8;head;lean=filter@50;wide1;tail",
	} {
		for k, form := range []struct {
			scale, colors int
			rgb           bool
		}{{2, 1, false}, {3, 1, false}, {4, 3, false}, {2, 1, true}} {
			net := netOf(t, rng, genome, form.scale, form.colors)
			w, h := 5+rng.IntN(8), 5+rng.IntN(8)
			base := filepath.Join(dir, strconv.Itoa(10*i+k))
			o := ExportOptions{Width: w, Height: h, Portable: true, RGB: form.rgb}
			colors := form.colors
			if form.rgb {
				colors = 3
			}
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
				t.Fatalf("%s, %+v: %v\n%s", genome, form, err, talk)
			}
			out, err := os.ReadFile(base + ".out")
			if err != nil {
				t.Fatal(err)
			}
			diff := difference(t, out, expected(net, o, src, w, h))
			if worst = max(worst, diff); !(diff <= agreement) {
				t.Errorf("%s, %+v, %dx%d: differs by %g, want at most %g", genome, form, w, h, diff, agreement)
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
