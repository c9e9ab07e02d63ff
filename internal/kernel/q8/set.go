// Package q8 holds the SIMD micro-kernels of networks in 8 bits: convolution by
// lists, and the ways into and out of its formats. docs/int8.md draws both.
//
// Activations are bytes with a zero point, weights signed bytes by output channel,
// sums 32 bits. A convolution computes a quad of output channels x P vectors of
// pixels in registers, looping over a list of (source offset, 4x4 weights): a unit
// of 4 outputs, 4 inputs and one tap whose weights are all 0 is not in the list and
// costs nothing. What follows the sums is fused into the stores:
//
//	v = float32(start + sum)*scale + bias   each rounded; negative v times the slope
//	Bytes:  clamp(round(v) + Zero, Low, High)
//	Stream: saturate(saturate(round(v)) + Residual), 16 bits, and its bytes
//	Rows:   v + Residual, float32
//
// Rounding is to the nearest, halves to even. All instruction sets give the same
// bits (scalar.go says which), on every processor, whatever the tiles, row ranges
// and threads.
//
// The assembly is written by kernel/_gen, with kernel's. Misuse panics before a
// kernel sees it.
package q8

import (
	"fmt"
	"time"

	"evosr/internal/kernel"
)

// Set is the kernels of one instruction set. Its functions allocate nothing and
// may be called from many goroutines at a time as long as they write to different
// memory.
type Set struct {
	Name string // "avx512vnni", "avxvnni", "avx2", "usdot", "sdot", "go"

	// MaxWeight is the largest weight by amount that Conv takes: 128, which is any,
	// or 64 where pairs of products are added in 16 bits (AVX2).
	MaxWeight int

	// Conv computes rows [y0, y1) of all of l's output channels from src, for whose
	// strides l was lowered. Only pixels inside the width are written. What is
	// written must not overlap src.
	Conv func(o *Output, src *Bytes, l *Layer, y0, y1 int)

	// Pack writes rows [y0, y1) of src times scale as o says, without Residual: to
	// o.Bytes, or to o.Stream and, if not nil, its bytes. What is no number becomes
	// the lowest value.
	Pack func(o *Output, src *kernel.Tensor, scale float32, y0, y1 int)

	// Narrow writes the bytes of rows [y0, y1) of o.Stream to o.Bytes.
	Narrow func(o *Output, y0, y1 int)

	peak func(rounds int) (macs float64)
}

// Output is where values go: to Bytes alone; to a Stream, with its bytes where
// Bytes is not nil; or to Rows. All have the layer's channels and pixels.
type Output struct {
	Bytes     *Bytes
	Zero      uint8 // is added to what becomes a byte
	Low, High uint8 // bytes are held in [Low, High]; ReLU is Low = Zero

	Stream   *Stream
	Residual *Stream // added to the Stream, which may be it; nil: none
	Factor   int16   // a Stream's byte is Factor/32768 of it, halves up, plus Zero; at least 0

	Rows *kernel.Tensor
	Skip *kernel.Tensor // added to Rows, which may be it; nil: none
}

// PeakGMACs is how many 1e9 products of bytes a second one core adds up, at this
// moment, on registers alone. It takes about d.
func (s *Set) PeakGMACs(d time.Duration) float64 { return kernel.Fastest(d, s.peak) }

// Sets lists the Sets that run on this processor, the fastest first.
func Sets() []*Set { return append(vectorSets(), scalar) }

// ByName is the Set of that name.
func ByName(name string) (*Set, error) {
	var have []string
	for _, s := range Sets() {
		if s.Name == name {
			return s, nil
		}
		have = append(have, s.Name)
	}
	return nil, fmt.Errorf("q8: set: %q, want one of %q on this processor", name, have)
}
