//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"evosr/internal/check"
)

// variantTests hold every variant of an operation against the scalar kernel.
var variantTests = map[Op]func(*testing.T, *rand.Rand, Variant){
	OpConv:             testConvVariant,
	OpConvGrouped:      testGroupedVariant,
	OpWeightGrad:       testWeightGradVariant,
	OpAxpy:             testAxpyVariant,
	OpBlend:            testBlendVariant,
	OpSquares:          testSquaresVariant,
	OpAdam:             testAdamVariant,
	OpAbsGrad:          testAbsGradVariant,
	OpGate:             testGateVariant,
	OpPReLUGrad:        testPReLUGradVariant,
	OpTanh:             testTanhVariant,
	OpPair:             testPairVariant,
	OpWinogradFilter:   testWinogradFilterVariant,
	OpWinogradUnfilter: testWinogradGradVariant,
	OpWinogradDy:       testWinogradGradVariant,
	OpWinogradTurn:     testWinogradGradVariant,
	OpWinogradGrad:     testWinogradGradVariant,
	OpWinogradIn:       testWinogradVariant,
	OpWinogradMul:      testWinogradVariant,
	OpWinogradOut:      testWinogradVariant,
	OpShuffle:          testShuffleVariant,
	OpStream:           testStreamVariant,
	OpUnshuffle:        testUnshuffleVariant,
	OpProbe:            testProbeVariant,
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

// TestSetsListed: the table has kernels, and every instruction set in it that
// runs here is a Set; beside them there is only the portable one.
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
	if runtime.GOARCH == "arm64" && got[0] != "neon" {
		t.Errorf("the first Set is %q, want NEON's on every arm64", got[0])
	}
}

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

// edges are the widths around every strip up to one vector more than p.
func edges(p, lanes int) (widths []int) {
	widths = []int{1, 2, 3}
	for v := 1; v <= p+1; v++ {
		widths = append(widths, v*lanes-1, v*lanes, v*lanes+1)
	}
	return append(widths, 2*p*lanes+lanes/2, 3*p*lanes)
}

// testConvVariant looks at the widths around the tile's edges.
func testConvVariant(t *testing.T, rng *rand.Rand, v Variant) {
	conv := newConvTiles(only(v)).conv
	for _, w := range edges(v.P, v.Lanes) {
		density := 1.0
		if rng.IntN(2) == 0 {
			density = rng.Float64()
		}
		l := randomLayer(t, rng, 1+rng.IntN(2*v.B+2), 1+rng.IntN(3), 1+2*rng.IntN(3), 1+rng.IntN(4), w, density)
		sameConv(t, rng, conv, l, v.B)
	}
}

// testGroupedVariant looks at the same widths, at all densities.
func testGroupedVariant(t *testing.T, rng *rand.Rand, v Variant) {
	conv := newConvTiles(only(v)).conv
	for _, w := range edges(v.P, v.Lanes) {
		sameGrouped(t, rng, conv, randomLayer(t, rng, 2*GroupChannels, 1+rng.IntN(9), 1+2*rng.IntN(3), 1+rng.IntN(4), w, rng.Float64()*1.2))
	}
}

// testWeightGradVariant looks at lists around the tile's number of taps and
// widths around a vector.
func testWeightGradVariant(t *testing.T, rng *rand.Rand, v Variant) {
	grads := newGradTiles(only(v)).weightGrad
	for _, w := range edges(3, v.Lanes) {
		for _, density := range []float64{0, rng.Float64(), 1} {
			l := randomLayer(t, rng, 1+rng.IntN(2*v.B+2), 1+rng.IntN(8), 1+2*rng.IntN(3), 1+rng.IntN(4), w, density)
			sameWeightGrad(t, rng, grads, l, v.B)
		}
	}
}

func testAxpyVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameScaled(t, rng, newElements(only(v)).axpy, axpyScalar)
}

func testBlendVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameScaled(t, rng, newElements(only(v)).blend, blendScalar)
}

func testSquaresVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameSquares(t, rng, newElements(only(v)).sumSquares)
}

func testAdamVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameAdam(t, rng, newElements(only(v)).adam)
}

func testAbsGradVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameAbsGrad(t, rng, newElements(only(v)).absGrad)
}

func testGateVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameGate(t, rng, newElements(only(v)).gate, v.B == 1, v.P == 1)
}

func testPReLUGradVariant(t *testing.T, rng *rand.Rand, v Variant) {
	samePReLUGrad(t, rng, newElements(only(v)).preluGrad)
}

