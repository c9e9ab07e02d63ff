package kernel

// Block is one group of output channels that a micro-kernel computes together,
// as a list of taps: tap i adds W[i*B+j] times the source pixel at Off[i] to
// output channel Out+j. A weight that is not in the list costs nothing; a dense
// layer has the full list.
type Block struct {
	B    int       // output channels: 1, 2, 4 or 8
	Out  int       // first output channel
	Off  []int32   // source offset of a tap from the output pixel, in floats
	W    []float32 // len(Off)*B weights, tap-major
	Bias []float32 // B

	// Index says where W[i] lives in the dense weights, or -1 for a weight
	// that the mask removed and that fills up a tap.
	Index []int32
}

// Shape is what Lower needs to know of a convolution and its source tensor.
type Shape struct {
	Out, In, Kernel int
	Row, Plane      int // strides of the source tensor, floats
}

// Lower turns dense weights (out, in, kernel, kernel) with a mask (nil keeps
// all) into blocks of b output channels, the last ones smaller where b does not
// divide Out. A tap enters a block's list when the mask keeps any of its b
// weights. blocks is reused when large enough; so are the slices inside.
//
// With transpose it lowers the input gradient instead: the source is the output
// gradient (Out channels) and the blocks compute In channels, filters turned by
// 180 degrees; bias is not used then.
func Lower(blocks []Block, s Shape, w, bias []float32, mask []uint8, b int, transpose bool) []Block {
	outs, ins := s.Out, s.In
	if transpose {
		outs, ins = s.In, s.Out
	}
	k, kk, r := s.Kernel, s.Kernel*s.Kernel, s.Kernel/2
	blocks = blocks[:0]
	for first := 0; first < outs; {
		n := b
		for n > outs-first {
			n /= 2
		}
		if len(blocks) < cap(blocks) {
			blocks = blocks[:len(blocks)+1]
		} else {
			blocks = append(blocks, Block{})
		}
		bl := &blocks[len(blocks)-1]
		bl.B, bl.Out = n, first
		bl.Off, bl.W, bl.Index, bl.Bias = bl.Off[:0], bl.W[:0], bl.Index[:0], bl.Bias[:0]
		for j := range n {
			var v float32
			if bias != nil && !transpose {
				v = bias[first+j]
			}
			bl.Bias = append(bl.Bias, v)
		}
		// at is the dense index of weight (output o, input i, tap t).
		stepO, stepI := ins*kk, kk
		if transpose {
			stepO, stepI = kk, outs*kk
		}
		for i := range ins {
			for t := range kk {
				tap := t
				if transpose {
					tap = kk - 1 - t
				}
				at := first*stepO + i*stepI + tap
				if mask != nil {
					any := uint8(0)
					for j := range n {
						any |= mask[at+j*stepO]
					}
					if any == 0 {
						continue
					}
				}
				bl.Off = append(bl.Off, int32(i*s.Plane+(t/k-r)*s.Row+t%k-r))
				for j := range n {
					d := at + j*stepO
					if mask == nil || mask[d] != 0 {
						bl.W, bl.Index = append(bl.W, w[d]), append(bl.Index, int32(d))
					} else {
						bl.W, bl.Index = append(bl.W, 0), append(bl.Index, -1)
					}
				}
			}
		}
		first += n
	}
	return blocks
}
