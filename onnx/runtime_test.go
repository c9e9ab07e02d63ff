package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/space"
)

// agreement is how far another runtime may be from the float64 reference.
const agreement = 1e-4

// job is one run of a file in another runtime.
type job struct {
	name  string
	net   *space.Subnet
	model string // path
	w, h  int
	src   []float32
	out   string // path
}

// jobs writes networks of every scale, color and form, and what they shall
// read: dynamic ones at two sizes each.
func jobs(t *testing.T, rng *rand.Rand) []job {
	t.Helper()
	dir := t.TempDir()
	var list []job
	add := func(name string, net *space.Subnet, o ExportOptions, sizes ...[2]int) {
		model := filepath.Join(dir, fmt.Sprintf("%d.onnx", len(list)))
		if err := os.WriteFile(model, export(t, net, o), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, s := range sizes {
			j := job{name: name, net: net, model: model, w: s[0], h: s[1]}
			j.out = filepath.Join(dir, fmt.Sprintf("%d.out", len(list)))
			j.src = picture(rng, net.Colors, j.w, j.h)
			list = append(list, j)
		}
	}
	opset := MinOpset
	for _, scale := range []int{2, 3, 4} {
		for _, colors := range []int{1, 3} {
			name := fmt.Sprintf("x%d, %d colors, ", scale, colors)
			for i := range 4 {
				add(fmt.Sprintf("%srandom %d, opset %d", name, i, opset), randomNet(rng, scale, colors),
					ExportOptions{Opset: opset}, [2]int{7 + rng.IntN(20), 5 + rng.IntN(20)}, [2]int{1 + rng.IntN(5), 1 + rng.IntN(5)})
				if opset++; opset > MaxOpset {
					opset = MinOpset
				}
			}
			w, h := 3+rng.IntN(20), 3+rng.IntN(20)
			add(name+"fixed size", randomNet(rng, scale, colors), ExportOptions{Width: w, Height: h}, [2]int{w, h})
			add(name+"portable", randomNet(rng, scale, colors), ExportOptions{Width: w, Height: h, Portable: true}, [2]int{w, h})
		}
	}
	for _, block := range []string{"skip", "lean", "plain1.5", "wide2"} {
		add(block, netOf(t, rng, "w8;head;"+block+";tail", 2, 1), ExportOptions{}, [2]int{24, 16}, [2]int{1, 1})
	}
	return list
}

// TestONNXRuntime runs exported files in ONNX Runtime and compares. With
// EVOSR_REQUIRE_ORT set, as in CI, it does not skip.
func TestONNXRuntime(t *testing.T) {
	skip := t.Skip
	if os.Getenv("EVOSR_REQUIRE_ORT") != "" {
		skip = t.Fatal
	}
	node, err := exec.LookPath("node")
	if err != nil {
		skip("node is not installed: the check by ONNX Runtime is left out")
	}
	if _, err := os.Stat(filepath.Join("nodecheck", "node_modules", "onnxruntime-node")); err != nil {
		skip("onnxruntime-node is not installed (make node-deps): the check by ONNX Runtime is left out")
	}
	list := jobs(t, check.Rand(t))
	args := []string{filepath.Join("nodecheck", "run.mjs")}
	for _, j := range list {
		input := j.out + ".in"
		if err := os.WriteFile(input, floatBytes(j.src), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, j.model, input, j.out, fmt.Sprintf("1,%d,%d,%d", j.net.Colors, j.h, j.w))
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	var talk strings.Builder
	cmd.Stderr = &talk
	shapes, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, talk.String())
	}
	lines := strings.Fields(string(shapes))
	if len(lines) != len(list) {
		t.Fatalf("%d results, want %d", len(lines), len(list))
	}
	worst := 0.0
	for i, j := range list {
		s := j.net.Scale
		if want := fmt.Sprintf("1,%d,%d,%d", j.net.Colors, j.h*s, j.w*s); lines[i] != want {
			t.Errorf("%s: output %s, want %s", j.name, lines[i], want)
			continue
		}
		data, err := os.ReadFile(j.out)
		if err != nil {
			t.Fatal(err)
		}
		diff := difference(t, data, forward(j.net, j.src, j.w, j.h))
		if worst = max(worst, diff); !(diff <= agreement) {
			t.Errorf("%s, %dx%d: differs by %g, want at most %g", j.name, j.w, j.h, diff, agreement)
		}
	}
	t.Logf("%d runs, largest difference %.2g", len(list), worst)
}

func floatBytes(values []float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// difference is the largest one between float32 bytes and want; NaN where a
// value is.
func difference(t *testing.T, data []byte, want []float64) float64 {
	t.Helper()
	if len(data) != 4*len(want) {
		t.Fatalf("%d bytes of output, want %d", len(data), 4*len(want))
	}
	worst := 0.0
	for i, w := range want {
		got := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		worst = max(worst, math.Abs(float64(got)-w)) // max keeps NaN
	}
	return worst
}
