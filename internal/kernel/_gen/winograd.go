package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The three steps of a convolution by Winograd's F(4x4, 3x3) on a strip of one
// row of tiles, a vector's lanes being tiles: In transforms source pixels, Mul
// multiplies at each of the 36 points, Out transforms back and stores. The
// points along a side are 0, ±sqrt(1/2), ±sqrt(2) and infinity.
//
// Lane 4*l+k of a vector is tile number l+k*lanes/4 of its strip's: what a 4x4
// transposition within 16-byte lanes gives.

const (
	points     = 36
	pointsSide = 6
	// winogradMost is how many vectors of tiles a strip has at most.
	winogradMost = 3
)

var winogradArgs = &args{
	name: "winogradArgs",
	doc:  `is one step of a strip of Winograd tiles. Strides are in bytes.`,
	fields: []field{
		{"row0", "unsafe.Pointer", "In: the tiles' source rows, first channel, one vector left of the strip"},
		{"row1", "unsafe.Pointer", ""}, {"row2", "unsafe.Pointer", ""}, {"row3", "unsafe.Pointer", ""},
		{"row4", "unsafe.Pointer", ""}, {"row5", "unsafe.Pointer", ""},
		{"step0", "int", "In: of the rows, from channel to channel"},
		{"step1", "int", ""}, {"step2", "int", ""}, {"step3", "int", ""}, {"step4", "int", ""}, {"step5", "int", ""},
		{"mask", "unsafe.Pointer", "lanes of the rows (int32) that are read or stored, nil: all"},
		{"channels", "int", "In, Mul: input channels. Out: output channels"},
		{"vectors", "int", "of tiles"},
		{"middle", "unsafe.Pointer", "In, Out: room for 6*14 vectors"},
		{"numbers", "unsafe.Pointer", "In, Out: constants"},
		{"beside", "unsafe.Pointer", "In: two vectors of lane numbers (int32), of the tiles before and of those after, and of what lies beyond"},
		{"v", "unsafe.Pointer", "transformed source: point, channel, vector"},
		{"vStep", "int", "from point to point"},
		{"u", "unsafe.Pointer", "Mul: transformed weights: point, input channel, output channel"},
		{"m", "unsafe.Pointer", "products: point, output channel, vector; points are OpWinogradOut's P vectors apart"},
		{"dst", "unsafe.Pointer", "Out: first pixel, first channel"},
		{"dstRow", "int", ""}, {"dstPlane", "int", ""},
		{"res", "unsafe.Pointer", "Out: residual's pixel, nil: none"},
		{"resRow", "int", ""}, {"resPlane", "int", ""},
		{"bias", "unsafe.Pointer", "Out: by channel"},
		{"slope", "unsafe.Pointer", "Out: factors of negative values by channel, nil: none"},
		{"clip", "unsafe.Pointer", "Out: the lowest and the highest value, nil: none"},
		{"relu", "int", "Out: not 0: negative values become 0"},
		{"off0", "int", "In: of the rows, to the current channel"},
		{"off1", "int", ""}, {"off2", "int", ""}, {"off3", "int", ""}, {"off4", "int", ""}, {"off5", "int", ""},
		{"lift", "int", "Out: from dst to the tiles' first row"}, {"resLift", "int", "of res"},
		{"done", "int", "Out: channels that are done, four bytes each"},
		{"first", "int", "Out: rows of the tiles that are stored"}, {"last", "int", ""},
	},
}

// winogradTiles are b output channels x p vectors of tiles.
var winogradTiles = []struct {
	isa isa
	b   []int
}{
	{avx512, []int{8, 4, 2, 1}},
	{avx2, []int{4, 2, 1}},
}

func winogradFile() *file {
	f := newFile("winograd", winogradArgs)
	f.caller, f.table = "runWinograd", "winogradVariants"
	for _, t := range winogradTiles {
		f.winogradIn(t.isa)
		for _, b := range t.b {
			for p := 1; p <= winogradMost; p++ {
				f.winogradMul(t.isa, b, p, t.b[0]*winogradMost)
			}
		}
		f.winogradOut(t.isa, t.b[0]*winogradMost)
	}
	return f
}

