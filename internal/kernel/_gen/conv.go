package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var convArgs = &args{
	name: "convArgs",
	doc: `is one strip of a convolution: for every row b output channels
// of every block, p vectors of pixels wide. Strides are in bytes.`,
	fields: []field{
		{"dst", "unsafe.Pointer", "first pixel of the strip, channel 0, or what channel Out is taken for"},
		{"src", "unsafe.Pointer", "source pixel that offset 0 means there"},
		{"blocks", "unsafe.Pointer", "the first Block"},
		{"end", "unsafe.Pointer", "the last Block"},
		{"first", "int", "bytes to the first weight and bias that are used of a tap's and a block's"},
		{"res", "unsafe.Pointer", "residual's pixel, as dst, nil: none"},
		{"gate", "unsafe.Pointer", "gate's pixel, as dst, nil: none"},
		{"mask", "unsafe.Pointer", "lanes of each row's last vector that are stored (int32), nil: all"},
		{"rows", "int", "rows, at least 1"},
		{"wStep", "int", "from tap to tap of the weights"},
		{"srcRow", "int", ""}, {"dstRow", "int", ""}, {"dstPlane", "int", ""},
		{"resRow", "int", ""}, {"resPlane", "int", ""},
		{"gateRow", "int", ""}, {"gatePlane", "int", ""},
		{"slope", "unsafe.Pointer", "factors of negative sums by channel, as dst, nil: none"},
		{"clip", "unsafe.Pointer", "the lowest and the highest value, nil: none"},
		{"relu", "int", "not 0: negative sums become 0"},
		{"more", "int", "not 0: there is a slope, clip or gate"},
	},
}

// Where a kernel.Block has its fields; kernel.conv_tiles.go holds it to them.
const (
	blockOut    = 8
	blockOff    = 16
	blockTaps   = 24
	blockW      = 40
	blockBias   = 64
	blockGroups = 88
	blockBytes  = 120
)

// convTiles says how wide a strip of b output channels may be: b*p sums and
// what a tap needs beside them fit the registers.
var convTiles = []struct {
	isa  isa
	b, p int
}{
	{avx512, 8, 3}, {avx512, 4, 6}, {avx512, 2, 12}, {avx512, 1, 20},
	{avx2, 4, 3}, {avx2, 2, 6}, {avx2, 1, 10},
}

func convFile() *file {
	f := newFile("conv", convArgs)
	f.caller, f.table = "runConv", "convVariants"
	for _, t := range convTiles {
		for p := 1; p <= t.p; p++ {
			f.conv(t.isa, t.b, p, false)
		}
	}
	for _, t := range convTiles {
		for p := 1; p <= t.p && t.b == groupChannels; p++ {
			f.conv(t.isa, t.b, p, true)
		}
	}
	return f
}

