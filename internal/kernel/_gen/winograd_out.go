package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winogradOut transforms products back, with the epilogue. Numbers are sqrt(2),
// sqrt(1/2), 1/2, 2.
func (f *file) winogradOut(s isa, point int) {
	f.begin("winograd_out_f32_"+s.name, f.row(s, "OpWinogradOut", 0, point))
	c := f.ctx
	const constants = 4
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	large, small, half, twice := s.v(k), s.v(k+1), s.v(k+2), s.v(k+3)
	// transform leaves the four sums of x in x[0], t[2], t[0], x[5].
	transform := func(x [pointsSide]reg.VecPhysical, t []reg.VecPhysical) {
		c.VADDPS(x[2], x[1], t[0])
		c.VSUBPS(x[2], x[1], x[1])
		c.VADDPS(x[4], x[3], t[1])
		c.VSUBPS(x[4], x[3], x[3])
		c.VADDPS(x[3], x[1], t[2])
		c.VFMADD231PS(t[0], large, x[0])
		c.VFMADD231PS(t[1], small, x[0])
		c.VFMADD231PS(x[1], half, x[5])
		c.VFMADD231PS(x[3], twice, x[5])
		c.VMULPS(t[0], small, t[0])
		c.VFMADD231PS(t[1], large, t[0])
	}
	m, channel, channelRes, dst, res := reg.RSI, reg.RDX, reg.R8, reg.R9, reg.R10
	vectors, channels, mask, at, atRes, a, middle := reg.R11, reg.R12, reg.R13, reg.RAX, reg.RBX, reg.RCX, reg.R15
	f.load("m", m)
	f.load("dst", channel)
	f.load("res", channelRes)
	f.load("channels", channels)
	f.load("middle", middle)
	inRegisters := s.vecs == 32

	c.Label("channel")
	f.load("vectors", vectors)
	f.load("mask", mask)
	c.MOVQ(channel, dst)
	c.MOVQ(channelRes, res)
	c.Label("vector")
	// Down the columns: column j's sums are values r*6+j.
	for j := range pointsSide {
		in := func(i int) Mem { return mem(m, (i*pointsSide+j)*point*s.bytes) }
		y, t := [4]reg.VecPhysical{}, [4]reg.VecPhysical{}
		for r := range 4 {
			y[r], t[r] = s.v(4+r), s.v(r)
			if inRegisters {
				y[r], t[r] = s.v(r*pointsSide+j), s.v(24+r)
			}
		}
		c.VMOVUPS(in(1), t[0])
		c.VADDPS(in(2), t[0], t[1])
		c.VSUBPS(in(2), t[0], t[0])
		c.VMOVUPS(in(3), t[2])
		c.VADDPS(in(4), t[2], t[3])
		c.VSUBPS(in(4), t[2], t[2])
		c.VMOVUPS(in(0), y[0])
		c.VFMADD231PS(t[1], large, y[0])
		c.VFMADD231PS(t[3], small, y[0])
		c.VADDPS(t[2], t[0], y[1])
		c.VMULPS(t[1], small, y[2])
		c.VFMADD231PS(t[3], large, y[2])
		c.VMOVUPS(in(5), y[3])
		c.VFMADD231PS(t[0], half, y[3])
		c.VFMADD231PS(t[2], twice, y[3])
		if !inRegisters {
			for r := range 4 {
				c.VMOVUPS(y[r], mem(middle, (r*pointsSide+j)*s.bytes))
			}
		}
	}
	if s.bytes == 64 {
		for i := range 4 {
			c.KXNORW(reg.K1, reg.K1, kmasks[i])
		}
		c.TESTQ(mask, mask)
		c.JZ(LabelRef("rows"))
		for i := range 4 {
			c.VMOVDQU32(mem(mask, i*s.bytes), s.v(24))
			c.VPTESTMD(s.v(24), s.v(24), kmasks[i])
		}
		c.ADDQ(I32(4*s.bytes), mask)
		c.Label("rows")
	}
	c.MOVQ(dst, at)
	c.ADDQ(f.args.at(reg.RDI, "lift"), at)
	c.MOVQ(res, atRes)
	c.ADDQ(f.args.at(reg.RDI, "resLift"), atRes)
	for r := range 4 {
		skip := fmt.Sprintf("skip%d", r)
		c.CMPQ(f.args.at(reg.RDI, "first"), Imm(uint64(r)))
		c.JGT(LabelRef(skip))
		c.CMPQ(f.args.at(reg.RDI, "last"), Imm(uint64(r)))
		c.JLE(LabelRef(skip))
		var x [pointsSide]reg.VecPhysical
		t := []reg.VecPhysical{s.v(6), s.v(7), s.v(8)}
		for j := range x {
			if x[j] = s.v(j); inRegisters {
				x[j] = s.v(r*pointsSide + j)
				continue
			}
			c.VMOVUPS(mem(middle, (r*pointsSide+j)*s.bytes), x[j])
		}
		if inRegisters {
			t = []reg.VecPhysical{s.v(24), s.v(25), s.v(26)}
		}
		transform(x, t)
		y := [4]reg.VecPhysical{x[0], t[2], t[0], x[5]}
		c.VUNPCKLPS(y[1], y[0], x[1])
		c.VUNPCKHPS(y[1], y[0], x[2])
		c.VUNPCKLPS(y[3], y[2], x[3])
		c.VUNPCKHPS(y[3], y[2], x[4])
		c.VUNPCKLPD(x[3], x[1], y[0])
		c.VUNPCKHPD(x[3], x[1], y[1])
		c.VUNPCKLPD(x[4], x[2], y[2])
		c.VUNPCKHPD(x[4], x[2], y[3])
		f.winogradStore(s, fmt.Sprint(r), y, x, at, atRes, a, mask)
		c.Label(skip)
		c.ADDQ(f.args.at(reg.RDI, "dstRow"), at)
		c.ADDQ(f.args.at(reg.RDI, "resRow"), atRes)
	}
	c.ADDQ(I32(s.bytes), m)
	c.ADDQ(I32(4*s.bytes), dst)
	c.ADDQ(I32(4*s.bytes), res)
	if s.bytes != 64 {
		c.TESTQ(mask, mask)
		c.JZ(LabelRef("next"))
		c.ADDQ(I32(4*s.bytes), mask)
		c.Label("next")
	}
	c.DECQ(vectors)
	c.JNZ(LabelRef("vector"))
	c.ADDQ(f.args.at(reg.RDI, "mSkip"), m)
	c.ADDQ(f.args.at(reg.RDI, "dstPlane"), channel)
	c.ADDQ(f.args.at(reg.RDI, "resPlane"), channelRes)
	c.ADDQ(Imm(4), f.args.at(reg.RDI, "done"))
	c.DECQ(channels)
	c.JNZ(LabelRef("channel"))
	f.end()
}

