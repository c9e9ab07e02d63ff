package deviceprofile

import (
	"math"
	"slices"
)

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// nonNegative finds x >= 0 with rows·x close to want, by relative error: least
// squares by coordinate descent, then with rows that are far off counting less
// (Cauchy's weights), so that a disturbed measurement does not bend the model.
func nonNegative(rows [][]float64, want []float64) []float64 {
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
	x := make([]float64, n)
	for range 10 {
		x = descend(scaled, weight, x)
		errs := make([]float64, len(rows))
		for i, r := range scaled {
			errs[i] = math.Abs(dot(r, x) - 1)
		}
		sorted := slices.Sorted(slices.Values(errs))
		limit := max(3*sorted[len(sorted)/2], 0.01)
		for i, e := range errs {
			weight[i] = 1 / (1 + e*e/(limit*limit))
		}
	}
	return x
}

// descend minimises Σ weight (row·x - 1)² over x >= 0 from a start. The normal
// matrix is small; a coordinate step is exact.
func descend(rows [][]float64, weight []float64, start []float64) []float64 {
	n := len(start)
	a := make([][]float64, n)
	b := make([]float64, n)
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
			b[j] += weight[i] * r[j] / scale[j]
			for k := range n {
				a[j][k] += weight[i] * r[j] / scale[j] * r[k] / scale[k]
			}
		}
		// A touch of ridge decides between terms that the samples cannot tell
		// apart.
		a[j][j] += 1e-7 * float64(len(rows))
	}
	x := make([]float64, n)
	for j := range x {
		x[j] = start[j] * scale[j]
	}
	for range 20000 {
		moved := 0.0
		for j := range n {
			g := b[j] - dot(a[j], x)
			next := max(0, x[j]+g/a[j][j])
			moved = max(moved, math.Abs(next-x[j])*math.Sqrt(a[j][j]))
			x[j] = next
		}
		if moved < 1e-9*math.Sqrt(float64(len(rows))) {
			break
		}
	}
	for j := range x {
		x[j] /= scale[j]
	}
	return x
}
