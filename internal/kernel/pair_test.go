package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// pairScalars are OpPair's operations by its numbers.
var pairScalars = []func(dst, a, b []float32){1: mulScalar, 2: subScalar, 3: maxScalar}

// samePair holds an operation of two slices to the scalar one, dst being either
// of them too.
func samePair(t *testing.T, rng *rand.Rand, kind int, f func(dst, a, b []float32)) {
	t.Helper()
	for _, n := range lengths() {
		a, b, got := check.Guarded(t, rng, n), check.Guarded(t, rng, n), check.Guarded(t, rng, n)
		want, aWas, bWas := make([]float32, n), slices.Clone(a), slices.Clone(b)
		pairScalars[kind](want, a, b)
		f(got, a, b)
		check.Close(t, got, want, 0)
		if !slices.Equal(a, aWas) || !slices.Equal(b, bWas) {
			t.Fatalf("n=%d: the kernel wrote to its input", n)
		}
		f(a, a, b)
		check.Close(t, a, want, 0)
		f(b, aWas, b)
		check.Close(t, b, want, 0)
	}
}

func TestPair(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			for kind, f := range []func(dst, a, b []float32){1: set.Mul, 2: set.Sub, 3: set.Max} {
				if f != nil {
					samePair(t, check.Rand(t), kind, f)
				}
			}
		})
	}
}
