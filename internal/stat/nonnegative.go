package stat

import (
	"math"
	"slices"
)

// Dot is the sum of products.
func Dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// NonNegative finds x >= 0 with rows·x close to want, by relative error: least
// squares, then with rows that are far off counting less
// (Cauchy's weights), so that a disturbed measurement does not bend the model.
func NonNegative(rows [][]float64, want []float64) []float64 {
	n := len(rows[0])
	scaled := make([][]float64, len(rows))
	weight := make([]float64, len(rows))
	for i, r := range rows {
		scaled[i] = make([]float64, n)
		for j, v := range r {
			scaled[i][j] = v / want[i]
		}
		weight[i] = 1
	}
	var x []float64
	for range 10 {
		x = leastSquares(scaled, weight)
		errs := make([]float64, len(rows))
		for i, r := range scaled {
			errs[i] = math.Abs(Dot(r, x) - 1)
		}
		sorted := slices.Sorted(slices.Values(errs))
		limit := max(3*sorted[len(sorted)/2], 0.01)
		for i, e := range errs {
			weight[i] = 1 / (1 + e*e/(limit*limit))
		}
	}
	return x
}

// leastSquares minimises Σ weight (row·x - 1)² over x >= 0 by the active set
// method of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23)
// on the normal matrix, which is small.
func leastSquares(rows [][]float64, weight []float64) []float64 {
	n := len(rows[0])
	a, b := make([][]float64, n), make([]float64, n)
	scale := make([]float64, n) // coordinates differ by many orders of magnitude
	for j := range n {
		for _, r := range rows {
			scale[j] = max(scale[j], r[j])
		}
		if scale[j] == 0 {
			scale[j] = 1
		}
	}
	for j := range n {
		a[j] = make([]float64, n)
		for i, r := range rows {
			v := weight[i] * r[j] / scale[j]
			b[j] += v
			for k := range n {
				a[j][k] += v * r[k] / scale[k]
			}
		}
		// A touch of ridge decides between terms that the samples cannot tell
		// apart.
		a[j][j] += 1e-7 * float64(len(rows))
	}
	x := make([]float64, n)
	var free []int // coordinates that may be above 0
	for range 10 * n {
		best, most := -1, 1e-10*float64(len(rows))
		for j := range n {
			if g := b[j] - Dot(a[j], x); g > most && !slices.Contains(free, j) {
				best, most = j, g
			}
		}
		if best < 0 {
			break
		}
		free = append(free, best)
		for {
			s := solve(a, b, free)
			step := 1.0
			for i, j := range free {
				if s[i] <= 0 {
					step = min(step, x[j]/(x[j]-s[i]))
				}
			}
			for i, j := range free {
				if x[j] += step * (s[i] - x[j]); s[i] <= 0 && x[j] < 1e-14 {
					x[j] = 0
				}
			}
			if step == 1 {
				break
			}
			free = slices.DeleteFunc(free, func(j int) bool { return x[j] <= 0 })
		}
	}
	for j := range x {
		x[j] /= scale[j]
	}
	return x
}

// solve gives x with a·x = b on the coordinates that are free, the others being
// 0, by Cholesky's decomposition: a is symmetric and positive.
func solve(a [][]float64, b []float64, free []int) []float64 {
	n := len(free)
	l := make([][]float64, n)
	x := make([]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := range i + 1 {
			v := a[free[i]][free[j]] - Dot(l[i][:j], l[j][:j])
			if i == j {
				l[i][i] = math.Sqrt(max(v, 1e-300))
				continue
			}
			l[i][j] = v / l[j][j]
		}
		x[i] = (b[free[i]] - Dot(l[i][:i], x[:i])) / l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= l[k][i] * x[k]
		}
		x[i] /= l[i][i]
	}
	return x
}
