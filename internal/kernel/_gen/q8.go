package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// q8ISA is an instruction set with its way to multiply bytes.
type q8ISA struct {
	isa
	tile int // vectors of pixels of the widest tile
	dot  func(f *file, s q8ISA, w, src, acc int)
}

var (
	avx512VNNI = q8ISA{isa{"avx512vnni", 64, 32, "Needs: needsAVX512VNNI, Runs: hasAVX512VNNI, MaxWeight: 128"}, 6, dotEVEX}
	avxVNNI    = q8ISA{isa{"avxvnni", 32, 16, "Needs: needsAVXVNNI, Runs: hasAVXVNNI, MaxWeight: 128"}, 3, dotVEX}
	avx2Pairs  = q8ISA{isa{"avx2", 32, 16, "Needs: needsAVX2, Runs: hasAVX2, MaxWeight: 64"}, 2, dotPairs}

	q8ISAs = []q8ISA{avx512VNNI, avxVNNI, avx2Pairs}
)

// q8Outs is the output channels of a tile: a quad.
const q8Outs = 4

// row8 is a kernel's row of the table of variants.
func (s isa) row8(op string, p int) string {
	return fmt.Sprintf("Op: %s, ISA: %q, P: %d, Lanes: %d, %s", op, s.name, p, s.bytes/4, s.row)
}

// dotEVEX adds the products of four bytes a lane: avo lacks the instruction, Go's
// assembler has it.
func dotEVEX(f *file, s q8ISA, w, src, acc int) {
	f.ctx.Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []Op{s.v(w), s.v(src), s.v(acc)}})
}

// dotVEX is the same in the encoding of processors without AVX-512, which Go's
// assembler lacks (Intel SDM volume 2: VEX.256.66.0F38.W0 50 /r).
func dotVEX(f *file, s q8ISA, w, src, acc int) {
	for _, b := range vpdpbusdVEX(w, src, acc) {
		f.ctx.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(b)}})
	}
}

// vpdpbusdVEX is the code of vpdpbusd ymm(acc), ymm(src), ymm(w).
func vpdpbusdVEX(w, src, acc int) []byte {
	for _, r := range []int{w, src, acc} {
		if r < 0 || r > 15 {
			panic(fmt.Sprintf("no register %d", r))
		}
	}
	const x, map0F38 = 0x40, 2
	notR, notB := byte(^acc>>3&1), byte(^w>>3&1)
	return []byte{
		0xc4,
		notR<<7 | x | notB<<5 | map0F38,
		byte(^src&15)<<3 | 1<<2 | 1, // 256 bits, 66
		0x50,
		0xc0 | byte(acc&7)<<3 | byte(w&7),
	}
}

// ones16 is the register of 16-bit ones that dotPairs takes.
const ones16 = 15

// dotPairs multiplies bytes and adds the pairs in 16 bits, which weights of at
// most 64 leave room for.
func dotPairs(f *file, s q8ISA, w, src, acc int) {
	const tmp = 14
	f.ctx.VPMADDUBSW(s.v(w), s.v(src), s.v(tmp))
	f.ctx.VPMADDWD(s.v(ones16), s.v(tmp), s.v(tmp))
	f.ctx.VPADDD(s.v(tmp), s.v(acc), s.v(acc))
}

// Where q8's tables have what permutations and masks take; tiles.go holds the
// struct to them.
const (
	tableQuad   = 0   // 16 bytes: bytes of four channels to quads
	tablePair   = 16  // 16 bytes: words of two channels to pairs
	tableWeave  = 32  // 2 x 16 int32: pairs of two vectors to quads
	tableEven   = 160 // 8 int64: even ones, then odd ones
	tableLimits = 224 // 2 float32: those of 16 bits
	tableTail32 = 232 // 16 int32: 8 ones, 8 zeros
	tableTail64 = 296 // 16 int64: likewise
)

// q8Codes is the field of four 16-bit numbers that the last steps take.
const (
	codeZero   = 0
	codeFactor = 2
	codeLow    = 4
	codeHigh   = 6
)

// copyVec moves a vector register.
func (f *file) copyVec(s isa, from, to int) {
	if s.bytes == 64 {
		f.ctx.VMOVDQA64(s.v(from), s.v(to))
	} else {
		f.ctx.VMOVDQA(s.v(from), s.v(to))
	}
}

// loadVec and storeVec move whole vectors.
func (f *file) loadVec(s isa, from Mem, to int) {
	if s.bytes == 64 {
		f.ctx.VMOVDQU64(from, s.v(to))
	} else {
		f.ctx.VMOVDQU(from, s.v(to))
	}
}

func (f *file) storeVec(s isa, from int, to Mem) {
	if s.bytes == 64 {
		f.ctx.VMOVDQU64(s.v(from), to)
	} else {
		f.ctx.VMOVDQU(s.v(from), to)
	}
}

// q8Place is where the last steps find their numbers: a tile of four channels x p
// vectors lies in registers 0 to 4*p-1, free ones follow.
type q8Place struct {
	s      isa
	p      int
	tables reg.Register
}

func (t q8Place) acc(j, k int) reg.VecPhysical { return t.s.v(j*t.p + k) }
func (t q8Place) free(i int) reg.VecPhysical   { return t.s.v(q8Outs*t.p + i) }

// row is a channel's registers.
func (t q8Place) row(j int) func(k int) reg.VecPhysical {
	return func(k int) reg.VecPhysical { return t.acc(j, k) }
}

// each calls for every register of the tile.
func (t q8Place) each(call func(v reg.VecPhysical)) {
	for v := range q8Outs * t.p {
		call(t.s.v(v))
	}
}

