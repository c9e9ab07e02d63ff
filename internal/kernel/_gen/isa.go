package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one instruction set's vectors.
type isa struct {
	name  string // as in kernel names and Set.Name
	bytes int    // of a vector
	vecs  int    // registers
	row   string // its part of a row of the table of variants
}

var (
	avx512 = isa{"avx512", 64, 32, `Needs: needsAVX512, Runs: hasAVX512`}
	avx2   = isa{"avx2", 32, 16, `Needs: needsAVX2, Runs: hasAVX2`}
	neon   = isa{"neon", 16, 32, `Needs: needsNEON, Runs: true`}
)

// v is vector register i.
func (s isa) v(i int) reg.VecPhysical {
	if i < 0 || i >= s.vecs {
		panic(fmt.Sprintf("%s has no vector register %d", s.name, i))
	}
	if s.bytes == 64 {
		return zmm[i]
	}
	return ymm[i]
}

var zmm = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
	reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

var ymm = []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
	reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
}

// zero clears a vector register.
func (f *file) zero(s isa, i int) {
	if s.bytes == 64 { // the 512-bit VXORPS needs AVX512DQ, VPXORD does not
		f.ctx.VPXORD(s.v(i), s.v(i), s.v(i))
		return
	}
	f.ctx.VXORPS(s.v(i), s.v(i), s.v(i))
}

func mem(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }
