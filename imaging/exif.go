package imaging

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// The tags of TIFF and EXIF that matter here.
const (
	tagKind        = 0x00fe // bit 0: a preview of another picture
	tagWidth       = 0x0100
	tagHeight      = 0x0101
	tagOrientation = 0x0112
	tagXDensity    = 0x011a
	tagYDensity    = 0x011b
	tagUnit        = 0x0128 // of density: 2 inch, 3 centimetre
	tagICC         = 0x8773
	tagEXIF        = 0x8769 // where the camera's directory begins
	tagShownWidth  = 0xa002
	tagShownHeight = 0xa003
)

// directories reads the tables of a TIFF, which EXIF is one of.
type directories struct {
	src   io.ReaderAt
	size  int64
	order binary.ByteOrder
}

// entry is a line of a directory.
type entry struct {
	tag, kind uint16
	count     uint32
	value     int64 // where the value begins
}

// openTIFF returns the place of the first directory, 0 where this is no TIFF.
func openTIFF(src io.ReaderAt, size int64) (d directories, first int64) {
	d = directories{src: src, size: size}
	head := block(src, size, 0, 8)
	switch {
	case head == nil:
		return d, 0
	case string(head[:4]) == "II*\x00":
		d.order = binary.LittleEndian
	case string(head[:4]) == "MM\x00*":
		d.order = binary.BigEndian
	default:
		return d, 0
	}
	return d, int64(d.order.Uint32(head[4:]))
}

// width returns the bytes of one value of a kind.
func width(kind uint16) int64 {
	switch kind {
	case 1, 2, 6, 7:
		return 1
	case 3, 8:
		return 2
	case 4, 9, 11:
		return 4
	case 5, 10, 12:
		return 8
	}
	return 0
}

// at returns the entries of a directory, by tag, and where the next directory
// begins, 0 after the last.
func (d directories) at(place int64) (entries map[uint16]entry, next int64) {
	entries = map[uint16]entry{}
	head := block(d.src, d.size, place, 2)
	if place <= 0 || head == nil {
		return entries, 0
	}
	n := min(int64(d.order.Uint16(head)), (d.size-place-2)/12) // of a table that is cut short, what there is
	table := block(d.src, d.size, place+2, 12*n)
	for i := range n {
		b := table[12*i:]
		e := entry{d.order.Uint16(b), d.order.Uint16(b[2:]), d.order.Uint32(b[4:]), place + 2 + 12*i + 8}
		if width(e.kind)*int64(e.count) > 4 {
			e.value = int64(d.order.Uint32(b[8:]))
		}
		if _, twice := entries[e.tag]; !twice {
			entries[e.tag] = e
		}
	}
	if b := block(d.src, d.size, place+2+12*n, 4); b != nil {
		next = int64(d.order.Uint32(b))
	}
	return entries, next
}

// number returns the first value of an entry, NaN where there is none.
func (d directories) number(e entry) float64 {
	b := block(d.src, d.size, e.value, width(e.kind))
	if e.count == 0 || b == nil {
		return math.NaN()
	}
	switch e.kind {
	case 1:
		return float64(b[0])
	case 3:
		return float64(d.order.Uint16(b))
	case 4:
		return float64(d.order.Uint32(b))
	case 5:
		return float64(d.order.Uint32(b)) / float64(d.order.Uint32(b[4:]))
	}
	return math.NaN()
}

// orientation returns the value of tag 0x0112, 1 to 8, and 1 (as it is) where it
// is missing or something else.
func (d directories) orientation(first map[uint16]entry) int {
	if v := d.number(first[tagOrientation]); v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// density returns the pixels a metre that a directory tells.
func (d directories) density(first map[uint16]entry) Density {
	metre := map[float64]float64{2: 1 / 0.0254, 3: 100}[d.number(first[tagUnit])]
	if _, told := first[tagUnit]; !told {
		metre = 1 / 0.0254
	}
	x, y := d.number(first[tagXDensity])*metre, d.number(first[tagYDensity])*metre
	if !(x > 0 && x < 1e9 && y > 0 && y < 1e9) {
		return Density{}
	}
	return Density{x, y, true}
}

// tiffMeta reads what the first directory of a TIFF file tells.
func tiffMeta(src io.ReaderAt, size int64) Meta {
	d, place := openTIFF(src, size)
	first, _ := d.at(place)
	m := Meta{turn: d.orientation(first), Density: d.density(first)}
	if e, ok := first[tagICC]; ok {
		m.ICC = block(src, size, e.value, width(e.kind)*int64(e.count))
	}
	return m
}

// tiffFrames counts the pages of a TIFF, up to two; previews are none.
func tiffFrames(src io.ReaderAt, size int64) int {
	d, place := openTIFF(src, size)
	pages := 0
	for range 64 { // a list that bites its tail ends here
		if place == 0 || pages == 2 {
			break
		}
		var entries map[uint16]entry
		entries, place = d.at(place)
		if len(entries) == 0 {
			break
		}
		if kind := d.number(entries[tagKind]); !(math.Mod(kind, 2) == 1) {
			pages++
		}
	}
	return pages
}

// takeEXIF keeps an EXIF block and what it tells. One that cannot be read is let
// go.
func (m *Meta) takeEXIF(b []byte) {
	b = bytes.TrimPrefix(b, []byte("Exif\x00\x00"))
	d, place := openTIFF(bytes.NewReader(b), int64(len(b)))
	if place == 0 {
		return
	}
	first, _ := d.at(place)
	m.exif, m.turn = b, d.orientation(first)
	if m.Density.X == 0 {
		m.Density = d.density(first)
	}
}

// exifFor returns the EXIF block of a picture that was turned as the block says and
// has w x h pixels now: it says so, and leads no more to its preview, which shows
// the picture as it was. nil where there is none.
func (m *Meta) exifFor(w, h int) []byte {
	if m.exif == nil {
		return nil
	}
	b := bytes.Clone(m.exif)
	d, place := openTIFF(bytes.NewReader(b), int64(len(b)))
	first, next := d.at(place)
	if next != 0 {
		n := int64(d.order.Uint16(b[place:]))
		d.order.PutUint32(b[place+2+12*n:], 0)
	}
	d.set(b, first, tagOrientation, 1)
	d.set(b, first, tagWidth, w)
	d.set(b, first, tagHeight, h)
	if e, ok := first[tagEXIF]; ok {
		camera, _ := d.at(int64(d.number(e)))
		d.set(b, camera, tagShownWidth, w)
		d.set(b, camera, tagShownHeight, h)
	}
	return b
}

// set writes a number into b, where the tag is there and holds one of its size.
func (d directories) set(b []byte, entries map[uint16]entry, tag uint16, v int) {
	e, ok := entries[tag]
	if !ok || e.count != 1 || e.value+4 > int64(len(b)) {
		return
	}
	switch {
	case e.kind == 3 && v <= math.MaxUint16:
		d.order.PutUint16(b[e.value:], uint16(v))
	case e.kind == 4:
		d.order.PutUint32(b[e.value:], uint32(v))
	}
}
