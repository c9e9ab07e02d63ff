package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var q8ConvArgs = &args{
	name: "convArgs",
	doc: `is one strip of a convolution: rows of every block's quad of
// channels, p vectors of pixels wide. Strides are in bytes, 0 where there is nothing.`,
	fields: []field{
		{"dst", "unsafe.Pointer", "first pixel of the strip, block 0's"},
		{"copy", "unsafe.Pointer", "the bytes' of a stream, as dst, nil: none"},
		{"res", "unsafe.Pointer", "what is added, as dst, nil: none"},
		{"src", "unsafe.Pointer", "source pixel that offset 0 means there"},
		{"blocks", "unsafe.Pointer", "the first block"},
		{"end", "unsafe.Pointer", "the last block"},
		{"tables", "unsafe.Pointer", ""},
		{"tail", "int", "pixels of each row's last vector that are stored, at least 1"},
		{"rows", "int", "rows, at least 1"},
		{"kind", "int", "0: bytes, 1: stream, 2: rows"},
		{"bias", "int", "not 0: the blocks' biases are added"},
		{"slope", "int", "not 0: negative values are multiplied by the blocks' slopes"},
		{"add", "int", "not 0: there is a zero point"},
		{"clip", "int", "not 0: there is a lowest or a highest byte"},
		{"codes", "[4]int16", "zero point, factor of a stream's bytes, lowest, highest"},
		{"srcRow", "int", ""},
		{"dstRow", "int", ""}, {"dstQuad", "int", ""}, {"dstPlane", "int", "a channel of rows"},
		{"resRow", "int", ""}, {"resQuad", "int", ""}, {"resPlane", "int", ""},
		{"copyRow", "int", ""}, {"copyQuad", "int", ""},
	},
}

// Where a q8.block has its fields; tiles.go holds the struct to them.
const (
	q8Quad   = 0
	q8Of     = 8
	q8Off    = 16
	q8Taps   = 24
	q8W      = 40
	q8Start  = 64
	q8Signed = 80
	q8Scale  = 96
	q8Bias   = 112
	q8Slope  = 128
	q8Size   = 144
)

func q8ConvFile() *file {
	f := newFileOf("q8", "conv", q8ConvArgs)
	f.caller, f.table = "runConv", "convVariants"
	for _, s := range q8ISAs {
		for p := 1; p <= s.tile; p++ {
			f.q8Conv(s, p)
		}
	}
	return f
}

