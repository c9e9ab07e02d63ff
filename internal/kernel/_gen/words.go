package main

import "fmt"

// word is an arm64 instruction that Go's assembler has no name for, as the bits
// of the Arm Architecture Reference Manual (DDI 0487, C7.2). text is how GNU's
// disassembler writes it.
type word struct {
	bits uint32
	text string
}

// vecs is an instruction on vectors of four floats with up to two sources. rm
// is no register's number where there is one source only.
func vecs(name string, bits uint32, rd, rn, rm int) word {
	if rm < 0 {
		return word{bits | number5(rn)<<5 | number5(rd), fmt.Sprintf("%s v%d.4s, v%d.4s", name, rd, rn)}
	}
	return word{bits | number5(rm)<<16 | number5(rn)<<5 | number5(rd), fmt.Sprintf("%s v%d.4s, v%d.4s, v%d.4s", name, rd, rn, rm)}
}

// number5 is a register's number.
func number5(r int) uint32 {
	if r < 0 || r > 31 {
		panic(fmt.Sprintf("no register %d", r))
	}
	return uint32(r)
}

func fadd(rd, rn, rm int) word  { return vecs("fadd", 0x4e20d400, rd, rn, rm) }
func fsub(rd, rn, rm int) word  { return vecs("fsub", 0x4ea0d400, rd, rn, rm) }
func fmul(rd, rn, rm int) word  { return vecs("fmul", 0x6e20dc00, rd, rn, rm) }
func fdiv(rd, rn, rm int) word  { return vecs("fdiv", 0x6e20fc00, rd, rn, rm) }
func fmax(rd, rn, rm int) word  { return vecs("fmax", 0x4e20f400, rd, rn, rm) } // NaN if either is
func fmin(rd, rn, rm int) word  { return vecs("fmin", 0x4ea0f400, rd, rn, rm) }
func faddp(rd, rn, rm int) word { return vecs("faddp", 0x6e20d400, rd, rn, rm) } // rn's pairs, then rm's
func fcmeq(rd, rn, rm int) word { return vecs("fcmeq", 0x4e20e400, rd, rn, rm) } // all ones where equal
func fsqrt(rd, rn int) word     { return vecs("fsqrt", 0x6ea1f800, rd, rn, -1) }
func fabs(rd, rn int) word      { return vecs("fabs", 0x4ea0f800, rd, rn, -1) }

// fcmgt0, fcmlt0 and fcmeq0 give all ones in lanes above 0, in those below, and
// in those that are 0.
func fcmgt0(rd, rn int) word { return zeroed(vecs("fcmgt", 0x4ea0c800, rd, rn, -1)) }
func fcmlt0(rd, rn int) word { return zeroed(vecs("fcmlt", 0x4ea0e800, rd, rn, -1)) }
func fcmeq0(rd, rn int) word { return zeroed(vecs("fcmeq", 0x4ea0d800, rd, rn, -1)) }

func zeroed(w word) word { return word{w.bits, w.text + ", #0.0"} }

// fmlaLane adds rn times one lane of rm.
func fmlaLane(rd, rn, rm, lane int) word {
	if lane < 0 || lane > 3 {
		panic(fmt.Sprintf("no lane %d", lane))
	}
	l := uint32(lane)
	return word{
		0x4f801000 | l&1<<21 | number5(rm)<<16 | l>>1<<11 | number5(rn)<<5 | number5(rd),
		fmt.Sprintf("fmla v%d.4s, v%d.4s, v%d.s[%d]", rd, rn, rm, lane),
	}
}

// loadAt loads the vector at base plus index, both general registers.
func loadAt(rt, base, index int) word {
	return word{
		0x3ce06800 | number5(index)<<16 | number5(base)<<5 | number5(rt),
		fmt.Sprintf("ldr q%d, [x%d, x%d]", rt, base, index),
	}
}
