package imaging

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// TestProceduralSame: pixels depend on seed, index and size alone, not on the
// workers nor on what a painter drew before.
func TestProceduralSame(t *testing.T) {
	const n, size = 7, 64
	one, err := ProceduralSet(context.Background(), 5, n, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	four, err := ProceduralSet(context.Background(), 5, n, size, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		alone := Procedural(5, i, size)
		if !slices.Equal(one[i].Pix, four[i].Pix) || !slices.Equal(one[i].Pix, alone.Pix) {
			t.Errorf("picture %d depends on how it is drawn", i)
		}
		for j := range i {
			if slices.Equal(one[i].Pix, one[j].Pix) {
				t.Errorf("pictures %d and %d are equal", i, j)
			}
		}
	}
	if slices.Equal(one[0].Pix, Procedural(6, 0, size).Pix) {
		t.Error("two seeds give one picture")
	}
}

// TestProceduralSizes: every size gives rounded studio luma with contrast.
func TestProceduralSizes(t *testing.T) {
	for _, size := range []int{MinProceduralSize, 64, 97, 200} {
		for i := range 4 {
			p := Procedural(1, i, size)
			if p.W != size || p.H != size || !slices.Equal(p.Pix, p.Round().Pix) {
				t.Fatalf("size %d: %dx%d, or not rounded", size, p.W, p.H)
			}
			if low, high := Code(slices.Min(p.Pix)), Code(slices.Max(p.Pix)); low < 16 || high > 235 || high-low < 10 {
				t.Errorf("size %d, picture %d: levels %d to %d", size, i, low, high)
			}
		}
	}
}

// TestProceduralStatistics holds the pictures to what photographs have in
// common: power that falls as about the square of the frequency, mostly flat
// with heavy-tailed gradients, and detail that bicubic loses.
func TestProceduralStatistics(t *testing.T) {
	set, err := ProceduralSet(context.Background(), 11, 24, 128, 0)
	if err != nil {
		t.Fatal(err)
	}
	var slopes, bicubic, second, fourth, flat, n float64
	for _, p := range set {
		slopes += spectrumSlope(p) / float64(len(set))
		bicubic += psnr(Upscale(Downscale(p, 2), 2), p, 2) / float64(len(set))
		for y := range p.H {
			for x := range p.W - 1 {
				d := float64(p.Row(y)[x+1]-p.Row(y)[x]) * 255
				second, fourth, n = second+d*d, fourth+d*d*d*d, n+1
				if math.Abs(d) < 1.5 {
					flat++
				}
			}
		}
	}
	kurtosis := fourth / n / (second / n * second / n)
	t.Logf("slope %.2f, kurtosis %.1f, flat %.2f, bicubic x2 %.2f dB", slopes, kurtosis, flat/n, bicubic)
	for _, tt := range []struct {
		what           string
		got, low, high float64
	}{
		{"slope of the power spectrum", slopes, -3.1, -1.9},
		{"kurtosis of the gradients", kurtosis, 9, 40}, // a Gaussian's is 3
		{"share of gradients below 1.5 codes", flat / n, 0.15, 0.6},
		{"bicubic x2, dB", bicubic, 27, 35},
	} {
		if !(tt.got >= tt.low && tt.got <= tt.high) {
			t.Errorf("%s: %.2f, want %g to %g", tt.what, tt.got, tt.low, tt.high)
		}
	}
}

// spectrumSlope fits log power against log frequency from 2 cycles a picture
// to 0.4 of the sampling rate, under a Hann window.
func spectrumSlope(p *Plane) float64 {
	f := newFFT2(7)
	side := 1 << 7
	mean := 0.0
	for _, v := range p.Pix {
		mean += float64(v) / float64(len(p.Pix))
	}
	for i := range f.data {
		x, y := i%side, i/side
		hann := (1 - math.Cos(2*math.Pi*float64(x)/float64(side))) * (1 - math.Cos(2*math.Pi*float64(y)/float64(side)))
		f.data[i] = complex(float32((float64(p.Row(y)[x])-mean)*hann), 0)
	}
	f.transform()
	power, count := make([]float64, 24), make([]float64, 24) // bands of a quarter octave
	for i, c := range f.data {
		x, y := float64(i%side), float64(i/side)
		x, y = min(x, float64(side)-x), min(y, float64(side)-y)
		if r := math.Hypot(x, y); r >= 2 && r < 0.4*float64(side) {
			band := int(4 * math.Log2(r/2))
			power[band] += float64(real(c)*real(c) + imag(c)*imag(c))
			count[band]++
		}
	}
	var n, sx, sy, sxx, sxy float64
	for band := range power {
		if count[band] > 0 {
			x, y := (float64(band)+0.5)/4*math.Ln2, math.Log(power[band]/count[band])
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		}
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func TestProceduralSetErrors(t *testing.T) {
	for _, tt := range []struct {
		n, size int
		want    string
	}{{0, 64, "0 pictures"}, {1, 16, "size 16"}, {1, 1 << 20, "size 1048576"}} {
		if _, err := ProceduralSet(context.Background(), 1, tt.n, tt.size, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d of %d: %v, want %q", tt.n, tt.size, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if set, err := ProceduralSet(ctx, 1, 1000, 256, 2); set != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestFFT holds the transform against the sum that defines it.
func TestFFT(t *testing.T) {
	f := newFFT2(4) // columns are taken eight at a time: two blocks
	rng := check.Rand(t)
	n := 16
	in := make([]complex128, n*n)
	for i := range in {
		f.data[i] = complex(rng.Float32(), rng.Float32())
		in[i] = complex128(f.data[i])
	}
	f.transform()
	for v := range n {
		for u := range n {
			var want complex128
			for i, c := range in {
				s, co := math.Sincos(2 * math.Pi * float64(u*(i%n)+v*(i/n)) / float64(n))
				want += c * complex(co, s)
			}
			got := complex128(f.data[v*n+u])
			if d := got - want; math.Hypot(real(d), imag(d)) > 1e-3 {
				t.Fatalf("(%d, %d): %v, want %v", u, v, got, want)
			}
		}
	}
}

// TestSoftBlur: a blur keeps the mass of a shape and has the variance of its sigma.
func TestSoftBlur(t *testing.T) {
	for _, sigma := range []float64{1.5, 2, 3.3, 6} {
		var l layer
		l.reset(81, 61)
		l.cover[30*81+40] = 1
		l.colour[30*81+40] = 50
		l.blur(sigma)
		var sum, xx, yy, colour float64
		for i, v := range l.cover {
			x, y := float64(i%81-40), float64(i/81-30)
			sum, xx, yy, colour = sum+float64(v), xx+float64(v)*x*x, yy+float64(v)*y*y, colour+float64(l.colour[i])
		}
		if math.Abs(sum-1) > 1e-4 || math.Abs(colour-50) > 1e-2 {
			t.Errorf("sigma %g: cover %g, colour %g, want 1 and 50", sigma, sum, colour)
		}
		if math.Abs(math.Sqrt(xx)/sigma-1) > 0.1 || math.Abs(xx-yy) > 1e-3*xx {
			t.Errorf("sigma %g: %g across, %g down", sigma, math.Sqrt(xx), math.Sqrt(yy))
		}
	}
}

func BenchmarkProcedural(b *testing.B) {
	p := newPainter(256)
	for i := 0; b.Loop(); i++ {
		p.picture(1, i)
	}
}
