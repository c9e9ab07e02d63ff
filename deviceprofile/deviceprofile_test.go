package deviceprofile

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/internal/stat"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
)

// tiny is a space whose networks take well under a millisecond on the tests'
// picture.
func tiny() *space.Space {
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {1, 2}, space.Plain: {1}, space.Lean: space.Once()}}
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8}, Slots: []space.Slot{slot, slot, slot},
		Schemes: network.Schemes(), Percents: []int{25, 50, 75}}
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

// priced makes a profile of given coefficients, by family and term; the others
// are 0.
func priced(external bool, layer map[string]float64, waiting, output, each, constant float64) *Profile {
	p := &Profile{Runtime: Evosr, Threads: 1, Width: 320, Height: 180, Scale: 2, Colors: 1, Low: 0.9, High: 1.1}
	if external {
		p.Runtime = "sh time.sh {model}"
	}
	var m model
	for _, t := range p.table().layer {
		m.layer = append(m.layer, layer[t.Family+" "+t.Name])
		delete(layer, t.Family+" "+t.Name)
	}
	if len(layer) > 0 {
		panic(layer)
	}
	m.whole = []float64{waiting, output, each, constant}
	p.set(m, [][]float64{slices.Repeat([]float64{1}, len(m.layer))})
	return p
}

// known is a profile whose coefficients are given, not measured.
func known() *Profile {
	return priced(false, map[string]float64{
		"conv1x1 tap_b1": 0.3, "conv1x1 tap_b2": 0.35, "conv1x1 tap_b4": 0.5, "conv1x1 tap_b8": 1,
		"conv3x3 tap_b1": 0.3, "conv3x3 tap_b2": 0.4, "conv3x3 tap_b4": 0.5, "conv3x3 tap_b8": 1, "layer far_b2": 0.1, "layer far_b4": 0.1,
		"layer block_b1": 0.4, "layer block_b2": 0.6, "layer block_b4": 1, "layer block_b8": 2,
		"layer read": 0.05, "layer write": 0.1, "layer add": 0.2, "layer spill": 0.5, "layer row": 2, "layer band": 200,
		"winograd product": 0.3, "winograd in": 1.5, "winograd out": 1,
	}, 1.05, 1, 3000, 4000)
}

// knownGraph is the same of another runtime.
func knownGraph() *Profile {
	return priced(true, map[string]float64{
		"conv1x1 mac_one16": 1e-5, "conv1x1 mac_two16": 9e-6, "conv1x1 mac_four16": 8e-6, "conv3x3 mac_one16": 9e-6, "conv3x3 mac_two16": 8e-6, "conv3x3 mac_four16": 7e-6, "conv3x3 mac_few": 2e-5, "conv1x1 mac_few": 2e-5, "conv5x5 mac_few": 3e-5,
		"conv1x1 read": 1e-4, "conv3x3 read": 2e-4, "conv1x1 constant": 2e4, "conv3x3 constant": 4e4, "layer add": 1e-4,
	}, 1, 5, 0, 2e5)
}

// TestPredict computes by hand what a dense 16 to 8 layer of one band and the
// picture around it cost.
func TestPredict(t *testing.T) {
	p := priced(false, map[string]float64{"conv1x1 tap_b8": 5, "conv3x3 tap_b8": 7, "layer block_b8": 11, "layer read": 2, "layer write": 3, "layer add": 4,
		"layer row": 13, "layer band": 17, "layer constant": 19}, 2, 23, 29, 31)
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

// TestPredictWinograd does the same for a layer that Winograd computes: tiles of
// 4x4 pixels, 16 beside each other, are counted whole.
func TestPredictWinograd(t *testing.T) {
	p := priced(false, map[string]float64{"winograd product": 2, "winograd in": 3, "winograd out": 5, "winograd list": 7, "layer write": 11}, 1, 0, 0, 0)
	p.Kernels = "avx512"
	l := sparse.LayerInfo{In: 16, Out: 8, Kernel: 3, Method: sparse.MethodWinograd}
	const tiled, lists = 4 * 8, 16 * 8 * 36 * 4 / 64 // 65x5 pixels are two by two tiles of 64x4
	bands := math.Ceil(5 / float64(sparse.BandRows([]sparse.LayerInfo{l}, 65, 5, 1)))
	want := (tiled*2*(2*16*8+3*16+5*8) + 7*lists*bands + 11*8*5*5) / 1e6
	if got, _, _ := p.Predict([]sparse.LayerInfo{l}, 65, 5, 2); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v ms, want %v", got, want)
	}
}

