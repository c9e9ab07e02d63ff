package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/imaging"
	"evosr/internal/check"
	"evosr/internal/half"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
)

// agreement is how far another runtime may be from the float64 reference.
const agreement = 1e-4

// job is one run of a file in another runtime.
type job struct {
	name   string
	scale  int
	colors int
	model  string // path
	w, h   int
	src    []float32
	want   []float64
	out    string // path
	last   bool   // the colors are the last dim
}

// forms are the ways in which Export writes a network, for a picture of w x h.
func forms(w, h int) map[string]ExportOptions {
	return map[string]ExportOptions{
		"dynamic":       {},
		"fixed":         {Width: w, Height: h},
		"portable":      {Width: w, Height: h, Portable: true},
		"float16":       {Float16: true},
		"RGB":           {RGB: true},
		"RGB, float16":  {RGB: true, Float16: true, Width: w, Height: h},
		"RGB, portable": {RGB: true, Width: w, Height: h, Portable: true},
	}
}

// winner is a random network as a run hands it over: every second one without the
// channels that filter pruning took away.
func winner(rng *rand.Rand, i int) *network.Graph {
	net := randomNet(rng, 2+i%3, 1+2*(i/3%2))
	if i%2 == 0 {
		return net
	}
	for k := range net.Nodes {
		n := &net.Nodes[k]
		for o := range n.Bias {
			if size := len(n.Weights) / n.Out; n.Mask != nil && !slices.Contains(n.Mask[o*size:(o+1)*size], 1) {
				n.Bias[o] = 0
			}
		}
	}
	return net.Eliminate()
}

// jobs writes random winners in every form, at all operator sets, and what they
// shall read: dynamic ones at two sizes each, the second a few pixels small.
func jobs(t *testing.T, rng *rand.Rand) []job {
	t.Helper()
	dir := t.TempDir()
	var list []job
	opset := MinOpset
	add := func(name string, net *network.Graph, o ExportOptions, w, h int) {
		o.Opset = opset
		if opset++; opset > MaxOpset {
			opset = MinOpset
		}
		model := filepath.Join(dir, fmt.Sprintf("%d.onnx", len(list)))
		if err := os.WriteFile(model, export(t, net, o), 0o644); err != nil {
			t.Fatal(err)
		}
		sizes := [][2]int{{w, h}, {1 + rng.IntN(5), 1 + rng.IntN(5)}}
		if o.Width > 0 {
			sizes = sizes[:1]
		}
		for _, s := range sizes {
			j := job{name: fmt.Sprintf("%s, opset %d", name, o.Opset), scale: net.Scale, colors: net.Colors, model: model, w: s[0], h: s[1]}
			if o.RGB {
				j.colors = 3
			}
			j.out = filepath.Join(dir, fmt.Sprintf("%d.out", len(list)))
			j.src = picture(rng, j.colors, j.w, j.h)
			j.want = expected(t, net, o, j.src, j.w, j.h)
			inRuntime(t, j)
			list = append(list, j)
		}
	}
	for i := range 20 {
		net := winner(rng, i)
		w, h := 3+rng.IntN(20), 3+rng.IntN(20)
		all := forms(w, h)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if o := all[name]; !o.RGB || net.Colors == 1 {
				add(fmt.Sprintf("winner %d, x%d, %d colors, %s", i, net.Scale, net.Colors, name), net, o, w, h)
			}
		}
	}
	for _, block := range []string{"skip", "lean", "plain1.5", "wide2"} {
		add(block, netOf(t, rng, "w8;head;"+block+";tail", 2, 1), ExportOptions{}, 24, 16)
	}
	for _, act := range space.Activations() {
		all := forms(9, 7)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			add(fmt.Sprintf("%v, %s", act, name), bent(t, rng, act), all[name], 9, 7)
		}
	}
	return list
}

// bent has blocks of every kind with an activation.
func bent(t testing.TB, rng *rand.Rand, act space.Activation) *network.Graph {
	t.Helper()
	return netOf(t, rng, fmt.Sprintf("w8;head;wide2:%[1]v;plain1:%[1]v;lean:%[1]v;tail", act), 2, 1)
}

