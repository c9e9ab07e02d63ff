package deviceprofile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"evosr/internal/kernel"
	"evosr/space"
	"evosr/sparse"
)

// MeasureOptions say what to measure.
type MeasureOptions struct {
	Threads       int          // 0 for GOMAXPROCS
	Quick         bool         // at most 30 s instead of 5 minutes
	Space         *space.Space // whose networks are measured; nil for a general one
	Width, Height int          // input picture, pixels; 0 for 320x180
	Seconds       float64      // stops earlier than Quick says; 0 does not
	Progress      func(done float64, what string)
}

// How long a measurement may take, with a margin for the last network and the
// fit, and how many networks it is made of.
const (
	quickTime, fullTime = 26 * time.Second, 280 * time.Second
	quickNets, fullNets = 48, 160
	leastNets           = 12
)

// quietNoise is up to where the median of a network's frames may lie above
// their lowest decile on a machine that does nothing else.
const quietNoise = 0.03

// quietFrames is the share of frames of the median network that must be
// undisturbed on a quiet machine. A neighbour that always holds a core slows the
// lowest decile too, so that noise alone does not show it.
const quietFrames = 0.5

// general is a space as wide as networks for real time get.
func general() *space.Space {
	slot := space.Slot{Skip: true, Wide: []float64{1, 2, 4}, Plain: []float64{0.5, 1, 2}, Lean: true}
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 16, 24, 32}, Slots: slices.Repeat([]space.Slot{slot}, 8),
		Schemes: space.Schemes(), Percents: []int{25, 50, 75, 90}}
}

// Measure times the runtime on this machine. It stops early, with ctx's error,
// when ctx ends.
func Measure(ctx context.Context, o MeasureOptions) (*Profile, error) {
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = 320, 180
	}
	if o.Threads == 0 {
		o.Threads = min(runtime.GOMAXPROCS(0), sparse.MaxThreads)
	}
	if o.Space == nil {
		o.Space = general()
	}
	if err := o.Space.Validate(); err != nil {
		return nil, fmt.Errorf("deviceprofile: %w", err)
	}
	if !(o.Seconds >= 0) {
		return nil, fmt.Errorf("deviceprofile: seconds: %v, want 0 or more", o.Seconds)
	}
	start := time.Now()
	limit, nets := fullTime, fullNets
	if o.Quick {
		limit, nets = quickTime, quickNets
	}
	if o.Seconds > 0 {
		limit = min(limit, time.Duration(o.Seconds*float64(time.Second)))
	}
	b := &bench{w: o.Width, h: o.Height, threads: o.Threads, progress: o.Progress}
	// The first networks are the extremes, the rest spread between them.
	rng := rand.New(rand.NewPCG(1, 0x70726f66696c65))
	draw := func(i int) space.Genome {
		switch i {
		case 0:
			return o.Space.Largest()
		case 1:
			return o.Space.Smallest()
		}
		return o.Space.Random(rng)
	}
	if err := b.run(ctx, o.Space, nets, draw, limit); err != nil {
		return nil, err
	}
	p := &Profile{
		CPU: cpuModel(), Governor: governor(), Kernels: kernel.Best().Name, Version: sparse.Version,
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, Date: time.Now().UTC().Format(time.RFC3339),
		Threads: o.Threads, Width: o.Width, Height: o.Height,
		Noise: round(b.noise(), 4),
	}
	p.Quiet = b.quiet()
	p.learn(b.nets)
	p.Seconds = round(time.Since(start).Seconds(), 3)
	return p, nil
}

// bench times networks in turn, so that a disturbance hits all of them alike.
type bench struct {
	w, h, threads int
	least         int // networks that join however long they take; 0 for leastNets
	progress      func(done float64, what string)
	nets          []*timed
}

// timed is one network and its times.
type timed struct {
	genome  space.Genome
	macs    int
	layers  []sparse.LayerInfo
	program *sparse.Program
	frames  []time.Duration
	waited  []time.Duration // of every frame, see sparse.Observation; nil where unknown
	byLayer [][]time.Duration
}

// quiet is the share of frames that nothing disturbed.
func (t *timed) quiet() float64 {
	o := sparse.Observation{Frames: t.frames, Waited: t.waited}
	n := 0
	for _, q := range o.Quiet() {
		if q {
			n++
		}
	}
	return float64(n) / float64(max(len(t.frames), 1))
}

