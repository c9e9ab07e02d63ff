package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What the weight gradient needs beside In. Its sums run over tiles, so here lanes
// are output channels and no sum crosses them: Turn brings pixels into that form,
// Dy transforms them, Grad multiplies by the transformed source, and Unfilter
// brings gradients of transformed weights back.

// winogradTurn turns a row of pixels of as many channels as a vector has lanes
// from planes, whose offsets in bytes are at offsets, to (pixel, channel).
func (f *file) winogradTurn(s isa) {
	f.begin("winograd_turn_f32_"+s.name, f.row(s, "OpWinogradTurn", 0, 0))
	c := f.ctx
	lanes := s.bytes / 4
	src, offsets, to, left, at := reg.RSI, reg.RDX, reg.RBX, reg.RCX, reg.RAX
	f.load("row0", src)
	f.load("offsets", offsets)
	f.load("m", to)
	f.load("vectors", left)
	r := func(i int) reg.VecPhysical { return s.v(i) }
	t := func(i int) reg.VecPhysical { return s.v(lanes + i) }
	c.Label("vector")
	for i := range lanes {
		c.MOVQ(mem(offsets, 8*i), at)
		c.VMOVUPS(Mem{Base: src, Index: at, Scale: 1}, r(i))
	}
	for i := 0; i < lanes; i += 2 {
		c.VUNPCKLPS(r(i+1), r(i), t(i))
		c.VUNPCKHPS(r(i+1), r(i), t(i+1))
	}
	// Quarter b of vector 4*i+j is then pixel 4*b+j of channels 4*i to 4*i+3.
	for i := 0; i < lanes; i += 4 {
		c.VUNPCKLPD(t(i+2), t(i), r(i))
		c.VUNPCKHPD(t(i+2), t(i), r(i+1))
		c.VUNPCKLPD(t(i+3), t(i+1), r(i+2))
		c.VUNPCKHPD(t(i+3), t(i+1), r(i+3))
	}
	for j := range 4 {
		store := func(v reg.VecPhysical, pixel int) { c.VMOVUPS(v, mem(to, pixel*s.bytes)) }
		if s.bytes == 32 {
			const lower, upper = 0x20, 0x31
			c.VPERM2F128(Imm(lower), r(4+j), r(j), t(0))
			c.VPERM2F128(Imm(upper), r(4+j), r(j), t(1))
			store(t(0), j)
			store(t(1), 4+j)
			continue
		}
		const even, odd = 0x88, 0xdd
		c.VSHUFF32X4(Imm(even), r(4+j), r(j), t(0))
		c.VSHUFF32X4(Imm(odd), r(4+j), r(j), t(1))
		c.VSHUFF32X4(Imm(even), r(12+j), r(8+j), t(2))
		c.VSHUFF32X4(Imm(odd), r(12+j), r(8+j), t(3))
		for i := range 2 {
			c.VSHUFF32X4(Imm(even), t(2+i), t(i), t(4))
			c.VSHUFF32X4(Imm(odd), t(2+i), t(i), t(5))
			store(t(4), 4*i+j)
			store(t(5), 8+4*i+j)
		}
	}
	c.ADDQ(I32(s.bytes), src)
	c.ADDQ(I32(lanes*s.bytes), to)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	f.end()
}

// winogradDy transforms the tiles of four rows of (pixel, channel) as Out's
// transform transposed. Numbers are Out's.
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
	even, odd := s.v(k-1), s.v(k-2)
	// transform makes the values 1 to 4 of y in x[1], x[2], y[1], y[2]; 0 and 5 are
	// y[0] and y[3].
	transform := func(y, x [4]reg.VecPhysical) {
		c.VMULPS(y[0], large, even)
		c.VFMADD231PS(y[2], small, even)
		c.VMOVAPS(y[1], odd)
		c.VFMADD231PS(y[3], half, odd)
		c.VADDPS(odd, even, x[1])
		c.VSUBPS(odd, even, x[2])
		c.VMULPS(y[0], small, even)
		c.VFMADD231PS(y[2], large, even)
		c.VFMADD231PS(y[3], twice, y[1])
		c.VSUBPS(y[1], even, y[2])
		c.VADDPS(y[1], even, y[1])
	}
	src, row, row3, to, tile, point, middle, left := reg.RSI, reg.RDX, reg.RBX, reg.RCX, reg.R8, reg.R9, reg.R10, reg.R11
	f.load("row0", src)
	f.load("step0", row)
	c.LEAQ(Mem{Base: row, Index: row, Scale: 2}, row3)
	f.load("m", tile)
	f.load("vStep", point)
	f.load("middle", middle)
	f.load("vectors", left)
	inRegisters := s.vecs == 32
	c.Label("tile")
	// Value j of column x is register 4*j+x, or there in memory.
	for x := range 4 {
		slot := func(j int) reg.VecPhysical {
			if inRegisters {
				return s.v(4*j + x)
			}
			return s.v(j)
		}
		y, to := [4]reg.VecPhysical{slot(0), slot(3), slot(4), slot(5)}, [4]reg.VecPhysical{1: slot(1), 2: slot(2)}
		for r := range y {
			c.VMOVUPS([]Mem{
				{Base: src, Disp: x * s.bytes}, {Base: src, Index: row, Scale: 1, Disp: x * s.bytes},
				{Base: src, Index: row, Scale: 2, Disp: x * s.bytes}, {Base: src, Index: row3, Scale: 1, Disp: x * s.bytes},
			}[r], y[r])
		}
		transform(y, to)
		for j := 0; j < pointsSide && !inRegisters; j++ {
			c.VMOVUPS(slot(j), mem(middle, (4*j+x)*s.bytes))
		}
	}
	c.MOVQ(tile, to)
	for j := range pointsSide {
		y, x := [4]reg.VecPhysical{}, [4]reg.VecPhysical{1: s.v(4), 2: s.v(5)}
		for i := range y {
			if y[i] = s.v(i); inRegisters {
				y[i] = s.v(4*j + i)
				continue
			}
			c.VMOVUPS(mem(middle, (4*j+i)*s.bytes), y[i])
		}
		if inRegisters {
			x[1], x[2] = s.v(24), s.v(25)
		}
		transform(y, x)
		for _, v := range []reg.VecPhysical{y[0], x[1], x[2], y[1], y[2], y[3]} {
			c.VMOVUPS(v, mem(to, 0))
			c.ADDQ(point, to)
		}
	}
	c.ADDQ(I32(4*s.bytes), src)
	c.ADDQ(f.args.at(reg.RDI, "step1"), tile)
	c.DECQ(left)
	c.JNZ(LabelRef("tile"))
	f.end()
}

