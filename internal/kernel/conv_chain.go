//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// chain is Set.Chain.
func (t *convTiles) chain(dst, mid, src *Tensor, first, second []Block, e1, e2 *Epilogue, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkChain(dst, mid, src, first, second, e1, e2, y0, y1, t.lanes)
	var few [2][6]sameSize // a list has blocks of 1, 2, 4 and 8 channels, and grouped ones
	to, from := t.sizes(few[0][:0], first), t.sizes(few[1][:0], second)
	if to == nil || from == nil { // grouped taps, which nobody lowers for such a Set
		chainScalar(dst, mid, src, first, second, e1, e2, y0, y1)
		return
	}
	a, b, mask := begin(mid, src, e1), begin(dst, mid, e2), t.mask(dst.W)
	a.rows, b.rows = 1, 1
	vectors, wide := (dst.W+t.lanes-1)/t.lanes, mid.W/t.lanes
	for y := y0; y < y1; y++ {
		for i := range strips(vectors, wide) {
			left, right := strip(vectors, wide, i)
			end, within, beside := unsafe.Pointer(nil), pixel{mid, 0, 0}, left*t.lanes
			if right == vectors {
				end = mask
			}
			t.across(&a, to, within, pixel{src, y, beside}, right-left, e1, nil)
			t.across(&b, from, pixel{dst, y, beside}, within, right-left, e2, end)
		}
	}
}

// pixel is where a row of a strip begins.
type pixel struct {
	t    *Tensor
	y, x int
}

// across computes a row of that many vectors; mask is of the last one's lanes.
func (t *convTiles) across(a *convArgs, list []sameSize, dst, src pixel, vectors int, e *Epilogue, mask unsafe.Pointer) {
	for i := range list {
		r := &list[i]
		most := len(r.ids) - 1
		for k := range strips(vectors, most) {
			v0, v1 := strip(vectors, most, k)
			if a.mask = nil; v1 == vectors {
				a.mask = mask
			}
			a.src = at(src.t, 0, src.y, src.x+v0*t.lanes)
			r.walk(a, r.blocks, v1-v0, dst.t, e, dst.y, dst.x+v0*t.lanes)
		}
	}
}

// sizes appends blocks by their sizes; nil where some have no kernels.
func (t *convTiles) sizes(list []sameSize, blocks []Block) []sameSize {
	for len(blocks) > 0 {
		r := t.next(blocks)
		if r.ids == nil {
			return nil
		}
		list, blocks = append(list, r), blocks[len(r.blocks):]
	}
	return list
}
