package imaging

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"runtime"
	"sync"
)

// EncodePNG writes p with 8 bits a channel: grey when it has no chroma, else
// RGB, and either with alpha when it has that. (PNG's grey with alpha is written
// as RGB with alpha.) Pictures from megapixelPNG on are compressed for speed:
// about four times as fast as at the best size, and a fifth larger.
func EncodePNG(w io.Writer, p *Picture) error {
	if err := p.check(); err != nil {
		return err
	}
	e := png.Encoder{}
	if p.Y.W*p.Y.H >= megapixelPNG {
		e.CompressionLevel = png.BestSpeed
	}
	if err := e.Encode(w, toImage(p)); err != nil {
		return fmt.Errorf("imaging: PNG out: %w", err)
	}
	return nil
}

// megapixelPNG is where the time of compression begins to be felt, pixels.
const megapixelPNG = 1 << 20

// toImage converts p, which passed check, to the image that the PNG encoder
// stores with the fewest channels. The rows of a large one are shared out over
// the cores; every pixel is computed alone, so the result does not depend on how.
func toImage(p *Picture) image.Image {
	box := image.Rect(0, 0, p.Y.W, p.Y.H)
	if p.Cb == nil && p.Alpha == nil {
		m := image.NewGray(box)
		byRows(p.Y.W, p.Y.H, func(from, to int) {
			for i := from * p.Y.W; i < to*p.Y.W; i++ {
				m.Pix[i] = Code(p.Y.Pix[i])
			}
		})
		return m
	}
	m := image.NewNRGBA(box)
	inv := inverse(studio())
	byRows(p.Y.W, p.Y.H, func(from, to int) {
		for i := from * p.Y.W; i < to*p.Y.W; i++ {
			y, q := p.Y.Pix[i], m.Pix[4*i:4*i+4:4*i+4]
			if p.Cb == nil {
				q[0] = Code(y)
				q[1], q[2] = q[0], q[0]
			} else {
				r, g, b := toRGB(&inv, float64(y), float64(p.Cb.Pix[i]), float64(p.Cr.Pix[i]))
				q[0], q[1], q[2] = Code(float32(r)), Code(float32(g)), Code(float32(b))
			}
			q[3] = 255
			if p.Alpha != nil {
				q[3] = Code(p.Alpha.Pix[i])
			}
		}
	})
	return m
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
