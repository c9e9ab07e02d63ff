package report

import (
	"cmp"
	"slices"

	"evosr/evolve"
	"evosr/fitness"
	"evosr/rundir"
)

func dominates(a, b []float64) bool {
	better := false
	for i := range a {
		if a[i] > b[i] {
			return false
		}
		better = better || a[i] < b[i]
	}
	return better
}

// archive is the set of points that no other point dominates, as points come.
type archive struct {
	points []rundir.Point
	f      [][]float64
}

// add reports whether p entered the archive. Of equal points the first stays.
func (a *archive) add(p rundir.Point, f []float64) bool {
	for _, other := range a.f {
		if dominates(other, f) || slices.Equal(other, f) {
			return false
		}
	}
	n := 0
	for i := range a.f {
		if !dominates(f, a.f[i]) {
			a.f[n], a.points[n] = a.f[i], a.points[i]
			n++
		}
	}
	a.f, a.points = append(a.f[:n], f), append(a.points[:n], p)
	return true
}

// valid says whether an evaluation may stand on the front.
func valid(e rundir.Evaluation) bool { return e.Err == "" && e.Violation <= 0 && !e.Estimated }

// frontOf is the front of an unfinished search, by latency.
func frontOf(evaluations []rundir.Evaluation, aims fitness.Objectives) []rundir.Point {
	var a archive
	for _, e := range evaluations {
		if valid(e) {
			a.add(e.Point, aims.Minimised(&e.Values))
		}
	}
	slices.SortFunc(a.points, func(p, q rundir.Point) int {
		return cmp.Or(cmp.Compare(p.LatencyMS, q.LatencyMS), cmp.Compare(p.ID, q.ID))
	})
	return a.points
}

// hypervolumeCurve gives the hypervolume after each evaluation that raised it,
// as (evaluations, share of the last value). The reference point is the worst
// value of each objective among all feasible evaluations, so the curve starts
// near 0; the share is the same in every unit.
func hypervolumeCurve(evaluations []rundir.Evaluation, aims fitness.Objectives) (curve [][2]float64, final float64) {
	var ref []float64
	for _, e := range evaluations {
		if !valid(e) {
			continue
		}
		f := aims.Minimised(&e.Values)
		if ref == nil {
			ref = slices.Clone(f)
		}
		for i := range f {
			ref[i] = max(ref[i], f[i])
		}
	}
	var a archive
	for i, e := range evaluations {
		if valid(e) && a.add(e.Point, aims.Minimised(&e.Values)) {
			final = evolve.Hypervolume(a.f, ref)
			curve = append(curve, [2]float64{float64(i + 1), final})
		}
	}
	if final <= 0 {
		return nil, 0
	}
	for i := range curve {
		curve[i][1] /= final
	}
	return append(curve, [2]float64{float64(len(evaluations)), 1}), final
}
