package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/upscale"
)

// upscaleOptions are the flags of upscale beside the model's.
type upscaleOptions struct {
	scale         factor
	width, height int // pixels; 0 where the other, or the scale, decides
	format        string
	quality       int
	recursive     bool
	limits        imaging.Limits
	again         []string // the flags as they were typed, for a pipe
}

func (a *app) upscaleCmd() *cobra.Command {
	var name string
	var o upscaleOptions
	var mo modelOptions
	var megapixels int
	c := &cobra.Command{
		Use:   "upscale -m MODEL IN... OUT",
		Short: "Enlarge pictures, folders of pictures, or video",
		Long: "Enlarges IN into OUT. IN is a picture (PNG, JPEG, WebP, GIF, BMP, TIFF), a folder\n" +
			"or a pattern of them, or a video; - is Y4M on standard input or output. OUT is a\n" +
			"file that ends in .png or .jpg, or a folder, which several IN need; what cannot be\n" +
			"read is named at the end and does not stop the others.\n\n" +
			"Depth, colour profile, gamma, density and EXIF are kept, orientation is applied.\n" +
			"A model of luma leaves colour to bicubic interpolation, one of RGB enlarges all;\n" +
			"transparency is interpolated. Another size than the model's is reached from there\n" +
			"by bicubic interpolation.\n\n" +
			"Y4M is read and written here, 8 to 16 bits; other video goes through ffmpeg, with\n" +
			"its sound, where ffmpeg is installed.",
		Example: "  evosr upscale -m model.evosr photo.jpg large.png\n" +
			"  evosr upscale -m model.onnx --recursive photos/ large/\n" +
			"  evosr upscale -m pretrained:x2 --width 1920 photo.jpg large.jpg\n" +
			"  evosr upscale -m bicubic --scale 1.5 photo.png large.png\n" +
			"  evosr upscale -m model.evosr clip.mp4 big.mp4\n" +
			"  ffmpeg -i in.mp4 -f yuv4mpegpipe -strict -1 - | evosr upscale -m model.evosr - - | ffplay -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("%s, want IN OUT, or several IN and a folder", plural(len(args), "argument"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.limits = limits(megapixels)
			o.again = typed(c)
			u, err := o.open(name, mo)
			if err != nil {
				return err
			}
			defer u.Close()
			return a.upscale(c.Context(), u, args[:len(args)-1], args[len(args)-1], o)
		},
	}
	c.Flags().StringVarP(&name, "model", "m", "", "ONNX file, program file, DIR@WINNER, pretrained:x2, or bicubic")
	c.Flags().Var(&o.scale, "scale", "enlargement, such as 2 or 1.5 (default the model's own; bicubic needs it or a size)")
	numberFlag(c, &o.width, "width", 1, maxSide, 0, "pixels of the result's width; the height follows where it is not told")
	numberFlag(c, &o.height, "height", 1, maxSide, 0, "pixels of its height; the width follows where it is not told")
	c.Flags().StringVar(&o.format, "format", "png", "of pictures in a folder OUT: png or jpg")
	numberFlag(c, &o.quality, "quality", 1, 100, imaging.DefaultQuality, "of JPEG")
	c.Flags().BoolVarP(&o.recursive, "recursive", "r", false, "take the pictures of subfolders, too")
	for _, f := range []string{"width", "height"} {
		c.Flags().Lookup(f).DefValue = ""
	}
	modelFlags(c, &mo)
	megapixelsFlag(c, &megapixels)
	if err := c.MarkFlagRequired("model"); err != nil {
		panic(err)
	}
	return c
}

// maxSide is the longest side that can be asked for, pixels.
const maxSide = 1 << 17

// factor is an enlargement on the command line; 0 is none.
type factor float64

func (f *factor) String() string {
	if *f == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*f), 'g', -1, 64)
}

func (f *factor) Type() string { return "float" }

func (f *factor) Set(s string) error {
	v, err := strconv.ParseFloat(strings.TrimPrefix(strings.ToLower(s), "x"), 64)
	if err != nil || !(v >= 1./64 && v <= 64) {
		return errors.New("want a number such as 2 or 1.5, at most 64")
	}
	*f = factor(v)
	return nil
}

// open reads the model. bicubic enlarges by a whole scale, or leaves all to the way
// to the exact size.
func (o *upscaleOptions) open(name string, mo modelOptions) (*model, error) {
	if o.scale != 0 && (o.width != 0 || o.height != 0) {
		return nil, usagef("--scale and a size exclude each other: leave out --scale, or --width and --height")
	}
	if !strings.EqualFold(o.format, "png") && !strings.EqualFold(o.format, "jpg") && !strings.EqualFold(o.format, "jpeg") {
		return nil, usagef("--format %s: want png or jpg", o.format)
	}
	if name == bicubic && (o.scale != 0 || o.width != 0 || o.height != 0) {
		if s := int(o.scale); factor(s) == o.scale && s > 1 {
			return &model{name, upscale.Bicubic(s)}, nil
		}
		return &model{name, upscale.Bicubic(1)}, nil
	}
	return openModel(name, mo)
}

