package stat

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"evosr/internal/check"
)

func TestMannWhitney(t *testing.T) {
	tests := []struct {
		name     string
		a, b     []float64
		above, p float64
	}{
		{"nothing", nil, []float64{1}, 0.5, 1},
		{"five above five", []float64{6, 7, 8, 9, 10}, []float64{1, 2, 3, 4, 5}, 1, 2.0 / 252},
		{"five below five", []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 0, 2.0 / 252},
		{"all equal", []float64{3, 3, 3}, []float64{3, 3}, 0.5, 1},
		{"one in the wrong place", []float64{5, 7, 8, 9, 10}, []float64{1, 2, 3, 4, 6}, 0.96, 4.0 / 252},
		{"three above three", []float64{4, 5, 6}, []float64{1, 2, 3}, 1, 0.1}, // the table's smallest
	}
	for _, tt := range tests {
		if above, p := MannWhitney(tt.a, tt.b); math.Abs(above-tt.above) > 1e-12 || math.Abs(p-tt.p) > 1e-12 {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, above, p, tt.above, tt.p)
		}
	}
}

func TestSignedRank(t *testing.T) {
	tests := []struct {
		name string
		d    []float64
		p    float64
	}{
		{"nothing", []float64{0, 0}, 1},
		{"five wins", []float64{1, 2, 3, 4, 5}, 2.0 / 32},
		{"five losses", []float64{-1, -2, -3, -4, -5}, 2.0 / 32},
		{"the smallest lost", []float64{-1, 2, 3, 4, 5}, 4.0 / 32},
		{"a draw is left out", []float64{0, 1, 2, 3, 4, 5}, 2.0 / 32},
		{"balance", []float64{1, -1}, 1},
	}
	for _, tt := range tests {
		if p := SignedRank(tt.d); math.Abs(p-tt.p) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, p, tt.p)
		}
	}
}

// TestRankTestsCountRightly holds both tests against going through all
// divisions and all signs, with many ties.
func TestRankTestsCountRightly(t *testing.T) {
	rng := check.Rand(t)
	for range 60 {
		n, m := 1+rng.IntN(5), 1+rng.IntN(5)
		x := make([]float64, n+m)
		for i := range x {
			x[i] = float64(rng.IntN(6))
		}
		u := func(in int) (u float64) { // values of the chosen above the others, doubled
			for i := range x {
				for j := range x {
					if in>>i&1 == 1 && in>>j&1 == 0 {
						switch {
						case x[i] > x[j]:
							u += 2
						case x[i] == x[j]:
							u++
						}
					}
				}
			}
			return u
		}
		mine := u(1<<n - 1)
		var all, low, high float64
		for in := range 1 << (n + m) {
			if bits.OnesCount(uint(in)) != n {
				continue
			}
			all++
			if v := u(in); v <= mine {
				low++
				if v == mine {
					high++
				}
			} else {
				high++
			}
		}
		above, p := MannWhitney(x[:n], x[n:])
		if want := min(1, 2*min(low, high)/all); math.Abs(p-want) > 1e-12 || math.Abs(above-mine/float64(2*n*m)) > 1e-12 {
			t.Fatalf("MannWhitney(%v, %v) = %v, %v, want p %v", x[:n], x[n:], above, p, want)
		}

		d := make([]float64, 1+rng.IntN(9))
		for i := range d {
			d[i] = float64(rng.IntN(7) - 3)
		}
		ranks := midranks(sizes(d))
		w := func(up int) (w int) {
			for i, r := range ranks {
				if up>>i&1 == 1 {
					w += r
				}
			}
			return w
		}
		signs := 0
		for i, v := range slices.DeleteFunc(slices.Clone(d), func(v float64) bool { return v == 0 }) {
			if v > 0 {
				signs |= 1 << i
			}
		}
		all, low, high = 0, 0, 0
		for up := range 1 << len(ranks) {
			all++
			if w(up) <= w(signs) {
				low++
			}
			if w(up) >= w(signs) {
				high++
			}
		}
		if p, want := SignedRank(d), min(1, 2*min(low, high)/all); math.Abs(p-want) > 1e-12 {
			t.Fatalf("SignedRank(%v) = %v, want %v", d, p, want)
		}
	}
}

// sizes gives what is not zero without its sign.
func sizes(d []float64) (s []float64) {
	for _, v := range d {
		if v != 0 {
			s = append(s, math.Abs(v))
		}
	}
	return s
}

// TestRankTestsOfManyValues wants the normal approximations to meet the exact
// tests where they take over.
func TestRankTestsOfManyValues(t *testing.T) {
	rng := check.Rand(t)
	for range 10 {
		a, b := make([]float64, exactSum/2), make([]float64, exactSum/2)
		for i := range a {
			a[i], b[i] = float64(rng.IntN(20)), float64(rng.IntN(23))
		}
		ranks := midranks(append(slices.Clone(a), b...))
		sum := 0
		for _, r := range ranks[:len(a)] {
			sum += r
		}
		if _, exact := MannWhitney(a, b); math.Abs(sumNormal(ranks, len(a), sum)-exact) > 0.01 {
			t.Errorf("rank sum: %v exact, %v approximated", exact, sumNormal(ranks, len(a), sum))
		}
		d := make([]float64, exactSigned)
		for i := range d {
			d[i] = float64(1+rng.IntN(30)) * float64(1-2*(rng.IntN(9)/5))
		}
		ranks, sum = midranks(sizes(d)), 0
		for i, r := range ranks {
			if d[i] > 0 {
				sum += r
			}
		}
		if exact := SignedRank(d); math.Abs(signedNormal(ranks, sum)-exact) > 0.01 {
			t.Errorf("signed ranks: %v exact, %v approximated", exact, signedNormal(ranks, sum))
		}
	}
	if _, p := MannWhitney(make([]float64, 40), slices.Repeat([]float64{1}, 40)); p > 1e-10 {
		t.Errorf("forty below forty: p %v", p)
	}
	if p := SignedRank(slices.Repeat([]float64{1, 2}, 150)); p > 1e-10 {
		t.Errorf("three hundred wins: p %v", p)
	}
}
