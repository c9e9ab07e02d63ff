// Package upscale enlarges pictures and video, by a compiled network or by bicubic
// interpolation.
//
// A network of luma leaves colour to bicubic interpolation, one of RGB enlarges
// all; transparency is interpolated. Pictures too large for one run are run in
// strips, to the same values; video goes through frame by frame in constant
// memory.
package upscale

import (
	"evosr/imaging"
	"evosr/sparse"
)

// Upscaler enlarges luma, or RGB where its network has three colors. It serves one
// goroutine at a time.
type Upscaler struct {
	scale   int
	program *sparse.Program // nil: bicubic interpolation
}

// New enlarges by a program, which Close closes.
func New(p *sparse.Program) *Upscaler { return &Upscaler{p.Scale(), p} }

// Bicubic enlarges by interpolation alone.
func Bicubic(scale int) *Upscaler { return &Upscaler{scale: scale} }

// Program is what New was given, nil of Bicubic.
func (u *Upscaler) Program() *sparse.Program { return u.program }

// Close lets go of the program.
func (u *Upscaler) Close() {
	if u.program != nil {
		u.program.Close()
	}
}

// Scale is the enlargement of each side.
func (u *Upscaler) Scale() int { return u.scale }

// Colors is the number of planes that go in and out: 1, luma, or 3, RGB.
func (u *Upscaler) Colors() int {
	if u.program != nil {
		return u.program.Colors()
	}
	return 1
}

// Upscale enlarges planes of w x h values of src, (Colors, h, w), into dst,
// (Colors, h*Scale, w*Scale), of any size.
func (u *Upscaler) Upscale(dst, src []float32, w, h int) error {
	if u.program != nil {
		return strips(u.program, dst, src, w, h, stripPixels)
	}
	in := imaging.Plane{W: w, H: h, Pix: src}
	copy(dst, imaging.Upscale(&in, u.scale).Pix)
	return nil
}
