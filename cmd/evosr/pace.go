package main

import "time"

// pace foretells how long a stage still takes, from what it did since it was first
// seen at work.
type pace struct {
	stage string
	total float64
	first time.Time
	from  float64
}

// paceShare and paceTime are how much of a stage must be done, or how long it must have
// gone on, before anything is foretold.
const (
	paceShare = 0.02
	paceTime  = time.Second
)

// left is 0 where it cannot be told.
func (p *pace) left(b beat, now time.Time) time.Duration {
	if b.stage != p.stage || b.total != p.total || b.done < p.from {
		*p = pace{b.stage, b.total, now, b.done}
	}
	did, spent := b.done-p.from, now.Sub(p.first)
	if b.total <= 0 || did <= 0 || b.done >= b.total || spent < paceTime || did < paceShare*b.total {
		return 0
	}
	return time.Duration(float64(spent) / did * (b.total - b.done))
}
