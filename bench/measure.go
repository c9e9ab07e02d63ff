package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"evosr/internal/kernel"
)

// tolerance is how far a rival's picture may be from ours, in units of the
// whole range of values. Sums run in another order, nothing else differs.
const tolerance = 1e-4

// The standard deviation of an output keeps the comparison honest: where it
// fades away, anything agrees, where it grows, nothing does.
const minDeviation, maxDeviation = 0.1, 10

// bench is what all networks are measured under.
type bench struct {
	ours     ours
	rivals   []rival
	size     size
	threads  []int
	variants []variant
	budget   time.Duration   // for the timed rounds of one network
	patience time.Duration   // more of it while fewer than minRounds were quiet
	group    time.Duration   // for the timed frames of one session in one round
	peak     map[int]float64 // by threads: the highest FMA rate seen so far, GFLOP/s
}

// minRounds are made whatever the budget says.
const minRounds = 3

// disturbed is how many cores other programs may keep busy in a quiet round.
const disturbed = 0.1

// lane is one session and its time per frame, ms, in every round.
type lane struct {
	session
	times []float64
}

// cell is one row in the making.
type cell struct {
	variant     variant
	threads     int
	params      int
	kept, dense int // multiplications per input pixel
	ours        lane
	rivals      []lane
	differences []float64 // largest ones, by rival
}

// measure loads every variant of a network at every number of threads into
// every runtime, compares their pictures, then times them in rounds. In a round
// each session has one group of frames, a rival's right beside ours of the same
// file, their order swapped from round to round.
func (b *bench) measure(n *network) (result, error) {
	cells, err := b.load(n)
	defer func() {
		for i := range cells {
			cells[i].close()
		}
	}()
	if err != nil {
		return result{}, err
	}
	for i := range cells {
		c := &cells[i]
		if c.differences, err = c.compare(); err != nil {
			return result{}, fmt.Errorf("bench: %s %s, %d threads: %w", n.name, c.variant.name, c.threads, err)
		}
	}
	t, err := b.rounds(cells)
	if err != nil {
		return result{}, fmt.Errorf("bench: %s: %w", n.name, err)
	}
	return b.summary(n, cells, t), nil
}

// rounds times the cells round by round. Rounds in which other programs kept
// more than disturbed cores busy do not count where minRounds others do; the
// choice looks at nothing else.
func (b *bench) rounds(cells []cell) (tally, error) {
	var load []float64
	quiet := 0
	begin := time.Now()
	for {
		took := time.Since(begin)
		if len(load) >= minRounds && took >= b.budget && (quiet >= minRounds || took >= b.budget+b.patience) {
			break
		}
		meter := newMeter()
		for _, t := range b.threads {
			settle()
			b.peak[t] = max(b.peak[t], peakGFLOPS(b.ours.kernels, t, 10*time.Millisecond))
		}
		for i := range cells {
			if err := cells[i].round(b.group, (len(load)+i)%2 == 1); err != nil {
				return tally{}, fmt.Errorf("%s, %d threads: %w", cells[i].variant.name, cells[i].threads, err)
			}
		}
		others := meter.others()
		load = append(load, others)
		if others <= disturbed {
			quiet++
		}
	}
	t := tally{made: len(load), quiet: quiet, counted: len(load)}
	if quiet >= minRounds {
		t.counted = quiet
		for i := range cells {
			cells[i].keep(func(round int) bool { return load[round] <= disturbed })
		}
		load = slices.DeleteFunc(load, func(others float64) bool { return others > disturbed })
	}
	for _, others := range load {
		t.others += others / float64(len(load))
	}
	return t, nil
}

// tally says which rounds count.
type tally struct {
	made, quiet, counted int
	others               float64 // cores that others kept busy in the rounds that count
}

