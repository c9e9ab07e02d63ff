package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q8PackArgs = &args{
	name: "packArgs",
	doc:  "is n vectors of pixels of a row of a quad, at least one.",
	fields: []field{
		{"dst", "unsafe.Pointer", "what is written"},
		{"copy", "unsafe.Pointer", "the bytes' of a stream, nil: none"},
		{"src", "unsafe.Pointer", "what is read: a stream, or the quad's first channel"},
		{"tables", "unsafe.Pointer", ""},
		{"plane", "int", "bytes from channel to channel of the source"},
		{"of", "int", "channels of the quad, the others are 0"},
		{"n", "int", "vectors"},
		{"add", "int", "not 0: there is a zero point"},
		{"clip", "int", "not 0: there is a lowest or a highest byte"},
		{"codes", "[4]int16", "zero point, factor of a stream's bytes, lowest, highest"},
		{"scale", "[2]float32", "values are multiplied by the first; the second pads"},
	},
}

func q8PackFile() *file {
	f := newFileOf("q8", "pack", q8PackArgs)
	f.caller, f.table = "runPack", "packVariants"
	for _, s := range q8ISAs {
		f.q8Pack(s, "pack_f32_u8_", "OpPack")
		f.q8Pack(s, "pack_f32_s16_", "OpPackStream")
		f.q8NarrowRow(s)
	}
	return f
}

// q8Loop does something for every vector; it moves dst by size vectors each.
func (f *file) q8Loop(s q8ISA, size int, body func(t q8Place)) {
	c := f.ctx
	f.load("src", reg.RSI)
	f.load("dst", reg.R11)
	f.load("tables", reg.R13)
	f.load("copy", reg.R12)
	f.load("n", reg.R10)
	c.Label("vector")
	body(q8Place{s.isa, 1, reg.R13})
	c.ADDQ(Imm(uint64(size*s.bytes)), reg.R11)
	c.DECQ(reg.R10)
	c.JNZ(LabelRef("vector"))
	f.end()
}

// q8Pack writes the loop from rows of float32 to quads of bytes, or to a stream
// and its bytes.
func (f *file) q8Pack(s q8ISA, name, op string) {
	f.begin(name+s.name, s.row8(op, 0))
	c := f.ctx
	stream, size := op == "OpPackStream", 1
	if stream {
		size = 2
	}
	f.q8Loop(s, size, func(t q8Place) {
		for j := 1; j < q8Outs; j++ {
			f.zero(s.isa, j)
		}
		c.MOVQ(reg.RSI, reg.RAX)
		f.load("plane", reg.R15)
		for j := range q8Outs {
			if j > 0 {
				c.CMPQ(f.args.at(reg.RDI, "of"), Imm(uint64(j)))
				c.JLE(LabelRef("loaded"))
				c.ADDQ(reg.R15, reg.RAX)
			}
			c.VMOVUPS(mem(reg.RAX, 0), t.acc(j, 0))
		}
		c.Label("loaded")
		low, high, scale := t.free(0), t.free(1), t.free(2)
		c.VBROADCASTSS(mem(reg.R13, tableLimits), low)
		c.VBROADCASTSS(mem(reg.R13, tableLimits+4), high)
		c.VBROADCASTSS(f.args.at(reg.RDI, "scale"), scale)
		t.each(func(v reg.VecPhysical) {
			c.VMULPS(scale, v, v)
			c.VMAXPS(low, v, v) // low is the second operand: it is what a NaN gives
			c.VMINPS(high, v, v)
			c.VCVTPS2DQ(v, v)
		})
		c.ADDQ(Imm(uint64(s.bytes)), reg.RSI)
		if !stream {
			f.q8Bytes(t, "")
			f.storeVec(s.isa, 0, mem(reg.R11, 0))
			return
		}
		f.q8Words(t)
		f.storeVec(s.isa, 2, mem(reg.R11, 0))
		f.storeVec(s.isa, 0, mem(reg.R11, s.bytes))
		c.TESTQ(reg.R12, reg.R12)
		c.JZ(LabelRef("copied"))
		f.q8Narrow(t, "")
		f.storeVec(s.isa, 0, mem(reg.R12, 0))
		c.ADDQ(Imm(uint64(s.bytes)), reg.R12)
		c.Label("copied")
	})
}

// q8NarrowRow writes the loop from a stream to its bytes.
func (f *file) q8NarrowRow(s q8ISA) {
	f.begin("narrow_s16_u8_"+s.name, s.row8("OpNarrow", 0))
	f.q8Loop(s, 1, func(t q8Place) {
		f.loadVec(s.isa, mem(reg.RSI, 0), 2)
		f.loadVec(s.isa, mem(reg.RSI, s.bytes), 0)
		f.ctx.ADDQ(Imm(uint64(2*s.bytes)), reg.RSI)
		f.q8Narrow(t, "")
		f.storeVec(s.isa, 0, mem(reg.R11, 0))
	})
}

var q8ProbeArgs = &args{
	name:   "probeArgs",
	doc:    "asks for rounds of arithmetic in registers alone.",
	fields: []field{{"rounds", "int", "at least 1"}},
}

// q8ProbeSums hides the latency of two products a cycle.
const q8ProbeSums = 12

func q8ProbeFile() *file {
	f := newFileOf("q8", "probe", q8ProbeArgs)
	f.caller, f.table = "runProbe", "probeVariants"
	for _, s := range q8ISAs {
		f.begin("probe_u8s8_12_"+s.name, s.row8("OpProbe", q8ProbeSums))
		c := f.ctx
		f.load("rounds", reg.RCX)
		for i := range q8ProbeSums + 4 {
			f.zero(s.isa, i)
		}
		c.Label("round")
		for i := range q8ProbeSums {
			s.dot(f, s, q8ProbeSums, q8ProbeSums+1, i)
		}
		c.DECQ(reg.RCX)
		c.JNZ(LabelRef("round"))
		f.end()
	}
	return f
}
