package upscale

import (
	"context"
	"fmt"
	"math"

	"evosr/imaging"
	"evosr/network"
)

// Rows is a picture that is read a few rows at a time, such as an imaging.Raster.
// What it returns is the caller's.
type Rows interface {
	Rows(y0, y1 int) *imaging.Picture
}

// Size is the sides of a picture in pixels.
type Size struct{ W, H int }

// streamPixels is how many pixels of the result are made at a time, so that all
// that a strip takes stays below a quarter of a gigabyte.
const streamPixels = 6 << 20

// Stream enlarges src, of the size from, to the size to, whatever it is: by the
// network, then by bicubic interpolation to the exact size. Each call of the function
// that it returns gives the next rows; how far it is, told is told in rows of src.
//
// Rows are run in strips that overlap by what a pixel of the result can see, so that
// the values are those of one run. A network that looks everywhere runs once.
func (u *Upscaler) Stream(ctx context.Context, src Rows, from, to Size, told func(rows int)) func() (*imaging.Picture, error) {
	s := &enlarged{u: u, src: src, w: from.W, h: from.H, told: told, most: streamPixels / (u.scale * u.scale)}
	s.colour = imaging.NewResizer(from.W, from.H, from.W*u.scale, from.H*u.scale)
	next := func() (*imaging.Picture, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return s.strip()
	}
	big := Size{from.W * u.scale, from.H * u.scale}
	if big == to {
		return next
	}
	r := &resampled{next: next, by: imaging.NewResizer(big.W, big.H, to.W, to.H), from: big, to: to}
	return r.rows
}

// Picture enlarges a picture with its colours and its transparency.
func (u *Upscaler) Picture(p *imaging.Picture) (*imaging.Picture, error) {
	w, h := p.Y.W, p.Y.H
	return gathered(u.Stream(context.Background(), inMemory{p}, Size{w, h}, Size{w * u.scale, h * u.scale}, func(int) {}), h*u.scale)
}

// gathered gathers the rows of a stream.
func gathered(next func() (*imaging.Picture, error), h int) (*imaging.Picture, error) {
	var all *imaging.Picture
	for {
		p, err := next()
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = p
		} else {
			all = below(all, p)
		}
		if all.Y.H >= h {
			return all, nil
		}
	}
}

// below puts q below p.
func below(p, q *imaging.Picture) *imaging.Picture {
	join := func(a, b *imaging.Plane) *imaging.Plane {
		if a == nil {
			return nil
		}
		return &imaging.Plane{W: a.W, H: a.H + b.H, Pix: append(a.Pix, b.Pix...)}
	}
	return &imaging.Picture{Y: join(p.Y, q.Y), Cb: join(p.Cb, q.Cb), Cr: join(p.Cr, q.Cr), Alpha: join(p.Alpha, q.Alpha), Depth: p.Depth}
}

// inMemory is a picture as Rows.
type inMemory struct{ *imaging.Picture }

func (m inMemory) Rows(y0, y1 int) *imaging.Picture {
	if y0 == 0 && y1 == m.Y.H {
		return m.Picture
	}
	cut := func(p *imaging.Plane) *imaging.Plane {
		if p == nil {
			return nil
		}
		return p.Crop(0, y0, p.W, y1-y0)
	}
	return &imaging.Picture{Y: cut(m.Y), Cb: cut(m.Cb), Cr: cut(m.Cr), Alpha: cut(m.Alpha), Depth: m.Depth}
}

// enlarged makes a picture Scale times as large, in strips from top to bottom.
type enlarged struct {
	u       *Upscaler
	src     Rows
	w, h    int
	most    int // pixels of the source in a strip, the overlap included
	y       int // the next row of the source
	colour  *imaging.Resizer
	told    func(rows int)
	in, out []float32
}

// bicubicReach is how many rows away interpolation looks.
const bicubicReach = 3

// overlap returns the rows of a strip and how many of them it shares with each
// neighbour.
func (s *enlarged) overlap() (rows, halo int) {
	halo = bicubicReach
	if p := s.u.program; p != nil {
		reach := p.Reach()
		if reach < 0 {
			return s.h, 0
		}
		halo = max(halo, reach)
	}
	return min(max(s.most/s.w, 4*halo, 1), s.h), halo
}

// strip makes the next rows.
func (s *enlarged) strip() (*imaging.Picture, error) {
	rows, halo := s.overlap()
	y0 := min(max(0, s.y-halo), s.h-rows) // every run has the same size: one plan
	end := y0 + rows - halo
	if y0+rows == s.h {
		end = s.h
	}
	p := s.src.Rows(y0, y0+rows)
	k := s.u.scale
	interpolated := func(plane *imaging.Plane) *imaging.Plane {
		if plane == nil {
			return nil
		}
		big := imaging.NewPlane(s.w*k, (end-s.y)*k)
		s.colour.Window(big, s.y*k, plane, y0)
		return big
	}
	big := &imaging.Picture{Depth: p.Depth, Alpha: interpolated(p.Alpha)}
	planes, err := s.run(p, y0, rows, end, interpolated)
	if err != nil {
		return nil, err
	}
	switch {
	case len(planes) == 1:
		big.Y, big.Cb, big.Cr = planes[0], interpolated(p.Cb), interpolated(p.Cr)
	case p.Cb == nil: // grey stays grey
		big.Y = planes[0]
		for i := range big.Y.Pix {
			big.Y.Pix[i] = (planes[0].Pix[i] + planes[1].Pix[i] + planes[2].Pix[i]) / 3
		}
	default:
		colour := imaging.NewRGB([3]*imaging.Plane(planes))
		big.Y, big.Cb, big.Cr = colour.Y, colour.Cb, colour.Cr
	}
	s.y = end
	s.told(end)
	return big, nil
}