// TestPredictChain: two layers that are computed together cost what both cost but
// for what passes between them, and the second one takes it.
func TestPredictChain(t *testing.T) {
	p := priced(false, map[string]float64{"conv1x1 tap_b4": 5, "layer block_b4": 11, "layer read": 2, "layer write": 3,
		"layer row": 13, "layer strip": 7, "layer hand": 0.5, "layer band": 17, "layer constant": 19}, 1, 0, 0, 0)
	layers := []sparse.LayerInfo{
		{In: 8, Out: 24, Kernel: 1, Blocks: [4]int{2: 6}, BlockTaps: [4]int{2: 48}, Chained: true},
		{In: 24, Out: 4, Kernel: 1, Blocks: [4]int{2: 1}, BlockTaps: [4]int{2: 24}},
	}
	const w, h = 100, 2 // 7 vectors in a row, 2 strips
	const vectors = 7 * h
	bands := math.Ceil(h / float64(sparse.BandRows(layers, w, h, 1)))
	want := 5*(48+24)*vectors + 11*7*vectors + 2*8*vectors + 3*4*vectors + 0.5*24*vectors + 7*7*2*h + 2*(17*bands+19)
	got := p.PredictLayers(layers, w, h)
	if got[0] != 0 || math.Abs(got[1]-want/1e6) > 1e-12 {
		t.Errorf("%v ms, want 0 and %v", got, want/1e6)
	}
}

// TestLayers: networks compile for every set of kernels that a profile may name,
// whether this processor has them or not.
func TestLayers(t *testing.T) {
	sp := general()
	net := randomSubnet(sp, sp.Largest())
	for _, name := range []string{"avx512", "avx2", "neon", "go"} {
		p := known()
		p.Kernels = name
		layers, err := p.Layers(net)
		if err != nil {
			t.Fatal(err)
		}
		convolutions := 0
		for _, n := range net.Nodes {
			if n.Op == network.OpConv {
				convolutions++
			}
		}
		if ms, _, _ := p.Predict(layers, 320, 180, 2); len(layers) != convolutions || !(ms > 0) {
			t.Errorf("%s: %d layers take %v ms, want %d that take some", name, len(layers), ms, convolutions)
		}
		if p.Compiled("avx2") != (name == "avx2") {
			t.Errorf("layers of %s count as compiled for avx2", name)
		}
	}
}

// TestPredictGraph does the same for another runtime: 20 to 12 channels are
// multiplied as 20 to 16.
func TestPredictGraph(t *testing.T) {
	p := priced(true, map[string]float64{"conv3x3 mac": 1, "conv3x3 mac_one16": 2, "conv3x3 mac_both16": 3, "conv3x3 mac_few": 1e6, "conv3x3 read": 5, "conv3x3 write": 6,
		"conv3x3 ragged": 7, "conv3x3 constant": 8, "layer add": 9, "layer relu": 10}, 1, 11, 0, 12)
	l := sparse.LayerInfo{In: 20, Out: 12, Kernel: 3, Residual: true, ReLU: true}
	const pixels, vectors = 34, 4
	want := (pixels*(9*(20*12+2*20*16+3*32*16)+5*20+6*16+7*12+9*12+10*12) + 8 + 11*12*vectors + 12) / 1e6
	if got, _, _ := p.Predict([]sparse.LayerInfo{l}, 17, 2, 2); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v ms, want %v", got, want)
	}
}

