package runner

import (
	"cmp"
	"math"
	"slices"
)

// correlations holds what could order networks against their truth.
func correlations(list []Ranked, truth func(Ranked) float64) map[string]Correlation {
	column := func(f func(Ranked) float64) []float64 {
		var x []float64
		for _, n := range list {
			x = append(x, f(n))
		}
		return x
	}
	want := column(truth)
	out := map[string]Correlation{}
	for name, f := range map[string]func(Ranked) float64{
		"inherited": func(n Ranked) float64 { return n.Inherited },
		"refitted":  func(n Ranked) float64 { return n.Refitted },
		"params":    func(n Ranked) float64 { return float64(n.Params) },
		"macs":      func(n Ranked) float64 { return float64(n.MACs) },
	} {
		got := column(f)
		out[name] = Correlation{kendall(got, want), pearson(ranks(got), ranks(want))}
	}
	return out
}

// kendall is tau-b (Kendall 1945): concordant less discordant pairs, over the
// geometric mean of the pairs that a and b do not tie; 0 where either ties all.
func kendall(a, b []float64) float64 {
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

// ranks are the places of the values, equal ones sharing the mean of theirs, so
// that pearson of ranks is Spearman's coefficient.
func ranks(x []float64) []float64 {
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

// pearson is the correlation coefficient, 0 where a or b is constant.
func pearson(a, b []float64) float64 {
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