// run enlarges the planes that the network takes: luma, or RGB.
func (s *enlarged) run(p *imaging.Picture, y0, rows, end int, interpolated func(*imaging.Plane) *imaging.Plane) ([]*imaging.Plane, error) {
	var src []*imaging.Plane
	switch {
	case s.u.Colors() == 3:
		rgb := p.RGB()
		src = rgb[:]
	case p.Depth > 8:
		src = []*imaging.Plane{p.Y}
	default:
		src = []*imaging.Plane{p.Luma()}
	}
	if s.u.program == nil {
		return []*imaging.Plane{interpolated(src[0])}, nil
	}
	k := s.u.scale
	row := s.w * k
	if s.out == nil {
		s.in, s.out = make([]float32, len(src)*rows*s.w), make([]float32, len(src)*rows*k*row)
	}
	for c, plane := range src {
		copy(s.in[c*rows*s.w:], plane.Pix)
	}
	if err := s.u.Upscale(s.out, s.in, s.w, rows); err != nil {
		return nil, err
	}
	if err := s.u.finite(s.out, s.in, s.w, rows); err != nil {
		return nil, err
	}
	var big []*imaging.Plane
	for c := range src {
		plane := imaging.NewPlane(row, (end-s.y)*k)
		copy(plane.Pix, s.out[(c*rows+s.y-y0)*k*row:])
		big = append(big, plane)
	}
	return big, nil
}

// finite returns an error when a network's output is no picture: a value that is not
// finite, or that lies beyond what a float32 network can mean.
func (u *Upscaler) finite(out, in []float32, w, h int) error {
	for i, v := range out {
		if v-v == 0 {
			continue
		}
		k := u.scale
		at := i % (w * k * h * k)
		return fmt.Errorf("upscale: the network's result is not finite%s", u.culprit(in, w, h, at%(w*k)/k, at/(w*k)/k))
	}
	return nil
}

// culprit names the first layer whose values are beyond float32 around a pixel.
func (u *Upscaler) culprit(in []float32, w, h, x, y int) string {
	const side = 48 // pixels: the reference is slow, and a layer that overflows does so soon
	x0, y0 := min(max(0, x-side/2), max(0, w-side)), min(max(0, y-side/2), max(0, h-side))
	cw, ch := min(side, w), min(side, h)
	src := make([]float64, 0, u.Colors()*cw*ch)
	for c := range u.Colors() {
		for row := range ch {
			for _, v := range in[(c*h+y0+row)*w+x0:][:cw] {
				src = append(src, float64(v))
			}
		}
	}
	name, value := overflow(u.program.Graph(), src, cw, ch)
	if name == "" {
		return ""
	}
	return fmt.Sprintf(": layer %q gives %.3g, beyond what float32 holds", name, value)
}

// overflow returns the first layer with a value beyond float32, and that value; "" where
// none has.
func overflow(g *network.Graph, src []float64, w, h int) (layer string, value float64) {
	err := g.Trace(src, w, h, func(n *network.Node, values []float64) bool {
		for _, v := range values {
			if !(math.Abs(v) <= math.MaxFloat32) {
				layer, value = n.Name, v
				return false
			}
		}
		return true
	})
	if err != nil { // the picture is too small for the graph, which ran
		return "", 0
	}
	return layer, value
}

// resampled brings enlarged rows to another size.
type resampled struct {
	next     func() (*imaging.Picture, error)
	by       *imaging.Resizer
	from, to Size
	y        int              // the next row of the result
	have     *imaging.Picture // rows of the enlarged picture, from the row top on
	top      int
}

// resampledPixels is how many pixels are made at a time.
const resampledPixels = 1 << 20

func (r *resampled) rows() (*imaging.Picture, error) {
	n := min(max(1, resampledPixels/r.to.W), r.to.H-r.y)
	lo, hi := r.by.Needs(r.y, r.y+n)
	for r.have == nil || r.top+r.have.Y.H < hi {
		p, err := r.next()
		if err != nil {
			return nil, err
		}
		if r.have == nil {
			r.have = p
			continue
		}
		if gone := min(lo-r.top, r.have.Y.H-1); gone > 0 { // the last row stays, so that there is a plane
			r.have, r.top = inMemory{r.have}.Rows(gone, r.have.Y.H), r.top+gone
		}
		r.have = below(r.have, p)
	}
	part := &imaging.Picture{Depth: r.have.Depth}
	for _, pair := range []struct {
		to   **imaging.Plane
		from *imaging.Plane
	}{{&part.Y, r.have.Y}, {&part.Cb, r.have.Cb}, {&part.Cr, r.have.Cr}, {&part.Alpha, r.have.Alpha}} {
		if pair.from != nil {
			*pair.to = imaging.NewPlane(r.to.W, n)
			r.by.Window(*pair.to, r.y, pair.from, r.top)
		}
	}
	r.y += n
	return part, nil
}
