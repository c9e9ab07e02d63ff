package imaging

import (
	"fmt"
	"strconv"
	"strings"
)

// chromaShape says how the chroma planes of a video lie over its luma.
type chromaShape struct {
	name string
	x, y int // pixels of luma to one of chroma; 0: there are no chroma planes

	// Where the first sample of Cb and of Cr lies, in pixels of luma from the centre
	// of its first one.
	cb, cr [2]float64
}

// chromaShapes are the formats that are read and written, after the table of
// mjpegtools' yuv4mpeg(5). Where a name says nothing of the samples' places, 4:2:0
// of 8 bits has them in the middle, as JPEG and MPEG-1, and 4:2:0 of more bits, 4:2:2
// and 4:1:1 have them on the left, as every video standard since.
func chromaShapes() []chromaShape {
	middle, left := [2]float64{0.5, 0.5}, [2]float64{0, 0.5}
	var none [2]float64
	return []chromaShape{
		{"420", 2, 2, middle, middle},
		{"420jpeg", 2, 2, middle, middle},
		{"420mpeg2", 2, 2, left, left},
		{"420paldv", 2, 2, [2]float64{0, 1}, none}, // DV: Cr on the first of two rows, Cb on the second
		{"422", 2, 1, none, none},
		{"411", 4, 1, none, none},
		{"444", 1, 1, none, none},
		{"mono", 0, 0, none, none},
	}
}

// deepShapes are those that also come with 9 to 16 bits: "420p10", "mono12".
func deepShapes() []string { return []string{"420", "422", "444", "411", "mono"} }

// shapeOf reads a chroma format's name.
func shapeOf(name string) (s chromaShape, bits int, err error) {
	var names []string
	for _, s := range chromaShapes() {
		if s.name == name {
			return s, 8, nil
		}
		names = append(names, s.name)
	}
	if strings.Contains(name, "alpha") {
		return s, 0, fmt.Errorf("chroma format %q has an alpha plane, want video without one: ffmpeg leaves it out by -pix_fmt yuv444p", name)
	}
	for _, base := range deepShapes() {
		rest, ok := strings.CutPrefix(name, base)
		if !ok {
			continue
		}
		if base != "mono" {
			if rest, ok = strings.CutPrefix(rest, "p"); !ok {
				continue
			}
		}
		bits, err := strconv.Atoi(rest)
		if err != nil || bits < 9 || bits > 16 || rest != strconv.Itoa(bits) {
			continue
		}
		s, _, err := shapeOf(base)
		if base == "420" {
			s, _, err = shapeOf("420mpeg2")
		}
		s.name = name
		return s, bits, err
	}
	return s, 0, fmt.Errorf("chroma format %q, want one of %s, or 9 to 16 bits as 420p10 or mono12", name, strings.Join(names, " "))
}

// Depth returns the bits of a code, 8 to 16.
func (h *Y4MHeader) Depth() int {
	if _, bits, err := shapeOf(h.Chroma); err == nil {
		return bits
	}
	return 8
}

// codeBytes is how long a code of so many bits is in a stream.
func codeBytes(bits int) int { return (bits + 7) / 8 }

// whiteOf is what 1 is in codes of so many bits: 255 and zeros behind it, so that
// studio black and white, 16 and 235, keep their places (BT.2100: 64 and 940 of 10
// bits).
func whiteOf(bits int) float64 { return float64(int(255) << (bits - 8)) }

// ChromaSize returns the sides of Cb and Cr in pixels, rounded up where luma's
// are odd, or zeros for mono and for a format that is not known.
func (h *Y4MHeader) ChromaSize() (cw, ch int) {
	if s, _, err := shapeOf(h.Chroma); err == nil && s.x > 0 {
		return (h.W + s.x - 1) / s.x, (h.H + s.y - 1) / s.y
	}
	return 0, 0
}

// Chroma resizes the chroma planes of a video, for one goroutine.
type Chroma struct{ cb, cr *Resizer }

// NewChroma prepares to resize the chroma of from, frame by frame, to that of to,
// so that every sample of to has the colour of its place in the picture. It panics
// unless both can be read and have chroma.
func NewChroma(from, to Y4MHeader) *Chroma {
	return &Chroma{resizerOf(&from, &to, func(s chromaShape) [2]float64 { return s.cb }),
		resizerOf(&from, &to, func(s chromaShape) [2]float64 { return s.cr })}
}

// Resize writes the chroma of src to dst.
func (c *Chroma) Resize(dst, src *Frame) {
	c.cb.Resize(dst.Cb, src.Cb)
	c.cr.Resize(dst.Cr, src.Cr)
}

// resizerOf makes the resizer of one plane, whose first sample lies at place.
func resizerOf(from, to *Y4MHeader, place func(chromaShape) [2]float64) *Resizer {
	a, _, errA := shapeOf(from.Chroma)
	b, _, errB := shapeOf(to.Chroma)
	if errA != nil || errB != nil || a.x == 0 || b.x == 0 {
		panic(fmt.Sprintf("imaging: NewChroma: %q to %q, want two formats with chroma", from.Chroma, to.Chroma))
	}
	cw, ch := from.ChromaSize()
	bw, bh := to.ChromaSize()
	axis := func(in, out int, lumaIn, lumaOut int, stepIn, stepOut int, at, placed float64) filter {
		scale := float64(lumaOut) / float64(lumaIn) // of the picture
		// Sample i of to lies at placed + i*stepOut on its luma, and so at
		// ((placed + i*stepOut) + 0.5)/scale - 0.5 on the luma of from.
		return newFilter(in, out, scale*float64(stepIn)/float64(stepOut), func(i int) float64 {
			return ((placed+float64(i*stepOut)+0.5)/scale - 0.5 - at) / float64(stepIn)
		})
	}
	p, q := place(a), place(b)
	return newResizer(axis(cw, bw, from.W, to.W, a.x, b.x, p[0], q[0]), axis(ch, bh, from.H, to.H, a.y, b.y, p[1], q[1]))
}
