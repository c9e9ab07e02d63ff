// Package check is what tests share: random numbers that can be repeated,
// slices with guards around them, closeness, finite differences and the place
// of the evaluation pictures. Only test files import it.
package check

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unsafe"
)

// Rand is a generator whose seed is new in every run and printed when the test
// fails; EVOSR_SEED=N repeats one.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("EVOSR_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("check: EVOSR_SEED: %q, want a whole number", s)
		}
		seed = v
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with EVOSR_SEED=%d go test -run '^%s$'", seed, t.Name())
		}
	})
	return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
}

// Times is how often a test of n random cases runs: n times, or a fifth of that
// under -short, where an emulator or the race detector makes each one slow.
func Times(n int) int {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}

// guard is the canary: a NaN of its own, so that a value read from outside also
// shows in a result.
const (
	guard      = 0x7fc0_dead
	guardFloat = 64 // floats of canary on each side
)

// Guarded is n floats in [-1, 1) at a random alignment, with canaries before
// and after that are looked at when the test ends.
func Guarded(t testing.TB, rng *rand.Rand, n int) []float32 {
	t.Helper()
	s := guarded(t, n, rng.IntN(16))
	Fill(rng, s)
	return s
}

// GuardedAligned is n zeros that start on a 64-byte line, guarded as by Guarded.
func GuardedAligned(t testing.TB, n int) []float32 {
	t.Helper()
	return guarded(t, n, 0)
}

// Fill draws values in [-1, 1).
func Fill(rng *rand.Rand, s []float32) {
	for i := range s {
		s[i] = 2*rng.Float32() - 1
	}
}

func guarded(t testing.TB, n, shift int) []float32 {
	t.Helper()
	buf := make([]float32, n+2*guardFloat+32)
	from := guardFloat + shift
	for uintptr(unsafe.Pointer(&buf[from-shift]))%64 != 0 {
		from++
	}
	for i := range buf {
		if i < from || i >= from+n {
			buf[i] = math.Float32frombits(guard)
		}
	}
	t.Cleanup(func() {
		for i, v := range buf {
			if (i < from || i >= from+n) && math.Float32bits(v) != guard {
				t.Errorf("check: slice of %d floats: something wrote %v at index %d", n, v, i-from)
				return
			}
		}
	})
	return buf[from : from+n : from+n]
}

// Close fails the test unless every got differs from its want by at most rel
// times the larger of |want| and the root mean square of all of want, so that
// the one sum that happens to cancel is held to what its neighbours are. NaN is
// close to NaN only, an infinity to itself only.
func Close[F float32 | float64](t testing.TB, got, want []F, rel float64) {
	t.Helper()
	CloseSums(t, got, want, rel, 0)
}

// CloseSums is Close for sums that are usually of size usual: where few are
// compared and all of them may cancel, no tolerance falls below rel*usual.
func CloseSums[F float32 | float64](t testing.TB, got, want []F, rel, usual float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("check: %d values, want %d", len(got), len(want))
	}
	sum, n := 0.0, 0
	for _, w := range want {
		if v := float64(w); !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum += v * v
			n++
		}
	}
	floor := max(usual, math.Sqrt(sum/float64(max(n, 1))))
	worst, at, bad := 0.0, 0, 0
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		d := math.Abs(g-w) / max(math.Abs(w), floor)
		if d <= rel {
			continue
		}
		if bad++; !(d <= worst) { // NaN counts as the worst
			worst, at = d, i
		}
	}
	if bad > 0 {
		t.Fatalf("check: %d of %d values are off, the worst at %d: %v, want %v (%.3g relative, at most %.3g)",
			bad, len(want), at, got[at], want[at], worst, rel)
	}
}

// Gradient holds grad, the derivative of f by every x[i], against central
// differences of width 2*step. f reads x, whose values are put back. The
// tolerance is that of Close.
func Gradient[F float32 | float64](t testing.TB, f func() float64, x, grad []F, step, rel float64) {
	t.Helper()
	want := make([]F, len(x))
	for i, was := range x {
		x[i] = was + F(step)
		hi, up := x[i], f()
		x[i] = was - F(step)
		lo, down := x[i], f()
		x[i] = was
		want[i] = F((up - down) / float64(hi-lo))
	}
	Close(t, grad, want, rel)
}

// Data is the folder of that name among the shared pictures, which lie beside
// the repository (../shared/data); where they are absent the test is skipped.
func Data(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("check: no go.mod above the test's folder")
		}
		dir = up
	}
	path := filepath.Join(dir, "..", "shared", "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no pictures at %s", path)
	}
	return path
}
