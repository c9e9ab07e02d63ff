package supernet

import "fmt"

// Stats is what one step did.
type Stats struct {
	Step       int     // steps done, this one included
	Loss       float64 // mean absolute error of the largest subnet on this step's patches, in [0, 1]
	Rate       float64 // learning rate of this step
	RolledBack bool    // the step was refused: the weights are the last good ones, the rate is halved for a while
}

// descent is the part of training that does not know what is trained: patches,
// learning rate, steps and what happens to bad ones.
type descent struct {
	engine *engine
	feed   *feed
	steps  int
	rate   float64

	step     int     // done
	factor   float64 // of the rate: halved by every refused step, doubled again by calm ones
	refusals int     // in a row
	calm     int     // good steps since the factor changed
}

const (
	snapshotEvery = 50 // steps
	maxRefusals   = 8  // in a row, until training gives up
	calmSteps     = 500
	// leastFactor is where training gives up as well: steps that explode at any
	// rate have another cause, and a rate of nothing would train nothing.
	leastFactor = 1. / 256
)

// fallPart is the part of the steps over which the rate falls.
const fallPart = 0.3

// schedule is the learning rate of a step: a linear rise over the first
// hundredth (at most 100 steps), then as it is, and a straight fall to nearly
// zero over the last steps. Half a cosine over all of them is 0.02 to 0.03 dB
// worse (docs/training.md).
func (d *descent) schedule(step int) float64 {
	warm := min(100, max(1, d.steps/100))
	if step < warm {
		return d.rate * float64(step+1) / float64(warm)
	}
	left := float64(d.steps-step) / (fallPart * float64(d.steps))
	return d.rate * min(1, 0.005+0.995*left)
}

// keep is how much of the average stays in a step: it remembers a twentieth of
// the training, 10 to 1000 steps.
func (d *descent) keep() float64 {
	return 1 - 1/min(max(float64(d.steps)/20, 10), 1000)
}

// advance makes one step.
func (d *descent) advance() (Stats, error) {
	if d.step >= d.steps {
		return Stats{}, fmt.Errorf("supernet: train: step %d, want at most %d", d.step+1, d.steps)
	}
	e := d.engine
	e.patches = d.feed.take(d.step, d.step+1 == d.steps)
	stats := Stats{Rate: d.factor * d.schedule(d.step)}
	stats.Loss = e.gradient()
	usual := e.opt.usual(e.opt.losses)
	good := e.opt.update(stats.Loss, stats.Rate, d.keep())
	d.step++
	stats.Step = d.step
	if good {
		d.refusals = 0
		if d.calm++; d.factor < 1 && d.calm >= calmSteps {
			d.factor, d.calm = 2*d.factor, 0
		}
		if d.step%snapshotEvery == 0 && stats.Loss <= 2*usual {
			e.opt.snapshot()
		}
		return stats, nil
	}
	e.opt.rollback()
	stats.RolledBack = true
	d.factor, d.calm = d.factor/2, 0
	if d.factor < leastFactor {
		return stats, fmt.Errorf("supernet: train: step %d: loss %v: steps explode although the rate is %.2g of what was asked: look at the pictures, or go on from the last checkpoint", d.step, stats.Loss, d.factor)
	}
	if d.refusals++; d.refusals == maxRefusals {
		return stats, fmt.Errorf("supernet: train: step %d: loss %v, and %d steps in a row were no numbers or exploded: lower the rate or look at the pictures", d.step, stats.Loss, maxRefusals)
	}
	return stats, nil
}