// middleRow is how many vectors lie between the rows of a strip that is
// transformed down its columns only. Beside its pixels there is one on the left
// and one on the right, of which tiles need one pixel: so all loads are aligned.
const middleRow = 4*winogradMost + 2

// winogradIn reads 6 rows of all input channels. Numbers are 5/2, 2, 1/2,
// sqrt(1/2), sqrt(2).
func (f *file) winogradIn(s isa) {
	f.begin("winograd_in_f32_"+s.name, f.row(s, "OpWinogradIn", 0, 0))
	c := f.ctx
	const constants = 5
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	var beside []reg.VecPhysical
	if s.bytes == 64 {
		beside = append(beside, s.v(k-2), s.v(k-1))
		f.load("beside", reg.RAX)
		c.VMOVDQU32(mem(reg.RAX, 0), beside[0])
		c.VMOVDQU32(mem(reg.RAX, s.bytes), beside[1])
	}
	var d [pointsSide]reg.VecPhysical
	for i := range d {
		d[i] = s.v(i)
	}
	transform := func(emit func(j int, v reg.VecPhysical)) {
		sum, twice, half, small, large := s.v(k), s.v(k+1), s.v(k+2), s.v(k+3), s.v(k+4)
		c.VADDPS(d[4], d[0], d[0])
		c.VFNMADD231PS(d[2], sum, d[0])
		emit(0, d[0])
		c.VADDPS(d[1], d[5], d[5])
		c.VFNMADD231PS(d[3], sum, d[5])
		emit(5, d[5])
		c.VMOVAPS(d[4], d[0])
		c.VFNMADD231PS(d[2], twice, d[0])
		c.VFNMADD231PS(d[2], half, d[4])
		c.VMOVAPS(d[3], d[5])
		c.VFNMADD231PS(d[1], twice, d[5])
		c.VFNMADD231PS(d[1], half, d[3])
		c.VMOVAPS(d[0], d[2])
		c.VFMADD231PS(d[5], small, d[2])
		emit(1, d[2])
		c.VFNMADD231PS(d[5], small, d[0])
		emit(2, d[0])
		c.VMOVAPS(d[4], d[1])
		c.VFMADD231PS(d[3], large, d[1])
		emit(3, d[1])
		c.VFNMADD231PS(d[3], large, d[4])
		emit(4, d[4])
	}
	rows := []reg.Register{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.R8}
	to, middle, at, left, mask := reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	f.load("v", to)
	f.load("middle", middle)

	c.Label("channel")
	for i, r := range rows {
		f.load(fmt.Sprintf("row%d", i), r)
		c.ADDQ(f.args.at(reg.RDI, fmt.Sprintf("off%d", i)), r)
	}
	f.load("vectors", left)
	c.LEAQ(Mem{Base: left, Index: left, Scale: 1}, left)
	c.LEAQ(Mem{Disp: 2, Base: left, Index: left, Scale: 1}, left)
	f.load("mask", mask)
	c.XORQ(at, at)
	columns := func(name string, load func(r reg.Register, v reg.VecPhysical)) {
		c.Label(name)
		for i, r := range rows {
			load(r, d[i])
		}
		transform(func(j int, v reg.VecPhysical) {
			c.VMOVUPS(v, Mem{Base: middle, Index: at, Scale: 1, Disp: j * middleRow * s.bytes})
		})
		c.ADDQ(I32(s.bytes), at)
		c.DECQ(left)
		c.JNZ(LabelRef(name))
	}
	c.TESTQ(mask, mask)
	c.JNZ(LabelRef("tail"))
	columns("column", func(r reg.Register, v reg.VecPhysical) { c.VMOVUPS(Mem{Base: r, Index: at, Scale: 1}, v) })
	c.JMP(LabelRef("across"))
	c.Label("tail")
	first := true
	columns("masked", func(r reg.Register, v reg.VecPhysical) {
		lanes := s.v(6)
		if first {
			c.VMOVUPS(Mem{Base: mask, Index: at, Scale: 1}, lanes)
			if s.bytes == 64 {
				c.VPTESTMD(lanes, lanes, reg.K1)
			}
			first = false
		}
		if s.bytes == 64 {
			c.VMOVUPS_Z(Mem{Base: r, Index: at, Scale: 1}, reg.K1, v)
		} else {
			c.VMASKMOVPS(Mem{Base: r, Index: at, Scale: 1}, lanes, v)
		}
	})

	c.Label("across")
	step, from, near, far, row, rowTo := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.R8
	rowsLeft := reg.R15
	f.load("vStep", step)
	c.LEAQ(mem(middle, s.bytes), row)
	c.MOVQ(to, rowTo)
	c.MOVQ(U32(pointsSide), rowsLeft)
	c.Label("row")
	c.MOVQ(row, from)
	c.MOVQ(rowTo, near)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 1}, far)
	c.LEAQ(Mem{Base: far, Index: step, Scale: 2}, far)
	f.load("vectors", left)
	c.Label("vector")
	f.tileColumns(s, d, beside, from)
	transform(func(j int, v reg.VecPhysical) {
		c.VMOVUPS(v, []Mem{
			{Base: near}, {Base: near, Index: step, Scale: 1}, {Base: near, Index: step, Scale: 2},
			{Base: far}, {Base: near, Index: step, Scale: 4}, {Base: far, Index: step, Scale: 2},
		}[j])
	})
	c.ADDQ(I32(4*s.bytes), from)
	c.ADDQ(I32(s.bytes), near)
	c.ADDQ(I32(s.bytes), far)
	c.DECQ(left)
	c.JNZ(LabelRef("vector"))
	c.ADDQ(I32(middleRow*s.bytes), row)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 2}, rowTo)
	c.LEAQ(Mem{Base: rowTo, Index: step, Scale: 4}, rowTo)
	c.DECQ(rowsLeft)
	c.JNZ(LabelRef("row"))

	for i := range rows {
		f.load(fmt.Sprintf("step%d", i), at)
		c.ADDQ(at, f.args.at(reg.RDI, fmt.Sprintf("off%d", i)))
	}
	f.load("vectors", at)
	c.IMUL3Q(Imm(uint64(s.bytes)), at, at)
	c.ADDQ(at, to)
	c.DECQ(f.args.at(reg.RDI, "channels"))
	c.JNZ(LabelRef("channel"))
	f.end()
}

