package supernet

import (
	"math"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
)

// TestMuon wants the singular values of an update near 1 and its singular
// vectors to be the gradient's: U^T G is then symmetric and positive. Tall and
// wide matrices, every Set.
func TestMuon(t *testing.T) {
	for _, set := range kernel.Sets() {
		rng := check.Rand(t)
		for _, size := range [][3]int{{16, 16, 3}, {24, 12, 1}, {5, 4, 3}, {12, 24, 1}, {48, 24, 3}} {
			tens := &tensor{name: "slot1/plain/conv1", out: size[0], in: size[1], k: size[2]}
			n := tens.in * tens.k * tens.k
			g, w, past := make([]float32, tens.out*n), make([]float32, tens.out*n), make([]float32, tens.out*n)
			for i := range g {
				g[i] = float32(rng.NormFloat64())
			}
			tens.pace = paceOf(tens)
			m := newMuon(tens)
			m.update(set, w, past, g, 1)
			scale := -muonPace * tens.pace * math.Sqrt(float64(max(tens.out, n)))
			// The update over its scale, u, times its own transpose is near I.
			rows, columns := min(tens.out, n), max(tens.out, n)
			at := func(x []float32, r, c int) float64 {
				if tens.out > n {
					r, c = c, r
				}
				return float64(x[r*n+c])
			}
			for a := range rows {
				for b := range rows {
					var uu, ug, gu float64
					for c := range columns {
						uu += at(w, a, c) * at(w, b, c) / scale / scale
						ug += at(w, a, c) * at(g, b, c) / scale
						gu += at(g, a, c) * at(w, b, c) / scale
					}
					want, most := 0.0, 0.6 // five rounds leave singular values between 0.7 and 1.2
					if a == b {
						want = 1
					}
					if math.Abs(uu-want) > most {
						t.Errorf("%s %v: row %d by row %d is %.2f, want about %v", set.Name, size, a, b, uu, want)
					}
					if math.Abs(ug-gu) > 1e-3*math.Sqrt(float64(columns)) {
						t.Errorf("%s %v: rows %d and %d: %v and %v, want other singular vectors by no more than rounding", set.Name, size, a, b, ug, gu)
					}
				}
			}
			// Masked weights stay where they are, the others move as without.
			free := append([]float32(nil), w...)
			clear(w)
			clear(past)
			m.mask = make([]uint8, len(w))
			for i := range m.mask {
				m.mask[i] = uint8(i % 2)
			}
			m.update(set, w, past, g, 1)
			for i := range w {
				if want := free[i] * float32(i%2); w[i] != want {
					t.Fatalf("%s %v: weight %d of mask %d moved by %v, want %v", set.Name, size, i, i%2, w[i], want)
				}
			}
			m.mask = nil
			// No gradient and no momentum move nothing.
			clear(g)
			clear(past)
			was := append([]float32(nil), w...)
			m.update(set, w, past, g, 1)
			for i := range w {
				if w[i] != was[i] {
					t.Fatalf("%s %v: weight %d moved without a gradient", set.Name, size, i)
				}
			}
			// Neither does what is left of a momentum when a block died long ago.
			for i := range past {
				past[i] = float32(1e-41 * rng.NormFloat64())
			}
			m.update(set, w, past, g, 1)
			for i := range w {
				if d := math.Abs(float64(w[i] - was[i])); !(d < 1e-6) {
					t.Fatalf("%s %v: weight %d moved by %v without a gradient", set.Name, size, i, d)
				}
			}
		}
	}
}
