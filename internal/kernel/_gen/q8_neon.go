package main

import "fmt"

// q8Dot is NEON with one of its products of bytes.
type q8Dot struct {
	isa
	signed bool // of signed bytes alone
	dot    func(rd, rn, rm, lane int) word
}

var q8Dots = []q8Dot{
	{isa{"usdot", 16, 32, "Needs: needsI8MM, Runs: hasI8MM, MaxWeight: 128"}, false, usdotLane},
	{isa{"sdot", 16, 32, "Needs: needsDotProd, Runs: hasDotProd, MaxWeight: 128"}, true, sdotLane},
}

// dotTile is vectors of pixels of the widest tile: a tap's weights are one register
// then, its sources the others but that of the signs.
const dotTile = 6

// General registers of the q8 kernels.
const (
	q8Src, q8Dst, q8Block, q8Rows, q8Res, q8Copied = 1, 2, 3, 4, 5, 6
	q8Tail, q8Second, q8Third                      = 7, 8, 9 // a part of a vector has its 2nd and 3rd pixel
	q8I, q8Weights, q8At, q8Step, q8OffNow, q8Tmp  = 10, 11, 12, 13, 14, 15
)

// q8Signs is the vector register whose bytes turn unsigned ones into signed ones.
const q8Signs = 31

// q8NEON is a tile of four channels x p vectors in registers 0 to 4*p-1.
type q8NEON struct {
	*neonFile
	s q8Dot
	p int
}

func (t q8NEON) acc(j, k int) int { return j*t.p + k }
func (t q8NEON) free(i int) int   { return q8Outs*t.p + i }

func q8ConvNEON() *neonFile {
	f := newNEONFileOf("q8", "conv", q8ConvArgs)
	f.caller, f.table = "runConv", "convVariants"
	for _, s := range q8Dots {
		for p := 1; p <= dotTile; p++ {
			q8NEON{f, s, p}.conv()
		}
	}
	return f
}

