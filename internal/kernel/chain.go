package kernel

// chainBytes is how much of a first-level cache of 48 KiB a strip of what a layer
// hands over to the next may fill: its source and the lists need the rest.
const (
	chainBytes       = 32 << 10
	chainMost        = 6 * Lanes // floats of a row: what the widest kernels of four channels take
	chainLeast       = 3 * Lanes
	chainMostChannel = 40 << 10 / 4 / chainLeast
)

// ChainStrip is the width of the strips in which Set.Chain should compute layers
// that hand over that many channels, in floats; 0 where even a narrow one leaves
// the cache.
func ChainStrip(channels int) int {
	if channels > chainMostChannel {
		return 0
	}
	return min(max(chainBytes/4/channels/Lanes*Lanes, chainLeast), chainMost)
}

// ChainTensor is one strip of those channels, over new memory.
func ChainTensor(channels int) *Tensor {
	strip := ChainStrip(channels)
	return &Tensor{C: channels, H: 1, W: strip, Row: strip, Plane: strip, Data: Aligned(channels * strip)}
}

// chainScalar is Set.Chain in plain loops.
func chainScalar(dst, mid, src *Tensor, first, second []Block, e1, e2 *Epilogue, y0, y1 int) {
	for y := y0; y < y1; y++ {
		for x := 0; x < dst.W; x += mid.W {
			width := min(mid.W, dst.W-x)
			strip := func(t *Tensor) *Tensor {
				if t == nil {
					return nil
				}
				s := *t
				s.Origin += y*t.Row + x
				s.W, s.H = width, 1
				return &s
			}
			between := *mid
			between.W = width
			e := *e2
			e.Residual, e.Gate = strip(e2.Residual), strip(e2.Gate)
			convScalar(&between, strip(src), first, e1, 0, 1)
			convScalar(strip(dst), &between, second, &e, 0, 1)
		}
	}
}
