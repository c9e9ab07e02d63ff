package imaging

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Header says what is to be written.
type Header struct {
	W, H    int
	Grey    bool // the pictures have no chroma
	Alpha   bool // they have alpha
	Depth   int  // bits a channel: 8 or 16; 0 means 8
	Quality int  // of JPEG, 1 to 100; 0 means DefaultQuality
	Meta    Meta
}

// DefaultQuality is JPEG's where nobody asked for another.
const DefaultQuality = 92

// writer is one file format that is written. next gives the rows, from the top,
// some at a time.
type writer struct {
	name  string
	exts  []string
	lacks func(*Header) []string // what of h the format cannot hold, in words
	write func(w io.Writer, h *Header, next func() (*Picture, error)) error
}

func writers() []writer {
	return []writer{
		{"PNG", []string{".png"}, pngLacks, writePNG},
		{"JPEG", []string{".jpg", ".jpeg"}, jpegLacks, writeJPEG},
	}
}

// FormatOf returns the format that a file's name promises. WebP and the others that
// are only read are an error that says so.
func FormatOf(name string) (string, error) {
	ext := strings.ToLower(filepath.Ext(name))
	var all []string
	for _, w := range writers() {
		for _, e := range w.exts {
			if e == ext {
				return w.name, nil
			}
			all = append(all, e)
		}
	}
	for _, c := range codecs() {
		for _, e := range c.exts {
			if e == ext {
				return "", fmt.Errorf("%s: %s is read and not written, want a name that ends in %s", name, c.name, strings.Join(all, ", "))
			}
		}
	}
	return "", fmt.Errorf("%s: pictures are written as PNG or JPEG, want a name that ends in %s", name, strings.Join(all, ", "))
}

// Lacks says in words what a format of FormatOf loses of a picture.
func Lacks(format string, h Header) []string {
	for _, w := range writers() {
		if w.name == format {
			return w.lacks(&h)
		}
	}
	return nil
}

// ErrAlpha is in the error of a picture with alpha and a format without.
var ErrAlpha = errors.New("holds no transparency")

// Encode writes a picture in a format of FormatOf. next returns the next rows, as
// many as it likes, until there are H; they are not kept. Its error ends the file.
func Encode(w io.Writer, format string, h Header, next func() (*Picture, error)) error {
	if h.W < 1 || h.H < 1 {
		return fmt.Errorf("imaging: %s out: %dx%d pixels, want positive sides", format, h.W, h.H)
	}
	rows := 0
	checked := func() (*Picture, error) {
		p, err := next()
		if err != nil {
			return nil, err
		}
		if err := p.check(); err != nil {
			return nil, err
		}
		rows += p.Y.H
		if p.Y.W != h.W || rows > h.H || (p.Cb == nil) != h.Grey || (p.Alpha != nil) != h.Alpha {
			return nil, fmt.Errorf("imaging: %s out: rows of %d pixels, %d of them, do not fit the header", format, p.Y.W, rows)
		}
		return p, nil
	}
	for _, f := range writers() {
		if f.name == format {
			return f.write(w, &h, checked)
		}
	}
	return fmt.Errorf("imaging: format %q, want PNG or JPEG", format)
}

// EncodePNG writes p with 8 bits a channel: grey when it has no chroma, else RGB,
// and either with alpha when it has that.
func EncodePNG(w io.Writer, p *Picture) error {
	if err := p.check(); err != nil {
		return err
	}
	h := Header{W: p.Y.W, H: p.Y.H, Grey: p.Cb == nil, Alpha: p.Alpha != nil}
	return Encode(w, "PNG", h, func() (*Picture, error) { return p, nil })
}

// channels is the number of samples of a pixel.
func (h *Header) channels() int {
	n := 3
	if h.Grey {
		n = 1
	}
	if h.Alpha {
		n++
	}
	return n
}

// samples writes the rows from..to of p as samples of 8 or 16 bits, big-endian, the
// channels of a pixel side by side; dst has no more room than that.
func (h *Header) samples(dst []byte, p *Picture, from, to int) {
	inv := inverse(studio())
	n := h.channels()
	var v [4]float32
	for i := from * p.Y.W; i < to*p.Y.W; i++ {
		v[0] = p.Y.Pix[i]
		if !h.Grey {
			r, g, b := toRGB(&inv, float64(v[0]), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
			v[0], v[1], v[2] = float32(r), float32(g), float32(b)
		}
		if h.Alpha {
			v[n-1] = p.Alpha.Pix[i]
		}
		if h.Depth == 16 {
			for c := range n {
				q := code16(v[c])
				dst[2*c], dst[2*c+1] = byte(q>>8), byte(q)
			}
			dst = dst[2*n:]
			continue
		}
		for c := range n {
			dst[c] = Code(v[c])
		}
		dst = dst[n:]
	}
}

// byRows calls f for ranges of rows that cover a picture, at the same time
// when the picture is large. It returns when all are done.
func byRows(w, h int, f func(from, to int)) {
	n := min(runtime.GOMAXPROCS(0), h)
	if w*h < 1<<16 || n < 2 { // goroutines would cost more than they save
		f(0, h)
		return
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(h*i/n, h*(i+1)/n) })
	}
	wg.Wait()
}