// testWinogradVariant looks at the widths around strips of a few vectors of
// tiles and blocks of up to the variant's channels.
func testWinogradVariant(t *testing.T, rng *rand.Rand, v Variant) {
	set := &Set{Name: v.ISA, winograd: newWinograd(only(v))}
	vectors, high := 3, 8
	if v.Op == OpWinogradMul {
		vectors, high = v.P, v.B
	}
	for _, w := range edges(vectors, TileRows*v.Lanes) {
		l := randomLayer(t, rng, 1+rng.IntN(2*high+2), 1+rng.IntN(5), 3, 1+rng.IntN(9), w, 1)
		sameWinograd(t, rng, set, l, rng.IntN(TileRows))
	}
}

// testWinogradFilterVariant looks at numbers of filters around a vector.
func testWinogradFilterVariant(t *testing.T, rng *rand.Rand, v Variant) {
	set := &Set{Name: v.ISA, winograd: newWinograd(only(v))}
	for in := 1; in < 2*v.Lanes; in++ {
		sameTransform(t, rng, set, 1+rng.IntN(9), in)
	}
}

// testWinogradGradVariant looks at the widths around strips of vectors of tiles.
func testWinogradGradVariant(t *testing.T, rng *rand.Rand, v Variant) {
	set := &Set{Name: v.ISA, winograd: newWinograd(only(v))}
	set.WinogradGrad = set.winograd.grad
	for _, w := range edges(stripVectors, TileRows*v.Lanes) {
		sameWinogradGrad(t, rng, set, randomLayer(t, rng, 1+rng.IntN(20), 1+rng.IntN(9), 3, 1+rng.IntN(9), w, 1))
	}
}

func testPairVariant(t *testing.T, rng *rand.Rand, v Variant) {
	samePair(t, rng, v.B, newElements(only(v)).pair(v.B))
}

func testTanhVariant(t *testing.T, rng *rand.Rand, v Variant) {
	e := newElements(only(v))
	sameTanh(t, rng, e.tanh, e.sigmoid)
}

func testShuffleVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameShuffle(t, rng, newElements(only(v)).shuffle, v.B)
}

// testStreamVariant weaves into memory that starts on a vector, as streams want,
// and beside one, where they are shuffles.
func testStreamVariant(t *testing.T, rng *rand.Rand, v Variant) {
	stream := newElements(only(v)).stream
	sameShuffle(t, rng, stream, v.B)
	sameShuffle(t, rng, func(dst []float32, src [4][]float32, n int) {
		const guard = 7
		own := Aligned(len(dst) + Lanes)
		for i := range own {
			own[i] = guard
		}
		stream(own[:len(dst)], src, n)
		for _, v := range own[len(dst):] {
			if v != guard {
				t.Fatalf("%d floats: written beyond the end", len(dst))
			}
		}
		copy(dst, own)
	}, v.B)
}

func testUnshuffleVariant(t *testing.T, rng *rand.Rand, v Variant) {
	sameUnshuffle(t, rng, newElements(only(v)).unshuffle, v.B)
}

func testProbeVariant(t *testing.T, _ *rand.Rand, v Variant) {
	if got, want := v.peak(100), float64(100*2*v.B*v.Lanes); got != want {
		t.Errorf("100 rounds are %v operations, want %v", got, want)
	}
}

// BenchmarkVariants runs every tile of the table on a picture as wide as itself
// that stays in the first-level caches: what the tile alone can reach.
func BenchmarkVariants(b *testing.B) {
	const in, height = 8, 8
	for _, v := range Variants() {
		if v.Op != OpConv && v.Op != OpWeightGrad {
			continue
		}
		b.Run(v.Name, func(b *testing.B) {
			if !v.Runs {
				b.Skip("this processor lacks " + v.Needs)
			}
			set := newSet(v.ISA)
			vectors := v.P
			if v.Op == OpWeightGrad {
				vectors = 3
			}
			l := randomLayer(b, rand.New(rand.NewPCG(1, 2)), v.B, in, 3, height, vectors*v.Lanes, 1)
			blocks := Lower(nil, l.shape, l.w, l.bias, nil, v.B, false)
			grad := [][]float32{make([]float32, len(l.w))}
			flops := 2 * float64(len(l.w)*l.dst.H*l.dst.W)
			if v.Op == OpWeightGrad {
				tiles := newGradTiles(only(v))
				run(b, set, flops, func() { tiles.weightGrad(grad, l.bias, l.dst, l.src, blocks) })
			} else {
				tiles, e := newConvTiles(only(v)), new(Epilogue)
				run(b, set, flops, func() { tiles.conv(l.dst, l.src, blocks, e, 0, height) })
			}
		})
	}
}