// winogradGrad adds, for every point, the products of b input channels with p
// vectors of output channels over all tiles to u.
func (f *file) winogradGrad(s isa, b, p int) {
	f.begin(fmt.Sprintf("winograd_grad_f32_%dx%d_%s", b, p, s.name), f.row(s, "OpWinogradGrad", b, p))
	c := f.ctx
	v, row, m, channel, channel3, near, far := reg.RSI, reg.R8, reg.RDX, reg.RBX, reg.RCX, reg.RAX, reg.R9
	list, i, rows, u, left := reg.R10, reg.R11, reg.R12, reg.R13, reg.R15
	acc := func(j, k int) reg.VecPhysical { return s.v(j*p + k) }
	last, weight := s.v(s.vecs-1), s.v(b*p+p)
	if s.bytes == 64 {
		f.load("mask", near)
		c.VMOVDQU32(mem(near, 0), last)
		c.VPTESTMD(last, last, reg.K1)
	}
	f.load("v", v)
	f.load("u", u)
	f.load("step1", channel)
	c.LEAQ(Mem{Base: channel, Index: channel, Scale: 2}, channel3)
	f.load("offsets", list)
	f.load("vectors", i)
	c.LEAQ(Mem{Base: list, Index: i, Scale: 4}, list)
	c.MOVQ(U32(points), left)

	c.Label("point")
	for k := range b * p {
		f.zero(s, k)
	}
	c.MOVQ(v, row)
	f.load("m", m)
	f.load("last", rows)
	c.Label("row")
	f.load("vectors", i)
	c.NEGQ(i)
	c.Label("tile")
	c.MOVLQSX(Mem{Base: list, Index: i, Scale: 4}, near)
	c.ADDQ(row, near)
	if b > 4 {
		c.LEAQ(Mem{Base: near, Index: channel, Scale: 4}, far)
	}
	for k := range p {
		c.VMOVUPS(mem(m, k*s.bytes), s.v(b*p+k))
	}
	for j := range b {
		base := near
		if j > 3 {
			base = far
		}
		c.VBROADCASTSS([]Mem{
			{Base: base}, {Base: base, Index: channel, Scale: 1}, {Base: base, Index: channel, Scale: 2}, {Base: base, Index: channel3, Scale: 1},
		}[j%4], weight)
		for k := range p {
			c.VFMADD231PS(s.v(b*p+k), weight, acc(j, k))
		}
	}
	c.ADDQ(I32(p*s.bytes), m)
	c.INCQ(i)
	c.JNZ(LabelRef("tile"))
	c.ADDQ(f.args.at(reg.RDI, "step0"), row)
	c.DECQ(rows)
	c.JNZ(LabelRef("row"))

	if s.bytes != 64 {
		f.load("mask", near)
		c.VMOVUPS(mem(near, 0), last)
	}
	c.MOVQ(u, near)
	for j := range b {
		for k := range p {
			to := mem(near, k*s.bytes)
			if k < p-1 {
				c.VADDPS(to, acc(j, k), acc(j, k))
				c.VMOVUPS(acc(j, k), to)
			} else {
				f.addMasked(s, acc(j, k), to, last, s.v(b*p))
			}
		}
		if j < b-1 {
			c.ADDQ(f.args.at(reg.RDI, "step2"), near)
		}
	}
	c.ADDQ(f.args.at(reg.RDI, "uStep"), u)
	c.ADDQ(f.args.at(reg.RDI, "vStep"), v)
	f.load("mStep", near)
	c.ADDQ(near, f.args.at(reg.RDI, "m"))
	c.DECQ(left)
	c.JNZ(LabelRef("point"))
	f.end()
}

// addMasked adds v to the lanes of to that last, or K1, selects; tmp and v are
// overwritten.
func (f *file) addMasked(s isa, v reg.VecPhysical, to Mem, last, tmp reg.VecPhysical) {
	c := f.ctx
	if s.bytes == 64 {
		c.VADDPS(to, v, reg.K1, v)
		c.VMOVUPS(v, reg.K1, to)
		return
	}
	c.VMASKMOVPS(to, last, tmp)
	c.VADDPS(tmp, v, v)
	c.VMASKMOVPS(v, last, to)
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
