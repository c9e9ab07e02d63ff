package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"evosr/internal/kernel"
)

// tolerance is how far a rival's picture may be from ours, in units of the
// whole range of values. Sums run in another order, and some convolutions are
// computed by Winograd's algorithm, which rounds more.
const tolerance = 1e-3

// The standard deviation of an output keeps the comparison honest: where it
// fades away, anything agrees, where it grows, nothing does.
const minDeviation, maxDeviation = 0.1, 10

// bench is what all networks are measured under.
type bench struct {
	ours     ours
	rivals   []rival
	patience time.Duration   // more of a budget, over all networks, while fewer than minRounds were quiet
	peak     map[int]float64 // by threads: the highest FMA rate seen so far, GFLOP/s
}

// family is everything that runs for the bench.
func (b *bench) family() family {
	return family{func() (pids []int) {
		for _, r := range b.rivals {
			pids = append(pids, r.processes()...)
		}
		return pids
	}}
}

// lane is one session and its time per frame, ms, in every round.
type lane struct {
	session
	times []float64
}

// cell is one row in the making.
type cell struct {
	variant     variant
	threads     int
	kept, dense int // multiplications per input pixel
	params      int
	ours        lane
	rivals      []lane    // one without session where a rival does not time this file
	differences []float64 // largest ones, by rival
}

// task is one network at one size: which rows, and for how long.
type task struct {
	subject  *subject
	size     size
	variants []variant
	threads  []int
	budget   time.Duration // of the timed rounds
	pace     pace          // of one session in one round
}

// measure loads every variant of a network at every number of threads into
// every runtime, compares their pictures, then times them in rounds. In a round
// each session has one group of frames, a rival's right beside ours of the same
// file, their order swapped from round to round.
func (b *bench) measure(t task) (result, error) {
	cells, err := b.load(t)
	defer func() {
		for i := range cells {
			cells[i].close()
		}
	}()
	if err != nil {
		return result{}, fmt.Errorf("bench: %s: %w", t.subject.name, err)
	}
	for i := range cells {
		c := &cells[i]
		if c.differences, err = b.compare(c); err != nil {
			return result{}, fmt.Errorf("bench: %s %s, %d threads: %w", t.subject.name, c.variant.name, c.threads, err)
		}
	}
	tally, err := b.rounds(cells, t)
	if err != nil {
		return result{}, fmt.Errorf("bench: %s: %w", t.subject.name, err)
	}
	return b.summary(t, cells, tally), nil
}

func (b *bench) load(t task) (cells []cell, err error) {
	src := picture(t.size, t.subject.colors())
	for _, v := range t.variants {
		model, err := t.subject.file(v, t.size)
		if err != nil {
			return cells, err
		}
		for _, threads := range t.threads {
			cells = append(cells, cell{variant: v, threads: threads})
			c := &cells[len(cells)-1]
			p, err := b.ours.load(model, src, t.size, threads)
			if err != nil {
				return cells, fmt.Errorf("%s: %w", v.name, err)
			}
			c.ours.session = p
			c.kept, c.dense = p.p.MACs()
			c.params = p.p.Params()
			for _, r := range b.rivals {
				var s session
				if r.everyFile() || v.dense() {
					if s, err = r.load(model, src, t.size, threads); err != nil {
						return cells, fmt.Errorf("%s: %s: %w", v.name, r.name(), err)
					}
				}
				c.rivals = append(c.rivals, lane{session: s})
			}
		}
	}
	return cells, nil
}

func (c *cell) close() error {
	var errs []error
	for _, l := range append(c.rivals, c.ours) {
		if l.session != nil {
			errs = append(errs, l.close())
		}
	}
	return errors.Join(errs...)
}

// compare runs one frame everywhere and returns the largest difference of every
// rival's values from ours; an error where one is above tolerance.
func (b *bench) compare(c *cell) (differences []float64, err error) {
	one := pace{least: 1}
	if _, err := c.ours.frames(one); err != nil {
		return nil, err
	}
	want, err := c.ours.output()
	if err != nil {
		return nil, err
	}
	if d := deviation(want); !(d >= minDeviation && d <= maxDeviation) {
		return nil, fmt.Errorf("standard deviation of the output: %v, want %v to %v", d, minDeviation, maxDeviation)
	}
	for i, l := range c.rivals {
		worst := 0.0
		if l.session != nil {
			if _, err := l.frames(one); err != nil {
				return nil, err
			}
			got, err := l.output()
			if err != nil {
				return nil, err
			}
			if len(got) != len(want) {
				return nil, fmt.Errorf("%s: %d values, want %d", b.rivals[i].name(), len(got), len(want))
			}
			for j, v := range got {
				worst = max(worst, math.Abs(float64(v)-float64(want[j]))) // max keeps NaN
			}
			if !(worst <= tolerance) {
				return nil, fmt.Errorf("%s: differs by %g, want at most %g", b.rivals[i].name(), worst, tolerance)
			}
		}
		differences = append(differences, worst)
	}
	return differences, nil
}

// deviation is the standard deviation.
func deviation(values []float32) float64 {
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(values))
	return math.Sqrt(squares/n - sum/n*sum/n)
}

// peakGFLOPS is what n cores reach together with multiply-adds on registers.
func peakGFLOPS(k *kernel.Set, n int, d time.Duration) float64 {
	return together(n, func() float64 { return k.PeakGFLOPS(d) })
}

// memoryGBs is what n cores reach together copying memory far larger than the
// caches.
func memoryGBs(n int, d time.Duration) float64 {
	return together(n, func() float64 { return kernel.MemoryGBs(256<<20, d) })
}

// together sums a probe that runs n times at once.
func together(n int, probe func() float64) (sum float64) {
	rates := make(chan float64)
	for range n {
		go func() { rates <- probe() }()
	}
	for range n {
		sum += <-rates
	}
	return sum
}