// q8Conv writes the micro-kernel of a quad of channels x p vectors.
func (f *file) q8Conv(s q8ISA, p int) {
	f.begin(fmt.Sprintf("conv_u8s8_%dx%d_%s", q8Outs, p, s.name), s.row8("OpConv", p))
	c := f.ctx
	src, dst, res, copied := reg.RSI, reg.R11, reg.RDX, reg.R12
	offEnd, block, rowsLeft, tables := reg.R8, reg.R9, reg.R10, reg.R13
	i, w, at, step := reg.RCX, reg.RBX, reg.RAX, reg.R15
	t := q8Place{s.isa, p, tables}
	wide := s.bytes == 64
	for _, a := range []struct {
		name string
		r    reg.Register
	}{{"src", src}, {"dst", dst}, {"res", res}, {"copy", copied}, {"rows", rowsLeft}, {"tables", tables}} {
		f.load(a.name, a.r)
	}
	if wide { // pixels of bytes and rows in K1, of a stream's two vectors in K2 and K3
		f.load("tail", i)
		c.MOVL(U32(1), reg.EAX)
		c.SHLL(reg.CL, reg.EAX)
		c.DECL(reg.EAX)
		c.KMOVW(reg.EAX, reg.K1)
		c.KMOVW(reg.K1, reg.K2)
		c.KSHIFTRW(Imm(8), reg.K1, reg.K3)
	}
	if s.name == avx2Pairs.name {
		c.VPCMPEQW(s.v(ones16), s.v(ones16), s.v(ones16))
		c.VPSRLW(Imm(15), s.v(ones16), s.v(ones16))
	}

	c.Label("row")
	f.load("blocks", block)
	c.Label("block")
	c.MOVQ(mem(block, q8Off), offEnd)
	c.MOVQ(mem(block, q8Taps), i)
	c.LEAQ(Mem{Base: offEnd, Index: i, Scale: 4}, offEnd)
	c.MOVQ(mem(block, q8W), w)
	for j := range q8Outs {
		c.VPBROADCASTD(mem(block, q8Start+4*j), t.acc(j, 0))
		for k := 1; k < p; k++ {
			f.copyVec(s.isa, j*p, j*p+k)
		}
	}
	c.NEGQ(i) // counts up to 0
	c.JZ(LabelRef("store"))
	c.Label("tap")
	c.MOVLQSX(Mem{Base: offEnd, Index: i, Scale: 4}, at)
	f.q8Tap(s, p, src, at, w)
	c.ADDQ(Imm(16), w)
	c.INCQ(i)
	c.JNZ(LabelRef("tap"))

	c.Label("store")
	for j := range q8Outs {
		c.VBROADCASTSS(mem(block, q8Scale+4*j), t.free(0))
		for k := range p {
			c.VCVTDQ2PS(t.acc(j, k), t.acc(j, k))
			c.VMULPS(t.free(0), t.acc(j, k), t.acc(j, k))
		}
	}
	c.CMPQ(f.args.at(reg.RDI, "bias"), Imm(0))
	c.JEQ(LabelRef("bend"))
	for j := range q8Outs {
		c.VBROADCASTSS(mem(block, q8Bias+4*j), t.free(0))
		for k := range p {
			c.VADDPS(t.free(0), t.acc(j, k), t.acc(j, k))
		}
	}
	c.Label("bend")
	c.CMPQ(f.args.at(reg.RDI, "slope"), Imm(0))
	c.JEQ(LabelRef("kinds"))
	f.q8Slope(t, block)
	c.Label("kinds")

	// place is the block's place in a tensor of quads.
	place := func(base reg.Register, stride string) {
		c.MOVQ(mem(block, q8Quad), at)
		c.IMULQ(f.args.at(reg.RDI, stride), at)
		c.ADDQ(base, at)
	}
	c.CMPQ(f.args.at(reg.RDI, "kind"), Imm(1))
	c.JEQ(LabelRef("stream"))
	c.JGT(LabelRef("rows"))
	t.each(func(v reg.VecPhysical) { c.VCVTPS2DQ(v, v) })
	f.q8Bytes(t, "bytes_")
	place(dst, "dstQuad")
	f.q8StoreBytes(t, at, i, "bytes_")
	c.Label("next")
	c.CMPQ(block, f.args.at(reg.RDI, "end"))
	c.LEAQ(mem(block, q8Size), block)
	c.JNE(LabelRef("block"))
	c.ADDQ(f.args.at(reg.RDI, "srcRow"), src)
	c.ADDQ(f.args.at(reg.RDI, "dstRow"), dst)
	c.ADDQ(f.args.at(reg.RDI, "resRow"), res)
	c.ADDQ(f.args.at(reg.RDI, "copyRow"), copied)
	c.DECQ(rowsLeft)
	c.JNZ(LabelRef("row"))
	f.end()

	c.Label("stream")
	t.each(func(v reg.VecPhysical) { c.VCVTPS2DQ(v, v) })
	f.q8Words(t)
	c.TESTQ(res, res)
	c.JZ(LabelRef("summed"))
	place(res, "resQuad")
	for k := range p {
		c.VPADDSW(mem(at, 2*k*s.bytes), t.acc(2, k), t.acc(2, k))
		c.VPADDSW(mem(at, (2*k+1)*s.bytes), t.acc(0, k), t.acc(0, k))
	}
	c.Label("summed")
	place(dst, "dstQuad")
	f.q8StoreWords(t, at, i, step)
	c.TESTQ(copied, copied)
	c.JZ(LabelRef("next"))
	f.q8Narrow(t, "copy_")
	place(copied, "copyQuad")
	f.q8StoreBytes(t, at, i, "copy_")
	c.JMP(LabelRef("next"))

	c.Label("rows")
	c.TESTQ(res, res)
	c.JZ(LabelRef("added"))
	place(res, "resQuad")
	f.load("resPlane", step)
	f.q8Channels(block, at, step, "added", func(j int) {
		for k := range p {
			c.VADDPS(mem(at, k*s.bytes), t.acc(j, k), t.acc(j, k))
		}
	})
	c.Label("added")
	place(dst, "dstQuad")
	f.load("dstPlane", step)
	f.q8StoreRows(t, block, at, step, i)
	c.JMP(LabelRef("next"))
}

// q8Tap adds a tap: the weights of a quad of channels at w times the source at
// src+4*off. Weights stay in registers where there is room, else sources.
func (f *file) q8Tap(s q8ISA, p int, src, off, w reg.Register) {
	c := f.ctx
	in := func(k int) Mem { return Mem{Base: src, Index: off, Scale: 4, Disp: k * s.bytes} }
	free := q8Outs * p
	if s.bytes == 64 {
		for j := range q8Outs {
			c.VPBROADCASTD(mem(w, 4*j), s.v(free+j))
		}
		for k := range p {
			v := free + q8Outs + k%(s.vecs-free-q8Outs)
			f.loadVec(s.isa, in(k), v)
			for j := range q8Outs {
				s.dot(f, s, free+j, v, j*p+k)
			}
		}
		return
	}
	for k := range p {
		f.loadVec(s.isa, in(k), free+k)
	}
	for j := range q8Outs {
		c.VPBROADCASTD(mem(w, 4*j), s.v(free+p))
		for k := range p {
			s.dot(f, s, free+p, free+k, j*p+k)
		}
	}
}

