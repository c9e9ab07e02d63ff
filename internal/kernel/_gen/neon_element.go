package main

import "fmt"

func neonElementFile() *neonFile {
	f := newNEONFile("element", elementArgs.with("index", "not used: NEON's loads and stores weave"))
	f.caller, f.table = "runElement", "elementVariants"
	f.axpy()
	f.blend()
	f.squares()
	f.adam()
	f.absGrad()
	f.tanh()
	for kind := 1; kind < len(pairs); kind++ {
		f.pair(kind)
	}
	f.gate(true, false)
	f.gate(false, true)
	f.gate(true, true)
	f.preluGrad()
	for n := 2; n <= 4; n++ {
		f.shuffle(n)
	}
	for n := 2; n <= 4; n++ {
		f.unshuffle(n)
	}
	return f
}

// neonPointers are the registers of dst, a, b, c, d in the loops below.
var neonPointers = map[string]int{"dst": 1, "a": 2, "b": 3, "c": 4, "d": 5}

const (
	neonLeft = 6 // vectors that are left
	neonTmp  = 7
)

// loop writes a loop over vectors; body moves every named pointer on.
func (f *neonFile) loop(names []string, body func()) {
	for _, n := range names {
		f.arg(n, neonPointers[n])
	}
	f.arg("n", neonLeft)
	f.label("vector")
	body()
	f.countDown(neonLeft, "vector")
}

// peek loads a slice's current vector.
func (f *neonFile) peek(name string, v int) { f.op("FMOVQ", "(R%d), F%d", neonPointers[name], v) }

// next loads it and moves on.
func (f *neonFile) next(name string, v int) {
	f.op("FMOVQ.P", "%d(R%d), F%d", neon.bytes, neonPointers[name], v)
}

// put stores it and moves on.
func (f *neonFile) put(v int, name string) {
	f.op("FMOVQ.P", "F%d, %d(R%d)", v, neon.bytes, neonPointers[name])
}

// putSum sums vector v and stores the argument sum.
func (f *neonFile) putSum(v int) {
	f.word(faddp(v, v, v))
	f.word(faddp(v, v, v))
	f.op("FMOVS", "F%d, %d(R0)", v, f.args.offset("sum"))
}

// axpy: dst += s0*a.
func (f *neonFile) axpy() {
	f.begin("axpy_f32_neon", f.row(neon, "OpAxpy", 0, 0))
	f.number("s0", 0, neonTmp)
	f.loop([]string{"dst", "a"}, func() {
		f.peek("dst", 1)
		f.next("a", 2)
		f.fmla(1, 2, 0)
		f.put(1, "dst")
	})
	f.end()
}

// blend: dst += s0*(a-dst).
func (f *neonFile) blend() {
	f.begin("blend_f32_neon", f.row(neon, "OpBlend", 0, 0))
	f.number("s0", 0, neonTmp)
	f.loop([]string{"dst", "a"}, func() {
		f.peek("dst", 1)
		f.next("a", 2)
		f.word(fsub(2, 2, 1))
		f.fmla(1, 2, 0)
		f.put(1, "dst")
	})
	f.end()
}

// squares: sum = a*a summed.
func (f *neonFile) squares() {
	f.begin("squares_f32_neon", f.row(neon, "OpSquares", 0, 0))
	f.zero(0)
	f.loop([]string{"a"}, func() {
		f.next("a", 1)
		f.fmla(0, 1, 1)
	})
	f.putSum(0)
	f.end()
}

// adam: dst, a, b, c are w, m, v, g; the numbers b1, 1-b1, b2, 1-b2, rate, eps.
func (f *neonFile) adam() {
	f.begin("adam_f32_neon", f.row(neon, "OpAdam", 0, 0))
	for i := range 6 {
		f.number(fmt.Sprintf("s%d", i), i, neonTmp)
	}
	const (
		b1, r1, b2, r2, rate, eps = 0, 1, 2, 3, 4, 5
		g, m, v, w                = 16, 17, 18, 19
	)
	f.loop([]string{"dst", "a", "b", "c"}, func() {
		f.next("c", g)
		f.peek("a", m)
		f.peek("b", v)
		f.word(fmul(m, m, b1))
		f.fmla(m, g, r1)
		f.put(m, "a")
		f.word(fmul(v, v, b2))
		f.word(fmul(w, g, r2))
		f.fmla(v, g, w)
		f.put(v, "b")
		f.word(fsqrt(v, v))
		f.word(fadd(v, v, eps))
		f.word(fmul(m, m, rate))
		f.word(fdiv(m, m, v))
		f.peek("dst", w)
		f.word(fsub(w, w, m))
		f.put(w, "dst")
	})
	f.end()
}

// absGrad: dst = sign(a-b)*s0, NaN where that is NaN; sum = |a-b| summed. s1 is
// the sign's bit.
func (f *neonFile) absGrad() {
	f.begin("absgrad_f32_neon", f.row(neon, "OpAbsGrad", 0, 0))
	f.number("s0", 0, neonTmp)
	f.number("s1", 1, neonTmp)
	f.zero(2)
	f.zero(3)
	const scale, sign, sum, zero = 0, 1, 2, 3
	const d, r, t = 4, 5, 6
	logic := func(name string, m, n, d int) { f.op(name, "V%d.B16, V%d.B16, V%d.B16", m, n, d) }
	f.loop([]string{"dst", "a", "b"}, func() {
		f.next("a", d)
		f.next("b", t)
		f.word(fsub(d, d, t))
		f.word(fabs(t, d))
		f.word(fadd(sum, sum, t))
		logic("VAND", sign, d, r)
		logic("VEOR", scale, r, r)
		f.word(fcmeq0(t, d))
		logic("VBIT", t, zero, r) // 0 where equal
		f.word(fcmeq(t, d, d))
		logic("VBIF", t, d, r) // d where it is no number
		f.put(r, "dst")
	})
	f.putSum(sum)
	f.end()
}

