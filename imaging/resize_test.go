package imaging

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"evosr/internal/check"
)

// TestResizeByHand holds imresize values that were worked out by hand from the
// kernel k(x) = 1.5|x|³ - 2.5|x|² + 1 up to 1, -0.5|x|³ + 2.5|x|² - 4|x| + 2 up to 2.
func TestResizeByHand(t *testing.T) {
	tests := []struct {
		name       string
		w, h       int
		in         []float32
		outW, outH int
		want       []float64
	}{
		// k(1/4) = 111/128, k(3/4) = 29/128, k(5/4) = -9/128, k(7/4) = -3/128.
		// Output 0, centre -0.25, sees inputs -2..1, mirrored 1 0 | 0 1; output 1, centre 0.25, sees -1..2.
		{"a step, doubled", 2, 1, []float32{0, 1}, 4, 1, []float64{-12. / 128, 26. / 128, 102. / 128, 140. / 128}},
		{"a column, doubled", 1, 2, []float32{0, 1}, 1, 4, []float64{-12. / 128, 26. / 128, 102. / 128, 140. / 128}},
		// Halving stretches the kernel to 8 taps: k at 1/4, 3/4, 5/4, 7/4, each halved.
		// Output 0, centre 0.5, sees inputs -3..4, mirrored 2 1 0 | 0 1 2 3 3.
		{"an impulse, halved", 4, 1, []float32{1, 0, 0, 0}, 2, 1, []float64{(111. + 29) / 256, (-9. - 3) / 256}},
		{"constant stays", 3, 3, []float32{.5, .5, .5, .5, .5, .5, .5, .5, .5}, 5, 2, slices.Repeat([]float64{.5}, 10)},
		{"same size stays", 2, 2, []float32{1, 2, 3, 4}, 2, 2, []float64{1, 2, 3, 4}},
		{"one pixel", 1, 1, []float32{.25}, 3, 2, slices.Repeat([]float64{.25}, 6)},
		// Both axes: the outer product of the first case with itself.
		{"a corner, doubled", 2, 2, []float32{0, 0, 0, 1}, 4, 4, outer([]float64{-12. / 128, 26. / 128, 102. / 128, 140. / 128})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Resize(&Plane{W: tt.w, H: tt.h, Pix: tt.in}, tt.outW, tt.outH)
			for i, want := range tt.want {
				if math.Abs(float64(got.Pix[i])-want) > 1e-7 {
					t.Fatalf("value %d: got %.9f, want %.9f, all %v", i, got.Pix[i], want, got.Pix)
				}
			}
		})
	}
}

func outer(v []float64) []float64 {
	var o []float64
	for _, a := range v {
		for _, b := range v {
			o = append(o, a*b)
		}
	}
	return o
}

// resizeSlow is imresize straight from its definition: MATLAB's one-based
// indices, every output the sum over a matrix of weights.
func resizeSlow(p *Plane, w, h int) *Plane {
	axis := func(in, out int) [][]float64 {
		scale := float64(out) / float64(in)
		width, stretch := 4.0, 1.0
		if scale < 1 {
			width, stretch = 4/scale, scale
		}
		m := make([][]float64, out)
		for i := range m {
			m[i] = make([]float64, in)
			u := float64(i+1)/scale + 0.5*(1-1/scale)
			left := math.Floor(u - width/2)
			sum := 0.0
			for k := range int(math.Ceil(width)) + 2 {
				j := left + float64(k)
				weight := stretch * cubic(stretch*(u-j))
				at := int(j-1) % (2 * in)
				if at < 0 {
					at += 2 * in
				}
				if at >= in {
					at = 2*in - 1 - at
				}
				m[i][at] += weight
				sum += weight
			}
			for j := range m[i] {
				m[i][j] /= sum
			}
		}
		return m
	}
	mx, my := axis(p.W, w), axis(p.H, h)
	out := NewPlane(w, h)
	for y := range h {
		for x := range w {
			sum := 0.0
			for j, wy := range my[y] {
				for i, wx := range mx[x] {
					if wx != 0 && wy != 0 {
						sum += wy * wx * float64(p.Row(j)[i])
					}
				}
			}
			out.Row(y)[x] = float32(sum)
		}
	}
	return out
}

func TestResizeAgainstDefinition(t *testing.T) {
	rng := check.Rand(t)
	for range 40 {
		w, h, outW, outH := 1+rng.IntN(30), 1+rng.IntN(30), 1+rng.IntN(40), 1+rng.IntN(40)
		p := NewPlane(w, h)
		check.Fill(rng, p.Pix)
		got, want := Resize(p, outW, outH), resizeSlow(p, outW, outH)
		for i := range want.Pix {
			if math.Abs(float64(got.Pix[i]-want.Pix[i])) > 1e-6 {
				t.Fatalf("%dx%d to %dx%d: value %d is %g, want %g", w, h, outW, outH, i, got.Pix[i], want.Pix[i])
			}
		}
	}
}

