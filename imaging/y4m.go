package imaging

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Y4MHeader describes a YUV4MPEG2 stream of 8-bit progressive video.
type Y4MHeader struct {
	W, H                 int      // pixels of luma
	RateNum, RateDen     int      // frames per second; 0:0 when unknown
	AspectNum, AspectDen int      // width to height of a pixel; 0:0 when unknown
	Chroma               string   // see chromaShapes
	Extra                []string // X parameters without the X, e.g. "COLORRANGE=LIMITED"; passed on as they are
}

// chromaShape says by how much the chroma planes are smaller than luma.
type chromaShape struct {
	name string
	x, y int // 0: there are no chroma planes
}

// chromaShapes are the formats that are read and written. The variants of 420
// differ in where their chroma samples lie, which only a player needs to know.
func chromaShapes() []chromaShape {
	return []chromaShape{
		{"420", 2, 2}, {"420jpeg", 2, 2}, {"420mpeg2", 2, 2}, {"420paldv", 2, 2},
		{"422", 2, 1}, {"444", 1, 1}, {"mono", 0, 0},
	}
}

// ChromaSize returns the sides of Cb and Cr in pixels, rounded up where luma's
// are odd, or zeros for mono and for a format that is not known.
func (h *Y4MHeader) ChromaSize() (cw, ch int) {
	for _, s := range chromaShapes() {
		if s.name == h.Chroma && s.x > 0 {
			return (h.W + s.x - 1) / s.x, (h.H + s.y - 1) / s.y
		}
	}
	return 0, 0
}

// check returns an error unless h can be read or written.
func (h *Y4MHeader) check(l Limits) error {
	known := false
	names := ""
	for _, s := range chromaShapes() {
		known = known || s.name == h.Chroma
		names += " " + s.name
	}
	switch limit := l.maxPixels(); {
	case h.W < 1 || h.H < 1:
		return fmt.Errorf("imaging: y4m header: %dx%d pixels, want positive sides", h.W, h.H)
	case h.W > limit/h.H:
		return fmt.Errorf("imaging: y4m header: %dx%d: %w, want at most %d", h.W, h.H, ErrTooLarge, limit)
	case !known:
		return fmt.Errorf("imaging: y4m header: chroma format %q, want one of%s (8 bits)", h.Chroma, names)
	case h.RateNum < 0 || h.RateDen < 0 || h.AspectNum < 0 || h.AspectDen < 0:
		return fmt.Errorf("imaging: y4m header: rate %d:%d, aspect %d:%d, want no negative number", h.RateNum, h.RateDen, h.AspectNum, h.AspectDen)
	}
	extra := 0
	for _, x := range h.Extra {
		extra += len(x) + len(" X")
		if strings.ContainsAny(x, " \n") {
			return fmt.Errorf("imaging: y4m header: extra parameter %q, want no blank in it", x)
		}
	}
	if extra > maxY4MLine/2 { // leaves room for the others, so that what is read can be written
		return fmt.Errorf("imaging: y4m header: extra parameters of %d bytes, want at most %d", extra, maxY4MLine/2)
	}
	return nil
}

// maxY4MLine bounds the stream's header and every frame's, bytes.
const maxY4MLine = 4096

const (
	y4mMagic   = "YUV4MPEG2"
	frameMagic = "FRAME"
)

// parseY4M reads the header line, without its end.
func parseY4M(line string, l Limits) (Y4MHeader, error) {
	h := Y4MHeader{Chroma: "420"}
	words := strings.Split(line, " ")
	if words[0] != y4mMagic {
		return h, errors.New("imaging: y4m header: is no YUV4MPEG2 stream")
	}
	for _, word := range words[1:] {
		if word == "" {
			continue
		}
		value, err := word[1:], error(nil)
		switch word[0] {
		case 'W':
			h.W, err = strconv.Atoi(value)
		case 'H':
			h.H, err = strconv.Atoi(value)
		case 'F':
			h.RateNum, h.RateDen, err = ratio(value)
		case 'A':
			h.AspectNum, h.AspectDen, err = ratio(value)
		case 'I':
			if value != "p" && value != "?" {
				err = errors.New("want progressive video: remove the interlacing first")
			}
		case 'C':
			h.Chroma = value
		case 'X':
			h.Extra = append(h.Extra, value)
		}
		if err != nil {
			return h, fmt.Errorf("imaging: y4m header: parameter %q: %w", word, err)
		}
	}
	return h, h.check(l)
}

// ratio reads "30000:1001".
func ratio(s string) (num, den int, err error) {
	a, b, ok := strings.Cut(s, ":")
	if !ok {
		return 0, 0, errors.New("want two numbers and a colon")
	}
	if num, err = strconv.Atoi(a); err == nil {
		den, err = strconv.Atoi(b)
	}
	return num, den, err
}

// String returns the header line, without its end.
func (h *Y4MHeader) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s W%d H%d F%d:%d Ip A%d:%d C%s", y4mMagic, h.W, h.H, h.RateNum, h.RateDen, h.AspectNum, h.AspectDen, h.Chroma)
	for _, x := range h.Extra {
		b.WriteString(" X" + x)
	}
	return b.String()
}

// Frame is one picture of a video. Cb and Cr have the header's ChromaSize and
// are nil for mono.
type Frame struct {
	Y, Cb, Cr *Plane
}

