package deviceprofile

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/space"
	"evosr/sparse"
)

// tiny is a space whose networks take well under a millisecond on the tests'
// picture.
func tiny() *space.Space {
	slot := space.Slot{Skip: true, Wide: []float64{1, 2}, Plain: []float64{1}, Lean: true}
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8}, Slots: []space.Slot{slot, slot, slot},
		Schemes: space.Schemes(), Percents: []int{25, 50, 75}}
}

func compile(t *testing.T, sp *space.Space, g space.Genome, threads int) []sparse.LayerInfo {
	t.Helper()
	p, err := sparse.Compile(randomSubnet(sp, g), sparse.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return p.Layers()
}

// known is a profile whose coefficients are given, not measured.
func known() *Profile {
	return &Profile{Threads: 1, Width: 320, Height: 180, Low: 0.9, High: 1.1,
		Layer: LayerCost{Tap1NS: []float64{0.3, 0.35, 0.5, 1}, Tap3NS: []float64{0.3, 0.4, 0.5, 1}, FarNS: []float64{0, 0.1, 0.1, 0},
			BlockNS: []float64{0.4, 0.6, 1, 2}, ReadNS: 0.05, WriteNS: 0.1, AddNS: 0.2, SpillNS: 0.5, RowNS: 2, BandNS: 200},
		Frame: FrameCost{Waiting: 1.05, OutputNS: 1, LayerNS: 3000, ConstantNS: 4000}}
}

// TestPredict computes by hand what a dense 16 to 8 layer of one band and the
// picture around it cost.
func TestPredict(t *testing.T) {
	p := known()
	p.Layer = LayerCost{Tap1NS: []float64{0, 0, 0, 5}, Tap3NS: []float64{0, 0, 0, 7}, FarNS: make([]float64, 4), BlockNS: []float64{0, 0, 0, 11},
		ReadNS: 2, WriteNS: 3, AddNS: 4, RowNS: 13, BandNS: 17, ConstantNS: 19}
	p.Frame = FrameCost{Waiting: 2, OutputNS: 23, LayerNS: 29, ConstantNS: 31}
	l := sparse.LayerInfo{In: 16, Out: 8, Kernel: 3, Blocks: [4]int{3: 1}, BlockTaps: [4]int{3: 144}, Residual: true}
	const vectors = 2 * 2 // two rows of 17 pixels: the second vector of each counts whole
	layer := 7*144*vectors + 11*vectors + 2*16*vectors + (3+4)*8*vectors + 13*2 + 17 + 19.0
	want := (2*layer + 23*8*vectors + 29 + 31) / 1e6
	if got, low, high := p.Predict([]sparse.LayerInfo{l}, 17, 2, 2); math.Abs(got-want) > 1e-12 || math.Abs(low-0.9*want) > 1e-12 || math.Abs(high-1.1*want) > 1e-12 {
		t.Errorf("%v ms in [%v, %v], want %v in [%v, %v]", got, low, high, want, 0.9*want, 1.1*want)
	}
	if got := p.PredictLayers([]sparse.LayerInfo{l}, 17, 2); math.Abs(got[0]-layer/1e6) > 1e-12 {
		t.Errorf("the layer takes %v ms, want %v", got[0], layer/1e6)
	}
	l.Kernel = 1
	if got := p.PredictLayers([]sparse.LayerInfo{l}, 17, 2); math.Abs(got[0]-(layer-2*144*vectors)/1e6) > 1e-12 {
		t.Errorf("with a 1x1 filter it takes %v ms, want %v", got[0], (layer-2*144*vectors)/1e6)
	}
}

// TestPredictGrows: more of anything must not cost less.
func TestPredictGrows(t *testing.T) {
	p, sp := known(), tiny()
	predict := func(g space.Genome, w, h int) float64 {
		ms, _, _ := p.Predict(compile(t, sp, g, 1), w, h, sp.Scale)
		return ms
	}
	small, large := predict(sp.Smallest(), 320, 180), predict(sp.Largest(), 320, 180)
	if !(small > 0 && small < large) {
		t.Errorf("the smallest network takes %v ms, the largest %v", small, large)
	}
	if wide := predict(sp.Largest(), 640, 180); !(wide > 1.5*large) {
		t.Errorf("twice as wide takes %v ms, want nearly twice %v", wide, large)
	}
	if ms, _, _ := p.Predict(nil, 0, 0, 2); math.IsNaN(ms) {
		t.Error("nothing takes NaN")
	}
}

// TestLearn makes up times from known coefficients, disturbs a few of them
// badly, and wants the predictions back.
func TestLearn(t *testing.T) {
	rng := check.Rand(t)
	truth, sp := known(), general()
	var nets []*timed
	for i := range 40 {
		g := sp.Random(rng)
		n := &timed{genome: g, layers: compile(t, sp, g, 1)}
		ms, _, _ := truth.Predict(n.layers, 320, 180, 2)
		if i%10 == 0 {
			ms *= 1.5
		}
		n.frames = []time.Duration{time.Duration(ms * 1e6)}
		for _, ms := range truth.PredictLayers(n.layers, 320, 180) {
			if rng.IntN(20) == 0 {
				ms *= 3
			}
			n.byLayer = append(n.byLayer, []time.Duration{time.Duration(ms * 1e6)})
		}
		nets = append(nets, n)
	}
	p := &Profile{Threads: 1, Width: 320, Height: 180}
	p.learn(nets)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		layers := compile(t, sp, sp.Random(rng), 1)
		got, low, high := p.Predict(layers, 320, 180, 2)
		want, _, _ := truth.Predict(layers, 320, 180, 2)
		if math.Abs(got-want) > 0.03*want || low > got || high < got {
			t.Errorf("%v ms in [%v, %v], want %v", got, low, high, want)
		}
	}
	if len(p.Nets) != 40 || len(p.Samples) == 0 || len(p.Samples) > keptSamples {
		t.Errorf("%d networks and %d samples are kept", len(p.Nets), len(p.Samples))
	}
	q := &Profile{Threads: 1, Width: 320, Height: 180}
	q.learn(nets)
	if !slices.Equal(p.Layer.vector(), q.Layer.vector()) || p.Frame != q.Frame {
		t.Error("equal measurements give two profiles")
	}
}

