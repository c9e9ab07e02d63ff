package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var elementArgs = &args{
	name: "elementArgs",
	doc:  "is a loop over whole vectors of slices.",
	fields: []field{
		{"dst", "unsafe.Pointer", ""}, {"a", "unsafe.Pointer", ""}, {"b", "unsafe.Pointer", ""}, {"c", "unsafe.Pointer", ""},
		{"d", "unsafe.Pointer", ""},
		{"index", "unsafe.Pointer", "of shuffles: vectors of int32 lane numbers"},
		{"n", "int", "vectors, at least 1"},
		{"s0", "[2]float32", "numbers; the second half pads"},
		{"s1", "[2]float32", ""}, {"s2", "[2]float32", ""}, {"s3", "[2]float32", ""}, {"s4", "[2]float32", ""}, {"s5", "[2]float32", ""},
		{"sum", "float32", "what a reduction gives"},
	},
}

func elementFile() *file {
	f := newFile("element", elementArgs)
	f.caller, f.table = "runElement", "elementVariants"
	for _, s := range []isa{avx512, avx2} {
		f.axpy(s)
		f.blend(s)
		f.squares(s)
		f.adam(s)
		f.absGrad(s)
		f.tanh(s)
		for kind := 1; kind < len(pairs); kind++ {
			f.pair(s, kind)
		}
		f.gate(s, true, false)
		f.gate(s, false, true)
		f.gate(s, true, true)
		f.preluGrad(s)
		f.shuffles(s)
	}
	return f
}

// pointers are the registers of dst, a, b, c, d in the loops below.
var pointers = map[string]reg.Register{
	"dst": reg.RDX, "a": reg.RSI, "b": reg.RBX, "c": reg.R8, "d": reg.R9,
}

// loop writes a loop over the named slices; body sees their current vectors.
func (f *file) loop(s isa, names []string, body func(p map[string]Mem)) {
	f.loopBy(names, func(string) int { return s.bytes }, func() {
		p := map[string]Mem{}
		for _, n := range names {
			p[n] = mem(pointers[n], 0)
		}
		body(p)
	})
}

func (f *file) loopBy(names []string, step func(name string) int, body func()) {
	for _, n := range names {
		f.load(n, pointers[n])
	}
	f.load("n", reg.RCX)
	f.ctx.Label("vector")
	body()
	for _, n := range names {
		f.ctx.ADDQ(I32(step(n)), pointers[n])
	}
	f.ctx.DECQ(reg.RCX)
	f.ctx.JNZ(LabelRef("vector"))
}

// number broadcasts an argument.
func (f *file) number(s isa, name string, to int) {
	f.ctx.VBROADCASTSS(f.args.at(reg.RDI, name), s.v(to))
}

// axpy: dst += s0*a.
func (f *file) axpy(s isa) {
	f.begin("axpy_f32_"+s.name, f.row(s, "OpAxpy", 0, 0))
	f.number(s, "s0", 0)
	f.loop(s, []string{"dst", "a"}, func(p map[string]Mem) {
		f.ctx.VMOVUPS(p["dst"], s.v(1))
		f.ctx.VFMADD231PS(p["a"], s.v(0), s.v(1))
		f.ctx.VMOVUPS(s.v(1), p["dst"])
	})
	f.end()
}

// blend: dst += s0*(a-dst).
func (f *file) blend(s isa) {
	f.begin("blend_f32_"+s.name, f.row(s, "OpBlend", 0, 0))
	f.number(s, "s0", 0)
	f.loop(s, []string{"dst", "a"}, func(p map[string]Mem) {
		f.ctx.VMOVUPS(p["dst"], s.v(1))
		f.ctx.VMOVUPS(p["a"], s.v(2))
		f.ctx.VSUBPS(s.v(1), s.v(2), s.v(2))
		f.ctx.VFMADD231PS(s.v(2), s.v(0), s.v(1))
		f.ctx.VMOVUPS(s.v(1), p["dst"])
	})
	f.end()
}

// squares: sum = a*a summed.
func (f *file) squares(s isa) {
	f.begin("squares_f32_"+s.name, f.row(s, "OpSquares", 0, 0))
	f.zero(s, 0)
	f.loop(s, []string{"a"}, func(p map[string]Mem) {
		f.ctx.VMOVUPS(p["a"], s.v(1))
		f.ctx.VFMADD231PS(s.v(1), s.v(1), s.v(0))
	})
	f.horizontal(s, 0, 1)
	f.ctx.VMOVSS(s.v(1).AsX(), f.args.at(reg.RDI, "sum"))
	f.end()
}