// q8Slope multiplies negative values by their channel's slope.
func (f *file) q8Slope(t q8Place, block reg.Register) {
	c := f.ctx
	zero, slope, mask, bent := t.free(0), t.free(1), t.free(2), t.free(3)
	f.zero(t.s, q8Outs*t.p)
	for j := range q8Outs {
		c.VBROADCASTSS(mem(block, q8Slope+4*j), slope)
		for k := range t.p {
			v := t.acc(j, k)
			if t.s.bytes == 64 {
				c.VCMPPS(Imm(less), zero, v, reg.K4)
				c.VMULPS(slope, v, reg.K4, v)
			} else {
				c.VCMPPS(Imm(less), zero, v, mask)
				c.VMULPS(slope, v, bent)
				c.VBLENDVPS(mask, bent, v, v)
			}
		}
	}
}

// q8Whole writes stores of a whole last vector and of a part of it where there are
// no mask registers; what loads a mask finds tail in i.
func (f *file) q8Whole(t q8Place, i reg.Register, prefix string, masks func(), stores func(masked bool)) {
	if t.s.bytes == 64 {
		stores(true)
		return
	}
	c := f.ctx
	f.load("tail", i)
	c.CMPQ(i, Imm(uint64(t.s.bytes/4)))
	c.JNE(LabelRef(prefix + "masked"))
	stores(false)
	c.JMP(LabelRef(prefix + "stored"))
	c.Label(prefix + "masked") // always, vmaskmov would be slow on some processors
	c.NEGQ(i)
	masks()
	stores(true)
	c.Label(prefix + "stored")
}

// tailMask loads the mask of a vector's 32-bit lanes; i is minus their number.
func (f *file) tailMask(t q8Place, i reg.Register, v int) {
	f.ctx.VMOVDQU(Mem{Base: t.tables, Index: i, Scale: 4, Disp: tableTail32 + 4*8}, t.free(v))
}

// q8StoreBytes stores the quads in acc(0, k).
func (f *file) q8StoreBytes(t q8Place, at, i reg.Register, prefix string) {
	f.q8Whole(t, i, prefix, func() { f.tailMask(t, i, 0) }, func(masked bool) {
		for k := range t.p {
			to := mem(at, k*t.s.bytes)
			switch {
			case k < t.p-1 || !masked:
				f.storeVec(t.s, k, to)
			case t.s.bytes == 64:
				f.ctx.VMOVDQU32(t.acc(0, k), reg.K1, to)
			default:
				f.ctx.VPMASKMOVD(t.acc(0, k), t.free(0), to)
			}
		}
	})
}

// q8StoreWords stores the quads in acc(2, k) and acc(0, k).
func (f *file) q8StoreWords(t q8Place, at, i, step reg.Register) {
	c := f.ctx
	f.q8Whole(t, i, "stream_", func() {
		mask := Mem{Base: t.tables, Index: i, Scale: 8, Disp: tableTail64 + 8*8}
		c.VMOVDQU(mask, t.free(0))
		mask.Disp += 32
		c.VMOVDQU(mask, t.free(1))
	}, func(masked bool) {
		for k := range t.p {
			for half, v := range []int{2*t.p + k, k} {
				to := mem(at, (2*k+half)*t.s.bytes)
				switch {
				case k < t.p-1 || !masked:
					f.storeVec(t.s, v, to)
				case t.s.bytes == 64:
					c.VMOVDQU64(t.s.v(v), []reg.OpmaskPhysical{reg.K2, reg.K3}[half], to)
				default:
					c.VPMASKMOVQ(t.s.v(v), t.free(half), to)
				}
			}
		}
	})
}

// q8Channels does something for each channel that the block has, at steps from
// one to the next, and then jumps to done.
func (f *file) q8Channels(block, at, step reg.Register, done string, each func(j int)) {
	for j := range q8Outs {
		if j > 0 {
			f.ctx.CMPQ(mem(block, q8Of), Imm(uint64(j)))
			f.ctx.JLE(LabelRef(done))
			f.ctx.ADDQ(step, at)
		}
		each(j)
	}
}

// q8StoreRows stores the channels as rows of float32.
func (f *file) q8StoreRows(t q8Place, block, at, step, i reg.Register) {
	f.q8Whole(t, i, "rows_", func() { f.tailMask(t, i, 0) }, func(masked bool) {
		done := "rows_stored"
		if t.s.bytes == 64 {
			done = "next"
		}
		f.q8Channels(block, at, step, done, func(j int) {
			for k := range t.p {
				to := mem(at, k*t.s.bytes)
				switch {
				case k < t.p-1 || !masked:
					f.ctx.VMOVUPS(t.acc(j, k), to)
				case t.s.bytes == 64:
					f.ctx.VMOVUPS(t.acc(j, k), reg.K1, to)
				default:
					f.ctx.VMASKMOVPS(t.acc(j, k), t.free(0), to)
				}
			}
		})
	})
}