// tileColumns brings the six columns of a vector of tiles into d: floats
// 4*t-1+j from the address on, for tiles t. With AVX-512, beside are the numbers
// of the lanes before each and of those after, the vector beyond counting from
// its lanes on.
func (f *file) tileColumns(s isa, d [pointsSide]reg.VecPhysical, beside []reg.VecPhysical, from reg.Register) {
	c := f.ctx
	in := func(k, disp int) Mem { return mem(from, k*s.bytes+disp) }
	x, y := s.v(6), s.v(7)
	// A transposition of 4x4 floats in each 16-byte lane: columns 1 to 4.
	c.VMOVUPS(in(0, 0), x)
	c.VMOVUPS(in(1, 0), y)
	c.VUNPCKLPS(y, x, d[1])
	c.VUNPCKHPS(y, x, d[3])
	c.VMOVUPS(in(2, 0), x)
	c.VMOVUPS(in(3, 0), y)
	c.VUNPCKLPS(y, x, d[2])
	c.VUNPCKHPS(y, x, d[4])
	c.VUNPCKHPD(d[4], d[3], x)
	c.VUNPCKLPD(d[4], d[3], d[3])
	c.VMOVAPS(x, d[4])
	c.VUNPCKHPD(d[2], d[1], x)
	c.VUNPCKLPD(d[2], d[1], d[1])
	c.VMOVAPS(x, d[2])
	// The others are the last one of the tile before and the first one of the
	// tile after. Vectors are loaded as they were stored, just before: other
	// loads would wait for the cache.
	if s.bytes == 64 {
		c.VMOVAPS(d[4], d[0])
		c.VPERMT2PS(in(-1, 0), beside[0], d[0])
		c.VMOVAPS(d[1], d[5])
		c.VPERMT2PS(in(4, 0), beside[1], d[5])
		return
	}
	const upper, last, second, upperThenLower = 1, 12, 4, 0x21
	small := func(v reg.VecPhysical) reg.Register { return v.(reg.Vec).AsX() }
	c.VMOVUPS(in(0, -16), small(x))
	c.VEXTRACTF128(Imm(upper), d[4], small(y))
	c.VPALIGNR(Imm(last), small(x), small(y), small(y))
	c.VINSERTF128(Imm(upper), small(d[4]), y, d[0])
	c.VMOVUPS(in(4, 0), small(x))
	c.VPALIGNR(Imm(second), d[1], x, x)
	c.VPERM2F128(Imm(upperThenLower), x, d[1], d[5])
}

