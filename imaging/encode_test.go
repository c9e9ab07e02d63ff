package imaging

import (
	"bytes"
	"fmt"
	"image"
	"strings"
	"testing"

	"evosr/internal/check"
)

// TestLargePNG: a picture whose rows are shared out over the cores, and which is
// compressed for speed, comes back to the code like a small one.
func TestLargePNG(t *testing.T) {
	rng := check.Rand(t)
	const w, h = 1031, 1021 // more than a megapixel, and odd rows for every number of cores
	for _, kind := range []string{"grey", "colour", "colour with alpha", "grey with alpha"} {
		t.Run(kind, func(t *testing.T) {
			m := image.NewNRGBA(image.Rect(0, 0, w, h))
			for i := 0; i < len(m.Pix); i += 4 {
				v := uint8(rng.IntN(256))
				m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = v, v, v, 255
				if strings.HasPrefix(kind, "colour") {
					m.Pix[i+1], m.Pix[i+2] = uint8(rng.IntN(256)), uint8(rng.IntN(256))
				}
				if kind != "grey" && kind != "colour" {
					m.Pix[i+3] = uint8(rng.IntN(256))
				}
			}
			want := newRaster(m, "PNG", Meta{}, strings.HasPrefix(kind, "grey")).Picture()
			var b bytes.Buffer
			if err := EncodePNG(&b, want); err != nil {
				t.Fatal(err)
			}
			got, err := Decode(&b, Limits{Grey: strings.HasPrefix(kind, "grey")})
			if err != nil {
				t.Fatal(err)
			}
			if (got.Cb == nil) != (want.Cb == nil) || (got.Alpha == nil) != (want.Alpha == nil) {
				t.Fatal("the planes are not those of the picture")
			}
			for i, p := range []*Plane{got.Y, got.Cb, got.Cr, got.Alpha} {
				q := []*Plane{want.Y, want.Cb, want.Cr, want.Alpha}[i]
				if p == nil {
					continue
				}
				for j := range p.Pix {
					if p.Pix[j] != q.Pix[j] {
						t.Fatalf("plane %d, pixel (%d, %d): %v, want %v", i, j%w, j/w, p.Pix[j], q.Pix[j])
					}
				}
			}
		})
	}
}

// TestByRows: every row once, whatever the size.
func TestByRows(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {5, 3}, {1 << 16, 1}, {1 << 16, 2}, {300, 997}} {
		seen := make([]int, s[1]) // ranges do not overlap, or the race detector and the counts tell
		byRows(s[0], s[1], func(from, to int) {
			for y := from; y < to; y++ {
				seen[y]++
			}
		})
		for y, n := range seen {
			if n != 1 {
				t.Errorf("%dx%d: row %d was done %d times", s[0], s[1], y, n)
			}
		}
	}
}

// counter counts bytes.
type counter int

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// BenchmarkEncodePNG writes an enlarged picture, as upscale does.
func BenchmarkEncodePNG(b *testing.B) {
	for _, s := range [][2]int{{750, 500}, {3000, 2000}} {
		b.Run(fmt.Sprintf("%dx%d", s[0], s[1]), func(b *testing.B) {
			y := Resize(Procedural(1, 0, 512), s[0], s[1])
			p := &Picture{Y: y, Cb: Resize(Procedural(2, 0, 256), s[0], s[1]), Cr: Resize(Procedural(3, 0, 256), s[0], s[1])}
			var n counter
			for b.Loop() {
				n = 0
				if err := EncodePNG(&n, p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/1e6, "MB")
		})
	}
}
