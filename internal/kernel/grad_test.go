package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// gradFunc is the type of Set.WeightGrad.
type gradFunc func(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block)

// sameWeightGrad holds a weight gradient against the scalar kernel on one
// layer, whose dst is the output's gradient. Both add to what is there.
func sameWeightGrad(t *testing.T, rng *rand.Rand, grads gradFunc, l *layer, b int) {
	t.Helper()
	blocks := Lower(nil, l.shape, l.w, l.bias, l.mask, b, false)
	bias := check.Guarded(t, rng, l.dst.C)
	wantBias := slices.Clone(bias)
	var grad, want [][]float32
	for i := range blocks {
		grad = append(grad, check.Guarded(t, rng, len(blocks[i].W)))
		want = append(want, slices.Clone(grad[i]))
	}
	src, dy := slices.Clone(l.src.Data), slices.Clone(l.dst.Data)
	weightGradScalar(want, wantBias, l.dst, l.src, blocks)
	grads(grad, bias, l.dst, l.src, blocks)
	t.Logf("B=%d %+v %dx%d, %d of %d taps", b, l.shape, l.dst.W, l.dst.H, len(blocks[0].Off), l.shape.In*l.shape.Kernel*l.shape.Kernel)
	usual := usualSum(l.dst.H * l.dst.W)
	check.CloseSums(t, slices.Concat(grad...), slices.Concat(want...), 1e-5, usual)
	check.CloseSums(t, bias, wantBias, 1e-5, usual)
	if !slices.Equal(src, l.src.Data) || !slices.Equal(dy, l.dst.Data) {
		t.Fatal("the kernel wrote to its input")
	}
}

// TestWeightGrad holds the Sets as a whole against the scalar kernel.
func TestWeightGrad(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			for range 60 {
				l := randomLayer(t, rng, 1+rng.IntN(24), 1+rng.IntN(6), 1+2*rng.IntN(3), 1+rng.IntN(6), 1+rng.IntN(120), rng.Float64()*1.5)
				sameWeightGrad(t, rng, set.WeightGrad, l, 1<<rng.IntN(4))
			}
		})
	}
}

// TestWeightGradNaN: a gradient that is no number stays visible.
func TestWeightGradNaN(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		l := randomLayer(t, rng, 8, 2, 3, 3, 20, 1)
		l.dst.At(5, 1)[7] = float32(nan)
		blocks := Lower(nil, l.shape, l.w, l.bias, nil, 8, false)
		grad, bias := [][]float32{make([]float32, len(blocks[0].W))}, make([]float32, 8)
		set.WeightGrad(grad, bias, l.dst, l.src, blocks)
		for i, g := range grad[0] {
			if math.IsNaN(float64(g)) != (i%8 == 5) {
				t.Fatalf("%s: gradient of tap %d, channel %d is %v", set.Name, i/8, i%8, g)
			}
		}
		for c, g := range bias {
			if math.IsNaN(float64(g)) != (c == 5) {
				t.Fatalf("%s: gradient of bias %d is %v", set.Name, c, g)
			}
		}
	}
}
