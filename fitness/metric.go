// Package fitness says how good a network is: PSNR and SSIM as super-resolution
// papers report them, and Score, which is what the search sees of a genome.
//
// The protocol is the one of DIV2K and Set5 tables: the high-resolution picture
// is cropped to a multiple of the scale and reduced to studio luma, rounded to
// 8 bits; the low-resolution one is its MATLAB bicubic reduction, rounded; the
// upscaled one is rounded; scale pixels are shaved from every side.
//
// What is scored is what ships: a genome is compiled to the sparse program that
// a winner would be and that program upscales the validation pictures.
package fitness

import (
	"fmt"
	"math"

	"evosr/imaging"
)

// Definition is the metric in one sentence, to be printed beside its numbers.
const Definition = "PSNR and SSIM on 8-bit studio luma (BT.601), MATLAB bicubic reduction, scale pixels shaved, SSIM 11x11 Gaussian sigma 1.5 over valid windows"

// DefinitionRGB is the metric of networks over RGB.
const DefinitionRGB = "PSNR and SSIM on the studio luma (BT.601) of 8-bit RGB, MATLAB bicubic reduction of RGB, scale pixels shaved, SSIM 11x11 Gaussian sigma 1.5 over valid windows"

// MaxPSNR is what identical pictures score, in dB, so that every mean stays
// finite: 20 dB above what a single wrong level among ten million pixels would
// give.
const MaxPSNR = 138.0

// ssimWindow is the side of SSIM's Gaussian window, pixels.
const ssimWindow = 11

// Quality is a picture's, or a set's mean, agreement with the original.
type Quality struct {
	PSNR float64 `json:"psnr_db"`
	SSIM float64 `json:"ssim"`
}

// Truth is an original prepared for repeated comparison: what of PSNR and SSIM
// depends on it alone is computed once. It is safe for concurrent use.
type Truth struct {
	w, h  int // shaved, pixels
	shave int
	full  [2]int    // size before shaving
	exact bool      // pictures keep the fraction of their codes
	pix   []float64 // w*h codes 0..255
	mean  []float64 // SSIM windows: local mean
	vari  []float64 // and variance
}

// Scratch is working memory of one goroutine for Truth.Compare. The zero value
// is ready.
type Scratch struct{ pix, prod, rows, mean, sq, xy []float64 }

// NewTruth prepares the original hr, whose pixels are rounded to 8 bits first.
// After shaving it must still hold one SSIM window, 11x11 pixels.
func NewTruth(hr *imaging.Plane, shave int) (*Truth, error) { return newTruth(hr, shave, false) }

func newTruth(hr *imaging.Plane, shave int, exact bool) (*Truth, error) {
	t := &Truth{exact: exact, w: hr.W - 2*shave, h: hr.H - 2*shave, shave: shave, full: [2]int{hr.W, hr.H}}
	if t.w < ssimWindow || t.h < ssimWindow {
		return nil, fmt.Errorf("fitness: picture: %dx%d with %d pixels shaved, want at least %dx%d left", hr.W, hr.H, shave, ssimWindow, ssimWindow)
	}
	t.pix = codes(nil, hr, shave, exact)
	var s Scratch
	t.mean = gauss(nil, t.pix, &s, t.w, t.h)
	t.vari = gauss(nil, square(&s, t.pix, t.pix), &s, t.w, t.h)
	for i, m := range t.mean {
		t.vari[i] -= m * m
	}
	return t, nil
}

// Compare rounds sr to 8 bits and compares it with the original of the same
// size. A NaN anywhere makes the PSNR NaN.
func (t *Truth) Compare(sr *imaging.Plane, s *Scratch) (Quality, error) {
	if sr.W != t.full[0] || sr.H != t.full[1] {
		return Quality{}, fmt.Errorf("fitness: picture: %dx%d, want %dx%d", sr.W, sr.H, t.full[0], t.full[1])
	}
	s.pix = codes(s.pix, sr, t.shave, t.exact)
	sum := 0.0
	for i, v := range s.pix {
		d := v - t.pix[i]
		sum += d * d
	}
	q := Quality{PSNR: MaxPSNR}
	if sum != 0 {
		q.PSNR = min(MaxPSNR, 10*math.Log10(255*255*float64(len(s.pix))/sum))
	}
	q.SSIM = t.ssim(s)
	return q, nil
}

