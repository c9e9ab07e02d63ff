package evolve

import (
	"context"
	"fmt"
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/MaxHalford/eaopt"
)

// run is one search on its way. Children have three states, each a prefix of
// the one before: bred, sent to a worker (or known), committed.
type run[G any] struct {
	problem *Problem[G] // with the operators of the stage
	options *Options[G]
	method  method[G]
	stages  []Stage[G] // that did not begin yet
	last    int        // index after the stage's last child

	pop    eaopt.Population // of committed, usable members
	stream *stream          // behind pop.RNG

	start     []G // without repeats
	bred      []G
	bars      [][][]float64   // the front when each child was bred
	parents   [][]int         // of bred
	seen      map[string]bool // keys of bred
	exhausted bool
	sent      int
	done      map[int]Result // evaluated, not yet committed

	all        []Entry[G]
	failed     int
	estimated  int
	objectives int // of every usable result; 0 before the first
	front      front
	bar        [][]float64 // a copy of the front's rows, never changed
	volumes    []float64   // hypervolume after every commit, for Stall
	began      time.Time   // of the evaluations that are not replayed
}

// search drives a method, and hands it the operators of one stage after the
// other.
func search[G any](ctx context.Context, p *Problem[G], o *Options[G], m method[G], stages []Stage[G]) (*Outcome[G], error) {
	r := &run[G]{
		problem: p, options: o, method: m, stages: stages,
		stream: &stream{}, seen: map[string]bool{}, done: map[int]Result{},
		objectives: len(o.Reference), front: front{ref: o.Reference},
	}
	for _, m := range []eaopt.Model{m.survive, m.breed} {
		if err := m.Validate(); err != nil {
			return nil, err
		}
	}
	r.bound()
	r.pop.RNG = mathrand.New(r.stream)
	unique := map[string]bool{}
	for _, g := range o.Start {
		if key := p.Key(g); !unique[key] {
			unique[key] = true
			r.start = append(r.start, g)
		}
	}
	reason, err := r.replay(ctx)
	if reason == "" {
		reason, err = r.evaluate(ctx)
	}
	return r.outcome(reason), err
}

// replay commits what is known. Reason is "" when the search goes on after it.
func (r *run[G]) replay(ctx context.Context) (reason string, err error) {
	known := r.options.Known
	r.began = time.Now()
	for i := range known {
		if err := ctx.Err(); err != nil {
			return Cancelled, err
		}
		if err := r.launch(); err != nil {
			return Failed, err
		}
		if i >= len(r.bred) {
			return Failed, fmt.Errorf("%w: %d entries, but this search is exhausted after %d", ErrKnown, len(known), i)
		}
		reason, err := r.commit(known[i].Result)
		if reason != "" && err == nil && i+1 < len(known) {
			return Failed, fmt.Errorf("%w: %d entries, but this search ends after %d: %s", ErrKnown, len(known), i+1, reason)
		}
		if reason != "" {
			return reason, err
		}
	}
	r.began = time.Now()
	if len(known) > 0 {
		r.progress()
	}
	return "", nil
}

// evaluate goes on until there is a reason to end.
func (r *run[G]) evaluate(ctx context.Context) (reason string, err error) {
	crew := hire(ctx, r.options.Workers, r.problem)
	defer crew.dismiss()
	for {
		// Child i+Lag is bred after the commit of i and before that of i+1.
		if err := r.launch(); err != nil {
			return Failed, err
		}
		if reason := r.ended(); reason != "" {
			return reason, nil
		}
		late := r.late()
		if late && len(r.all) == r.sent {
			return Late, nil
		}
		if result, ok := r.done[len(r.all)]; ok {
			if reason, err := r.commit(result); reason != "" {
				return reason, err
			}
			continue
		}
		var work chan<- batch[G]
		var next batch[G]
		if r.sent < len(r.bred) && ctx.Err() == nil && !late {
			work = crew.work
			end := min(len(r.bred), r.sent+r.options.Batch)
			next = batch[G]{from: r.sent, genomes: r.bred[r.sent:end], bars: r.bars[r.sent:end]}
		}
		select {
		case work <- next:
			r.sent += len(next.genomes)
			continue
		case b := <-crew.done:
			if err = r.take(b); err == nil {
				continue
			}
			reason = Failed
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			reason, err = Cancelled, ctx.Err()
		}
		// What ended in order is not lost.
		for _, b := range crew.dismiss() {
			_ = r.take(b) // a batch that failed ends the prefix, the reason is known
		}
		for {
			result, ok := r.done[len(r.all)]
			if !ok {
				break
			}
			if reason, err := r.commit(result); reason != "" {
				return reason, err
			}
		}
		if ended := r.ended(); ended != "" {
			return ended, nil
		}
		return reason, err
	}
}

// late says whether the deadline has passed.
func (r *run[G]) late() bool {
	return !r.options.Deadline.IsZero() && !time.Now().Before(r.options.Deadline)
}

