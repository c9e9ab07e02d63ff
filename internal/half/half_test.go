package half

import (
	"math"
	"testing"

	"evosr/internal/check"
)

// TestEvery holds all 65,536 values against the definition of binary16 and
// wants them back unchanged.
func TestEvery(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		x := float64(From(h))
		exp, frac := int(h>>10&0x1f), float64(h&0x3ff)
		want := math.Ldexp(1024+frac, exp-25)
		switch {
		case exp == 31 && frac == 0:
			want = math.Inf(1)
		case exp == 31:
			want = math.NaN()
		case exp == 0:
			want = math.Ldexp(frac, -24)
		}
		if h>>15 == 1 {
			want = -want
		}
		if math.IsNaN(want) {
			if back := Of(From(h)); !math.IsNaN(x) || back&0x7c00 != 0x7c00 || back&0x3ff == 0 {
				t.Fatalf("%#04x is %v and back %#04x, want no number", h, x, back)
			}
			continue
		}
		if x != want || math.Signbit(x) != math.Signbit(want) || Of(From(h)) != h {
			t.Fatalf("%#04x is %v and back %#04x, want %v", h, x, Of(From(h)), want)
		}
	}
}

// TestRounds wants the nearest float16 of any number, the even one of two.
func TestRounds(t *testing.T) {
	rng := check.Rand(t)
	try := func(x float32) {
		got := Of(x)
		if v := math.Abs(float64(x)); v >= 65520 {
			if got&0x7fff != 0x7c00 {
				t.Fatalf("%v is %#04x, want infinite", x, got)
			}
			return
		}
		away := math.Abs(float64(From(got)) - float64(x))
		for _, near := range []uint16{got - 1, got + 1} {
			if near&0x7fff >= 0x7c00 || near>>15 != got>>15 {
				continue
			}
			if d := math.Abs(float64(From(near)) - float64(x)); d < away || d == away && got&1 == 1 {
				t.Fatalf("%v is %v away from %#04x, but %v from %#04x", x, away, got, d, near)
			}
		}
		if math.Signbit(float64(From(got))) != math.Signbit(float64(x)) {
			t.Fatalf("%v became %v", x, From(got))
		}
	}
	for h := range uint16(0x7c00) { // half-way and its neighbours
		mid := (From(h) + From(h+1)) / 2
		if h == 0x7bff {
			mid = 65520
		}
		for _, x := range []float32{mid, math.Nextafter32(mid, 0), math.Nextafter32(mid, 1e6)} {
			try(x)
			try(-x)
		}
	}
	for range 200000 {
		if x := math.Float32frombits(rng.Uint32()); x == x && !math.IsInf(float64(x), 0) {
			try(x)
		}
	}
}
