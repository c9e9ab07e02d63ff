//go:build (amd64 || arm64) && !noasm

package kernel

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
		for s := range strips(vectors, wide) {
			left, right := strip(vectors, wide, s)
			for i := range to {
				r := &to[i]
				most := len(r.ids) - 1
				for k := range strips(right-left, most) {
					v0, v1 := strip(right-left, most, k)
					a.src = at(src, 0, y, (left+v0)*t.lanes)
					r.walk(&a, r.blocks, v1-v0, mid, e1, 0, v0*t.lanes)
				}
			}
			for i := range from {
				r := &from[i]
				most := len(r.ids) - 1
				for k := range strips(right-left, most) {
					v0, v1 := strip(right-left, most, k)
					b.mask = nil
					if left+v1 == vectors {
						b.mask = mask
					}
					b.src = at(mid, 0, 0, v0*t.lanes)
					r.walk(&b, r.blocks, v1-v0, dst, e2, y, (left+v0)*t.lanes)
				}
			}
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
