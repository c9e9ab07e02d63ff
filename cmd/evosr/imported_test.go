package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/fitness"
	"evosr/imaging"
	"evosr/network"
	"evosr/onnx"
	"evosr/sparse"
	"evosr/verify"
)

// foreign writes a network such as other tools make: convolutions with PReLU and
// a deconvolution, luma or RGB, that about enlarges.
func foreign(t testing.TB, path string, colors int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	conv := func(name string, src, in, out, k int) network.Node {
		n := network.Node{Name: name, Op: network.OpConv, Inputs: []int{src}, Out: out, Kernel: k, Pad: [4]int{k / 2, k / 2, k / 2, k / 2}, Bias: make([]float32, out)}
		n.Weights = make([]float32, out*in*k*k)
		for i := range n.Weights {
			n.Weights[i] = float32(0.02 * rng.NormFloat64())
		}
		for o := range min(in, out) { // passes the picture on
			n.Weights[(o*in+o)*k*k+k*k/2] += 1
		}
		return n
	}
	up := network.Node{Name: "up", Op: network.OpDeconv, Inputs: []int{4}, Out: colors, Kernel: 2, Stride: 2, Weights: make([]float32, 12*colors*4)}
	for c := range colors {
		for i := range 4 {
			up.Weights[(c*colors+c)*4+i] = 1
		}
	}
	g := &network.Graph{Scale: 2, Colors: colors, Nodes: []network.Node{
		conv("head", network.Picture, colors, 12, 3),
		{Name: "slope1", Op: network.OpActivate, Act: network.ActPReLU, Slope: []float32{0.2}, Inputs: []int{0}},
		conv("middle", 1, 12, 12, 3),
		{Name: "slope2", Op: network.OpActivate, Act: network.ActPReLU, Slope: []float32{0.1}, Inputs: []int{2}},
		conv("tail", 3, 12, 12, 3),
		up,
	}}
	var b bytes.Buffer
	if err := onnx.Export(&b, g, onnx.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestForeignNetworks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "set"), 0o755); err != nil {
		t.Fatal(err)
	}
	picture := imaging.NewRGB([3]*imaging.Plane{imaging.Procedural(1, 0, 64), imaging.Procedural(1, 1, 64), imaging.Procedural(1, 2, 64)})
	var b bytes.Buffer
	if err := imaging.EncodePNG(&b, picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "set", "a.png"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, colors := range map[string]int{"luma.onnx": 1, "rgb.onnx": 3} {
		foreign(t, filepath.Join(dir, name), colors)
		ok(t, dir, "upscale", "-m", name, "set/a.png", "big.png")
		if p := open(t, filepath.Join(dir, "big.png")); p.Y.W != 128 || p.Y.H != 128 || p.Cb == nil {
			t.Errorf("%s: a picture of %dx%d", name, p.Y.W, p.Y.H)
		}
		var s fitness.SetScore
		unmarshal(t, ok(t, dir, "eval", name, "--images", "set", "--json").stdout, &s)
		if s.Scale != 2 || !(s.Mean.PSNR > 15 && s.Mean.PSNR < 60) {
			t.Errorf("%s: %+v", name, s)
		}
		var r benchResult
		unmarshal(t, ok(t, dir, "bench", name, "--size", "32x24", "--runs", "2", "--json").stdout, &r)
		if r.Scale != 2 || len(r.Layers) == 0 || r.MACs == 0 {
			t.Errorf("%s: %+v", name, r)
		}
		h := imaging.Y4MHeader{W: 16, H: 12, RateNum: 25, RateDen: 1, Chroma: "420jpeg"}
		out := evosr(t, dir, video(t, h, 2), "upscale", "-m", name, "-", "-")
		if out.code != 0 || !strings.HasPrefix(out.stdout, "YUV4MPEG2 W32 H24 ") {
			t.Errorf("%s: video: exit %d, %.60q %s", name, out.code, out.stdout, out.stderr)
		}
	}
	// No data of other files by default; what --allow-external allows is for onnx's
	// own tests.
	if r := evosr(t, dir, nil, "bench", "luma.onnx", "--allow-external", "--runs", "1", "--size", "16x16"); r.code != 0 {
		t.Errorf("--allow-external: exit %d, %s", r.code, r.stderr)
	}
	// A range of 255 multiplies and divides: this network is nearly linear.
	foreign(t, filepath.Join(dir, "rgb.onnx"), 3)
	ok(t, dir, "upscale", "-m", "rgb.onnx", "--range", "255", "set/a.png", "big255.png")
	a, c := open(t, filepath.Join(dir, "big.png")), open(t, filepath.Join(dir, "big255.png"))
	if db, err := fitness.PSNR(a.Y, c.Y, 2); err != nil || db < 15 {
		t.Errorf("with --range 255 the picture differs by %v dB, %v", db, err)
	}
}