// ended says why there is nothing left to do, "" when there is.
func (r *run[G]) ended() string {
	switch {
	case len(r.all) == r.options.Evaluations:
		return Spent
	case r.exhausted && len(r.all) == len(r.bred) && len(r.stages) == 0:
		return Exhausted
	}
	return ""
}

// bound sets the end of the stage.
func (r *run[G]) bound() {
	r.last = r.options.Evaluations
	if len(r.stages) > 0 {
		r.last = min(r.last, r.stages[0].From)
	}
}

// turn goes over to the next stage when all of this one is committed.
func (r *run[G]) turn() {
	if len(r.stages) == 0 || len(r.all) < len(r.bred) || len(r.bred) < r.last && !r.exhausted {
		return
	}
	next := r.stages[0]
	r.stages = r.stages[1:]
	p := *r.problem
	p.Random, p.Crossover, p.Mutate, p.Repair = next.Random, next.Crossover, next.Mutate, next.Repair
	r.problem, r.method.breed = &p, &mating[G]{problem: &p}
	r.exhausted, r.volumes = false, nil
	r.bound()
	if next.Keep != nil {
		keep := next.Keep(r.survivors())
		r.pop.Individuals = slices.DeleteFunc(r.pop.Individuals, func(eaopt.Individual) bool {
			gone := !keep[0]
			keep = keep[1:]
			return gone
		})
	}
	for _, indi := range r.pop.Individuals {
		memberOf[G](indi).problem = r.problem
	}
}

// survivors gives the population's entries, by index.
func (r *run[G]) survivors() []Entry[G] {
	var list []Entry[G]
	for _, indi := range r.pop.Individuals {
		list = append(list, r.all[memberOf[G](indi).index])
	}
	return list
}

// take remembers the results of a batch.
func (r *run[G]) take(b batch[G]) error {
	last := b.from + len(b.genomes) - 1
	if b.err != nil {
		return fmt.Errorf("evolve: evaluate: children %d to %d: %w", b.from, last, b.err)
	}
	if len(b.results) != len(b.genomes) {
		return fmt.Errorf("evolve: evaluate: children %d to %d: %d results, want %d", b.from, last, len(b.results), len(b.genomes))
	}
	for i, result := range b.results {
		r.done[b.from+i] = result
	}
	return nil
}

// launch breeds as many children as the lag and the stage allow.
func (r *run[G]) launch() error {
	r.turn()
	for !r.exhausted && len(r.bred) < min(r.last, len(r.all)+r.options.Lag) {
		i := len(r.bred)
		g, key, parents, err := r.child(i)
		if err != nil {
			return err
		}
		if r.exhausted {
			return r.relaunch()
		}
		if known := r.options.Known; i < len(known) {
			if known[i].Index != i {
				return fmt.Errorf("%w: entry %d has index %d, want %d", ErrKnown, i, known[i].Index, i)
			}
			if was := r.problem.Key(known[i].Genome); was != key {
				return fmt.Errorf("%w: entry %d is %q, want %q: it is from another search", ErrKnown, i, was, key)
			}
			r.sent = i + 1
		}
		r.seen[key] = true
		r.bred, r.bars, r.parents = append(r.bred, g), append(r.bars, r.bar), append(r.parents, parents)
	}
	return nil
}

// relaunch goes on in the next stage when this one was exhausted with nothing
// on its way.
func (r *run[G]) relaunch() error {
	if len(r.stages) == 0 || len(r.all) < len(r.bred) {
		return nil
	}
	return r.launch()
}

// child breeds child i, or finds that the space is exhausted.
func (r *run[G]) child(i int) (g G, key string, parents []int, err error) {
	if i < len(r.start) {
		return r.start[i], r.problem.Key(r.start[i]), nil, nil
	}
	r.stream.start(r.options.Seed, i)
	model := r.method.breed
	if i < r.options.Population {
		model = &sampling[G]{r.problem}
	}
	child, err := r.apply(model)
	if err != nil {
		return g, "", nil, err
	}
	for try := 0; ; try++ {
		g = memberOf[G](child).genome
		if key = r.problem.Key(g); !r.seen[key] && r.problem.Repair != nil {
			g = r.problem.Repair(g, rand.New(r.pop.RNG))
			key = r.problem.Key(g)
		}
		if !r.seen[key] {
			return g, key, memberOf[G](child).parents, nil
		}
		switch {
		case try == r.options.Retries:
			r.exhausted = true
			return g, key, nil, nil
		case try < r.options.Retries/2:
			child.Mutate(r.pop.RNG)
		default:
			if child, err = r.apply(&sampling[G]{r.problem}); err != nil {
				return g, "", nil, err
			}
		}
	}
}