// ssim is Wang et al., IEEE TIP 2004, over the windows that lie inside the
// picture.
func (t *Truth) ssim(s *Scratch) float64 {
	const c1, c2 = (0.01 * 255) * (0.01 * 255), (0.03 * 255) * (0.03 * 255)
	s.mean = gauss(s.mean, s.pix, s, t.w, t.h)
	s.sq = gauss(s.sq, square(s, s.pix, s.pix), s, t.w, t.h)
	s.xy = gauss(s.xy, square(s, s.pix, t.pix), s, t.w, t.h)
	sum := 0.0
	for i, a := range t.mean {
		b := s.mean[i]
		sum += (2*a*b + c1) * (2*(s.xy[i]-a*b) + c2) / ((a*a + b*b + c1) * (t.vari[i] + s.sq[i] - b*b + c2))
	}
	return sum / float64(len(t.mean))
}

// PSNR compares two pictures of one size, both rounded to 8 bits, with shave
// pixels cut from each side, in dB.
func PSNR(a, b *imaging.Plane, shave int) (float64, error) {
	q, err := compare(a, b, shave)
	return q.PSNR, err
}

// SSIM is as PSNR, in [-1, 1].
func SSIM(a, b *imaging.Plane, shave int) (float64, error) {
	q, err := compare(a, b, shave)
	return q.SSIM, err
}

func compare(a, b *imaging.Plane, shave int) (Quality, error) {
	t, err := NewTruth(a, shave)
	if err != nil {
		return Quality{}, err
	}
	return t.Compare(b, new(Scratch))
}

// codes writes the shaved picture as codes 0..255, rounded to 8 bits unless it
// is to stay exact.
func codes(dst []float64, p *imaging.Plane, shave int, exact bool) []float64 {
	dst = dst[:0]
	for y := shave; y < p.H-shave; y++ {
		for _, v := range p.Pix[y*p.W+shave : (y+1)*p.W-shave] {
			// A NaN passes min and max, and stays visible.
			c := min(max(float64(v), 0), 1) * 255
			if !exact {
				c = math.Floor(c + 0.5)
			}
			dst = append(dst, c)
		}
	}
	return dst
}

func square(s *Scratch, a, b []float64) []float64 {
	s.prod = grow(s.prod, len(a))
	for i, v := range a {
		s.prod[i] = v * b[i]
	}
	return s.prod
}

func grow(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}

// window is one side of the Gaussian, centre first: sigma 1.5, radius 5,
// normalised over the eleven values.
var window = func() (g [ssimWindow/2 + 1]float64) {
	sum := 0.0
	for i := range g {
		g[i] = math.Exp(-float64(i*i) / (2 * 1.5 * 1.5))
		sum += g[i] * float64(min(i, 1)+1)
	}
	for i := range g {
		g[i] /= sum
	}
	return g
}()

// gauss filters w x h values with the window, rows then columns, and keeps the
// (w-10) x (h-10) values whose window lies inside.
func gauss(dst, src []float64, s *Scratch, w, h int) []float64 {
	const r = ssimWindow / 2
	ow, oh := w-2*r, h-2*r
	s.rows = grow(s.rows, ow*h)
	for y := range h {
		in, out := src[y*w:(y+1)*w], s.rows[y*ow:(y+1)*ow]
		for x := range out {
			v := in[x : x+ssimWindow : x+ssimWindow]
			out[x] = window[0]*v[5] + window[1]*(v[4]+v[6]) + window[2]*(v[3]+v[7]) +
				window[3]*(v[2]+v[8]) + window[4]*(v[1]+v[9]) + window[5]*(v[0]+v[10])
		}
	}
	dst = grow(dst, ow*oh)
	for y := range oh {
		out := dst[y*ow : (y+1)*ow]
		row := func(i int) []float64 { return s.rows[(y+i)*ow:][:len(out)] }
		v0, v1, v2, v3, v4, v5 := row(0), row(1), row(2), row(3), row(4), row(5)
		v6, v7, v8, v9, v10 := row(6), row(7), row(8), row(9), row(10)
		for x := range out {
			out[x] = window[0]*v5[x] + window[1]*(v4[x]+v6[x]) + window[2]*(v3[x]+v7[x]) +
				window[3]*(v2[x]+v8[x]) + window[4]*(v1[x]+v9[x]) + window[5]*(v0[x]+v10[x])
		}
	}
	return dst
}