// TestResizeParallel: the rows' workers change nothing.
func TestResizeParallel(t *testing.T) {
	rng := check.Rand(t)
	p := NewPlane(611, 407)
	check.Fill(rng, p.Pix)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := Resize(p, 1222, 814)
	runtime.GOMAXPROCS(3)
	r := NewResizer(611, 407, 1222, 814)
	if len(r.scratch) != 3 {
		t.Fatalf("%d workers, want 3", len(r.scratch))
	}
	three := NewPlane(1222, 814)
	r.Resize(three, p)
	if !slices.Equal(one.Pix, three.Pix) {
		t.Error("three workers give other values than one")
	}
}

func TestDownscale(t *testing.T) {
	p := NewPlane(11, 8)
	for i := range p.Pix {
		p.Pix[i] = float32(i%7) / 7
	}
	got, want := Downscale(p, 3), Resize(p.Crop(0, 0, 9, 6), 3, 2).Round()
	if got.W != 3 || got.H != 2 || !slices.Equal(got.Pix, want.Pix) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPlane(t *testing.T) {
	p := NewPlane(5, 4)
	for i := range p.Pix {
		p.Pix[i] = float32(i)
	}
	c := p.Crop(2, 1, 2, 3)
	if want := []float32{7, 8, 12, 13, 17, 18}; !slices.Equal(c.Pix, want) {
		t.Errorf("Crop: %v, want %v", c.Pix, want)
	}
	if c.Pix[0] = -1; p.Pix[7] != 7 {
		t.Error("Crop shares memory")
	}
	if c := p.CropTo(3); c.W != 3 || c.H != 3 || c.Row(2)[2] != 12 {
		t.Errorf("CropTo: %v", c)
	}
	for _, f := range []func(){
		func() { p.Crop(4, 0, 2, 1) }, func() { p.Crop(-1, 0, 2, 1) }, func() { p.Crop(0, 0, 0, 1) },
		func() { p.CropTo(6) }, func() { NewPlane(0, 3) }, func() { NewResizer(1, 1, 0, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}

func TestCode(t *testing.T) {
	for k := range 256 {
		if got := Code(float32(k) / 255); int(got) != k {
			t.Fatalf("Code(%d/255) = %d", k, got)
		}
	}
	nan := float32(math.NaN())
	for _, tt := range []struct {
		v    float32
		want uint8
	}{{-1, 0}, {2, 255}, {nan, 0}, {0.499 / 255, 0}, {0.501 / 255, 1}, {254.501 / 255, 255}, {float32(math.Inf(1)), 255}} {
		if got := Code(tt.v); got != tt.want {
			t.Errorf("Code(%g) = %d, want %d", tt.v, got, tt.want)
		}
	}
}

func BenchmarkResize(b *testing.B) {
	for _, s := range []struct{ w, h, outW, outH int }{{320, 180, 1280, 720}, {640, 360, 1280, 720}, {512, 512, 256, 256}} {
		b.Run(fmt.Sprintf("%dx%d-%dx%d", s.w, s.h, s.outW, s.outH), func(b *testing.B) {
			r, src, dst := NewResizer(s.w, s.h, s.outW, s.outH), NewPlane(s.w, s.h), NewPlane(s.outW, s.outH)
			b.ReportAllocs()
			for b.Loop() {
				r.Resize(dst, src)
			}
		})
	}
}

// TestResizeWindow: rows made a few at a time from the rows that they need are those
// of the whole, bit by bit.
func TestResizeWindow(t *testing.T) {
	rng := check.Rand(t)
	for _, size := range [][4]int{{7, 9, 14, 18}, {30, 41, 20, 27}, {5, 1, 9, 3}, {16, 50, 40, 7}} {
		src := NewPlane(size[0], size[1])
		check.Fill(rng, src.Pix)
		want := Resize(src, size[2], size[3])
		r := NewResizer(size[0], size[1], size[2], size[3])
		for n := 1; n <= size[3]; n++ {
			for y := 0; y < size[3]; y += n {
				h := min(n, size[3]-y)
				lo, hi := r.Needs(y, y+h)
				part := NewPlane(size[2], h)
				r.Window(part, y, src.Crop(0, lo, size[0], hi-lo), lo)
				if !slices.Equal(part.Pix, want.Pix[y*size[2]:(y+h)*size[2]]) {
					t.Fatalf("%v: %d rows from %d on differ", size, h, y)
				}
			}
		}
	}
}
