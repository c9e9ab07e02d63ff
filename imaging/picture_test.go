package imaging

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

func TestColour(t *testing.T) {
	tests := []struct {
		name               string
		r, g, b, y, cb, cr float64 // codes
	}{
		{"black", 0, 0, 0, 16, 128, 128},
		{"white", 255, 255, 255, 235, 128, 128},
		{"red", 255, 0, 0, 81.481, 90.203, 240},
		{"green", 0, 255, 0, 144.553, 53.797, 34.214},
		{"blue", 0, 0, 255, 40.966, 240, 109.786},
	}
	for _, tt := range tests {
		y, cb, cr := FromRGB(tt.r/255, tt.g/255, tt.b/255)
		for i, d := range []float64{y*255 - tt.y, cb*255 - tt.cb, cr*255 - tt.cr} {
			if math.Abs(d) > 1e-9 {
				t.Errorf("%s: component %d is %g codes off", tt.name, i, d)
			}
		}
	}
	rng := check.Rand(t)
	for range 1000 {
		r, g, b := rng.Float64(), rng.Float64(), rng.Float64()
		r2, g2, b2 := ToRGB(FromRGB(r, g, b))
		if d := max(math.Abs(r-r2), math.Abs(g-g2), math.Abs(b-b2)); d > 1e-12 {
			t.Fatalf("there and back moves (%g, %g, %g) by %g", r, g, b, d)
		}
	}
}