// conv writes the forward micro-kernel of b channels x p vectors. Grouped taps
// are those of each subset of the channels together.
func (f *file) conv(s isa, b, p int, grouped bool) {
	name, op := "conv", "OpConv"
	if grouped {
		name, op = "conv_grouped", "OpConvGrouped"
	}
	f.begin(fmt.Sprintf("%s_f32_%dx%d_%s", name, b, p, s.name), f.row(s, op, b, p))
	c := f.ctx
	src, dst, offEnd, block, wStep := reg.RSI, reg.RDX, reg.R8, reg.R9, reg.R12
	rowsLeft, res, gate := reg.R10, reg.R11, reg.R13
	i, w, at, step := reg.RCX, reg.RBX, reg.RAX, reg.R15
	f.load("src", src)
	f.load("dst", dst)
	if !grouped {
		f.load("wStep", wStep)
	}
	f.load("rows", rowsLeft)
	f.load("res", res)
	f.load("gate", gate)

	acc := func(j, k int) reg.VecPhysical { return s.v(j*p + k) }
	free := b * p // first register that is no sum
	// The mask is loaded once where there are mask registers.
	if s.bytes == 64 {
		f.load("mask", at)
		c.KXNORW(reg.K1, reg.K1, reg.K1)
		c.TESTQ(at, at)
		c.JZ(LabelRef("row"))
		c.VMOVDQU32(mem(at, 0), s.v(0))
		c.VPTESTMD(s.v(0), s.v(0), reg.K1)
	}

	// channel brings the place of the block's first channel into at.
	channel := func(base reg.Register, plane string) {
		c.MOVQ(mem(block, blockOut), at)
		f.load(plane, step)
		c.IMULQ(step, at)
		c.ADDQ(base, at)
	}

	c.Label("row")
	f.load("blocks", block)
	c.Label("block")
	c.MOVQ(mem(block, blockOff), offEnd)
	c.MOVQ(mem(block, blockTaps), i)
	if !grouped {
		c.LEAQ(Mem{Base: offEnd, Index: i, Scale: 4}, offEnd)
	}
	c.MOVQ(mem(block, blockW), w)
	c.MOVQ(mem(block, blockBias), at)
	c.ADDQ(f.args.at(reg.RDI, "first"), w)
	c.ADDQ(f.args.at(reg.RDI, "first"), at)
	for j := range b {
		c.VBROADCASTSS(mem(at, 4*j), acc(j, 0))
		for k := 1; k < p; k++ {
			c.VMOVAPS(acc(j, 0), acc(j, k))
		}
	}
	c.TESTQ(res, res)
	c.JZ(LabelRef("taps"))
	channel(res, "resPlane")
	for j := range b {
		for k := range p {
			c.VADDPS(mem(at, k*s.bytes), acc(j, k), acc(j, k))
		}
		if j < b-1 {
			c.ADDQ(step, at)
		}
	}

	c.Label("taps")
	c.NEGQ(i) // counts up to 0
	c.JZ(LabelRef("store"))
	if grouped {
		c.MOVQ(mem(block, blockGroups), reg.R12)
		f.groups(s, b, p, acc, free, src, offEnd, w)
	} else {
		c.Label("tap")
		c.MOVLQSX(Mem{Base: offEnd, Index: i, Scale: 4}, at)
		f.tap(s, b, p, acc, free, src, at, w)
		c.ADDQ(wStep, w)
		c.INCQ(i)
		c.JNZ(LabelRef("tap"))
	}

	c.Label("store")
	zero := free
	c.CMPQ(f.args.at(reg.RDI, "relu"), Imm(0))
	c.JEQ(LabelRef("more"))
	f.zero(s, zero)
	for j := range b {
		for k := range p {
			// The sum is the second operand: it is what a NaN gives.
			c.VMAXPS(acc(j, k), s.v(zero), acc(j, k))
		}
	}
	c.Label("more")
	c.CMPQ(f.args.at(reg.RDI, "more"), Imm(0))
	c.JEQ(LabelRef("write"))
	f.bend(s, b, p, acc, free, at, block, step)
	c.TESTQ(gate, gate)
	c.JZ(LabelRef("write"))
	f.zero(s, zero)
	channel(gate, "gatePlane")
	for j := range b {
		for k := range p {
			if s.bytes == 64 {
				c.VCMPPS(Imm(less), mem(at, k*s.bytes), s.v(zero), reg.K2)
				c.VMOVAPS_Z(acc(j, k), reg.K2, acc(j, k))
			} else {
				c.VCMPPS(Imm(less), mem(at, k*s.bytes), s.v(zero), s.v(zero+1))
				c.VANDPS(acc(j, k), s.v(zero+1), acc(j, k))
			}
		}
		if j < b-1 {
			c.ADDQ(step, at)
		}
	}

	c.Label("write")
	channel(dst, "dstPlane")
	write := func(last func(j int)) {
		for j := range b {
			for k := range p - 1 {
				c.VMOVUPS(acc(j, k), mem(at, k*s.bytes))
			}
			last(j)
			if j < b-1 {
				c.ADDQ(step, at)
			}
		}
	}
	if s.bytes == 64 {
		write(func(j int) { c.VMOVUPS(acc(j, p-1), reg.K1, mem(at, (p-1)*s.bytes)) })
	} else {
		f.load("mask", i)
		c.TESTQ(i, i)
		c.JNZ(LabelRef("masked"))
		write(func(j int) { c.VMOVUPS(acc(j, p-1), mem(at, (p-1)*s.bytes)) })
		c.JMP(LabelRef("next"))
		c.Label("masked") // vmaskmov is slow on some processors
		c.VMOVUPS(mem(i, 0), s.v(zero))
		write(func(j int) { c.VMASKMOVPS(acc(j, p-1), s.v(zero), mem(at, (p-1)*s.bytes)) })
		c.Label("next")
	}

	c.CMPQ(block, f.args.at(reg.RDI, "end"))
	c.LEAQ(mem(block, blockBytes), block)
	c.JNE(LabelRef("block"))
	c.ADDQ(f.args.at(reg.RDI, "srcRow"), src)
	c.ADDQ(f.args.at(reg.RDI, "dstRow"), dst)
	// The strides of what is not there are 0.
	c.ADDQ(f.args.at(reg.RDI, "resRow"), res)
	c.ADDQ(f.args.at(reg.RDI, "gateRow"), gate)
	c.DECQ(rowsLeft)
	c.JNZ(LabelRef("row"))
	f.end()
}

// less is the predicate of a comparison: ordered, quiet.
const less = 0x11