// tanh: as on amd64.
func (f *neonFile) tanh() {
	f.begin("tanh_f32_neon", f.row(neon, "OpTanh", 0, 0))
	for i := range 5 {
		f.number(fmt.Sprintf("s%d", i), i, neonTmp)
	}
	const in, out, shift, most, least = 0, 1, 2, 3, 4
	const x, square, first = 5, 6, 7 // then the coefficients, from first on
	const over, under, sum = 28, 29, 30
	table := neonPointers["d"]
	f.arg("d", table)
	for i := range tanhNumerator + tanhDenominator + 2 {
		f.op("VLD1R.P", "4(R%d), [V%d.S4]", table, first+i)
	}
	move := func(from, to int) { f.op("VMOV", "V%d.B16, V%d.B16", from, to) }
	polynomial := func(from, degree, to int) {
		move(from, to)
		for i := range degree {
			move(from+1+i, sum)
			f.fmla(sum, to, square)
			move(sum, to)
		}
	}
	f.loop([]string{"dst", "a"}, func() {
		f.next("a", x)
		f.word(fmul(x, x, in))
		f.word(fmin(x, x, most))
		f.word(fmax(x, x, least))
		f.word(fmul(square, x, x))
		polynomial(first, tanhNumerator, over)
		polynomial(first+tanhNumerator+1, tanhDenominator, under)
		f.word(fmul(over, over, x))
		f.word(fdiv(over, over, under))
		move(shift, sum)
		f.fmla(sum, over, out)
		f.put(sum, "dst")
	})
	f.end()
}

// gate: dst = a, plus b if add, and 0 where not c > 0 if gated.
func (f *neonFile) gate(add, gated bool) {
	name, b, p, names := "gate", 0, 0, []string{"dst", "a"}
	if add {
		name, b, names = name+"_add", 1, append(names, "b")
	}
	if gated {
		p, names = 1, append(names, "c")
	} else {
		name = "add"
	}
	f.begin(name+"_f32_neon", f.row(neon, "OpGate", b, p))
	f.loop(names, func() {
		f.next("a", 0)
		if add {
			f.next("b", 1)
			f.word(fadd(0, 0, 1))
		}
		if gated {
			f.next("c", 1)
			f.word(fcmgt0(1, 1))
			f.op("VAND", "V1.B16, V0.B16, V0.B16")
		}
		f.put(0, "dst")
	})
	f.end()
}

// preluGrad: as on amd64.
func (f *neonFile) preluGrad() {
	f.begin("prelugrad_f32_neon", f.row(neon, "OpPReLUGrad", 0, 0))
	const slope, zero, sum, d, a, r, m = 0, 1, 2, 3, 4, 5, 6
	f.number("s0", slope, neonTmp)
	f.zero(zero)
	f.zero(sum)
	f.loop([]string{"dst", "a"}, func() {
		f.peek("dst", d)
		f.next("a", a)
		f.word(fmul(r, d, slope))
		f.word(fcmgt0(m, a))
		f.op("VBIT", "V%d.B16, V%d.B16, V%d.B16", m, d, r)
		f.word(fmin(a, a, zero))
		f.fmla(sum, a, d)
		f.put(r, "dst")
	})
	f.putSum(sum)
	f.end()
}

// shuffle weaves n rows into dst.
func (f *neonFile) shuffle(n int) {
	f.begin(fmt.Sprintf("shuffle%d_f32_neon", n), f.row(neon, "OpShuffle", n, 0))
	f.loop(append([]string{"dst"}, rowNames[:n]...), func() {
		for i, name := range rowNames[:n] {
			f.next(name, i)
		}
		f.op(fmt.Sprintf("VST%d.P", n), "%s, %d(R%d)", list(0, n), n*neon.bytes, neonPointers["dst"])
	})
	f.end()
}

// unshuffle is its inverse.
func (f *neonFile) unshuffle(n int) {
	f.begin(fmt.Sprintf("unshuffle%d_f32_neon", n), f.row(neon, "OpUnshuffle", n, 0))
	f.loop(append([]string{"dst"}, rowNames[:n]...), func() {
		f.op(fmt.Sprintf("VLD%d.P", n), "%d(R%d), %s", n*neon.bytes, neonPointers["dst"], list(0, n))
		for i, name := range rowNames[:n] {
			f.put(i, name)
		}
	})
	f.end()
}

// neonProbeSums hides the latency of four fused multiply-adds a cycle.
const neonProbeSums = 24

func neonProbeFile() *neonFile {
	f := newNEONFile("probe", probeArgs.with("scale", "the first one's square is added to the sums; the second pads"))
	f.caller, f.table = "runProbe", "probeVariants"
	f.begin(fmt.Sprintf("probe_f32_%d_neon", neonProbeSums), f.row(neon, "OpProbe", neonProbeSums, 0))
	const rounds, scale = 1, neonProbeSums
	f.arg("rounds", rounds)
	f.number("scale", scale, 2)
	for v := range neonProbeSums {
		f.zero(v)
	}
	f.label("round")
	for v := range neonProbeSums {
		f.fmla(v, scale, scale)
	}
	f.countDown(rounds, "round")
	f.end()
	return f
}
