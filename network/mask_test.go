package network

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMaskKeepsTheStrongest holds every scheme against a slow sort.
func TestMaskKeepsTheStrongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out, in := rapid.IntRange(1, 21).Draw(t, "out"), rapid.IntRange(1, 9).Draw(t, "in")
		k := rapid.SampledFrom([]int{1, 3, 5}).Draw(t, "k")
		percent := rapid.IntRange(1, MaxPercent).Draw(t, "percent")
		scheme := rapid.SampledFrom([]Scheme{Filter, Block2, Block4, Block8, Unstructured}).Draw(t, "scheme")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		w := make([]float32, out*in*k*k)
		for i := range w {
			w[i] = float32(rng.IntN(9) - 4) // few values: many ties
		}
		cols := in * k * k
		b, whole := 1, scheme == Filter
		switch scheme {
		case Block2, Block4, Block8:
			b = 2 << (scheme - Block2)
		}
		// Every group's squared norm, kept or not.
		norm := map[int]float64{}
		group := func(i int) int {
			r, c := i/cols, i%cols
			if whole {
				return r
			}
			return r/b*cols + c
		}
		for i, x := range w {
			norm[group(i)] += float64(x) * float64(x)
		}
		want := max(1, int(math.Round((1-float64(percent)/100)*float64(len(norm)))))
		if scheme == Filter {
			want = min(out, Round4((1-float64(percent)/100)*float64(out)))
		}
		mask := make([]uint8, len(w))
		var m Masker
		got := m.Mask(mask, w, out, in, k, Prune{scheme, percent})
		kept := map[int]bool{}
		n := 0
		for i, v := range mask {
			n += int(v)
			if v > 1 {
				t.Fatalf("mask value %d", v)
			}
			if was, seen := kept[group(i)]; seen && was != (v == 1) {
				t.Fatalf("group %d is kept in part", group(i))
			}
			kept[group(i)] = v == 1
		}
		groups := 0
		worst, best := math.Inf(1), 0.0
		for g, v := range norm {
			if kept[g] {
				groups++
				worst = min(worst, v)
			} else {
				best = max(best, v)
			}
		}
		if n != got || groups != want {
			t.Fatalf("%d weights, %d groups kept and %d weights reported, want %d groups", n, groups, got, want)
		}
		if worst < best {
			t.Fatalf("a group of norm %v went while one of %v stayed", best, worst)
		}
	})
}

func TestPatternMask(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const out, in = 16, 12
	w := make([]float32, out*in*9)
	for i := range w {
		w[i] = rng.Float32() - 0.5
	}
	mask := make([]uint8, len(w))
	var m Masker
	for _, percent := range []int{25, 50, 56, 75, 90} {
		kept := m.Mask(mask, w, out, in, 3, Prune{Pattern, percent})
		if got, want := float64(kept)/float64(len(w)), 1-float64(percent)/100; math.Abs(got-want) > 0.02 {
			t.Errorf("%d %%: kept %.3f, want %.3f", percent, got, want)
		}
		for b := 0; b < out; b += 4 {
			for ci := range in {
				var shape uint16
				for r := b; r < b+4; r++ {
					var s uint16
					for p, v := range mask[(r*in+ci)*9 : (r*in+ci)*9+9] {
						s |= uint16(v) << p
					}
					if r > b && s != shape {
						t.Fatalf("%d %%: outputs %d and %d have different shapes", percent, b, r)
					}
					shape = s
				}
				if shape != 0 && shape != 1<<9-1 && !slices.Contains(shapes[:], shape) {
					t.Fatalf("%d %%: shape %09b is none of the shared ones", percent, shape)
				}
			}
		}
	}
}

func TestMaskSurvivesNaN(t *testing.T) {
	w := make([]float32, 64*9)
	for i := range w {
		w[i] = float32(math.NaN())
	}
	mask := make([]uint8, len(w))
	var m Masker
	for _, s := range Schemes()[1:] {
		if got := m.Mask(mask, w, 8, 8, 3, Prune{s, 50}); got == 0 || got == len(w) {
			t.Errorf("%v of NaN weights keeps %d", s, got)
		}
	}
}

func TestMaskAllocatesNothing(t *testing.T) {
	w, mask := make([]float32, 32*32*9), make([]uint8, 32*32*9)
	var m Masker
	for _, s := range Schemes() {
		f := func() { m.Mask(mask, w, 32, 32, 3, Prune{s, 50}) }
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%v: %v allocations", s, n)
		}
	}
}
