package imaging

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
)

// Raster is a picture as its file stores it, in a few bytes a pixel. Its rows
// become planes where they are wanted, so that large pictures need not be planes as
// a whole. It may be read by many goroutines.
type Raster struct {
	W, H   int    // pixels, as the picture is shown
	Format string // such as "PNG"
	Depth  int    // bits a channel: 8 or 16
	Grey   bool   // its values are luma already
	Alpha  bool   // some pixels can be seen through
	Meta   Meta

	img    image.Image
	turn   int
	studio bool // img is YCbCr of studio range, as VP8 stores it
}

// OpenRaster reads a picture file whose size is checked against l first. Its errors
// name the file.
func OpenRaster(path string, l Limits) (*Raster, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("imaging: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("imaging: %s: is a folder, want a picture", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("imaging: %s: is no regular file, want a picture", path)
	case info.Size() == 0:
		return nil, fmt.Errorf("imaging: %s: the file is empty, want a picture", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	defer f.Close()
	r, err := decodeRaster(f, info.Size(), l)
	if err != nil {
		return nil, fmt.Errorf("imaging: %s: %w", path, err)
	}
	return r, nil
}

// Decode reads a picture of any format that Open reads, from memory. The size in its
// header is checked against l before memory is allocated for the pixels, and a file
// whose bytes cannot possibly hold so many pixels is refused, too. It comes as its
// EXIF orientation shows it.
func Decode(r io.Reader, l Limits) (*Picture, error) {
	// No honest file is longer than its pixels at 16 bits a channel and its header.
	data, err := io.ReadAll(io.LimitReader(r, int64(l.maxPixels())*16+2*maxBlock))
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	m, err := decodeRaster(bytes.NewReader(data), int64(len(data)), l)
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	return m.Picture(), nil
}

// decodeRaster reads a file with errors that do not name the room yet.
func decodeRaster(src io.ReaderAt, size int64, l Limits) (*Raster, error) {
	head := make([]byte, min(size, 32))
	if _, err := src.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	c, err := codecOf(head)
	if err != nil {
		return nil, err
	}
	config, err := c.config(reader(src, size))
	if err != nil {
		return nil, c.fault("header", src, size, err)
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, fmt.Errorf("%s header: %dx%d pixels, want positive sides", c.name, config.Width, config.Height)
	}
	limit := l.maxPixels()
	if config.Width > limit/config.Height {
		return nil, fmt.Errorf("%s header: %dx%d: %w, want at most %d", c.name, config.Width, config.Height, ErrTooLarge, limit)
	}
	if c.frames != nil && c.frames(src, size) > 1 {
		if c.name == "TIFF" {
			return nil, fmt.Errorf("TIFF: %w, want one page a file", ErrAnimated)
		}
		return nil, fmt.Errorf("%s: %w, want a still picture: ffmpeg makes a video or pictures of it", c.name, ErrAnimated)
	}
	if err := c.plausible(src, size, config); err != nil {
		return nil, err
	}
	m, err := c.decode(src, size)
	if err != nil {
		return nil, c.fault("pixels", src, size, err)
	}
	if b := m.Bounds(); b.Dx() != config.Width || b.Dy() != config.Height {
		return nil, fmt.Errorf("%s: %dx%d pixels after a header of %dx%d", c.name, b.Dx(), b.Dy(), config.Width, config.Height)
	}
	var meta Meta
	if c.meta != nil {
		meta = c.meta(src, size)
	}
	r := newRaster(m, c.name, meta, l.Grey || greyPNG(c.name, src))
	r.Meta.fit(r.Grey)
	return r, nil
}

// reader gives a file to a decoder from its beginning. TIFF's jumps about.
func reader(src io.ReaderAt, size int64) io.Reader {
	s := io.NewSectionReader(src, 0, size)
	return struct {
		io.Reader
		io.ReaderAt
	}{bufio.NewReaderSize(s, 1<<16), s}
}

// ErrAnimated is in the error of a file that holds several pictures.
var ErrAnimated = errors.New("holds several pictures (an animation, or pages)")

// decode turns a panic of a decoder over a broken file into an error.
func (c *codec) decode(src io.ReaderAt, size int64) (m image.Image, err error) {
	defer func() {
		if v := recover(); v != nil {
			m, err = nil, fmt.Errorf("broken file: %v", v)
		}
	}()
	return c.pixels(reader(src, size))
}

// ihdrDepth is the offset of a PNG's depth in the file; the colour type follows.
const ihdrDepth = 24

// greyPNG reports whether a PNG is of a grey type: with alpha, or a grey that is
// see-through, the decoder hands it over as RGB.
func greyPNG(format string, src io.ReaderAt) bool {
	var b [1]byte
	_, err := src.ReadAt(b[:], ihdrDepth+1)
	return format == "PNG" && err == nil && b[0]&^4 == 0
}

// newRaster looks m over. A file says itself whether it is grey: equal channels
// alone do not make it so, because the papers' luma of such a picture is the
// formula's, as for any RGB file. With storedGrey they do.
func newRaster(m image.Image, format string, meta Meta, storedGrey bool) *Raster {
	b := m.Bounds()
	r := &Raster{W: b.Dx(), H: b.Dy(), Format: format, Depth: 8, Meta: meta, img: m, turn: max(1, meta.turn)}
	if r.turn >= 5 {
		r.W, r.H = r.H, r.W
	}
	if r.turn >= 5 {
		r.Meta.Density.X, r.Meta.Density.Y = r.Meta.Density.Y, r.Meta.Density.X
	}
	if o, ok := m.(interface{ Opaque() bool }); ok {
		r.Alpha = !o.Opaque()
	}
	switch m.(type) {
	case *image.Gray:
		r.Grey = true
	case *image.Gray16:
		r.Grey, r.Depth = true, 16
	case *image.RGBA64, *image.NRGBA64:
		r.Depth = 16
	case *image.YCbCr, *image.NYCbCrA:
		r.studio = format == "WebP" // VP8 stores studio YCbCr, unlike JPEG
	}
	if storedGrey && !r.Grey && !r.studio {
		r.Grey = isGrey(m)
	}
	return r
}

// isGrey says whether red, green and blue are equal everywhere.
func isGrey(m image.Image) bool {
	at, b := samplerOf(m), m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, bl, _ := at(x, y); r != g || g != bl {
				return false
			}
		}
	}
	return true
}

