package imaging

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"evosr/internal/check"
)

// psnr is the papers' figure in dB: both planes rounded, shave pixels off every
// side. fitness owns the public one; this room must stand without it.
func psnr(a, b *Plane, shave int) float64 {
	sum, n := 0.0, 0
	for y := shave; y < a.H-shave; y++ {
		for x := shave; x < a.W-shave; x++ {
			d := float64(Code(a.Row(y)[x])) - float64(Code(b.Row(y)[x]))
			sum += d * d
			n++
		}
	}
	return 10 * math.Log10(255*255*float64(n)/sum)
}

// ssim follows Wang et al., IEEE Trans. Image Processing 13(4), 2004: Gaussian
// window of 11x11, sigma 1.5, valid region.
func ssim(a, b *Plane, shave int) float64 {
	const size, c1, c2 = 11, (0.01 * 255) * (0.01 * 255), (0.03 * 255) * (0.03 * 255)
	var window [size]float64
	total := 0.0
	for i := range window {
		d := float64(i - size/2)
		window[i] = math.Exp(-d * d / (2 * 1.5 * 1.5))
		total += window[i]
	}
	for i := range window {
		window[i] /= total
	}
	w, h := a.W-2*shave, a.H-2*shave
	// blur weights f over the window at every valid place, columns first.
	blur := func(f []float64) []float64 {
		rows := h - size + 1
		down := make([]float64, w*rows)
		for k, g := range window {
			for i := range down {
				down[i] += g * f[i+k*w]
			}
		}
		out := make([]float64, 0, (w-size+1)*rows)
		for y := range rows {
			for x := range w - size + 1 {
				sum := 0.0
				for k, g := range window {
					sum += g * down[y*w+x+k]
				}
				out = append(out, sum)
			}
		}
		return out
	}
	va, vb, aa, bb, ab := make([]float64, w*h), make([]float64, w*h), make([]float64, w*h), make([]float64, w*h), make([]float64, w*h)
	for i := range va {
		x, y := i%w+shave, i/w+shave
		va[i], vb[i] = float64(Code(a.Row(y)[x])), float64(Code(b.Row(y)[x]))
		aa[i], bb[i], ab[i] = va[i]*va[i], vb[i]*vb[i], va[i]*vb[i]
	}
	ma, mb := blur(va), blur(vb)
	aa, bb, ab = blur(aa), blur(bb), blur(ab)
	sum := 0.0
	for i := range ma {
		sum += (2*ma[i]*mb[i] + c1) * (2*(ab[i]-ma[i]*mb[i]) + c2) /
			((ma[i]*ma[i] + mb[i]*mb[i] + c1) * (aa[i] - ma[i]*ma[i] + bb[i] - mb[i]*mb[i] + c2))
	}
	return sum / float64(len(ma))
}

// TestGoldenBicubic holds decoding, luma, downscaling and upscaling together
// against the figures of the benchmark sets: down and up again, `scale` pixels
// shaved. The table is of low resolutions that are not rounded between the two;
// rounding them, as every network's input is, costs up to 0.01 dB.
func TestGoldenBicubic(t *testing.T) {
	tests := []struct {
		set        string
		scale      int
		psnr, ssim float64
	}{
		{"eval/Set5", 2, 33.661, .9299}, {"eval/Set5", 3, 30.392, .8682}, {"eval/Set5", 4, 28.421, .8104},
		{"eval/Set14", 2, 30.232, .8687}, {"eval/Set14", 3, 27.541, .7736}, {"eval/Set14", 4, 26.000, .7019},
		{"validation/Kodak24", 2, 30.845, .8694}, {"validation/Kodak24", 3, 28.426, .7781}, {"validation/Kodak24", 4, 27.223, .7186},
	}
	lumas := map[string][]*Plane{}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s/x%d", filepath.Base(tt.set), tt.scale), func(t *testing.T) {
			if testing.Short() && tt.set != "eval/Set5" {
				t.Skip("short")
			}
			if lumas[tt.set] == nil {
				lumas[tt.set] = openLumas(t, check.Data(t, tt.set))
			}
			var p, s, rounded float64
			for _, luma := range lumas[tt.set] {
				pair := NewPair("", luma, tt.scale)
				n := float64(len(lumas[tt.set]))
				up := Upscale(Resize(pair.HR, pair.LR.W, pair.LR.H), tt.scale)
				p += psnr(up, pair.HR, tt.scale) / n
				s += ssim(up, pair.HR, tt.scale) / n
				rounded += psnr(Upscale(pair.LR, tt.scale), pair.HR, tt.scale) / n
			}
			t.Logf("%.4f dB, %.5f; %.4f dB from a rounded low resolution", p, s, rounded)
			if math.Abs(p-tt.psnr) > 0.001 || math.Abs(s-tt.ssim) > 0.0001 {
				t.Errorf("got %.4f dB, %.5f, want %.3f dB, %.4f", p, s, tt.psnr, tt.ssim)
			}
			if math.Abs(rounded-tt.psnr) > 0.01 {
				t.Errorf("rounded low resolution: got %.4f dB, want %.3f dB", rounded, tt.psnr)
			}
		})
	}
}

func openLumas(t *testing.T, dir string) []*Plane {
	t.Helper()
	paths, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lumas []*Plane
	for _, path := range paths {
		// Set14's bridge was an 8-bit grey file before it became WebP.
		p, err := Open(path, Limits{Grey: filepath.Base(path) == "bridge.webp"})
		if err != nil {
			t.Fatal(err)
		}
		lumas = append(lumas, p.Luma())
	}
	return lumas
}
