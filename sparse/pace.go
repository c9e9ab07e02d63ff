package sparse

import (
	"math/bits"
	"time"
)

// Workers wait for each other's bands. Where something else holds a core, every
// wait may take a turn of the system's scheduler, milliseconds, and a frame on all
// workers takes several times as long as on one. So where workers stalled in
// most of the last frames (fewer are other programs' short visits, or the first
// frame after a pause), two frames run on one worker; while that is faster, some
// more do before all are tried again. Results do not depend on it.

// stall is how long a worker may wait for another without being held up: long
// after it has let go of its core.
const stall = time.Millisecond

// Frames between trials: they double with every trial that ends as the last one.
const (
	trialFrames = 2
	stallsHeld  = 6 // of the last eight frames, from which on a core counts as held
	firstRest   = 4
	longestRest = 64
)

// pace decides how many workers run the next frame.
type pace struct {
	alone       bool          // one
	trial       bool          // it is not known yet whether that is faster
	left        int           // frames before anything is tried again
	rest        int           // how many that will be the next time
	calm        int           // frames without a stall in sequence
	past        uint8         // the last eight frames on all workers, a bit each: a worker stalled
	all, single time.Duration // recent time of a frame on all workers, on one
}

// after takes what the last frame was like and decides the next one's way.
func (p *pace) after(took time.Duration, stalled bool) {
	recent := &p.all
	if p.alone {
		recent = &p.single
	}
	if *recent == 0 {
		*recent = took
	}
	*recent = (3**recent + took) / 4
	if p.calm++; stalled {
		p.calm = 0
	}
	if !p.alone {
		p.past <<= 1
		if stalled {
			p.past |= 1
		}
	}
	if p.rest == 0 || p.calm == longestRest {
		p.rest = firstRest
	}
	if p.left > 0 {
		p.left--
	}
	switch {
	case !p.alone && p.left == 0 && bits.OnesCount8(p.past) >= stallsHeld:
		p.alone, p.trial, p.left, p.single, p.past = true, true, trialFrames, 0, 0
	case p.alone && p.left == 0:
		faster := p.trial && p.single < p.all*9/10
		p.trial = false
		if faster {
			p.left = p.rest
		} else {
			// Either one alone is no faster, or its turn is over.
			p.alone = false
			if p.single >= p.all*9/10 {
				p.left = p.rest
			}
			p.all = 0
		}
		p.rest = min(2*p.rest, longestRest)
	}
}
