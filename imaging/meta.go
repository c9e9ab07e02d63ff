package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// Meta is what a file tells about its picture besides the pixels. The zero Meta
// tells nothing.
type Meta struct {
	ICC     []byte   // colour profile
	Gamma   []byte   // PNG's gAMA, as it is stored; so are the next three
	Primary []byte   // cHRM: chromaticities of white and the primaries
	Intent  []byte   // sRGB: its rendering intent
	Code    []byte   // cICP: primaries, transfer and matrix by number
	Density Density  // how large to print it
	Lost    []string // what the file tells and cannot be kept, in words

	exif []byte // a TIFF, as it was
	turn int    // how the pixels are to be turned, 1 to 8 as in EXIF; 0 as 1
}

// Density is how many pixels lie on a metre. Without Absolute only the ratio
// counts: X to Y is the height of a pixel to its width.
type Density struct {
	X, Y     float64
	Absolute bool
}

// known says whether d tells anything.
func (d Density) known() bool { return d.X > 0 && d.Y > 0 }

// fit drops a profile that is not of the kind of the pixels and says so.
func (m *Meta) fit(grey bool) {
	if m.ICC == nil {
		return
	}
	want := "RGB "
	if grey {
		want = "GRAY"
	}
	space := ""
	if len(m.ICC) >= 128 && string(m.ICC[36:40]) == "acsp" {
		space = string(m.ICC[16:20])
	}
	if space == want {
		return
	}
	m.ICC = nil
	switch space {
	case "":
		m.Lost = append(m.Lost, "its colour profile is damaged")
	default:
		m.Lost = append(m.Lost, fmt.Sprintf("its colour profile is for %s pixels, not for %s ones", bytes.TrimSpace([]byte(space)), bytes.TrimSpace([]byte(want))))
	}
}

// pngMeta reads the chunks of a PNG.
func pngMeta(src io.ReaderAt, size int64) Meta {
	var m Meta
	fixed := map[string]struct {
		to *[]byte
		n  int64
	}{"gAMA": {&m.Gamma, 4}, "cHRM": {&m.Primary, 32}, "sRGB": {&m.Intent, 1}, "cICP": {&m.Code, 4}}
	for p := range pngParts(src, size) {
		if f, ok := fixed[p.name]; ok && p.n == f.n {
			*f.to = block(src, size, p.at, p.n)
		}
		switch p.name {
		case "iCCP":
			m.ICC = inflatedProfile(block(src, size, p.at, p.n))
			if m.ICC == nil {
				m.Lost = append(m.Lost, "its colour profile is damaged")
			}
		case "pHYs":
			if b := block(src, size, p.at, p.n); len(b) == 9 {
				m.Density = Density{float64(binary.BigEndian.Uint32(b)), float64(binary.BigEndian.Uint32(b[4:])), b[8] == 1}
			}
		case "eXIf":
			m.takeEXIF(block(src, size, p.at, p.n))
		}
	}
	return m
}

// inflatedProfile reads the contents of an iCCP chunk: a name, a method, a zlib
// stream. nil is a damaged one.
func inflatedProfile(b []byte) []byte {
	i := bytes.IndexByte(b, 0)
	if i < 0 || len(b) < i+2 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(b[i+2:]))
	if err != nil {
		return nil
	}
	icc, err := io.ReadAll(io.LimitReader(z, maxBlock+1))
	if err != nil || len(icc) > maxBlock {
		return nil
	}
	return icc
}

// jpegMeta reads the segments of a JPEG up to its pixels.
func jpegMeta(src io.ReaderAt, size int64) Meta {
	var m Meta
	profile := map[byte][]byte{} // pieces by number
	pieces := 0
	s := &scanner{src: src, size: size, at: 2}
	for range maxParts {
		b := s.take(2)
		if b == nil || b[0] != 0xff {
			break
		}
		marker := b[1]
		if marker == 0xff { // a byte that fills
			s.at--
			continue
		}
		n := s.take(2)
		if n == nil || marker == 0xda { // the pixels begin
			break
		}
		at, length := s.at, int64(binary.BigEndian.Uint16(n))-2
		if length < 0 {
			break
		}
		s.skip(length)
		if marker < 0xe0 || marker > 0xe2 {
			continue
		}
		data := block(src, size, at, length)
		switch marker {
		case 0xe0:
			if len(data) >= 12 && string(data[:5]) == "JFIF\x00" {
				m.Density = jfifDensity(data)
			}
		case 0xe1:
			if bytes.HasPrefix(data, []byte("Exif\x00\x00")) && m.exif == nil {
				m.takeEXIF(data)
			}
		case 0xe2:
			if p, ok := bytes.CutPrefix(data, []byte("ICC_PROFILE\x00")); ok && len(p) > 2 {
				profile[p[0]], pieces = p[2:], int(p[1])
			}
		}
	}
	for i := range pieces {
		m.ICC = append(m.ICC, profile[byte(i+1)]...)
		if profile[byte(i+1)] == nil {
			m.ICC = nil
			m.Lost = append(m.Lost, "its colour profile is damaged")
			break
		}
	}
	return m
}

func jfifDensity(data []byte) Density {
	d := Density{float64(binary.BigEndian.Uint16(data[8:])), float64(binary.BigEndian.Uint16(data[10:])), true}
	switch data[7] {
	case 1:
		d.X, d.Y = d.X/0.0254, d.Y/0.0254
	case 2:
		d.X, d.Y = d.X*100, d.Y*100
	default:
		d.Absolute = false
	}
	if !d.Absolute && d.X == d.Y { // square pixels are what everybody takes them for
		return Density{}
	}
	return d
}

// webpMeta reads the chunks of a WebP.
func webpMeta(src io.ReaderAt, size int64) Meta {
	var m Meta
	for p := range webpParts(src, size) {
		switch p.name {
		case "ICCP":
			m.ICC = block(src, size, p.at, p.n)
		case "EXIF":
			m.takeEXIF(block(src, size, p.at, p.n))
		}
	}
	return m
}

// bmpMeta reads the density in a BMP's header.
func bmpMeta(src io.ReaderAt, size int64) Meta {
	b := block(src, size, 38, 8)
	if b == nil {
		return Meta{}
	}
	x, y := int32(binary.LittleEndian.Uint32(b)), int32(binary.LittleEndian.Uint32(b[4:]))
	if x <= 0 || y <= 0 {
		return Meta{}
	}
	return Meta{Density: Density{float64(x), float64(y), true}}
}
