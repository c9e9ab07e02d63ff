package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The three steps of a convolution by Winograd's F(4x4, 3x3) on a strip of one
// row of tiles, a vector's lanes being tiles: In transforms source pixels, Mul
// multiplies at each of the 36 points, Out transforms back and stores. Before
// them, Filter transforms weights, a vector's lanes being filters. The points
// along a side are 0, ±sqrt(1/2), ±sqrt(2) and infinity.
//
// Lane 4*l+k of a vector is tile number l+k*lanes/4 of its strip's: what a 4x4
// transposition within 16-byte lanes gives.
//
// Where a row is half an AVX-512 vector of tiles, one vector holds two rows, one
// below the other: their pixels lie side by side, the second's jump bytes from
// where they were if the first row went on.

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
		{"row0", "unsafe.Pointer", "In: the tiles' source rows, first channel, one vector left of the strip. Turn: first channel. Dy: turned"},
		{"row1", "unsafe.Pointer", ""}, {"row2", "unsafe.Pointer", ""}, {"row3", "unsafe.Pointer", ""},
		{"row4", "unsafe.Pointer", ""}, {"row5", "unsafe.Pointer", ""},
		{"step0", "int", "In: of the rows, from channel to channel. Dy: from row to row. Grad: of v, from row to row of tiles"},
		{"step1", "int", "Dy: of m, from tile to tile. Grad: of v, from channel to channel"},
		{"step2", "int", "Grad: of u, likewise"}, {"step3", "int", ""}, {"step4", "int", ""}, {"step5", "int", ""},
		{"mask", "unsafe.Pointer", "lanes of the rows (int32) that are read or stored, nil: all. Grad: of the last vector of u"},
		{"channels", "int", "In, Mul: input channels. Out: output channels"},
		{"vectors", "int", "of tiles, of filters, of pixels. Dy, Grad: tiles, of a row"},
		{"middle", "unsafe.Pointer", "room for 6*14 vectors"},
		{"numbers", "unsafe.Pointer", "constants"},
		{"beside", "unsafe.Pointer", "In: two vectors of lane numbers (int32), of the tiles before and of those after, and of what lies beyond"},
		{"v", "unsafe.Pointer", "transformed source: point, channel, vector"},
		{"vStep", "int", "from point to point. Dy: of m"},
		{"vChannel", "int", "In: from channel to channel"},
		{"u", "unsafe.Pointer", "transformed weights: point, input channel, output channel"},
		{"uStep", "int", "from point to point"},
		{"m", "unsafe.Pointer", "products: point, output channel, vector; points are OpWinogradOut's P vectors apart. Turn: turned. Dy, Grad: point, tile, output channel. Unfilter: gradients"},
		{"mStep", "int", "Grad: from point to point"},
		{"mSkip", "int", "Out: beside its vectors, from channel to channel"},
		{"offsets", "unsafe.Pointer", "Turn: of channels (int64, bytes). Grad: of a row's tiles (int32, bytes) in v"},
		{"dst", "unsafe.Pointer", "Out: first pixel, first channel"},
		{"dstRow", "int", ""}, {"dstPlane", "int", ""},
		{"res", "unsafe.Pointer", "Out: residual's pixel, nil: none"},
		{"resRow", "int", ""}, {"resPlane", "int", ""},
		{"gate", "unsafe.Pointer", "Out: gate's pixel, of dst's strides, nil: none"},
		{"bias", "unsafe.Pointer", "Out: by channel"},
		{"slope", "unsafe.Pointer", "Out: factors of negative values by channel, nil: none"},
		{"clip", "unsafe.Pointer", "Out: the lowest and the highest value, nil: none"},
		{"relu", "int", "Out: not 0: negative values become 0"},
		{"off0", "int", "In: of the rows, to the current channel"},
		{"off1", "int", ""}, {"off2", "int", ""}, {"off3", "int", ""}, {"off4", "int", ""}, {"off5", "int", ""},
		{"lift", "int", "Out: from dst to the tiles' first row"}, {"resLift", "int", "of res"},
		{"done", "int", "Out: channels that are done, four bytes each"},
		{"first", "int", "Out: rows of the tiles that are stored"}, {"last", "int", "Grad: rows of tiles"},
		{"jump", "int", "In, Out: where vectors hold two rows of tiles, from a pixel beside the first row to its place in the second; else 0"},
		{"resJump", "int", "Out: of res"},
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
		f.winogradFilter(t.isa)
		f.winogradUnfilter(t.isa)
		f.winogradTurn(t.isa)
		f.winogradDy(t.isa)
		f.winogradIn(t.isa)
		for _, b := range t.b {
			for p := 1; p <= winogradMost; p++ {
				f.winogradMul(t.isa, b, p, t.b[0]*winogradMost)
				f.winogradGrad(t.isa, b, p)
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
	const half = 3 // vectors: the one on the left and those of a row's tiles
	if s.bytes == 64 {
		c.CMPQ(f.args.at(reg.RDI, "jump"), Imm(0))
		c.JEQ(LabelRef("masked"))
		c.MOVQ(U32(half), left)
	}
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

	if s.bytes == 64 {
		f.load("jump", left)
		c.TESTQ(left, left)
		c.JZ(LabelRef("across"))
		c.CMPQ(at, Imm(half*uint64(s.bytes)))
		c.JNE(LabelRef("across"))
		for _, r := range rows {
			c.ADDQ(left, r)
		}
		c.MOVQ(U32(half), left)
		c.JMP(LabelRef("masked"))
	}

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
	c.ADDQ(f.args.at(reg.RDI, "vChannel"), to)
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
