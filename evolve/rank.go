package evolve

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// dominates says whether the first row wins over the second by constrained
// domination: a row with a NaN loses to any row without; less violation wins;
// at equal violation, and so among the feasible, it is Pareto domination. It is
// a strict partial order. Violations up to 0 are equal. (Deb et al. leave rows
// of equal violation above 0 incomparable.)
func dominates(f []float64, cv float64, g []float64, gcv float64) bool {
	if bad := hasNaN(f, cv); bad || hasNaN(g, gcv) {
		return !bad
	}
	if cv, gcv := max(cv, 0), max(gcv, 0); cv != gcv {
		return cv < gcv
	}
	return paretoDominates(f, g)
}

// paretoDominates says whether f is nowhere above g and somewhere below.
func paretoDominates(f, g []float64) bool {
	below := false
	for i, v := range f {
		if v > g[i] {
			return false
		}
		below = below || v < g[i]
	}
	return below
}

func hasNaN(f []float64, cv float64) bool {
	return math.IsNaN(cv) || slices.ContainsFunc(f, math.IsNaN)
}

// Rank gives the number of the front that every row belongs to: 0 for the rows
// that no other dominates, 1 for those that only rows of front 0 dominate, and
// so on. f is (members, objectives), minimised. A row with a NaN loses to any
// row without; equal rows share a front. Rows of unequal length panic.
func Rank(f [][]float64) []int { return RankConstrained(f, nil) }

// RankConstrained is Rank with a constraint violation for every row, where up to
// 0 is feasible: less violation wins, and only at equal violation the objectives
// decide. A nil cv means that all are feasible.
//
// The method is the efficient non-dominated sort with binary search of Zhang,
// Tian, Cheng, Jin (IEEE Transactions on Evolutionary Computation 19(2), 2015):
// in sorted order a row is dominated by earlier rows only, and whoever is
// dominated by a member of a front is dominated by one of every front before.
func RankConstrained(f [][]float64, cv []float64) []int {
	if len(f) == 0 {
		return nil
	}
	if cv == nil {
		cv = make([]float64, len(f))
	}
	checkRows(f, len(f[0]))
	if len(cv) != len(f) {
		panic(fmt.Sprintf("evolve: rank: %d violations, want %d", len(cv), len(f)))
	}
	order := make([]int, len(f))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if x, y := hasNaN(f[a], cv[a]), hasNaN(f[b], cv[b]); x != y {
			if y {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(max(cv[a], 0), max(cv[b], 0)); c != 0 {
			return c
		}
		return slices.Compare(f[a], f[b])
	})
	rank := make([]int, len(f))
	var fronts [][]int
	for _, i := range order {
		k, _ := slices.BinarySearchFunc(fronts, i, func(front []int, i int) int {
			for _, j := range slices.Backward(front) { // the nearest in order is the likeliest to dominate
				if dominates(f[j], cv[j], f[i], cv[i]) {
					return -1
				}
			}
			return 1
		})
		if k == len(fronts) {
			fronts = append(fronts, nil)
		}
		fronts[k] = append(fronts[k], i)
		rank[i] = k
	}
	return rank
}

func checkRows(f [][]float64, m int) {
	for i, row := range f {
		if len(row) != m {
			panic(fmt.Sprintf("evolve: row %d has %d objectives, want %d", i, len(row), m))
		}
	}
}

// Nondominated gives the indices, ascending, of the rows without a NaN that no
// other row dominates. Equal rows stay together.
func Nondominated(f [][]float64) []int {
	var front []int
	for i, r := range Rank(f) {
		if r == 0 && !hasNaN(f[i], 0) {
			front = append(front, i)
		}
	}
	return front
}

// Crowding gives the crowding distance of every row within one front: the
// distance between its two neighbours, as a share of the front's range, summed
// over the objectives; +Inf for the first and the last row of any objective.
// f is (members, objectives). A row with a NaN has distance 0 and is nobody's
// neighbour; an objective whose range is 0 or infinite adds nothing but its
// ends. Of equal rows the one with the lowest index counts as the first.
func Crowding(f [][]float64) []float64 {
	if len(f) == 0 {
		return nil
	}
	checkRows(f, len(f[0]))
	order := make([]int, 0, len(f))
	for i := range f {
		if !hasNaN(f[i], 0) {
			order = append(order, i)
		}
	}
	distance := make([]float64, len(f))
	crowd(f, order, distance)
	return distance
}

// crowd writes the crowding distances of the rows that order names. It sorts
// order.
func crowd(f [][]float64, order []int, distance []float64) {
	for _, i := range order {
		distance[i] = 0
	}
	if len(order) == 0 {
		return
	}
	for k := range f[order[0]] {
		slices.SortFunc(order, func(a, b int) int {
			x, y := f[a][k], f[b][k]
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return a - b
		})
		first, last := order[0], order[len(order)-1]
		// Halves, because the difference of two finite numbers may overflow.
		span := f[last][k]/2 - f[first][k]/2
		distance[first], distance[last] = math.Inf(1), math.Inf(1)
		if !(span > 0) || math.IsInf(span, 0) {
			continue
		}
		for j := 1; j < len(order)-1; j++ {
			distance[order[j]] += (f[order[j+1]][k]/2 - f[order[j-1]][k]/2) / span
		}
	}
}