// adam: dst, a, b, c are w, m, v, g; the numbers b1, 1-b1, b2, 1-b2, rate, eps.
func (f *file) adam(s isa) {
	f.begin("adam_f32_"+s.name, f.row(s, "OpAdam", 0, 0))
	c := f.ctx
	for i := range 6 {
		f.number(s, fmt.Sprintf("s%d", i), i)
	}
	b1, r1, b2, r2, rate, eps := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4), s.v(5)
	g, m, v, w := s.v(6), s.v(7), s.v(8), s.v(9)
	f.loop(s, []string{"dst", "a", "b", "c"}, func(p map[string]Mem) {
		c.VMOVUPS(p["c"], g)
		c.VMULPS(p["a"], b1, m)
		c.VFMADD231PS(g, r1, m)
		c.VMOVUPS(m, p["a"])
		c.VMULPS(p["b"], b2, v)
		c.VMULPS(g, r2, w)
		c.VFMADD231PS(g, w, v)
		c.VMOVUPS(v, p["b"])
		c.VSQRTPS(v, v)
		c.VADDPS(eps, v, v)
		c.VMULPS(rate, m, m)
		c.VDIVPS(v, m, m)
		c.VMOVUPS(p["dst"], w)
		c.VSUBPS(m, w, w)
		c.VMOVUPS(w, p["dst"])
	})
	f.end()
}

// absGrad: dst = sign(a-b)*s0, NaN where that is NaN; sum = |a-b| summed. s1 is
// the sign's bit, s2 all others.
func (f *file) absGrad(s isa) {
	f.begin("absgrad_f32_"+s.name, f.row(s, "OpAbsGrad", 0, 0))
	c := f.ctx
	f.number(s, "s0", 0)
	f.number(s, "s1", 1)
	f.number(s, "s2", 2)
	f.zero(s, 3) // sum
	f.zero(s, 4)
	const notEqual, unordered = 0x0c, 0x03 // the first is false for NaN
	scale, sign, rest, sum, zero := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4)
	d, r, t := s.v(5), s.v(6), s.v(7)
	f.loop(s, []string{"dst", "a", "b"}, func(p map[string]Mem) {
		c.VMOVUPS(p["a"], d)
		c.VSUBPS(p["b"], d, d)
		if s.bytes == 64 {
			c.VPANDD(d, rest, t)
			c.VADDPS(t, sum, sum)
			c.VPANDD(d, sign, r)
			c.VPXORD(r, scale, r)
			c.VCMPPS(Imm(notEqual), zero, d, reg.K1)
			c.VMOVAPS_Z(r, reg.K1, r)
			c.VCMPPS(Imm(unordered), d, d, reg.K2)
			c.VMOVAPS(d, reg.K2, r)
		} else {
			c.VANDPS(d, rest, t)
			c.VADDPS(t, sum, sum)
			c.VANDPS(d, sign, r)
			c.VXORPS(r, scale, r)
			c.VCMPPS(Imm(notEqual), zero, d, t)
			c.VANDPS(r, t, r)
			c.VCMPPS(Imm(unordered), d, d, t)
			c.VANDPS(d, t, t)
			c.VORPS(r, t, r)
		}
		c.VMOVUPS(r, p["dst"])
	})
	f.horizontal(s, 3, 5)
	c.VMOVSS(s.v(5).AsX(), f.args.at(reg.RDI, "sum"))
	f.end()
}

// tanhDegrees are of the polynomials of a square in tanh's numerator and
// denominator.
const tanhNumerator, tanhDenominator = 4, 4