// planes returns the planes of f in the order of the stream.
func (f *Frame) planes() []**Plane { return []**Plane{&f.Y, &f.Cb, &f.Cr} }

// sizes returns the sides of the planes of a stream, in its order.
func (h *Y4MHeader) sizes() [3][2]int {
	cw, ch := h.ChromaSize()
	return [3][2]int{{h.W, h.H}, {cw, ch}, {cw, ch}}
}

// Y4MReader reads a stream frame by frame, for one goroutine.
type Y4MReader struct {
	Header Y4MHeader
	r      *bufio.Reader
	buf    []byte // the codes of one frame
	frames int    // read so far
	value  [256]float32
}

// NewY4MReader reads the stream's header. The picture size is checked against l.
func NewY4MReader(r io.Reader, l Limits) (*Y4MReader, error) {
	y := &Y4MReader{r: bufio.NewReaderSize(r, 1<<16)}
	line, err := y.line()
	if err == io.EOF {
		return nil, errors.New("imaging: y4m header: the stream is empty, want YUV4MPEG2")
	}
	if err != nil {
		return nil, fmt.Errorf("imaging: y4m header: %w", err)
	}
	if y.Header, err = parseY4M(line, l); err != nil {
		return nil, err
	}
	size := 0
	for _, s := range y.Header.sizes() {
		size += s[0] * s[1]
	}
	y.buf = make([]byte, size)
	for i := range y.value {
		y.value[i] = float32(i) / 255
	}
	return y, nil
}

// line reads up to the next line feed. It returns io.EOF when there is nothing.
func (y *Y4MReader) line() (string, error) {
	var line []byte
	for {
		c, err := y.r.ReadByte()
		switch {
		case err == io.EOF && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case c == '\n':
			return string(line), nil
		case len(line) == maxY4MLine:
			return "", fmt.Errorf("no end of line within %d bytes", maxY4MLine)
		}
		line = append(line, c)
	}
}

// Read reads the next frame into f, whose planes are used again when their
// sizes fit. It returns io.EOF after the last frame. A frame that is cut short is
// an error that names it.
func (y *Y4MReader) Read(f *Frame) error {
	line, err := y.line()
	if err == io.EOF {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("imaging: y4m frame %d: its header: %w", y.frames+1, err)
	}
	if word, _, _ := strings.Cut(line, " "); word != frameMagic {
		return fmt.Errorf("imaging: y4m frame %d: starts with %.16q, want %s", y.frames+1, word, frameMagic)
	}
	if n, err := io.ReadFull(y.r, y.buf); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("imaging: y4m frame %d: the stream is cut short: %d of %d bytes: %w", y.frames+1, n, len(y.buf), io.ErrUnexpectedEOF)
		}
		return fmt.Errorf("imaging: y4m frame %d: %w", y.frames+1, err)
	}
	y.frames++
	codes := y.buf
	planes, sizes := f.planes(), y.Header.sizes()
	for i, s := range sizes {
		if s[0] == 0 {
			*planes[i] = nil
			continue
		}
		p := *planes[i]
		if p == nil || p.W != s[0] || p.H != s[1] {
			p = NewPlane(s[0], s[1])
			*planes[i] = p
		}
		for j, c := range codes[:len(p.Pix)] {
			p.Pix[j] = y.value[c]
		}
		codes = codes[len(p.Pix):]
	}
	return nil
}

// Frames returns how many frames have been read.
func (y *Y4MReader) Frames() int { return y.frames }

// Y4MWriter writes a stream frame by frame, for one goroutine.
type Y4MWriter struct {
	header Y4MHeader
	w      *bufio.Writer
	buf    []byte
}

// NewY4MWriter writes the header of a stream.
func NewY4MWriter(w io.Writer, h Y4MHeader) (*Y4MWriter, error) {
	if err := h.check(Limits{MaxPixels: math.MaxInt}); err != nil {
		return nil, err
	}
	size := 0
	for _, s := range h.sizes() {
		size += s[0] * s[1]
	}
	y := &Y4MWriter{header: h, w: bufio.NewWriterSize(w, 1<<16), buf: make([]byte, size)}
	_, err := y.w.WriteString(h.String() + "\n")
	if err == nil {
		err = y.w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("imaging: y4m out: %w", err)
	}
	return y, nil
}

// Write writes a frame, rounded to 8 bits, and passes it on at once, so that a
// player at the other end of a pipe need not wait.
func (y *Y4MWriter) Write(f *Frame) error {
	codes := y.buf
	planes, sizes := f.planes(), y.header.sizes()
	for i, s := range sizes {
		p := *planes[i]
		switch {
		case s[0] == 0 && p == nil:
			continue
		case p == nil || p.W != s[0] || p.H != s[1]:
			return fmt.Errorf("imaging: y4m out: plane %d does not fit, want %dx%d", i, s[0], s[1])
		}
		for j, v := range p.Pix {
			codes[j] = Code(v)
		}
		codes = codes[len(p.Pix):]
	}
	_, err := y.w.WriteString(frameMagic + "\n")
	if err == nil {
		_, err = y.w.Write(y.buf)
	}
	if err == nil {
		err = y.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("imaging: y4m out: %w", err)
	}
	return nil
}
