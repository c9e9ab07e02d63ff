package evolve

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"evosr/internal/check"
)

func TestRank(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name string
		f    [][]float64 // a row a member: -PSNR in dB, latency in ms
		cv   []float64
		want []int
	}{
		{"no members", nil, nil, nil},
		{"a trade-off keeps both", [][]float64{{-31, 40}, {-30, 20}}, nil, []int{0, 0}},
		{"equal in one, worse in the other", [][]float64{{-31, 40}, {-31, 41}}, nil, []int{0, 1}},
		{"equal rows share a front", [][]float64{{1, 1}, {2, 2}, {1, 1}}, nil, []int{0, 1, 0}},
		{"NaN loses to any number", [][]float64{{nan, 1}, {9, 9}}, nil, []int{1, 0}},
		{"NaN loses to infinity, too", [][]float64{{nan, 1}, {inf, inf}}, nil, []int{1, 0}},
		{"NaN rows share a front", [][]float64{{nan, 1}, {2, nan}, {5, 5}, {4, 4}}, nil, []int{2, 2, 1, 0}},
		{"a chain", [][]float64{{3}, {1}, {2}}, nil, []int{2, 0, 1}},
		{"feasible beats infeasible", [][]float64{{9, 9}, {1, 1}}, []float64{0, 1e-9}, []int{0, 1}},
		{"less violation wins", [][]float64{{1, 1}, {9, 9}, {5, 5}}, []float64{3, 2, 1}, []int{2, 1, 0}},
		{"objectives decide at equal violation", [][]float64{{1, 1}, {2, 2}}, []float64{3, 3}, []int{0, 1}},
		{"violation below 0 is none", [][]float64{{1, 1}, {2, 2}}, []float64{0, -7}, []int{0, 1}},
		{"NaN violation loses", [][]float64{{1, 1}, {2, 2}}, []float64{nan, 9}, []int{1, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := RankConstrained(tt.f, tt.cv); !slices.Equal(got, tt.want) {
				t.Errorf("RankConstrained(%v, %v) = %v, want %v", tt.f, tt.cv, got, tt.want)
			}
		})
	}
}

// shapes checks a property over drawn rows of every shape that is named. Shapes
// are not drawn: rapid's own are nearly always small.
func shapes(t *testing.T, objectives, members []int, value *rapid.Generator[float64], property func(t *rapid.T, f [][]float64)) {
	for _, m := range objectives {
		for _, n := range members {
			t.Run(fmt.Sprintf("%dx%d", n, m), rapid.MakeCheck(func(t *rapid.T) {
				property(t, rapid.SliceOfN(rapid.SliceOfN(value, m, m), n, n).Draw(t, "f"))
			}))
		}
	}
}

// oneOf draws evenly; rapid.SampledFrom prefers the first values.
func oneOf(values ...float64) *rapid.Generator[float64] {
	return rapid.Map(rapid.Uint64(), func(u uint64) float64 { return values[mix(u)%uint64(len(values))] })
}

// coarse values make ties and equal rows common; wild ones add all that is not
// a usual number.
func coarse() *rapid.Generator[float64] { return oneOf(0, 1, 2, 3, 4, 5, 6, 7) }

func wild() *rapid.Generator[float64] {
	return oneOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64)
}

// slowRank peels off one front after the other, by the definition.
func slowRank(f [][]float64, cv []float64) []int {
	rank := slices.Repeat([]int{-1}, len(f))
	for k, left := 0, len(f); left > 0; k++ {
		var front []int
		for i := range f {
			beaten := rank[i] >= 0
			for j := range f {
				beaten = beaten || rank[j] < 0 && slowDominates(f[j], cv[j], f[i], cv[i])
			}
			if !beaten {
				front = append(front, i)
			}
		}
		for _, i := range front {
			rank[i] = k
		}
		left -= len(front)
	}
	return rank
}

func slowDominates(f []float64, cv float64, g []float64, gcv float64) bool {
	isNaN := func(row []float64, cv float64) bool {
		sum := cv - cv // 0 or NaN
		for _, v := range row {
			if v != v {
				sum = v
			}
		}
		return sum != 0
	}
	a, b := isNaN(f, cv), isNaN(g, gcv)
	if a || b {
		return !a && b
	}
	if cv > 0 || gcv > 0 {
		if cv < gcv || gcv < cv {
			return cv < gcv
		}
	}
	worse, better := 0, 0
	for k := range f {
		if f[k] < g[k] {
			better++
		}
		if f[k] > g[k] {
			worse++
		}
	}
	return worse == 0 && better > 0
}