// conv writes the micro-kernel of a quad of channels x p vectors.
func (t q8NEON) conv() {
	f := t.neonFile
	f.begin(fmt.Sprintf("conv_u8s8_%dx%d_%s", q8Outs, t.p, t.s.name), t.s.row8("OpConv", t.p))
	for _, a := range []struct {
		name string
		r    int
	}{{"src", q8Src}, {"dst", q8Dst}, {"res", q8Res}, {"copy", q8Copied}, {"rows", q8Rows}, {"tail", q8Tail}} {
		f.arg(a.name, a.r)
	}
	f.op("SUB", "$1, R%d, R%d", q8Tail, q8Second)
	f.op("LSR", "$1, R%d, R%d", q8Second, q8Third)
	f.op("SUB", "$%d, R%d, R%d", neon.bytes/4, q8Tail, q8Tail) // 0: whole vectors

	f.label("row")
	f.arg("blocks", q8Block)
	f.label("block")
	start := q8Start
	if t.s.signed {
		start = q8Signed
		f.op("VMOVI", "$128, V%d.B16", q8Signs)
	}
	f.op("ADD", "$%d, R%d, R%d", start, q8Block, q8At)
	for j := range q8Outs {
		f.op("VLD1R.P", "4(R%d), [V%d.S4]", q8At, t.acc(j, 0))
		for k := 1; k < t.p; k++ {
			f.op("VMOV", "V%d.B16, V%d.B16", t.acc(j, 0), t.acc(j, k))
		}
	}
	f.op("MOVD", "%d(R%d), R%d", q8Off, q8Block, q8OffNow)
	f.op("MOVD", "%d(R%d), R%d", q8Taps, q8Block, q8I)
	f.op("MOVD", "%d(R%d), R%d", q8W, q8Block, q8Weights)
	f.op("CBZ", "R%d, store", q8I)
	f.label("tap")
	f.op("MOVW.P", "4(R%d), R%d", q8OffNow, q8At)
	f.op("ADD", "R%d<<2, R%d, R%d", q8At, q8Src, q8At)
	f.op("VLD1.P", "16(R%d), [V%d.B16]", q8Weights, t.free(0))
	var sources []int
	for k := range t.p {
		sources = append(sources, t.free(1+k))
	}
	f.loads(q8At, 0, sources...)
	if t.s.signed {
		for _, v := range sources {
			f.op("VEOR", "V%d.B16, V%d.B16, V%d.B16", q8Signs, v, v)
		}
	}
	for j := range q8Outs {
		for k, v := range sources {
			f.word(t.s.dot(t.acc(j, k), v, t.free(0), j))
		}
	}
	f.countDown(q8I, "tap")

	f.label("store")
	t.by(q8Scale, func(v int) {
		f.word(scvtf(v, v))
		f.word(fmul(v, v, t.free(0)))
	})
	f.arg("bias", q8At)
	f.op("CBZ", "R%d, bend", q8At)
	t.by(q8Bias, func(v int) { f.word(fadd(v, v, t.free(0))) })
	f.label("bend")
	f.arg("slope", q8At)
	f.op("CBZ", "R%d, kinds", q8At)
	t.by(q8Slope, func(v int) {
		f.word(fmul(t.free(1), v, t.free(0)))
		f.word(fcmlt0(t.free(2), v))
		f.op("VBIT", "V%d.B16, V%d.B16, V%d.B16", t.free(2), t.free(1), v)
	})
	f.label("kinds")
	f.arg("kind", q8At)
	f.op("CMP", "$1, R%d", q8At)
	f.op("BEQ", "stream")
	f.op("BGT", "rows")
	t.round()
	t.words()
	t.bytes("bytes_")
	t.place(q8Dst, "dstQuad")
	t.storeBytes("bytes_")

	f.label("next")
	f.arg("end", q8At)
	f.op("CMP", "R%d, R%d", q8At, q8Block)
	f.op("ADD", "$%d, R%d, R%d", q8Size, q8Block, q8Block)
	f.op("BNE", "block")
	for _, m := range []struct {
		stride string
		at     int
	}{{"srcRow", q8Src}, {"dstRow", q8Dst}, {"resRow", q8Res}, {"copyRow", q8Copied}} {
		f.arg(m.stride, q8Step)
		f.op("ADD", "R%d, R%d, R%d", q8Step, m.at, m.at)
	}
	f.countDown(q8Rows, "row")
	f.end()

	f.label("stream")
	t.round()
	t.words()
	f.op("CBZ", "R%d, summed", q8Res)
	t.place(q8Res, "resQuad")
	for k := range t.p {
		f.loads(q8At, 2*k*neon.bytes, t.free(0), t.free(1))
		f.word(sqadd(t.acc(0, k), t.acc(0, k), t.free(0)))
		f.word(sqadd(t.acc(1, k), t.acc(1, k), t.free(1)))
	}
	f.label("summed")
	t.place(q8Dst, "dstQuad")
	t.storeWords()
	f.op("CBZ", "R%d, next", q8Copied)
	t.narrow("copy_")
	t.place(q8Copied, "copyQuad")
	t.storeBytes("copy_")
	f.op("B", "next")

	f.label("rows")
	f.op("CBZ", "R%d, added", q8Res)
	t.place(q8Res, "resQuad")
	f.arg("resPlane", q8Step)
	t.channels("added", func(j int) {
		for k := range t.p {
			f.op("FMOVQ", "%d(R%d), F%d", k*neon.bytes, q8At, t.free(0))
			f.word(fadd(t.acc(j, k), t.acc(j, k), t.free(0)))
		}
	})
	f.label("added")
	t.place(q8Dst, "dstQuad")
	f.arg("dstPlane", q8Step)
	t.storeRows()
	f.op("B", "next")
}

// by does something with every register, the channel's number of a field of the
// block in all lanes of free(0).
func (t q8NEON) by(field int, each func(v int)) {
	t.op("ADD", "$%d, R%d, R%d", field, q8Block, q8At)
	for j := range q8Outs {
		t.op("VLD1R.P", "4(R%d), [V%d.S4]", q8At, t.free(0))
		for k := range t.p {
			each(t.acc(j, k))
		}
	}
}

// place brings the block's place in a tensor into q8At.
func (t q8NEON) place(base int, stride string) {
	t.op("MOVD", "%d(R%d), R%d", q8Quad, q8Block, q8At)
	t.arg(stride, q8Step)
	t.op("MADD", "R%d, R%d, R%d, R%d", q8Step, base, q8At, q8At)
}

func (t q8NEON) round() {
	for v := range q8Outs * t.p {
		t.word(fcvtns(v, v))
	}
}

// words turns 32-bit numbers into quads of 16 bits, the first two pixels of a
// vector in acc(0, k), the others in acc(1, k).
func (t q8NEON) words() {
	for k := range t.p {
		a, b, lo, hi := t.acc(0, k), t.acc(1, k), t.acc(2, k), t.acc(3, k)
		t.word(sqxtn(a, a, false))
		t.word(sqxtn(a, lo, true)) // channels 0 and 2
		t.word(sqxtn(b, b, false))
		t.word(sqxtn(b, hi, true))                         // channels 1 and 3
		t.op("VZIP1", "V%d.H8, V%d.H8, V%d.H8", b, a, lo)  // channels 0 and 1
		t.op("VZIP2", "V%d.H8, V%d.H8, V%d.H8", b, a, hi)  // channels 2 and 3
		t.op("VZIP1", "V%d.S4, V%d.S4, V%d.S4", hi, lo, a) // quads
		t.op("VZIP2", "V%d.S4, V%d.S4, V%d.S4", hi, lo, b)
	}
}

