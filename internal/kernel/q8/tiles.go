//go:build (amd64 || arm64) && !noasm

package q8

import (
	"unsafe"

	"evosr/internal/kernel"
)

// tiles drives the micro-kernels of one instruction set over a picture.
type tiles struct {
	lanes, most                    int
	convID                         []int // by vectors of pixels, from 1 on
	packID, packStreamID, narrowID int
	probe                          Variant
}

func newTiles(variants []Variant) *tiles {
	t := new(tiles)
	for _, v := range variants {
		t.lanes, t.most = v.Lanes, v.MaxWeight
		switch v.Op {
		case OpConv:
			for len(t.convID) <= v.P {
				t.convID = append(t.convID, -1)
			}
			t.convID[v.P] = v.ID
		case OpPack:
			t.packID = v.ID
		case OpPackStream:
			t.packStreamID = v.ID
		case OpNarrow:
			t.narrowID = v.ID
		case OpProbe:
			t.probe = v
		}
	}
	return t
}

// bandBytes is how much of the source a strip's band of rows may cover, so that
// it stays in a second-level cache from block to block; listBytes is how much of
// lists a kernel walks for one row of a strip, so that they stay in the first-level
// one from row to row.
const (
	bandBytes = 256 << 10
	listBytes = 16 << 10
)

// The kinds of output, as the kernels number them.
const (
	kindBytes = iota
	kindStream
	kindRows
)

func (t *tiles) conv(o *Output, src *Bytes, l *Layer, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkConv(o, src, l, y0, y1, t.lanes, t.most)
	a := t.begin(o, src, l)
	vectors, most := (src.W+t.lanes-1)/t.lanes, len(t.convID)-1
	n := (vectors + most - 1) / most
	band := max(bandBytes/(quads(src.C)*(most+1)*t.lanes*4), 4)
	for from := y0; from < y1; from += band {
		a.rows = min(band, y1-from)
		for i := range n {
			v0, v1 := i*vectors/n, (i+1)*vectors/n
			if a.tail = t.lanes; v1 == vectors {
				a.tail = src.W - (vectors-1)*t.lanes
			}
			o.from(&a, from, v0*t.lanes)
			a.src = src.at(0, from, v0*t.lanes)
			for some := l.blocks; len(some) > 0; {
				m := together(some)
				a.blocks, a.end = unsafe.Pointer(&some[0]), unsafe.Pointer(&some[m-1])
				runConv(t.convID[v1-v0], &a)
				some = some[m:]
			}
		}
	}
}

// begin fills in what a convolution's strips have in common.
func (t *tiles) begin(o *Output, src *Bytes, l *Layer) (a convArgs) {
	a.tables, a.srcRow, a.bias, a.slope = unsafe.Pointer(&lookup), 4*src.Row, flag(l.bias), flag(l.slope)
	a.codes, a.add, a.clip = o.codes()
	switch {
	case o.Rows != nil:
		a.kind, a.dstRow, a.dstPlane, a.dstQuad = kindRows, 4*o.Rows.Row, 4*o.Rows.Plane, 16*o.Rows.Plane
		if s := o.Skip; s != nil {
			a.resRow, a.resPlane, a.resQuad = 4*s.Row, 4*s.Plane, 16*s.Plane
		}
	case o.Stream != nil:
		a.kind, a.dstRow, a.dstQuad = kindStream, 8*o.Stream.Row, 8*o.Stream.Plane
		if s := o.Residual; s != nil {
			a.resRow, a.resQuad = 8*s.Row, 8*s.Plane
		}
		if b := o.Bytes; b != nil {
			a.copyRow, a.copyQuad = 4*b.Row, 4*b.Plane
		}
	default:
		a.kind, a.dstRow, a.dstQuad = kindBytes, 4*o.Bytes.Row, 4*o.Bytes.Plane
	}
	return a
}

// from points a to where a strip that begins at (y, x) is written.
func (o *Output) from(a *convArgs, y, x int) {
	switch a.kind {
	case kindRows:
		a.dst = rowAt(o.Rows, 0, y, x)
		if o.Skip != nil {
			a.res = rowAt(o.Skip, 0, y, x)
		}
	case kindStream:
		a.dst = o.Stream.at(0, y, x)
		if o.Residual != nil {
			a.res = o.Residual.at(0, y, x)
		}
		if o.Bytes != nil {
			a.copy = o.Bytes.at(0, y, x)
		}
	default:
		a.dst = o.Bytes.at(0, y, x)
	}
}

// codes are the numbers that the last steps take, and whether they have to add a
// zero point and to clip.
func (o *Output) codes() (codes [4]int16, add, clip int) {
	codes = [4]int16{int16(o.Zero), o.Factor, int16(o.Low), int16(o.High)}
	return codes, flag(o.Zero != 0), flag(o.Low != 0 || o.High != 255)
}

