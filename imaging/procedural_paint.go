package imaging

import (
	"math"
	"math/rand/v2"
)

// paint colours the pixels of one shape: a grey level, a linear shade and a
// texture. Levels are 8-bit codes.
type paint struct {
	level, dx, dy float32 // level at the canvas's origin, change per pixel
	amplitude     float32 // of the texture; 0 for none
	a, b          sample  // noises
	wa, wb        float32 // their weights
	wave          float32 // weight of the sinusoid
	kx, ky, phase float32 // cycles per pixel, cycles
	bend          float32 // cycles that noise b moves the sinusoid by
	hard          float32 // gain before tanh; 0 for no tanh
	sine          *[sineSteps]float32
}

// newPaint draws the paint of a shape with that centre and radius.
func (p *painter) newPaint(s *style, cx, cy, radius float64) paint {
	r := p.rng
	level := min(max(s.mean+s.sd*r.NormFloat64(), 16), 235)
	angle := uniform(r, 0, 2*math.Pi)
	slope := s.shade * r.NormFloat64() / (2 * radius)
	dy, dx := math.Sincos(angle)
	dx, dy = dx*slope, dy*slope
	t := paint{level: float32(level - dx*cx - dy*cy), dx: float32(dx), dy: float32(dy), sine: &p.noise.sine}
	if r.Float64() >= textureOdds {
		return t
	}
	t.amplitude = float32(min(s.texture*math.Exp(0.8*r.NormFloat64()), 70))
	t.a, t.b = p.noise.sample(r), p.noise.sample(r)
	mix := uniform(r, 0, math.Pi/2)
	switch kind := r.Float64(); {
	case kind < 0.6: // noise
		t.wa, t.wb = float32(math.Cos(mix)), float32(math.Sin(mix))
	case kind < 0.8: // sinusoid
		t.wave = math.Sqrt2
	default: // both
		t.wa, t.wave = float32(math.Cos(mix)), float32(math.Sqrt2*math.Sin(mix))
	}
	if t.wave != 0 {
		period := logUniform(r, 4, 64)
		s, c := math.Sincos(uniform(r, 0, 2*math.Pi))
		t.kx, t.ky, t.phase = float32(c/period), float32(s/period), r.Float32()
		t.bend = float32(logUniform(r, 0.02, 0.5))
	}
	if r.IntN(4) == 0 {
		t.hard = float32(logUniform(r, 1, 6))
	}
	return t
}

// fill writes the pixels (x, y), (x+1, y), ... of the canvas to dst.
func (t *paint) fill(dst []float32, x, y int) {
	level := t.level + t.dy*float32(y) + t.dx*float32(x)
	if t.amplitude == 0 {
		for i := range dst {
			dst[i] = level + t.dx*float32(i)
		}
		return
	}
	a, b := t.a.row(x, y), t.b.row(x, y)
	turn := t.kx*float32(x) + t.ky*float32(y) + t.phase + 4096 // positive, so that truncating rounds down
	for i := range dst {
		nb := b.next()
		v := t.wa*a.next() + t.wb*nb
		if t.wave != 0 {
			v += t.wave * t.sine[int(sineSteps*(turn+t.kx*float32(i)+t.bend*nb))&(sineSteps-1)]
		}
		if t.hard != 0 {
			v = tanh(t.hard * v)
		}
		dst[i] = level + t.dx*float32(i) + t.amplitude*v
	}
}

// tanh is a rational approximation within 0.03, monotonic and exact at 0 and
// from 3 on, which it calls 1.
func tanh(x float32) float32 {
	if x >= 3 {
		return 1
	}
	if x <= -3 {
		return -1
	}
	return x * (27 + x*x) / (27 + 9*x*x)
}

const sineSteps = 1024

// noiseBank holds periodic noises for one picture: their power falls with
// frequency f as f^-s, s between 0.6 and 2.4.
type noiseBank struct {
	bits  int // log2 of a tile's side
	tiles [2 * noisePairs][]float32
	fft   *fft2
	sine  [sineSteps]float32
}

const noisePairs = 3 // one Fourier transform makes two noises of equal spectrum

func newNoiseBank(side int) *noiseBank {
	n := &noiseBank{bits: 7}
	for n.bits < 9 && 1<<n.bits < side/2 {
		n.bits++
	}
	n.fft = newFFT2(n.bits)
	for i := range n.tiles {
		n.tiles[i] = make([]float32, 1<<(2*n.bits))
	}
	for i := range n.sine {
		n.sine[i] = float32(math.Sin(2 * math.Pi * float64(i) / sineSteps))
	}
	return n
}

// fill draws new noises of mean 0 and variance 1.
func (n *noiseBank) fill(r *rand.Rand) {
	side := 1 << n.bits
	for pair := range noisePairs {
		exponent := uniform(r, 0.6, 2.4) // of power
		corner := logUniform(r, 1, 24)   // cycles per tile below which the spectrum is flat
		stretch := 1.0                   // a grain, as of wood or hair
		if r.IntN(2) == 0 {
			stretch = logUniform(r, 1, 6)
		}
		sin, cos := math.Sincos(uniform(r, 0, math.Pi))
		spectrum := n.fft.data
		for y := range side {
			fy := float64(y)
			if y > side/2 {
				fy -= float64(side)
			}
			for x := range side {
				fx := float64(x)
				if x > side/2 {
					fx -= float64(side)
				}
				u, v := (fx*cos+fy*sin)*stretch, (fy*cos-fx*sin)/stretch
				gain := float32(math.Exp(-exponent / 4 * math.Log(u*u+v*v+corner*corner)))
				spectrum[y*side+x] = complex(gain*float32(r.NormFloat64()), gain*float32(r.NormFloat64()))
			}
		}
		spectrum[0] = 0
		n.fft.transform()
		re, im := n.tiles[2*pair], n.tiles[2*pair+1]
		for i, c := range spectrum {
			re[i], im[i] = real(c), imag(c)
		}
		normalise(re)
		normalise(im)
	}
}

// normalise scales s, of mean 0, to variance 1.
func normalise(s []float32) {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(s))))
	for i := range s {
		s[i] *= scale
	}
}

// sample is a noise seen through a shift and one of the eight symmetries, so
// that shapes that share a tile do not look alike.
type sample struct {
	tile           []float32
	bits           int
	x0, y0, dx, dy int
	swap           bool
}

func (n *noiseBank) sample(r *rand.Rand) sample {
	s := sample{tile: n.tiles[r.IntN(len(n.tiles))], bits: n.bits, dx: 1, dy: 1}
	draw := r.Uint64()
	s.x0, s.y0 = int(draw>>8)&(1<<n.bits-1), int(draw>>24)&(1<<n.bits-1)
	if draw&1 != 0 {
		s.dx = -1
	}
	if draw&2 != 0 {
		s.dy = -1
	}
	s.swap = draw&4 != 0
	return s
}

// cursor walks along a row of a sample.
type cursor struct {
	tile           []float32 // the whole tile
	at, step, mask int
	base, shift    int
}

func (s *sample) row(x, y int) cursor {
	mask := 1<<s.bits - 1
	along, across := (s.x0+s.dx*x)&mask, (s.y0+s.dy*y)&mask
	if s.swap {
		return cursor{tile: s.tile, at: along, step: s.dx, mask: mask, base: across, shift: s.bits}
	}
	return cursor{tile: s.tile, at: along, step: s.dx, mask: mask, base: across << s.bits}
}

func (c *cursor) next() float32 {
	v := c.tile[c.base+c.at<<c.shift]
	c.at = (c.at + c.step) & c.mask
	return v
}