// bend multiplies negative sums by their channel's slope and clips all.
func (f *file) bend(s isa, b, p int, acc func(j, k int) reg.VecPhysical, free int, at, block, out reg.Register) {
	c := f.ctx
	low, high := s.v(free), s.v(free+1)
	f.load("slope", at)
	c.TESTQ(at, at)
	c.JZ(LabelRef("clip"))
	c.MOVQ(mem(block, blockOut), out)
	c.LEAQ(Mem{Base: at, Index: out, Scale: 4}, at)
	zero, slope, bent := s.v(free), s.v(free+1), s.v(free+2)
	f.zero(s, free)
	for j := range b {
		c.VBROADCASTSS(mem(at, 4*j), slope)
		for k := range p {
			if s.bytes == 64 {
				c.VCMPPS(Imm(less), zero, acc(j, k), reg.K2)
				c.VMULPS(slope, acc(j, k), reg.K2, acc(j, k))
			} else {
				c.VMULPS(slope, acc(j, k), bent)
				c.VBLENDVPS(acc(j, k), bent, acc(j, k), acc(j, k)) // by its sign
			}
		}
	}
	c.Label("clip")
	f.load("clip", at)
	c.TESTQ(at, at)
	c.JZ(LabelRef("gate"))
	c.VBROADCASTSS(mem(at, 0), low)
	c.VBROADCASTSS(mem(at, 4), high)
	for v := range b * p {
		// The sum is the second operand, as above.
		c.VMAXPS(s.v(v), low, s.v(v))
		c.VMINPS(s.v(v), high, s.v(v))
	}
	c.Label("gate")
}

// groupChannels is how many channels share grouped taps.
const groupChannels = 4

// groups adds the taps of every subset of the channels: offsets from off on,
// weights of the subset's channels only from w on.
func (f *file) groups(s isa, b, p int, acc func(j, k int) reg.VecPhysical, free int, src, off, w reg.Register) {
	c := f.ctx
	i, at, offNow, counts := reg.ECX, reg.RAX, reg.R15, reg.R12
	c.MOVQ(off, offNow)
	for subset := 1; subset < 1<<b; subset++ {
		var channels []int
		for j := range b {
			if subset>>j&1 == 1 {
				channels = append(channels, j)
			}
		}
		label, next := fmt.Sprintf("subset%d", subset), fmt.Sprintf("without%d", subset)
		c.MOVL(mem(counts, 4*(subset-1)), i)
		c.TESTL(i, i)
		c.JZ(LabelRef(next))
		c.Label(label)
		c.MOVLQSX(mem(offNow, 0), at)
		of := func(j, k int) reg.VecPhysical { return acc(channels[j], k) }
		if n := len(channels); n == 1 || n > p || free+n < s.vecs {
			f.tap(s, n, p, of, free, src, at, w)
		} else { // one weight at a time, as there is no room for all
			for k := range p {
				c.VMOVUPS(Mem{Base: src, Index: at, Scale: 4, Disp: k * s.bytes}, s.v(free+k))
			}
			for j := range n {
				wj := free + p + j%(s.vecs-free-p)
				c.VBROADCASTSS(mem(w, 4*j), s.v(wj))
				for k := range p {
					c.VFMADD231PS(s.v(free+k), s.v(wj), of(j, k))
				}
			}
		}
		c.ADDQ(Imm(4), offNow)
		c.ADDQ(Imm(uint64(4*len(channels))), w)
		c.DECL(i)
		c.JNZ(LabelRef(label))
		c.Label(next)
	}
}

// tap adds one tap: b weights at w times p source vectors at src+4*off. The
// smaller of the two groups stays in registers where there is room.
func (f *file) tap(s isa, b, p int, acc func(j, k int) reg.VecPhysical, free int, src, off, w reg.Register) {
	c := f.ctx
	in := func(k int) Mem { return Mem{Base: src, Index: off, Scale: 4, Disp: k * s.bytes} }
	spare := s.vecs - free
	switch {
	case b == 1: // every source vector is used once: straight from memory
		c.VBROADCASTSS(mem(w, 0), s.v(free))
		for k := range p {
			c.VFMADD231PS(in(k), s.v(free), acc(0, k))
		}
	case p < b: // sources stay, weights pass by
		for k := range p {
			c.VMOVUPS(in(k), s.v(free+k))
		}
		for j := range b {
			wj := free + p + j%(spare-p)
			c.VBROADCASTSS(mem(w, 4*j), s.v(wj))
			for k := range p {
				c.VFMADD231PS(s.v(free+k), s.v(wj), acc(j, k))
			}
		}
	default: // weights stay, sources pass by
		for j := range b {
			c.VBROADCASTSS(mem(w, 4*j), s.v(free+j))
		}
		for k := range p {
			vk := free + b + k%(spare-b)
			c.VMOVUPS(in(k), s.v(vk))
			for j := range b {
				c.VFMADD231PS(s.v(vk), s.v(free+j), acc(j, k))
			}
		}
	}
}
