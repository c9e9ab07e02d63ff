package imaging

import (
	"math"
	"math/rand/v2"
	"slices"
)

// kind is a family of outlines.
type kind int

const (
	disc kind = iota
	rectangle
	star // a polygon of 3 to 8 corners that its centre sees all of
	stick
	kindCount
)

// outline is a disc, when it has no corners, or a polygon. Coordinates are
// canvas pixels; the centre of pixel (x, y) is (x+0.5, y+0.5).
type outline struct {
	cx, cy, radius           float64
	corners                  [2 * 8][2]float64
	n                        int // corners in use
	left, top, right, bottom float64
}

func newOutline(r *rand.Rand, k kind, cx, cy, radius float64) outline {
	o := outline{cx: cx, cy: cy, radius: radius}
	angle := uniform(r, 0, 2*math.Pi)
	switch k {
	case disc:
		o.left, o.top, o.right, o.bottom = cx-radius, cy-radius, cx+radius, cy+radius
		return o
	case rectangle:
		aspect := uniform(r, 0.25, 1)
		if r.IntN(4) == 0 {
			angle = 0 // walls, windows and pages stand upright
		}
		o.box(angle, radius, radius*aspect)
	case stick:
		o.box(angle, radius*uniform(r, 1, 3), max(0.7, radius*logUniform(r, 0.02, 0.2)))
	case star:
		n := 3 + r.IntN(6)
		for i := range n {
			turn := angle + 2*math.Pi*(float64(i)+uniform(r, -0.3, 0.3))/float64(n)
			o.corner(turn, radius*uniform(r, 0.4, 1))
		}
		o.bound()
	}
	return o
}

// corner adds a corner in polar coordinates about the centre.
func (o *outline) corner(angle, radius float64) {
	s, c := math.Sincos(angle)
	o.corners[o.n] = [2]float64{o.cx + radius*c, o.cy + radius*s}
	o.n++
}

// box makes o a rectangle of half sides a and b, turned by angle.
func (o *outline) box(angle, a, b float64) {
	s, c := math.Sincos(angle)
	for i, q := range [4][2]float64{{a, b}, {-a, b}, {-a, -b}, {a, -b}} {
		o.corners[i] = [2]float64{o.cx + q[0]*c - q[1]*s, o.cy + q[0]*s + q[1]*c}
	}
	o.n = 4
	o.bound()
}

func (o *outline) bound() {
	o.left, o.top = math.Inf(1), math.Inf(1)
	o.right, o.bottom = math.Inf(-1), math.Inf(-1)
	for _, q := range o.corners[:o.n] {
		o.left, o.right = min(o.left, q[0]), max(o.right, q[0])
		o.top, o.bottom = min(o.top, q[1]), max(o.bottom, q[1])
	}
}

// crossings appends where the horizontal line at y enters and leaves o, sorted.
func (o *outline) crossings(y float64, xs []float64) []float64 {
	if o.n == 0 {
		if d := o.radius*o.radius - (y-o.cy)*(y-o.cy); d > 0 {
			d = math.Sqrt(d)
			xs = append(xs, o.cx-d, o.cx+d)
		}
		return xs
	}
	a := o.corners[o.n-1]
	for _, b := range o.corners[:o.n] {
		if (a[1] <= y) != (b[1] <= y) {
			xs = append(xs, a[0]+(y-a[1])*(b[0]-a[0])/(b[1]-a[1]))
		}
		a = b
	}
	if len(xs) == 2 { // nearly always
		if xs[0] > xs[1] {
			xs[0], xs[1] = xs[1], xs[0]
		}
		return xs
	}
	slices.Sort(xs)
	return xs
}