// run draws and times up to n networks, in rounds until the time is used up or
// times have settled. In the first half of the time networks join; after it
// only those that did are repeated.
func (b *bench) run(ctx context.Context, sp *space.Space, n int, draw func(int) space.Genome, limit time.Duration) error {
	const rounds, frames = 12, 3
	start := time.Now()
	seen := map[string]bool{}
	defer func() {
		for _, t := range b.nets {
			t.program.Close()
		}
	}()
	for round := range rounds {
		for i := 0; i < n; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			spent := time.Since(start)
			if round == 0 {
				if spent > limit/2 && len(b.nets) >= max(b.least, leastNets) {
					break
				}
				t, err := b.draw(sp, draw, i, seen)
				if err != nil {
					return err
				}
				if t == nil {
					break // a small space has no more
				}
				b.nets = append(b.nets, t)
			}
			if i >= len(b.nets) || round > 1 && spent > limit {
				break
			}
			if err := b.nets[i].time(b.w, b.h, frames); err != nil {
				return err
			}
			if b.progress != nil {
				part := float64(round)/rounds + float64(i)/float64(n)/rounds
				b.progress(min(1, max(spent.Seconds()/limit.Seconds(), part)), fmt.Sprintf("network %d of %d, round %d", i+1, max(len(b.nets), n), round+1))
			}
		}
		if round > 0 && time.Since(start) > limit {
			break
		}
	}
	if b.progress != nil {
		b.progress(1, "fit")
	}
	return nil
}

// draw compiles a network that was not seen yet, nil when none was found.
func (b *bench) draw(sp *space.Space, draw func(int) space.Genome, i int, seen map[string]bool) (*timed, error) {
	for range 100 {
		g := draw(i)
		if seen[g.String()] {
			i = math.MaxInt // the extremes may be the same
			continue
		}
		seen[g.String()] = true
		net := randomSubnet(sp, g)
		p, err := sparse.Compile(net, sparse.Options{Threads: b.threads})
		if err != nil {
			return nil, fmt.Errorf("deviceprofile: %w", err)
		}
		macs, _ := p.MACs()
		return &timed{genome: g, macs: macs, layers: p.Layers(), program: p}, nil
	}
	return nil, nil
}

// randomSubnet gives a genome weights that keep activations in the range of
// trained ones. They depend on nothing but the genome.
func randomSubnet(sp *space.Space, g space.Genome) *space.Subnet {
	var seed uint64
	for _, c := range g.String() {
		seed = seed*1099511628211 + uint64(c)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	net := sp.Shape(g)
	var m space.Masker
	for i := range net.Layers {
		l := &net.Layers[i]
		l.Weights, l.Bias, l.Mask = make([]float32, l.Size()), make([]float32, l.Out), make([]uint8, l.Size())
		for j := range l.Weights {
			l.Weights[j] = float32(rng.NormFloat64() / math.Sqrt(float64(l.In*l.Kernel*l.Kernel)))
		}
		m.Mask(l.Mask, l.Weights, l.Out, l.In, l.Kernel, l.Prune)
		for j, keep := range l.Mask {
			if keep == 0 {
				l.Weights[j] = 0
			}
		}
	}
	return net
}

// time adds some frames. A clone brings its own memory and gives it back, so
// that a hundred networks do not hold theirs all the time.
func (t *timed) time(w, h, frames int) error {
	p := t.program.Clone()
	defer p.Close()
	o, err := p.Observe(w, h, frames)
	if err != nil {
		return fmt.Errorf("deviceprofile: %w", err)
	}
	t.frames, t.waited = append(t.frames, o.Frames...), append(t.waited, o.Waited...)
	if len(t.waited) < len(t.frames) {
		t.waited = nil
	}
	layers := o.Layers
	if t.byLayer == nil {
		t.byLayer = make([][]time.Duration, len(layers))
	}
	for i, l := range layers {
		t.byLayer[i] = append(t.byLayer[i], l...)
	}
	return nil
}

// quiet says whether hardly anything else used the machine.
func (b *bench) quiet() bool { return b.noise() <= quietNoise && b.quietShare() >= quietFrames }

// quietShare is the share of undisturbed frames of the median network.
func (b *bench) quietShare() float64 {
	var list []float64
	for _, t := range b.nets {
		list = append(list, t.quiet())
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// noise is how much medians exceed typical times, over all networks.
func (b *bench) noise() float64 {
	var list []float64
	for _, t := range b.nets {
		list = append(list, quantile(t.frames, 0.5)/typical(t.frames)-1)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// typical is the time that stands for repeated ones, nanoseconds: their lowest
// decile. Neighbours on the machine only ever make a run slower, and on a quiet
// one it is within a percent or two of the median.
func typical(d []time.Duration) float64 { return quantile(d, 0.1) }

// quantile is the q-quantile in nanoseconds, interpolated.
func quantile(d []time.Duration, q float64) float64 {
	s := slices.Sorted(slices.Values(d))
	at := q * float64(len(s)-1)
	i := min(int(at), len(s)-1)
	j := min(i+1, len(s)-1)
	return float64(s[i]) + (at-float64(i))*float64(s[j]-s[i])
}

// round keeps the given significant digits, so that files are readable.
func round(v float64, digits int) float64 {
	if v == 0 || math.IsInf(v, 0) || v != v {
		return v
	}
	scale := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
