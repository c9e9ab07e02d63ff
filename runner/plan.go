package runner

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"time"

	"evosr/configs"
	"evosr/fitness"
	"evosr/imaging"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// Estimate is what Plan says about a config before it is run.
type Estimate struct {
	Genomes     string  `json:"genomes"`       // exact number of networks in the space, decimal
	Log10       float64 `json:"log10_genomes"` //
	Smallest    Extreme `json:"smallest"`
	Centre      Extreme `json:"centre"` // median of a random sample, by cost
	Largest     Extreme `json:"largest"`
	Fastest     Extreme `json:"fastest"`     // of fewest multiplications without a profile
	Nearest     Extreme `json:"nearest"`     // that breaks the constraints least, of those the fastest
	Profile     string  `json:"profile"`     // where predictions come from, or ""
	Satisfiable string  `json:"satisfiable"` // "yes", "no" or "unknown"
	Why         string  `json:"why"`

	Time   []StageTime `json:"time"`         // on this machine
	Waited float64     `json:"waited_share"` // of the trials' time, for a core that others held; 0 where that is not known
	Disk   int64       `json:"disk_bytes"`
}

// Extreme is one genome that stands for a part of the space.
type Extreme struct {
	Genome      string  `json:"genome"`
	Params      int     `json:"params"`
	MACs        int     `json:"macs"`         // executed multiplications, one frame
	MemoryBytes int64   `json:"memory_bytes"` // of one frame
	LatencyMS   float64 `json:"latency_ms"`   // predicted; 0 without a profile

	Others []fitness.Latency `json:"others,omitempty"` // on further devices
}

// StageTime is the estimated time of a stage.
type StageTime struct {
	Stage   string  `json:"stage"`
	Seconds float64 `json:"seconds"`
}

// Total is the estimated time of the whole run.
func (e *Estimate) Total() time.Duration {
	s := 0.0
	for _, t := range e.Time {
		s += t.Seconds
	}
	return time.Duration(s * float64(time.Second))
}

// sampled is how many random genomes stand for the space.
const sampled = 9

// Plan sizes a config's space, says what is satisfiable, and estimates time and
// disk from a few steps that it makes on noise. It writes nothing and takes
// some seconds. Folders of pictures are listed, not read.
func Plan(ctx context.Context, cfg *configs.Config) (*Estimate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if err := rundir.CheckFolders(cfg); err != nil {
		return nil, err
	}
	n := cfg.Space.Count()
	e := &Estimate{Genomes: n.String(), Log10: log10(n), Profile: cfg.Device.Profile, Satisfiable: "unknown"}
	r := &run{cfg: cfg}
	if err := r.namedProfile(); err != nil {
		return nil, err
	}
	if _, err := startOf(cfg); err != nil {
		return nil, err
	}
	m := newGauge(cfg, r.profile, r.others)
	if err := e.extremes(ctx, m); err != nil {
		return nil, err
	}
	e.judge(m)
	var err error
	if e.Waited, err = waiting(func() error { return e.times(ctx, cfg, m) }); err != nil {
		return nil, err
	}
	e.disk(cfg)
	return e, nil
}

// log10 is exact to the digits of a float64, however large n is.
func log10(n *big.Int) float64 {
	mantissa := new(big.Float)
	exponent := new(big.Float).SetInt(n).MantExp(mantissa)
	m, _ := mantissa.Float64()
	return math.Log10(m) + float64(exponent)*math.Log10(2)
}

// Busy says whether other programs slowed the trials.
func (e *Estimate) Busy() bool { return e.Waited > busyShare }

func (e *Estimate) extremes(ctx context.Context, m *gauge) (err error) {
	sp := &m.cfg.Space
	if e.Smallest, err = m.of(sp.Smallest()); err != nil {
		return err
	}
	if e.Largest, err = m.of(sp.Largest()); err != nil {
		return err
	}
	if e.Fastest, err = m.fastest(); err != nil {
		return err
	}
	e.Nearest = e.Fastest
	if limits(m.cfg) != "" {
		if e.Nearest, err = m.nearest(); err != nil {
			return err
		}
	}
	e.Centre, err = m.median(ctx, sp)
	return err
}

// median gives the middle one of a few random genomes by cost.
func (m *gauge) median(ctx context.Context, sp *space.Space) (Extreme, error) {
	rng := rand.New(rand.NewPCG(rundir.Stream(m.cfg.Seed, "plan"), 0))
	var list []Extreme
	for range sampled {
		if err := ctx.Err(); err != nil {
			return Extreme{}, err
		}
		x, err := m.of(sp.Random(rng))
		if err != nil {
			return Extreme{}, err
		}
		i := 0
		for i < len(list) && m.cost(list[i]) < m.cost(x) {
			i++
		}
		list = append(list[:i], append([]Extreme{x}, list[i:]...)...)
	}
	return list[sampled/2], nil
}

func (e *Estimate) judge(m *gauge) {
	s := &m.cfg.Search
	switch {
	case m.broken(e.Nearest) > 0:
		e.Satisfiable, e.Why = "no", unmet(m.cfg, e.Nearest)
	case s.BudgetMS > 0 && m.profile == nil:
		e.Why = "a latency budget needs a profile: evosr profile measures one, device.profile names it"
	case limits(m.cfg) == "":
		e.Satisfiable, e.Why = "yes", "no constraint"
	default:
		e.Satisfiable, e.Why = "yes", "a network keeps within "+limits(m.cfg)
	}
}

