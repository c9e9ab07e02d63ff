package verify

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/onnx"
	"evosr/onnx/opinion"
	"evosr/space"
	"evosr/sparse"
)

// childMark makes this binary, started again, serve Child.
const childMark = "serve-child"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childMark {
		if err := Child(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testNet is a small network of evosr's own, luma, with other weights each time.
func testNet(t *testing.T, rng *rand.Rand) (*network.Graph, *sparse.Program) {
	t.Helper()
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []space.Slot{{Blocks: space.Blocks{space.Plain: {1}}}}}
	g := sp.Shape(sp.Smallest())
	g.Fill(func(n *network.Node, fan int) float32 { return (rng.Float32() - 0.5) / float32(fan/n.Kernel) })
	p, err := sparse.Compile(g, sparse.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return g, p
}

func run(t *testing.T, p *sparse.Program, g *network.Graph, change func(*Options)) *Result {
	t.Helper()
	o := Options{Model: "m", Width: 12, Height: 8, Tolerance: 1e-4, Child: []string{os.Args[0], childMark}, White: 1}
	change(&o)
	v, err := New(p, g, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun holds a network against every implementation, and another one's program.
func TestRun(t *testing.T) {
	rng := check.Rand(t)
	g, p := testNet(t, rng)
	r := run(t, p, g, func(*Options) {})
	if !r.Agrees || r.Quarrel() != "" || len(r.Opinions) != 2 || r.Opinions[0].Name != byDefinition || r.Opinions[0].Difference > 1e-5 || r.Scale != 2 || r.Width != 12 {
		t.Errorf("%+v", r)
	}
	if o := r.Opinions[1]; opinion.Included && !(o.Difference >= 0 && o.Difference < 1e-5) || !opinion.Included && o.Difference != -1 {
		t.Errorf("%+v", o)
	}
	if r = run(t, p, g, func(o *Options) { o.Width, o.Child = onnx.MaxPortable+1, nil }); !r.Agrees || !strings.Contains(r.Opinions[1].Note, "left out") {
		t.Errorf("beyond the portable form: %+v", r)
	}
	other, _ := testNet(t, rng)
	if r = run(t, p, other, func(o *Options) { o.Child = []string{filepath.Join(t.TempDir(), "none")} }); r.Agrees || !strings.Contains(r.Quarrel(), "definition disagrees by more than 0.0001") {
		t.Errorf("another network: %q, %+v", r.Quarrel(), r)
	} else if opinion.Included && !strings.Contains(r.Quarrel(), "onnx-go fails") {
		t.Errorf("a child that is not there: %q", r.Quarrel())
	}
}

// TestRunner: what another runtime is given, and what becomes of what it gives.
func TestRunner(t *testing.T) {
	g, p := testNet(t, check.Rand(t))
	copied := filepath.Join(t.TempDir(), "input")
	for _, tt := range []struct {
		name, command, want string
		change              func(*Options)
	}{
		{"nothing", "true", "wrote no {output}", func(*Options) {}},
		{"too little", "cp {input} {output}; echo {dims} > '" + copied + ".dims'; cp {input} '" + copied + "'", "384 bytes, want 1536: float32 values of 1,1,16,24", func(o *Options) { o.File, o.White = "any file", 255 }},
		{"failure", "echo broken; exit 3", "exit status 3: broken", func(*Options) {}},
		{"a model", "test -s {model}", "wrote no {output}", func(*Options) {}},
	} {
		r := run(t, p, g, func(o *Options) { o.Runner = tt.command; tt.change(o) })
		if o := r.Opinions[len(r.Opinions)-1]; r.Agrees || o.Name != byRunner || o.Difference != -1 || !strings.Contains(o.Note, tt.want) {
			t.Errorf("%s: %+v, want %q", tt.name, o, tt.want)
		}
	}
	// A file's network is given its own white.
	text, err := os.ReadFile(copied)
	if err != nil || len(text) != 4*12*8 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	most := float32(0)
	for _, x := range floats(text) {
		most = max(most, x)
	}
	if dims, err := os.ReadFile(copied + ".dims"); err != nil || string(dims) != "1,1,8,12\n" || most < 50 || most > 255 {
		t.Errorf("shape %q, %v, largest value %v of 255", dims, err, most)
	}
}

func TestRunEnds(t *testing.T) {
	g, p := testNet(t, check.Rand(t))
	v, err := New(p, g, Options{Width: 4, Height: 4, Child: []string{os.Args[0], childMark}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLargest(t *testing.T) {
	nan := float32(math.NaN())
	for _, tt := range []struct {
		a, b []float32
		want float64
	}{
		{nil, nil, 0},
		{[]float32{1, 2}, []float32{1, 1.5}, 0.5},
		{[]float32{1}, []float32{1, 2}, math.MaxFloat64},
		{[]float32{1, nan}, []float32{1, 2}, math.MaxFloat64},
	} {
		if got := largest(tt.a, tt.b); got != tt.want {
			t.Errorf("%v and %v differ by %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestFloats: values survive the way between the processes, bit by bit.
func TestFloats(t *testing.T) {
	want := []float32{0, -1.5, math.MaxFloat32, float32(math.Inf(-1))}
	if got := floats(floatBytes(want)); largest(got[:3], want[:3]) != 0 || got[3] != want[3] {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestDifference of a program to itself and to one of other weights.
func TestDifference(t *testing.T) {
	rng := check.Rand(t)
	_, p := testNet(t, rng)
	_, q := testNet(t, rng)
	if most, psnr, err := Difference(p, p); most != 0 || !math.IsInf(psnr, 1) || err != nil {
		t.Errorf("to itself: %v, %v dB, %v", most, psnr, err)
	}
	if most, psnr, err := Difference(p, q); !(most > 0) || !(psnr < 60) || err != nil {
		t.Errorf("to another: %v, %v dB, %v", most, psnr, err)
	}
}

// TestChildRefuses what is no request, in a process whose memory may be limited.
func TestChildRefuses(t *testing.T) {
	if !opinion.Included {
		t.Skip("this build has no onnx-go")
	}
	long := make([]byte, 4*4)
	long[0] = 99
	for name, in := range map[string][]byte{"nothing": nil, "a model longer than what follows": long} {
		c := exec.Command(os.Args[0], childMark)
		c.Stdin = bytes.NewReader(in)
		if out, err := c.CombinedOutput(); err == nil || string(out) != ErrRequest.Error() {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}
