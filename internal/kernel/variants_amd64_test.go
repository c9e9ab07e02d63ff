//go:build amd64 && !noasm

package kernel

import (
	"testing"

	"evosr/internal/check"
)

// only is the variants of v's instruction set without the tiles that would be
// taken instead of v.
func only(v Variant) (own []Variant) {
	for _, o := range Variants() {
		if o.ISA == v.ISA && (o.Op != v.Op || o.B < v.B || o.B == v.B && columns(o) <= columns(v)) {
			own = append(own, o)
		}
	}
	return own
}

// columns is the width of a variant's tile.
func columns(v Variant) int {
	if v.Bias {
		return v.P + 1
	}
	return v.P
}

// TestConvVariants holds every forward tile against the scalar kernel, on the
// widths around its edges.
func TestConvVariants(t *testing.T) {
	for _, v := range Variants() {
		if v.Op != OpConv {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			if !v.Runs {
				t.Skip("this processor lacks " + v.Needs)
			}
			rng := check.Rand(t)
			conv := newConvTiles(only(v)).conv
			for _, w := range edges(v.P, v.Lanes) {
				density := 1.0
				if rng.IntN(2) == 0 {
					density = rng.Float64()
				}
				l := randomLayer(t, rng, 1+rng.IntN(2*v.B+2), 1+rng.IntN(3), 1+2*rng.IntN(3), 1+rng.IntN(4), w, density)
				sameConv(t, rng, conv, l, v.B)
			}
		})
	}
}

// TestWeightGradVariants holds every weight-gradient tile against the scalar
// kernel, on lists around its number of taps and widths around a vector.
func TestWeightGradVariants(t *testing.T) {
	for _, v := range Variants() {
		if v.Op != OpWeightGrad {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			if !v.Runs {
				t.Skip("this processor lacks " + v.Needs)
			}
			rng := check.Rand(t)
			grads := newGradTiles(only(v)).weightGrad
			for _, w := range edges(3, v.Lanes) {
				for _, density := range []float64{0, rng.Float64(), 1} {
					l := randomLayer(t, rng, 1+rng.IntN(2*v.B+2), 1+rng.IntN(8), 1+2*rng.IntN(3), 1+rng.IntN(4), w, density)
					sameWeightGrad(t, rng, grads, l, v.B)
				}
			}
		})
	}
}
