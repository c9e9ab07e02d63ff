package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/imaging"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// fixture is a made-up but plausible finished run in rundir's own types:
// qualities follow the logarithm of the size, latencies the multiplications.
func fixture(t testing.TB) *material {
	t.Helper()
	text, err := configs.Preset("quickstart")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Parse("quickstart.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Train.From, cfg.Train.Steps = "", 8000
	aims, err := fitness.ParseObjectives(cfg.Search.Objectives)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 11))
	m := &material{
		name: "quickstart", config: cfg, aims: aims, sizes: map[string]int64{},
		profile: &deviceprofile.Profile{Runtime: deviceprofile.Evosr, Quiet: true, CPU: "Example CPU 2.90GHz", Governor: "performance", Kernels: "avx512", Version: "1", Go: "go1.26 linux/amd64", Date: "2026-02-03T10:00:00Z", Threads: 2},
		written: time.Date(2026, 2, 3, 10, 30, 0, 0, time.UTC),
	}
	pixels := cfg.Device.Width * cfg.Device.Height
	for i := range 240 {
		e := rundir.Evaluation{Index: i}
		g := cfg.Space.Random(rng)
		switch i {
		case 0:
			g = cfg.Space.Largest()
		case 1:
			g = cfg.Space.Smallest()
		}
		for range i / 30 { // later children are better bred
			if h := cfg.Space.Mutate(g, rng); score(cfg, h).PSNR-score(cfg, h).LatencyMS/20 > score(cfg, g).PSNR-score(cfg, g).LatencyMS/20 {
				g = h
			}
		}
		e.Point = score(cfg, g)
		e.PSNR += 0.12 * rng.NormFloat64()
		if e.MACs > 60*pixels*100 {
			e.Violation = 1
		}
		m.evaluations = append(m.evaluations, e)
	}
	m.evaluations[17].Err = "fitness: score: the network's output is not a number"
	m.front = frontOf(m.evaluations, m.aims)
	for i := range 80 {
		step := (i + 1) * cfg.Train.Steps / 80
		m.training = append(m.training, rundir.TrainPoint{Step: step, Loss: (0.012 + 0.03*math.Exp(-float64(i)/9)) * (1 + 0.03*rng.NormFloat64()), Rate: 0.002})
	}
	for i := range 20 {
		gain := 2 * (1 - math.Exp(-float64(i)/5))
		m.quality = append(m.quality, rundir.QualityPoint{Step: (i + 1) * cfg.Train.Steps / 20, PSNR: 26.9 + gain, PrunedPSNR: 26.85 + 0.97*gain})
	}
	m.layers = fixtureLayers(cfg, 20)
	for i, reason := range []string{"fastest of a spread", "knee of the front", "best quality"} {
		m.winners = append(m.winners, fixtureCard(t, cfg, m.front[i*(len(m.front)-1)/2], reason, rng))
	}
	for _, w := range m.winners {
		m.sizes[w.ID+"/model.onnx"], m.sizes[w.ID+"/model.evosr"] = 48_123, 31_777
	}
	m.dense = &reference{m.evaluations[0].LatencyMS, m.evaluations[0].PSNR, m.evaluations[0].SSIM}
	m.dir, m.reference, m.hypervolume = "runs/quickstart", []float64{-25, 40}, 91.5
	m.hashes = []fact{{"Config", strings.Repeat("c0", 32)}, {"Supernet", strings.Repeat("5f", 32)}}
	m.peers = []peer{{Name: "ECBSR-M4C16", MS: 9, Set5: 3.5, Set14: 2.5, Params: 12_000, Source: "https://example.org", set5: 37.18, set14: 32.71}}
	m.status = rundir.Status{Stage: rundir.StageDone, TrainStep: cfg.Train.Steps, TrainSteps: cfg.Train.Steps, Evaluations: 240, Budget: 240, Winners: 3, WinnersWant: 3}
	m.events = []rundir.Event{{At: m.written.Add(-time.Hour), Stage: rundir.StageData, Text: "64 procedural pictures"}, {At: m.written, Stage: rundir.StageWinners, Text: "3 winners finished"}}
	m.crops, err = cropsOf(fixturePairs(cfg.Space.Scale), []exhibit{{"Winner A", nearest(cfg.Space.Scale)}, {"Winner C", nearest(cfg.Space.Scale)}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fixtureLayers is a training in which the first layers' channels die one after the
// other.
func fixtureLayers(cfg *configs.Config, n int) (points []rundir.LayersPoint) {
	list := convolutions(cfg.Space.Shape(cfg.Space.Largest()))
	for i := range n {
		x := float64(i) / float64(n-1)
		p := rundir.LayersPoint{Step: (i + 1) * cfg.Train.Steps / n}
		for j, l := range list {
			depth := float64(j) / float64(len(list)-1)
			full := min(l.Out, l.in*l.Kernel*l.Kernel)
			s := supernet.LayerState{Name: l.Name, Channels: l.Out, Activated: l.act, Norm: 3 + x, Growth: 1 + x*math.Exp(1.5-depth), Rank: float64(full) * (0.95 - 0.2*x*depth), FullRank: full, Update: 0.01 * math.Exp(-5*x-depth)}
			if l.act {
				lost := min(max(0, 2.5*x-10*depth), 1)
				s.Active, s.Dead = 0.5*(1-x*(1-depth))*(1-lost), int(float64(l.Out)*lost)
			}
			p.Layers = append(p.Layers, s)
		}
		points = append(points, p)
	}
	return points
}

func score(cfg *configs.Config, g space.Genome) rundir.Point {
	list := convolutions(cfg.Space.Shape(g))
	params, macs := 0, 0
	for _, l := range list {
		kept := l.size * (100 - l.Prune.Percent) / 100
		params, macs = params+kept+l.Out, macs+kept
	}
	macs *= cfg.Device.Width * cfg.Device.Height
	return rundir.Point{
		ID: g.ID(), Genome: g.String(), Values: fitness.Values{PSNR: 27.5 + 0.55*math.Log(float64(params)/300), SSIM: 0.85 + 0.01*math.Log(float64(params)/300),
			LatencyMS: 0.8 + float64(macs)/9e7, Params: params, MACs: macs},
	}
}

func fixtureCard(t testing.TB, cfg *configs.Config, p rundir.Point, reason string, rng *rand.Rand) rundir.Card {
	g, err := space.ParseGenome(p.Genome)
	if err != nil {
		t.Fatal(err)
	}
	c := rundir.Card{
		ID: p.ID, Genome: p.Genome, Reason: reason, Scale: cfg.Space.Scale, Colors: 1, Metric: fitness.Definition,
		Inherited: fitness.Quality{PSNR: p.PSNR, SSIM: p.SSIM}, Finetuned: fitness.Quality{PSNR: p.PSNR + 0.21, SSIM: p.SSIM + 0.003},
		Dense: fitness.Quality{PSNR: 30.9, SSIM: 0.894}, Bicubic: fitness.Quality{PSNR: 26.84, SSIM: 0.842},
		Params: p.Params, MACs: p.MACs,
		Files: map[string]string{"model.onnx": strings.Repeat("5e", 32), "model.evosr": strings.Repeat("a7", 32)},
	}
	list := convolutions(cfg.Space.Shape(g))
	for _, l := range list {
		density := float64(100-l.Prune.Percent) / 100
		c.DenseMACs += l.size * cfg.Device.Width * cfg.Device.Height
		c.Layers = append(c.Layers, rundir.CardLayer{
			LayerInfo: sparse.LayerInfo{Name: l.Name, In: l.in, Out: l.Out, Kernel: l.Kernel, B: 4, Scheme: l.Prune.Scheme.String(), Density: density, ReLU: l.act, Speedup: 0.9 / density, Pays: density < 0.8},
			MedianMS:  float64(l.size) * density * float64(cfg.Device.Width*cfg.Device.Height) / 9e7, P90MS: 0,
		})
	}
	median := p.LatencyMS * (1 + 0.05*rng.NormFloat64())
	c.Latency = rundir.Latency{
		Width: cfg.Device.Width, Height: cfg.Device.Height, Threads: 2, Kernels: "avx512", PredictedMS: p.LatencyMS,
		LowMS: p.LatencyMS * 0.92, HighMS: p.LatencyMS * 1.09, MedianMS: median, P90MS: median * 1.06, Ratio: median / p.LatencyMS, Runs: 30, QuietShare: 0.9,
	}
	return c
}

// fixturePairs are drawn from waves and edges.
func fixturePairs(scale int) []imaging.Pair {
	var pairs []imaging.Pair
	for i := range 4 {
		p := imaging.NewPlane(132, 132)
		for y := range p.H {
			for x := range p.W {
				v := 0.5 + 0.25*math.Sin(float64(x*x+y*y)/float64(300+200*i)) + 0.15*float64((x/9+y/13+i)%2)
				p.Pix[y*p.W+x] = float32(min(max(v, 0.07), 0.92))
			}
		}
		pairs = append(pairs, imaging.NewPair(fmt.Sprintf("waves %d", i), p, scale))
	}
	return pairs
}

// nearest is an upscaler that repeats pixels.
type nearest int

func (s nearest) Scale() int { return int(s) }

func (s nearest) Upscale(dst, src []float32, w, h int) error {
	k := int(s)
	if len(src) != w*h || len(dst) != w*h*k*k {
		return fmt.Errorf("nearest: %d values for %dx%d", len(src), w, h)
	}
	for y := range h * k {
		row := src[y/k*w:][:w]
		for x := range w * k {
			dst[y*w*k+x] = row[x/k]
		}
	}
	return nil
}

// young is the fixture as it was while the search went on.
func young(t testing.TB, evaluations int) *material {
	m := fixture(t)
	m.evaluations = slices.Clone(m.evaluations[:evaluations])
	m.front = frontOf(m.evaluations, m.aims)
	m.winners, m.crops, m.dense = nil, nil, nil
	m.status.Stage, m.status.Evaluations = rundir.StageSearch, evaluations
	return m
}

// convolution is one of a shape, with what the fixtures tell of it.
type convolution struct {
	network.Node
	in, size int
	act      bool // an activation follows
}

func convolutions(g *network.Graph) (all []convolution) {
	for i, n := range g.Nodes {
		if n.Op == network.OpConv {
			all = append(all, convolution{n, g.Reads(i), n.Size(g.Reads(i)), g.Nodes[i+1].Op == network.OpActivate})
		}
	}
	return all
}
