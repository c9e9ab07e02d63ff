package runner

import (
	"sync"
	"time"
)

// reportEvery bounds how often a run reports; the first and the last of a stage
// always come.
const reportEvery = 100 * time.Millisecond

// reporter passes progress on.
type reporter struct {
	mu    sync.Mutex
	to    func(Progress)
	stage string
	first time.Time // of what is counted in this call
	from  float64   // Done at first
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
		r.stage, r.first, r.from, r.last = stage, now, done, time.Time{}
	}
	if done < r.from || total != r.total { // a stage counts one thing after the other
		r.first, r.from, r.total = now, done, total
	}
	if now.Sub(r.last) < reportEvery && done < total {
		return
	}
	r.last = now
	p := Progress{Stage: stage, Message: message, Done: done, Total: total, Hypervolume: hypervolume}
	if spent := now.Sub(r.first).Seconds(); spent > 0 && done > r.from {
		p.Rate = (done - r.from) / spent
		p.Left = time.Duration((total - done) / p.Rate * float64(time.Second))
	}
	r.to(p)
}
