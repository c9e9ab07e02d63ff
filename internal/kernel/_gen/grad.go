package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var gradArgs = &args{
	name: "gradArgs",
	doc: `is one tile of a weight gradient: b output channels by
// q taps, over all pixels. Strides are in bytes.`,
	fields: []field{
		{"dy", "unsafe.Pointer", "first pixel of the first output channel's gradient"},
		{"src", "unsafe.Pointer", "source pixel that offset 0 means there"},
		{"off", "unsafe.Pointer", "q offsets (int32, floats)"},
		{"grad", "unsafe.Pointer", "b gradients of the first tap, which are added to"},
		{"bias", "unsafe.Pointer", "b sums of dy, likewise, if the kernel makes them"},
		{"rows", "int", "at least 1; the kernel counts it down"},
		{"vectors", "int", "in a row, at least 1"},
		{"dyPlane", "int", "from output channel to output channel"},
		{"dySkip", "int", "from the end of a row's last vector to the next row"},
		{"srcSkip", "int", ""},
		{"gradStep", "int", "from tap to tap of the gradients"},
	},
}

// gradTiles says how many columns (taps, and the bias as one more) go with b
// output channels.
var gradTiles = []struct {
	isa  isa
	b, q int
}{
	{avx512, 4, 6}, {avx512, 2, 8}, {avx512, 1, 8},
	{avx2, 4, 3}, {avx2, 2, 6}, {avx2, 1, 8},
}

func gradFile() *file {
	f := newFile("grad", gradArgs)
	f.caller, f.table = "runGrad", "gradVariants"
	for _, t := range gradTiles {
		for q := 1; q <= t.q; q++ {
			f.grad(t.isa, t.b, q, false)
		}
		for q := range t.q {
			f.grad(t.isa, t.b, q, true)
		}
	}
	return f
}

// grad writes the weight-gradient micro-kernel of b channels x q taps.
func (f *file) grad(s isa, b, q int, bias bool) {
	name, columns := fmt.Sprintf("weightgrad_f32_%dx%d_%s", b, q, s.name), q
	if bias {
		name, columns = fmt.Sprintf("weightgrad_f32_%dx%d_bias_%s", b, q, s.name), q+1
	}
	f.begin(name, f.row(s, "OpWeightGrad", b, q)+fmt.Sprintf(", Bias: %v", bias))
	c := f.ctx
	offsets := []reg.Register{reg.RAX, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14}[:q]
	src, dy, plane, plane3, left := reg.RSI, reg.RDX, reg.RBX, reg.R15, reg.RCX
	f.load("off", src)
	for i, r := range offsets {
		c.MOVLQSX(mem(src, 4*i), r)
	}
	f.load("src", src)
	f.load("dy", dy)
	if b > 1 {
		f.load("dyPlane", plane)
	}
	if b > 3 {
		c.LEAQ(Mem{Base: plane, Index: plane, Scale: 2}, plane3)
	}
	// Sums lie tap-major: a tap's b sums side by side.
	acc := func(j, i int) reg.VecPhysical { return s.v(i*b + j) }
	free := b * columns
	spare := s.vecs - free
	for i := range free {
		f.zero(s, i)
	}
	gradient := func(j int) Mem {
		return []Mem{
			{Base: dy}, {Base: dy, Index: plane, Scale: 1},
			{Base: dy, Index: plane, Scale: 2}, {Base: dy, Index: plane3, Scale: 1},
		}[j]
	}
	source := func(i int) Mem { return Mem{Base: src, Index: offsets[i], Scale: 4} }

	c.Label("row")
	f.load("vectors", left)
	c.Label("vector")
	if spare > b { // gradients stay, sources pass by
		for j := range b {
			c.VMOVUPS(gradient(j), s.v(free+j))
		}
		for i := range q {
			if b == 1 {
				c.VFMADD231PS(source(i), s.v(free), acc(0, i))
				continue
			}
			v := s.v(free + b + i%(spare-b))
			c.VMOVUPS(source(i), v)
			for j := range b {
				c.VFMADD231PS(v, s.v(free+j), acc(j, i))
			}
		}
		for j := range b {
			if bias {
				c.VADDPS(s.v(free+j), acc(j, q), acc(j, q))
			}
		}
	} else { // sources stay, gradients pass by
		for i := range q {
			c.VMOVUPS(source(i), s.v(free+i))
		}
		for j := range b {
			v := s.v(free + q + j%(spare-q))
			c.VMOVUPS(gradient(j), v)
			for i := range q {
				c.VFMADD231PS(v, s.v(free+i), acc(j, i))
			}
			if bias {
				c.VADDPS(v, acc(j, q), acc(j, q))
			}
		}
	}
	c.ADDQ(Imm(uint64(s.bytes)), src)
	c.ADDQ(Imm(uint64(s.bytes)), dy)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	c.ADDQ(f.args.at(reg.RDI, "srcSkip"), src)
	c.ADDQ(f.args.at(reg.RDI, "dySkip"), dy)
	c.DECQ(f.args.at(reg.RDI, "rows"))
	c.JNZ(LabelRef("row"))

	f.load("grad", reg.RAX)
	f.load("gradStep", reg.RCX)
	for i := range columns {
		if i == q {
			f.load("bias", reg.RAX)
		}
		f.addSums(s, b, i*b, free, reg.RAX)
		c.ADDQ(reg.RCX, reg.RAX)
	}
	f.end()
}

