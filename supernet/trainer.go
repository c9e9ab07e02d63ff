package supernet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// Options says how a supernet is trained.
type Options struct {
	Steps         int     // in all
	Batch         int     // patches a step
	Patch         int     // side of a patch, low-resolution pixels
	Subnets       int     // random subnets a step, beside the largest and the smallest
	LargestPruned int     // of Subnets, those that are the largest network with random prunings
	SubnetBatch   int     // of Batch, what each network but the largest is trained on; 0 means all
	SubnetWeight  float64 // of the loss of each network but the largest, whose own counts 1; 0 means 1
	Rate          float64 // peak learning rate of Adam
	Partitions    []int   // of the space, from 1, that are trained; the largest network teaches even where its own is not; none: all
	Elastic       bool    // the weights have been trained pruned: from the first step as far as the genomes say
	Distill       float64 // share of a subnet's loss against the largest one's output, in [0, 1]
	Seed          uint64
	Threads       int         // 0 means GOMAXPROCS; it never changes the result
	Kernels       *kernel.Set // nil means the fastest of this processor
}

// Bounds of what may be asked for: far above use, below what would not fit.
const (
	maxBatch   = 1024
	maxPatch   = 512
	maxSubnets = 64
	minPatch   = 4
)

func (o *Options) check() error {
	var errs []error
	bad := func(what string, got any, want string) {
		errs = append(errs, fmt.Errorf("supernet: train: %s: %v, want %s", what, got, want))
	}
	if o.Steps < 1 {
		bad("steps", o.Steps, "at least 1")
	}
	if o.Batch < 1 || o.Batch > maxBatch {
		bad("batch", o.Batch, fmt.Sprintf("1 to %d patches", maxBatch))
	}
	if o.Patch < minPatch || o.Patch > maxPatch {
		bad("patch", o.Patch, fmt.Sprintf("%d to %d pixels", minPatch, maxPatch))
	}
	if o.Subnets < 0 || o.Subnets > maxSubnets {
		bad("subnets", o.Subnets, fmt.Sprintf("0 to %d", maxSubnets))
	}
	if o.LargestPruned < 0 || o.LargestPruned > max(0, o.Subnets) {
		bad("pruned largest networks", o.LargestPruned, fmt.Sprintf("0 to the %d subnets", o.Subnets))
	}
	if o.SubnetBatch < 0 || o.SubnetBatch > max(0, o.Batch) {
		bad("patches of a subnet", o.SubnetBatch, fmt.Sprintf("0 to the batch of %d", o.Batch))
	}
	if !(o.SubnetWeight >= 0 && o.SubnetWeight <= 1) {
		bad("weight of a subnet", o.SubnetWeight, "0 to 1")
	}
	if !(o.Rate > 0 && o.Rate <= 1) {
		bad("rate", o.Rate, "above 0 and at most 1")
	}
	if !(o.Distill >= 0 && o.Distill <= 1) {
		bad("distill", o.Distill, "0 to 1")
	}
	return errors.Join(errs...)
}

// Trainer trains a copy of a supernet by the sandwich rule. It serves one
// goroutine at a time.
//
// Step k depends on the weights, the seed and k alone, so that a run that is
// saved and restored goes on bit for bit as if it had never stopped.
type Trainer struct {
	net *Supernet // what is trained
	o   Options
	descent
	largest, smallest *shape
	turns             []pools // the parts of the space that have any

	start   []float64 // norms of the largest network's layers before the first step
	before  []float32 // the weights before the step that is watched
	watched int       // that step, from 1; 0 for none
}

const (
	// poolSize is how many random genomes of a part of the space are drawn, once,
	// for the random subnets to come from: enough that none is seen often, and
	// planned before the first step so that no step allocates.
	poolSize = 1024
	// Independent genes hardly ever leave every layer unpruned, or give every
	// slot the same block, yet such networks are on every front: one of
	// denseEvery in the pool is freed of its prunings, and one of uniformEvery
	// has one block for all its slots.
	denseEvery   = 3
	uniformEvery = 4
	// Nor do they ever give all layers one scheme, as people and searches do: one of
	// schemeEvery has one, and every other of those one ratio too. Of the prunings of
	// the largest network, which people and goals ask for, every other is of that kind.
	schemeEvery = 3
	// poolTries is how many times as many are drawn for parts of the space that
	// hold few of them.
	poolTries = 20
	// rampPart is the part of the steps over which pruning grows to what the
	// genomes say.
	rampPart = 0.3
)