// pngOf encodes m.
func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rgbOf returns pixel (x, y) of p in codes, not rounded, alpha last.
func rgbOf(p *Picture, x, y int) [4]float64 {
	i := y*p.Y.W + x
	a := 255.0
	if p.Alpha != nil {
		a = float64(p.Alpha.Pix[i]) * 255
	}
	if p.Cb == nil {
		v := float64(p.Y.Pix[i]) * 255
		return [4]float64{v, v, v, a}
	}
	r, g, b := ToRGB(float64(p.Y.Pix[i]), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
	return [4]float64{r * 255, g * 255, b * 255, a}
}

// TestDecodeKinds: every way to store a picture gives the colours that an
// independent decoder (libwebp, libjpeg) gives.
func TestDecodeKinds(t *testing.T) {
	quadrants := [4][4]float64{{200, 30, 40, 255}, {20, 180, 60, 255}, {30, 60, 220, 255}, {240, 240, 10, 255}}
	seeThrough := quadrants
	seeThrough[0][3] = 100
	palette := image.NewPaletted(image.Rect(0, 0, 16, 16), color.Palette{})
	deep := image.NewNRGBA64(palette.Rect)
	for i, q := range quadrants {
		palette.Palette = append(palette.Palette, color.NRGBA{uint8(q[0]), uint8(q[1]), uint8(q[2]), 255})
		for y := range 8 {
			for x := range 8 {
				palette.SetColorIndex(x+i%2*8, y+i/2*8, uint8(i))
				deep.SetNRGBA64(x+i%2*8, y+i/2*8, color.NRGBA64{uint16(q[0]) * 257, uint16(q[1]) * 257, uint16(q[2]) * 257, 65535})
			}
		}
	}
	grey := image.NewGray(palette.Rect)
	grey16 := image.NewGray16(palette.Rect)
	for i := range grey.Pix {
		grey.Pix[i] = 77
		grey16.SetGray16(i%16, i/16, color.Gray16{77*257 + 100})
	}
	same := func(v float64) [4][4]float64 {
		return [4][4]float64{{v, v, v, 255}, {v, v, v, 255}, {v, v, v, 255}, {v, v, v, 255}}
	}
	tests := []struct {
		name string
		data []byte
		want [4][4]float64 // the middles of the quadrants
		by   float64       // codes it may be off
		grey bool
	}{
		{"lossless.webp", nil, quadrants, 1e-4, false},
		{"alpha.webp", nil, seeThrough, 1e-4, false},
		{"lossy.webp", nil, quadrants, 2, false},
		{"lossy_alpha.webp", nil, seeThrough, 2, false},
		{"cmyk.jpg", nil, quadrants, 2, false},
		{"grey.jpg", nil, same(77), 1e-4, true},
		{"palette", pngOf(t, palette), quadrants, 1e-4, false},
		{"16 bits", pngOf(t, deep), quadrants, 1e-4, false},
		{"grey", pngOf(t, grey), same(77), 1e-4, true},
		{"grey of 16 bits", pngOf(t, grey16), same(77 + 100./257), 1e-4, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := tt.data
			if data == nil {
				var err error
				if data, err = os.ReadFile(filepath.Join("testdata", tt.name)); err != nil {
					t.Fatal(err)
				}
			}
			p, err := Decode(bytes.NewReader(data), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if (p.Cb == nil) != tt.grey {
				t.Errorf("grey is %t, want %t", p.Cb == nil, tt.grey)
			}
			if opaque := tt.want[0][3] == 255; opaque != (p.Alpha == nil) {
				t.Errorf("alpha %v, want none: %t", p.Alpha, opaque)
			}
			for i, want := range tt.want {
				got := rgbOf(p, 3+i%2*9, 3+i/2*9)
				for c := range got {
					if math.Abs(got[c]-want[c]) > tt.by {
						t.Errorf("quadrant %d: %v, want %v", i, got, want)
						break
					}
				}
			}
		})
	}
	t.Run("grey_alpha.png", func(t *testing.T) {
		p, err := Open(filepath.Join("testdata", "grey_alpha.png"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Cb != nil || Code(p.Y.Pix[5]) != 80 || Code(p.Alpha.Pix[5]) != 200 {
			t.Errorf("chroma %v, luma %d, alpha %d, want none, 80, 200", p.Cb, Code(p.Y.Pix[5]), Code(p.Alpha.Pix[5]))
		}
	})
}

// TestPNGRoundTrip: what EncodePNG writes comes back, to the code.
func TestPNGRoundTrip(t *testing.T) {
	rng := check.Rand(t)
	noise := func() *Plane {
		p := NewPlane(13, 7)
		for i := range p.Pix {
			p.Pix[i] = float32(rng.IntN(256)) / 255
		}
		return p
	}
	for name, alpha := range map[string]*Plane{"opaque": nil, "alpha": noise()} {
		t.Run(name, func(t *testing.T) {
			m := image.NewNRGBA(image.Rect(0, 0, 13, 7))
			for i := range m.Pix {
				m.Pix[i] = uint8(rng.IntN(256))
				if i%4 == 3 {
					m.Pix[i] = 255
					if alpha != nil {
						m.Pix[i] = Code(alpha.Pix[i/4])
					}
				}
			}
			p, err := Decode(bytes.NewReader(pngOf(t, m)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := EncodePNG(&b, p); err != nil {
				t.Fatal(err)
			}
			back, err := png.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 13 * 7 {
				if got, want := color.NRGBAModel.Convert(back.At(i%13, i/13)), m.NRGBAAt(i%13, i/13); got != want {
					t.Fatalf("pixel %d: %v, want %v", i, got, want)
				}
			}
		})
	}
	grey := &Picture{Y: noise()}
	var b bytes.Buffer
	if err := EncodePNG(&b, grey); err != nil {
		t.Fatal(err)
	}
	p, err := Decode(&b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Cb != nil || !slices.Equal(p.Y.Pix, grey.Y.Pix) {
		t.Error("a grey picture does not come back")
	}
	for name, p := range map[string]*Picture{"no luma": {}, "half the chroma": {Y: noise(), Cb: noise()}, "sizes": {Y: noise(), Alpha: NewPlane(1, 1)}} {
		if err := EncodePNG(&b, p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// header returns a PNG that is only a header, a few bytes of data and an end.
func header(w, h uint32, depth, colour byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, name...), data...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[len(b)-len(data)-4:]))
	}
	ihdr := binary.BigEndian.AppendUint32(nil, w)
	ihdr = append(binary.BigEndian.AppendUint32(ihdr, h), depth, colour, 0, 0, 0)
	chunk("IHDR", ihdr)
	chunk("IDAT", make([]byte, 85))
	chunk("IEND", nil)
	return b
}

// TestBadPictures: every bad file is one error that names the file and the
// matter, and costs no more memory than its own size.
func TestBadPictures(t *testing.T) {
	dir := t.TempDir()
	noise := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	rng := check.Rand(t)
	for i := range noise.Pix {
		noise.Pix[i] = uint8(rng.IntN(256))
	}
	whole := pngOf(t, noise)
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, noise, nil); err != nil {
		t.Fatal(err)
	}
	webp, err := os.ReadFile("testdata/lossless.webp")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string // of the file
		data []byte
		max  int
		want string
	}{
		{"cut.png", whole[:len(whole)/2], 0, "cut short"},
		{"cut_in_header.png", whole[:20], 0, "cut short"},
		{"cut.jpg", jpg.Bytes()[:jpg.Len()/2], 0, "cut short"},
		{"cut.webp", webp[:40], 0, "cut short"},
		{"bomb.png", header(60000, 60000, 8, 2), 0, "60000x60000: too many pixels, want at most 64000000"},
		{"deep_bomb.png", header(8000, 8000, 16, 6), 0, "cut short: 142 bytes for 8000x8000"},
		{"huge_sides.png", header(1<<31-1, 1<<31-1, 8, 2), 0, "PNG header"},
		{"no_side.png", header(0, 5, 8, 2), 0, "header"},
		{"raised.png", whole, 64*64 - 1, "64x64: too many pixels, want at most 4095"},
		{"text.png", []byte("hello, I am a picture"), 0, "is no picture"},
		{"short.png", []byte("\x89PN"), 0, "is no picture"},
		{"empty.png", nil, 0, "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, tt.name)
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(path, Limits{MaxPixels: tt.max})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{"imaging: ", path, tt.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
				t.Errorf("%d bytes allocated for a file of %d", n, len(tt.data))
			}
		})
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing.png")} {
		if _, err := Open(path, Limits{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
	if _, err := Decode(bytes.NewReader(whole), Limits{MaxPixels: 64 * 64}); err != nil {
		t.Errorf("as many pixels as allowed: %v", err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.PNG", "a.jpeg", "c.webp", "d.jpg", "notes.txt", ".hidden.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(dir, "folder.png")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = filepath.Base(got[i])
	}
	if want := []string{"a.jpeg", "b.PNG", "c.webp", "d.jpg"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for path, want := range map[string]string{
		empty:                              "no pictures",
		filepath.Join(dir, "b.PNG"):        "is a file",
		filepath.Join(dir, "not", "there"): "no such file",
	} {
		if _, err := List(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("List(%s): %v, want %q", path, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(header(3, 2, 8, 2))
	f.Add(pngOf(f, image.NewGray(image.Rect(0, 0, 3, 2))))
	for _, name := range []string{"alpha.webp", "cmyk.jpg", "grey.jpg", "grey_alpha.png", "lossless.webp", "lossy.webp", "lossy_alpha.webp"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		p, err := Decode(bytes.NewReader(data), Limits{MaxPixels: limit})
		if err != nil {
			if p != nil || !strings.HasPrefix(err.Error(), "imaging: ") {
				t.Fatalf("%v beside %v", err, p)
			}
			return
		}
		if err := p.check(); err != nil || p.Y.W*p.Y.H > limit {
			t.Fatalf("%dx%d, %v", p.Y.W, p.Y.H, err)
		}
		for _, q := range []*Plane{p.Y, p.Cb, p.Cr, p.Alpha} {
			if q != nil && slices.ContainsFunc(q.Pix, func(v float32) bool { return !(v >= 0 && v <= 1) }) {
				t.Fatal("a value outside [0, 1]")
			}
		}
	})
}

// TestStoredGrey: equal channels are an RGB picture, sent through the formula,
// unless the caller knows that it was grey before it became WebP.
func TestStoredGrey(t *testing.T) {
	for grey, want := range map[bool]uint8{false: 82, true: 77} { // 16 + 219*77/255 = 82.1
		p, err := Open("testdata/grey_as_rgb.webp", Limits{Grey: grey})
		if err != nil {
			t.Fatal(err)
		}
		if got := Code(p.Luma().Pix[0]); got != want || (p.Cb == nil) != grey {
			t.Errorf("grey %t: luma %d, no chroma %t, want %d", grey, got, p.Cb == nil, want)
		}
	}
}
