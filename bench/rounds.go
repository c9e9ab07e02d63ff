package main

import (
	"fmt"
	"slices"
	"time"
)

// minRounds are made whatever the budget says.
const minRounds = 3

// disturbed is how many cores other programs may keep busy in a quiet round.
const disturbed = 0.1

// tally says which rounds count.
type tally struct {
	made, quiet, counted int
	others               float64 // cores that others kept busy in the rounds that count
}

// rounds times the cells round by round. Rounds in which other programs kept
// more than disturbed cores busy do not count where minRounds others do; the
// choice looks at nothing else.
func (b *bench) rounds(cells []cell, task task) (tally, error) {
	var load []float64
	quiet := 0
	begin := time.Now()
	for {
		took := time.Since(begin)
		if len(load) >= minRounds && took >= task.budget && (quiet >= minRounds || took >= task.budget+b.patience) {
			b.patience -= max(0, took-task.budget)
			b.patience = max(0, b.patience)
			break
		}
		meter := newMeter(b.family())
		for _, t := range task.threads {
			b.settle()
			b.peak[t] = max(b.peak[t], peakGFLOPS(b.ours.kernels, t, 10*time.Millisecond))
		}
		for i := range cells {
			if err := b.round(&cells[i], task.pace, (len(load)+i)%2 == 1); err != nil {
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

// round times one group of frames of ours and of every rival.
func (b *bench) round(c *cell, p pace, rivalsFirst bool) error {
	if !rivalsFirst {
		if err := b.time(&c.ours, p); err != nil {
			return err
		}
	}
	for i := range c.rivals {
		if c.rivals[i].session == nil {
			continue
		}
		if err := b.time(&c.rivals[i], p); err != nil {
			return err
		}
	}
	if rivalsFirst {
		return b.time(&c.ours, p)
	}
	return nil
}

// time adds the median of one group of frames.
func (b *bench) time(l *lane, p pace) error {
	b.settle()
	ms, err := l.frames(p)
	if err != nil {
		return err
	}
	l.times = append(l.times, spreadOf(ms).Median)
	return nil
}

// settle waits until this process and its children are quiet, at most a quarter
// of a second: the threads of other runtimes go on spinning for some time after a
// frame and would take a core from whoever comes next.
func (b *bench) settle() {
	const look, quiet, most = 4 * time.Millisecond, 0.05, 250 * time.Millisecond
	f := b.family()
	for begin := time.Now(); time.Since(begin) < most; {
		start, used := time.Now(), f.cpu()
		time.Sleep(look)
		if (f.cpu() - used).Seconds() < quiet*time.Since(start).Seconds() {
			return
		}
	}
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
