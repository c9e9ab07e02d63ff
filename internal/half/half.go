// Package half converts between float32 and float16, IEEE 754 binary16, which
// no Go type has.
package half

import "math"

// Max is the largest finite float16.
const Max = 65504

// Of rounds x to the nearest float16, ties to even. What is beyond Max by half
// a step or more becomes infinite.
func Of(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, abs := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 // not a number
	case abs >= 0x477ff000: // 65520, half-way to where 2^16 would be
		return sign | 0x7c00
	case abs >= 0x38800000: // 2^-14: normal; exponents differ by 112 in their bias
		abs -= 112 << 23
		return sign | uint16((abs+0xfff+abs>>13&1)>>13)
	case abs < 0x33000000: // below 2^-25, half of the smallest
		return sign
	}
	// Subnormal: a whole number of steps of 2^-24.
	drop := 126 - abs>>23 // 14 to 24 bits of the fraction go
	frac := abs&0x7fffff | 0x800000
	return sign | uint16((frac+1<<(drop-1)-1+frac>>drop&1)>>drop)
}

// From is the float32 of the same value.
func From(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0:
		return math.Float32frombits(math.Float32bits(float32(frac)/(1<<24)) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
