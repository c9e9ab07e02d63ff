package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winogradFilter transforms weights in place: a filter's nine lie in the first
// planes of u, uStep apart, its 36 values go to all of them. Numbers are
// sqrt(2)/3, 1/3, sqrt(2)/6, -sqrt(2)/3.
//
// Down the columns value (r, x) goes to plane 6*r+x, which no later column reads
// a weight from; then each row is transformed in its own planes. The values of
// point 0 are the weights that lie there already.
func (f *file) winogradFilter(s isa) {
	f.begin("winograd_filter_f32_"+s.name, f.row(s, "OpWinogradFilter", 0, 0))
	c := f.ctx
	const constants = 4
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	large, third, small, minus := s.v(k), s.v(k+1), s.v(k+2), s.v(k+3)
	// transform leaves the values of the points from 1 on in the registers that it
	// returns.
	transform := func(load func(i int, v reg.VecPhysical)) []reg.VecPhysical {
		w0, w1, w2, e, o, v := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4), s.v(5)
		load(0, w0)
		load(1, w1)
		load(2, w2)
		c.VMULPS(third, w1, w1)
		c.VMULPS(w0, small, e)
		c.VFMADD231PS(w2, large, e)
		c.VMULPS(w0, minus, o)
		c.VFNMADD231PS(w2, small, o)
		c.VSUBPS(w1, o, w0)
		c.VADDPS(w1, o, o)
		c.VADDPS(w1, e, v)
		c.VSUBPS(w1, e, e)
		return []reg.VecPhysical{w0, o, v, e, w2}
	}
	u, step, step3, step6, left, at := reg.RSI, reg.RDX, reg.RBX, reg.RCX, reg.R8, reg.R9
	f.load("u", u)
	f.load("uStep", step)
	f.load("vectors", left)
	c.LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	c.LEAQ(Mem{Base: step3, Index: step3, Scale: 1}, step6)

	c.Label("vector")
	for x := range 3 {
		c.MOVQ(u, at)
		for range x {
			c.ADDQ(step, at)
		}
		points := transform(func(i int, v reg.VecPhysical) {
			c.VMOVUPS([]Mem{{Base: at}, {Base: at, Index: step3, Scale: 1}, {Base: at, Index: step6, Scale: 1}}[i], v)
		})
		for _, v := range points {
			c.ADDQ(step6, at)
			c.VMOVUPS(v, mem(at, 0))
		}
	}
	c.MOVQ(u, at)
	for range pointsSide {
		points := transform(func(i int, v reg.VecPhysical) {
			c.VMOVUPS([]Mem{{Base: at}, {Base: at, Index: step, Scale: 1}, {Base: at, Index: step, Scale: 2}}[i], v)
		})
		for _, v := range points {
			c.ADDQ(step, at)
			c.VMOVUPS(v, mem(at, 0))
		}
		c.ADDQ(step, at)
	}
	c.ADDQ(I32(s.bytes), u)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	f.end()
}
