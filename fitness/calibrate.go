package fitness

import (
	"context"
	"math"
	"slices"

	"evosr/space"
)

// step is how Screen judges a network by some of the pictures: the mean over
// them goes through a line to the mean over all.
type step struct {
	pictures []int
	psnr     line
	ssim     line
}

// line is an estimate of y from x.
type line struct {
	at, slope float64 // y of the middle of the points, and what x adds
	middle    float64 // x of the middle
	margin    float64 // by how much an estimate may be too low
}

func (l *line) of(x float64) float64 { return l.at + l.slope*(x-l.middle) }

// of estimates a record's score, and bounds its quality from above.
func (s *step) of(r *record) (estimate, bound Score) {
	q := r.mean(s.pictures)
	estimate = r.Cost
	estimate.Estimated = true
	estimate.Quality = Quality{PSNR: s.psnr.of(q.PSNR), SSIM: s.ssim.of(q.SSIM)}
	bound = estimate
	bound.PSNR += s.psnr.margin
	bound.SSIM += s.ssim.margin
	return estimate, bound
}

// usable is how many genomes a calibration needs, and safety by how much larger
// a margin is than the largest error among them. Of 235 other networks of a 16-slot
// space, random ones and mutations of uniform designs, at most one in a hundred
// was better than its bound when 16 random and 16 uniform ones were learnt from;
// from random ones alone nearly all dense networks were.
const (
	usable = 8
	safety = 1.5
)

// Calibrate learns from genomes, which it scores in full, how well some of the
// pictures tell of all, so that Screen can stop early: with an eighth, a
// quarter, a half of them. Those that tell most come first. The genomes should
// span the space, its best and its worst networks included; equal ones give
// equal steps. Where fewer than eight can be scored, Screen stays Score. It must
// not run beside Screen.
func (s *Scorer) Calibrate(ctx context.Context, genomes []space.Genome) error {
	s.steps = nil
	scores, err := s.Score(ctx, genomes)
	if err != nil {
		return err
	}
	var rows []record
	for i, score := range scores {
		if score.Err == "" {
			r, err := s.recall(genomes[i].String())
			if err != nil {
				return err
			}
			rows = append(rows, r)
		}
	}
	if len(rows) < usable {
		return nil
	}
	order := s.informative(rows)
	for _, part := range []int{8, 4, 2} {
		n := (len(order) + part - 1) / part
		if n == len(order) || len(s.steps) > 0 && len(s.steps[len(s.steps)-1].pictures) == n {
			continue
		}
		st := step{pictures: order[:n]}
		st.psnr = fit(s.points(rows, st.pictures, func(q Quality) float64 { return q.PSNR }))
		st.ssim = fit(s.points(rows, st.pictures, func(q Quality) float64 { return q.SSIM }))
		s.steps = append(s.steps, st)
	}
	return nil
}

// points pairs the mean over some pictures with the mean over all.
func (s *Scorer) points(rows []record, pictures []int, of func(Quality) float64) (x, y []float64) {
	for i := range rows {
		x = append(x, of(rows[i].mean(pictures)))
		y = append(y, of(rows[i].mean(s.all)))
	}
	return x, y
}

// informative orders the pictures so that each beginning tells as much of the
// whole as the choice before it allows.
func (s *Scorer) informative(rows []record) []int {
	var order []int
	left := slices.Clone(s.all)
	for len(left) > 0 {
		best, least := 0, math.Inf(1)
		for i, at := range left {
			l := fit(s.points(rows, append(slices.Clone(order), at), func(q Quality) float64 { return q.PSNR }))
			if l.margin < least {
				best, least = i, l.margin
			}
		}
		order = append(order, left[best])
		left = slices.Delete(left, best, best+1)
	}
	return order
}

// fit is the line of least squares. Its margin is safety times the largest
// error that a point is predicted with by the line through the others.
func fit(x, y []float64) line {
	l := through(x, y, -1)
	for i := range x {
		others := through(x, y, i)
		l.margin = max(l.margin, safety*math.Abs(others.of(x[i])-y[i]))
	}
	return l
}

// through fits all points but one; -1 leaves none out.
func through(x, y []float64, not int) (l line) {
	n := 0.0
	for i := range x {
		if i != not {
			l.middle += x[i]
			l.at += y[i]
			n++
		}
	}
	l.middle /= n
	l.at /= n
	var xx, xy float64
	for i := range x {
		if i != not {
			xx += (x[i] - l.middle) * (x[i] - l.middle)
			xy += (x[i] - l.middle) * (y[i] - l.at)
		}
	}
	l.slope = 1 // all alike: what differs, differs as much
	if xx > 0 {
		l.slope = xy / xx
	}
	return l
}
