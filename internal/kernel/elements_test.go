package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
)

// lengths lie around one and more vectors, and around sums in float32.
func lengths() (all []int) {
	for n := range 5*Lanes + 2 {
		all = append(all, n)
	}
	return append(all, 4095, 4096, 4097, 2*4096+Lanes+3)
}

// sprinkle puts special values into s, at most one of twenty.
func sprinkle(rng *rand.Rand, s []float32, special ...float64) {
	for range len(s) / 20 {
		s[rng.IntN(len(s))] = float32(special[rng.IntN(len(special))])
	}
}

var nan, inf = math.NaN(), math.Inf(1)

func sameScaled(t *testing.T, rng *rand.Rand, f, scalar func(dst []float32, a float32, x []float32)) {
	t.Helper()
	for _, n := range lengths() {
		x, got := check.Guarded(t, rng, n), check.Guarded(t, rng, n)
		xWas, want, a := slices.Clone(x), slices.Clone(got), 2*rng.Float32()-1
		scalar(want, a, x)
		f(got, a, x)
		check.CloseSums(t, got, want, 1e-6, 1)
		if !slices.Equal(x, xWas) {
			t.Fatalf("n=%d: the kernel wrote to its input", n)
		}
	}
}

// sameTanh holds tanh and sigmoid to what Set promises of them.
func sameTanh(t *testing.T, rng *rand.Rand, tanh, sigmoid func(dst, x []float32)) {
	t.Helper()
	const most = 5e-7
	for _, n := range lengths() {
		x, got := check.Guarded(t, rng, n), check.Guarded(t, rng, n)
		for i := range x { // of every size, down to where only the relative error counts
			x[i] *= float32(math.Exp(rng.Float64()*24 - 18))
		}
		sprinkle(rng, x, nan, inf, -inf, 0, 9, -9, 9.01, 100, -100)
		xWas := slices.Clone(x)
		tanh(got, x)
		same := func(what string, i int, want, at float64) {
			t.Helper()
			if g := float64(got[i]); !(math.Abs(g-want) <= at) && !(math.IsNaN(g) && math.IsNaN(want)) {
				t.Fatalf("n=%d: %s(%v) = %v, want %v", n, what, xWas[i], got[i], want)
			}
		}
		for i, v := range x {
			want := math.Tanh(float64(v))
			same("tanh", i, want, most*math.Abs(want))
		}
		sigmoid(got, x)
		for i, v := range x {
			same("sigmoid", i, 1/(1+math.Exp(-float64(v))), most)
		}
		if !slices.EqualFunc(x, xWas, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Fatalf("n=%d: the kernel wrote to its input", n)
		}
		tanh(x, x)
		tanh(got, xWas)
		check.Close(t, x, got, 0) // in place
	}
}

func TestTanh(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) { sameTanh(t, check.Rand(t), set.Tanh, set.Sigmoid) })
	}
}

func sameSquares(t *testing.T, rng *rand.Rand, f func([]float32) float64) {
	t.Helper()
	for _, n := range lengths() {
		x := check.Guarded(t, rng, n)
		check.Close(t, []float64{f(x)}, []float64{sumSquaresScalar(x)}, 1e-5)
		if n > 0 {
			x[rng.IntN(n)] = float32(nan)
			if got := f(x); !math.IsNaN(got) {
				t.Fatalf("n=%d: a NaN among the values gives %v", n, got)
			}
		}
	}
}

func sameAdam(t *testing.T, rng *rand.Rand, f func(w, m, v, g []float32, rate, b1, b2, eps float32)) {
	t.Helper()
	for _, n := range lengths() {
		var got, want [4][]float32
		for i := range got {
			got[i] = check.Guarded(t, rng, n)
			if i == 2 {
				for k, v := range got[i] {
					got[i][k] = v*v + 1e-3
				}
			}
			want[i] = slices.Clone(got[i])
		}
		adamScalar(want[0], want[1], want[2], want[3], 1e-3, 0.9, 0.999, 1e-8)
		f(got[0], got[1], got[2], got[3], 1e-3, 0.9, 0.999, 1e-8)
		for i := range 3 {
			check.CloseSums(t, got[i], want[i], 1e-6, 1)
		}
		if !slices.Equal(got[3], want[3]) {
			t.Fatalf("n=%d: the kernel wrote to the gradient", n)
		}
	}
}