func TestPruneCommand(t *testing.T) {
	dir := t.TempDir()
	foreign(t, filepath.Join(dir, "net.onnx"), 1)
	var r pruneResult
	unmarshal(t, ok(t, dir, "prune", "net.onnx", "--scheme", "block4", "--ratio", "50", "-o", "out.onnx", "--size", "32x24", "--json").stdout, &r)
	if strings.Join(r.Layers, " ") != "middle tail" || r.ChangedDB == nil || !(*r.ChangedDB > 10 && *r.ChangedDB < 99) || !(r.MACs < r.DenseMACs) || !(r.AfterMS > 0) {
		t.Errorf("%+v", r)
	}
	data, err := os.ReadFile(filepath.Join(dir, "out.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if meta := m.Meta(); meta["pruned_from"] != "net.onnx" || meta["prune_ratio"] != "0.5" || !strings.Contains(meta["sparsity"], `"scheme":"block4","density":0.5`) {
		t.Errorf("metadata %v", meta)
	}
	ok(t, dir, "bench", "out.onnx", "--size", "16x16", "--runs", "1")
	ok(t, dir, "prune", "net.onnx", "--scheme", "filter", "--ratio", "0.5", "--ends", "-o", "out.evosr", "--size", "32x24")
	ok(t, dir, "bench", "out.evosr", "--size", "16x16", "--runs", "1")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"prune", "net.onnx", "--scheme", "dense", "-o", "x.onnx"}, exitUsage, `--scheme "dense"`},
		{[]string{"prune", "net.onnx", "-o", "x.txt"}, exitUsage, "ends in .onnx or .evosr"},
		{[]string{"prune", "net.onnx", "-o", "net.onnx"}, exitUsage, "choose another name"},
		{[]string{"prune", "out.evosr", "-o", "x.onnx"}, exitUsage, "is a program file"},
		{[]string{"prune", "net.onnx"}, exitUsage, "output"},
	} {
		if r := evosr(t, dir, nil, tt.args...); r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%v: exit %d, %s", tt.args, r.code, r.stderr)
		}
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	foreign(t, filepath.Join(dir, "rgb.onnx"), 3)
	verify := func(args ...string) (verify.Result, result) {
		t.Helper()
		r := evosr(t, dir, nil, append([]string{"verify", "--json"}, args...)...)
		var v verify.Result
		if r.stdout != "" {
			unmarshal(t, r.stdout, &v)
		}
		return v, r
	}
	for _, name := range []string{"model.onnx", "model.evosr"} {
		v, r := verify(name)
		if r.code != 0 || !v.Agrees || len(v.Opinions) != 2 || v.Opinions[0].Difference > 1e-5 || v.Opinions[1].Name != "onnx-go" || !(v.Opinions[1].Difference >= 0 && v.Opinions[1].Difference <= 1e-5) {
			t.Errorf("%s: exit %d, %+v, %s", name, r.code, v, r.stderr)
		}
	}
	v, r := verify("rgb.onnx")
	if r.code != 0 || !v.Agrees || v.Colors != 3 || v.Opinions[1].Difference != -1 || !strings.Contains(v.Opinions[1].Note, "left out") {
		t.Errorf("exit %d, %+v, %s", r.code, v, r.stderr)
	}
	if v, r = verify("model.onnx", "--tolerance", "1e-12"); r.code != exitIntegrity || v.Agrees || !strings.Contains(r.stderr, "definition disagrees by more than 1e-12") {
		t.Errorf("exit %d, %+v, %s", r.code, v, r.stderr)
	}
	// A runner that gives its input back, and one that gives nothing.
	if v, r = verify("model.onnx", "--size", "16x8", "--runner", "for i in 1 2 3 4; do cat {input}; done > {output}"); r.code != exitIntegrity || v.Opinions[2].Agrees || v.Opinions[2].Difference < 1e-3 {
		t.Errorf("exit %d, %+v, %s", r.code, v, r.stderr)
	}
	if v, r = verify("model.onnx", "--runner", "true"); r.code != exitIntegrity || !strings.Contains(v.Opinions[2].Note, "wrote no {output}") {
		t.Errorf("exit %d, %+v, %s", r.code, v, r.stderr)
	}
	node, err := exec.LookPath("node")
	script, errAbs := filepath.Abs(filepath.Join("..", "..", "onnx", "nodecheck", "run.mjs"))
	if _, missing := os.Stat(filepath.Join("..", "..", "onnx", "nodecheck", "node_modules", "onnxruntime-node")); err != nil || errAbs != nil || missing != nil {
		t.Skip("onnxruntime-node is not installed (make node-deps): verify is not tried with it")
	}
	for _, name := range []string{"model.onnx", "model.evosr", "rgb.onnx"} {
		v, r := verify(name, "--runner", fmt.Sprintf("'%s' '%s' {model} {input} {output} {dims}", node, script))
		if r.code != 0 || !v.Agrees || !(v.Opinions[2].Difference >= 0 && v.Opinions[2].Difference < 1e-4) {
			t.Errorf("%s: exit %d, %+v, %s", name, r.code, v, r.stderr)
		}
	}
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	models(t, dir, 2)
	foreign(t, filepath.Join(dir, "rgb.onnx"), 3)
	for _, c := range [][]string{
		{"model.evosr", "a.onnx"}, {"a.onnx", "a.evosr"}, {"model.onnx", "half.onnx", "--weights", "f16"},
		{"model.onnx", "portable.onnx", "--portable", "--fixed-size", "48x32", "--opset", "11"},
		{"model.evosr", "color.onnx", "--color", "rgb", "--opset", "17"}, {"rgb.onnx", "rgb.evosr"}, {"rgb.evosr", "b.onnx", "--opset", "18"},
	} {
		ok(t, dir, append([]string{"convert"}, c...)...)
		ok(t, dir, "verify", c[1])
	}
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if half, full := size("half.onnx"), size("model.onnx"); float64(half) > 0.75*float64(full) {
		t.Errorf("%d bytes in float16, %d in float32", half, full)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"model.onnx", "x.txt"}, "ends in .onnx or .evosr"},
		{[]string{"model.onnx", "model.onnx"}, "OUT is IN"},
		{[]string{"model.onnx", "x.evosr", "--opset", "12"}, "are of ONNX files"},
		{[]string{"model.onnx", "x.onnx", "--portable"}, "--portable needs --fixed-size"},
		{[]string{"rgb.onnx", "x.onnx", "--color", "rgb"}, "a network of 3 colors, want one of luma"},
		{[]string{"rgb.onnx", "x.onnx", "--portable", "--fixed-size", "8x8"}, `portable form: node "head" (conv)`},
		{[]string{"model.onnx", "x.onnx", "--weights", "int8"}, "want f32 or f16"},
	} {
		if r := evosr(t, dir, nil, append([]string{"convert"}, tt.args...)...); r.code != exitUsage || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%v: exit %d, %s", tt.args, r.code, r.stderr)
		}
	}
}

