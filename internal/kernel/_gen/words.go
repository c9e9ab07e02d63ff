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
func vecs(name string, bits uint32, rd, rn, rm int) word { return formed(name, bits, "4s", rd, rn, rm) }

// formed is the same on vectors of any form.
func formed(name string, bits uint32, form string, rd, rn, rm int) word {
	if rm < 0 {
		return word{bits | number5(rn)<<5 | number5(rd), fmt.Sprintf("%s v%d.%s, v%d.%s", name, rd, form, rn, form)}
	}
	return word{bits | number5(rm)<<16 | number5(rn)<<5 | number5(rd), fmt.Sprintf("%s v%d.%s, v%d.%s, v%d.%s", name, rd, form, rn, form, rm, form)}
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

func sqadd(rd, rn, rm int) word    { return formed("sqadd", 0x4e600c00, "8h", rd, rn, rm) }
func sqrdmulh(rd, rn, rm int) word { return formed("sqrdmulh", 0x6e60b400, "8h", rd, rn, rm) }
func umax(rd, rn, rm int) word     { return formed("umax", 0x6e206400, "16b", rd, rn, rm) }
func umin(rd, rn, rm int) word     { return formed("umin", 0x6e206c00, "16b", rd, rn, rm) }
func fmaxnm(rd, rn, rm int) word   { return vecs("fmaxnm", 0x4e20c400, rd, rn, rm) } // the number if one is none
func fminnm(rd, rn, rm int) word   { return vecs("fminnm", 0x4ea0c400, rd, rn, rm) }
func scvtf(rd, rn int) word        { return vecs("scvtf", 0x4e21d800, rd, rn, -1) }
func fcvtns(rd, rn int) word       { return vecs("fcvtns", 0x4e21a800, rd, rn, -1) } // halves to even

// narrowed is an instruction that writes lanes of half the size to the lower half
// of rd, or to the upper one.
func narrowed(name string, bits uint32, low, high, from string, rd, rn int, upper bool) word {
	form := low
	if upper {
		name, bits, form = name+"2", bits|1<<30, high
	}
	return word{bits | number5(rn)<<5 | number5(rd), fmt.Sprintf("%s v%d.%s, v%d.%s", name, rd, form, rn, from)}
}

// sqxtn narrows 32 bits to 16, sqxtun signed 16 to unsigned 8, both saturated.
func sqxtn(rd, rn int, upper bool) word {
	return narrowed("sqxtn", 0x0e614800, "4h", "8h", "4s", rd, rn, upper)
}

func sqxtun(rd, rn int, upper bool) word {
	return narrowed("sqxtun", 0x2e212800, "8b", "16b", "8h", rd, rn, upper)
}

// sdotLane adds to each lane of rd the products of rn's four bytes there and those
// of one lane of rm, all signed (FEAT_DotProd); usdotLane takes rn's unsigned
// (FEAT_I8MM).
func sdotLane(rd, rn, rm, lane int) word  { return byteLane("sdot", 0x4f80e000, rd, rn, rm, lane) }
func usdotLane(rd, rn, rm, lane int) word { return byteLane("usdot", 0x4f80f000, rd, rn, rm, lane) }

func byteLane(name string, bits uint32, rd, rn, rm, lane int) word {
	if lane < 0 || lane > 3 {
		panic(fmt.Sprintf("no lane %d", lane))
	}
	l := uint32(lane)
	return word{
		bits | l&1<<21 | number5(rm)<<16 | l>>1<<11 | number5(rn)<<5 | number5(rd),
		fmt.Sprintf("%s v%d.4s, v%d.16b, v%d.4b[%d]", name, rd, rn, rm, lane),
	}
}

// loadAt loads the vector at base plus index, both general registers.
func loadAt(rt, base, index int) word {
	return word{
		0x3ce06800 | number5(index)<<16 | number5(base)<<5 | number5(rt),
		fmt.Sprintf("ldr q%d, [x%d, x%d]", rt, base, index),
	}
}
