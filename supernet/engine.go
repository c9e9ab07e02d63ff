package supernet

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"evosr/internal/kernel"
	"evosr/internal/relay"
)

// engine computes the gradient of a batch of patches for some networks over one
// bank and updates the bank. Trainer and FineTune are two fronts of it.
type engine struct {
	set     *kernel.Set
	geo     geometry
	scale   int
	colors  int
	threads int
	batch   int
	shards  int    // parts of a batch that are summed in order: the same at any number of threads
	nets    []*net // the first one's loss is reported; it teaches the others
	workers []*worker
	opt     optimizer

	// prepare readies net i for this step; calls for different nets run at once.
	prepare func(i int)

	patches batch    // this step's
	work    []func() // by helper goroutine
	phase   phase
	tasks   int
	next    atomic.Int64
	done    sync.WaitGroup
	lost    relay.Catcher // what helpers panicked with
}

type phase uint8

const (
	preparing phase = iota // a task is a net
	running                // a task is a shard
	gathering              // a task is a net
	moving                 // a task is a tensor
)

// maxShards bounds the memory of partial gradients. More threads than shards
// would idle.
const maxShards = 16

// shardsOf is the number of parts that a batch is split into.
func shardsOf(batch int) int { return min(batch, maxShards) }

// newEngine allocates for networks of the given shapes; nets are the ones that
// run in every step.
func newEngine(set *kernel.Set, shapes []*shape, nets []*net, b *bank, scale, colors, batch, patch, threads int) *engine {
	if set == nil {
		set = kernel.Best()
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	e := &engine{set: set, geo: newGeometry(patch, patch, shapes), scale: scale, colors: colors, batch: batch, nets: nets}
	e.shards = shardsOf(batch)
	e.threads = min(threads, max(e.shards, len(nets)))
	perShard := (batch + e.shards - 1) / e.shards
	for i := range e.threads {
		e.workers = append(e.workers, newWorker(set, e.geo, shapes, colors, colors*scale*scale, perShard))
		e.work = append(e.work, func() {
			defer e.done.Done()
			defer e.lost.Catch()
			e.drain(e.workers[i])
		})
	}
	e.opt = newOptimizer(set, b)
	e.opt.spread = func(tasks int) { e.parallel(moving, tasks) }
	return e
}

// parallel runs the tasks of a phase. Which thread runs which never matters.
func (e *engine) parallel(p phase, tasks int) {
	e.phase, e.tasks = p, tasks
	e.next.Store(0)
	helpers := min(e.threads, tasks) - 1
	e.done.Add(helpers)
	for i := range helpers {
		go e.work[i+1]()
	}
	e.drain(e.workers[0])
	e.done.Wait()
	e.lost.Raise()
}

func (e *engine) drain(w *worker) {
	for {
		task := int(e.next.Add(1)) - 1
		if task >= e.tasks {
			return
		}
		switch e.phase {
		case preparing:
			e.prepare(task)
			e.nets[task].lower(e.set, &e.geo)
		case running:
			e.runShard(w, task)
		case gathering:
			if n := e.nets[task]; n.trained {
				n.gather(e.set)
			}
		case moving:
			e.opt.move(task)
		}
	}
}

// gradient returns the mean loss of the first network against the truth and
// leaves the gradient of the sum of all networks' losses in opt.grad.
func (e *engine) gradient() (loss float64) {
	e.parallel(preparing, len(e.nets))
	e.parallel(running, e.shards)
	e.parallel(gathering, len(e.nets))
	clear(e.opt.grad)
	clear(e.opt.reached)
	for _, n := range e.nets {
		if !n.trained {
			continue
		}
		n.spread(e.set, e.opt.bank.tensors, e.opt.grad)
		for _, i := range n.refs {
			if i >= 0 {
				e.opt.reached[i] = true
			}
		}
	}
	for _, l := range e.nets[0].losses {
		loss += l
	}
	return loss
}

// runShard runs every network on the patches of one shard.
func (e *engine) runShard(w *worker, shard int) {
	first, end := shard*e.batch/e.shards, (shard+1)*e.batch/e.shards
	low := e.colors * e.geo.h * e.geo.w
	high := low * e.scale * e.scale
	for p := first; p < end; p++ {
		b := &e.patches
		w.load(p-first, b.lr[p*low:(p+1)*low], b.hr[p*high:(p+1)*high], e.scale)
		if b.taught != nil {
			w.teach(p-first, b.known[p], b.taught[p*high:(p+1)*high])
		}
	}
	for i, n := range e.nets {
		scale := 1 / float64(cmp.Or(n.seen, e.batch)*high)
		w.place(n)
		partial := n.partial(shard)
		clear(partial)
		n.losses[shard] = 0
		for p := range end - first {
			if !n.sees(first+p, e.batch) {
				continue
			}
			out := w.forward(n, p)
			if i == 0 && len(e.nets) > 1 {
				copy(body(w.taught[p]), body(out))
			}
			n.losses[shard] += w.loss(n, p, scale)
			if n.trained {
				w.backward(n, p, partial)
			}
		}
	}
}

// optimizer is Muon and Adam over a bank, with an average of the weights, a
// bound on the gradient and a way back to the last good weights.
type optimizer struct {
	kernels *kernel.Set
	bank    *bank
	grad    []float32
	reached []bool // by tensor: a network of this step has it
	state
	good state // snapshot

	muons  []*muon         // by tensor; nil: by Adam
	levels []*level        // by tensor; nil: its filters may sum to anything
	rate   float64         // of this step
	spread func(tasks int) // calls move for every task, in any order

	losses []float64 // of the last steps, for what is usual
	norms  []float64 // of gradients, alike
	median []float64
}

// state is everything that a step changes but the history of losses.
type state struct {
	weights, m, v, average []float32
	updates                int   // steps that made them
	moves                  []int // by tensor, those that moved it
}

// Adam's constants (arXiv:1412.6980) and the guard's.
const (
	beta1, beta2, epsilon = 0.9, 0.999, 1e-8

	history   = 64 // steps that say what is usual
	enough    = 16 // as long as there are fewer, nothing counts as exploded
	explosion = 10 // times the usual loss
	clipping  = 3  // times the usual norm of the gradient, where it is cut
)

func newOptimizer(set *kernel.Set, b *bank) optimizer {
	n := len(b.data)
	o := optimizer{kernels: set, bank: b, grad: kernel.Aligned(n), reached: make([]bool, len(b.tensors))}
	o.state = state{weights: b.data, m: kernel.Aligned(n), v: kernel.Aligned(n), average: kernel.Aligned(n), moves: make([]int, len(b.tensors))}
	copy(o.average, o.weights)
	o.good = state{weights: kernel.Aligned(n), m: kernel.Aligned(n), v: kernel.Aligned(n), average: kernel.Aligned(n), moves: make([]int, len(b.tensors))}
	o.losses, o.norms = make([]float64, 0, history), make([]float64, 0, history)
	o.median = make([]float64, 0, history)
	for i := range b.tensors {
		o.muons, o.levels = append(o.muons, nil), append(o.levels, nil)
		switch t := &b.tensors[i]; {
		case byMuon(t):
			o.muons[i] = newMuon(t)
		case t.name == "head":
			o.levels[i] = newLevel(t)
		}
	}
	o.snapshot()
	return o
}

func (s *state) set(from *state) {
	copy(s.weights, from.weights)
	copy(s.m, from.m)
	copy(s.v, from.v)
	copy(s.average, from.average)
	copy(s.moves, from.moves)
	s.updates = from.updates
}

func (o *optimizer) snapshot() { o.good.set(&o.state) }
func (o *optimizer) rollback() { o.state.set(&o.good) }

// usual is the median of a history, 0 while there is too little of it.
func (o *optimizer) usual(past []float64) float64 {
	if len(past) < enough {
		return 0
	}
	o.median = append(o.median[:0], past...)
	slices.Sort(o.median)
	return o.median[len(o.median)/2]
}

func remember(past []float64, x float64) []float64 {
	if len(past) == history {
		copy(past, past[1:])
		past = past[:history-1]
	}
	return append(past, x)
}

// update makes one step with the gradient at hand, or refuses it: false means
// that the loss or the gradient is not a number or has exploded. keep in [0, 1)
// is how much of the average stays.
func (o *optimizer) update(loss, rate, keep float64) bool {
	var square float64
	for _, g := range o.grad {
		square += float64(g) * float64(g)
	}
	norm := math.Sqrt(square)
	if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(norm) || math.IsInf(norm, 0) {
		return false
	}
	if u := o.usual(o.losses); u > 0 && loss > explosion*u {
		return false
	}
	if u := o.usual(o.norms); u > 0 && norm > clipping*u {
		cut := float32(clipping * u / norm)
		for i := range o.grad {
			o.grad[i] *= cut
		}
	}
	o.losses, o.norms = remember(o.losses, loss), remember(o.norms, norm)
	o.updates++
	o.rate = rate
	o.spread(len(o.bank.tensors))
	// An average that remembers longer than there were steps would remember the
	// start.
	t := float64(o.updates)
	keep = min(keep, t/(t+10))
	for i, w := range o.weights {
		o.average[i] += float32(1-keep) * (w - o.average[i])
	}
	return true
}

// move moves one tensor by its gradient. One that no network of the step has
// stays: what is left of its momentum is no reason for a step, which by Muon has
// full length.
func (o *optimizer) move(i int) {
	if !o.reached[i] {
		return
	}
	t := &o.bank.tensors[i]
	a, b := o.bank.span(i)
	if m := o.muons[i]; m != nil {
		n := t.out * t.in * t.k * t.k
		m.update(o.kernels, o.weights[t.w:][:n], o.m[t.w:][:n], o.grad[t.w:][:n], o.rate)
		a = t.b
	}
	o.moves[i]++
	n := float64(o.moves[i])
	rate := o.rate * math.Sqrt(1-math.Pow(beta2, n)) / (1 - math.Pow(beta1, n)) * t.pace
	if t.learned {
		o.adam(t.s, b, rate/t.pace*slopePace)
		for i, v := range o.weights[t.s:b][:t.out] {
			o.weights[t.s+i] = max(v, leastSlope)
		}
		b = t.s
	}
	level := o.levels[i]
	if level != nil {
		level.note(o.bank.weights(t))
	}
	o.adam(a, b, rate)
	if level != nil {
		level.hold(o.bank.weights(t))
	}
}

// adam moves the numbers [a, b).
func (o *optimizer) adam(a, b int, rate float64) {
	o.kernels.Adam(o.weights[a:b], o.m[a:b], o.v[a:b], o.grad[a:b], float32(rate), beta1, beta2, epsilon)
}
