package kernel

import (
	"fmt"
	"unsafe"
)

// Lanes is the unit in float32 values that rows are padded to: the widest
// vector of any instruction set (AVX-512). Narrower sets divide it.
const Lanes = 16

// Tensor is planar float32 data (channels, height, width) with a border. Pixel
// (c, y, x) is Data[Origin + c*Plane + y*Row + x], and for x in [-Border, 0) or
// [W, W+Border), y alike, it is border: zero unless EdgeBorder filled it. Rows
// share their side borders: what follows one row's end precedes the next row.
//
// Between W and the next row's border lie padding values that kernels may read
// but never write; they are zero too. Origin and all strides are multiples of
// Lanes and Data is 64-byte aligned, so that every row starts on a cache line.
type Tensor struct {
	C, H, W    int
	Border     int // pixels on each side
	Row, Plane int // floats from row to row, channel to channel
	Origin     int // index of pixel (0, 0, 0)
	Data       []float32
}

// Layout gives the strides of a (c, h, w) tensor and the floats it needs.
func Layout(c, h, w, border int) (row, plane, origin, size int) {
	row = roundUp(w+border, Lanes)
	origin = roundUp(border*row+border, Lanes)
	plane = (h + border) * row // the top border is the previous plane's bottom border
	if plane/Lanes%2 == 0 {
		plane += Lanes // odd line counts keep planes out of each other's cache sets
	}
	return row, plane, origin, origin + c*plane + (border+1)*row + 8*Lanes
}

// NewTensor allocates a zeroed tensor.
func NewTensor(c, h, w, border int) *Tensor {
	t := new(Tensor)
	_, _, _, size := Layout(c, h, w, border)
	t.Place(Aligned(size), c, h, w, border)
	return t
}

// Place makes t a (c, h, w) tensor over memory that the caller owns, which
// must be 64-byte aligned, zero and at least as long as Layout says.
func (t *Tensor) Place(data []float32, c, h, w, border int) {
	row, plane, origin, size := Layout(c, h, w, border)
	if len(data) < size || c < 1 || h < 1 || w < 1 || border < 0 {
		panic(fmt.Sprintf("kernel: Place: %d floats for (%d, %d, %d) border %d, want %d", len(data), c, h, w, border, size))
	}
	*t = Tensor{C: c, H: h, W: w, Border: border, Row: row, Plane: plane, Origin: origin, Data: data[:size]}
}

// Aligned allocates n zero floats that start on a 64-byte line.
func Aligned(n int) []float32 {
	buf := make([]float32, n+Lanes)
	skip := 0
	if rest := uintptr(unsafe.Pointer(&buf[0])) % 64; rest != 0 {
		skip = int(64-rest) / 4
	}
	return buf[skip : skip+n : skip+n]
}

// At returns the W pixels of row y of channel c.
func (t *Tensor) At(c, y int) []float32 {
	i := t.Origin + c*t.Plane + y*t.Row
	return t.Data[i : i+t.W : i+t.W]
}

// Set copies w x h values, rows without padding, into channel c.
func (t *Tensor) Set(c int, pix []float32) {
	for y := range t.H {
		copy(t.At(c, y), pix[y*t.W:(y+1)*t.W])
	}
}

// EdgeBorder repeats the outermost pixels of every channel over the border.
// Rows share side borders, which a repeated edge cannot: such a tensor needs
// twice the border that its readers reach, so that the right border of a row
// and the left one of the next lie apart. reach is what readers need.
func (t *Tensor) EdgeBorder(reach int) {
	if t.Border < 2*reach {
		panic("kernel: EdgeBorder: border too narrow")
	}
	for c := range t.C {
		base := t.Origin + c*t.Plane
		for y := range t.H {
			row := base + y*t.Row
			left, right := t.Data[row], t.Data[row+t.W-1]
			for x := 1; x <= reach; x++ {
				t.Data[row-x] = left
				t.Data[row+t.W-1+x] = right
			}
		}
		n := t.W + 2*reach
		top, bottom := base-reach, base+(t.H-1)*t.Row-reach
		for y := 1; y <= reach; y++ {
			copy(t.Data[top-y*t.Row:][:n], t.Data[top:][:n])
			copy(t.Data[bottom+y*t.Row:][:n], t.Data[bottom:][:n])
		}
	}
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
