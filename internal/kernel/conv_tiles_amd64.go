//go:build amd64 && !noasm

package kernel

import (
	"fmt"
	"unsafe"
)

// convTiles drives the micro-kernels of one instruction set over a picture.
type convTiles struct {
	lanes int
	ids   [9][]int // ids[b][p] is the kernel of b channels x p vectors
	high  [9]int   // high[B] channels of a block of B are computed at a time
}

// bandBytes is how much of the source a strip's band of rows may cover, so that
// it stays in a second-level cache from block to block.
const bandBytes = 256 << 10

func newConvTiles(variants []Variant) *convTiles {
	t := new(convTiles)
	for _, v := range variants {
		if v.Op != OpConv {
			continue
		}
		t.lanes = v.Lanes
		for len(t.ids[v.B]) <= v.P {
			t.ids[v.B] = append(t.ids[v.B], -1)
		}
		t.ids[v.B][v.P] = v.id
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
	t.check(dst, src, blocks, e, y0, y1)
	vectors := (dst.W + t.lanes - 1) / t.lanes
	var mask *int32
	if rest := dst.W % t.lanes; rest != 0 {
		mask = &tailMask[Lanes-rest]
	}
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
	// Blocks of one size follow each other in every list that Lower makes.
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && blocks[n].B == blocks[0].B {
			n++
		}
		high := t.high[blocks[0].B]
		ids := t.ids[high]
		most := len(ids) - 1
		k := strips(vectors, most)
		band := max(bandBytes/(src.C*(most+1)*t.lanes*4), 4)
		for from := y0; from < y1; from += band {
			a.rows = min(band, y1-from)
			for i := range k {
				v0, v1 := strip(vectors, most, i)
				a.mask = nil
				if v1 == vectors {
					a.mask = unsafe.Pointer(mask)
				}
				x := v0 * t.lanes
				a.src = at(src, 0, from, x)
				for bi := range n {
					b := &blocks[bi]
					a.taps, a.wStep = -len(b.Off), 4*b.B
					a.off = unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.Off)), 4*len(b.Off))
					for j := 0; j < b.B; j += high {
						a.w = unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.W)), 4*j)
						a.bias = unsafe.Pointer(&b.Bias[j])
						a.dst = at(dst, b.Out+j, from, x)
						if e.Residual != nil {
							a.res = at(e.Residual, b.Out+j, from, x)
						}
						if e.Gate != nil {
							a.gate = at(e.Gate, b.Out+j, from, x)
						}
						runConv(ids[v1-v0], &a)
					}
				}
			}
		}
		blocks = blocks[n:]
	}
}

// check panics where a call would read or write outside its tensors.
func (t *convTiles) check(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int) {
	if y0 < 0 || y1 > dst.H || dst.H != src.H || dst.W != src.W {
		panic(fmt.Sprintf("kernel: Conv: rows [%d, %d) of %dx%d from %dx%d", y0, y1, dst.W, dst.H, src.W, src.H))
	}
	width := roundUp(dst.W, t.lanes)
	dst.mustHold("Conv: dst", width)
	for _, side := range []*Tensor{e.Residual, e.Gate} {
		if side == nil {
			continue
		}
		if side.C != dst.C || side.H != dst.H || side.W != dst.W {
			panic(fmt.Sprintf("kernel: Conv: residual or gate of (%d, %d, %d), want (%d, %d, %d)",
				side.C, side.H, side.W, dst.C, dst.H, dst.W))
		}
		side.mustHold("Conv: residual or gate", width)
	}
	from, to := src.Origin+y0*src.Row, src.Origin+(y1-1)*src.Row+width
	for i := range blocks {
		b := &blocks[i]
		b.mustFit("Conv", dst.C)
		if lo, hi := reach(b.Off); from+int(lo) < 0 || to+int(hi) > len(src.Data) {
			panic(fmt.Sprintf("kernel: Conv: block %d: offsets %d to %d leave the source", i, lo, hi))
		}
	}
}

// mustFit panics unless the block's slices and channels agree with its size.
func (b *Block) mustFit(op string, channels int) {
	switch b.B {
	case 1, 2, 4, 8:
	default:
		panic(fmt.Sprintf("kernel: %s: block of %d channels, want 1, 2, 4 or 8", op, b.B))
	}
	if b.Out < 0 || b.Out+b.B > channels || len(b.W) != len(b.Off)*b.B || len(b.Bias) < b.B {
		panic(fmt.Sprintf("kernel: %s: block of channels [%d, %d) of %d with %d offsets, %d weights, %d biases",
			op, b.Out, b.Out+b.B, channels, len(b.Off), len(b.W), len(b.Bias)))
	}
}

// mustHold panics unless whole vectors of every row lie inside the data.
func (t *Tensor) mustHold(what string, width int) {
	if end := t.Origin + (t.C-1)*t.Plane + (t.H-1)*t.Row + width; t.Origin < 0 || end > len(t.Data) || t.C < 1 || t.H < 1 || t.W < 1 {
		panic(fmt.Sprintf("kernel: %s: (%d, %d, %d) does not fit %d floats", what, t.C, t.H, t.W, len(t.Data)))
	}
}

// at is the address of a pixel; the row's vectors from there lie inside Data.
func at(t *Tensor, c, y, x int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.Data)), 4*(t.Origin+c*t.Plane+y*t.Row+x))
}

// reach is the smallest and the largest offset, (0, 0) when there are none.
func reach(off []int32) (lo, hi int32) {
	for _, v := range off {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// tailMask[Lanes-n:] selects the first n lanes.
var tailMask = [2 * Lanes]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