// tanh: dst = s1*tanh(s0*a)+s2, as x times a quotient of polynomials of x*x,
// where s0*a is cut off at s4 and s3. d holds the coefficients, highest first:
// the numerator's, the denominator's.
func (f *file) tanh(s isa) {
	f.begin("tanh_f32_"+s.name, f.row(s, "OpTanh", 0, 0))
	c := f.ctx
	for i := range 5 {
		f.number(s, fmt.Sprintf("s%d", i), i)
	}
	in, out, shift, most, least := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4)
	x, square, over, under, part := s.v(5), s.v(6), s.v(7), s.v(8), s.v(9)
	table := pointers["d"]
	f.load("d", table)
	// Coefficients stay in registers where there is room.
	const coefficients, first = tanhNumerator + tanhDenominator + 2, 10
	inRegisters := first+coefficients <= s.vecs
	coefficient := func(i int) reg.VecPhysical {
		if inRegisters {
			return s.v(first + i)
		}
		c.VBROADCASTSS(mem(table, 4*i), part)
		return part
	}
	for i := 0; i < coefficients && inRegisters; i++ {
		c.VBROADCASTSS(mem(table, 4*i), s.v(first+i))
	}
	polynomial := func(from, degree int, to reg.VecPhysical) {
		if inRegisters {
			c.VMOVAPS(coefficient(from), to)
		} else {
			c.VBROADCASTSS(mem(table, 4*from), to)
		}
		for i := range degree {
			c.VFMADD213PS(coefficient(from+1+i), square, to)
		}
	}
	f.loop(s, []string{"dst", "a"}, func(p map[string]Mem) {
		c.VMULPS(p["a"], in, x)
		c.VMINPS(x, most, x)
		c.VMAXPS(x, least, x)
		c.VMULPS(x, x, square)
		polynomial(0, tanhNumerator, over)
		polynomial(tanhNumerator+1, tanhDenominator, under)
		c.VMULPS(x, over, over)
		c.VDIVPS(under, over, over)
		c.VFMADD132PS(out, shift, over)
		c.VMOVUPS(over, p["dst"])
	})
	f.end()
}

// gate: dst = a, plus b if add, and 0 where not c > 0 if gated.
func (f *file) gate(s isa, add, gated bool) {
	name, b, names := "gate", 0, []string{"dst", "a"}
	if add {
		names, b = append(names, "b"), 1
		name += "_add"
	}
	p := 0
	if gated {
		names, p = append(names, "c"), 1
	} else {
		name = "add"
	}
	f.begin(name+"_f32_"+s.name, f.row(s, "OpGate", b, p))
	c := f.ctx
	f.zero(s, 0)
	f.loop(s, names, func(p map[string]Mem) {
		c.VMOVUPS(p["a"], s.v(1))
		if add {
			c.VADDPS(p["b"], s.v(1), s.v(1))
		}
		switch {
		case gated && s.bytes == 64:
			c.VCMPPS(Imm(less), p["c"], s.v(0), reg.K1)
			c.VMOVAPS_Z(s.v(1), reg.K1, s.v(1))
		case gated:
			c.VCMPPS(Imm(less), p["c"], s.v(0), s.v(2))
			c.VANDPS(s.v(1), s.v(2), s.v(1))
		}
		c.VMOVUPS(s.v(1), p["dst"])
	})
	f.end()
}

// preluGrad: dst *= s0 where not a > 0; sum = min(a, 0)*dst, before, summed.
func (f *file) preluGrad(s isa) {
	f.begin("prelugrad_f32_"+s.name, f.row(s, "OpPReLUGrad", 0, 0))
	c := f.ctx
	f.number(s, "s0", 0)
	f.zero(s, 1)
	f.zero(s, 2)
	slope, zero, sum := s.v(0), s.v(1), s.v(2)
	d, a, r, m := s.v(3), s.v(4), s.v(5), s.v(6)
	f.loop(s, []string{"dst", "a"}, func(p map[string]Mem) {
		c.VMOVUPS(p["dst"], d)
		c.VMOVUPS(p["a"], a)
		c.VMULPS(d, slope, r)
		if s.bytes == 64 {
			c.VCMPPS(Imm(less), a, zero, reg.K1)
			c.VMOVAPS(d, reg.K1, r)
		} else {
			c.VCMPPS(Imm(less), a, zero, m)
			c.VBLENDVPS(m, d, r, r)
		}
		c.VMINPS(zero, a, a)
		c.VFMADD231PS(d, a, sum)
		c.VMOVUPS(r, p["dst"])
	})
	f.horizontal(s, 2, 3)
	c.VMOVSS(s.v(3).AsX(), f.args.at(reg.RDI, "sum"))
	f.end()
}