// NewTrainer plans the training of a copy of s.
func NewTrainer(s *Supernet, src Source, o Options) (*Trainer, error) {
	if err := errors.Join(o.check(), s.Partitions.Check(o.Partitions)); err != nil {
		return nil, err
	}
	t := &Trainer{net: s.clone(s.bank.data), o: o}
	largest, smallest := s.Space.Largest(), s.Space.Smallest()
	t.largest, t.smallest = t.shapeOf(largest), t.shapeOf(smallest)
	t.start = t.startNorms()
	all := []*shape{t.largest, t.smallest}
	rng := rand.New(rand.NewPCG(o.Seed, streamPool))
	pool, pruned := make([][]*shape, s.Partitions.Count()), make([][]*shape, s.Partitions.Count())
	if o.Subnets > o.LargestPruned {
		pool = t.drawn(func(i int) space.Genome { return draw(s.Space, rng, i) })
	}
	if o.LargestPruned > 0 {
		pruned = t.drawn(func(i int) space.Genome {
			if g := s.Space.RandomPrunes(largest, rng); i%2 == 0 {
				return alike(s.Space, g, rng, i/2)
			}
			return evenly(s.Space, largest, rng)
		})
	}
	trained := func(part int) bool { return len(o.Partitions) == 0 || slices.Contains(o.Partitions, part+1) }
	for i := range pool {
		if len(pool[i])+len(pruned[i]) > 0 && trained(i) {
			t.turns = append(t.turns, pools{pool[i], pruned[i]})
			all = append(append(all, pool[i]...), pruned[i]...)
		}
	}
	shards := shardsOf(o.Batch)
	nets := []*net{newNet(all[:1], shards)}
	nets[0].fixed, nets[0].trained = true, trained(0)
	// A space of one network is trained as one.
	if smallest.String() != largest.String() {
		if o.Subnets > 0 && len(t.turns) == 0 {
			return nil, fmt.Errorf("supernet: train: parts %v: no network of the space is in them", o.Partitions)
		}
		nets = append(nets, newNet(all[1:2], shards))
		for range o.Subnets {
			nets = append(nets, newNet(all[2:], shards))
		}
	}
	if len(nets) > 1 {
		nets[1].trained = trained(s.part(mustLayers(s.Space.Shape(smallest))))
	}
	for i, n := range nets[1:] {
		n.distill = o.Distill
		n.share = cmp.Or(o.SubnetWeight, 1)
		if k := o.SubnetBatch; k > 0 {
			n.first, n.seen = i*k%o.Batch, k
		}
	}
	sp := s.Space
	e := newEngine(o.Kernels, all, nets, t.net.bank, sp.Scale, sp.Colors, o.Batch, o.Patch, o.Threads)
	e.prepare = t.prepare
	t.descent = descent{
		engine: e, feed: newFeed(src, o.Seed, o.Batch, o.Patch, sp.Colors, sp.Scale),
		steps: o.Steps, rate: o.Rate, factor: 1,
	}
	return t, nil
}

// drawn plans poolSize genomes that next draws for every part of the space, fewer
// where there are few. A fifth of that for each of five parts was too few: after
// 30,000 steps, networks of the two lowest parts that were not among them had lost
// up to 2.5 dB.
func (t *Trainer) drawn(next func(i int) space.Genome) [][]*shape {
	parts := make([][]*shape, t.net.Partitions.Count())
	full := 0
	for i := 0; i < poolTries*poolSize && full < len(parts); i++ {
		g := next(i)
		net := mustLayers(t.net.Space.Shape(g))
		part := &parts[t.net.part(net)]
		if len(*part) == poolSize {
			continue
		}
		if *part = append(*part, newShape(net.list, t.net.refs(net, g))); len(*part) == poolSize {
			full++
		}
	}
	return parts
}

