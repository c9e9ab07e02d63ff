package runner

import (
	"fmt"
	"math"

	"evosr/rundir"
)

// choose picks the points of a front that are finished: the knee, the best
// under each budget, and points far from all of these until there are count.
// points are sorted by latency; quality is what is maximised. Each choice
// carries its reason, and equal fronts give equal choices.
func choose(points []rundir.Point, quality func(rundir.Point) float64, budgets []keeping, count int) []rundir.Choice {
	line := staircase(points, quality)
	if len(line) == 0 {
		return nil
	}
	var list []rundir.Choice
	at := map[string]int{}
	pick := func(p rundir.Point, reason string) {
		if i, ok := at[p.ID]; ok {
			list[i].Reason += ", " + reason
			return
		}
		at[p.ID] = len(list)
		list = append(list, rundir.Choice{ID: p.ID, Reason: reason})
	}
	// The chord of the knee is straight in milliseconds; points are near each
	// other by their ratio, for half the time is worth the same anywhere.
	u, v := unit(line, quality, func(ms float64) float64 { return ms })
	pick(line[knee(u, v)], "knee")
	u, v = unit(line, quality, func(ms float64) float64 { return math.Log(max(ms, 1e-6)) })
	for _, b := range budgets {
		best := -1
		for i, p := range line {
			if p.LatencyMS <= b.UpToMS {
				best = i // the line rises
			}
		}
		if best >= 0 {
			pick(line[best], fmt.Sprintf("best under %.4g ms", b.BudgetMS))
		}
	}
	for len(list) < min(count, len(line)) {
		// Of the points not chosen, the one whose nearest chosen one is farthest.
		far, most := -1, -1.0
		for i := range line {
			if _, ok := at[line[i].ID]; ok {
				continue
			}
			near := math.Inf(1)
			for j := range line {
				if _, ok := at[line[j].ID]; ok {
					near = min(near, math.Hypot(u[i]-u[j], v[i]-v[j]))
				}
			}
			if near >= most { // of equals the better picture
				far, most = i, near
			}
		}
		reason := "spread"
		switch far {
		case 0:
			reason = "fastest"
		case len(line) - 1:
			reason = "best picture"
		}
		pick(line[far], reason)
	}
	return list
}

// staircase keeps the points that no faster one equals in quality, so that
// quality rises with latency. With two objectives that is the whole front.
func staircase(points []rundir.Point, quality func(rundir.Point) float64) []rundir.Point {
	var line []rundir.Point
	for _, p := range points {
		if len(line) == 0 || quality(p) > quality(line[len(line)-1]) {
			line = append(line, p)
		}
	}
	return line
}

// unit scales a function of latency, and quality, to [0, 1].
func unit(line []rundir.Point, quality func(rundir.Point) float64, of func(ms float64) float64) (u, v []float64) {
	scale := func(x, lo, hi float64) float64 {
		if hi <= lo {
			return 0
		}
		return (x - lo) / (hi - lo)
	}
	last := line[len(line)-1]
	for _, p := range line {
		u = append(u, scale(of(p.LatencyMS), of(line[0].LatencyMS), of(last.LatencyMS)))
		v = append(v, scale(quality(p), quality(line[0]), quality(last)))
	}
	return u, v
}

// knee is the point farthest above the chord between the ends (Branke et al.,
// PPSN 2004); the middle one where none is above it.
func knee(u, v []float64) int {
	best, most := len(u)/2, 1e-9
	for i := range u {
		if d := v[i] - u[i]; d > most { // the chord is the diagonal
			best, most = i, d
		}
	}
	return best
}