// together is how many of the first blocks a kernel takes row by row: their source
// then comes from the first-level cache for all but the first.
func together(blocks []block) (n int) {
	bytes := 0
	for n < len(blocks) {
		b := &blocks[n]
		if bytes += 4*len(b.off) + len(b.w); n > 0 && bytes > listBytes {
			break
		}
		n++
	}
	return n
}

// pack runs the kernels over whole vectors; the scalar loop does what is left of
// a row.
func (t *tiles) pack(o *Output, src *kernel.Tensor, scale float32, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkPack(o, src, scale, y0, y1)
	a := packArgs{tables: unsafe.Pointer(&lookup), plane: 4 * src.Plane, n: src.W / t.lanes, scale: [2]float32{scale}}
	a.codes, a.add, a.clip = o.codes()
	for q := 0; q < quads(src.C) && a.n > 0; q++ {
		a.of = min(4, src.C-4*q)
		for y := y0; y < y1; y++ {
			a.src = rowAt(src, 4*q, y, 0)
			if o.Stream == nil {
				a.dst = o.Bytes.at(q, y, 0)
				runPack(t.packID, &a)
				continue
			}
			a.dst = o.Stream.at(q, y, 0)
			if o.Bytes != nil {
				a.copy = o.Bytes.at(q, y, 0)
			}
			runPack(t.packStreamID, &a)
		}
	}
	packColumns(o, src, scale, y0, y1, a.n*t.lanes)
}

func (t *tiles) narrow(o *Output, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkNarrow(o, y0, y1)
	a := packArgs{tables: unsafe.Pointer(&lookup), n: o.Stream.W / t.lanes}
	a.codes, a.add, a.clip = o.codes()
	for q := 0; q < quads(o.Stream.C) && a.n > 0; q++ {
		for y := y0; y < y1; y++ {
			a.dst, a.src = o.Bytes.at(q, y, 0), o.Stream.at(q, y, 0)
			runPack(t.narrowID, &a)
		}
	}
	narrowColumns(o, y0, y1, a.n*t.lanes)
}

// peak runs the probe's loop of P vectors of four products a lane a round.
func (t *tiles) peak(rounds int) float64 {
	runProbe(t.probe.ID, &probeArgs{rounds: rounds})
	return float64(rounds) * float64(t.probe.P*t.lanes*4)
}

// at is the address of a pixel; the row's vectors from there lie inside Data.
func (t *Quads[T]) at(q, y, x int) unsafe.Pointer {
	place := 4 * (t.Origin + q*t.Plane + y*t.Row + x)
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.Data)), place*int(unsafe.Sizeof(*new(T))))
}

// rowAt is the same for rows of float32.
func rowAt(t *kernel.Tensor, c, y, x int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.Data)), 4*(t.Origin+c*t.Plane+y*t.Row+x))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tables is what permutations and masks take.
type tables struct {
	quad   [16]uint8
	pair   [16]uint8
	weave  [2][16]int32
	even   [8]int64
	limits [2]float32
	tail32 [16]int32
	tail64 [16]int64
}

var lookup = tables{
	quad: [16]uint8{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
	pair: [16]uint8{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15},
	weave: [2][16]int32{
		{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23},
		{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31},
	},
	even:   [8]int64{0, 2, 4, 6, 1, 3, 5, 7},
	limits: [2]float32{-32768, 32767},
	tail32: [16]int32{-1, -1, -1, -1, -1, -1, -1, -1},
	tail64: [16]int64{-1, -1, -1, -1, -1, -1, -1, -1},
}

// The kernels find the fields there.
var (
	_ [0]struct{}   = [unsafe.Offsetof(block{}.quad)]struct{}{}
	_ [8]struct{}   = [unsafe.Offsetof(block{}.of)]struct{}{}
	_ [16]struct{}  = [unsafe.Offsetof(block{}.off)]struct{}{}
	_ [40]struct{}  = [unsafe.Offsetof(block{}.w)]struct{}{}
	_ [64]struct{}  = [unsafe.Offsetof(block{}.start)]struct{}{}
	_ [80]struct{}  = [unsafe.Offsetof(block{}.signed)]struct{}{}
	_ [96]struct{}  = [unsafe.Offsetof(block{}.scale)]struct{}{}
	_ [112]struct{} = [unsafe.Offsetof(block{}.bias)]struct{}{}
	_ [128]struct{} = [unsafe.Offsetof(block{}.slope)]struct{}{}
	_ [144]struct{} = [unsafe.Sizeof(block{})]struct{}{}

	_ [16]struct{}  = [unsafe.Offsetof(tables{}.pair)]struct{}{}
	_ [32]struct{}  = [unsafe.Offsetof(tables{}.weave)]struct{}{}
	_ [160]struct{} = [unsafe.Offsetof(tables{}.even)]struct{}{}
	_ [224]struct{} = [unsafe.Offsetof(tables{}.limits)]struct{}{}
	_ [232]struct{} = [unsafe.Offsetof(tables{}.tail32)]struct{}{}
	_ [296]struct{} = [unsafe.Offsetof(tables{}.tail64)]struct{}{}
)
