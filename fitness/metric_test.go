package fitness

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"evosr/imaging"
	"evosr/internal/check"
)

func noise(rng *rand.Rand, w, h int) *imaging.Plane {
	p := imaging.NewPlane(w, h)
	for i := range p.Pix {
		p.Pix[i] = float32(rng.IntN(256)) / 255
	}
	return p
}

func TestPSNRClosedForm(t *testing.T) {
	a, b := imaging.NewPlane(40, 30), imaging.NewPlane(40, 30)
	for i := range b.Pix {
		b.Pix[i] = 10.3 / 255 // rounds to 10
	}
	got, err := PSNR(a, b, 2)
	if want := 20 * math.Log10(255.0/10); err != nil || math.Abs(got-want) > 1e-12 {
		t.Errorf("10 levels apart: %v dB, %v, want %v", got, err, want)
	}
	if got, _ := PSNR(a, a, 2); got != MaxPSNR {
		t.Errorf("identical pictures: %v dB, want %v", got, MaxPSNR)
	}
	// What lies in the shaved frame does not count.
	b = a.Clone()
	b.Pix[0], b.Pix[40*30-1] = 1, 1
	if got, _ := PSNR(a, b, 1); got != MaxPSNR {
		t.Errorf("a difference in the shaved frame gives %v dB", got)
	}
	b.Pix[40*10+10] = float32(math.NaN())
	if got, _ := PSNR(a, b, 1); !math.IsNaN(got) {
		t.Errorf("a NaN pixel gives %v dB", got)
	}
}

// TestSSIM holds the separable sums against the definition, window by window.
func TestSSIM(t *testing.T) {
	rng := check.Rand(t)
	a, b := noise(rng, 23, 19), noise(rng, 23, 19)
	for i := range b.Pix {
		b.Pix[i] = (a.Pix[i]*3 + b.Pix[i]) / 4
	}
	const c1, c2 = 6.5025, 58.5225
	var g [11][11]float64
	sum := 0.0
	for y := range g {
		for x := range g {
			g[y][x] = math.Exp(-float64((x-5)*(x-5)+(y-5)*(y-5)) / 4.5)
			sum += g[y][x]
		}
	}
	total, n := 0.0, 0
	for y0 := 2; y0+11 <= 17; y0++ {
		for x0 := 2; x0+11 <= 21; x0++ {
			var ma, mb, aa, bb, ab float64
			for y := range 11 {
				for x := range 11 {
					w := g[y][x] / sum
					p := math.Round(float64(a.Pix[(y0+y)*23+x0+x]) * 255)
					q := math.Round(float64(b.Pix[(y0+y)*23+x0+x]) * 255)
					ma, mb, aa, bb, ab = ma+w*p, mb+w*q, aa+w*p*p, bb+w*q*q, ab+w*p*q
				}
			}
			total += (2*ma*mb + c1) * (2*(ab-ma*mb) + c2) / ((ma*ma + mb*mb + c1) * (aa - ma*ma + bb - mb*mb + c2))
			n++
		}
	}
	got, err := SSIM(a, b, 2)
	if want := total / float64(n); err != nil || math.Abs(got-want) > 1e-9 {
		t.Errorf("SSIM %v, %v, want %v", got, err, want)
	}
	if got, _ := SSIM(a, a, 2); math.Abs(got-1) > 1e-9 {
		t.Errorf("SSIM of a picture with itself is %v", got)
	}
}

func TestTooSmall(t *testing.T) {
	p := imaging.NewPlane(14, 40)
	if _, err := PSNR(p, p, 2); err == nil || !strings.Contains(err.Error(), "14x40") {
		t.Errorf("got %v, want an error that names 14x40", err)
	}
	q := imaging.NewPlane(40, 41)
	if _, err := PSNR(imaging.NewPlane(40, 40), q, 2); err == nil || !strings.Contains(err.Error(), "40x41") {
		t.Errorf("got %v, want an error that names 40x41", err)
	}
}

func TestCompareAllocatesNothing(t *testing.T) {
	rng := check.Rand(t)
	truth, err := NewTruth(noise(rng, 64, 64), 2)
	if err != nil {
		t.Fatal(err)
	}
	sr := noise(rng, 64, 64)
	var s Scratch
	if n := testing.AllocsPerRun(5, func() { truth.Compare(sr, &s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBicubicTable holds decoder, luma, reduction, enlargement and both metrics
// together against the figures that papers give for bicubic interpolation.
func TestBicubicTable(t *testing.T) {
	if testing.Short() { // pictures of both sets: minutes under the race detector, which sees nothing here
		t.Skip("short")
	}
	tests := []struct {
		set        string
		scale      int
		psnr, ssim float64
	}{
		{"Set5", 2, 33.661, .9299}, {"Set5", 3, 30.392, .8682}, {"Set5", 4, 28.421, .8104},
		{"Set14", 2, 30.232, .8687}, {"Set14", 3, 27.541, .7736}, {"Set14", 4, 26.000, .7019},
	}
	for _, tt := range tests {
		dir := check.Data(t, filepath.Join("eval", tt.set))
		s, err := EvaluateFolder(context.Background(), nil, dir, tt.scale, imaging.Limits{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(s.Mean.PSNR-tt.psnr) > 0.001 || math.Abs(s.Mean.SSIM-tt.ssim) > 0.0001 {
			t.Errorf("%s x%d: %.3f dB / %.4f, want %.3f / %.4f", tt.set, tt.scale, s.Mean.PSNR, s.Mean.SSIM, tt.psnr, tt.ssim)
		}
		if s.Mean != s.Bicubic || len(s.Images) < 5 {
			t.Errorf("%s x%d: mean %v, bicubic %v, %d pictures", tt.set, tt.scale, s.Mean, s.Bicubic, len(s.Images))
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	truth, err := NewTruth(noise(rng, 192, 192), 2)
	if err != nil {
		b.Fatal(err)
	}
	sr := noise(rng, 192, 192)
	var s Scratch
	b.SetBytes(192 * 192)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := truth.Compare(sr, &s); err != nil {
			b.Fatal(err)
		}
	}
}
