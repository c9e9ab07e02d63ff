package upscale

import (
	"context"
	"errors"
	"io"
	"time"

	"evosr/imaging"
)

// Tally counts the frames of a video and the time that they took.
type Tally struct {
	Frames  int
	Time    time.Duration // from the beginning to the end of the last frame
	Network time.Duration // of it in the network
}

// Rate is frames per second, 0 before the first.
func (t Tally) Rate() float64 { return perSecond(t.Frames, t.Time) }

// NetworkRate is the frames per second that the network alone would make.
func (t Tally) NetworkRate() float64 { return perSecond(t.Frames, t.Network) }

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// Video enlarges a stream frame by frame to w and calls told after each frame. A
// stream without a frame is an error. The tally counts what was written, also
// where an error ended it.
func (u *Upscaler) Video(ctx context.Context, w io.Writer, r *imaging.Y4MReader, told func(Tally)) (Tally, error) {
	var t Tally
	h := r.Header
	h.W, h.H = h.W*u.scale, h.H*u.scale
	out, err := imaging.NewY4MWriter(w, h)
	if err != nil {
		return t, err
	}
	in, big := &imaging.Frame{}, &imaging.Frame{Y: imaging.NewPlane(h.W, h.H)}
	var chroma *imaging.Resizer
	if cw, ch := r.Header.ChromaSize(); cw > 0 {
		bw, bh := h.ChromaSize()
		chroma = imaging.NewResizer(cw, ch, bw, bh)
		big.Cb, big.Cr = imaging.NewPlane(bw, bh), imaging.NewPlane(bw, bh)
	}
	began := time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		if err := r.Read(in); err == io.EOF {
			if t.Frames == 0 {
				return t, errors.New("the stream holds no frame")
			}
			return t, nil
		} else if err != nil {
			return t, err
		}
		start := time.Now()
		if u.Colors() == 3 {
			err = u.colorFrame(big, in)
		} else {
			err = u.Upscale(big.Y.Pix, in.Y.Pix, in.Y.W, in.Y.H)
		}
		t.Network += time.Since(start)
		if err != nil {
			return t, err
		}
		if chroma != nil && u.Colors() == 1 {
			chroma.Resize(big.Cb, in.Cb)
			chroma.Resize(big.Cr, in.Cr)
		}
		if err := out.Write(big); err != nil {
			return t, err
		}
		t.Frames++
		t.Time = time.Since(began)
		told(t)
	}
}

// colorFrame enlarges a frame through its RGB.
func (u *Upscaler) colorFrame(big, in *imaging.Frame) error {
	p := &imaging.Picture{Y: in.Y}
	if in.Cb != nil {
		p.Cb, p.Cr = imaging.Resize(in.Cb, in.Y.W, in.Y.H), imaging.Resize(in.Cr, in.Y.W, in.Y.H)
	} else { // a frame's luma is of studio range, which a grey picture's is not
		p.Cb, p.Cr = imaging.NewPlane(in.Y.W, in.Y.H), imaging.NewPlane(in.Y.W, in.Y.H)
		for i := range p.Cb.Pix {
			p.Cb.Pix[i], p.Cr.Pix[i] = 128.0/255, 128.0/255
		}
	}
	out, err := u.Picture(p)
	if err != nil {
		return err
	}
	copy(big.Y.Pix, out.Y.Pix)
	if big.Cb != nil {
		copy(big.Cb.Pix, imaging.Resize(out.Cb, big.Cb.W, big.Cb.H).Pix)
		copy(big.Cr.Pix, imaging.Resize(out.Cr, big.Cr.W, big.Cr.H).Pix)
	}
	return nil
}
