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
		{"sum", "unsafe.Pointer", "gets q*b sums, tap-major, then b sums of dy if the kernel makes them"},
		{"rows", "int", "at least 1; the kernel counts it down"},
		{"vectors", "int", "in a row, at least 1"},
		{"dyPlane", "int", "from output channel to output channel"},
		{"dySkip", "int", "from the end of a row's last vector to the next row"},
		{"srcSkip", "int", ""},
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

	f.load("sum", reg.RAX)
	for i := range free {
		f.horizontal(s, i, free)
		c.VMOVSS(s.v(free).AsX(), mem(reg.RAX, 4*i))
	}
	f.end()
}

// horizontal puts the sum of vector from into the first lane of vector to,
// halving the width each time; to+1 is overwritten.
func (f *file) horizontal(s isa, from, to int) {
	c := f.ctx
	v, x, y := s.v(from), s.v(to), s.v(to+1)
	if s.bytes == 64 {
		c.VEXTRACTF64X4(Imm(1), v, x.AsY())
		c.VADDPS(v.AsY(), x.AsY(), x.AsY())
		c.VEXTRACTF32X4(Imm(1), x.AsY(), y.AsX())
		c.VADDPS(x.AsX(), y.AsX(), x.AsX())
	} else {
		c.VEXTRACTF128(Imm(1), v, x.AsX())
		c.VADDPS(v.AsX(), x.AsX(), x.AsX())
	}
	c.VPERMILPS(Imm(0b1110), x.AsX(), y.AsX())
	c.VADDPS(x.AsX(), y.AsX(), x.AsX())
	c.VPERMILPS(Imm(1), x.AsX(), y.AsX())
	c.VADDSS(x.AsX(), y.AsX(), x.AsX())
}