// TestAdamZero: a weight without any gradient yet stays where it is.
func TestAdamZero(t *testing.T) {
	for _, set := range Sets() {
		w, zero := slices.Repeat([]float32{2}, 37), make([]float32, 37)
		set.Adam(w, slices.Clone(zero), slices.Clone(zero), zero, 1e-3, 0.9, 0.999, 1e-8)
		check.Close(t, w, slices.Repeat([]float32{2}, 37), 0)
	}
}

func sameAbsGrad(t *testing.T, rng *rand.Rand, f func(dst, a, b []float32, s float32) float64) {
	t.Helper()
	for i, n := range lengths() {
		a, b, got, want := check.Guarded(t, rng, n), check.Guarded(t, rng, n), check.Guarded(t, rng, n), make([]float32, n)
		if n > 0 {
			copy(b[:n/3], a) // equal: no gradient
		}
		switch i % 3 {
		case 1:
			sprinkle(rng, a, nan, math.Copysign(0, -1), 0)
		case 2:
			sprinkle(rng, b, inf, -inf)
		}
		aWas, bWas := slices.Clone(a), slices.Clone(b)
		wantLoss := absGradScalar(want, a, b, 0.25)
		gotLoss := f(got, a, b, 0.25)
		check.Close(t, got, want, 0)
		check.Close(t, []float64{gotLoss}, []float64{wantLoss}, 1e-5)
		check.Close(t, a, aWas, 0)
		check.Close(t, b, bWas, 0)
	}
}

// TestAbsGradNaN: not a number must not look like a gradient.
func TestAbsGradNaN(t *testing.T) {
	for _, set := range Sets() {
		for at := range 40 {
			a, dst := make([]float32, 40), make([]float32, 40)
			a[at] = float32(nan)
			loss := set.AbsGrad(dst, a, make([]float32, 40), 1)
			if !math.IsNaN(loss) || dst[at] == dst[at] {
				t.Fatalf("%s: NaN at %d gives loss %v and gradient %v", set.Name, at, loss, dst[at])
			}
		}
	}
}

func sameGate(t *testing.T, rng *rand.Rand, f func(dst, a, b, gate []float32), adds, gates bool) {
	t.Helper()
	for _, n := range lengths() {
		a, got := check.Guarded(t, rng, n), check.Guarded(t, rng, n)
		sprinkle(rng, a, nan, inf)
		var b, gate []float32
		if adds {
			b = check.Guarded(t, rng, n)
		}
		if gates {
			gate = check.Guarded(t, rng, n)
			sprinkle(rng, gate, nan, inf, -inf, 0, math.Copysign(0, -1))
		}
		want := make([]float32, n)
		gateScalar(want, a, b, gate)
		f(got, a, b, gate)
		check.Close(t, got, want, 0)
		f(a, a, b, gate) // in place
		check.Close(t, a, want, 0)
	}
}

func samePReLUGrad(t *testing.T, rng *rand.Rand, f func(dst, out []float32, slope float32) float64) {
	t.Helper()
	for _, n := range lengths() {
		out, got := check.Guarded(t, rng, n), check.Guarded(t, rng, n)
		sprinkle(rng, out, 0, math.Copysign(0, -1))
		was, want, slope := slices.Clone(out), slices.Clone(got), rng.Float32()
		wantSum, gotSum := preluGradScalar(want, out, slope), f(got, out, slope)
		check.Close(t, got, want, 0)
		check.CloseSums(t, []float32{float32(gotSum)}, []float32{float32(wantSum)}, 1e-5, float64(n))
		if !slices.Equal(out, was) {
			t.Fatalf("n=%d: the kernel wrote to its input", n)
		}
	}
}

