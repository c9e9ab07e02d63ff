//go:build (amd64 || arm64) && !noasm

package q8

import (
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// variantTests hold every variant of an operation against the scalar kernel.
var variantTests = map[Op]func(*testing.T, *rand.Rand, Variant){
	OpConv:       testConvVariant,
	OpPack:       testPackVariant,
	OpPackStream: testPackVariant,
	OpNarrow:     testPackVariant,
	OpProbe:      testProbeVariant,
}

// TestVariants runs every row of the table of variants; a row whose operation
// has no test fails.
func TestVariants(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Variants() {
		t.Run(v.Name, func(t *testing.T) {
			if seen[v.Name] {
				t.Error("the name is taken twice")
			}
			seen[v.Name] = true
			test := variantTests[v.Op]
			if test == nil {
				t.Fatalf("operation %q has no test", v.Op)
			}
			if !v.Runs {
				t.Skip("this processor lacks " + v.Needs)
			}
			test(t, check.Rand(t), v)
		})
	}
}

// TestSetsListed: every instruction set of the table that runs here is a Set;
// beside them there is only the portable one.
func TestSetsListed(t *testing.T) {
	var want, got []string
	for _, v := range Variants() {
		if v.Runs && !slices.Contains(want, v.ISA) {
			want = append(want, v.ISA)
		}
	}
	for _, s := range Sets() {
		got = append(got, s.Name)
	}
	if len(Variants()) == 0 || !slices.Equal(got, append(want, "go")) {
		t.Errorf("Sets are %q, want %q and then the portable one", got, want)
	}
}

// only is the variants of v's instruction set without the wider tiles that would
// be taken instead of v.
func only(v Variant) (own []Variant) {
	for _, o := range Variants() {
		if o.ISA == v.ISA && (o.Op != v.Op || o.P <= v.P) {
			own = append(own, o)
		}
	}
	return own
}

// testConvVariant looks at the widths around the tile's edges, with the largest
// weights too.
func testConvVariant(t *testing.T, rng *rand.Rand, v Variant) {
	conv := newTiles(only(v)).conv
	for vectors := 1; vectors <= v.P+1; vectors++ {
		for _, w := range []int{vectors*v.Lanes - 1, vectors * v.Lanes, vectors*v.Lanes + 1} {
			l := randomLayer(t, rng, 1+rng.IntN(9), 1+rng.IntN(9), 1+2*rng.IntN(3), 1+rng.IntN(3), w, v.MaxWeight, rng.Float64()*1.3)
			if rng.IntN(3) == 0 {
				for i := range l.w.W {
					l.w.W[i] = int8([2]int{-v.MaxWeight, min(v.MaxWeight, 127)}[rng.IntN(2)])
				}
				for i := range l.src.Data {
					l.src.Data[i] = 255 * uint8(rng.IntN(2))
				}
			}
			sameConv(t, rng, conv, l)
		}
	}
}

func testPackVariant(t *testing.T, rng *rand.Rand, v Variant) {
	tiles := newTiles(only(v))
	samePack(t, rng, tiles.pack, tiles.narrow)
}

func testProbeVariant(t *testing.T, _ *rand.Rand, v Variant) {
	if got, want := newTiles(only(v)).peak(100), float64(100*4*v.P*v.Lanes); got != want {
		t.Errorf("100 rounds are %v products, want %v", got, want)
	}
}
