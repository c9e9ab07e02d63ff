package runner

import (
	"sync"
	"time"

	"evosr/internal/stat"
)

// reportEvery bounds how often a run reports; the first and the last of a stage
// always come.
const reportEvery = 100 * time.Millisecond

// reporter passes progress on.
type reporter struct {
	mu    sync.Mutex
	to    func(Progress)
	stage string
	pace  stat.Pace // of what is counted in this call
	total float64   // of what is counted
	last  time.Time
}

// tell reports how far a stage is. hypervolume is 0 outside the search.
func (r *reporter) tell(stage, message string, done, total, hypervolume float64) {
	if r.to == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if stage != r.stage {
		r.stage, r.pace, r.last = stage, stat.Pace{}, time.Time{}
	}
	if total != r.total { // a stage counts one thing after the other
		r.pace, r.total = stat.Pace{}, total
	}
	r.pace.See(now, done)
	if now.Sub(r.last) < reportEvery && done < total {
		return
	}
	r.last = now
	p := Progress{Stage: stage, Message: message, Done: done, Total: total, Hypervolume: hypervolume}
	p.Rate = r.pace.Rate()
	p.Left, _ = r.pace.Left(total)
	r.to(p)
}
