package q8

import (
	"fmt"
	"math"
)

// Weights are a convolution in 8 bits: stride 1, same padding.
type Weights struct {
	Out, In, Kernel int       // channels; side of the square filter, odd
	W               []int8    // (out, in, kernel, kernel)
	Scale, Bias     []float32 // by output channel: what a sum is multiplied by, what is added then
	Slope           []float32 // by output channel: negative values are multiplied by it; nil: none
	Zero            uint8     // zero point of the source
}

// Layer is Weights as lists for a source of given strides: a block for each quad of
// output channels, with the units of 4 outputs x 4 inputs x 1 tap that hold a
// weight beside 0.
type Layer struct {
	Out, In int // channels
	Units   int // 4x4 units in the lists
	blocks  []block
	slope   bool
	most    int   // largest weight by amount
	lo, hi  int32 // least and largest offset
}

// block is a quad of output channels. Tap i adds, for channel j, the products of
// the source quad at off[i] and w[16*i+4*j:][:4].
type block struct {
	quad   int // first output channel / 4
	of     int // channels of the quad that the layer has
	off    []int32
	w      []int8
	start  [4]int32 // what sums of bytes begin with: the zero point's share
	signed [4]int32 // what sums of bytes - 128 begin with
	scale  [4]float32
	bias   [4]float32
	slope  [4]float32
}

// MaxUnits bounds a list, so that no sum leaves 32 bits.
const MaxUnits = math.MaxInt32 / (4 * 128 * 255)

// maxValue bounds a layer's values, so that none rounds beyond 32 bits.
const maxValue = 1 << 30

// Lower makes the lists for a source whose rows and quads lie row and plane pixels
// apart. It refuses numbers that are none, and lists and scales whose sums or
// values could leave 32 bits.
func Lower(w *Weights, row, plane int) (*Layer, error) {
	if err := w.check(plane); err != nil {
		return nil, err
	}
	l := &Layer{Out: w.Out, In: w.In, slope: w.Slope != nil}
	for first := 0; first < w.Out; first += 4 {
		b := block{quad: first / 4, of: min(4, w.Out-first)}
		b.list(w, row, plane)
		if units := len(b.off); units > MaxUnits {
			return nil, fmt.Errorf("q8: lower: %d units of channel %d, want at most %d", units, first, MaxUnits)
		}
		for j := range b.of {
			if err := b.channel(j, w, first+j); err != nil {
				return nil, err
			}
		}
		for _, v := range b.w {
			l.most = max(l.most, int(v), -int(v))
		}
		for _, off := range b.off {
			l.lo, l.hi = min(l.lo, off), max(l.hi, off)
		}
		l.Units += len(b.off)
		l.blocks = append(l.blocks, b)
	}
	return l, nil
}

// check refuses shapes that do not fit.
func (w *Weights) check(plane int) error {
	if w.Out < 1 || w.In < 1 || w.Kernel < 1 || w.Kernel%2 == 0 || len(w.W) != w.Out*w.In*w.Kernel*w.Kernel {
		return fmt.Errorf("q8: lower: %d weights of (%d, %d, %d, %d), want an odd square", len(w.W), w.Out, w.In, w.Kernel, w.Kernel)
	}
	if len(w.Scale) != w.Out || len(w.Bias) != w.Out || w.Slope != nil && len(w.Slope) != w.Out {
		return fmt.Errorf("q8: lower: %d scales, %d biases, %d slopes, want %d", len(w.Scale), len(w.Bias), len(w.Slope), w.Out)
	}
	if quads(w.In)*plane > math.MaxInt32 {
		return fmt.Errorf("q8: lower: %d channels of %d pixels, want offsets below 2^31", w.In, plane)
	}
	return nil
}

// list gathers the block's units that hold a weight beside 0.
func (b *block) list(w *Weights, row, plane int) {
	k, r := w.Kernel, w.Kernel/2
	for q := range quads(w.In) {
		for y := range k {
			for x := range k {
				var unit [16]int8
				for j := range b.of {
					for i := range min(4, w.In-4*q) {
						unit[4*j+i] = w.W[(((4*b.quad+j)*w.In+4*q+i)*k+y)*k+x]
					}
				}
				if unit != [16]int8{} {
					b.off = append(b.off, int32(q*plane+(y-r)*row+x-r))
					b.w = append(b.w, unit[:]...)
				}
			}
		}
	}
}

// channel fills in what belongs to the block's channel j, the layer's channel c.
func (b *block) channel(j int, w *Weights, c int) error {
	sum, most := int32(0), 0.0 // of the weights; of a sum's amount
	for i, v := range b.w {
		if i%16/4 == j {
			sum += int32(v)
			most += math.Abs(float64(v)) * 255
		}
	}
	b.start[j], b.signed[j] = -int32(w.Zero)*sum, (128-int32(w.Zero))*sum
	b.scale[j], b.bias[j] = w.Scale[c], w.Bias[c]
	value := most*math.Abs(float64(w.Scale[c])) + math.Abs(float64(w.Bias[c]))
	if w.Slope != nil {
		b.slope[j] = w.Slope[c]
		value *= max(1, math.Abs(float64(w.Slope[c])))
	}
	if !(value < maxValue) {
		return fmt.Errorf("q8: lower: channel %d: scale %v, bias %v: values up to %v, want below %d", c, w.Scale[c], w.Bias[c], value, maxValue)
	}
	return nil
}
