package deviceprofile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"evosr/internal/stat"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
)

// stopwatch is what times networks: evosr's own runtime or a runner.
type stopwatch interface {
	// prepare makes t ready from a network with weights: layers, macs and what
	// turn needs.
	prepare(t *timed, net *network.Graph) error
	// turn times a few frames, after others that warm up.
	turn(ctx context.Context, t *timed) (*sparse.Observation, error)
	// release gives back what prepare took.
	release(t *timed)
}

// bench times networks in turn, so that a disturbance hits all of them alike.
type bench struct {
	clock    stopwatch
	w, h     int
	least    int // networks that join however long they take; 0 for leastNets
	progress func(done float64, what string)
	nets     []*timed
	repeated int // turns beyond the regular ones
	began    time.Time
}

const (
	leastNets    = 12
	regularTurns = 12
	leastTurns   = 3 // of a network before it may count as settled
	mostTurns    = 60
)

// run draws and times up to n networks. In the first half of the time networks
// join, a turn each; then all take turns, and then those that were disturbed
// take more, until their times have settled or the time is used up.
func (b *bench) run(ctx context.Context, sp *space.Space, n int, draw drawing, limit time.Duration) error {
	b.began = time.Now()
	defer func() {
		for _, t := range b.nets {
			b.clock.release(t)
		}
	}()
	tell := func(what string, part float64) {
		if b.progress != nil {
			b.progress(min(1, max(time.Since(b.began).Seconds()/limit.Seconds(), part)), what)
		}
	}
	seen := map[string]bool{}
	for i := range n {
		if time.Since(b.began) > limit/2 && i >= max(b.least, leastNets) {
			break
		}
		t, err := b.draw(ctx, sp, draw, i, seen)
		if err != nil {
			return err
		}
		if t == nil {
			break // a small space has no more
		}
		b.nets = append(b.nets, t)
		if err := b.turn(ctx, t); err != nil {
			return err
		}
		tell(fmt.Sprintf("network %d of %d", i+1, n), float64(i+1)/float64(n)/regularTurns)
	}
	for round := 1; round < mostTurns; round++ {
		timed := 0
		for _, t := range b.nets {
			if round >= regularTurns && t.settled() {
				continue
			}
			if round > 1 && time.Since(b.began) > limit {
				return nil
			}
			if err := b.turn(ctx, t); err != nil {
				return err
			}
			if timed++; round >= regularTurns {
				b.repeated++
			}
			what := fmt.Sprintf("round %d", round+1)
			if round >= regularTurns {
				what = "again what was disturbed"
			}
			tell(what, min(1, (float64(round)+float64(timed)/float64(len(b.nets)))/regularTurns))
		}
		if timed == 0 {
			break
		}
	}
	return nil
}

func (b *bench) turn(ctx context.Context, t *timed) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	at := time.Since(b.began)
	o, err := b.clock.turn(ctx, t)
	if err != nil {
		return err
	}
	t.add(at, o)
	return nil
}

// settled says whether more turns would hardly change a network's time: half of
// its frames were undisturbed, and enough of them.
func (t *timed) settled() bool {
	quiet := count(t.quietFrames())
	return len(t.turns) >= leastTurns && quiet >= 2*enoughQuiet && 2*quiet >= len(t.frames)
}

// drawing gives the i-th genome of a measurement; nets are those that joined so
// far.
type drawing func(i int, nets []*timed) (g space.Genome, w, h int)

// draw prepares a network that was not seen yet, nil when none was found.
func (b *bench) draw(ctx context.Context, sp *space.Space, draw drawing, i int, seen map[string]bool) (*timed, error) {
	for range 100 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g, w, h := draw(i, b.nets)
		if seen[g.String()] {
			i = math.MaxInt // the extremes may be the same
			continue
		}
		seen[g.String()] = true
		t := &timed{genome: g, w: w, h: h}
		return t, b.clock.prepare(t, randomSubnet(sp, g))
	}
	return nil, nil
}

// randomSubnet gives a genome weights that keep activations in the range of
// trained ones. They depend on nothing but the genome.
func randomSubnet(sp *space.Space, g space.Genome) *network.Graph {
	var seed uint64
	for _, c := range g.String() {
		seed = seed*1099511628211 + uint64(c)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	net := sp.Shape(g)
	net.Fill(func(_ *network.Node, fan int) float32 { return float32(rng.NormFloat64() / math.Sqrt(float64(fan))) })
	return net
}

// own is the stopwatch of evosr's runtime. A network's multiplications are those
// of kept weights.
type own struct{ threads int }

func (o own) prepare(t *timed, net *network.Graph) error {
	p, err := sparse.Compile(net, sparse.Options{Threads: o.threads})
	if err != nil {
		return fmt.Errorf("deviceprofile: %w", err)
	}
	t.program, t.layers = p, p.Layers()
	t.macs, _ = p.MACs()
	return nil
}

// turn runs a clone, which brings its own memory and gives it back, so that a
// hundred networks do not hold theirs all the time.
func (o own) turn(_ context.Context, t *timed) (*sparse.Observation, error) {
	const frames = 3
	p := t.program.Clone()
	defer p.Close()
	seen, err := p.Observe(t.w, t.h, frames)
	if err != nil {
		return nil, fmt.Errorf("deviceprofile: %w", err)
	}
	return seen, nil
}

func (o own) release(t *timed) { t.program.Close() }

// Limits of a quiet machine.
const (
	quietNoise    = 0.03 // medians of frames above their lowest deciles
	quietShare    = 0.5  // undisturbed frames of the median network: a neighbour that always holds a core slows the lowest decile, too
	quietSlowdown = 0.05 // from the first third of the time to the last
)

// trouble says why the machine was not quiet, or "".
func (b *bench) trouble() string {
	switch share, noise, slow := b.quietShare(), b.noise(), b.slowdown(); {
	case share < quietShare:
		return fmt.Sprintf("no quiet minute: only %.0f %% of the frames were undisturbed", 100*share)
	case slow > quietSlowdown:
		return fmt.Sprintf("the machine became %.0f %% slower meanwhile: its clock fell (heat, power), or a neighbour came", 100*slow)
	case slow < -quietSlowdown:
		return fmt.Sprintf("the machine became %.0f %% faster meanwhile: its clock rose, or a neighbour went", -100*slow)
	case noise > quietNoise:
		return fmt.Sprintf("no quiet minute: frames vary, medians lie %.0f %% above the fastest", 100*noise)
	}
	return ""
}

// quietShare is the share of undisturbed frames of the median network.
func (b *bench) quietShare() float64 {
	var list []float64
	for _, t := range b.nets {
		list = append(list, t.quiet())
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// noise is how much medians exceed lowest deciles, over all networks.
func (b *bench) noise() float64 {
	var list []float64
	for _, t := range b.nets {
		list = append(list, stat.Quantile(t.frames, 0.5)/stat.Quantile(t.frames, 0.1)-1)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// slowdown is how much slower networks ran in the last third of the time than in
// the first, those measured in both: 0.1 is a tenth.
func (b *bench) slowdown() float64 {
	end := time.Duration(0)
	for _, t := range b.nets {
		end = max(end, t.turns[len(t.turns)-1].at)
	}
	var ratios []float64
	for _, t := range b.nets {
		var early, late []float64
		for _, k := range t.turns {
			switch {
			case k.at <= end/3:
				early = append(early, t.pace(k))
			case k.at >= end*2/3:
				late = append(late, t.pace(k))
			}
		}
		if len(early) > 0 && len(late) > 0 {
			ratios = append(ratios, stat.Median(late)/stat.Median(early))
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return stat.Median(ratios) - 1
}
