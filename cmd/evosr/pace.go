package main

import (
	"time"

	"evosr/internal/stat"
)

// pace foretells how long a stage still takes.
type pace struct {
	stage string
	total float64
	stat.Pace
}

// paceShare and paceTime are how much of a stage must be done, and how long it must have
// gone on, before anything is foretold.
const (
	paceShare = 0.02
	paceTime  = time.Second
)

// left is 0 where it cannot be told.
func (p *pace) left(b beat, now time.Time) time.Duration {
	if b.stage != p.stage || b.total != p.total {
		*p = pace{stage: b.stage, total: b.total}
	}
	p.See(now, b.done)
	spent, did := p.Spent(now)
	if b.total <= 0 || b.done >= b.total || spent < paceTime || did < paceShare*b.total {
		return 0
	}
	left, _ := p.Left(b.total)
	return left
}