func (b *bench) load(n *network) (cells []cell, err error) {
	colors := n.shape().Colors
	src := picture(b.size, colors)
	for _, v := range b.variants {
		model, err := n.file(v, b.size)
		if err != nil {
			return cells, err
		}
		for _, t := range b.threads {
			cells = append(cells, cell{variant: v, threads: t})
			c := &cells[len(cells)-1]
			p, err := b.ours.load(model, src, b.size, t)
			if err != nil {
				return cells, fmt.Errorf("bench: %s %s: %w", n.name, v.name, err)
			}
			c.ours.session = p
			c.kept, c.dense = p.macs()
			c.params = p.p.Params()
			for _, r := range b.rivals {
				s, err := r.load(model, src, b.size, t)
				if err != nil {
					return cells, fmt.Errorf("bench: %s %s: %s: %w", n.name, v.name, r.name(), err)
				}
				c.rivals = append(c.rivals, lane{session: s})
			}
		}
	}
	return cells, nil
}

func (c *cell) close() error {
	var errs []error
	if c.ours.session != nil {
		errs = append(errs, c.ours.close())
	}
	for _, l := range c.rivals {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// keep drops the rounds that do not count.
func (c *cell) keep(counts func(round int) bool) {
	c.ours.keep(counts)
	for i := range c.rivals {
		c.rivals[i].keep(counts)
	}
}

func (l *lane) keep(counts func(round int) bool) {
	var kept []float64
	for round, ms := range l.times {
		if counts(round) {
			kept = append(kept, ms)
		}
	}
	l.times = kept
}

// compare runs one frame everywhere and returns the largest difference of every
// rival's values from ours; an error where one is above tolerance.
func (c *cell) compare() (differences []float64, err error) {
	if err := c.ours.run(); err != nil {
		return nil, err
	}
	want := c.ours.output()
	var sum, squares float64
	for _, v := range want {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	mean := sum / float64(len(want))
	if d := math.Sqrt(squares/float64(len(want)) - mean*mean); !(d >= minDeviation && d <= maxDeviation) {
		return nil, fmt.Errorf("standard deviation of the output: %v, want %v to %v", d, minDeviation, maxDeviation)
	}
	for i := range c.rivals {
		if err := c.rivals[i].run(); err != nil {
			return nil, err
		}
		got := c.rivals[i].output()
		if len(got) != len(want) {
			return nil, fmt.Errorf("rival %d: %d values, want %d", i, len(got), len(want))
		}
		worst := 0.0
		for j, v := range got {
			worst = max(worst, math.Abs(float64(v)-float64(want[j]))) // max keeps NaN
		}
		if !(worst <= tolerance) {
			return nil, fmt.Errorf("rival %d: differs by %g, want at most %g", i, worst, tolerance)
		}
		differences = append(differences, worst)
	}
	return differences, nil
}

// round times one group of frames of ours and of every rival.
func (c *cell) round(group time.Duration, rivalsFirst bool) error {
	if !rivalsFirst {
		if err := c.ours.time(group); err != nil {
			return err
		}
	}
	for i := range c.rivals {
		if err := c.rivals[i].time(group); err != nil {
			return err
		}
	}
	if rivalsFirst {
		return c.ours.time(group)
	}
	return nil
}

// A group is warmed up by as many frames as take that long, at least one, and
// has at least minFrames timed ones.
const (
	warmUp    = 8 * time.Millisecond
	minFrames = 2
)

// time adds the median of one group of frames.
func (l *lane) time(group time.Duration) error {
	settle()
	for begin := time.Now(); ; {
		if err := l.run(); err != nil {
			return err
		}
		if time.Since(begin) >= warmUp {
			break
		}
	}
	var frames []float64
	for begin := time.Now(); len(frames) < minFrames || time.Since(begin) < group; {
		start := time.Now()
		if err := l.run(); err != nil {
			return err
		}
		frames = append(frames, float64(time.Since(start))/1e6)
	}
	l.times = append(l.times, spreadOf(frames).Median)
	return nil
}

// settle waits until this process is quiet, at most a quarter of a second:
// ONNX Runtime's threads go on spinning for some time after a frame and would
// take a core from whoever comes next.
func settle() {
	const look, quiet, most = 4 * time.Millisecond, 0.05, 250 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < most; {
		start, used := time.Now(), ownCPU()
		time.Sleep(look)
		if (ownCPU() - used).Seconds() < quiet*time.Since(start).Seconds() {
			return
		}
	}
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