// code loads one of the 16-bit numbers that the last steps take into all lanes.
func (t q8NEON) code(at int, v int, form string) {
	t.op("ADD", "$%d, R0, R%d", t.args.offset("codes")+at, q8Tmp)
	t.op("VLD1R", "(R%d), [V%d.%s]", q8Tmp, v, form)
}

// bytes turns the quads of words into bytes, in acc(0, k).
func (t q8NEON) bytes(prefix string) {
	t.code(codeZero, t.free(0), "H8")
	for k := range t.p {
		t.word(sqadd(t.acc(0, k), t.acc(0, k), t.free(0)))
		t.word(sqadd(t.acc(1, k), t.acc(1, k), t.free(0)))
		t.word(sqxtun(t.acc(0, k), t.acc(0, k), false))
		t.word(sqxtun(t.acc(0, k), t.acc(1, k), true))
	}
	t.arg("clip", q8Tmp)
	t.op("CBZ", "R%d, %sclipped", q8Tmp, prefix)
	t.code(codeLow, t.free(0), "B16")
	t.code(codeHigh, t.free(1), "B16")
	for k := range t.p {
		t.word(umax(t.acc(0, k), t.acc(0, k), t.free(0)))
		t.word(umin(t.acc(0, k), t.acc(0, k), t.free(1)))
	}
	t.label(prefix + "clipped")
}

// narrow turns the quads of a stream into its bytes, in acc(0, k).
func (t q8NEON) narrow(prefix string) {
	t.code(codeFactor, t.free(0), "H8")
	for k := range t.p {
		t.word(sqrdmulh(t.acc(0, k), t.acc(0, k), t.free(0)))
		t.word(sqrdmulh(t.acc(1, k), t.acc(1, k), t.free(0)))
	}
	t.bytes(prefix)
}

// part writes stores of a whole last vector and of a part of it, pixel by pixel.
func (t q8NEON) part(prefix string, whole, masked func()) {
	t.op("CBNZ", "R%d, %smasked", q8Tail, prefix)
	whole()
	t.op("B", "%sstored", prefix)
	t.label(prefix + "masked")
	masked()
	t.label(prefix + "stored")
}

// lanes stores 1 to 3 pixels at byte disp of q8At: form and lane of each, as given.
func (t q8NEON) lanes(disp, size int, done string, lanes [3]string) {
	t.op("ADD", "$%d, R%d, R%d", disp, q8At, q8Tmp)
	for i, lane := range lanes {
		if i > 0 {
			t.op("CBZ", "R%d, %s", []int{q8Second, q8Third}[i-1], done)
		}
		t.op("VST1.P", "%s, %d(R%d)", lane, size, q8Tmp)
	}
	t.label(done)
}

func (t q8NEON) row(j, n int) (v []int) {
	for k := range n {
		v = append(v, t.acc(j, k))
	}
	return v
}

// lanes32 are the first three 32-bit lanes of a register.
func lanes32(v int) (lanes [3]string) {
	for i := range lanes {
		lanes[i] = fmt.Sprintf("V%d.S[%d]", v, i)
	}
	return lanes
}

// storeBytes stores the quads in acc(0, k).
func (t q8NEON) storeBytes(prefix string) {
	last := t.p - 1
	t.part(prefix, func() { t.stores(q8At, 0, t.row(0, t.p)...) }, func() {
		t.stores(q8At, 0, t.row(0, last)...)
		t.lanes(last*neon.bytes, 4, prefix+"end", lanes32(t.acc(0, last)))
	})
}

// storeWords stores the quads in acc(0, k) and acc(1, k).
func (t q8NEON) storeWords() {
	var all []int
	for k := range t.p {
		all = append(all, t.acc(0, k), t.acc(1, k))
	}
	last := t.p - 1
	t.part("stream_", func() { t.stores(q8At, 0, all...) }, func() {
		t.stores(q8At, 0, all[:2*last]...)
		first, second := t.acc(0, last), t.acc(1, last)
		t.lanes(2*last*neon.bytes, 8, "stream_end", [3]string{
			fmt.Sprintf("V%d.D[0]", first), fmt.Sprintf("V%d.D[1]", first), fmt.Sprintf("V%d.D[0]", second),
		})
	})
}

// storeRows stores the channels as rows of float32.
func (t q8NEON) storeRows() {
	last := t.p - 1
	t.part("rows_", func() {
		t.channels("rows_stored", func(j int) { t.stores(q8At, 0, t.row(j, t.p)...) })
	}, func() {
		t.channels("rows_stored", func(j int) {
			t.stores(q8At, 0, t.row(j, last)...)
			t.lanes(last*neon.bytes, 4, fmt.Sprintf("rows_end%d", j), lanes32(t.acc(j, last)))
		})
	})
}

