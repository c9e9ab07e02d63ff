package main

import "fmt"

// neonGradTiles are as gradTiles.
var neonGradTiles = []struct{ b, q int }{{4, 6}, {2, 8}, {1, 8}}

func neonGradFile() *neonFile {
	f := newNEONFile("grad", gradArgs.with("rows", "at least 1"))
	f.caller, f.table = "runGrad", "gradVariants"
	for _, t := range neonGradTiles {
		for q := 1; q <= t.q; q++ {
			f.grad(t.b, q, false)
		}
		for q := range t.q {
			f.grad(t.b, q, true)
		}
	}
	return f
}

// grad writes the weight-gradient micro-kernel of b channels x q taps.
func (f *neonFile) grad(b, q int, bias bool) {
	name, columns := fmt.Sprintf("weightgrad_f32_%dx%d_%s", b, q, neon.name), q
	if bias {
		name, columns = fmt.Sprintf("weightgrad_f32_%dx%d_bias_%s", b, q, neon.name), q+1
	}
	f.begin(name, f.row(neon, "OpWeightGrad", b, q)+fmt.Sprintf(", Bias: %v", bias))
	const src, dy, rowsLeft, left, srcSkip, dySkip, at = 1, 2, 3, 4, 5, 6, 7
	planes := []int{0, 8, 9, 10}[:b] // from the first channel to the others, bytes
	offsets := []int{19, 20, 21, 22, 23, 24, 25, 26}[:q]
	if q > 0 {
		f.arg("off", at)
	}
	for i, r := range offsets {
		f.op("MOVW", "%d(R%d), R%d", 4*i, at, r)
		f.op("LSL", "$2, R%d, R%d", r, r)
	}
	f.arg("src", src)
	f.arg("dy", dy)
	f.arg("rows", rowsLeft)
	f.arg("srcSkip", srcSkip)
	f.arg("dySkip", dySkip)
	if b > 1 {
		f.arg("dyPlane", planes[1])
	}
	for j := 2; j < b; j++ {
		f.op("ADD", "R%d, R%d, R%d", planes[1], planes[j-1], planes[j])
	}
	// Sums lie tap-major: a tap's b sums side by side.
	acc := func(j, i int) int { return i*b + j }
	free := b * columns
	spare := neon.vecs - free - b
	for v := range free {
		f.zero(v)
	}

	f.label("row")
	f.arg("vectors", left)
	f.label("vector")
	f.loads(dy, 0, free)
	for j := 1; j < b; j++ {
		f.word(loadAt(free+j, dy, planes[j]))
	}
	for i := range q {
		v := free + b + i%spare
		f.word(loadAt(v, src, offsets[i]))
		for j := range b {
			f.fmla(acc(j, i), v, free+j)
		}
	}
	if bias {
		for j := range b {
			f.word(fadd(acc(j, q), acc(j, q), free+j))
		}
	}
	f.op("ADD", "$%d, R%d, R%d", neon.bytes, src, src)
	f.op("ADD", "$%d, R%d, R%d", neon.bytes, dy, dy)
	f.countDown(left, "vector")
	f.op("ADD", "R%d, R%d, R%d", srcSkip, src, src)
	f.op("ADD", "R%d, R%d, R%d", dySkip, dy, dy)
	f.countDown(rowsLeft, "row")

	const grad, step = at, left
	f.arg("grad", grad)
	f.arg("gradStep", step)
	for i := range columns {
		if i == q {
			f.arg("bias", grad)
		}
		f.addSums(b, i*b, free, grad)
		if i < q-1 {
			f.op("ADD", "R%d, R%d, R%d", step, grad, grad)
		}
	}
	f.end()
}

// addSums adds the sums of b vectors, from register first on, to b floats at
// to. Registers tmp and tmp+1 are overwritten. Lanes are summed in the same
// tree whatever b is: 0 and 1, 2 and 3, both.
func (f *neonFile) addSums(b, first, tmp, to int) {
	t, u := tmp, tmp+1
	move := map[int]string{1: "FMOVS", 2: "FMOVD", 4: "FMOVQ"}[b]
	switch b {
	case 1:
		f.word(faddp(t, first, first))
		f.word(faddp(t, t, t))
	case 2:
		f.word(faddp(t, first, first+1))
		f.word(faddp(t, t, t))
	case 4:
		f.word(faddp(t, first, first+1))
		f.word(faddp(u, first+2, first+3))
		f.word(faddp(t, t, u))
	}
	f.op(move, "(R%d), F%d", to, u)
	f.word(fadd(t, t, u))
	f.op(move, "F%d, (R%d)", t, to)
}
