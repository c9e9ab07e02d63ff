package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What the weight gradient needs beside In and the products of weightgrad: Dy
// transforms the output's gradient, Unfilter brings gradients of transformed
// weights back.

// winogradDy transforms 4 rows of all channels as Out's transform transposed.
// Tiles lie in lanes as In leaves them. Numbers are Out's.
func (f *file) winogradDy(s isa) {
	f.begin("winograd_dy_f32_"+s.name, f.row(s, "OpWinogradDy", 0, 0))
	c := f.ctx
	const constants = 4
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	large, small, half, twice := s.v(k), s.v(k+1), s.v(k+2), s.v(k+3)
	var y [4]reg.VecPhysical
	for i := range y {
		y[i] = s.v(i)
	}
	transform := func(emit func(j int, v reg.VecPhysical)) {
		even, odd, t := s.v(4), s.v(5), s.v(6)
		emit(0, y[0])
		emit(5, y[3])
		pair := func(first, p0, p2, p3 reg.VecPhysical, j int) {
			c.VMULPS(p0, first, even)
			c.VFMADD231PS(p2, y[2], even)
			c.VMOVAPS(y[1], odd)
			c.VFMADD231PS(p3, y[3], odd)
			c.VADDPS(odd, even, t)
			emit(j, t)
			c.VSUBPS(odd, even, even)
			emit(j+1, even)
		}
		pair(y[0], large, small, half, 1)
		pair(y[0], small, large, twice, 3)
	}
	rows := []reg.Register{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	to, middle, at, left, mask := reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	f.load("m", to)
	f.load("middle", middle)

	c.Label("channel")
	for i, r := range rows {
		f.load(fmt.Sprintf("row%d", i), r)
		c.ADDQ(f.args.at(reg.RDI, fmt.Sprintf("off%d", i)), r)
	}
	f.load("vectors", left)
	c.SHLQ(Imm(2), left)
	f.load("mask", mask)
	c.XORQ(at, at)
	columns := func(name string, load func(r reg.Register, v reg.VecPhysical)) {
		c.Label(name)
		for i, r := range rows {
			load(r, y[i])
		}
		transform(func(j int, v reg.VecPhysical) {
			c.VMOVUPS(v, Mem{Base: middle, Index: at, Scale: 1, Disp: j * middleRow * s.bytes})
		})
		c.ADDQ(I32(s.bytes), at)
		c.DECQ(left)
		c.JNZ(LabelRef(name))
	}
	c.TESTQ(mask, mask)
	c.JNZ(LabelRef("tail"))
	columns("column", func(r reg.Register, v reg.VecPhysical) { c.VMOVUPS(Mem{Base: r, Index: at, Scale: 1}, v) })
	c.JMP(LabelRef("across"))
	c.Label("tail")
	first := true
	columns("masked", func(r reg.Register, v reg.VecPhysical) {
		lanes := s.v(7)
		if first {
			c.VMOVUPS(Mem{Base: mask, Index: at, Scale: 1}, lanes)
			if s.bytes == 64 {
				c.VPTESTMD(lanes, lanes, reg.K1)
			}
			first = false
		}
		if s.bytes == 64 {
			c.VMOVUPS_Z(Mem{Base: r, Index: at, Scale: 1}, reg.K1, v)
		} else {
			c.VMASKMOVPS(Mem{Base: r, Index: at, Scale: 1}, lanes, v)
		}
	})

	c.Label("across")
	step, from, near, far, row, rowTo := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.R8
	rowsLeft := reg.R15
	f.load("vStep", step)
	c.MOVQ(middle, row)
	c.MOVQ(to, rowTo)
	c.MOVQ(U32(pointsSide), rowsLeft)
	c.Label("row")
	c.MOVQ(row, from)
	c.MOVQ(rowTo, near)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 1}, far)
	c.LEAQ(Mem{Base: far, Index: step, Scale: 2}, far)
	f.load("vectors", left)
	c.Label("vector")
	f.transpose4(s, y, from)
	transform(func(j int, v reg.VecPhysical) {
		c.VMOVUPS(v, []Mem{
			{Base: near}, {Base: near, Index: step, Scale: 1}, {Base: near, Index: step, Scale: 2},
			{Base: far}, {Base: near, Index: step, Scale: 4}, {Base: far, Index: step, Scale: 2},
		}[j])
	})
	c.ADDQ(I32(4*s.bytes), from)
	c.ADDQ(I32(s.bytes), near)
	c.ADDQ(I32(s.bytes), far)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	c.ADDQ(I32(middleRow*s.bytes), row)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 2}, rowTo)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 4}, rowTo)
	c.DECQ(rowsLeft)
	c.JNZ(LabelRef("row"))

	for i := range rows {
		f.load(fmt.Sprintf("step%d", i), at)
		c.ADDQ(at, f.args.at(reg.RDI, fmt.Sprintf("off%d", i)))
	}
	f.load("vectors", at)
	c.IMUL3Q(Imm(uint64(s.bytes)), at, at)
	c.ADDQ(at, to)
	c.DECQ(f.args.at(reg.RDI, "channels"))
	c.JNZ(LabelRef("channel"))
	f.end()
}

