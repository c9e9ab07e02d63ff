package imaging

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// numbered returns a plane in which every 3x3 neighbourhood is distinct.
func numbered(rng *rand.Rand, w, h int) *Plane {
	p := NewPlane(w, h)
	for i := range p.Pix {
		p.Pix[i] = float32(rng.IntN(256)) / 255
	}
	return p
}

// symmetries returns the eight flips and rotations of a square, built from
// quarter turns and one mirror.
func symmetries(s []float32, n int) [][]float32 {
	var all [][]float32
	for mirror := range 2 {
		a := slices.Clone(s)
		if mirror == 1 {
			for i := range a {
				a[i] = s[i/n*n+n-1-i%n]
			}
		}
		for range 4 {
			all = append(all, a)
			b := make([]float32, len(a))
			for i := range b {
				b[i] = a[i%n*n+n-1-i/n]
			}
			a = b
		}
	}
	return all
}

// TestPatch: every patch is one of the eight symmetries of a place, the same in
// both resolutions; all eight and all pictures come up; generators alone decide.
func TestPatch(t *testing.T) {
	rng := check.Rand(t)
	const size = 3
	for _, scale := range []int{1, 2, 3, 4} {
		hr := []*Plane{numbered(rng, 9*scale+scale-1, 8*scale), numbered(rng, 5*scale, 6*scale)}
		d, err := NewDataset(hr, scale)
		if err != nil {
			t.Fatal(err)
		}
		if d.Len() != 2 || d.Scale() != scale {
			t.Fatalf("%d pictures at scale %d", d.Len(), d.Scale())
		}
		seed := rng.Uint64()
		a, b := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
		seen := map[[2]int]bool{}
		for range 300 {
			lr, big := make([]float32, size*size), make([]float32, size*size*scale*scale)
			lr2, big2 := slices.Clone(lr), slices.Clone(big)
			d.Patch(a, size, lr, big)
			d.Patch(b, size, lr2, big2)
			if !slices.Equal(lr, lr2) || !slices.Equal(big, big2) {
				t.Fatal("equal generators give unequal patches")
			}
			picture, symmetry := locate(hr, lr, big, size, scale)
			if picture < 0 {
				t.Fatalf("scale %d: a patch that is at no place in either resolution", scale)
			}
			seen[[2]int{picture, symmetry}] = true
		}
		if len(seen) != 16 {
			t.Errorf("scale %d: %d of 16 pairs of picture and symmetry in 300 patches", scale, len(seen))
		}
	}
}

// locate finds the picture and the symmetry whose patches are lr and big.
func locate(pictures []*Plane, lr, big []float32, size, scale int) (picture, symmetry int) {
	for i, p := range pictures {
		small := Downscale(p, scale)
		for y := range small.H - size + 1 {
			for x := range small.W - size + 1 {
				lows := symmetries(small.Crop(x, y, size, size).Pix, size)
				for k, low := range lows {
					if !slices.Equal(low, lr) {
						continue
					}
					highs := symmetries(p.Crop(x*scale, y*scale, size*scale, size*scale).Pix, size*scale)
					if slices.Equal(highs[k], big) {
						return i, k
					}
				}
			}
		}
	}
	return -1, -1
}

// TestPatchFlipsCommute: downscaling a flipped patch gives the flipped low
// resolution, so that symmetries make honest training pairs.
func TestPatchFlipsCommute(t *testing.T) {
	p := numbered(check.Rand(t), 24, 24)
	low := symmetries(Resize(p, 8, 8).Pix, 8)
	for k, high := range symmetries(p.Pix, 24) {
		got := Resize(&Plane{W: 24, H: 24, Pix: high}, 8, 8)
		for i := range got.Pix {
			if math.Abs(float64(got.Pix[i]-low[k][i])) > 1e-6 {
				t.Fatalf("symmetry %d: value %d is %g, want %g", k, i, got.Pix[i], low[k][i])
			}
		}
	}
}

// TestPatchDetail: one of two pictures is flat, and is dealt only where both of a
// patch's places are in it.
func TestPatchDetail(t *testing.T) {
	rng := check.Rand(t)
	flat := NewPlane(24, 24)
	d, err := NewDataset([]*Plane{flat, numbered(rng, 24, 24)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	lr, hr := make([]float32, 4*4), make([]float32, 8*8)
	empty := 0
	const patches = 2000
	for range patches {
		if d.Patch(rng, 4, lr, hr); slices.Max(hr) == 0 {
			empty++
		}
	}
	if share := float64(empty) / patches; share < 0.2 || share > 0.3 {
		t.Errorf("%.2f of the patches are flat, want a quarter", share)
	}
	// Every difference counts once: a single bright pixel has four.
	c := codes{3, 3, []uint8{0, 0, 0, 0, 9, 0, 0, 0, 0}}
	if got := c.detail(0, 0, 3); got != 36 {
		t.Errorf("detail %d of a pixel of 9, want 36", got)
	}
	if got := c.detail(1, 1, 2); got != 18 {
		t.Errorf("detail %d where the pixel is a corner, want 18", got)
	}
}

func TestPatchAllocatesNothing(t *testing.T) {
	rng := check.Rand(t)
	d, err := NewDataset([]*Plane{numbered(rng, 64, 64)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	lr, hr := make([]float32, 16*16), make([]float32, 32*32)
	if n := testing.AllocsPerRun(100, func() { d.Patch(rng, 16, lr, hr) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestDatasetErrors(t *testing.T) {
	small := []*Plane{NewPlane(40, 40), NewPlane(40, 3)}
	for _, tt := range []struct {
		name  string
		hr    []*Plane
		scale int
		want  string
	}{
		{"no pictures", nil, 2, "no pictures"},
		{"scale 0", small, 0, "scale 0"},
		{"too small", small, 4, "picture 1 is 40x3, want at least 4x4"},
	} {
		if _, err := NewDataset(tt.hr, tt.scale); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	d, err := NewDataset(small, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Fits(1); err != nil {
		t.Error(err)
	}
	if err := d.Fits(2); err == nil || !strings.Contains(err.Error(), "picture 1, which is 13x1") {
		t.Errorf("Fits(2): %v", err)
	}
}

func TestNewPair(t *testing.T) {
	luma := NewPlane(7, 5)
	for i := range luma.Pix {
		luma.Pix[i] = float32(i) / 40 // not codes
	}
	p := NewPair("x", luma, 2)
	if p.Name != "x" || p.HR.W != 6 || p.HR.H != 4 || p.LR.W != 3 || p.LR.H != 2 {
		t.Fatalf("%s: %dx%d and %dx%d", p.Name, p.HR.W, p.HR.H, p.LR.W, p.LR.H)
	}
	if !slices.Equal(p.HR.Pix, p.HR.Round().Pix) || !slices.Equal(p.LR.Pix, Downscale(p.HR, 2).Pix) {
		t.Error("HR is not rounded or LR not made from it")
	}
}
