package evolve

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Hypervolume is the volume that the rows of f dominate and that the reference
// point bounds, exact up to rounding. f is (members, objectives), minimised, ref
// one value an objective. Rows that are not below ref in every objective, and
// rows with a NaN, add nothing. A row with -Inf below ref makes it +Inf, and so
// does overflow.
//
// Two and three objectives are swept in O(n log n) and at worst O(n²); from
// four on the time grows exponentially with their number (While, Bradstreet,
// Barone, IEEE Transactions on Evolutionary Computation 16(1), 2012).
func Hypervolume(f [][]float64, ref []float64) float64 {
	inside := make([][]float64, 0, len(f))
	for i, row := range f {
		if len(row) != len(ref) {
			panic(fmt.Sprintf("evolve: hypervolume: row %d has %d objectives, the reference %d", i, len(row), len(ref)))
		}
		keep, infinite := len(row) > 0, false
		for k, v := range row {
			keep = keep && v < ref[k] // false for NaN
			infinite = infinite || math.IsInf(v, -1) || math.IsInf(ref[k], 1)
		}
		if keep && infinite {
			return math.Inf(1)
		}
		if keep {
			inside = append(inside, row)
		}
	}
	v := volume(inside, ref)
	if math.IsNaN(v) { // Inf - Inf: overflow on the way
		return math.Inf(1)
	}
	return v
}

// volume measures by the first len(ref) values of every row. All rows are
// finite and below ref. It sorts p.
func volume(p [][]float64, ref []float64) float64 {
	if len(p) == 0 {
		return 0
	}
	switch len(ref) {
	case 0:
		return 0
	case 1:
		low := slices.MinFunc(p, func(a, b []float64) int { return cmp.Compare(a[0], b[0]) })
		return ref[0] - low[0]
	case 2:
		return area(p, ref)
	case 3:
		return solid(p, ref)
	}
	return limited(p, ref)
}

// area sweeps two objectives from left to right and adds a strip for every row
// that is lower than all before.
func area(p [][]float64, ref []float64) float64 {
	slices.SortFunc(p, func(a, b []float64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	sum, top := 0.0, ref[1]
	for _, row := range p {
		if row[1] < top {
			sum += (ref[0] - row[0]) * (top - row[1])
			top = row[1]
		}
	}
	return sum
}

// solid sweeps the third of three objectives upwards and keeps the staircase of
// the first two, whose area changes by what each row adds.
func solid(p [][]float64, ref []float64) float64 {
	slices.SortFunc(p, func(a, b []float64) int { return cmp.Compare(a[2], b[2]) })
	var stairs [][]float64 // rising in objective 0, falling in objective 1
	sum, flat, depth := 0.0, 0.0, p[0][2]
	for _, row := range p {
		sum += flat * (row[2] - depth)
		depth = row[2]
		x, y := row[0], row[1]
		from, _ := slices.BinarySearchFunc(stairs, x, func(s []float64, x float64) int { return cmp.Compare(s[0], x) })
		top := ref[1]
		if from > 0 {
			top = stairs[from-1][1]
		}
		if top <= y || from < len(stairs) && stairs[from][0] == x && stairs[from][1] <= y {
			continue
		}
		to := from
		for ; to < len(stairs) && stairs[to][1] >= y; to++ {
			flat += (stairs[to][0] - x) * (top - y)
			x, top = stairs[to][0], stairs[to][1]
		}
		right := ref[0]
		if to < len(stairs) {
			right = stairs[to][0]
		}
		flat += (right - x) * (top - y)
		stairs = slices.Replace(stairs, from, to, row)
	}
	return sum + flat*(ref[2]-depth)
}

// limited sums what every row dominates and no later row does. Sorted by the
// last objective, highest first, all that a later row takes from a row reaches
// down to the same last value, so the question has one objective less.
func limited(p [][]float64, ref []float64) float64 {
	m := len(ref) - 1
	slices.SortFunc(p, func(a, b []float64) int { return cmp.Compare(b[m], a[m]) })
	sum := 0.0
	for i, row := range p {
		own := 1.0
		for k := range m {
			own *= ref[k] - row[k]
		}
		taken := make([][]float64, 0, len(p)-i-1)
		for _, later := range p[i+1:] {
			q := make([]float64, m)
			for k := range q {
				q[k] = max(row[k], later[k])
			}
			taken = keepNondominated(taken, q)
		}
		sum += (ref[m] - row[m]) * (own - volume(taken, ref[:m]))
	}
	return sum
}

// keepNondominated adds q to a set of which no row is as good as another,
// unless one is as good as q.
func keepNondominated(set [][]float64, q []float64) [][]float64 {
	for _, s := range set {
		if atMost(s, q) {
			return set
		}
	}
	set = slices.DeleteFunc(set, func(s []float64) bool { return atMost(q, s) })
	return append(set, q)
}

// atMost says whether a is nowhere above b.
func atMost(a, b []float64) bool {
	for k, v := range a {
		if v > b[k] {
			return false
		}
	}
	return true
}
