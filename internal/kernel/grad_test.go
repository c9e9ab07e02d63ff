package kernel

import (
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
	check.CloseSums(t, slices.Concat(grad...), slices.Concat(want...), 1e-5, 1)
	check.CloseSums(t, bias, wantBias, 1e-5, 1)
	if !slices.Equal(src, l.src.Data) || !slices.Equal(dy, l.dst.Data) {
		t.Fatal("the kernel wrote to its input")
	}
}
