package kernel

import (
	"fmt"
	"math"
	"math/bits"
)

// checkConv panics where Conv in vectors of that many lanes would read or write
// outside its tensors.
func checkConv(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1, lanes int) {
	if y0 < 0 || y1 > dst.H || dst.H != src.H || dst.W != src.W {
		panic(fmt.Sprintf("kernel: Conv: rows [%d, %d) of %dx%d from %dx%d", y0, y1, dst.W, dst.H, src.W, src.H))
	}
	width := roundUp(dst.W, lanes)
	e.mustSuit("Conv", dst, width)
	src.mustServe("Conv", blocks, dst.C, y0, y1, width)
}

// checkChain panics where Chain would.
func checkChain(dst, mid, src *Tensor, first, second []Block, e1, e2 *Epilogue, y0, y1, lanes int) {
	if y0 < 0 || y1 > dst.H || dst.H != src.H || dst.W != src.W || mid.H != 1 || mid.W%Lanes != 0 {
		panic(fmt.Sprintf("kernel: Chain: rows [%d, %d) of %dx%d from %dx%d by strips of %dx%d", y0, y1, dst.W, dst.H, src.W, src.H, mid.W, mid.H))
	}
	if e1.Residual != nil || e1.Gate != nil {
		panic("kernel: Chain: residual or gate of the first")
	}
	width := roundUp(dst.W, lanes)
	e1.mustSuit("Chain", mid, mid.W)
	src.mustServe("Chain", first, mid.C, y0, y1, width)
	e2.mustSuit("Chain", dst, width)
	mid.mustServe("Chain", second, dst.C, 0, 1, mid.W)
}

// mustSuit panics unless whole vectors of every row lie inside dst and what an
// epilogue reads.
func (e *Epilogue) mustSuit(op string, dst *Tensor, width int) {
	dst.mustHold(op, "dst", width)
	for _, side := range []*Tensor{e.Residual, e.Gate} {
		if side == nil {
			continue
		}
		if side.C != dst.C || side.H != dst.H || side.W != dst.W {
			panic(fmt.Sprintf("kernel: %s: residual or gate of (%d, %d, %d), want (%d, %d, %d)",
				op, side.C, side.H, side.W, dst.C, dst.H, dst.W))
		}
		side.mustHold(op, "residual or gate", width)
	}
	if e.Slope != nil && len(e.Slope) < dst.C {
		panic(fmt.Sprintf("kernel: %s: %d slopes for %d channels", op, len(e.Slope), dst.C))
	}
}

// mustServe panics unless blocks of a tensor of that many channels are sound and
// read nothing outside t for rows [y0, y1).
func (t *Tensor) mustServe(op string, blocks []Block, channels, y0, y1, width int) {
	from, to := t.Origin+y0*t.Row, t.Origin+(y1-1)*t.Row+width
	for i := range blocks {
		b := &blocks[i]
		b.mustFit(op, channels)
		if lo, hi := reach(b.Off); from+int(lo) < 0 || to+int(hi) > len(t.Data) {
			panic(fmt.Sprintf("kernel: %s: block %d: offsets %d to %d leave the source", op, i, lo, hi))
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
	weights := len(b.Off) * b.B
	if b.Groups != nil {
		weights = b.mustGroup(op)
	}
	if b.Out < 0 || b.Out+b.B > channels || len(b.W) != weights || len(b.Bias) < b.B {
		panic(fmt.Sprintf("kernel: %s: block of channels [%d, %d) of %d with %d offsets, %d weights, %d biases",
			op, b.Out, b.Out+b.B, channels, len(b.Off), len(b.W), len(b.Bias)))
	}
}

// mustGroup panics unless the groups make up the block's taps; it returns the
// number of their weights.
func (b *Block) mustGroup(op string) (weights int) {
	taps := 0
	for i, n := range b.Groups {
		if n < 0 || n > math.MaxInt32/Subsets {
			panic(fmt.Sprintf("kernel: %s: group of %d taps", op, n))
		}
		taps += int(n)
		weights += int(n) * bits.OnesCount(uint(i+1))
	}
	if op == "WeightGrad" || b.B != GroupChannels || taps != len(b.Off) {
		panic(fmt.Sprintf("kernel: %s: %d grouped taps of %d channels with %d offsets, want a convolution of %d channels",
			op, taps, b.B, len(b.Off), GroupChannels))
	}
	return weights
}

// mustHold panics unless whole vectors of every row lie inside the data.
func (t *Tensor) mustHold(op, what string, width int) {
	if end := t.Origin + (t.C-1)*t.Plane + (t.H-1)*t.Row + width; t.Origin < 0 || end > len(t.Data) || t.C < 1 || t.H < 1 || t.W < 1 {
		panic(fmt.Sprintf("kernel: %s: %s: (%d, %d, %d) does not fit %d floats", op, what, t.C, t.H, t.W, len(t.Data)))
	}
}

// checkGrad panics where WeightGrad would.
func checkGrad(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block, lanes int) {
	if dy.H != src.H || dy.W != src.W || len(bias) < dy.C || len(grad) < len(blocks) {
		panic(fmt.Sprintf("kernel: WeightGrad: (%d, %d, %d) from %dx%d, %d biases, %d gradients for %d blocks",
			dy.C, dy.H, dy.W, src.W, src.H, len(bias), len(grad), len(blocks)))
	}
	width := roundUp(dy.W, lanes)
	dy.mustHold("WeightGrad", "dy", width)
	last := src.Origin + (src.H-1)*src.Row + width
	for i := range blocks {
		b := &blocks[i]
		b.mustFit("WeightGrad", dy.C)
		if len(grad[i]) < len(b.W) {
			panic(fmt.Sprintf("kernel: WeightGrad: block %d: %d gradients for %d weights", i, len(grad[i]), len(b.W)))
		}
		if lo, hi := reach(b.Off); src.Origin+int(lo) < 0 || last+int(hi) > len(src.Data) {
			panic(fmt.Sprintf("kernel: WeightGrad: block %d: offsets %d to %d leave the source", i, lo, hi))
		}
	}
}

// reach is the smallest and the largest offset, (0, 0) when there are none.
func reach(off []int32) (lo, hi int32) {
	for _, v := range off {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}