// noise is a training source without pictures.
type noise struct{}

func (noise) Patch(rng *rand.Rand, _ int, lr, hr []float32) {
	for i := range lr {
		lr[i] = rng.Float32()
	}
	for i := range hr {
		hr[i] = lr[i%len(lr)]
	}
}

// trial bounds how long each thing is tried out.
const trial = time.Second

// times tries every kind of work a few times on this machine.
func (e *Estimate) times(ctx context.Context, cfg *configs.Config, m *gauge) error {
	step, err := stepTime(ctx, cfg)
	if err != nil {
		return err
	}
	score, err := scoreTime(ctx, cfg, m)
	if err != nil {
		return err
	}
	cores := float64(runtime.GOMAXPROCS(0))
	data := 0.0
	drawn := 0
	if cfg.Data.Train == configs.Procedural {
		drawn += cfg.Data.Pictures
	}
	if cfg.Data.Validation == configs.Procedural {
		drawn += cfg.Data.ValidationCrops
	}
	if drawn > 0 {
		start := time.Now()
		imaging.Procedural(rundir.Stream(cfg.Seed, "plan"), 0, cfg.Data.Size)
		data = time.Since(start).Seconds() * float64(drawn) / cores
	}
	profile := 0.0
	if cfg.Device.Profile == "" {
		profile = 30
	}
	w := &cfg.Winners
	count := float64(w.Count + len(w.BudgetsMS))
	// A winner is one network instead of 2+subnets.
	tune := float64(w.Finetune) * step / float64(2+cfg.Train.Subnets)
	alone := float64(cfg.Search.Finetune) * step / float64(2+cfg.Train.Subnets)
	frame := e.Centre.LatencyMS / 1000
	if frame == 0 {
		frame = float64(e.Centre.MACs) / 20e9
	}
	e.Time = []StageTime{
		{rundir.StageData, data},
		{rundir.StageProfile, profile},
		{rundir.StageSupernet, step * float64(cfg.Train.Steps)},
		{rundir.StageSearch, (score/cores + alone) * float64(cfg.Search.Evaluations)},
		{rundir.StageWinners, count * (tune + 6*score + frame*float64(w.MeasureRuns))},
	}
	return nil
}

// stepTime is one training step, in seconds: the mean of a few after the first.
func stepTime(ctx context.Context, cfg *configs.Config) (float64, error) {
	net, err := startOf(cfg)
	if err != nil {
		return 0, err
	}
	o := trainerOptions(cfg)
	o.Steps = max(o.Steps, 1000)
	t, err := supernet.NewTrainer(net, noise{}, o)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if _, err := t.Step(); err != nil {
		return 0, err
	}
	start, n := time.Now(), 0
	for n < 20 && (n == 0 || time.Since(start) < trial) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if _, err := t.Step(); err != nil {
			return 0, err
		}
		n++
	}
	return time.Since(start).Seconds() / float64(n), nil
}

// scoreTime is what scoring a genome takes one core, in seconds: refitting and
// compiling it and upscaling every validation crop, for a few random genomes.
func scoreTime(ctx context.Context, cfg *configs.Config, m *gauge) (float64, error) {
	side := cfg.Data.ValidationSize / cfg.Space.Scale
	src := make([]float32, side*side)
	dst := make([]float32, len(src)*cfg.Space.Scale*cfg.Space.Scale)
	rng := rand.New(rand.NewPCG(rundir.Stream(cfg.Seed, "plan"), 1))
	refit, err := refitOf(cfg, noise{})
	if err != nil {
		return 0, err
	}
	spent, n := 0.0, 0
	for begun := time.Now(); n < sampled && (n == 0 || time.Since(begun) < trial); n++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		net, err := m.net.Extract(cfg.Space.Random(rng))
		if err != nil {
			return 0, err
		}
		if net, err = refit(net); err != nil {
			return 0, err
		}
		prog, err := sparse.Compile(net, sparse.Options{Threads: 1})
		if err != nil {
			return 0, err
		}
		if err := prog.Upscale(dst, src, side, side); err != nil {
			return 0, err
		}
		once := time.Since(start).Seconds()
		start = time.Now()
		if err := prog.Upscale(dst, src, side, side); err != nil {
			return 0, err
		}
		crop := time.Since(start).Seconds()
		prog.Close()
		// PSNR and SSIM take about 0.4 µs a pixel.
		spent += once + crop*float64(cfg.Data.ValidationCrops-1) + 0.4e-6*float64(len(dst)*cfg.Data.ValidationCrops)
	}
	return spent / float64(n), nil
}

// disk counts the weights (in the supernet and eight times in its checkpoint),
// the rows of the database and the winners' files.
func (e *Estimate) disk(cfg *configs.Config) {
	const row, fixed = 400, 256 << 10
	weights := int64(0)
	for _, s := range cfg.Space.Slots { // every kind has tensors of its own for each activation
		one := cfg.Space
		for _, kind := range space.Kinds() {
			var alone space.Slot
			alone.Blocks[kind] = s.Blocks[kind]
			if one.Slots = []space.Slot{alone}; one.Validate() == nil {
				weights += int64(one.Shape(one.Largest()).Params() * len(s.Choices()))
			}
		}
	}
	winners := int64(cfg.Winners.Count + len(cfg.Winners.BudgetsMS))
	e.Disk = fixed + 9*4*weights + row*int64(cfg.Search.Evaluations) + winners*(2*4*int64(e.Largest.Params)+64<<10)
}
