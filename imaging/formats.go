package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// codec is one file format that is read.
type codec struct {
	name   string
	magic  string // '?' stands for any byte
	exts   []string
	config func(io.Reader) (image.Config, error)
	pixels func(io.Reader) (image.Image, error)

	// end is what the last bytes of a whole file hold, nothing where that cannot be told.
	end []byte

	// frames counts the pictures of a file, at least up to two. nil: there is one.
	frames func(io.ReaderAt, int64) int

	// most bounds the bytes of pixels that a byte of the file can become.
	most int64

	meta func(io.ReaderAt, int64) Meta
}

// deflateMost is how much deflate expands at its best.
const deflateMost = 1032

func codecs() []codec {
	return []codec{
		{"PNG", "\x89PNG\r\n\x1a\n", []string{".png", ".apng"}, png.DecodeConfig, png.Decode, []byte("IEND"), pngFrames, deflateMost, pngMeta},
		{"JPEG", "\xff\xd8\xff", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, jpeg.DecodeConfig, jpeg.Decode, []byte{0xff, 0xd9}, nil, 0, jpegMeta},
		{"WebP", "RIFF????WEBP", []string{".webp"}, webp.DecodeConfig, webp.Decode, nil, webpFrames, 0, webpMeta},
		{"GIF", "GIF8?a", []string{".gif"}, gif.DecodeConfig, gifPixels, []byte{0x3b}, gifFrames, 0, nil},
		{"BMP", "BM????\x00\x00\x00\x00", []string{".bmp", ".dib"}, bmp.DecodeConfig, bmp.Decode, nil, nil, 4, bmpMeta},
		{"TIFF", "II*\x00", []string{".tif", ".tiff"}, tiff.DecodeConfig, tiff.Decode, nil, tiffFrames, 8 * deflateMost, tiffMeta},
		{"TIFF", "MM\x00*", nil, tiff.DecodeConfig, tiff.Decode, nil, tiffFrames, 8 * deflateMost, tiffMeta},
	}
}

// Extensions lists the endings of the names of picture files, in lower case.
func Extensions() []string {
	var all []string
	for _, c := range codecs() {
		all = append(all, c.exts...)
	}
	return all
}

// others are formats that people have and that are not read, by what a file
// begins with, from the byte at on.
func others() []struct {
	at          int
	magic, name string
} {
	return []struct {
		at          int
		magic, name string
	}{
		{4, "ftypavif", "an AVIF picture"}, {4, "ftypavis", "an AVIF picture"},
		{4, "ftyphei", "a HEIC picture"}, {4, "ftyphev", "a HEIC picture"}, {4, "ftypmif1", "a HEIC picture"},
		{0, "\xff\x0a", "a JPEG XL picture"}, {0, "\x00\x00\x00\x0cJXL ", "a JPEG XL picture"},
		{0, "\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"}, {0, "8BPS", "a Photoshop file"},
		{0, "v/1\x01", "an OpenEXR picture"}, {0, "#?RADIANCE", "a Radiance picture"}, {0, "gimp xcf", "a GIMP file"},
		{0, "DDS ", "a DirectDraw surface"}, {0, "qoif", "a QOI picture"}, {0, "P5\n", "a PGM picture"}, {0, "P6\n", "a PPM picture"},
		{0, "\x00\x00\x01\x00", "an icon"}, {0, "II+\x00", "a BigTIFF picture"}, {0, "MM\x00+", "a BigTIFF picture"},
		{0, "%PDF", "a PDF document"}, {0, "<svg", "an SVG drawing"}, {0, "<?xml", "an XML text"},
		{0, "<!DOCTYPE", "a web page"}, {0, "<!doctype", "a web page"}, {0, "<html", "a web page"},
		{0, "version https://git-lfs", "a Git LFS pointer (git lfs pull brings the file itself)"},
		{4, "ftyp", "a video"}, {0, "\x1aE\xdf\xa3", "a video"}, {8, "AVI ", "a video"}, {0, y4mMagic, "a video"},
	}
}

