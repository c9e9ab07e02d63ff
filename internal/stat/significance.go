package stat

import (
	"cmp"
	"math"
	"slices"
)

// Largest samples whose rank tests are exact; beyond them the normal
// approximation is as good.
const (
	exactSum    = 60  // values of both samples
	exactSigned = 200 // pairs
)

// MannWhitney is the rank-sum test of Mann and Whitney (Annals of Mathematical
// Statistics 18, 1947) of two independent samples. above is the share of pairs
// in which a value of a is above one of b, ties counting half: 0.5 is no
// difference (the A measure of Vargha and Delaney, 2000). p is two-sided: twice
// the smaller tail, at most 1. It is exact up to 60 values, ties included, by
// counting all ways to divide the ranks. Without values on either side above is
// 0.5 and p 1.
func MannWhitney(a, b []float64) (above, p float64) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 0.5, 1
	}
	ranks := midranks(append(slices.Clone(a), b...))
	sum := 0
	for _, r := range ranks[:n] {
		sum += r
	}
	lowest := n * (n + 1) // twice the least rank sum of a
	above = float64(sum-lowest) / float64(2*n*m)
	if n+m > exactSum {
		return above, sumNormal(ranks, n, sum)
	}
	// ways[k][s] counts the choices of k ranks with sum s.
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([][]float64, n+1)
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		for k := n; k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	return above, tails(ways[n], sum)
}

// SignedRank is Wilcoxon's test (Biometrics Bulletin 1, 1945) of paired values:
// d holds a value of one side minus that of the other, for every pair. Pairs
// without difference are left out. p is two-sided and exact up to 200 pairs, ties
// included, by counting all signs. Without a difference p is 1.
func SignedRank(d []float64) (p float64) {
	var size []float64
	var up []bool
	for _, x := range d {
		if x != 0 {
			size, up = append(size, math.Abs(x)), append(up, x > 0)
		}
	}
	if len(size) == 0 {
		return 1
	}
	ranks := midranks(size)
	sum, total := 0, 0
	for i, r := range ranks {
		total += r
		if up[i] {
			sum += r
		}
	}
	if len(size) > exactSigned {
		return signedNormal(ranks, sum)
	}
	ways := make([]float64, total+1)
	ways[0] = 1
	for _, r := range ranks {
		for s := total; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	return tails(ways, sum)
}

// midranks gives twice the rank of every value, from 2; equal values share the
// mean of their ranks.
func midranks(x []float64) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	ranks := make([]int, len(x))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = from + 1 + to
		}
		from = to
	}
	return ranks
}

// sumNormal is the p of the first n ranks, whose sum is given.
func sumNormal(ranks []int, n, sum int) float64 {
	m := len(ranks) - n
	all := float64(n + m)
	variance := float64(n*m) / 12 * (all + 1 - tied(ranks)/(all*(all-1)))
	return normal(float64(sum)/2, float64(n)*(all+1)/2, variance)
}

// signedNormal is the p of the ranks of which those with one sign have the sum.
func signedNormal(ranks []int, sum int) float64 {
	n := float64(len(ranks))
	return normal(float64(sum)/2, n*(n+1)/4, n*(n+1)*(2*n+1)/24-tied(ranks)/48)
}

// tied is the correction for ties: the sum of t³-t over the groups of t equal
// ranks.
func tied(ranks []int) (sum float64) {
	t := 0.0
	sorted := slices.Sorted(slices.Values(ranks))
	for i, r := range sorted {
		if t++; i+1 == len(sorted) || sorted[i+1] != r {
			sum += t*t*t - t
			t = 0
		}
	}
	return sum
}

// tails is twice the smaller tail at sum of a distribution given by counts.
func tails(ways []float64, sum int) float64 {
	var all, low, high float64
	for s, n := range ways {
		all += n
		if s <= sum {
			low += n
		}
		if s >= sum {
			high += n
		}
	}
	return min(1, 2*min(low, high)/all)
}

// normal is the two-sided p of a normal approximation, corrected for
// continuity.
func normal(x, mean, variance float64) float64 {
	if !(variance > 0) {
		return 1
	}
	z := max(0, math.Abs(x-mean)-0.5) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}
