//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"unsafe"
)

// gradTiles drives the weight-gradient micro-kernels of one instruction set.
type gradTiles struct {
	lanes int
	plain [9][]int // plain[b][q] is the kernel of b channels x q taps
	bias  [9][]int // the one that sums dy as well
	high  [9]int   // high[B] channels of a block of B are computed at a time
}

func newGradTiles(variants []Variant) *gradTiles {
	t := new(gradTiles)
	for _, v := range variants {
		if v.Op != OpWeightGrad {
			continue
		}
		t.lanes = v.Lanes
		ids := &t.plain[v.B]
		if v.Bias {
			ids = &t.bias[v.B]
		}
		for len(*ids) <= v.P {
			*ids = append(*ids, -1)
		}
		(*ids)[v.P] = v.ID
	}
	for b := 1; b < len(t.high); b++ {
		for h := b; h > 0 && t.high[b] == 0; h /= 2 {
			if b%h == 0 && t.plain[h] != nil {
				t.high[b] = h
			}
		}
	}
	return t
}

func (t *gradTiles) weightGrad(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block) {
	checkGrad(grad, bias, dy, src, blocks, t.lanes)
	width := roundUp(dy.W, t.lanes)
	a := gradArgs{
		vectors: width / t.lanes, dyPlane: 4 * dy.Plane,
		dySkip: 4 * (dy.Row - width), srcSkip: 4 * (src.Row - width),
	}
	for bi := range blocks {
		b := &blocks[bi]
		high := t.high[b.B]
		most := len(t.plain[high]) - 1
		columns := len(b.Off) + 1 // the bias comes first
		for j := 0; j < b.B; j += high {
			a.bias, a.gradStep = unsafe.Pointer(&bias[b.Out+j]), 4*b.B
			for i := range strips(columns, most) {
				from, to := strip(columns, most, i)
				ids, first, q := t.plain[high], from-1, to-from
				if i == 0 {
					ids, first, q = t.bias[high], 0, q-1
				}
				a.dy, a.src, a.rows = at(dy, b.Out+j, 0, 0), at(src, 0, 0, 0), dy.H
				a.off, a.grad = nil, nil
				if q > 0 { // else a pointer might lie behind its slice
					a.off, a.grad = unsafe.Pointer(&b.Off[first]), unsafe.Pointer(&grad[bi][first*b.B+j])
				}
				runGrad(ids[q], &a)
			}
		}
	}
}
