package imaging

import (
	"bytes"
	"encoding/binary"
)

// orientation returns how a JPEG says it wants to be turned before it is shown:
// the value of EXIF's tag 0x0112, 1 to 8, and 1 (as it is) when it does not say
// or what it says cannot be read. Cameras store the sensor's rows and turn by
// this tag alone.
func orientation(data []byte) int {
	for i := 2; i+4 <= len(data) && data[i] == 0xff; {
		marker := data[i+1]
		if marker == 0xff { // a byte that fills
			i++
			continue
		}
		end := i + 2 + int(binary.BigEndian.Uint16(data[i+2:]))
		if marker == 0xda || end < i+4 || end > len(data) { // the pixels begin
			break
		}
		if tiff, ok := bytes.CutPrefix(data[i+4:end], []byte("Exif\x00\x00")); marker == 0xe1 && ok {
			return tiffOrientation(tiff)
		}
		i = end
	}
	return 1
}

// tiffOrientation looks through the first directory of a TIFF.
func tiffOrientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(t[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	const tag, short, entry = 0x0112, 3, 12
	at := int64(order.Uint32(t[4:]))
	if at+2 > int64(len(t)) {
		return 1
	}
	n := int(order.Uint16(t[at:]))
	for t = t[at+2:]; n > 0 && len(t) >= entry; n, t = n-1, t[entry:] {
		if order.Uint16(t) != tag || order.Uint16(t[2:]) != short {
			continue
		}
		if v := int(order.Uint16(t[8:])); v >= 1 && v <= 8 {
			return v
		}
	}
	return 1
}

// turned returns p as orientation o shows it: p itself for 1.
func (p *Plane) turned(o int) *Plane {
	if p == nil || o == 1 {
		return p
	}
	w, h := p.W, p.H
	if o >= 5 {
		w, h = h, w
	}
	q := NewPlane(w, h)
	for y := range h {
		row := q.Row(y)
		for x := range row {
			sx, sy := x, y
			switch o {
			case 2:
				sx = p.W - 1 - x
			case 3:
				sx, sy = p.W-1-x, p.H-1-y
			case 4:
				sy = p.H - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, p.H-1-x
			case 7:
				sx, sy = p.W-1-y, p.H-1-x
			case 8:
				sx, sy = p.W-1-y, x
			}
			row[x] = p.Pix[sy*p.W+sx]
		}
	}
	return q
}
