package upscale

import (
	"context"
	"errors"
	"fmt"
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

// Video enlarges a stream frame by frame to w, to frames of the size to, and calls
// told after each frame. A stream without a frame is an error. The tally counts what
// was written, also where an error ended it.
func (u *Upscaler) Video(ctx context.Context, w io.Writer, r *imaging.Y4MReader, to Size, told func(Tally)) (Tally, error) {
	var t Tally
	h := r.Header
	h.W, h.H = to.W, to.H
	out, err := imaging.NewY4MWriter(w, h)
	if err != nil {
		return t, err
	}
	in, f := &imaging.Frame{}, u.frames(r.Header, h)
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
		err = f.network(in)
		t.Network += time.Since(start)
		if err != nil {
			return t, fmt.Errorf("frame %d: %w", t.Frames+1, err)
		}
		f.rest(in)
		if err := out.Write(&f.out); err != nil {
			return t, err
		}
		t.Frames++
		t.Time = time.Since(began)
		told(t)
	}
}

// frames enlarges the frames of a video in memory of its own.
type frames struct {
	u      *Upscaler
	out    imaging.Frame
	big    *imaging.Plane   // luma as the network makes it; out's own where the size is to
	luma   *imaging.Resizer // of big to out, nil where the size is to
	chroma *imaging.Chroma  // of what comes in to out; nil: there is none
	deep   bool             // more than 8 bits a code

	// For networks of RGB: chroma at the size of luma, and back.
	full   imaging.Frame
	expand *imaging.Chroma
	reduce *imaging.Chroma
}

func (u *Upscaler) frames(from, to imaging.Y4MHeader) *frames {
	f := &frames{u: u, deep: from.Depth() > 8, out: imaging.Frame{Y: imaging.NewPlane(to.W, to.H)}}
	f.big = f.out.Y
	if w, h := from.W*u.scale, from.H*u.scale; w != to.W || h != to.H {
		f.big = imaging.NewPlane(w, h)
		f.luma = imaging.NewResizer(w, h, to.W, to.H)
	}
	cw, _ := from.ChromaSize()
	if cw > 0 {
		bw, bh := to.ChromaSize()
		f.out.Cb, f.out.Cr = imaging.NewPlane(bw, bh), imaging.NewPlane(bw, bh)
	}
	switch {
	case u.Colors() == 1 && cw > 0:
		f.chroma = imaging.NewChroma(from, to)
	case u.Colors() == 3:
		f.full.Cb, f.full.Cr = grey(from.W, from.H), grey(from.W, from.H)
		if cw > 0 {
			whole := imaging.Y4MHeader{W: from.W, H: from.H, Chroma: "444"}
			big := imaging.Y4MHeader{W: from.W * u.scale, H: from.H * u.scale, Chroma: "444"}
			f.expand, f.reduce = imaging.NewChroma(from, whole), imaging.NewChroma(big, to)
		}
	}
	return f
}

// grey is chroma without colour: a frame's luma is of studio range, which a grey
// picture's is not.
func grey(w, h int) *imaging.Plane {
	p := imaging.NewPlane(w, h)
	for i := range p.Pix {
		p.Pix[i] = 128.0 / 255
	}
	return p
}

// network makes what the network makes of a frame: luma, or all of it.
func (f *frames) network(in *imaging.Frame) error {
	if f.u.Colors() == 1 {
		if err := f.u.Upscale(f.big.Pix, in.Y.Pix, in.Y.W, in.Y.H); err != nil {
			return err
		}
		return f.u.finite(f.big.Pix, in.Y.Pix, in.Y.W, in.Y.H)
	}
	if f.expand != nil {
		f.expand.Resize(&f.full, in)
	}
	p := &imaging.Picture{Y: in.Y, Cb: f.full.Cb, Cr: f.full.Cr}
	if f.deep {
		p.Depth = 16
	}
	big, err := f.u.Picture(p)
	if err != nil {
		return err
	}
	copy(f.big.Pix, big.Y.Pix)
	if f.reduce != nil {
		f.reduce.Resize(&f.out, &imaging.Frame{Y: big.Y, Cb: big.Cb, Cr: big.Cr})
	}
	return nil
}

// rest makes what the network does not.
func (f *frames) rest(in *imaging.Frame) {
	if f.luma != nil {
		f.luma.Resize(f.out.Y, f.big)
	}
	if f.chroma != nil {
		f.chroma.Resize(&f.out, in)
	}
}