// winogradMul multiplies b output channels x p vectors at every point; products
// of neighbouring points lie point vectors apart.
func (f *file) winogradMul(s isa, b, p, point int) {
	f.begin(fmt.Sprintf("winograd_mul_f32_%dx%d_%s", b, p, s.name), f.row(s, "OpWinogradMul", b, p))
	c := f.ctx
	v, u, m, left, at, taps, row, w := reg.RSI, reg.RDX, reg.R8, reg.R9, reg.RAX, reg.RCX, reg.R10, reg.RBX
	f.load("v", v)
	f.load("u", w)
	f.load("m", m)
	f.load("vStep", row)
	f.load("channels", u)
	c.MOVQ(U32(points), left)
	acc := func(j, k int) reg.VecPhysical { return s.v(j*p + k) }
	c.Label("point")
	for i := range b * p {
		f.zero(s, i)
	}
	c.MOVQ(u, taps)
	c.XORQ(at, at)
	c.Label("channel")
	f.tap(s, b, p, acc, b*p, v, at, w)
	c.ADDQ(I32(4*b), w)
	c.ADDQ(I32(p*s.bytes/4), at)
	c.DECQ(taps)
	c.JNZ(LabelRef("channel"))
	for i := range b * p {
		c.VMOVUPS(s.v(i), mem(m, i*s.bytes))
	}
	c.ADDQ(row, v)
	c.ADDQ(I32(point*s.bytes), m)
	c.DECQ(left)
	c.JNZ(LabelRef("point"))
	f.end()
}

