package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// exif puts an APP1 segment with an orientation behind a JPEG's first marker.
func exif(jpg []byte, order binary.AppendByteOrder, mark string, value uint16) []byte {
	t := append([]byte("Exif\x00\x00"), mark...)
	t = order.AppendUint32(t, 8)
	t = order.AppendUint16(t, 2)
	for _, e := range [][2]uint16{{0x0100, 7}, {0x0112, value}} {
		t = order.AppendUint16(t, e[0])
		t = order.AppendUint16(t, 3)
		t = order.AppendUint32(t, 1)
		t = order.AppendUint16(t, e[1])
		t = append(t, 0, 0)
	}
	b := append([]byte{}, jpg[:2]...)
	b = append(b, 0xff, 0xe1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t)+2))
	return append(append(b, t...), jpg[2:]...)
}

// TestOrientation: quadrants A B over C D, 32 x 16 pixels, come as the EXIF
// standard shows them for every value; a value or a segment that makes no sense
// changes nothing.
func TestOrientation(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 32, 16), image.YCbCrSubsampleRatio444)
	for y := range 16 {
		for x := range 32 {
			c := color.NRGBA{R: uint8(20 + 60*(x/16) + 120*(y/8)), G: 90, B: 90, A: 255}
			i := m.YOffset(x, y)
			m.Y[i], m.Cb[i], m.Cr[i] = color.RGBToYCbCr(c.R, c.G, c.B)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	shown := []string{"ABCD", "ABCD", "BADC", "DCBA", "CDAB", "ACBD", "CADB", "DBCA", "BDAC", "ABCD"}
	for value, want := range shown {
		for mark, order := range map[string]binary.AppendByteOrder{"II*\x00": binary.LittleEndian, "MM\x00*": binary.BigEndian} {
			t.Run(fmt.Sprintf("%d %s", value, mark[:2]), func(t *testing.T) {
				p, err := Decode(bytes.NewReader(exif(b.Bytes(), order, mark, uint16(value))), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				w, h := 32, 16
				if value >= 5 && value <= 8 {
					w, h = 16, 32
				}
				if p.Y.W != w || p.Y.H != h || p.Cb.W != w || p.Cr.H != h {
					t.Fatalf("%dx%d, want %dx%d", p.Y.W, p.Y.H, w, h)
				}
				got := ""
				for _, at := range [][2]int{{w / 4, h / 4}, {3 * w / 4, h / 4}, {w / 4, 3 * h / 4}, {3 * w / 4, 3 * h / 4}} {
					i := at[1]*w + at[0]
					r, _, _ := ToRGB(float64(p.Y.Pix[i]), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
					got += string(rune('A' + int((255*r-20)/60+0.5)))
				}
				if got != want {
					t.Errorf("quadrants %s, want %s", got, want)
				}
			})
		}
	}
	whole := exif(b.Bytes(), binary.BigEndian, "MM\x00*", 6)
	for n := range whole { // whatever is missing at the end: no panic, and no guess
		if m := jpegMeta(bytes.NewReader(whole[:n]), int64(n)); m.turn > 1 && m.turn != 6 {
			t.Errorf("%d bytes: orientation %d", n, m.turn)
		}
	}
}