// draw gives the i-th genome of the pool.
func draw(sp *space.Space, rng *rand.Rand, i int) space.Genome {
	g := sp.Random(rng)
	if i%denseEvery == 0 {
		g = sp.Uniform(g, network.Prune{})
	}
	g = alike(sp, g, rng, i)
	used := func(gene space.Gene) bool { return gene.Kind != space.Skip }
	first := slices.IndexFunc(g.Slots, used)
	if i%uniformEvery != 0 || first < 0 {
		return g
	}
	same := g.Clone()
	for j, gene := range same.Slots {
		if used(gene) {
			same.Slots[j] = g.Slots[first]
		}
	}
	if sp.Check(same) != nil {
		return g // slots differ in what they may hold
	}
	return same
}

// alike gives the i-th genome of a pool one scheme in all its pruned layers, or
// one pruning in all layers, or leaves it as it is.
func alike(sp *space.Space, g space.Genome, rng *rand.Rand, i int) space.Genome {
	if i%schemeEvery != 1 || len(sp.Schemes) == 0 || len(sp.Percents) == 0 {
		return g
	}
	if i/schemeEvery%2 == 0 {
		return sp.OneScheme(g, sp.Schemes[rng.IntN(len(sp.Schemes))])
	}
	return evenly(sp, g, rng)
}

// evenly prunes all layers of g alike.
func evenly(sp *space.Space, g space.Genome, rng *rand.Rand) space.Genome {
	if len(sp.Schemes) == 0 || len(sp.Percents) == 0 {
		return g
	}
	return sp.Uniform(g, network.Prune{Scheme: sp.Schemes[rng.IntN(len(sp.Schemes))], Percent: sp.Percents[rng.IntN(len(sp.Percents))]})
}

// pools are the networks that random subnets of one part of the space come from:
// any, and those of the largest one's architecture. One of them may be empty.
type pools struct{ any, pruned []*shape }

// poolOf is what random subnet i of a step comes from. All are of one part of the
// space, the parts in turn: a part gains more from a step with many patches now
// and then than from few patches in every step (docs/training.md).
func (t *Trainer) poolOf(i, step int) []*shape {
	p := t.turns[step%len(t.turns)]
	if len(p.any) == 0 || i < t.o.LargestPruned && len(p.pruned) > 0 {
		return p.pruned
	}
	return p.any
}

func (t *Trainer) shapeOf(g space.Genome) *shape {
	net := mustLayers(t.net.Space.Shape(g))
	return newShape(net.list, t.net.refs(net, g))
}

// prepare makes net i what it is in this step.
func (t *Trainer) prepare(i int) {
	sh := t.largest
	switch {
	case i == 1:
		sh = t.smallest
	case i > 1:
		draw := mix(mix(t.o.Seed, streamDraws), uint64(t.step)*maxSubnets+uint64(i-2))
		pool := t.poolOf(i-2, t.step)
		sh = pool[draw%uint64(len(pool))]
	}
	ramp := 1.0
	if !t.o.Elastic {
		ramp = math.Min(1, float64(t.step+1)/(rampPart*float64(t.o.Steps)))
	}
	t.engine.nets[i].take(sh, t.net.bank.tensors, t.net.bank.data, ramp, nil)
}

// Step trains the largest, the smallest and Options.Subnets random subnets on
// one batch. A loss that is no number or explodes is no error but a step
// refused (Stats.RolledBack); many in a row are an error, and so is a step
// beyond Options.Steps.
func (t *Trainer) Step() (Stats, error) { return t.advance() }

// StepIndex is the number of steps done.
func (t *Trainer) StepIndex() int { return t.step }

// Averaged returns the exponential average of the weights over the last steps,
// which scores better than the weights of any one step.
func (t *Trainer) Averaged() *Supernet { return t.net.clone(t.engine.opt.average) }
