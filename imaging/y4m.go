package imaging

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Y4MHeader describes a YUV4MPEG2 stream of progressive video.
type Y4MHeader struct {
	W, H                 int      // pixels of luma
	RateNum, RateDen     int      // frames per second; 0:0 when unknown
	AspectNum, AspectDen int      // width to height of a pixel; 0:0 when unknown
	Chroma               string   // such as "420jpeg" or "422p10", see chromaShapes
	Extra                []string // X parameters without the X, e.g. "COLORRANGE=LIMITED"; passed on as they are
}

// check returns an error unless h can be read or written.
func (h *Y4MHeader) check(l Limits) error {
	_, _, chroma := shapeOf(h.Chroma)
	switch limit := l.maxPixels(); {
	case h.W < 1 || h.H < 1:
		return fmt.Errorf("imaging: y4m header: %dx%d pixels, want positive sides", h.W, h.H)
	case h.W > limit/h.H:
		return fmt.Errorf("imaging: y4m header: %dx%d: %w, want at most %d", h.W, h.H, ErrTooLarge, limit)
	case chroma != nil:
		return fmt.Errorf("imaging: y4m header: %w", chroma)
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
	h := Y4MHeader{}
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
			err = interlaced(value)
		case 'C':
			h.Chroma = value
		case 'X':
			h.Extra = append(h.Extra, value)
		}
		if err != nil {
			return h, fmt.Errorf("imaging: y4m header: parameter %q: %w", word, err)
		}
	}
	if h.Chroma == "" {
		h.Chroma = "420"
		for _, x := range h.Extra { // what old encoders write instead
			if v, ok := strings.CutPrefix(x, "YSCSS="); ok {
				h.Chroma = strings.ToLower(v)
			}
		}
	}
	return h, h.check(l)
}

// ErrInterlaced is in the error of a stream whose frames are two fields.
var ErrInterlaced = errors.New("interlaced")

// interlaced refuses all but progressive video.
func interlaced(value string) error {
	order := map[string]string{"t": "top field first", "b": "bottom field first", "m": "some of its frames"}[value]
	switch {
	case value == "p" || value == "?" || value == "":
		return nil
	case order == "":
		return errors.New("want Ip, It, Ib, Im or I?")
	}
	return fmt.Errorf("the video is %w (%s), want progressive: ffmpeg removes the interlacing by -vf bwdif, or by -vf yadif", ErrInterlaced, order)
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
	value  []float32
	sizes  [3][2]int
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
	y.sizes = y.Header.sizes()
	for _, s := range y.sizes {
		size += s[0] * s[1]
	}
	bits := y.Header.Depth()
	y.buf = make([]byte, size*codeBytes(bits))
	y.value = make([]float32, 1<<bits)
	for i := range y.value {
		y.value[i] = float32(float64(i) / whiteOf(bits))
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
	planes, sizes := f.planes(), y.sizes
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
		if len(y.value) == 256 {
			for j, c := range codes[:len(p.Pix)] {
				p.Pix[j] = y.value[c]
			}
			codes = codes[len(p.Pix):]
			continue
		}
		for j := range p.Pix { // bits that the depth does not know are no part of a code
			p.Pix[j] = y.value[int(binary.LittleEndian.Uint16(codes[2*j:]))&(len(y.value)-1)]
		}
		codes = codes[2*len(p.Pix):]
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
	bits   int
	sizes  [3][2]int
}

// NewY4MWriter writes the header of a stream.
func NewY4MWriter(w io.Writer, h Y4MHeader) (*Y4MWriter, error) {
	if err := h.check(Limits{MaxPixels: math.MaxInt}); err != nil {
		return nil, err
	}
	size := 0
	sizes, bits := h.sizes(), h.Depth()
	for _, s := range sizes {
		size += s[0] * s[1]
	}
	y := &Y4MWriter{header: h, w: bufio.NewWriterSize(w, 1<<16), buf: make([]byte, size*codeBytes(bits)), bits: bits, sizes: sizes}
	_, err := y.w.WriteString(h.String() + "\n")
	if err == nil {
		err = y.w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("imaging: y4m out: %w", err)
	}
	return y, nil
}

// Write writes a frame, rounded to the stream's bits, and passes it on at once, so that a
// player at the other end of a pipe need not wait.
func (y *Y4MWriter) Write(f *Frame) error {
	codes := y.buf
	planes, sizes := f.planes(), y.sizes
	for i, s := range sizes {
		p := *planes[i]
		switch {
		case s[0] == 0 && p == nil:
			continue
		case p == nil || p.W != s[0] || p.H != s[1]:
			return fmt.Errorf("imaging: y4m out: plane %d does not fit, want %dx%d", i, s[0], s[1])
		}
		if y.bits == 8 {
			for j, v := range p.Pix {
				codes[j] = Code(v)
			}
			codes = codes[len(p.Pix):]
			continue
		}
		white, most := whiteOf(y.bits), float64(int(1)<<y.bits-1)
		for j, v := range p.Pix {
			code := 0.0
			if v := float64(v)*white + 0.5; v > 0 { // NaN gives 0
				code = min(v, most)
			}
			binary.LittleEndian.PutUint16(codes[2*j:], uint16(code))
		}
		codes = codes[2*len(p.Pix):]
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
