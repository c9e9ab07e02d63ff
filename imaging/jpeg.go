package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
)

// maxSegment is the longest segment of a JPEG without its length, bytes.
const maxSegment = 65533

// jpegLacks says what JPEG cannot hold of h.
func jpegLacks(h *Header) []string {
	var lost []string
	if h.Depth == 16 {
		lost = append(lost, "16 bits a channel become 8")
	}
	if m := &h.Meta; m.ICC == nil && m.Gamma != nil && m.Intent == nil || m.Code != nil {
		lost = append(lost, "what it says of its gamma and its primaries")
	}
	if len(h.Meta.exif) > maxSegment-6 {
		lost = append(lost, "its EXIF block")
	}
	return lost
}

// writeJPEG writes rows as they come, grey pictures excepted, which are in memory
// as a byte a pixel: the encoder knows them by that type only.
func writeJPEG(w io.Writer, h *Header, next func() (*Picture, error)) error {
	switch {
	case h.Alpha:
		return fmt.Errorf("imaging: JPEG %w, want PNG", ErrAlpha)
	case h.W > math.MaxUint16 || h.H > math.MaxUint16:
		return fmt.Errorf("imaging: JPEG out: %dx%d pixels, want at most %d a side", h.W, h.H, math.MaxUint16)
	}
	if _, err := w.Write(jpegHead(h)); err != nil {
		return fmt.Errorf("imaging: JPEG out: %w", err)
	}
	flat := *h
	flat.Depth = 8
	src := &rolling{h: &flat, next: next}
	var m image.Image = src
	if h.Grey {
		grey := image.NewGray(src.Bounds())
		for y := 0; y < h.H; {
			p, err := next()
			if err != nil {
				return err
			}
			flat.samples(grey.Pix[y*h.W:], p, 0, p.Y.H)
			y += p.Y.H
		}
		m = grey
	}
	quality := h.Quality
	if quality == 0 {
		quality = DefaultQuality
	}
	err := jpeg.Encode(&behind{w, 2}, m, &jpeg.Options{Quality: quality}) // its SOI is written
	if src.err != nil {
		return src.err
	}
	if err != nil {
		return fmt.Errorf("imaging: JPEG out: %w", err)
	}
	return nil
}

// behind passes on all but the first bytes.
type behind struct {
	w    io.Writer
	skip int
}

func (b *behind) Write(p []byte) (int, error) {
	k := min(b.skip, len(p))
	b.skip -= k
	n, err := b.w.Write(p[k:])
	return k + n, err
}

// rolling is a picture that the encoder reads from top to bottom, in blocks of
// mcuRows rows. Rows come when they are wanted and go when they are behind.
type rolling struct {
	h       *Header
	next    func() (*Picture, error)
	err     error
	rgb     []byte // rows first to last, 3 bytes a pixel
	first   int
	pending int // rows that rgb holds
}

// mcuRows are the rows that the encoder takes at a time: two blocks of 8.
const mcuRows = 16

func (r *rolling) ColorModel() color.Model { return color.RGBAModel }
func (r *rolling) Bounds() image.Rectangle { return image.Rect(0, 0, r.h.W, r.h.H) }

func (r *rolling) At(x, y int) color.Color {
	if y >= r.first+r.pending && r.err == nil {
		r.fill(y)
	}
	if r.err != nil {
		return color.RGBA{}
	}
	q := r.rgb[3*((y-r.first)*r.h.W+x):]
	return color.RGBA{q[0], q[1], q[2], 255}
}

// fill lets go of what is above the block of row y and reads up to that row.
func (r *rolling) fill(y int) {
	if gone := y/mcuRows*mcuRows - r.first; gone > 0 {
		gone = min(gone, r.pending)
		n := copy(r.rgb, r.rgb[3*gone*r.h.W:3*r.pending*r.h.W])
		r.rgb = r.rgb[:n]
		r.first, r.pending = r.first+gone, r.pending-gone
	}
	for y >= r.first+r.pending {
		p, err := r.next()
		if err != nil {
			r.err = err
			return
		}
		at := len(r.rgb)
		r.rgb = append(r.rgb, make([]byte, 3*r.h.W*p.Y.H)...)
		byRows(r.h.W, p.Y.H, func(from, to int) { r.h.samples(r.rgb[at+3*from*r.h.W:], p, from, to) })
		r.pending += p.Y.H
	}
}

// jpegHead is a JPEG's beginning with the metadata.
func jpegHead(h *Header) []byte {
	b := []byte{0xff, 0xd8}
	segment := func(marker byte, parts ...[]byte) {
		data := bytes.Join(parts, nil)
		if len(data) > maxSegment {
			return // jpegLacks told
		}
		b = binary.BigEndian.AppendUint16(append(b, 0xff, marker), uint16(len(data)+2))
		b = append(b, data...)
	}
	m := &h.Meta
	unit, x, y := byte(0), 1.0, 1.0
	if d := m.Density; d.known() {
		x, y = d.X, d.Y
		if d.Absolute {
			unit, x, y = 1, d.X*0.0254, d.Y*0.0254
		}
	}
	jfif := append([]byte("JFIF\x00\x01\x02"), unit)
	for _, v := range []float64{x, y} {
		jfif = binary.BigEndian.AppendUint16(jfif, uint16(min(max(math.Round(v), 1), math.MaxUint16)))
	}
	segment(0xe0, jfif, []byte{0, 0})
	if exif := m.exifFor(h.W, h.H); exif != nil {
		segment(0xe1, []byte("Exif\x00\x00"), exif)
	}
	const piece = maxSegment - 14
	n := (len(m.ICC) + piece - 1) / piece
	for i := range n {
		if n > 255 {
			break
		}
		part := m.ICC[i*piece : min((i+1)*piece, len(m.ICC))]
		segment(0xe2, []byte("ICC_PROFILE\x00"), []byte{byte(i + 1), byte(n)}, part)
	}
	return b
}