// TestGoPackage builds a written package in a module of its own, runs its
// example, and compares its pictures with the program's.
func TestGoPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a module of its own")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	p, err := sparse.Compile(testNet(t, 3), sparse.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := filepath.Join(t.TempDir(), "enlarge")
	if err := writeGoPackage(dir, "A test.", root, p); err != nil {
		t.Fatal(err)
	}
	src := make([]float32, 9*7)
	for i := range src {
		src[i] = float32(math.Mod(float64(i)*0.37, 1))
	}
	want := make([]float32, 9*len(src))
	if err := p.Upscale(want, src, 9, 7); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([2][]float32{src, want})
	if err != nil {
		t.Fatal(err)
	}
	check := `package enlarge

import ("encoding/json"; "math"; "testing")

func TestSame(t *testing.T) {
	var v [2][]float32
	if err := json.Unmarshal([]byte(` + "`" + string(text) + "`" + `), &v); err != nil { t.Fatal(err) }
	u, err := New()
	if err != nil { t.Fatal(err) }
	defer u.Close()
	dst := NewPicture(27, 21)
	if err := u.Upscale(dst, &Picture{9, 7, v[0]}); err != nil { t.Fatal(err) }
	for i := range dst.Pix {
		if math.Abs(float64(dst.Pix[i]-v[1][i])) > 1e-5 { t.Fatalf("value %d is %v, want %v", i, dst.Pix[i], v[1][i]) }
	}
	if err := u.Upscale(dst, NewPicture(8, 7)); err == nil { t.Fatal("a picture of another size passes") }
	c := u.Clone()
	defer c.Close()
	if n := testing.AllocsPerRun(3, func() { u.Upscale(dst, &Picture{9, 7, v[0]}) }); n > 1 { t.Errorf("%v allocations", n) }
}
`
	if err := os.WriteFile(filepath.Join(dir, "same_test.go"), []byte(check), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-vet=all", "-bench=.", "-benchtime=1x", "-v", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-mod=mod")
	talk, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(talk, []byte("--- PASS: Example")) || !bytes.Contains(talk, []byte("BenchmarkUpscale")) {
		t.Fatalf("%v\n%s", err, talk)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.Contains(line, " v") && !strings.Contains(line, "evosr v0") && !strings.Contains(line, "// indirect") {
			t.Errorf("go.mod asks for more: %s", line)
		}
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "1x"), dir} {
		if err := writeGoPackage(bad, "", root, p); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