// winogradOut transforms products back, with the epilogue. Numbers are sqrt(2),
// sqrt(1/2), 1/2, 2.
func (f *file) winogradOut(s isa, point int) {
	f.begin("winograd_out_f32_"+s.name, f.row(s, "OpWinogradOut", 0, point))
	c := f.ctx
	const constants = 4
	k := s.vecs - constants
	f.load("numbers", reg.RAX)
	for i := range constants {
		c.VBROADCASTSS(mem(reg.RAX, 4*i), s.v(k+i))
	}
	large, small, half, twice := s.v(k), s.v(k+1), s.v(k+2), s.v(k+3)
	// transform leaves the four sums of x in x[0], t[2], t[0], x[5].
	transform := func(x [pointsSide]reg.VecPhysical, t []reg.VecPhysical) {
		c.VADDPS(x[2], x[1], t[0])
		c.VSUBPS(x[2], x[1], x[1])
		c.VADDPS(x[4], x[3], t[1])
		c.VSUBPS(x[4], x[3], x[3])
		c.VADDPS(x[3], x[1], t[2])
		c.VFMADD231PS(t[0], large, x[0])
		c.VFMADD231PS(t[1], small, x[0])
		c.VFMADD231PS(x[1], half, x[5])
		c.VFMADD231PS(x[3], twice, x[5])
		c.VMULPS(t[0], small, t[0])
		c.VFMADD231PS(t[1], large, t[0])
	}
	m, channel, channelRes, dst, res := reg.RSI, reg.RDX, reg.R8, reg.R9, reg.R10
	vectors, channels, mask, at, atRes, a, middle := reg.R11, reg.R12, reg.R13, reg.RAX, reg.RBX, reg.RCX, reg.R15
	f.load("m", m)
	f.load("dst", channel)
	f.load("res", channelRes)
	f.load("channels", channels)
	f.load("middle", middle)
	inRegisters := s.vecs == 32

	c.Label("channel")
	f.load("vectors", vectors)
	f.load("mask", mask)
	c.MOVQ(channel, dst)
	c.MOVQ(channelRes, res)
	c.Label("vector")
	// Down the columns: column j's sums are values r*6+j.
	for j := range pointsSide {
		in := func(i int) Mem { return mem(m, (i*pointsSide+j)*point*s.bytes) }
		y, t := [4]reg.VecPhysical{}, [4]reg.VecPhysical{}
		for r := range 4 {
			y[r], t[r] = s.v(4+r), s.v(r)
			if inRegisters {
				y[r], t[r] = s.v(r*pointsSide+j), s.v(24+r)
			}
		}
		c.VMOVUPS(in(1), t[0])
		c.VADDPS(in(2), t[0], t[1])
		c.VSUBPS(in(2), t[0], t[0])
		c.VMOVUPS(in(3), t[2])
		c.VADDPS(in(4), t[2], t[3])
		c.VSUBPS(in(4), t[2], t[2])
		c.VMOVUPS(in(0), y[0])
		c.VFMADD231PS(t[1], large, y[0])
		c.VFMADD231PS(t[3], small, y[0])
		c.VADDPS(t[2], t[0], y[1])
		c.VMULPS(t[1], small, y[2])
		c.VFMADD231PS(t[3], large, y[2])
		c.VMOVUPS(in(5), y[3])
		c.VFMADD231PS(t[0], half, y[3])
		c.VFMADD231PS(t[2], twice, y[3])
		if !inRegisters {
			for r := range 4 {
				c.VMOVUPS(y[r], mem(middle, (r*pointsSide+j)*s.bytes))
			}
		}
	}
	if s.bytes == 64 {
		for i := range 4 {
			c.KXNORW(reg.K1, reg.K1, kmasks[i])
		}
		c.TESTQ(mask, mask)
		c.JZ(LabelRef("rows"))
		for i := range 4 {
			c.VMOVDQU32(mem(mask, i*s.bytes), s.v(24))
			c.VPTESTMD(s.v(24), s.v(24), kmasks[i])
		}
		c.ADDQ(I32(4*s.bytes), mask)
		c.Label("rows")
	}
	c.MOVQ(dst, at)
	c.ADDQ(f.args.at(reg.RDI, "lift"), at)
	c.MOVQ(res, atRes)
	c.ADDQ(f.args.at(reg.RDI, "resLift"), atRes)
	for r := range 4 {
		skip := fmt.Sprintf("skip%d", r)
		c.CMPQ(f.args.at(reg.RDI, "first"), Imm(uint64(r)))
		c.JGT(LabelRef(skip))
		c.CMPQ(f.args.at(reg.RDI, "last"), Imm(uint64(r)))
		c.JLE(LabelRef(skip))
		var x [pointsSide]reg.VecPhysical
		t := []reg.VecPhysical{s.v(6), s.v(7), s.v(8)}
		for j := range x {
			if x[j] = s.v(j); inRegisters {
				x[j] = s.v(r*pointsSide + j)
				continue
			}
			c.VMOVUPS(mem(middle, (r*pointsSide+j)*s.bytes), x[j])
		}
		if inRegisters {
			t = []reg.VecPhysical{s.v(24), s.v(25), s.v(26)}
		}
		transform(x, t)
		y := [4]reg.VecPhysical{x[0], t[2], t[0], x[5]}
		c.VUNPCKLPS(y[1], y[0], x[1])
		c.VUNPCKHPS(y[1], y[0], x[2])
		c.VUNPCKLPS(y[3], y[2], x[3])
		c.VUNPCKHPS(y[3], y[2], x[4])
		c.VUNPCKLPD(x[3], x[1], y[0])
		c.VUNPCKHPD(x[3], x[1], y[1])
		c.VUNPCKLPD(x[4], x[2], y[2])
		c.VUNPCKHPD(x[4], x[2], y[3])
		f.winogradStore(s, fmt.Sprint(r), y, x, at, atRes, a, mask)
		c.Label(skip)
		c.ADDQ(f.args.at(reg.RDI, "dstRow"), at)
		c.ADDQ(f.args.at(reg.RDI, "resRow"), atRes)
	}
	c.ADDQ(I32(s.bytes), m)
	c.ADDQ(I32(4*s.bytes), dst)
	c.ADDQ(I32(4*s.bytes), res)
	if s.bytes != 64 {
		c.TESTQ(mask, mask)
		c.JZ(LabelRef("next"))
		c.ADDQ(I32(4*s.bytes), mask)
		c.Label("next")
	}
	c.DECQ(vectors)
	c.JNZ(LabelRef("vector"))
	c.ADDQ(f.args.at(reg.RDI, "dstPlane"), channel)
	c.ADDQ(f.args.at(reg.RDI, "resPlane"), channelRes)
	c.ADDQ(Imm(4), f.args.at(reg.RDI, "done"))
	c.DECQ(channels)
	c.JNZ(LabelRef("channel"))
	f.end()
}