// channels does something for each channel that the block has, at steps from one
// to the next, and then jumps to done.
func (t q8NEON) channels(done string, each func(j int)) {
	t.op("MOVD", "%d(R%d), R%d", q8Of, q8Block, q8I)
	for j := range q8Outs {
		if j > 0 {
			t.op("CMP", "$%d, R%d", j, q8I)
			t.op("BLE", "%s", done)
			t.op("ADD", "R%d, R%d, R%d", q8Step, q8At, q8At)
		}
		each(j)
	}
}

func q8PackNEON() *neonFile {
	f := newNEONFileOf("q8", "pack", q8PackArgs)
	f.caller, f.table = "runPack", "packVariants"
	for _, s := range q8Dots {
		t := q8NEON{f, s, 1}
		t.pack("pack_f32_u8_", "OpPack")
		t.pack("pack_f32_s16_", "OpPackStream")
		t.loop("narrow_s16_u8_", "OpNarrow", func() {
			f.loads(q8Src, 0, 0, 1)
			f.op("ADD", "$%d, R%d, R%d", 2*neon.bytes, q8Src, q8Src)
			t.narrow("")
			t.next(q8Dst, 0)
		})
	}
	return f
}

// loop does something for every vector.
func (t q8NEON) loop(name, op string, body func()) {
	t.begin(name+t.s.name, t.s.row8(op, 0))
	t.arg("src", q8Src)
	t.arg("dst", q8Dst)
	t.arg("copy", q8Copied)
	t.arg("n", q8Rows)
	t.label("vector")
	body()
	t.countDown(q8Rows, "vector")
	t.end()
}

// next stores vectors and moves their pointer on.
func (t q8NEON) next(to int, v ...int) {
	t.stores(to, 0, v...)
	t.op("ADD", "$%d, R%d, R%d", len(v)*neon.bytes, to, to)
}

// pack writes the loop from rows of float32 to quads of bytes, or to a stream and
// its bytes.
func (t q8NEON) pack(name, op string) {
	t.loop(name, op, func() {
		for j := 1; j < q8Outs; j++ {
			t.zero(j)
		}
		t.op("MOVD", "R%d, R%d", q8Src, q8At)
		t.arg("plane", q8Step)
		t.arg("of", q8I)
		for j := range q8Outs {
			if j > 0 {
				t.op("CMP", "$%d, R%d", j, q8I)
				t.op("BLE", "loaded")
				t.op("ADD", "R%d, R%d, R%d", q8Step, q8At, q8At)
			}
			t.op("FMOVQ", "(R%d), F%d", q8At, t.acc(j, 0))
		}
		t.label("loaded")
		low, high, scale := t.free(0), t.free(1), t.free(2)
		t.arg("tables", q8Tmp)
		t.op("ADD", "$%d, R%d, R%d", tableLimits, q8Tmp, q8Tmp)
		t.op("VLD1R.P", "4(R%d), [V%d.S4]", q8Tmp, low)
		t.op("VLD1R", "(R%d), [V%d.S4]", q8Tmp, high)
		t.number("scale", scale, q8Tmp)
		for v := range q8Outs {
			t.word(fmul(v, v, scale))
			t.word(fmaxnm(v, v, low))
			t.word(fminnm(v, v, high))
		}
		t.round()
		t.op("ADD", "$%d, R%d, R%d", neon.bytes, q8Src, q8Src)
		t.words()
		if op == "OpPack" {
			t.bytes("")
			t.next(q8Dst, 0)
			return
		}
		t.next(q8Dst, 0, 1)
		t.op("CBZ", "R%d, copied", q8Copied)
		t.narrow("")
		t.next(q8Copied, 0)
		t.label("copied")
	})
}

// q8ProbeNEON is the loop that shows the processor's peak.
func q8ProbeNEON() *neonFile {
	f := newNEONFileOf("q8", "probe", q8ProbeArgs)
	f.caller, f.table = "runProbe", "probeVariants"
	const sums = 16 // hides the latency of four products a cycle
	for _, s := range q8Dots {
		f.begin(fmt.Sprintf("probe_u8s8_%d_%s", sums, s.name), s.row8("OpProbe", sums))
		f.arg("rounds", q8Rows)
		for v := range sums + 2 {
			f.zero(v)
		}
		f.label("round")
		for v := range sums {
			f.word(s.dot(v, sums, sums+1, 0))
		}
		f.countDown(q8Rows, "round")
		f.end()
	}
	return f
}
