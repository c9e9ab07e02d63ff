package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowNames are the n rows that a shuffle weaves into dst.
var rowNames = []string{"a", "b", "c", "d"}

// shuffles writes the weaving of 2 to 4 rows into one and its inverse. For 3
// rows the lane numbers come from a table in Go, elements.go.
func (f *file) shuffles(s isa) {
	for n := 2; n <= 4; n++ {
		f.shuffle(s, n, false)
		f.shuffle(s, n, true)
	}
	for n := 2; n <= 4; n++ {
		if n == 3 && s.bytes == 32 {
			continue // nine permutations for 24 floats: not worth it
		}
		f.unshuffle(s, n)
	}
}

// shuffle weaves n rows. A stream goes past the caches.
func (f *file) shuffle(s isa, n int, stream bool) {
	name, op := "shuffle", "OpShuffle"
	if stream {
		name, op = "stream", "OpStream"
	}
	f.begin(fmt.Sprintf("%s%d_f32_%s", name, n, s.name), f.row(s, op, n, 0))
	c := f.ctx
	rows := rowNames[:n]
	f.indices(s, n, false)
	f.loopBy(append([]string{"dst"}, rows...), by(s, n), func() {
		out := func(v, k int) {
			if stream {
				c.VMOVNTPS(s.v(v), mem(reg.RDX, k*s.bytes))
			} else {
				c.VMOVUPS(s.v(v), mem(reg.RDX, k*s.bytes))
			}
		}
		row := func(i int) Mem { return mem(pointers[rows[i]], 0) }
		switch {
		case n == 2:
			c.VMOVUPS(row(0), s.v(8))
			c.VMOVUPS(row(1), s.v(9))
			f.weave(s, 8, 9, 10, 11)
			out(10, 0)
			out(11, 1)
		case n == 4:
			for i := range 4 {
				c.VMOVUPS(row(i), s.v(8+i))
			}
			f.weave(s, 8, 10, 2, 3)
			f.weave(s, 9, 11, 4, 5)
			f.weave(s, 2, 4, 8, 9)
			f.weave(s, 3, 5, 10, 11)
			for k := range 4 {
				out(8+k, k)
			}
		case s.bytes == 64:
			for k := range 3 {
				c.VMOVUPS(row(0), s.v(8+k))
				c.VPERMT2PS(row(1), s.v(k), s.v(8+k))
				c.VPERMT2PS(row(2), s.v(3+k), s.v(8+k))
				out(8+k, k)
			}
		default:
			for k := range 3 {
				c.VPERMPS(row(0), s.v(k), s.v(9))
				c.VPERMPS(row(1), s.v(k), s.v(10))
				c.VPERMPS(row(2), s.v(k), s.v(11))
				from := func(i int) (lanes uint64) { // output lanes that row i fills
					for lane := range 8 {
						if (8*k+lane)%3 == i {
							lanes |= 1 << lane
						}
					}
					return lanes
				}
				c.VBLENDPS(Imm(from(1)), s.v(10), s.v(9), s.v(9))
				c.VBLENDPS(Imm(from(2)), s.v(11), s.v(9), s.v(9))
				out(9, k)
			}
		}
	})
	if stream {
		c.SFENCE() // for who reads it on another core
	}
	f.end()
}

func (f *file) unshuffle(s isa, n int) {
	f.begin(fmt.Sprintf("unshuffle%d_f32_%s", n, s.name), f.row(s, "OpUnshuffle", n, 0))
	c := f.ctx
	rows := rowNames[:n]
	f.indices(s, n, true)
	f.loopBy(append([]string{"dst"}, rows...), by(s, n), func() {
		in := func(k int) Mem { return mem(reg.RDX, k*s.bytes) }
		row := func(v, i int) { c.VMOVUPS(s.v(v), mem(pointers[rows[i]], 0)) }
		if n == 3 {
			for k := range 3 {
				c.VMOVUPS(in(0), s.v(8+k))
				c.VPERMT2PS(in(1), s.v(k), s.v(8+k))
				c.VPERMT2PS(in(2), s.v(3+k), s.v(8+k))
				row(8+k, k)
			}
			return
		}
		for k := range n {
			c.VMOVUPS(in(k), s.v(8+k))
		}
		if n == 2 {
			f.unweave(s, 8, 9, 10, 11)
			row(10, 0)
			row(11, 1)
			return
		}
		f.unweave(s, 8, 9, 2, 3) // even: rows 0 and 2 in turns, odd: 1 and 3
		f.unweave(s, 10, 11, 4, 5)
		f.unweave(s, 2, 4, 8, 10)
		f.unweave(s, 3, 5, 9, 11)
		for k := range 4 {
			row(8+k, k)
		}
	})
	f.end()
}

// by is the step of the loops: n vectors of the woven row for one of each.
func by(s isa, n int) func(string) int {
	return func(name string) int {
		if name == "dst" {
			return n * s.bytes
		}
		return s.bytes
	}
}

// indices loads the lane numbers that the permutations need into 0, 1, ...
func (f *file) indices(s isa, n int, inverse bool) {
	count := 0
	switch {
	case n == 3 && s.bytes == 64:
		count = 6
	case n == 3 && !inverse:
		count = 3
	case s.bytes == 64:
		count = 2
	}
	if count > 0 {
		f.load("index", reg.RAX)
	}
	for i := range count {
		f.ctx.VMOVUPS(mem(reg.RAX, i*s.bytes), s.v(i))
	}
}

// weave puts a0 b0 a1 b1 ... into lo and hi.
func (f *file) weave(s isa, a, b, lo, hi int) {
	c := f.ctx
	if s.bytes == 64 {
		c.VMOVAPS(s.v(a), s.v(lo))
		c.VMOVAPS(s.v(a), s.v(hi))
		c.VPERMT2PS(s.v(b), s.v(0), s.v(lo))
		c.VPERMT2PS(s.v(b), s.v(1), s.v(hi))
		return
	}
	c.VUNPCKLPS(s.v(b), s.v(a), s.v(14))
	c.VUNPCKHPS(s.v(b), s.v(a), s.v(15))
	c.VPERM2F128(Imm(0x20), s.v(15), s.v(14), s.v(lo))
	c.VPERM2F128(Imm(0x31), s.v(15), s.v(14), s.v(hi))
}

// unweave puts the even lanes of the pair (a, b) into even, the others into odd.
func (f *file) unweave(s isa, a, b, even, odd int) {
	c := f.ctx
	if s.bytes == 64 {
		c.VMOVAPS(s.v(a), s.v(even))
		c.VMOVAPS(s.v(a), s.v(odd))
		c.VPERMT2PS(s.v(b), s.v(0), s.v(even))
		c.VPERMT2PS(s.v(b), s.v(1), s.v(odd))
		return
	}
	c.VSHUFPS(Imm(0x88), s.v(b), s.v(a), s.v(14))
	c.VSHUFPS(Imm(0xdd), s.v(b), s.v(a), s.v(15))
	c.VPERMPD(Imm(0xd8), s.v(14), s.v(even))
	c.VPERMPD(Imm(0xd8), s.v(15), s.v(odd))
}