// TestNonNegative: the true solution has a negative coefficient, the nearest
// allowed one has a zero there.
func TestNonNegative(t *testing.T) {
	rows := [][]float64{{1, 1}, {2, 1}, {3, 1}}
	for _, tt := range []struct{ want, x []float64 }{
		{[]float64{5, 7, 9}, []float64{2, 3}},
		{[]float64{2, 4, 6}, []float64{2, 0}},
		{[]float64{4, 4, 4}, []float64{0, 4}},
	} {
		if x := nonNegative(rows, tt.want); math.Abs(x[0]-tt.x[0]) > 0.01 || math.Abs(x[1]-tt.x[1]) > 0.01 {
			t.Errorf("for %v the fit is %v, want %v", tt.want, x, tt.x)
		}
	}
	if x := nonNegative(rows, []float64{1, 0.5, 0.1}); x[0] < 0 || x[1] < 0 {
		t.Errorf("a falling line is fitted by %v", x)
	}
}

// TestMeasure measures in a second what takes half a minute in earnest: enough
// to tell a large network from a small one on any machine.
func TestMeasure(t *testing.T) {
	sp := tiny()
	o := MeasureOptions{Threads: 2, Quick: true, Space: sp, Width: 64, Height: 48, Seconds: 1}
	last, calls := 0.0, 0
	o.Progress = func(done float64, what string) {
		if calls++; done < 0 || done > 1 || what == "" {
			t.Errorf("progress %v %q", done, what)
		}
		last = done
	}
	p, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Validate(), p.Check()); err != nil {
		t.Error(err)
	}
	if p.Threads != 2 || p.Kernels != kernel.Best().Name || p.Version != sparse.Version || len(p.Nets) < leastNets || p.Date == "" || p.CPU == "" {
		t.Errorf("the profile says %+v", p)
	}
	if last != 1 || calls < leastNets {
		t.Errorf("%d calls of Progress, the last at %v", calls, last)
	}
	small, _, _ := p.Predict(compile(t, sp, sp.Smallest(), 2), 64, 48, 2)
	large, _, _ := p.Predict(compile(t, sp, sp.Largest(), 2), 64, 48, 2)
	if !(small > 0 && small < large) {
		t.Errorf("the smallest network takes %v ms, the largest %v", small, large)
	}

	r, err := Accuracy(t.Context(), p, AccuracyOptions{Nets: 5, Seed: 3, Space: sp})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Nets) != 5 || r.Profile.Within5 > r.Profile.Within10 {
		t.Errorf("the report says %+v", r)
	}
	for _, n := range r.Nets {
		if !(n.MeasuredMS > 0 && n.PredictedMS > 0 && n.LowMS <= n.PredictedMS && n.PredictedMS <= n.HighMS && n.MACs > 0 && n.MACsMS >= 0 && n.QuietShare >= 0 && n.QuietShare <= 1) {
			t.Errorf("a network is %+v", n)
		}
		if slices.ContainsFunc(p.Nets, func(s NetSample) bool { return s.Genome == n.Genome }) {
			t.Errorf("%s was measured for the profile", n.Genome)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, MeasureOptions{Quick: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, o := range []MeasureOptions{{Threads: -1}, {Width: -3, Height: 4}, {Width: 1 << 30, Height: 1 << 30}, {Space: &space.Space{}}, {Seconds: math.NaN()}} {
		if _, err := Measure(t.Context(), o); err == nil {
			t.Errorf("%+v was measured", o)
		}
	}
	if _, err := Accuracy(t.Context(), &Profile{}, AccuracyOptions{Nets: 5}); err == nil {
		t.Error("an empty profile was checked")
	}
	for _, o := range []AccuracyOptions{{Nets: 1}, {Nets: 1001}, {Nets: 5, Width: -1, Height: 3}, {Nets: 5, Space: &space.Space{}}} {
		if _, err := Accuracy(t.Context(), known(), o); err == nil {
			t.Errorf("%+v was checked", o)
		}
	}
}

func TestCheck(t *testing.T) {
	good := known()
	good.CPU, good.Kernels, good.Version = cpuModel(), kernel.Best().Name, sparse.Version
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Profile){
		"cpu": func(p *Profile) { p.CPU = "Z80" }, "kernels": func(p *Profile) { p.Kernels = "mmx" },
		"version": func(p *Profile) { p.Version = "0" }, "threads": func(p *Profile) { p.Threads = 1 << 20 },
	} {
		p := *good
		change(&p)
		if err := p.Check(); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s says: %v", name, err)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := known().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Profile){
		"no threads": func(p *Profile) { p.Threads = 0 }, "negative": func(p *Profile) { p.Layer.RowNS = -1 },
		"NaN": func(p *Profile) { p.Frame.Waiting = math.NaN() }, "short list": func(p *Profile) { p.Layer.FarNS = nil },
		"inverted interval": func(p *Profile) { p.Low = 1.2 }, "endless interval": func(p *Profile) { p.High = math.Inf(1) },
	} {
		p := known()
		change(p)
		if p.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestQuiet: a neighbour that holds a core all the time makes every frame slow
// alike, which spread does not show and waiting does.
func TestQuiet(t *testing.T) {
	const ms = time.Millisecond
	frames := []time.Duration{10 * ms, 10 * ms, 10 * ms, 10 * ms}
	for _, tt := range []struct {
		name           string
		frames, waited []time.Duration
		share          float64
		quiet          bool
	}{
		{"alone", frames, make([]time.Duration, 4), 1, true},
		{"unknown", frames, nil, 1, true},
		{"held core", frames, []time.Duration{5 * ms, 5 * ms, 5 * ms, 0}, 0.25, false},
		{"spread", []time.Duration{10 * ms, 12 * ms, 12 * ms, 12 * ms}, nil, 0.25, false},
	} {
		b := &bench{nets: []*timed{{frames: tt.frames, waited: tt.waited}}}
		if b.quietShare() != tt.share || b.quiet() != tt.quiet {
			t.Errorf("%s: quiet %v, share %v, want %v, %v", tt.name, b.quiet(), b.quietShare(), tt.quiet, tt.share)
		}
	}
}

func TestScore(t *testing.T) {
	s := score([]float64{10, 21, 33, 36}, []float64{10, 20, 30, 40})
	if s.Within5 != 0.5 || s.Within10 != 1 || math.Abs(s.RMSPE-math.Sqrt((0.0025+0.01+0.01)/4)) > 1e-12 || s.KendallTau != 1 || math.Abs(s.Bias-0.025) > 1e-12 {
		t.Errorf("score is %+v", s)
	}
	if tau := kendall([]float64{1, 2, 3}, []float64{1, 3, 2}); math.Abs(tau-1.0/3) > 1e-12 {
		t.Errorf("tau is %v, want 1/3", tau)
	}
}

func TestParseCPU(t *testing.T) {
	for _, tt := range []struct{ info, want string }{
		{"processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD  EPYC\nstepping\t: 1\n\nprocessor\t: 1\nmodel\t\t: 9\n", "AMD EPYC, cpu family 26, model 2, stepping 1"},
		{"processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n", "CPU implementer 0x41, CPU part 0xd08, CPU variant 0x0"},
		{"", ""},
	} {
		if got := parseCPU(tt.info); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestRandomSubnet: equal genomes give equal networks, or times could not be
// compared.
func TestRandomSubnet(t *testing.T) {
	sp := tiny()
	g := sp.Random(rand.New(rand.NewPCG(3, 4)))
	a, b := randomSubnet(sp, g), randomSubnet(sp, g)
	for i := range a.Layers {
		if !slices.Equal(a.Layers[i].Weights, b.Layers[i].Weights) || !slices.Equal(a.Layers[i].Mask, b.Layers[i].Mask) {
			t.Fatalf("layer %s differs", a.Layers[i].Name)
		}
	}
}
