package imaging

import "math"

// layer is a shape with soft edges: colour is multiplied by cover already.
type layer struct {
	w, h          int
	colour, cover []float32
	scratch       []float32
	sums          []float32
}

// reset makes l an empty layer of that size.
func (l *layer) reset(w, h int) {
	l.w, l.h = w, h
	grow := func(s []float32, n int) []float32 {
		if cap(s) < n {
			return make([]float32, n)
		}
		s = s[:n]
		clear(s)
		return s
	}
	l.colour, l.cover = grow(l.colour, w*h), grow(l.cover, w*h)
	l.scratch, l.sums = grow(l.scratch, w*h), grow(l.sums, w)
}

// blur applies three boxes each way, which is close to a Gaussian of that
// sigma; outside the layer is nothing.
func (l *layer) blur(sigma float64) {
	// A box of radius r has the variance r(r+1)/3; wider of the three are one more.
	radius := int((math.Sqrt(4*sigma*sigma+1) - 1) / 2)
	wider := int(math.Round((sigma*sigma - float64(radius*(radius+1))) * 1.5 / float64(radius+1)))
	for i := range 3 {
		r := radius
		if i < wider {
			r++
		}
		l.colour, l.scratch = l.pass(l.colour, l.scratch, r)
		l.cover, l.scratch = l.pass(l.cover, l.scratch, r)
	}
}

// pass blurs src by a box along rows and columns, with dst as scratch space,
// and returns the result and what is scratch space now.
func (l *layer) pass(src, dst []float32, radius int) (result, scratch []float32) {
	w, h := l.w, l.h
	scale := 1 / float32(2*radius+1)
	for y := range h {
		in, out := src[y*w:(y+1)*w], dst[y*w:(y+1)*w]
		sum := float32(0)
		for _, v := range in[:min(radius, w)] {
			sum += v
		}
		for x := range out {
			if x+radius < w {
				sum += in[x+radius]
			}
			out[x] = sum * scale
			if x >= radius {
				sum -= in[x-radius]
			}
		}
	}
	sums := l.sums[:w]
	clear(sums)
	for y := range min(radius, h) {
		for x, v := range dst[y*w : (y+1)*w] {
			sums[x] += v
		}
	}
	for y := range h {
		if y+radius < h {
			for x, v := range dst[(y+radius)*w : (y+radius+1)*w] {
				sums[x] += v
			}
		}
		out := src[y*w : (y+1)*w]
		for x, v := range sums {
			out[x] = v * scale
		}
		if y >= radius {
			for x, v := range dst[(y-radius)*w : (y-radius+1)*w] {
				sums[x] -= v
			}
		}
	}
	return src, dst
}

// optics blurs the canvas by a Gaussian; the edge values are repeated.
func (p *painter) optics(sigma float64) {
	radius := int(math.Ceil(3 * sigma))
	p.kernel = p.kernel[:0]
	sum := 0.0
	for i := -radius; i <= radius; i++ {
		sum += math.Exp(-float64(i*i) / (2 * sigma * sigma))
	}
	for i := -radius; i <= radius; i++ {
		p.kernel = append(p.kernel, float32(math.Exp(-float64(i*i)/(2*sigma*sigma))/sum))
	}
	n := p.side
	for y := range n {
		row := p.canvas[y*n : (y+1)*n]
		copy(p.row, row)
		for x := range row {
			sum := float32(0)
			if x >= radius && x < n-radius {
				for k, v := range p.row[x-radius : x+radius+1] {
					sum += p.kernel[k] * v
				}
			} else {
				for k, w := range p.kernel {
					sum += w * p.row[min(max(x+k-radius, 0), n-1)]
				}
			}
			row[x] = sum
		}
	}
	// Down the columns, rows that are still needed wait in a ring.
	taps := len(p.kernel)
	p.soft.reset(n, taps+1)
	ring, out := p.soft.colour, p.soft.cover[:n]
	held := func(y int) []float32 { y = min(max(y, 0), n-1); return ring[y%(taps+1)*n:][:n] }
	for y := range min(radius, n) {
		copy(held(y), p.canvas[y*n:(y+1)*n])
	}
	for y := range n {
		if y+radius < n {
			copy(held(y+radius), p.canvas[(y+radius)*n:(y+radius+1)*n])
		}
		clear(out)
		for k, w := range p.kernel {
			for x, v := range held(y + k - radius) {
				out[x] += w * v
			}
		}
		copy(p.canvas[y*n:(y+1)*n], out)
	}
}