// expected computes what a file written with o shall give for src.
func expected(t testing.TB, net *network.Graph, o ExportOptions, src []float32, w, h int) []float64 {
	t.Helper()
	if o.Float16 {
		net = halved(net)
	}
	if !o.RGB {
		return reference(t, net, src, w, h)
	}
	// Enlarged far beyond the edge, so that the mirror of imaging is not seen.
	const far = 4
	n := w * h
	wide := [3]*imaging.Plane{}
	luma := make([]float32, n)
	for p := range wide {
		wide[p] = imaging.NewPlane(w+2*far, h+2*far)
	}
	for y := range h + 2*far {
		for x := range w + 2*far {
			i := min(max(y-far, 0), h-1)*w + min(max(x-far, 0), w-1)
			var ycc [3]float64
			ycc[0], ycc[1], ycc[2] = imaging.FromRGB(float64(src[i]), float64(src[n+i]), float64(src[2*n+i]))
			luma[i] = float32(ycc[0])
			for p := range wide {
				wide[p].Pix[y*(w+2*far)+x] = float32(ycc[p])
			}
		}
	}
	s := net.Scale
	sr := reference(t, net, luma, w, h)
	cb, cr := imaging.Upscale(wide[1], s), imaging.Upscale(wide[2], s)
	big := n * s * s
	out := make([]float64, 3*big)
	for y := range h * s {
		for x := range w * s {
			i, at := y*w*s+x, (y+far*s)*cb.W+x+far*s
			r, g, b := imaging.ToRGB(sr[i], float64(cb.Pix[at]), float64(cr.Pix[at]))
			for c, v := range []float64{r, g, b} {
				out[c*big+i] = min(max(v, 0), 1)
			}
		}
	}
	return out
}

// halved has the weights that float16 can say.
func halved(g *network.Graph) *network.Graph {
	out := *g
	out.Nodes = slices.Clone(g.Nodes)
	for i := range out.Nodes {
		n := &out.Nodes[i]
		n.Weights = slices.Clone(n.Weights)
		for j, x := range n.Weights {
			n.Weights[j] = half.From(half.Of(x))
		}
	}
	return &out
}

// inRuntime runs a file in evosr's own runtime, as a graph of unknown origin.
func inRuntime(t *testing.T, j job) {
	t.Helper()
	data, err := os.ReadFile(j.model)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphOf(data, ImportOptions{})
	if err != nil {
		t.Fatalf("%s: %v", j.name, err)
	}
	p, err := sparse.Compile(g, sparse.Options{Threads: 1})
	if err != nil {
		t.Fatalf("%s: %v", j.name, err)
	}
	defer p.Close()
	got := make([]float32, len(j.want))
	if err := p.Upscale(got, j.src, j.w, j.h); err != nil {
		t.Fatalf("%s, %dx%d: %v", j.name, j.w, j.h, err)
	}
	if diff := difference(t, floatBytes(got), j.want); !(diff <= agreement) {
		t.Errorf("%s, %dx%d: evosr's runtime differs by %g, want at most %g", j.name, j.w, j.h, diff, agreement)
	}
}

// TestONNXRuntime runs exported files in ONNX Runtime and compares.
func TestONNXRuntime(t *testing.T) { inONNXRuntime(t, jobs(t, check.Rand(t))) }

// dims writes a shape of scale times the size.
func (j *job) dims(scale int) string {
	if j.last {
		return fmt.Sprintf("1,%d,%d,%d", j.h*scale, j.w*scale, j.colors)
	}
	return fmt.Sprintf("1,%d,%d,%d", j.colors, j.h*scale, j.w*scale)
}

// planar turns values with the colors last into planes, or back.
func planar(values []float32, colors int, back bool) []float32 {
	out := make([]float32, len(values))
	n := len(values) / colors
	for c := range colors {
		for i := range n {
			if back {
				out[i*colors+c] = values[c*n+i]
			} else {
				out[c*n+i] = values[i*colors+c]
			}
		}
	}
	return out
}

// inONNXRuntime runs files and compares. With EVOSR_REQUIRE_ORT set, as in CI,
// it does not skip.
func inONNXRuntime(t *testing.T, list []job) {
	t.Helper()
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
	var args []string
	for _, j := range list {
		input, src := j.out+".in", j.src
		if j.last {
			src = planar(src, j.colors, true)
		}
		if err := os.WriteFile(input, floatBytes(src), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, j.model, input, j.out, j.dims(1))
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("nodecheck", "run.mjs"), "-")
	cmd.Stdin = strings.NewReader(strings.Join(args, "\n"))
	var talk strings.Builder
	cmd.Stderr = &talk
	shapes, err := cmd.Output()
	lines := strings.Fields(string(shapes))
	if err != nil {
		t.Fatalf("node: %v after %d runs, then %s\n%s", err, len(lines), list[min(len(lines), len(list)-1)].name, talk.String())
	}
	if len(lines) != len(list) {
		t.Fatalf("%d results, want %d", len(lines), len(list))
	}
	worst := 0.0
	for i, j := range list {
		if want := j.dims(j.scale); lines[i] != want {
			t.Errorf("%s: output %s, want %s", j.name, lines[i], want)
			continue
		}
		data, err := os.ReadFile(j.out)
		if err != nil {
			t.Fatal(err)
		}
		if j.last {
			data = floatBytes(planar(floatsOf(data), j.colors, false))
		}
		diff := difference(t, data, j.want)
		if worst = max(worst, diff); !(diff <= agreement) {
			t.Errorf("%s, %dx%d: differs by %g, want at most %g", j.name, j.w, j.h, diff, agreement)
		}
	}
	t.Logf("%d runs, largest difference %.2g", len(list), worst)
}

func floatsOf(data []byte) []float32 {
	list := make([]float32, len(data)/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return list
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
