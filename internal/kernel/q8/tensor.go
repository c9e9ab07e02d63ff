package q8

import (
	"fmt"
	"unsafe"

	"evosr/internal/kernel"
)

// Quads is planar data in quads of channels, (quads, height, width, 4), with a
// border. The four values of pixel (q, y, x) begin at 4*(Origin + q*Plane + y*Row
// + x): places are those of a kernel.Tensor of as many channels as here are quads,
// borders and padding too. The last quad is filled up with channels that no one
// reads a meaning from.
//
// A border that a convolution reads has to be filled with the zero point; kernels
// write pixels only.
type Quads[T uint8 | int16] struct {
	C, H, W    int
	Border     int // pixels on each side
	Row, Plane int // pixels from row to row, quad to quad
	Origin     int // place of pixel (0, 0, 0)
	Data       []T // four values a place
}

// Bytes holds activations: a value is its step times (byte - zero point).
type Bytes = Quads[uint8]

// Stream holds what residual blocks add to: a value is its step times the number.
type Stream = Quads[int16]

// Floats is the memory that Place needs for c channels, in float32.
func (t *Quads[T]) Floats(c, h, w, border int) int {
	_, _, _, size := kernel.Layout(quads(c), h, w, border)
	return size * int(unsafe.Sizeof(*new(T)))
}

// Place makes t a tensor of c channels over memory that the caller owns, aligned
// to 64 bytes and at least as long as Floats says.
func (t *Quads[T]) Place(data []float32, c, h, w, border int) {
	if c < 1 || h < 1 || w < 1 || border < 0 || len(data) < t.Floats(c, h, w, border) {
		panic(fmt.Sprintf("q8: Place: %d floats for (%d, %d, %d) border %d", len(data), c, h, w, border))
	}
	row, plane, origin, size := kernel.Layout(quads(c), h, w, border)
	all := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), 4*size)
	*t = Quads[T]{C: c, H: h, W: w, Border: border, Row: row, Plane: plane, Origin: origin, Data: all}
}

// NewBytes allocates a tensor that is zero everywhere, border and all, in the sense
// of the zero point.
func NewBytes(c, h, w, border int, zero uint8) *Bytes {
	t := new(Bytes)
	t.Place(kernel.Aligned(t.Floats(c, h, w, border)), c, h, w, border)
	for i := range t.Data {
		t.Data[i] = zero
	}
	return t
}

// NewStream allocates a tensor of zeros.
func NewStream(c, h, w, border int) *Stream {
	t := new(Stream)
	t.Place(kernel.Aligned(t.Floats(c, h, w, border)), c, h, w, border)
	return t
}

// At returns the 4*W values of row y of quad q.
func (t *Quads[T]) At(q, y int) []T {
	i := 4 * (t.Origin + q*t.Plane + y*t.Row)
	return t.Data[i : i+4*t.W : i+4*t.W]
}

// quads is how many quads hold so many channels.
func quads(channels int) int { return (channels + 3) / 4 }
