package imaging

// RGB returns the picture as red, green and blue planes in [0, 1], rounded to the
// bits that it has: what an RGB file held comes back exactly. A grey picture gives
// what the file stores three times.
func (p *Picture) RGB() [3]*Plane {
	round := (*Plane).Round
	if p.Depth > 8 {
		round = (*Plane).round16
	}
	if p.Cb == nil {
		return [3]*Plane{round(p.Y), round(p.Y), round(p.Y)}
	}
	var out [3]*Plane
	for c := range out {
		out[c] = NewPlane(p.Y.W, p.Y.H)
	}
	inv := inverse(studio())
	for i, y := range p.Y.Pix {
		r, g, b := toRGB(&inv, float64(y), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
		out[0].Pix[i], out[1].Pix[i], out[2].Pix[i] = float32(r), float32(g), float32(b)
	}
	for c := range out {
		out[c] = round(out[c])
	}
	return out
}

// NewRGB makes a picture of red, green and blue planes in [0, 1], which are not
// rounded.
func NewRGB(rgb [3]*Plane) *Picture {
	w, h := rgb[0].W, rgb[0].H
	p := &Picture{Y: NewPlane(w, h), Cb: NewPlane(w, h), Cr: NewPlane(w, h)}
	for i := range p.Y.Pix {
		y, cb, cr := FromRGB(float64(rgb[0].Pix[i]), float64(rgb[1].Pix[i]), float64(rgb[2].Pix[i]))
		p.Y.Pix[i], p.Cb.Pix[i], p.Cr.Pix[i] = float32(y), float32(cb), float32(cr)
	}
	return p
}