// kmasks are for the four vectors of pixels of a vector of tiles.
var kmasks = []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}

// outJump holds the jump to the second row of tiles in a vector; it is middle's
// register, which nothing needs there.
var outJump = reg.R15

// outPixels is vector i of four of a vector of tiles: the upper two may be of a
// second row.
func outPixels(s isa, base reg.Register, i int) Mem {
	m := mem(base, i*s.bytes)
	if s.bytes == 64 && i > 1 {
		m.Index, m.Scale = outJump, 1
	}
	return m
}

// winogradStore applies the epilogue to four vectors y of pixels and stores
// them; x[1] to x[4] are free.
func (f *file) winogradStore(s isa, label string, y [4]reg.VecPhysical, x [pointsSide]reg.VecPhysical, at, res, a, mask reg.Register) {
	c := f.ctx
	to := func(base reg.Register, i int) Mem { return outPixels(s, base, i) }
	f.load("bias", a)
	c.ADDQ(f.args.at(reg.RDI, "done"), a)
	c.VBROADCASTSS(mem(a, 0), x[1])
	for i := range y {
		c.VADDPS(x[1], y[i], y[i])
	}
	c.CMPQ(f.args.at(reg.RDI, "res"), Imm(0))
	c.JEQ(LabelRef("relu" + label))
	if s.bytes == 64 {
		f.load("resJump", outJump)
		for i := range y {
			c.VADDPS(to(res, i), y[i], kmasks[i], y[i])
		}
	} else {
		c.TESTQ(mask, mask)
		c.JNZ(LabelRef("maskedres" + label))
		for i := range y {
			c.VADDPS(to(res, i), y[i], y[i])
		}
		c.JMP(LabelRef("relu" + label))
		c.Label("maskedres" + label)
		for i := range y {
			c.VMOVUPS(to(mask, i), x[1])
			c.VMASKMOVPS(to(res, i), x[1], x[2])
			c.VADDPS(x[2], y[i], y[i])
		}
	}
	c.Label("relu" + label)
	zero, slope, low, high := x[1], x[2], x[3], x[4]
	clear := func(v reg.VecPhysical) {
		if s.bytes == 64 {
			c.VPXORD(v, v, v)
		} else {
			c.VXORPS(v, v, v)
		}
	}
	c.CMPQ(f.args.at(reg.RDI, "relu"), Imm(0))
	c.JEQ(LabelRef("slope" + label))
	clear(zero)
	for i := range y {
		c.VMAXPS(y[i], zero, y[i]) // as in conv
	}
	c.Label("slope" + label)
	f.load("slope", a)
	c.TESTQ(a, a)
	c.JZ(LabelRef("clip" + label))
	c.ADDQ(f.args.at(reg.RDI, "done"), a)
	c.VBROADCASTSS(mem(a, 0), slope)
	if s.bytes == 64 {
		clear(zero)
	}
	for i := range y {
		if s.bytes == 64 {
			c.VCMPPS(Imm(less), zero, y[i], reg.K5)
			c.VMULPS(slope, y[i], reg.K5, y[i])
		} else {
			c.VMULPS(slope, y[i], zero)
			c.VBLENDVPS(y[i], zero, y[i], y[i])
		}
	}
	c.Label("clip" + label)
	f.load("clip", a)
	c.TESTQ(a, a)
	c.JZ(LabelRef("write" + label))
	c.VBROADCASTSS(mem(a, 0), low)
	c.VBROADCASTSS(mem(a, 4), high)
	for i := range y {
		c.VMAXPS(y[i], low, y[i])
		c.VMINPS(y[i], high, y[i])
	}
	c.Label("write" + label)
	if s.bytes == 64 {
		f.load("jump", outJump)
	}
	f.winogradGate(s, label, y, x, at, a, mask)
	if s.bytes == 64 {
		for i := range y {
			c.VMOVUPS(y[i], kmasks[i], to(at, i))
		}
		return
	}
	c.TESTQ(mask, mask)
	c.JNZ(LabelRef("masked" + label))
	for i := range y {
		c.VMOVUPS(y[i], to(at, i))
	}
	c.JMP(LabelRef("stored" + label))
	c.Label("masked" + label)
	for i := range y {
		c.VMOVUPS(to(mask, i), x[1])
		c.VMASKMOVPS(y[i], x[1], to(at, i))
	}
	c.Label("stored" + label)
}

