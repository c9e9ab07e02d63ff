//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"unsafe"
)

// convTiles drives the micro-kernels of one instruction set over a picture.
type convTiles struct {
	lanes int
	ids   [9][]int // ids[b][p] is the kernel of b channels x p vectors
	group []int    // group[p] is the kernel of grouped taps, p vectors wide
	high  [9]int   // high[B] channels of a block of B are computed at a time
}

// bandBytes is how much of the source a strip's band of rows may cover, so that
// it stays in a second-level cache from block to block.
const bandBytes = 256 << 10

func newConvTiles(variants []Variant) *convTiles {
	t := new(convTiles)
	for _, v := range variants {
		if v.Op == OpConvGrouped {
			for len(t.group) <= v.P {
				t.group = append(t.group, -1)
			}
			t.group[v.P] = v.ID
		}
		if v.Op != OpConv {
			continue
		}
		t.lanes = v.Lanes
		for len(t.ids[v.B]) <= v.P {
			t.ids[v.B] = append(t.ids[v.B], -1)
		}
		t.ids[v.B][v.P] = v.ID
	}
	for b := 1; b < len(t.high); b++ {
		for h := b; h > 0 && t.high[b] == 0; h /= 2 {
			if b%h == 0 && t.ids[h] != nil {
				t.high[b] = h
			}
		}
	}
	return t
}

func (t *convTiles) conv(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkConv(dst, src, blocks, e, y0, y1, t.lanes)
	vectors := (dst.W + t.lanes - 1) / t.lanes
	a, mask := begin(dst, src, e), t.mask(dst.W)
	for len(blocks) > 0 {
		r := t.next(blocks)
		blocks = blocks[len(r.blocks):]
		if r.ids == nil {
			convScalar(dst, src, r.blocks, e, y0, y1)
			continue
		}
		most := len(r.ids) - 1
		k := strips(vectors, most)
		band := max(bandBytes/(src.C*(most+1)*t.lanes*4), 4)
		for from := y0; from < y1; from += band {
			a.rows = min(band, y1-from)
			for i := range k {
				v0, v1 := strip(vectors, most, i)
				a.mask = nil
				if v1 == vectors {
					a.mask = mask
				}
				x := v0 * t.lanes
				a.src = at(src, 0, from, x)
				for some := r.blocks; len(some) > 0; {
					m := together(some)
					r.walk(&a, some[:m], v1-v0, dst, e, from, x)
					some = some[m:]
				}
			}
		}
	}
}

// begin fills in what a convolution's strips have in common.
func begin(dst, src *Tensor, e *Epilogue) convArgs {
	a := convArgs{srcRow: 4 * src.Row, dstRow: 4 * dst.Row, dstPlane: 4 * dst.Plane}
	if e.Residual != nil {
		a.resRow, a.resPlane = 4*e.Residual.Row, 4*e.Residual.Plane
	}
	if e.Gate != nil {
		a.gateRow, a.gatePlane = 4*e.Gate.Row, 4*e.Gate.Plane
	}
	if e.ReLU {
		a.relu = 1
	}
	a.clip = unsafe.Pointer(e.Clip)
	if e.Slope != nil || e.Clip != nil || e.Gate != nil {
		a.more = 1
	}
	return a
}

// mask selects the lanes of the last vector of a row of that width; nil: all.
func (t *convTiles) mask(width int) unsafe.Pointer {
	if rest := width % t.lanes; rest != 0 {
		return unsafe.Pointer(&tailMask[Lanes-rest])
	}
	return nil
}

// sameSize is blocks that the same kernels compute.
type sameSize struct {
	blocks []Block
	ids    []int // by vectors; nil: there are none
	high   int   // channels of a block that are computed at a time
}

// next is the first blocks, as far as they are of one size: in every list that
// Lower makes those follow each other.
func (t *convTiles) next(blocks []Block) sameSize {
	n := 1
	grouped := blocks[0].Groups != nil
	for n < len(blocks) && blocks[n].B == blocks[0].B && grouped == (blocks[n].Groups != nil) {
		n++
	}
	if grouped {
		return sameSize{blocks[:n], t.group, GroupChannels}
	}
	high := t.high[blocks[0].B]
	return sameSize{blocks[:n], t.ids[high], high}
}

// walk computes some of the blocks over a.rows rows of the strip of dst that
// begins at (y, x); a.src and a.mask are the strip's.
func (r *sameSize) walk(a *convArgs, blocks []Block, vectors int, dst *Tensor, e *Epilogue, y, x int) {
	a.wStep = 4 * blocks[0].B
	a.blocks, a.end = unsafe.Pointer(&blocks[0]), unsafe.Pointer(&blocks[len(blocks)-1])
	for j := 0; j < blocks[0].B; j += r.high {
		a.first = 4 * j
		a.dst = at(dst, j, y, x)
		if e.Residual != nil {
			a.res = at(e.Residual, j, y, x)
		}
		if e.Slope != nil {
			a.slope = unsafe.Pointer(&e.Slope[j])
		}
		if e.Gate != nil {
			a.gate = at(e.Gate, j, y, x)
		}
		runConv(r.ids[vectors], a)
	}
}

// listBytes is how much of lists a kernel walks for one row of a strip, so that
// they stay in a first-level cache from row to row.
const listBytes = 16 << 10

// togetherChannels bounds the channels that are written row by row: each lies in
// pages of its own.
const togetherChannels = 32

// together is how many of the first blocks a kernel takes row by row: their source
// then comes from the first-level cache for all but the first.
func together(blocks []Block) (n int) {
	bytes := 0
	for n < len(blocks) {
		b := &blocks[n]
		if bytes += 4 * (len(b.Off) + len(b.W)); n > 0 && (bytes > listBytes || (n+1)*b.B > togetherChannels) {
			break
		}
		n++
	}
	return n
}

// The kernels find the fields of a Block there.
var (
	_ [8]struct{}   = [unsafe.Offsetof(Block{}.Out)]struct{}{}
	_ [16]struct{}  = [unsafe.Offsetof(Block{}.Off)]struct{}{}
	_ [40]struct{}  = [unsafe.Offsetof(Block{}.W)]struct{}{}
	_ [64]struct{}  = [unsafe.Offsetof(Block{}.Bias)]struct{}{}
	_ [88]struct{}  = [unsafe.Offsetof(Block{}.Groups)]struct{}{}
	_ [120]struct{} = [unsafe.Sizeof(Block{})]struct{}{}
)

// at is the address of a pixel; the row's vectors from there lie inside Data.
func at(t *Tensor, c, y, x int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.Data)), 4*(t.Origin+c*t.Plane+y*t.Row+x))
}

// tailMask[Lanes-n:] selects the first n lanes.
var tailMask = [2 * Lanes]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
