package main

import "fmt"

// neonConvTiles are as wide as 24 sums allow, which hide the latency of four
// multiply-adds a cycle; single channels have fewer, as every source vector is
// used but once there.
var neonConvTiles = []struct{ b, p int }{{8, 3}, {4, 6}, {2, 10}, {1, 16}}

func neonConvFile() *neonFile {
	f := newNEONFile("conv", convArgs)
	f.caller, f.table = "runConv", "convVariants"
	for _, t := range neonConvTiles {
		for p := 1; p <= t.p; p++ {
			f.conv(t.b, p)
		}
	}
	return f
}

// conv writes the forward micro-kernel of b channels x p vectors. NEON has no
// masks: where one is given, the last vector of a row is stored lane by lane.
// The mask of a tail has 1 to 3 lanes, the first ones.
func (f *neonFile) conv(b, p int) {
	f.begin(fmt.Sprintf("conv_f32_%dx%d_%s", b, p, neon.name), f.row(neon, "OpConv", b, p))
	const (
		src, dst, block, first, wStep, rowsLeft, res, gate = 1, 2, 3, 4, 5, 6, 7, 8
		i, w, at, step, offNow                             = 9, 10, 11, 12, 13
		mask, second, third, end                           = 15, 16, 17, 19 // the mask's lanes 1 and 2
	)
	acc := func(j, k int) int { return j*p + k }
	free := b * p // first register that is no sum
	row := func(j, n int) (v []int) {
		for k := range n {
			v = append(v, acc(j, k))
		}
		return v
	}
	f.arg("src", src)
	f.arg("dst", dst)
	f.arg("first", first)
	f.arg("end", end)
	f.arg("wStep", wStep)
	f.arg("rows", rowsLeft)
	f.arg("res", res)
	f.arg("gate", gate)
	f.arg("mask", mask)
	f.op("CBZ", "R%d, row", mask)
	f.op("MOVW", "4(R%d), R%d", mask, second)
	f.op("MOVW", "8(R%d), R%d", mask, third)

	// channel brings the place of the block's first channel into at.
	channel := func(base int, plane string) {
		f.op("MOVD", "%d(R%d), R%d", blockOut, block, at)
		f.arg(plane, step)
		f.op("MADD", "R%d, R%d, R%d, R%d", step, base, at, at)
	}

	f.label("row")
	f.arg("blocks", block)
	f.label("block")
	f.op("MOVD", "%d(R%d), R%d", blockBias, block, at)
	f.op("ADD", "R%d, R%d, R%d", first, at, at)
	for j := range b {
		f.op("VLD1R.P", "4(R%d), [V%d.S4]", at, acc(j, 0))
		for k := 1; k < p; k++ {
			f.op("VMOV", "V%d.B16, V%d.B16", acc(j, 0), acc(j, k))
		}
	}
	f.op("CBZ", "R%d, taps", res)
	channel(res, "resPlane")
	f.planes(b, at, step, func(j int) {
		f.pass(p, free, at, func(k, v int) { f.word(fadd(acc(j, k), acc(j, k), v)) })
	})

	f.label("taps")
	f.op("MOVD", "%d(R%d), R%d", blockTaps, block, i)
	f.op("CBZ", "R%d, store", i)
	f.op("MOVD", "%d(R%d), R%d", blockOff, block, offNow)
	f.op("MOVD", "%d(R%d), R%d", blockW, block, w)
	f.op("ADD", "R%d, R%d, R%d", first, w, w)
	f.label("tap")
	f.op("MOVW.P", "4(R%d), R%d", offNow, at)
	f.op("ADD", "R%d<<2, R%d, R%d", at, src, at)
	switch b {
	case 8:
		f.op("VLD1.P", "(R%d)(R%d), %s", w, wStep, list(free, 2))
	case 4:
		f.op("VLD1.P", "(R%d)(R%d), %s", w, wStep, list(free, 1))
	case 2:
		f.op("VLD1.P", "(R%d)(R%d), [V%d.S2]", w, wStep, free)
	case 1:
		f.op("VLD1R.P", "(R%d)(R%d), [V%d.S4]", w, wStep, free)
	}
	f.pass(p, free+(b+3)/4, at, func(k, v int) {
		for j := range b {
			if b == 1 {
				f.fmla(acc(j, k), v, free)
			} else {
				f.word(fmlaLane(acc(j, k), v, free+j/4, j%4))
			}
		}
	})
	f.countDown(i, "tap")

	f.label("store")
	f.arg("relu", at)
	f.op("CBZ", "R%d, more", at)
	f.zero(free)
	for v := range b * p {
		f.word(fmax(v, v, free))
	}
	f.label("more")
	f.arg("more", at)
	f.op("CBZ", "R%d, write", at)
	f.bend(b, p, acc, free, at, block, step)
	f.op("CBZ", "R%d, write", gate)
	channel(gate, "gatePlane")
	f.planes(b, at, step, func(j int) {
		f.pass(p, free, at, func(k, v int) {
			f.word(fcmgt0(v, v))
			f.op("VAND", "V%d.B16, V%d.B16, V%d.B16", v, acc(j, k), acc(j, k))
		})
	})

	f.label("write")
	channel(dst, "dstPlane")
	f.op("CBNZ", "R%d, masked", mask)
	f.planes(b, at, step, func(j int) { f.stores(at, 0, row(j, p)...) })

	f.label("next")
	f.op("CMP", "R%d, R%d", end, block)
	f.op("ADD", "$%d, R%d, R%d", blockBytes, block, block)
	f.op("BNE", "block")
	// The strides of what is not there are 0.
	for _, m := range []struct {
		stride string
		at     int
	}{{"srcRow", src}, {"dstRow", dst}, {"resRow", res}, {"gateRow", gate}} {
		f.arg(m.stride, step)
		f.op("ADD", "R%d, R%d, R%d", step, m.at, m.at)
	}
	f.countDown(rowsLeft, "row")
	f.end()

	f.label("masked")
	f.planes(b, at, step, func(j int) {
		last, stored := acc(j, p-1), fmt.Sprintf("stored%d", j)
		f.stores(at, 0, row(j, p-1)...)
		f.op("ADD", "$%d, R%d, R%d", (p-1)*neon.bytes, at, offNow)
		f.op("VST1.P", "V%d.S[0], 4(R%d)", last, offNow)
		f.op("CBZ", "R%d, %s", second, stored)
		f.op("VST1.P", "V%d.S[1], 4(R%d)", last, offNow)
		f.op("CBZ", "R%d, %s", third, stored)
		f.op("VST1", "V%d.S[2], (R%d)", last, offNow)
		f.label(stored)
	})
	f.op("B", "next")
}