func sameShuffle(t *testing.T, rng *rand.Rand, f func(dst []float32, src [4][]float32, n int), n int) {
	t.Helper()
	for _, w := range lengths() {
		var src, was [4][]float32
		for i := range n {
			src[i] = check.Guarded(t, rng, w)
			was[i] = slices.Clone(src[i])
		}
		got, want := check.Guarded(t, rng, w*n), make([]float32, w*n)
		shuffleScalar(want, src, n)
		f(got, src, n)
		check.Close(t, got, want, 0)
		for i := range n {
			check.Close(t, src[i], was[i], 0)
		}
	}
}

func sameUnshuffle(t *testing.T, rng *rand.Rand, f func(dst [4][]float32, src []float32, n int), n int) {
	t.Helper()
	for _, w := range lengths() {
		src := check.Guarded(t, rng, w*n)
		was := slices.Clone(src)
		var got, want [4][]float32
		for i := range n {
			got[i], want[i] = check.Guarded(t, rng, w), make([]float32, w)
		}
		unshuffleScalar(want, src, n)
		f(got, src, n)
		for i := range n {
			check.Close(t, got[i], want[i], 0)
		}
		check.Close(t, src, was, 0)
	}
}

// TestSets runs the loops of every Set, whether they are variants or scalar.
func TestSets(t *testing.T) {
	for _, set := range Sets() {
		t.Run(set.Name, func(t *testing.T) {
			rng := check.Rand(t)
			sameScaled(t, rng, set.Axpy, axpyScalar)
			sameScaled(t, rng, set.Blend, blendScalar)
			sameSquares(t, rng, set.SumSquares)
			sameAdam(t, rng, set.Adam)
			sameAbsGrad(t, rng, set.AbsGrad)
			for _, adds := range []bool{false, true} {
				for _, gates := range []bool{false, true} {
					sameGate(t, rng, set.Gate, adds, gates)
				}
			}
			samePReLUGrad(t, rng, set.PReLUGrad)
			for n := 2; n <= 4; n++ {
				sameShuffle(t, rng, set.Shuffle, n)
				sameShuffle(t, rng, set.Stream, n)
				sameUnshuffle(t, rng, set.Unshuffle, n)
			}
		})
	}
}

// TestScalarElements holds the scalar loops, which all others are held
// against, to closed forms.
func TestScalarElements(t *testing.T) {
	x := []float32{1, -2, 4}
	dst := []float32{1, 1, 1}
	axpyScalar(dst, 0.5, x)
	check.Close(t, dst, []float32{1.5, 0, 3}, 0)
	blendScalar(dst, 0.5, x)
	check.Close(t, dst, []float32{1.25, -1, 3.5}, 0)
	check.Close(t, []float64{sumSquaresScalar(x)}, []float64{21}, 0)
	gateScalar(dst, x, []float32{1, 1, 1}, []float32{1, 0, float32(nan)})
	check.Close(t, dst, []float32{2, 0, 0}, 0)

	copy(dst, []float32{1, 2, 3})
	sum := preluGradScalar(dst, []float32{2, -0.5, 0}, 0.5)
	check.Close(t, dst, []float32{1, 1, 1.5}, 0)
	check.Close(t, []float64{sum}, []float64{-1}, 0)

	loss := absGradScalar(dst, []float32{3, 1, 2}, []float32{1, 2, 2}, 0.5)
	check.Close(t, dst, []float32{0.5, -0.5, 0}, 0)
	check.Close(t, []float64{loss}, []float64{1.5}, 0)

	w, m, v := []float32{1}, []float32{0}, []float32{0}
	adamScalar(w, m, v, []float32{2}, 0.1, 0.5, 0.75, 1)
	// m = 0.5*2, v = 0.25*4, w = 1 - 0.1*1/(1+1)
	check.Close(t, []float32{w[0], m[0], v[0]}, []float32{0.95, 1, 1}, 1e-7)

	woven := make([]float32, 6)
	shuffleScalar(woven, [4][]float32{{1, 2}, {3, 4}, {5, 6}}, 3)
	check.Close(t, woven, []float32{1, 3, 5, 2, 4, 6}, 0)
	rows := [4][]float32{{0, 0}, {0, 0}, {0, 0}}
	unshuffleScalar(rows, woven, 3)
	check.Close(t, slices.Concat(rows[:]...), []float32{1, 2, 3, 4, 5, 6}, 0)
}
