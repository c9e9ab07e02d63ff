package evolve

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"evosr/internal/check"
)

func TestHypervolume(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name string
		f    [][]float64
		ref  []float64
		want float64
	}{
		{"nothing", nil, []float64{1, 1}, 0},
		{"one objective", [][]float64{{3}, {1}, {2}}, []float64{4}, 3},
		{"a box", [][]float64{{1, 2}}, []float64{4, 4}, 6},
		{"two overlap", [][]float64{{0, 2}, {1, 0}}, []float64{3, 3}, 3 + 6 - 2},
		{"equal rows count once", [][]float64{{1, 2}, {1, 2}}, []float64{4, 4}, 6},
		{"dominated rows add nothing", [][]float64{{1, 2}, {2, 3}}, []float64{4, 4}, 6},
		{"on the reference", [][]float64{{1, 4}}, []float64{4, 4}, 0},
		{"beyond it in one objective", [][]float64{{-100, 5}, {1, 2}}, []float64{4, 4}, 6},
		{"NaN", [][]float64{{nan, 0}, {1, 2}}, []float64{4, 4}, 6},
		{"NaN reference", [][]float64{{1, 2}}, []float64{4, nan}, 0},
		{"minus infinity", [][]float64{{math.Inf(-1), 2}}, []float64{4, 4}, inf},
		{"overflow", [][]float64{{-1e308, -1e308, -1e308, -1e308}, {-1e307, -1.2e308, -1e308, 0}}, same(4, 1e308), inf},
		{"three: a box", [][]float64{{1, 2, 3}}, []float64{4, 4, 4}, 6},
		{"three: corners", [][]float64{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}, []float64{2, 2, 2}, 1 + 1 + 1 + 1},
		{"four: a box", [][]float64{{0, 0, 0, 1}}, []float64{2, 2, 2, 2}, 8},
		{"four: two", [][]float64{{0, 0, 0, 1}, {1, 1, 1, 0}}, []float64{2, 2, 2, 2}, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			was := fmt.Sprint(tt.f)
			if got := Hypervolume(tt.f, tt.ref); got != tt.want && !(math.Abs(got-tt.want) <= 1e-12) {
				t.Errorf("Hypervolume(%v, %v) = %v, want %v", tt.f, tt.ref, got, tt.want)
			}
			if now := fmt.Sprint(tt.f); now != was {
				t.Errorf("the input became %v, was %v", now, was)
			}
		})
	}
}

// TestHypervolumeAgainstCells counts the unit cells that rows on a grid
// dominate.
func TestHypervolumeAgainstCells(t *testing.T) {
	const side = 4
	shapes(t, []int{1, 2, 3, 4, 5}, []int{1, 2, 3, 8, 20}, oneOf(-1, 0, 1, 2, 3, 3, 4, 5), func(t *rapid.T, f [][]float64) {
		m := len(f[0])
		ref := slices.Repeat([]float64{side}, m)
		want := 0
		cell := slices.Repeat([]float64{-1}, m)
		for {
			if slices.ContainsFunc(f, func(row []float64) bool { return atMost(row, cell) }) {
				want++
			}
			k := 0
			for ; k < m; k++ {
				if cell[k]++; cell[k] < side {
					break
				}
				cell[k] = -1
			}
			if k == m {
				break
			}
		}
		if got := Hypervolume(f, ref); got != float64(want) {
			t.Fatalf("Hypervolume = %v, want %v cells", got, want)
		}
	})
}

// TestHypervolumeAgainstInclusionExclusion sums the boxes of all subsets of
// real-valued rows, with alternating signs.
func TestHypervolumeAgainstInclusionExclusion(t *testing.T) {
	value := rapid.Map(rapid.Uint64(), func(u uint64) float64 { return 1.1 * float64(mix(u)>>11) / (1 << 53) })
	shapes(t, []int{1, 2, 3, 4, 5, 6}, []int{1, 3, 9}, value, func(t *rapid.T, f [][]float64) {
		m := len(f[0])
		want := 0.0
		for set := 1; set < 1<<len(f); set++ {
			box, sign := 1.0, -1.0
			for k := range m {
				low := math.Inf(-1)
				for i := range f {
					if set>>i&1 == 1 {
						low = max(low, f[i][k])
					}
				}
				box *= max(0, 1-low)
			}
			for i := range f {
				if set>>i&1 == 1 {
					sign = -sign
				}
			}
			want += sign * box
		}
		if got := Hypervolume(f, same(m, 1)); math.Abs(got-want) > 1e-10 {
			t.Fatalf("Hypervolume = %v, want %v", got, want)
		}
	})
}

// TestFrontGain holds the running front and its volume against the whole.
func TestFrontGain(t *testing.T) {
	shapes(t, []int{1, 2, 3, 4}, []int{1, 3, 10, 40}, coarse(), func(t *rapid.T, f [][]float64) {
		ref := same(len(f[0]), float64(rapid.IntRange(2, 6).Draw(t, "reference")))
		running := front{ref: ref}
		for i, row := range f {
			was := running.volume
			if added := running.add(i, row, true); added && running.volume < was || !added && running.volume != was {
				t.Fatalf("row %d added: %v, volume %v, was %v", i, added, running.volume, was)
			}
		}
		if want := Hypervolume(f, ref); math.Abs(running.volume-want) > 1e-9 {
			t.Fatalf("volume %v, want %v", running.volume, want)
		}
		var want []int // the earliest of equals
		for _, i := range Nondominated(f) {
			if !slices.ContainsFunc(want, func(j int) bool { return slices.Equal(f[i], f[j]) }) {
				want = append(want, i)
			}
		}
		slices.SortFunc(want, func(a, b int) int { return slices.Compare(f[a], f[b]) })
		if got := running.sorted(); !slices.Equal(got, want) {
			t.Fatalf("front %v, want %v", got, want)
		}
	})
}

func TestAutomaticReference(t *testing.T) {
	got := automaticReference([][]float64{{-30, 5, 0, -1e308}, {-20, 5, 0, 1.7e308}})
	if want := []float64{-19, 5.5, 0.1, math.MaxFloat64}; !slices.EqualFunc(got, want, func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-12*math.Abs(b)
	}) {
		t.Errorf("automaticReference = %v, want %v", got, want)
	}
}

func BenchmarkHypervolume(b *testing.B) {
	rng := check.Rand(b)
	for _, c := range []struct{ m, n int }{{2, 64}, {2, 1000}, {3, 64}, {3, 1000}, {4, 64}, {5, 64}} {
		f := make([][]float64, c.n)
		for i := range f {
			f[i] = make([]float64, c.m)
			norm := 0.0
			for k := range f[i] {
				f[i][k] = math.Abs(rng.NormFloat64())
				norm = math.Hypot(norm, f[i][k])
			}
			for k := range f[i] {
				f[i][k] = 1 - f[i][k]/norm
			}
		}
		ref := same(c.m, 1.1)
		b.Run(fmt.Sprintf("m=%d/n=%d", c.m, c.n), func(b *testing.B) {
			for b.Loop() {
				Hypervolume(f, ref)
			}
		})
	}
}