// addSums adds the sums of b vectors, from register first on, to b floats at
// to. Registers from tmp on are overwritten. Lanes are summed in the same tree
// whatever b is: i and i+8, i and i+4, i and i+2, 0 and 1.
func (f *file) addSums(s isa, b, first, tmp int, to reg.Register) {
	c := f.ctx
	if b != 4 {
		for j := range b {
			f.horizontal(s, first+j, tmp)
			c.VADDSS(mem(to, 4*j), s.v(tmp).AsX(), s.v(tmp).AsX())
			c.VMOVSS(s.v(tmp).AsX(), mem(to, 4*j))
		}
		return
	}
	x := func(j int) reg.Register { return s.v(first + j).AsX() }
	t, u := s.v(tmp).AsX(), s.v(tmp+1).AsX()
	for j := range 4 {
		f.halve(s, first+j, first+j, tmp)
	}
	pair := func(a, b int) { // a0+a2, b0+b2, a1+a3, b1+b3 into a
		c.VUNPCKHPS(x(b), x(a), t)
		c.VUNPCKLPS(x(b), x(a), u)
		c.VADDPS(t, u, x(a))
	}
	pair(0, 1)
	pair(2, 3)
	c.VMOVLHPS(x(2), x(0), t)
	c.VMOVHLPS(x(0), x(2), u)
	c.VADDPS(t, u, t)
	c.VADDPS(mem(to, 0), t, t)
	c.VMOVUPS(t, mem(to, 0))
}

// halve adds up the quarters of vector from into the first quarter of to.
func (f *file) halve(s isa, from, to, tmp int) {
	c := f.ctx
	v, x, t := s.v(from), s.v(to), s.v(tmp)
	if s.bytes == 64 {
		c.VEXTRACTF64X4(Imm(1), v, t.AsY())
		c.VADDPS(v.AsY(), t.AsY(), x.AsY())
		c.VEXTRACTF32X4(Imm(1), x.AsY(), t.AsX())
		c.VADDPS(x.AsX(), t.AsX(), x.AsX())
		return
	}
	c.VEXTRACTF128(Imm(1), v, t.AsX())
	c.VADDPS(v.AsX(), t.AsX(), x.AsX())
}

// horizontal puts the sum of vector from into the first lane of vector to;
// to+1 is overwritten.
func (f *file) horizontal(s isa, from, to int) {
	c := f.ctx
	x, t := s.v(to).AsX(), s.v(to+1).AsX()
	f.halve(s, from, to, to+1)
	c.VPERMILPS(Imm(0b1110), x, t)
	c.VADDPS(x, t, x)
	c.VPERMILPS(Imm(1), x, t)
	c.VADDSS(x, t, x)
}
