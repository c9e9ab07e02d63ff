package main

import "time"

// tally counts the frames of a video and the time they took.
type tally struct {
	frames     int
	began, end time.Time
	inside     time.Duration // in the network
}

func (t *tally) start() { t.began = time.Now(); t.end = t.began }

func (t *tally) frame() { t.frames++; t.end = time.Now() }

func (t *tally) network(f func() error) error {
	start := time.Now()
	err := f()
	t.inside += time.Since(start)
	return err
}

func (t *tally) rate() float64 { return perSecond(t.frames, t.end.Sub(t.began)) }

func (t *tally) networkRate() float64 { return perSecond(t.frames, t.inside) }

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
