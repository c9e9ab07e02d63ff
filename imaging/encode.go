package imaging

import (
	"fmt"
	"image"
	"image/png"
	"io"
)

// EncodePNG writes p with 8 bits a channel: grey when it has no chroma, else
// RGB, and either with alpha when it has that. (PNG's grey with alpha is written
// as RGB with alpha.)
func EncodePNG(w io.Writer, p *Picture) error {
	if err := p.check(); err != nil {
		return err
	}
	if err := png.Encode(w, toImage(p)); err != nil {
		return fmt.Errorf("imaging: PNG out: %w", err)
	}
	return nil
}

// toImage converts p, which passed check, to the image that the PNG encoder
// stores with the fewest channels.
func toImage(p *Picture) image.Image {
	box := image.Rect(0, 0, p.Y.W, p.Y.H)
	if p.Cb == nil && p.Alpha == nil {
		m := image.NewGray(box)
		for i, v := range p.Y.Pix {
			m.Pix[i] = Code(v)
		}
		return m
	}
	m := image.NewNRGBA(box)
	inv := inverse(studio())
	for i, y := range p.Y.Pix {
		q := m.Pix[4*i : 4*i+4]
		if p.Cb == nil {
			q[0], q[1], q[2] = Code(y), Code(y), Code(y)
		} else {
			r, g, b := toRGB(&inv, float64(y), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
			q[0], q[1], q[2] = Code(float32(r)), Code(float32(g)), Code(float32(b))
		}
		q[3] = 255
		if p.Alpha != nil {
			q[3] = Code(p.Alpha.Pix[i])
		}
	}
	return m
}