// apply takes the individual that a model appends.
func (r *run[G]) apply(model eaopt.Model) (child eaopt.Individual, err error) {
	if err := model.Apply(&r.pop); err != nil {
		return child, err
	}
	last := len(r.pop.Individuals) - 1
	child = r.pop.Individuals[last]
	r.pop.Individuals = slices.Delete(r.pop.Individuals, last, last+1)
	return child, nil
}

// commit makes the result of the next child part of the search. Reason is ""
// when it goes on.
func (r *run[G]) commit(result Result) (reason string, err error) {
	i := len(r.all)
	delete(r.done, i)
	result, err = r.check(i, result)
	if err != nil {
		return Failed, err
	}
	entry := Entry[G]{Index: i, Genome: r.bred[i], Result: result, Parents: r.parents[i]}
	if r.options.Journal != nil && i >= len(r.options.Known) {
		if err := r.options.Journal(entry); err != nil {
			return Failed, fmt.Errorf("evolve: journal: entry %d: %w", i, err)
		}
	}
	entry.Result.Payload, result.Payload = nil, nil
	r.all = append(r.all, entry)
	measured := r.options.Stall > 0 || r.options.Progress != nil
	if result.Err != "" {
		r.failed++
	} else {
		m := newMember(r.problem, entry.Genome)
		m.index, m.result = i, result
		r.pop.Individuals = append(r.pop.Individuals, eaopt.Individual{
			Genome: m, Fitness: math.Inf(1), Evaluated: true, ID: strconv.Itoa(i),
		})
		if err := r.method.survive.Apply(&r.pop); err != nil {
			return Failed, err
		}
		switch {
		case result.Estimated:
			r.estimated++
		case result.CV == 0 && r.front.add(i, result.F, measured):
			r.bar = slices.Clone(r.front.f)
		}
	}
	r.pop.Generations++
	if r.front.ref == nil && i+1 >= r.options.Population {
		r.fixReference()
	}
	if i >= len(r.options.Known) {
		r.progress()
	}
	if r.stalled() {
		return Stalled, nil
	}
	return "", nil
}

// check gives the result as it is recorded: its own copy, without objectives
// when it failed, for whatever reason.
func (r *run[G]) check(i int, result Result) (Result, error) {
	fail := func(why string) (Result, error) { return Result{Err: why, Payload: result.Payload}, nil }
	if result.Err != "" {
		return fail(result.Err)
	}
	if len(result.F) == 0 || r.objectives != 0 && len(result.F) != r.objectives {
		return result, fmt.Errorf("evolve: result %d: %d objectives, want %d", i, len(result.F), max(r.objectives, 1))
	}
	for k, v := range result.F {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fail(fmt.Sprintf("objective %d is %v, want a finite number", k, v))
		}
	}
	if math.IsNaN(result.CV) || math.IsInf(result.CV, 0) {
		return fail(fmt.Sprintf("constraint violation is %v, want a finite number", result.CV))
	}
	r.objectives = len(result.F)
	return Result{F: slices.Clone(result.F), CV: max(result.CV, 0), Estimated: result.Estimated, Payload: result.Payload}, nil
}

// fixReference takes the automatic reference when there are usable results.
func (r *run[G]) fixReference() {
	var rows [][]float64
	for _, e := range r.all {
		if e.Result.Err == "" {
			rows = append(rows, e.Result.F)
		}
	}
	if len(rows) > 0 {
		r.front.measure(automaticReference(rows))
	}
}

// stalled says whether hypervolume grew too little over the last Stall
// evaluations. It is never so while nothing is feasible within the reference.
func (r *run[G]) stalled() bool {
	if r.options.Stall == 0 || len(r.stages) > 0 {
		return false
	}
	r.volumes = append(r.volumes, r.front.volume)
	before := len(r.volumes) - 1 - r.options.Stall
	if before < 0 || r.volumes[before] == 0 {
		return false
	}
	was := r.volumes[before]
	return r.front.volume-was <= r.options.StallGain*was
}

func (r *run[G]) progress() {
	if r.options.Progress == nil {
		return
	}
	p := Progress{
		Evaluations: len(r.all), Budget: r.options.Evaluations,
		Replayed: min(len(r.all), len(r.options.Known)), Failed: r.failed, Estimated: r.estimated,
		Front: len(r.front.f), Hypervolume: r.front.volume,
	}
	if spent := time.Since(r.began).Seconds(); spent > 0 {
		p.Rate = float64(p.Evaluations-p.Replayed) / spent
	}
	r.options.Progress(p)
}

func (r *run[G]) outcome(reason string) *Outcome[G] {
	if r.front.ref == nil {
		r.fixReference()
	}
	out := &Outcome[G]{All: r.all, Reason: reason, Reference: r.front.ref}
	for _, i := range r.front.sorted() {
		out.Front = append(out.Front, r.all[i])
	}
	out.Population = r.survivors()
	if r.front.ref != nil {
		out.Hypervolume = Hypervolume(r.front.f, r.front.ref)
	}
	return out
}
