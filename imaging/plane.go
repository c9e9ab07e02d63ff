package imaging

import "fmt"

// Plane is one channel of a picture: H rows of W values, without padding.
// Values are 8-bit codes divided by 255.
type Plane struct {
	W, H int       // pixels
	Pix  []float32 // row after row, W*H values
}

// NewPlane allocates a plane of zeros. It panics unless both sides are positive.
func NewPlane(w, h int) *Plane {
	if w < 1 || h < 1 {
		panic(fmt.Sprintf("imaging: NewPlane: %dx%d, want positive sides", w, h))
	}
	return &Plane{W: w, H: h, Pix: make([]float32, w*h)}
}

// Row returns the W values of row y; they are the plane's own.
func (p *Plane) Row(y int) []float32 { return p.Pix[y*p.W : (y+1)*p.W : (y+1)*p.W] }

// Clone returns a copy.
func (p *Plane) Clone() *Plane {
	c := NewPlane(p.W, p.H)
	copy(c.Pix, p.Pix)
	return c
}

// Crop returns a copy of the w x h pixels whose top left one is (x, y). It
// panics when they are not all inside.
func (p *Plane) Crop(x, y, w, h int) *Plane {
	if x < 0 || y < 0 || w < 1 || h < 1 || x > p.W-w || y > p.H-h {
		panic(fmt.Sprintf("imaging: Crop: %dx%d at (%d, %d) of a %dx%d plane", w, h, x, y, p.W, p.H))
	}
	c := NewPlane(w, h)
	for i := range h {
		copy(c.Row(i), p.Row(y + i)[x:])
	}
	return c
}

// CropTo returns the top left part whose sides are the largest multiples of
// multiple. It panics when a side is shorter than that.
func (p *Plane) CropTo(multiple int) *Plane {
	return p.Crop(0, 0, p.W/multiple*multiple, p.H/multiple*multiple)
}

// Round returns a new plane, clipped to [0, 1] and rounded to k/255.
func (p *Plane) Round() *Plane {
	r := NewPlane(p.W, p.H)
	for i, v := range p.Pix {
		r.Pix[i] = float32(Code(v)) / 255
	}
	return r
}

// Code returns the 8-bit code nearest to v, a value in units of 255 codes,
// clipped to 0..255. NaN gives 0.
func Code(v float32) uint8 {
	v = v*255 + 0.5
	if !(v >= 1) {
		return 0
	}
	if v >= 255 {
		return 255
	}
	return uint8(v)
}

// round16 is Round to k/65535.
func (p *Plane) round16() *Plane {
	r := NewPlane(p.W, p.H)
	for i, v := range p.Pix {
		r.Pix[i] = float32(code16(v)) / 65535
	}
	return r
}

// code16 is Code for 16 bits.
func code16(v float32) uint16 {
	v = v*65535 + 0.5
	if !(v >= 1) {
		return 0
	}
	if v >= 65535 {
		return 65535
	}
	return uint16(v)
}
