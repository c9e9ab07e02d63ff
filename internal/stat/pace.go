package stat

import (
	"slices"
	"time"
)

// Pace foretells how long work still takes from how it went. Only the later half of
// the time that it was seen counts: what a machine was busy with before says little
// about what is left.
type Pace struct {
	seen []sighting
}

type sighting struct {
	at   time.Time
	done float64
}

const mostSightings = 512

// See notes how much is done. Less than before begins anew.
func (p *Pace) See(now time.Time, done float64) {
	n := len(p.seen)
	if n > 0 && done < p.seen[n-1].done {
		p.seen, n = p.seen[:0], 0
	}
	if n > 1 && done == p.seen[n-1].done {
		return // as much as before: what it takes shows with the next
	}
	p.seen = append(p.seen, sighting{now, done})
	if len(p.seen) > mostSightings { // every other one will do
		kept := p.seen[:1]
		for i := 2; i < len(p.seen); i += 2 {
			kept = append(kept, p.seen[i])
		}
		if last := p.seen[len(p.seen)-1]; kept[len(kept)-1] != last {
			kept = append(kept, last)
		}
		p.seen = kept
	}
}

// Rate is how much is done a second; 0 while that cannot be told.
func (p *Pace) Rate() float64 {
	n := len(p.seen)
	if n < 2 {
		return 0
	}
	last := p.seen[n-1]
	half := last.at.Add(-last.at.Sub(p.seen[0].at) / 2)
	i, _ := slices.BinarySearchFunc(p.seen, half, func(s sighting, t time.Time) int { return s.at.Compare(t) })
	from := p.seen[min(max(0, i-1), n-2)]
	if spent := last.at.Sub(from.at).Seconds(); spent > 0 && last.done > from.done {
		return (last.done - from.done) / spent
	}
	return 0
}

// Spent is how long the work was seen, and Did how much of it was done meanwhile.
func (p *Pace) Spent(now time.Time) (spent time.Duration, did float64) {
	if len(p.seen) == 0 {
		return 0, 0
	}
	return now.Sub(p.seen[0].at), p.seen[len(p.seen)-1].done - p.seen[0].done
}

// Left is how long it takes until total is done; ok is false while that cannot be told.
func (p *Pace) Left(total float64) (left time.Duration, ok bool) {
	rate := p.Rate()
	if !(rate > 0) {
		return 0, false
	}
	return time.Duration(max(0, total-p.seen[len(p.seen)-1].done) / rate * float64(time.Second)), true
}
