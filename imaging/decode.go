package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// maxHeader bounds how far into a file its size is looked for: photographs may
// carry megabytes of previews and colour profiles before it.
const maxHeader = 32 << 20 // bytes

// Decode reads a PNG, JPEG or WebP picture. The size in its header is checked
// against l before memory is allocated for the pixels, and a PNG whose bytes
// cannot possibly hold so many pixels is refused, too. A JPEG comes as its EXIF
// orientation shows it.
func Decode(r io.Reader, l Limits) (*Picture, error) {
	p, err := decode(r, l)
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	return p, nil
}

// codec is one file format.
type codec struct {
	name   string
	magic  string // '?' stands for any byte
	config func(io.Reader) (image.Config, error)
	pixels func(io.Reader) (image.Image, error)
}

func codecs() []codec {
	return []codec{
		{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
		{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
		{"WebP", "RIFF????WEBP", webp.DecodeConfig, webp.Decode},
	}
}

func (c *codec) match(head []byte) bool {
	if len(head) < len(c.magic) {
		return false
	}
	for i := range len(c.magic) {
		if c.magic[i] != '?' && c.magic[i] != head[i] {
			return false
		}
	}
	return true
}

// decode is Decode with errors that do not name the room yet.
func decode(r io.Reader, l Limits) (*Picture, error) {
	var seen bytes.Buffer
	if _, err := io.CopyN(&seen, r, 12); err != nil && err != io.EOF {
		return nil, err
	}
	format := codec{}
	for _, c := range codecs() {
		if c.match(seen.Bytes()) {
			format = c
		}
	}
	if format.name == "" {
		return nil, errors.New("is no picture, want PNG, JPEG or WebP")
	}

	// What the header's reader takes is kept, for the pixels' reader to take again.
	head := bytes.NewReader(bytes.Clone(seen.Bytes()))
	rest := io.TeeReader(io.LimitReader(r, maxHeader), &seen)
	config, err := format.config(io.MultiReader(head, rest))
	if err != nil {
		return nil, fault(format.name, "header", seen.Bytes(), err)
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, fmt.Errorf("%s header: %dx%d pixels, want positive sides", format.name, config.Width, config.Height)
	}
	limit := l.maxPixels()
	if config.Width > limit/config.Height {
		return nil, fmt.Errorf("%s header: %dx%d: %w, want at most %d", format.name, config.Width, config.Height, ErrTooLarge, limit)
	}

	// No honest file is longer than its pixels at 16 bits a channel and its header.
	longest := int64(config.Width)*int64(config.Height)*16 + 2*maxHeader
	if _, err := io.CopyN(&seen, r, longest); err != nil && err != io.EOF {
		return nil, err
	}
	if format.name == "PNG" {
		if err := plausible(seen.Bytes(), config); err != nil {
			return nil, err
		}
	}
	m, err := decodePixels(format, seen.Bytes())
	if err != nil {
		return nil, fault(format.name, "pixels", seen.Bytes(), err)
	}
	if b := m.Bounds(); b.Dx() != config.Width || b.Dy() != config.Height {
		return nil, fmt.Errorf("%s: %dx%d pixels after a header of %dx%d", format.name, b.Dx(), b.Dy(), config.Width, config.Height)
	}
	p := fromImage(m, format.name, l.Grey || greyAlphaPNG(format.name, seen.Bytes()))
	if format.name == "JPEG" {
		o := orientation(seen.Bytes())
		p.Y, p.Cb, p.Cr, p.Alpha = p.Y.turned(o), p.Cb.turned(o), p.Cr.turned(o), p.Alpha.turned(o)
	}
	return p, nil
}

// decodePixels turns a panic of a decoder over a broken file into an error.
func decodePixels(c codec, data []byte) (m image.Image, err error) {
	defer func() {
		if v := recover(); v != nil {
			m, err = nil, fmt.Errorf("broken file: %v", v)
		}
	}()
	return c.pixels(bytes.NewReader(data))
}

// fault words a decoder's error. A file that ends early is its commonest cause,
// and the decoders have many words for it.
func fault(format, where string, data []byte, err error) error {
	whole := false
	switch format {
	case "PNG":
		whole = bytes.Contains(data, []byte("IEND"))
	case "JPEG":
		whole = bytes.Contains(data, []byte{0xff, 0xd9})
	case "WebP":
		whole = len(data) >= 8 && int64(len(data))-8 >= int64(binary.LittleEndian.Uint32(data[4:]))
	}
	if !whole {
		return fmt.Errorf("%s %s: the file is cut short: %w", format, where, err)
	}
	return fmt.Errorf("%s %s: %w", format, where, err)
}

// plausible refuses a PNG shorter than deflate, at its best of 1032 to 1, could
// make its rows.
func plausible(data []byte, c image.Config) error {
	const ihdrDepth = 24 // offset of depth and colour type in the file
	if len(data) < ihdrDepth+2 {
		return nil
	}
	samples := map[byte]int{2: 3, 4: 2, 6: 4}[data[ihdrDepth+1]]
	bits := max(1, samples) * int(data[ihdrDepth])
	need := int64(c.Height) * ((int64(c.Width)*int64(bits)+7)/8 + 1)
	if need > int64(len(data))*1032 {
		return fmt.Errorf("PNG pixels: the file is cut short: %d bytes for %dx%d pixels", len(data), c.Width, c.Height)
	}
	return nil
}

// greyAlphaPNG reports whether a PNG has colour type 4, grey with alpha, which
// the decoder hands over as RGB.
func greyAlphaPNG(format string, data []byte) bool {
	const ihdrColour = 25
	return format == "PNG" && len(data) > ihdrColour && binary.BigEndian.Uint32(data[12:]) == 0x49484452 && data[ihdrColour] == 4
}

// fromImage converts m to planes. A file says itself whether it is grey: equal
// channels alone do not make it so, because the papers' luma of such a picture
// is the formula's, as for any RGB file. With storedGrey they do.
func fromImage(m image.Image, format string, storedGrey bool) *Picture {
	if format == "WebP" {
		switch m := m.(type) {
		case *image.YCbCr: // VP8 stores studio YCbCr, unlike JPEG
			return fromStudio(m, nil, 0)
		case *image.NYCbCrA:
			return fromStudio(&m.YCbCr, m.A, m.AStride)
		}
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	p := &Picture{Y: NewPlane(w, h)}
	switch m := m.(type) {
	case *image.Gray:
		for y := range h {
			row := p.Y.Row(y)
			for x, v := range m.Pix[y*m.Stride:][:w] {
				row[x] = float32(v) / 255
			}
		}
		return p
	case *image.Gray16:
		for y := range h {
			row := p.Y.Row(y)
			for x := range row {
				row[x] = float32(binary.BigEndian.Uint16(m.Pix[y*m.Stride+2*x:])) / 65535
			}
		}
		return p
	}
	p.Cb, p.Cr, p.Alpha = NewPlane(w, h), NewPlane(w, h), NewPlane(w, h)
	colour, opaque := !storedGrey, true
	at := pixelReader(m)
	for y := range h {
		for x := range w {
			r, g, bl, a := at(b.Min.X+x, b.Min.Y+y)
			i := y*w + x
			Y, cb, cr := FromRGB(r, g, bl)
			p.Y.Pix[i], p.Cb.Pix[i], p.Cr.Pix[i], p.Alpha.Pix[i] = float32(Y), float32(cb), float32(cr), float32(a)
			colour = colour || r != g || g != bl
			opaque = opaque && a == 1
		}
	}
	if opaque {
		p.Alpha = nil
	}
	if !colour {
		p.Cb, p.Cr = nil, nil
		for i := range p.Y.Pix {
			r, _, _, _ := at(b.Min.X+i%w, b.Min.Y+i/w)
			p.Y.Pix[i] = float32(r)
		}
	}
	return p
}

// fromStudio takes the planes of m as they are, chroma repeated to the size of
// luma. alpha may be nil.
func fromStudio(m *image.YCbCr, alpha []byte, stride int) *Picture {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	p := &Picture{Y: NewPlane(w, h), Cb: NewPlane(w, h), Cr: NewPlane(w, h)}
	if alpha != nil {
		p.Alpha = NewPlane(w, h)
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			c := m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			p.Y.Pix[i] = float32(m.Y[m.YOffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)]) / 255
			p.Cb.Pix[i], p.Cr.Pix[i] = float32(m.Cb[c])/255, float32(m.Cr[c])/255
			if alpha != nil {
				p.Alpha.Pix[i] = float32(alpha[y*stride+x]) / 255
			}
		}
	}
	return p
}

// pixelReader returns a reader of one pixel of m: red, green, blue not
// multiplied by alpha, and alpha, all in [0, 1].
func pixelReader(m image.Image) func(x, y int) (r, g, b, a float64) {
	bytes4 := func(r, g, b, a uint8) (float64, float64, float64, float64) {
		return float64(r) / 255, float64(g) / 255, float64(b) / 255, float64(a) / 255
	}
	switch m := m.(type) {
	case *image.NRGBA:
		return func(x, y int) (r, g, b, a float64) {
			q := m.Pix[m.PixOffset(x, y):]
			return bytes4(q[0], q[1], q[2], q[3])
		}
	case *image.RGBA: // the decoders make it for opaque pictures only
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