// TestPredictActivations: a SiLU takes longer than a ReLU, whether its time was
// measured or not, and what no network had is not in a profile.
func TestPredictActivations(t *testing.T) {
	sp := tiny()
	for i := range sp.Slots {
		sp.Slots[i].Activations = space.Activations()
	}
	for name, p := range map[string]*Profile{"evosr": known(), "another runtime": knownGraph()} {
		p.Layer["layer"]["relu"] = 1e-4
		if !p.External() {
			delete(p.Layer["layer"], "relu")
		}
		ms := func(act space.Activation) float64 {
			g := space.Genome{Width: 8, Slots: []space.Gene{{Kind: space.Plain, Expansion: 1, Activation: act}, {}, {}}}
			ms, _, _ := p.Predict(compile(t, sp, g, 1), 320, 180, sp.Scale)
			return ms
		}
		p.Layer["layer"]["silu"] = 2
		if p.External() {
			p.Layer["layer"]["silu"], p.Layer["layer"]["prelu"] = 1e-3, 2e-4
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		relu, prelu, silu := ms(space.ReLU), ms(space.PReLU), ms(space.SiLU)
		if !(silu > relu) || p.External() != (prelu > relu) {
			t.Errorf("%s: %v, %v and %v ms", name, relu, prelu, silu)
		}
		delete(p.Layer["layer"], "silu")
		delete(p.Layer["layer"], "prelu")
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		if now := ms(space.SiLU); !(now > ms(space.ReLU)) || ms(space.PReLU) != ms(space.ReLU) {
			t.Errorf("%s without the terms: %v, %v and %v ms", name, ms(space.ReLU), ms(space.PReLU), now)
		}
		m := p.model()
		p.set(m, [][]float64{make([]float64, len(m.layer))})
		if _, has := p.Layer["layer"]["silu"]; has {
			t.Errorf("%s: a term that nothing counted is in the profile", name)
		}
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

// made gives networks the times that a profile predicts, some of them badly
// disturbed.
func made(t *testing.T, truth *Profile, rng *rand.Rand, n int) []*timed {
	t.Helper()
	sp := general()
	var nets []*timed
	for i := range n {
		g := sp.Random(rng)
		m := &timed{genome: g, w: 320, h: 180, layers: compile(t, sp, g, 1)}
		if i%5 == 4 {
			m.w, m.h = 160, 100
		}
		ms, _, _ := truth.Predict(m.layers, m.w, m.h, 2)
		if i%10 == 0 {
			ms *= 1.5
		}
		m.frames = []time.Duration{time.Duration(ms * 1e6)}
		if !truth.External() {
			for _, ms := range truth.PredictLayers(m.layers, m.w, m.h) {
				if rng.IntN(20) == 0 {
					ms *= 3
				}
				m.byLayer = append(m.byLayer, []time.Duration{time.Duration(ms * 1e6)})
			}
		}
		nets = append(nets, m)
	}
	return nets
}

// TestLearn makes up times from known coefficients, disturbs a few of them
// badly, and wants the predictions back.
func TestLearn(t *testing.T) {
	for _, tt := range []struct {
		name  string
		truth *Profile
		nets  int
	}{{"evosr", known(), 40}, {"runner", knownGraph(), 100}} {
		t.Run(tt.name, func(t *testing.T) {
			rng := check.Rand(t)
			truth, sp := tt.truth, general()
			nets := made(t, truth, rng, tt.nets)
			empty := func() *Profile {
				return &Profile{Runtime: truth.Runtime, Threads: 1, Width: 320, Height: 180, Scale: 2, Colors: 1}
			}
			p, q := empty(), empty()
			p.learn(nets)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				layers := compile(t, sp, sp.Random(rng), 1)
				got, low, high := p.Predict(layers, 320, 180, 2)
				want, _, _ := truth.Predict(layers, 320, 180, 2)
				if math.Abs(got-want) > 0.04*want || low > got || high < got {
					t.Errorf("%v ms in [%v, %v], want %v", got, low, high, want)
				}
			}
			if len(p.Nets) != tt.nets || truth.External() != (len(p.Samples) == 0) || len(p.Samples) > keptSamples {
				t.Errorf("%d networks and %d samples are kept", len(p.Nets), len(p.Samples))
			}
			if p.Nets[4].Width != 160 || p.Nets[4].Height != 100 || p.Nets[0].Width != 0 {
				t.Errorf("of other sizes: %+v, of the usual one: %+v", p.Nets[4], p.Nets[0])
			}
			q.learn(nets)
			if !reflect.DeepEqual(p, q) {
				t.Error("equal measurements give two profiles")
			}
		})
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
		if x := stat.NonNegative(rows, tt.want); math.Abs(x[0]-tt.x[0]) > 0.01 || math.Abs(x[1]-tt.x[1]) > 0.01 {
			t.Errorf("for %v the fit is %v, want %v", tt.want, x, tt.x)
		}
	}
	if x := stat.NonNegative(rows, []float64{1, 0.5, 0.1}); x[0] < 0 || x[1] < 0 {
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
	if p.External() || p.Threads != 2 || p.Kernels != kernel.Best().Name || p.Version != sparse.Version || len(p.Nets) < leastNets || p.Date == "" || p.CPU == "" {
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
	for _, o := range []MeasureOptions{{Threads: -1}, {Width: -3, Height: 4}, {Width: 1 << 30, Height: 1 << 30}, {Space: &space.Space{}}, {Seconds: math.NaN()}, {Runner: &Runner{}}} {
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
		"no threads": func(p *Profile) { p.Threads = 0 }, "negative": func(p *Profile) { p.Layer["layer"]["row"] = -1 },
		"NaN": func(p *Profile) { p.Frame["waiting"] = math.NaN() }, "a family is missing": func(p *Profile) { delete(p.Layer, "conv1x1") },
		"a term is missing": func(p *Profile) { delete(p.Layer["layer"], "row") }, "a term too many": func(p *Profile) { p.Layer["layer"]["column"] = 1 },
		"a frame's term is missing": func(p *Profile) { delete(p.Frame, "output") }, "a family too many": func(p *Profile) { p.Layer["conv7x7"] = nil },
		"no runtime": func(p *Profile) { p.Runtime = "" }, "another runtime's terms": func(p *Profile) { p.Runtime = "sh time.sh" },
		"no scale": func(p *Profile) { p.Scale = 0 }, "two colors": func(p *Profile) { p.Colors = 2 },
		"inverted interval": func(p *Profile) { p.Low = 1.2 }, "endless interval": func(p *Profile) { p.High = math.Inf(1) },
	} {
		p := known()
		change(p)
		if p.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestScore(t *testing.T) {
	s := score([]float64{10, 21, 33, 36}, []float64{10, 20, 30, 40})
	if s.Within5 != 0.5 || s.Within10 != 1 || math.Abs(s.RMSPE-math.Sqrt((0.0025+0.01+0.01)/4)) > 1e-12 || s.KendallTau != 1 || math.Abs(s.Bias-0.025) > 1e-12 {
		t.Errorf("score is %+v", s)
	}
	if tau := stat.Kendall([]float64{1, 2, 3}, []float64{1, 3, 2}); math.Abs(tau-1.0/3) > 1e-12 {
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
	for i := range a.Nodes {
		if !slices.Equal(a.Nodes[i].Weights, b.Nodes[i].Weights) || !slices.Equal(a.Nodes[i].Mask, b.Nodes[i].Mask) {
			t.Fatalf("layer %s differs", a.Nodes[i].Name)
		}
	}
}
