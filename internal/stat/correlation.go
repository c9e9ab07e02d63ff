package stat

import (
	"cmp"
	"math"
	"slices"
)

// Kendall is tau-b (Kendall 1945): concordant less discordant pairs, over the
// geometric mean of the pairs that a and b do not tie; 0 where either ties all.
func Kendall(a, b []float64) float64 {
	sum, untiedA, untiedB := 0, 0, 0
	for i := range a {
		for j := range i {
			x, y := cmp.Compare(a[i], a[j]), cmp.Compare(b[i], b[j])
			sum += x * y
			untiedA += x * x
			untiedB += y * y
		}
	}
	if untiedA == 0 || untiedB == 0 {
		return 0
	}
	return float64(sum) / math.Sqrt(float64(untiedA)*float64(untiedB))
}

// Ranks are the places of the values, equal ones sharing the mean of theirs, so
// that Pearson of Ranks is Spearman's coefficient.
func Ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	out := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			out[at] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// Pearson is the correlation coefficient, 0 where a or b is constant.
func Pearson(a, b []float64) float64 {
	mean := func(x []float64) (m float64) {
		for _, v := range x {
			m += v / float64(len(x))
		}
		return m
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