// match says whether head begins with magic.
func match(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// known are the formats' names, for errors.
const known = "PNG, JPEG, WebP, GIF, BMP or TIFF"

// codecOf finds the format of a file by its first bytes.
func codecOf(head []byte) (*codec, error) {
	for _, c := range codecs() {
		if match(head, c.magic) {
			return &c, nil
		}
	}
	for _, o := range others() {
		if len(head) > o.at && match(head[o.at:], o.magic) {
			return nil, fmt.Errorf("is %s, want %s", o.name, known)
		}
	}
	return nil, errors.New("is no picture, want " + known)
}

// plausible refuses a file too short for its pixels, before memory is allocated
// for them.
func (c *codec) plausible(src io.ReaderAt, size int64, config image.Config) error {
	pixels := int64(config.Width) * int64(config.Height)
	need := pixels / 8 // bytes, at a bit a pixel
	switch c.name {
	case "PNG":
		var ihdr [2]byte
		if _, err := src.ReadAt(ihdr[:], ihdrDepth); err == nil {
			samples := map[byte]int64{2: 3, 4: 2, 6: 4}[ihdr[1]]
			bits := max(1, samples) * int64(ihdr[0])
			need = int64(config.Height) * ((int64(config.Width)*bits+7)/8 + 1)
		}
	case "BMP":
		var bits [2]byte
		if _, err := src.ReadAt(bits[:], 28); err == nil {
			need = pixels * int64(binary.LittleEndian.Uint16(bits[:])) / 8
		}
	}
	if c.most > 0 && need > size*c.most {
		return fmt.Errorf("%s pixels: the file is cut short: %d bytes for %dx%d pixels", c.name, size, config.Width, config.Height)
	}
	return nil
}

// fault words a decoder's error. A file that ends early is its commonest cause,
// and the decoders have many words for it.
func (c *codec) fault(where string, src io.ReaderAt, size int64, err error) error {
	whole := true
	switch {
	case c.end != nil:
		tail := make([]byte, min(size, 1<<20))
		n, _ := src.ReadAt(tail, size-int64(len(tail)))
		whole = bytes.Contains(tail[:n], c.end)
	case c.name == "WebP":
		var b [4]byte
		n, _ := src.ReadAt(b[:], 4)
		whole = n == 4 && size-8 >= int64(binary.LittleEndian.Uint32(b[:]))
	default:
		whole = !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF)
	}
	if !whole {
		return fmt.Errorf("%s %s: the file is cut short: %w", c.name, where, err)
	}
	return fmt.Errorf("%s %s: %w", c.name, where, err)
}

// gifPixels reads the first frame onto the whole canvas.
func gifPixels(r io.Reader) (image.Image, error) {
	// DecodeConfig and the frame both want the stream: the canvas is read from what
	// the frame's reader takes.
	var head bytes.Buffer
	m, err := gif.Decode(io.TeeReader(r, &limited{&head, 13}))
	if err != nil {
		return nil, err
	}
	b := head.Bytes()
	canvas := image.Rect(0, 0, int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:])))
	if m.Bounds() == canvas {
		return m, nil
	}
	all := image.NewNRGBA(canvas) // what the frame leaves open is transparent
	at := samplerOf(m)
	box := m.Bounds().Intersect(canvas)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			r, g, b, a := at(x, y)
			q := all.Pix[all.PixOffset(x, y):]
			q[0], q[1], q[2], q[3] = Code(float32(r)), Code(float32(g)), Code(float32(b)), Code(float32(a))
		}
	}
	return all, nil
}

// limited keeps the first n bytes that are written.
type limited struct {
	w *bytes.Buffer
	n int
}

func (l *limited) Write(b []byte) (int, error) {
	keep := min(l.n, len(b))
	l.w.Write(b[:keep])
	l.n -= keep
	return len(b), nil
}

// gifFrames counts image descriptors, up to two.
func gifFrames(src io.ReaderAt, size int64) int {
	s := &scanner{src: src, size: size}
	head := s.take(13)
	if head == nil {
		return 0
	}
	colours := func(flags byte) {
		if flags&0x80 != 0 {
			s.skip(3 << (flags&7 + 1))
		}
	}
	blocks := func() {
		for {
			n := s.take(1)
			if n == nil || n[0] == 0 {
				return
			}
			s.skip(int64(n[0]))
		}
	}
	colours(head[10])
	frames := 0
	for frames < 2 {
		kind := s.take(1)
		if kind == nil {
			return frames
		}
		switch kind[0] {
		case 0x21: // an extension
			s.skip(1)
			blocks()
		case 0x2c:
			d := s.take(9)
			if d == nil {
				return frames
			}
			frames++
			colours(d[8])
			s.skip(1)
			blocks()
		default:
			return frames
		}
	}
	return frames
}
