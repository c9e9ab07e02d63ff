package evolve

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// Result is what evaluating one genome gave.
type Result struct {
	F         []float64 // objectives, minimised; every one finite
	CV        float64   // constraint violation: 0 is feasible, more is worse
	Err       string    // why the evaluation failed; "" when it did not
	Estimated bool      `json:",omitempty"` // F was not measured to the end: bred from, but never on the front

	// Payload is whatever Evaluate wants Journal to have of this genome. The
	// search hands it on unread and keeps none of it.
	Payload any `json:"-"`
}

// Problem says what is searched. Genomes are values: no function may change a
// genome that it was given, and what it returns must share nothing with it that
// is ever changed.
type Problem[G any] struct {
	Random    func(*rand.Rand) G           // a genome drawn from the whole space
	Crossover func(a, b G, r *rand.Rand) G // a child of two parents; nil when there is none
	Mutate    func(G, *rand.Rand) G        // a neighbour; also applied to every child of Crossover
	Key       func(G) string               // equal keys mean the same genome

	// Neighbour is the smallest move, for Local. Where it is nil, Mutate is taken.
	Neighbour func(G, *rand.Rand) G

	// Repair, where not nil, brings a genome that was bred and never launched
	// nearer to what is feasible, or gives it back as it is. It must give a
	// genome the same repair whenever it draws the same numbers.
	Repair func(G, *rand.Rand) G

	// Evaluate scores a batch and returns one Result a genome, in order.
	// Several goroutines call it at once. It must give a genome the same Result
	// in any batch. An error ends the search; a fault of one genome belongs in
	// its Result.Err. A Result with an objective that is not finite counts as
	// failed.
	Evaluate func(context.Context, []G) ([]Result, error)

	// Screen, where not nil, is called in place of Evaluate and may score in
	// steps: hopeless(i, bound) says whether genome i of the batch, if none of its
	// objectives is below bound, cannot enter the front as that was when the
	// genome was bred. What is measured up to there is then a Result that is
	// Estimated. The answer does not depend on timing.
	Screen func(ctx context.Context, batch []G, hopeless func(i int, bound []float64) bool) ([]Result, error)
}

// Options say how to search. Zero values mean the default that is named.
type Options[G any] struct {
	Population  int // survivors; default 64
	Evaluations int // budget, entries of Known included; there is no default
	Lag         int // child i is bred from the results of children 0..i-Lag; default 16; part of what makes an outcome
	Workers     int // calls of Evaluate at the same time, at most Lag; default GOMAXPROCS; changes nothing but time
	Batch       int // genomes a call of Evaluate at most; default max(1, Lag/(2*Workers)); changes nothing but time
	Seed        uint64

	// Start holds genomes that are evaluated first, for a warm start; repeated
	// ones count once. Random genomes fill the rest of the first population.
	Start []G

	// Retries bounds how often a child that was launched before is varied
	// again: the first half by mutation, the rest by drawing from the whole
	// space. When all of them were launched before, the search ends as
	// Exhausted. Default 200.
	Retries int

	// Reference is the point that hypervolume is measured against, one value an
	// objective. By default it is taken from the results that are usable when
	// the first population is complete (or later, when there are none yet): the
	// worst of each objective plus a tenth of its range.
	Reference []float64

	// Stall ends the search when hypervolume grew by no more than StallGain
	// (relative; default 1e-4) over that many evaluations. 0 is never.
	Stall     int
	StallGain float64

	// Deadline ends the search when it has passed: what was sent to a worker is
	// committed, nothing new is sent. The zero time is never. The outcome then
	// depends on the clock; a replay of its journal does not.
	Deadline time.Time

	// Journal receives every committed entry that was not Known, in launch
	// order, from the goroutine that called Run, before anything is bred from
	// it. An error ends the search.
	Journal func(Entry[G]) error

	// Known is a journal to replay, from index 0: these children are bred and
	// compared by key, but neither evaluated nor journaled again.
	Known []Entry[G]

	// Progress is called after every committed evaluation, from the same
	// goroutine as Journal, and once when a replay is done.
	Progress func(Progress)
}

// Entry is one committed evaluation. A failed one has its reason in Result.Err
// and no objectives.
type Entry[G any] struct {
	Index  int // launch order, from 0
	Genome G
	Result Result

	// Parents are the indices of what it was bred from, none where it was drawn or
	// given. Of Known entries they are not read.
	Parents []int `json:"-"`
}

// Why a search ended.
const (
	Spent     = "evaluations spent"
	Late      = "time spent"
	Stalled   = "hypervolume stalled"
	Exhausted = "space exhausted"
	Cancelled = "cancelled"
	Failed    = "failed" // Evaluate or Journal returned an error
)

// Outcome is what a search found.
type Outcome[G any] struct {
	Front       []Entry[G] // feasible and dominated by nothing in All; sorted by objectives; the earliest of equals
	Population  []Entry[G] // the survivors at the end, by index
	All         []Entry[G] // everything committed, by index
	Reason      string     // Spent, Late, Stalled, Exhausted, Cancelled or Failed
	Reference   []float64  // given or automatic; nil when nothing was usable
	Hypervolume float64    // of Front against Reference
}

// Progress is where a search stands.
type Progress struct {
	Evaluations int     // committed, replayed ones included
	Budget      int     // Options.Evaluations
	Replayed    int     // came from Known
	Failed      int     // of Evaluations
	Estimated   int     // of Evaluations: not measured to the end
	Front       int     // members
	Hypervolume float64 // of the front; 0 until there is a reference
	Rate        float64 // evaluations a second since the search or its replay ended, replayed ones not counted
}

// prepare fills in defaults and refuses what cannot be searched.
func prepare[G any](p *Problem[G], o *Options[G]) error {
	if p.Random == nil || p.Mutate == nil || p.Key == nil || p.Evaluate == nil {
		return fmt.Errorf("evolve: problem: a function is nil, want Random, Mutate, Key and Evaluate")
	}
	if p.Neighbour == nil {
		p.Neighbour = p.Mutate
	}
	fill := func(v *int, std int) {
		if *v == 0 {
			*v = std
		}
	}
	fill(&o.Population, 64)
	fill(&o.Lag, 16)
	fill(&o.Workers, runtime.GOMAXPROCS(0))
	fill(&o.Retries, 200)
	if o.StallGain == 0 {
		o.StallGain = 1e-4
	}
	o.Workers = min(o.Workers, max(o.Lag, 1))
	fill(&o.Batch, max(1, o.Lag/(2*max(o.Workers, 1))))
	for _, c := range []struct {
		what     string
		got, low int
	}{
		{"population", o.Population, 2}, {"evaluations", o.Evaluations, 1}, {"lag", o.Lag, 1},
		{"workers", o.Workers, 1}, {"batch", o.Batch, 1}, {"retries", o.Retries, 1}, {"stall", o.Stall, 0},
	} {
		if c.got < c.low {
			return fmt.Errorf("evolve: %s: %d, want at least %d", c.what, c.got, c.low)
		}
	}
	if !(o.StallGain > 0) || math.IsInf(o.StallGain, 0) {
		return fmt.Errorf("evolve: stall gain: %v, want a number above 0", o.StallGain)
	}
	for i, v := range o.Reference {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("evolve: reference: value %d is %v, want a finite number", i, v)
		}
	}
	o.Reference = slices.Clone(o.Reference)
	if len(o.Known) > o.Evaluations {
		return fmt.Errorf("%w: %d entries, want at most the %d evaluations of the budget", ErrKnown, len(o.Known), o.Evaluations)
	}
	return nil
}
