package imaging

import (
	"image"
	"image/color"
)

// Bleed gives pixels that cannot be seen the colour of the nearest one that can, so
// that enlarging mixes no colour into an edge that nobody sees. What the file hides
// there is gone. It must not be called while others read r.
func (r *Raster) Bleed() {
	if !r.Alpha {
		return
	}
	var seen func(i int) bool
	var take func(to, from int)
	b := r.img.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := r.img.(type) {
	case *image.NRGBA64:
		seen = func(i int) bool { return m.Pix[8*i+6]|m.Pix[8*i+7] != 0 }
		take = func(to, from int) { copy(m.Pix[8*to:8*to+6], m.Pix[8*from:]) }
	case *image.NYCbCrA:
		n := wholeChroma(m)
		r.img = n
		seen = func(i int) bool { return n.A[i] != 0 }
		take = func(to, from int) {
			n.Y[to], n.Cb[to], n.Cr[to] = n.Y[from], n.Cb[from], n.Cr[from]
		}
	case *image.NRGBA:
		seen = func(i int) bool { return m.Pix[4*i+3] != 0 }
		take = func(to, from int) { copy(m.Pix[4*to:4*to+3], m.Pix[4*from:]) }
	case *image.RGBA64:
		n := image.NewNRGBA64(image.Rect(0, 0, w, h))
		for i := range w * h {
			n.SetNRGBA64(i%w, i/w, color.NRGBA64Model.Convert(m.RGBA64At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA64))
		}
		r.img = n
		r.Bleed()
		return
	default: // palettes, colours multiplied by alpha
		n := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range w * h {
			n.SetNRGBA(i%w, i/w, color.NRGBAModel.Convert(m.At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA))
		}
		r.img = n
		r.Bleed()
		return
	}
	spread(w, h, seen, take)
}

// wholeChroma repeats chroma to the size of luma.
func wholeChroma(m *image.NYCbCrA) *image.NYCbCrA {
	b := m.Bounds()
	n := image.NewNYCbCrA(image.Rect(0, 0, b.Dx(), b.Dy()), image.YCbCrSubsampleRatio444)
	for y := range b.Dy() {
		for x := range b.Dx() {
			i := y*b.Dx() + x
			c := m.COffset(b.Min.X+x, b.Min.Y+y)
			n.Y[i], n.Cb[i], n.Cr[i] = m.Y[m.YOffset(b.Min.X+x, b.Min.Y+y)], m.Cb[c], m.Cr[c]
			n.A[i] = m.A[m.AOffset(b.Min.X+x, b.Min.Y+y)]
		}
	}
	return n
}

// spread takes for every pixel that is not seen the nearest one that is, by a
// chamfer distance (Borgefors, 1986: 3 along a side, 4 across a corner) in two
// passes. Beyond far it is one that is near.
func spread(w, h int, seen func(int) bool, take func(to, from int)) {
	const far, open = 254, 255 // the largest distance that is told apart; not reached yet
	distance := make([]uint8, w*h)
	for i := range distance {
		if !seen(i) {
			distance[i] = open
		}
	}
	steps := [4]struct{ x, y, by int }{{-1, 0, 3}, {-1, -1, 4}, {0, -1, 3}, {1, -1, 4}}
	pass := func(sign int) {
		for n := range w * h {
			i := n
			if sign < 0 {
				i = w*h - 1 - n
			}
			if distance[i] == 0 {
				continue
			}
			x, y := i%w, i/w
			for _, s := range steps {
				nx, ny := x+sign*s.x, y+sign*s.y
				if nx < 0 || nx >= w || ny < 0 || ny >= h {
					continue
				}
				from := ny*w + nx
				if distance[from] == open {
					continue
				}
				if d := uint8(min(int(distance[from])+s.by, far)); d < distance[i] {
					distance[i] = d
					take(i, from)
				}
			}
		}
	}
	pass(1)
	pass(-1)
}