// winogradGate clears what the gate, as far from the gate's first pixel as at is
// from dst, does not let pass.
func (f *file) winogradGate(s isa, label string, y [4]reg.VecPhysical, x [pointsSide]reg.VecPhysical, at, a, mask reg.Register) {
	c := f.ctx
	zero, pass, lanes := x[1], x[2], x[3]
	f.load("gate", a)
	c.TESTQ(a, a)
	c.JZ(LabelRef("gated" + label))
	c.SUBQ(f.args.at(reg.RDI, "dst"), a)
	c.ADDQ(at, a)
	if s.bytes == 64 {
		c.VPXORD(zero, zero, zero)
		for i := range y {
			c.VCMPPS(Imm(less), outPixels(s, a, i), zero, kmasks[i], reg.K5)
			c.VMOVAPS_Z(y[i], reg.K5, y[i])
		}
		c.Label("gated" + label)
		return
	}
	c.VXORPS(zero, zero, zero)
	c.TESTQ(mask, mask)
	c.JNZ(LabelRef("maskedgate" + label))
	for i := range y {
		c.VCMPPS(Imm(less), mem(a, i*s.bytes), zero, pass)
		c.VANDPS(y[i], pass, y[i])
	}
	c.JMP(LabelRef("gated" + label))
	c.Label("maskedgate" + label)
	for i := range y {
		c.VMOVUPS(mem(mask, i*s.bytes), lanes)
		c.VMASKMOVPS(mem(a, i*s.bytes), lanes, pass)
		c.VCMPPS(Imm(less), pass, zero, pass)
		c.VANDPS(y[i], pass, y[i])
	}
	c.Label("gated" + label)
}
