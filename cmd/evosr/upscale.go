package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/upscale"
)

func (a *app) upscaleCmd() *cobra.Command {
	var name string
	var o modelOptions
	var megapixels int
	c := &cobra.Command{
		Use:   "upscale -m MODEL IN OUT",
		Short: "Enlarge pictures, folders of pictures, or Y4M video",
		Long: "Enlarges IN into OUT. IN is a PNG, JPEG or WebP picture, a folder of them, or a\n" +
			"Y4M video; - is Y4M on standard input or output. Pictures are written as PNG, a\n" +
			"folder's under the same names; one that cannot be read is named at the end and\n" +
			"does not stop the others. A model of luma leaves colour to bicubic interpolation,\n" +
			"one of RGB enlarges all; transparency is interpolated.",
		Example: "  evosr upscale -m model.evosr photo.jpg large.png\n" +
			"  evosr upscale -m model.onnx photos/ large/\n" +
			"  evosr upscale -m bicubic --scale 2 photo.png large.png\n" +
			"  ffmpeg -i in.mp4 -f yuv4mpegpipe - | evosr upscale -m model.evosr - - | ffplay -",
		Args: arguments("IN", "OUT"),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := openModel(name, o)
			if err != nil {
				return err
			}
			defer u.Close()
			return a.upscale(c.Context(), u, args[0], args[1], limits(megapixels))
		},
	}
	c.Flags().StringVarP(&name, "model", "m", "", "ONNX file, program file, pretrained:x2, or bicubic")
	scaleFlag(c, &o.scale)
	modelFlags(c, &o)
	megapixelsFlag(c, &megapixels)
	if err := c.MarkFlagRequired("model"); err != nil {
		panic(err)
	}
	return c
}

func (a *app) upscale(ctx context.Context, u *model, in, out string, l imaging.Limits) error {
	if in == "-" {
		return a.upscaleVideo(ctx, u, a.in, "standard input", out, l)
	}
	info, err := os.Stat(in)
	if err != nil {
		return dataf("%s: %w", in, reason(err))
	}
	if info.IsDir() {
		return a.upscaleFolder(ctx, u, in, out, l)
	}
	f, err := os.Open(in)
	if err != nil {
		return dataf("%s: %w", in, reason(err))
	}
	defer f.Close()
	head := make([]byte, 9)
	if n, _ := io.ReadFull(f, head); bytes.Equal(head[:n], []byte("YUV4MPEG2")) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return dataf("%s: %w", in, reason(err))
		}
		if same(in, out) {
			return usagef("OUT is IN: %s would be overwritten", in)
		}
		return a.upscaleVideo(ctx, u, f, in, out, l)
	}
	if out == "-" {
		return usagef("only Y4M video goes to standard output: name a PNG file")
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		out = filepath.Join(out, pngName(in))
	} else if strings.HasSuffix(out, "/") {
		return dataf("%s: there is no such folder", out)
	}
	return upscalePicture(u, in, out, l)
}

// upscaleFolder mirrors the pictures of a folder by name.
func (a *app) upscaleFolder(ctx context.Context, u *model, in, out string, l imaging.Limits) error {
	paths, err := imaging.List(in)
	if err != nil {
		return dataf("%w", err)
	}
	if out == "-" {
		return usagef("only Y4M video goes to standard output: name a folder")
	}
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return usagef("%s is a file: IN is a folder, so OUT must be one", out)
	}
	from := map[string]string{}
	for _, p := range paths {
		name := pngName(p)
		if other, ok := from[name]; ok {
			return usagef("%s and %s would both become %s", other, p, name)
		}
		from[name] = p
		for _, q := range paths {
			if same(q, filepath.Join(out, name)) {
				return usagef("%s would be overwritten: choose another folder for OUT", q)
			}
		}
	}
	m := a.meter()
	defer m.close()
	var broken []error
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.set(beat{stage: "upscale", message: filepath.Base(path), done: float64(i), total: float64(len(paths))})
		p, err := imaging.Open(path, l)
		if err != nil { // the others need not wait for it
			broken = append(broken, raise(err))
			continue
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return dataf("%s: %w", out, reason(err))
		}
		if err := enlarge(u, p, path, filepath.Join(out, pngName(path))); err != nil {
			return err
		}
	}
	m.set(beat{stage: "upscale", done: float64(len(paths)), total: float64(len(paths))})
	m.close()
	switch n := len(broken); {
	case n == 1:
		return dataf("%w", broken[0])
	case n > 1:
		for _, err := range broken {
			a.say("%v", err)
		}
		return dataf("%d of %d pictures cannot be read", n, len(paths))
	}
	return nil
}

func pngName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base)) + ".png"
}

// same says whether two paths lead to one file.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func upscalePicture(u *model, in, out string, l imaging.Limits) error {
	if same(in, out) {
		return usagef("OUT is IN: %s would be overwritten", in)
	}
	if !strings.EqualFold(filepath.Ext(out), ".png") {
		return usagef("%s: pictures are written as PNG, want a name that ends in .png", out)
	}
	p, err := imaging.Open(in, l)
	if err != nil {
		return dataf("%w", raise(err))
	}
	return enlarge(u, p, in, out)
}

// enlarge writes p, which was read from in, to out.
func enlarge(u *model, p *imaging.Picture, in, out string) error {
	big, err := u.Picture(p)
	if err != nil {
		return dataf("%s: %w", in, err)
	}
	return writeWhole(out, func(f io.Writer) error { return imaging.EncodePNG(f, big) })
}

// raise says how a picture of any size is let in.
func raise(err error) error {
	if errors.Is(err, imaging.ErrTooLarge) {
		return fmt.Errorf("%w; raise --max-megapixels", err)
	}
	return err
}

// videoName refuses names that promise another format than Y4M.
func videoName(out string) error {
	switch strings.ToLower(filepath.Ext(out)) {
	case ".mp4", ".m4v", ".mkv", ".mov", ".avi", ".webm", ".gif", ".png", ".jpg", ".jpeg", ".webp":
		return usagef("%s: video is written as Y4M, want a name that ends in .y4m, or - and an encoder", out)
	}
	return nil
}

// upscaleVideo goes through a stream frame by frame in constant memory.
func (a *app) upscaleVideo(ctx context.Context, u *model, in io.Reader, name, out string, l imaging.Limits) error {
	if err := videoName(out); err != nil {
		return err
	}
	r, err := imaging.NewY4MReader(in, l)
	if err != nil {
		return dataf("%s: %w", name, raise(err))
	}
	var t upscale.Tally
	run := func(w io.Writer) (err error) {
		m := a.meter()
		defer m.close()
		t, err = u.Video(ctx, w, r, func(t upscale.Tally) {
			m.set(beat{stage: "upscale", message: fmt.Sprintf("frame %d", t.Frames), rate: t.Rate(), unit: "frames"})
		})
		return err
	}
	if out == "-" {
		err = run(a.out)
	} else {
		err = writeWhole(out, run)
	}
	if t.Frames > 0 {
		a.say("%s, %dx%d to %dx%d, %.1f frames/s (network alone %.1f)", plural(t.Frames, "frame"), r.Header.W, r.Header.H,
			r.Header.W*u.Scale(), r.Header.H*u.Scale(), t.Rate(), t.NetworkRate())
	}
	if _, sorted := errors.AsType[*coded](err); err != nil && !sorted && !errors.Is(err, context.Canceled) {
		return dataf("%s: %w", name, err)
	}
	return err
}