// transpose4 loads four vectors from an address and transposes 4x4 floats in each
// 16-byte lane.
func (f *file) transpose4(s isa, d [4]reg.VecPhysical, from reg.Register) {
	c := f.ctx
	in := func(k int) Mem { return mem(from, k*s.bytes) }
	x, y := s.v(4), s.v(5)
	c.VMOVUPS(in(0), x)
	c.VMOVUPS(in(1), y)
	c.VUNPCKLPS(y, x, d[0])
	c.VUNPCKHPS(y, x, d[2])
	c.VMOVUPS(in(2), x)
	c.VMOVUPS(in(3), y)
	c.VUNPCKLPS(y, x, d[1])
	c.VUNPCKHPS(y, x, d[3])
	c.VUNPCKHPD(d[3], d[2], x)
	c.VUNPCKLPD(d[3], d[2], d[2])
	c.VMOVAPS(x, d[3])
	c.VUNPCKHPD(d[1], d[0], x)
	c.VUNPCKLPD(d[1], d[0], d[0])
	c.VMOVAPS(x, d[1])
}

// winogradUnfilter is Filter's transform transposed: from all planes of u, which
// it overwrites, to nine at m, which it adds to. Both are uStep apart.
func (f *file) winogradUnfilter(s isa) {
	f.begin("winograd_unfilter_f32_"+s.name, f.row(s, "OpWinogradUnfilter", 0, 0))
	c := f.ctx
	const constants = 3
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	large, third, small := s.v(k), s.v(k+1), s.v(k+2)
	// transform makes three values of the six that lie step apart from at on.
	transform := func(at, step reg.Register) [3]reg.VecPhysical {
		near, sum, far, total, t := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4)
		first, odd, last := s.v(5), s.v(6), s.v(7)
		from := reg.R10
		next := func(v reg.VecPhysical) {
			c.ADDQ(step, from)
			c.VMOVUPS(mem(from, 0), v)
		}
		c.MOVQ(at, from)
		c.VMOVUPS(mem(from, 0), first)
		next(near)
		next(t)
		c.VADDPS(t, near, sum)
		c.VSUBPS(near, t, odd)
		next(far)
		next(t)
		c.VADDPS(t, far, total)
		c.VADDPS(far, odd, odd)
		c.VSUBPS(t, odd, odd)
		next(last)
		c.VMULPS(third, odd, odd)
		c.VFNMADD231PS(sum, large, first)
		c.VFMADD231PS(total, small, first)
		c.VFNMADD231PS(sum, small, last)
		c.VFMADD231PS(total, large, last)
		return [3]reg.VecPhysical{first, odd, last}
	}
	u, step, step6, m, left, at, to := reg.RSI, reg.RDX, reg.RCX, reg.RBX, reg.R8, reg.R9, reg.R11
	f.load("u", u)
	f.load("uStep", step)
	f.load("m", m)
	f.load("vectors", left)
	c.LEAQ(Mem{Base: step, Index: step, Scale: 2}, step6)
	c.ADDQ(step6, step6)

	c.Label("vector")
	c.MOVQ(u, at)
	for x := range pointsSide {
		if x > 0 {
			c.ADDQ(step, at)
		}
		c.MOVQ(at, to)
		for i, v := range transform(at, step6) {
			if i > 0 {
				c.ADDQ(step6, to)
			}
			c.VMOVUPS(v, mem(to, 0))
		}
	}
	c.MOVQ(u, at)
	c.MOVQ(m, to)
	for range 3 {
		for _, v := range transform(at, step) {
			c.VADDPS(mem(to, 0), v, v)
			c.VMOVUPS(v, mem(to, 0))
			c.ADDQ(step, to)
		}
		c.ADDQ(step6, at)
	}
	c.ADDQ(I32(s.bytes), u)
	c.ADDQ(I32(s.bytes), m)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	f.end()
}
