package imaging

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Sides that Procedural draws, pixels.
const (
	MinProceduralSize = 32
	MaxProceduralSize = 2048
)

// Procedural draws picture index of the endless series that seed names: size x
// size pixels of studio luma, rounded. Equal arguments give equal pixels. It
// panics when size is outside MinProceduralSize..MaxProceduralSize.
//
// The pictures are "dead leaves" with textures. Opaque shapes fall on each other
// until they have covered the canvas six times; their radii follow a power law
// of exponent 3, so that every octave of sizes covers the same area, as in
// photographs. Grey levels, textures, blur and light have a distribution of
// their own in each picture. All is drawn at twice the size and averaged down.
func Procedural(seed uint64, index, size int) *Plane {
	return newPainter(size).picture(seed, index)
}

// ProceduralSet draws pictures 0 to n-1 on that many workers (0: one a core).
// The result does not depend on their number.
func ProceduralSet(ctx context.Context, seed uint64, n, size, workers int) ([]*Plane, error) {
	if n < 1 {
		return nil, fmt.Errorf("imaging: procedural: %d pictures, want at least 1", n)
	}
	if size < MinProceduralSize || size > MaxProceduralSize {
		return nil, fmt.Errorf("imaging: procedural: size %d, want %d to %d", size, MinProceduralSize, MaxProceduralSize)
	}
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	set := make([]*Plane, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			p := newPainter(size)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				set[i] = p.picture(seed, i)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("imaging: procedural: %w", err)
	}
	return set, nil
}

// Constants of the recipe. Lengths are pixels of the canvas, which has twice
// the side of the picture; grey levels are 8-bit codes.
const (
	coverage    = 6.0   // times that shapes cover the canvas
	maxShapes   = 60000 // bounds the loop when shapes are tiny
	textureOdds = 0.8   // share of shapes with a texture
	blurOdds    = 1.0 / 3
)

// painter draws pictures of one size, one after another, in its own memory.
type painter struct {
	size   int // of the picture
	side   int // of the canvas, 2*size
	canvas []float32
	noise  *noiseBank
	soft   layer // a blurred shape on its way to the canvas
	kernel []float32
	row    []float32
	cross  []float64
	rng    *rand.Rand
}

func newPainter(size int) *painter {
	if size < MinProceduralSize || size > MaxProceduralSize {
		panic(fmt.Sprintf("imaging: Procedural: size %d, want %d to %d", size, MinProceduralSize, MaxProceduralSize))
	}
	side := 2 * size
	return &painter{
		size: size, side: side,
		canvas: make([]float32, side*side),
		noise:  newNoiseBank(side),
		row:    make([]float32, side),
	}
}

// style is what the shapes of one picture have in common.
type style struct {
	kinds      []kind
	rmin, rmax float64 // radii
	mean, sd   float64 // grey levels
	shade      float64 // grey levels from one end of a shape to the other, standard deviation
	texture    float64 // median amplitude
	blurred    bool
	texts      int
}

func (p *painter) newStyle() style {
	r := p.rng
	s := style{
		kinds:   []kind{disc, rectangle, star, stick},
		rmin:    logUniform(r, 3, 16),
		rmax:    0.6 * float64(p.side),
		mean:    uniform(r, 50, 200),
		sd:      uniform(r, 15, 70),
		shade:   uniform(r, 4, 24),
		texture: 6 * math.Exp(0.7*r.NormFloat64()),
		blurred: r.IntN(2) == 0,
	}
	if r.IntN(4) == 0 {
		s.kinds = s.kinds[:0:0]
		s.kinds = append(s.kinds, kind(r.IntN(int(kindCount))))
	}
	s.rmin = min(s.rmin, float64(p.side)/16)
	if r.Float64() < 0.4 {
		s.texts = 1 + r.IntN(3)
	}
	return s
}

// picture draws one picture from the background to the front.
func (p *painter) picture(seed uint64, index int) *Plane {
	p.rng = rand.New(rand.NewPCG(seed, uint64(index)*0x9e3779b97f4a7c15+0x632be59bd9b4e019)) // odd multiplier: distinct streams
	p.noise.fill(p.rng)
	s := p.newStyle()

	ground := p.newPaint(&s, float64(p.side)/2, float64(p.side)/2, float64(p.side))
	for y := range p.side {
		ground.fill(p.canvas[y*p.side:(y+1)*p.side], 0, y)
	}
	area := float64(p.side * p.side)
	texts := make([]float64, s.texts) // covered area at which a block of text falls
	for i := range texts {
		texts[i] = uniform(p.rng, 0.7, 1) * coverage * area
	}
	for covered, n := 0.0, 0; covered < coverage*area && n < maxShapes; n++ {
		before := covered
		covered += p.shape(&s)
		for _, at := range texts {
			if before < at && at <= covered {
				p.text(&s)
			}
		}
	}
	if p.rng.IntN(2) == 0 {
		p.illuminate()
	}
	p.optics(uniform(p.rng, 0.4, 1.1))
	return p.reduce()
}