// q8Bytes turns 32-bit numbers into quads of bytes, in acc(0, k). prefix makes its
// labels a kernel's own.
func (f *file) q8Bytes(t q8Place, prefix string) {
	c := f.ctx
	for k := range t.p {
		c.VPACKSSDW(t.acc(1, k), t.acc(0, k), t.acc(0, k))
		c.VPACKSSDW(t.acc(3, k), t.acc(2, k), t.acc(2, k))
	}
	f.q8AddZero(t, prefix)
	for k := range t.p {
		c.VPACKUSWB(t.acc(2, k), t.acc(0, k), t.acc(0, k))
	}
	f.q8Clip(t, prefix)
	quad := Mem{Base: t.tables, Disp: tableQuad}
	if t.s.bytes == 64 {
		c.VBROADCASTI32X4(quad, t.free(0))
	} else {
		c.VBROADCASTI128(quad, t.free(0))
	}
	for k := range t.p {
		c.VPSHUFB(t.free(0), t.acc(0, k), t.acc(0, k))
	}
}

// q8AddZero adds the zero point, where there is one, to the words in acc(0, k) and
// acc(2, k).
func (f *file) q8AddZero(t q8Place, prefix string) {
	c := f.ctx
	c.CMPQ(f.args.at(reg.RDI, "add"), Imm(0))
	c.JEQ(LabelRef(prefix + "zero"))
	c.VPBROADCASTW(mem(reg.RDI, f.args.offset("codes")+codeZero), t.free(0))
	for k := range t.p {
		c.VPADDSW(t.free(0), t.acc(0, k), t.acc(0, k))
		c.VPADDSW(t.free(0), t.acc(2, k), t.acc(2, k))
	}
	c.Label(prefix + "zero")
}

// q8Clip holds the bytes in acc(0, k) to the lowest and the highest.
func (f *file) q8Clip(t q8Place, prefix string) {
	c := f.ctx
	c.CMPQ(f.args.at(reg.RDI, "clip"), Imm(0))
	c.JEQ(LabelRef(prefix + "clipped"))
	c.VPBROADCASTB(mem(reg.RDI, f.args.offset("codes")+codeLow), t.free(0))
	c.VPBROADCASTB(mem(reg.RDI, f.args.offset("codes")+codeHigh), t.free(1))
	for k := range t.p {
		c.VPMAXUB(t.free(0), t.acc(0, k), t.acc(0, k))
		c.VPMINUB(t.free(1), t.acc(0, k), t.acc(0, k))
	}
	c.Label(prefix + "clipped")
}

// q8Words turns 32-bit numbers into quads of 16 bits, the first half of a vector's
// pixels in acc(2, k), the second in acc(0, k).
func (f *file) q8Words(t q8Place) {
	c := f.ctx
	a, b, lo, hi := t.row(0), t.row(1), t.row(2), t.row(3)
	if t.s.bytes == 64 {
		f.loadVec(t.s, Mem{Base: t.tables, Disp: tableWeave}, q8Outs*t.p)
		f.loadVec(t.s, Mem{Base: t.tables, Disp: tableWeave + 64}, q8Outs*t.p+1)
		c.VBROADCASTI32X4(Mem{Base: t.tables, Disp: tablePair}, t.free(2))
		for k := range t.p {
			c.VPACKSSDW(b(k), a(k), a(k))
			c.VPACKSSDW(hi(k), lo(k), lo(k))
			c.VPSHUFB(t.free(2), a(k), a(k)) // pairs of channels 0 and 1, by pixels
			c.VPSHUFB(t.free(2), lo(k), b(k))
			f.copyVec(t.s, k, 2*t.p+k)
			c.VPERMT2D(b(k), t.free(0), lo(k))
			c.VPERMT2D(b(k), t.free(1), a(k))
		}
		return
	}
	for k := range t.p {
		c.VPACKSSDW(lo(k), a(k), a(k))   // channels 0 and 2
		c.VPACKSSDW(hi(k), b(k), b(k))   // channels 1 and 3
		c.VPUNPCKLWD(b(k), a(k), lo(k))  // channels 0 and 1
		c.VPUNPCKHWD(b(k), a(k), hi(k))  // channels 2 and 3
		c.VPUNPCKLDQ(hi(k), lo(k), a(k)) // quads, the first two of each lane's four
		c.VPUNPCKHDQ(hi(k), lo(k), b(k))
		c.VPERM2I128(Imm(0x20), b(k), a(k), lo(k))
		c.VPERM2I128(Imm(0x31), b(k), a(k), a(k))
	}
}

// q8Narrow turns the quads of q8Words into bytes, in acc(0, k).
func (f *file) q8Narrow(t q8Place, prefix string) {
	c := f.ctx
	c.VPBROADCASTW(mem(reg.RDI, f.args.offset("codes")+codeFactor), t.free(0))
	for k := range t.p {
		c.VPMULHRSW(t.free(0), t.acc(2, k), t.acc(2, k))
		c.VPMULHRSW(t.free(0), t.acc(0, k), t.acc(0, k))
	}
	f.q8AddZero(t, prefix)
	if t.s.bytes == 64 {
		f.loadVec(t.s, Mem{Base: t.tables, Disp: tableEven}, q8Outs*t.p+2)
	}
	for k := range t.p {
		a := t.acc(0, k)
		c.VPACKUSWB(a, t.acc(2, k), a)
		if t.s.bytes == 64 {
			c.VPERMQ(a, t.free(2), a)
		} else {
			c.VPERMQ(Imm(0xd8), a, a)
		}
	}
	f.q8Clip(t, prefix)
}
