package kernel

import (
	"fmt"
	"math"
	"math/bits"
)

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

	// Groups makes a block of GroupChannels channels whose taps have weights only
	// for the channels that need them: Groups[s-1] taps for subset s, bit j of
	// which is channel Out+j, the subsets one after the other. W then holds each
	// tap's weights side by side. Only Conv takes such blocks.
	Groups *[Subsets]int32

	// Index says where W[i] lives in the dense weights, or -1 for a weight
	// that the mask removed and that fills up a tap.
	Index []int32
}

// GroupChannels and Subsets are the channels of a block with grouped taps, and
// their subsets without the empty one.
const (
	GroupChannels = 4
	Subsets       = 1<<GroupChannels - 1
)

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
	kk := s.Kernel * s.Kernel
	// Strides of the dense weights from output to output, input to input.
	stepO, stepI := ins*kk, kk
	if transpose {
		outs, ins = ins, outs
		stepO, stepI = kk, outs*kk
		bias = nil
	}
	if ins*s.Plane > math.MaxInt32 {
		panic(fmt.Sprintf("kernel: Lower: %d channels of %d floats, want offsets below 2^31", ins, s.Plane))
	}
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
		bl.Bias = sized(bl.Bias, n)
		clear(bl.Bias)
		if bias != nil {
			copy(bl.Bias, bias[first:])
		}
		bl.Off, bl.Index = sized(bl.Off, ins*kk), sized(bl.Index, ins*kk*n)
		taps := bl.offsets(s, ins, first*stepO, stepO, stepI, mask, transpose)
		bl.Off, bl.Index, bl.W = bl.Off[:taps], bl.Index[:taps*n], sized(bl.W, taps*n)
		bl.fill(w, mask, stepO)
		first += n
	}
	return blocks
}

// offsets writes the offset of every tap that a weight of the block needs, and
// the dense index of its first weight into the tap's first Index; it returns
// their number. base is the dense index of the block's first weight.
func (bl *Block) offsets(s Shape, ins, base, stepO, stepI int, mask []uint8, transpose bool) (taps int) {
	k, r := s.Kernel, s.Kernel/2
	at, step := base, 1 // filters turn by running backwards
	if transpose {
		step = -1
	}
	for i := range ins {
		at = base + i*stepI
		if transpose {
			at += k*k - 1
		}
		for y := range k {
			off := i*s.Plane + (y-r)*s.Row - r
			for range k {
				if mask == nil || anyKept(mask[at:], bl.B, stepO) {
					bl.Off[taps], bl.Index[taps*bl.B] = int32(off), int32(at)
					taps++
				}
				at += step
				off++
			}
		}
	}
	return taps
}

// anyKept says whether one of n weights, step apart, is kept.
func anyKept(mask []uint8, n, step int) bool {
	any := uint8(0)
	for j := range n {
		any |= mask[j*step]
	}
	return any != 0
}

// fill completes Index from each tap's first one and gathers the weights.
func (bl *Block) fill(w []float32, mask []uint8, stepO int) {
	n := bl.B
	for t := range bl.Off {
		weights, index := bl.W[t*n:][:n], bl.Index[t*n:][:n]
		at := int(index[0])
		for j := range index {
			if mask == nil || mask[at] != 0 {
				weights[j], index[j] = w[at], int32(at)
			} else {
				weights[j], index[j] = 0, -1
			}
			at += stepO
		}
	}
}

// LowerGroups is Lower for GroupChannels output channels, none transposed, with
// grouped taps: no zeros fill them up.
func LowerGroups(s Shape, w, bias []float32, mask []uint8) Block {
	if s.Out != GroupChannels {
		panic(fmt.Sprintf("kernel: LowerGroups: %d channels, want %d", s.Out, GroupChannels))
	}
	full := Lower(nil, s, w, bias, mask, GroupChannels, false)[0]
	b := Block{B: GroupChannels, Bias: full.Bias, Groups: new([Subsets]int32)}
	for subset := 1; subset <= Subsets; subset++ {
		for t, off := range full.Off {
			kept := 0
			for j := range GroupChannels {
				if full.Index[t*GroupChannels+j] >= 0 {
					kept |= 1 << j
				}
			}
			if kept != subset {
				continue
			}
			b.Groups[subset-1]++
			b.Off = append(b.Off, off)
			for j := range GroupChannels {
				if at := t*GroupChannels + j; full.Index[at] >= 0 {
					b.W, b.Index = append(b.W, full.W[at]), append(b.Index, full.Index[at])
				}
			}
		}
	}
	return b
}

// each calls f with the number and the weight of every tap of channel Out+j.
func (b *Block) each(j int, f func(tap int, weight float32)) {
	if b.Groups == nil {
		for t := range b.Off {
			f(t, b.W[t*b.B+j])
		}
		return
	}
	tap, at := 0, 0
	for i, n := range b.Groups {
		subset := uint(i + 1)
		for range n {
			if subset>>j&1 == 1 {
				f(tap, b.W[at+bits.OnesCount(subset&(1<<j-1))])
			}
			tap, at = tap+1, at+bits.OnesCount(subset)
		}
	}
}

// Repack takes the values of the same layer's weights and bias (nil: keep)
// anew into blocks that Lower made; which weights are in the lists stays.
func Repack(blocks []Block, w, bias []float32) {
	for i := range blocks {
		b := &blocks[i]
		weights := b.W[:len(b.Index)]
		for k, at := range b.Index {
			if at >= 0 {
				weights[k] = w[at]
			}
		}
		if bias != nil {
			copy(b.Bias, bias[b.Out:b.Out+b.B])
		}
	}
}

// Scatter adds the gradients of the blocks' weights, as WeightGrad made them,
// to dw, the gradient of the dense weights. What fills up a tap goes nowhere.
func Scatter(dw []float32, blocks []Block, grad [][]float32) {
	for i := range blocks {
		g := grad[i][:len(blocks[i].Index)]
		for k, at := range blocks[i].Index {
			if at >= 0 {
				dw[at] += g[k]
			}
		}
	}
}

// sized is s with length n and any contents, its memory used again if enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
