package q8

import (
	"fmt"
	"math"
)

// Weights are a convolution in 8 bits: stride 1, same padding.
type Weights struct {
	Out, In, Kernel int       // channels; side of the square filter, odd
	W               []int8    // (out, in, kernel, kernel)
	Start           []int32   // by output channel: what sums begin with, a bias at no cost; nil: 0
	Scale           []float32 // by output channel: what a sum is multiplied by
	Bias            []float32 // by output channel: what is added then; nil: none
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
	bias    bool
	slope   bool
	most    int   // largest weight by amount
	lo, hi  int32 // least and largest offset

	row, plane int // pixels from row to row and quad to quad of the source
}

// block is a quad of output channels. Tap i adds, for channel j, the products of
// the source quad at off[i] and w[16*i+4*j:][:4].
type block struct {
	quad   int // first output channel / 4
	of     int // channels of the quad that the layer has
	off    []int32
	w      []int8
	start  [4]int32 // what sums of bytes begin with: the layer's and the zero point's share
	signed [4]int32 // what sums of bytes - 128 begin with
	scale  [4]float32
	bias   [4]float32
	slope  [4]float32
}

// maxValue bounds a layer's values, so that none rounds beyond 32 bits.
const maxValue = 1 << 30

// Lower makes the lists for a source whose rows and quads lie row and plane pixels
// apart. It refuses numbers that are none, lists so long that a sum could leave 32
// bits, and scales that could bring a value there.
func Lower(w *Weights, row, plane int) (*Layer, error) {
	if err := w.check(plane); err != nil {
		return nil, err
	}
	l := &Layer{Out: w.Out, In: w.In, bias: w.Bias != nil, slope: w.Slope != nil, row: row, plane: plane}
	for first := 0; first < w.Out; first += 4 {
		b := block{quad: first / 4, of: min(4, w.Out-first)}
		b.list(w, row, plane)
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
	for _, n := range []int{len(w.Start), len(w.Bias), len(w.Slope)} {
		if len(w.Scale) != w.Out || n != w.Out && n != 0 {
			return fmt.Errorf("q8: lower: %d starts, %d scales, %d biases, %d slopes, want %d",
				len(w.Start), len(w.Scale), len(w.Bias), len(w.Slope), w.Out)
		}
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
	start, bias, slope := int32(0), float32(0), float32(1)
	if w.Start != nil {
		start = w.Start[c]
		most += math.Abs(float64(start))
	}
	if w.Bias != nil {
		bias = w.Bias[c]
	}
	if w.Slope != nil {
		slope = w.Slope[c]
	}
	b.start[j], b.signed[j] = start-int32(w.Zero)*sum, start+(128-int32(w.Zero))*sum
	b.scale[j], b.bias[j], b.slope[j] = w.Scale[c], bias, slope
	value := (most*math.Abs(float64(w.Scale[c])) + math.Abs(float64(bias))) * max(1, math.Abs(float64(slope)))
	if !(most <= math.MaxInt32 && value < maxValue) {
		return fmt.Errorf("q8: lower: channel %d: start %d, scale %v, bias %v: sums up to %.0f, want at most %d; values up to %v, want below %d",
			c, start, w.Scale[c], bias, most, math.MaxInt32, value, maxValue)
	}
	return nil
}