// bend multiplies negative sums by their channel's slope and clips all.
func (f *neonFile) bend(b, p int, acc func(j, k int) int, free, at, block, out int) {
	f.arg("slope", at)
	f.op("CBZ", "R%d, clip", at)
	f.op("MOVD", "%d(R%d), R%d", blockOut, block, out)
	f.op("ADD", "R%d<<2, R%d, R%d", out, at, at)
	for j := range b {
		f.op("VLD1R.P", "4(R%d), [V%d.S4]", at, free)
		for k := range p {
			f.word(fmul(free+1, acc(j, k), free))
			f.word(fcmlt0(free+2, acc(j, k)))
			f.op("VBIT", "V%d.B16, V%d.B16, V%d.B16", free+2, free+1, acc(j, k))
		}
	}
	f.label("clip")
	f.arg("clip", at)
	f.op("CBZ", "R%d, gate", at)
	f.op("VLD1R.P", "4(R%d), [V%d.S4]", at, free)
	f.op("VLD1R", "(R%d), [V%d.S4]", at, free+1)
	for v := range b * p {
		f.word(fmax(v, v, free))
		f.word(fmin(v, v, free+1))
	}
	f.label("gate")
}

// planes writes what is done for each of b channels, at steps from one to the
// next.
func (f *neonFile) planes(b, at, step int, each func(j int)) {
	for j := range b {
		each(j)
		if j < b-1 {
			f.op("ADD", "R%d, R%d, R%d", step, at, at)
		}
	}
}

// pass loads the p vectors at a general register in few equal groups, into the
// registers from first on, and hands on their numbers.
func (f *neonFile) pass(p, first, at int, each func(k, v int)) {
	groups := (p + neon.vecs - first - 1) / (neon.vecs - first)
	size := (p + groups - 1) / groups
	for from := 0; from < p; from += size {
		var v []int
		for k := range min(size, p-from) {
			v = append(v, first+k)
		}
		f.loads(at, from*neon.bytes, v...)
		for k, v := range v {
			each(from+k, v)
		}
	}
}