// shape draws one shape and returns the pixels that it covered.
func (p *painter) shape(s *style) float64 {
	r := p.rng
	// Radii of density r^-3 between rmin and rmax, by inversion.
	a, b := 1/(s.rmin*s.rmin), 1/(s.rmax*s.rmax)
	radius := 1 / math.Sqrt(a-(a-b)*r.Float64())
	side := float64(p.side)
	reach := min(radius, side/4)
	cx, cy := uniform(r, -reach, side+reach), uniform(r, -reach, side+reach)
	o := newOutline(r, s.kinds[r.IntN(len(s.kinds))], cx, cy, radius)
	t := p.newPaint(s, cx, cy, radius)
	if s.blurred && r.Float64() < blurOdds {
		return p.drawSoft(&o, &t, uniform(r, 1.5, 6))
	}
	return p.draw(&o, &t)
}

// draw fills o on the canvas and returns the pixels that it covered. A pixel
// belongs to a shape when its centre does: averaging down and the optics smooth
// the steps.
func (p *painter) draw(o *outline, t *paint) float64 {
	return float64(p.spans(o, 0, 0, p.side, p.side, func(y, from, to int) {
		t.fill(p.canvas[y*p.side+from:y*p.side+to], from, y)
	}))
}

// spans calls f for the pixels from..to-1 of row y that lie in o and in the
// box, and returns how many there were.
func (p *painter) spans(o *outline, left, top, right, bottom int, f func(y, from, to int)) int {
	n := 0
	y0, y1 := max(top, int(math.Ceil(o.top-0.5))), min(bottom-1, int(math.Floor(o.bottom-0.5)))
	for y := y0; y <= y1; y++ {
		p.cross = o.crossings(float64(y)+0.5, p.cross[:0])
		for i := 0; i+1 < len(p.cross); i += 2 {
			from := max(left, int(math.Ceil(p.cross[i]-0.5)))
			to := min(right, int(math.Ceil(p.cross[i+1]-0.5)))
			if from < to {
				f(y, from, to)
				n += to - from
			}
		}
	}
	return n
}

// drawSoft draws o out of focus: its colour and its coverage are blurred
// together and laid over the canvas.
func (p *painter) drawSoft(o *outline, t *paint, sigma float64) float64 {
	margin := int(3*sigma) + 1
	left, top := max(int(o.left)-margin, -margin), max(int(o.top)-margin, -margin)
	right, bottom := min(int(o.right)+margin+1, p.side+margin), min(int(o.bottom)+margin+1, p.side+margin)
	if left >= right || top >= bottom {
		return 0
	}
	l := &p.soft
	l.reset(right-left, bottom-top)
	n := p.spans(o, left, top, right, bottom, func(y, from, to int) {
		at := (y-top)*l.w - left
		t.fill(l.colour[at+from:at+to], from, y)
		cover := l.cover[at+from : at+to]
		for i := range cover {
			cover[i] = 1
		}
	})
	if n == 0 {
		return 0
	}
	l.blur(sigma)
	for y := max(top, 0); y < min(bottom, p.side); y++ {
		from, to := max(left, 0), min(right, p.side)
		if from >= to {
			break
		}
		at := (y-top)*l.w - left
		colour, cover := l.colour[at+from:at+to], l.cover[at+from:at+to]
		for i, c := range p.canvas[y*p.side+from : y*p.side+to] {
			p.canvas[y*p.side+from+i] = c*(1-cover[i]) + colour[i]
		}
	}
	return float64(n)
}

// illuminate multiplies the canvas, above black, by slow waves of light.
func (p *painter) illuminate() {
	const waves = 3
	var kx, ky, phase, amp [waves]float64
	for i := range waves {
		angle, cycles := uniform(p.rng, 0, 2*math.Pi), uniform(p.rng, 0.2, 1.5) // per side
		kx[i] = 2 * math.Pi * cycles * math.Cos(angle) / float64(p.side)
		ky[i] = 2 * math.Pi * cycles * math.Sin(angle) / float64(p.side)
		phase[i], amp[i] = uniform(p.rng, 0, 2*math.Pi), uniform(p.rng, 0.03, 0.16)
	}
	// A wave along a row is a rotation by a constant angle per pixel.
	for y := range p.side {
		var c, s, dc, ds [waves]float64
		for i := range waves {
			s[i], c[i] = math.Sincos(ky[i]*float64(y) + phase[i])
			ds[i], dc[i] = math.Sincos(kx[i])
			c[i], s[i] = c[i]*amp[i], s[i]*amp[i]
		}
		row := p.canvas[y*p.side : (y+1)*p.side]
		for x, v := range row {
			light := 1.0
			for i := range waves {
				light += c[i]
				c[i], s[i] = c[i]*dc[i]-s[i]*ds[i], s[i]*dc[i]+c[i]*ds[i]
			}
			row[x] = 16 + (v-16)*float32(light)
		}
	}
}

// reduce averages 2x2 pixels of the canvas and rounds to studio luma.
func (p *painter) reduce() *Plane {
	out := NewPlane(p.size, p.size)
	for y := range p.size {
		a, b := p.canvas[2*y*p.side:][:p.side], p.canvas[(2*y+1)*p.side:][:p.side]
		row := out.Row(y)
		for x := range row {
			v := (a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]) / 4
			row[x] = float32(int(min(max(v, 16), 235)+0.5)) / 255
		}
	}
	return out
}

func uniform(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

// logUniform draws a number whose octaves are equally likely.
func logUniform(r *rand.Rand, low, high float64) float64 {
	return low * math.Exp(math.Log(high/low)*r.Float64())
}