// size returns how large a picture of w x h becomes.
func (o *upscaleOptions) size(u *model, w, h int) upscale.Size {
	round := func(v float64) int { return int(max(1, math.Round(v))) }
	fw, fh := float64(w), float64(h)
	switch {
	case o.width != 0 && o.height != 0:
		return upscale.Size{W: o.width, H: o.height}
	case o.width != 0:
		return upscale.Size{W: o.width, H: round(fh * float64(o.width) / fw)}
	case o.height != 0:
		return upscale.Size{W: round(fw * float64(o.height) / fh), H: o.height}
	case o.scale != 0:
		return upscale.Size{W: round(fw * float64(o.scale)), H: round(fh * float64(o.scale))}
	}
	return upscale.Size{W: w * u.Scale(), H: h * u.Scale()}
}

func (a *app) upscale(ctx context.Context, u *model, ins []string, out string, o upscaleOptions) error {
	ins, err := matched(ins)
	if err != nil {
		return err
	}
	if len(ins) == 1 {
		if film, err := a.film(ins[0], out); err != nil {
			return err
		} else if film != nil {
			defer film.Close()
			return a.upscaleVideo(ctx, u, film, out, o)
		}
	}
	if out == "-" {
		return usagef("only Y4M video goes to standard output: name a PNG or JPEG file, or a folder")
	}
	j, err := o.jobs(ins, out)
	if err != nil {
		return err
	}
	return a.pictures(ctx, u, j, o)
}

// pictures does the work that was planned.
func (a *app) pictures(ctx context.Context, u *model, w *work, o upscaleOptions) error {
	m := a.meter()
	defer m.close()
	total := float64(len(w.jobs))
	var broken []error
	for i, j := range w.jobs {
		shown := func(part float64) {
			m.set(beat{stage: "upscale", message: filepath.Base(j.in), done: float64(i) + part, total: total})
		}
		shown(0)
		if err := a.picture(ctx, u, m, j, o, shown); err != nil {
			if _, unread := errors.AsType[*unreadable](err); !unread || w.single {
				return err
			}
			broken = append(broken, err) // the others need not wait for it
		}
	}
	m.set(beat{stage: "upscale", done: total, total: total})
	m.close()
	return a.summary(w, broken)
}

// unreadable is the error of a picture that does not stop the others.
type unreadable struct{ error }

func (e *unreadable) Unwrap() error { return e.error }

// picture enlarges one picture and tells which part of it is done.
func (a *app) picture(ctx context.Context, u *model, m *meter, j job, o upscaleOptions, shown func(float64)) error {
	r, err := imaging.OpenRaster(j.in, o.limits)
	if err != nil {
		return &unreadable{dataf("%w", raise(err))}
	}
	if r.Alpha && j.format == "JPEG" {
		return &unreadable{dataf("%s: can be seen through, and JPEG %w: want PNG", j.in, imaging.ErrAlpha)}
	}
	r.Bleed()
	to := o.size(u, r.W, r.H)
	h := imaging.Header{W: to.W, H: to.H, Grey: r.Grey, Alpha: r.Alpha, Depth: r.Depth, Quality: o.quality, Meta: r.Meta}
	if j.format == "JPEG" && max(to.W, to.H) > math.MaxUint16 {
		return &unreadable{dataf("%s: %dx%d pixels, and JPEG holds %d a side: want PNG", j.in, to.W, to.H, math.MaxUint16)}
	}
	if lost := append(r.Meta.Lost, imaging.Lacks(j.format, h)...); len(lost) > 0 {
		m.warn(fmt.Sprintf("%s: not kept: %s", j.in, strings.Join(lost, "; ")))
	}
	if !j.named {
		if err := os.MkdirAll(filepath.Dir(j.out), 0o755); err != nil {
			return dataf("%s: %w", filepath.Dir(j.out), reason(err))
		}
	}
	var failed error // of the network, not of the disk
	stream := u.Stream(ctx, r, upscale.Size{W: r.W, H: r.H}, to, func(rows int) { shown(float64(rows) / float64(r.H)) })
	next := func() (*imaging.Picture, error) {
		p, err := stream()
		failed = err
		return p, err
	}
	err = writeWhole(j.out, func(f io.Writer) error {
		b := bufio.NewWriterSize(f, 1<<18)
		if err := imaging.Encode(b, j.format, h, next); err != nil {
			return err
		}
		return b.Flush()
	})
	if failed != nil && !errors.Is(failed, context.Canceled) {
		return dataf("%s: %w", j.in, failed)
	}
	return err
}

// raise says how a picture of any size is let in.
func raise(err error) error {
	if errors.Is(err, imaging.ErrTooLarge) {
		return fmt.Errorf("%w; raise --max-megapixels", err)
	}
	return err
}

// same says whether two paths lead to one file.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