// Picture returns all rows.
func (r *Raster) Picture() *Picture { return r.Rows(0, r.H) }

// Rows returns the rows from y0 up to y1 as planes.
func (r *Raster) Rows(y0, y1 int) *Picture {
	if y0 < 0 || y1 > r.H || y0 >= y1 {
		panic(fmt.Sprintf("imaging: Rows: %d to %d of %d", y0, y1, r.H))
	}
	h := y1 - y0
	p := &Picture{Y: NewPlane(r.W, h), Depth: r.Depth}
	if !r.Grey {
		p.Cb, p.Cr = NewPlane(r.W, h), NewPlane(r.W, h)
	}
	if r.Alpha {
		p.Alpha = NewPlane(r.W, h)
	}
	at := samplerOf(r.img)
	if r.studio {
		at = studioSampler(r.img)
	}
	b := r.img.Bounds()
	byRows(r.W, h, func(from, to int) {
		for y := from; y < to; y++ {
			for x := range r.W {
				sx, sy := turned(r.turn, x, y0+y, b.Dx(), b.Dy())
				c0, c1, c2, a := at(b.Min.X+sx, b.Min.Y+sy)
				i := y*r.W + x
				switch {
				case r.Grey:
				case !r.studio:
					c0, c1, c2 = FromRGB(c0, c1, c2)
					fallthrough
				default:
					p.Cb.Pix[i], p.Cr.Pix[i] = float32(c1), float32(c2)
				}
				p.Y.Pix[i] = float32(c0)
				if r.Alpha {
					p.Alpha.Pix[i] = float32(a)
				}
			}
		}
	})
	return p
}

// turned returns which pixel of a stored picture of w x h is shown at (x, y), by
// EXIF's orientation o.
func turned(o, x, y, w, h int) (sx, sy int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}

// sampler reads one pixel: three colours and alpha, all in [0, 1].
type sampler func(x, y int) (c0, c1, c2, a float64)

// studioSampler reads Y, Cb and Cr as they are stored, chroma repeated to the size
// of luma.
func studioSampler(m image.Image) sampler {
	alpha := func(int, int) float64 { return 1 }
	var planes *image.YCbCr
	switch m := m.(type) {
	case *image.YCbCr:
		planes = m
	case *image.NYCbCrA:
		planes = &m.YCbCr
		alpha = func(x, y int) float64 { return float64(m.A[m.AOffset(x, y)]) / 255 }
	}
	return func(x, y int) (Y, cb, cr, a float64) {
		c := planes.COffset(x, y)
		return float64(planes.Y[planes.YOffset(x, y)]) / 255, float64(planes.Cb[c]) / 255, float64(planes.Cr[c]) / 255, alpha(x, y)
	}
}

// samplerOf reads red, green and blue, not multiplied by alpha.
func samplerOf(m image.Image) sampler {
	bytes4 := func(r, g, b, a uint8) (float64, float64, float64, float64) {
		return float64(r) / 255, float64(g) / 255, float64(b) / 255, float64(a) / 255
	}
	switch m := m.(type) {
	case *image.Gray:
		return func(x, y int) (r, g, b, a float64) {
			v := m.Pix[m.PixOffset(x, y)]
			return bytes4(v, v, v, 255)
		}
	case *image.NRGBA:
		return func(x, y int) (r, g, b, a float64) {
			q := m.Pix[m.PixOffset(x, y):]
			return bytes4(q[0], q[1], q[2], q[3])
		}
	case *image.RGBA: // multiplied by alpha, in TIFF and GIF
		return func(x, y int) (r, g, b, a float64) {
			c := color.NRGBAModel.Convert(m.RGBAAt(x, y)).(color.NRGBA)
			return bytes4(c.R, c.G, c.B, c.A)
		}
	case *image.YCbCr:
		return func(x, y int) (r, g, b, a float64) {
			c := m.YCbCrAt(x, y)
			r8, g8, b8 := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			return bytes4(r8, g8, b8, 255)
		}
	case *image.NYCbCrA:
		return func(x, y int) (r, g, b, a float64) {
			c := m.NYCbCrAAt(x, y)
			r8, g8, b8 := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			return bytes4(r8, g8, b8, c.A)
		}
	case *image.CMYK:
		return func(x, y int) (r, g, b, a float64) {
			c := m.CMYKAt(x, y)
			r8, g8, b8 := color.CMYKToRGB(c.C, c.M, c.Y, c.K)
			return bytes4(r8, g8, b8, 255)
		}
	}
	return func(x, y int) (r, g, b, a float64) { // palettes and 16 bits a channel
		c := color.NRGBA64Model.Convert(m.At(x, y)).(color.NRGBA64)
		return float64(c.R) / 65535, float64(c.G) / 65535, float64(c.B) / 65535, float64(c.A) / 65535
	}
}