// kmasks are for the four vectors of pixels of a vector of tiles.
var kmasks = []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}

// winogradStore applies the epilogue to four vectors y of pixels and stores
// them; x[1] to x[4] are free.
func (f *file) winogradStore(s isa, label string, y [4]reg.VecPhysical, x [pointsSide]reg.VecPhysical, at, res, a, mask reg.Register) {
	c := f.ctx
	to := func(base reg.Register, i int) Mem { return mem(base, i*s.bytes) }
	f.load("bias", a)
	c.ADDQ(f.args.at(reg.RDI, "done"), a)
	c.VBROADCASTSS(mem(a, 0), x[1])
	for i := range y {
		c.VADDPS(x[1], y[i], y[i])
	}
	c.CMPQ(f.args.at(reg.RDI, "res"), Imm(0))
	c.JEQ(LabelRef("relu" + label))
	if s.bytes == 64 {
		for i := range y {
			c.VADDPS(to(res, i), y[i], kmasks[i], y[i])
		}
	} else {
		c.TESTQ(mask, mask)
		c.JNZ(LabelRef("maskedres" + label))
		for i := range y {
			c.VADDPS(to(res, i), y[i], y[i])
		}
		c.JMP(LabelRef("relu" + label))
		c.Label("maskedres" + label)
		for i := range y {
			c.VMOVUPS(to(mask, i), x[1])
			c.VMASKMOVPS(to(res, i), x[1], x[2])
			c.VADDPS(x[2], y[i], y[i])
		}
	}
	c.Label("relu" + label)
	zero, slope, low, high := x[1], x[2], x[3], x[4]
	clear := func(v reg.VecPhysical) {
		if s.bytes == 64 {
			c.VPXORD(v, v, v)
		} else {
			c.VXORPS(v, v, v)
		}
	}
	c.CMPQ(f.args.at(reg.RDI, "relu"), Imm(0))
	c.JEQ(LabelRef("slope" + label))
	clear(zero)
	for i := range y {
		c.VMAXPS(y[i], zero, y[i]) // as in conv
	}
	c.Label("slope" + label)
	f.load("slope", a)
	c.TESTQ(a, a)
	c.JZ(LabelRef("clip" + label))
	c.ADDQ(f.args.at(reg.RDI, "done"), a)
	c.VBROADCASTSS(mem(a, 0), slope)
	if s.bytes == 64 {
		clear(zero)
	}
	for i := range y {
		if s.bytes == 64 {
			c.VCMPPS(Imm(less), zero, y[i], reg.K5)
			c.VMULPS(slope, y[i], reg.K5, y[i])
		} else {
			c.VMULPS(slope, y[i], zero)
			c.VBLENDVPS(y[i], zero, y[i], y[i])
		}
	}
	c.Label("clip" + label)
	f.load("clip", a)
	c.TESTQ(a, a)
	c.JZ(LabelRef("write" + label))
	c.VBROADCASTSS(mem(a, 0), low)
	c.VBROADCASTSS(mem(a, 4), high)
	for i := range y {
		c.VMAXPS(y[i], low, y[i])
		c.VMINPS(y[i], high, y[i])
	}
	c.Label("write" + label)
	if s.bytes == 64 {
		for i := range y {
			c.VMOVUPS(y[i], kmasks[i], to(at, i))
		}
		return
	}
	c.TESTQ(mask, mask)
	c.JNZ(LabelRef("masked" + label))
	for i := range y {
		c.VMOVUPS(y[i], to(at, i))
	}
	c.JMP(LabelRef("stored" + label))
	c.Label("masked" + label)
	for i := range y {
		c.VMOVUPS(to(mask, i), x[1])
		c.VMASKMOVPS(y[i], x[1], to(at, i))
	}
	c.Label("stored" + label)
}