func TestRankAgainstPeeling(t *testing.T) {
	shapes(t, []int{1, 2, 3, 4}, []int{1, 2, 4, 12, 30}, wild(), func(t *rapid.T, f [][]float64) {
		cv := rapid.SliceOfN(oneOf(0, 0, 0, -1, 1, 2, math.NaN()), len(f), len(f)).Draw(t, "cv")
		want := slowRank(f, cv)
		if got := RankConstrained(f, cv); !slices.Equal(got, want) {
			t.Fatalf("RankConstrained = %v, want %v", got, want)
		}
		clear(cv)
		want = slowRank(f, cv)
		if got := Rank(f); !slices.Equal(got, want) {
			t.Fatalf("Rank = %v, want %v", got, want)
		}
		for i, r := range want {
			if got := slices.Contains(Nondominated(f), i); got != (r == 0 && !slices.ContainsFunc(f[i], math.IsNaN)) {
				t.Fatalf("Nondominated has %d: %v, rank %d", i, got, r)
			}
		}
	})
}

func TestCrowding(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name string
		f    [][]float64
		want []float64
	}{
		{"no members", nil, nil},
		{"one", [][]float64{{1, 2}}, []float64{inf}},
		{"two", [][]float64{{1, 2}, {2, 1}}, []float64{inf, inf}},
		{"between", [][]float64{{0, 10}, {4, 0}, {1, 5}}, []float64{inf, inf, 2}},
		{"four", [][]float64{{0, 8}, {1, 6}, {4, 2}, {8, 0}}, []float64{inf, 0.5 + 0.75, 0.875 + 0.75, inf}},
		{"equal rows", [][]float64{{1, 1}, {1, 1}, {1, 1}}, []float64{inf, 0, inf}},
		{"a NaN row is nobody's neighbour", [][]float64{{0, 2}, {1, 1}, {nan, 0}, {2, 0}}, []float64{inf, 2, 0, inf}},
		{"the range overflows", [][]float64{{-1.5e308, 1}, {0, 0.5}, {1.5e308, 0}}, []float64{inf, 2, inf}},
		{"an infinite range adds nothing", [][]float64{{math.Inf(-1), 1}, {0, 0.5}, {inf, 0}}, []float64{inf, 1, inf}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Crowding(tt.f); !slices.Equal(got, tt.want) {
				t.Errorf("Crowding(%v) = %v, want %v", tt.f, got, tt.want)
			}
		})
	}
}

// TestCrowdingAgainstNeighbours looks for every row's neighbours by search
// instead of by sorting.
func TestCrowdingAgainstNeighbours(t *testing.T) {
	shapes(t, []int{1, 2, 3}, []int{1, 2, 3, 6, 16}, coarse(), func(t *rapid.T, f [][]float64) {
		want := make([]float64, len(f))
		for i := range f {
			for k := range f[i] {
				before := func(a, b int) bool { return f[a][k] < f[b][k] || f[a][k] == f[b][k] && a < b }
				down, up, low, high := -1, -1, i, i
				for j := range f {
					if before(j, i) && (down < 0 || before(down, j)) {
						down = j
					}
					if before(i, j) && (up < 0 || before(j, up)) {
						up = j
					}
					if before(j, low) {
						low = j
					}
					if before(high, j) {
						high = j
					}
				}
				switch span := f[high][k] - f[low][k]; {
				case down < 0 || up < 0:
					want[i] = math.Inf(1)
				case span > 0:
					want[i] += (f[up][k] - f[down][k]) / span
				}
			}
		}
		for i, got := range Crowding(f) {
			if got != want[i] && !(math.Abs(got-want[i]) <= 1e-12) {
				t.Fatalf("row %d: %v, want %v", i, got, want[i])
			}
		}
	})
}

func TestRaggedRowsPanic(t *testing.T) {
	ragged := [][]float64{{1, 2}, {1}}
	for name, f := range map[string]func(){
		"Rank":            func() { Rank(ragged) },
		"RankConstrained": func() { RankConstrained([][]float64{{1}}, []float64{0, 0}) },
		"Crowding":        func() { Crowding(ragged) },
		"Hypervolume":     func() { Hypervolume(ragged, []float64{3, 3}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took rows of unequal length", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkRank(b *testing.B) {
	rng := check.Rand(b)
	for _, n := range []int{65, 600, 6400} {
		f := make([][]float64, n)
		for i := range f {
			f[i] = []float64{rng.Float64(), rng.Float64()}
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				Rank(f)
			}
		})
	}
}
