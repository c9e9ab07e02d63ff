package imaging

import "math"

// stroke is a bent line in a glyph's unit square, y downwards: from a to b,
// bulging sideways by bow of its length.
type stroke struct {
	ax, ay, bx, by, bow float64
}

// text draws a block of text-like strokes: an alphabet of random glyphs set in
// words and rows, on a plate of its own or straight on what is there.
func (p *painter) text(s *style) {
	r := p.rng
	side := float64(p.side)
	height := min(logUniform(r, 9, 48), side/6) // of a glyph
	width := height * uniform(r, 0.45, 0.75)
	pen := max(0.6, height*uniform(r, 0.035, 0.1)) // half the width of a stroke
	angle := 0.0
	if r.IntN(2) == 0 {
		angle = 0.2 * r.NormFloat64()
	}
	sin, cos := math.Sincos(angle)
	columns, rows := 4+r.IntN(24), 1+r.IntN(8)
	pitch := height * uniform(r, 1.3, 1.9)
	blockW, blockH := float64(columns)*width*1.2, float64(rows)*pitch
	x0, y0 := uniform(r, -0.3*blockW, side-0.5*blockW), uniform(r, -0.3*blockH, side-0.5*blockH)
	at := func(u, v float64) (x, y float64) { return x0 + u*cos - v*sin, y0 + u*sin + v*cos }

	plate := min(max(s.mean+s.sd*r.NormFloat64(), 16), 235)
	ink := plate + uniform(r, 50, 150)
	if ink > 235 || (ink < 200 && r.IntN(2) == 0) {
		ink = plate - (ink - plate)
	}
	paper := paint{level: float32(plate), sine: &p.noise.sine}
	if r.Float64() < 0.7 {
		cx, cy := at(blockW/2, blockH/2)
		o := outline{cx: cx, cy: cy}
		o.box(angle, blockW/2+height, blockH/2+height/2)
		if r.IntN(2) == 0 {
			paper.amplitude, paper.a, paper.b, paper.wa = float32(uniform(r, 1, 4)), p.noise.sample(r), p.noise.sample(r), 1
		}
		p.draw(&o, &paper)
	}
	pigment := paint{level: float32(min(max(ink, 16), 235)), sine: &p.noise.sine}

	var alphabet [20][]stroke
	for i := range alphabet {
		alphabet[i] = p.glyph()
	}
	slant := uniform(r, -0.05, 0.25)
	for row := range rows {
		word := 1 + r.IntN(9)
		for column := range columns {
			if word == 0 {
				word = 1 + r.IntN(9)
				continue // the space between words
			}
			word--
			for _, st := range alphabet[r.IntN(len(alphabet))] {
				p.stroke(st, pen, &pigment, func(u, v float64) (x, y float64) {
					return at(float64(column)*width*1.2+(u+slant*(1-v))*width, float64(row)*pitch+v*height)
				})
			}
		}
	}
}

// glyph draws a character of two to four strokes: stems, bars, diagonals, bows.
func (p *painter) glyph() []stroke {
	r := p.rng
	strokes := make([]stroke, 2+r.IntN(3))
	grid := []float64{0, 0.5, 1}
	for i := range strokes {
		x, y := grid[r.IntN(3)], grid[r.IntN(3)]
		switch r.IntN(4) {
		case 0:
			strokes[i] = stroke{x, 0, x, grid[1+r.IntN(2)], 0}
		case 1:
			strokes[i] = stroke{0, y, grid[1+r.IntN(2)], y, 0}
		case 2:
			strokes[i] = stroke{0, y, 1, grid[r.IntN(3)], 0}
		case 3:
			strokes[i] = stroke{x, 0, x, grid[1+r.IntN(2)], uniform(r, 0.3, 0.6) * float64(1-2*r.IntN(2))}
		}
	}
	return strokes
}

// stroke draws st with a pen of that half width; place maps the glyph's square
// to the canvas.
func (p *painter) stroke(st stroke, pen float64, t *paint, place func(u, v float64) (x, y float64)) {
	pieces := 1
	if st.bow != 0 {
		pieces = 6
	}
	point := func(k int) (x, y float64) {
		f := float64(k) / float64(pieces)
		bulge := st.bow * 4 * f * (1 - f)
		dx, dy := st.bx-st.ax, st.by-st.ay
		return place(st.ax+f*dx-bulge*dy, st.ay+f*dy+bulge*dx)
	}
	x, y := point(0)
	for k := range pieces {
		nx, ny := point(k + 1)
		o := outline{cx: (x + nx) / 2, cy: (y + ny) / 2}
		o.box(math.Atan2(ny-y, nx-x), math.Hypot(nx-x, ny-y)/2+0.7*pen, pen)
		p.draw(&o, t)
		x, y = nx, ny
	}
}
