package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"evosr/imaging"
	"evosr/upscale"
)

// film is a video to be enlarged: a Y4M stream, or a file that ffmpeg reads.
type film struct {
	name string
	y4m  io.ReadCloser // nil: ffmpeg reads the file

}

func (f *film) Close() {
	if f.y4m != nil {
		f.y4m.Close()
	}
}

// videoNames are the endings of videos that are not Y4M.
func videoNames() []string {
	return []string{".mp4", ".m4v", ".mkv", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".ogv", ".3gp", ".vob", ".mxf", ".y4m"}
}

// isVideoName says whether a name promises a video that ffmpeg writes.
func isVideoName(out string) bool {
	ext := strings.ToLower(filepath.Ext(out))
	return ext != ".y4m" && (slices.Contains(videoNames(), ext) || ext == ".gif" || ext == ".apng")
}

// film opens in if it is a video, and gives nil where it is not. An animation is one
// if out is.
func (a *app) film(in, out string) (*film, error) {
	if in == "-" {
		return &film{name: "standard input", y4m: io.NopCloser(a.in)}, nil
	}
	info, err := os.Stat(in)
	if err != nil {
		return nil, dataf("%s: %w", in, reason(err))
	}
	if info.IsDir() {
		return nil, nil
	}
	if !info.Mode().IsRegular() {
		return nil, dataf("%s: is no regular file; - reads Y4M from standard input", in)
	}
	f, err := os.Open(in)
	if err != nil {
		return nil, dataf("%s: %w", in, reason(err))
	}
	head := make([]byte, 9)
	n, _ := io.ReadFull(f, head)
	if bytes.Equal(head[:n], []byte("YUV4MPEG2")) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			f.Close()
			return nil, dataf("%s: %w", in, reason(err))
		}
		return &film{name: in, y4m: f}, nil
	}
	f.Close()
	if slices.Contains(videoNames(), strings.ToLower(filepath.Ext(in))) || isVideoName(out) || strings.EqualFold(filepath.Ext(out), ".y4m") {
		return &film{name: in}, nil
	}
	return nil, nil
}

// decodeLine lets ffmpeg make Y4M of a file on standard output.
func decodeLine(in string) []string {
	return []string{"-v", "error", "-nostdin", "-i", in, "-map", "0:v:0", "-f", "yuv4mpegpipe", "-strict", "-1", "-"}
}

// encodeLine makes a video of Y4M on standard input with the sound and the chapters
// of from. Sound is copied into a file of the same kind; another kind may not take
// it, so there ffmpeg chooses.
func encodeLine(from, out, name string) []string {
	line := []string{"-v", "error", "-y", "-f", "yuv4mpegpipe", "-i", "-"}
	if from != "" {
		line = append(line, "-i", from, "-map", "0:v:0", "-map", "1:a?", "-map_metadata", "1", "-map_chapters", "1")
		if strings.EqualFold(filepath.Ext(from), filepath.Ext(name)) {
			line = append(line, "-map", "1:s?", "-c:a", "copy", "-c:s", "copy")
		}
	}
	return append(line, out)
}

// typed gives the flags of a command as they were set, model first.
func typed(c *cobra.Command) []string {
	var words []string
	c.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == "model":
			words = append([]string{"-m", f.Value.String()}, words...)
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name, f.Value.String())
		}
	})
	return words
}

// quoted is a command line for a shell.
func quoted(words ...string) string {
	var all []string
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		all = append(all, w)
	}
	return strings.Join(all, " ")
}

// needsFFmpeg is the error where ffmpeg is missing: what to type where it is not.
func (o *upscaleOptions) needsFFmpeg(f *film, out string) error {
	var parts []string
	in, from := "-", ""
	if f.y4m == nil {
		parts = append(parts, quoted(append([]string{"ffmpeg"}, decodeLine(f.name)...)...))
		from = f.name
	} else if f.name != "standard input" {
		in = f.name
	}
	to := out
	if isVideoName(out) {
		to = "-"
	}
	parts = append(parts, quoted(slices.Concat([]string{"evosr", "upscale"}, o.again, []string{in, to})...))
	if to == "-" && out != "-" {
		parts = append(parts, quoted(append([]string{"ffmpeg"}, encodeLine(from, out, out)...)...))
	}
	return usagef("video other than Y4M goes through ffmpeg, which is not installed here; where it is, this does it: %s", strings.Join(parts, " | "))
}

// upscaleVideo goes through a video frame by frame in constant memory.
func (a *app) upscaleVideo(ctx context.Context, u *model, f *film, out string, o upscaleOptions) error {
	encoded := isVideoName(out)
	switch ext := strings.ToLower(filepath.Ext(out)); {
	case out == "-" && a.outTerminal:
		return usagef("Y4M is not for a terminal: name a file, or send it on, such as by | ffplay -")
	case slices.Contains(imaging.Extensions(), ext) && !encoded:
		return usagef("%s: IN is a video, want a name that ends in .y4m, .mp4 or .mkv, or -", out)
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return usagef("%s is a folder: IN is a video, want a name that ends in .y4m, .mp4 or .mkv, or -", out)
	}
	if f.name != "standard input" && same(f.name, out) {
		return usagef("OUT is IN: %s would be overwritten", f.name)
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil && (encoded || f.y4m == nil) {
		return o.needsFFmpeg(f, out)
	}
	from := ""
	if f.y4m == nil {
		from = f.name
		d, err := decoder(ctx, f.name)
		if err != nil {
			return err
		}
		defer d.stop()
		f.y4m = d
	}
	r, err := imaging.NewY4MReader(f.y4m, o.limits)
	if err != nil {
		return dataf("%s: %w", f.name, videoFault(f.y4m, raise(err)))
	}
	to := o.size(u, r.Header.W, r.Header.H)
	var t upscale.Tally
	run := func(w io.Writer) (err error) {
		m := a.meter()
		defer m.close()
		t, err = u.Video(ctx, w, r, to, func(t upscale.Tally) {
			m.set(beat{stage: "upscale", message: fmt.Sprintf("frame %d", t.Frames), rate: t.Rate(), unit: "frames"})
		})
		return videoFault(f.y4m, err)
	}
	switch {
	case out == "-":
		err = run(a.out)
	case encoded:
		err = encode(ctx, from, out, run)
	default:
		err = writeWhole(out, run)
	}
	if t.Frames > 0 {
		a.say("%s, %dx%d to %dx%d, %.1f frames/s (network alone %.1f)", plural(t.Frames, "frame"), r.Header.W, r.Header.H,
			to.W, to.H, t.Rate(), t.NetworkRate())
	}
	if _, sorted := errors.AsType[*coded](err); err != nil && !sorted && !errors.Is(err, context.Canceled) {
		return dataf("%s: %w", f.name, err)
	}
	return err
}

// videoFault adds what ffmpeg said to the error of a stream that it feeds, or makes
// one of it where the stream ended well.
func videoFault(r io.Reader, err error) error {
	d, ok := r.(*decoding)
	if !ok {
		return err
	}
	if failed := d.stop(); failed != nil && (err == nil || d.ended) {
		return failed
	}
	return err
}

// decoding is an ffmpeg that makes Y4M.
type decoding struct {
	io.ReadCloser
	cmd   *exec.Cmd
	said  tail
	ended bool // the stream was read to its end
	done  bool
	err   error
}

// decoder begins to decode a video.
func decoder(ctx context.Context, in string) (*decoding, error) {
	d := &decoding{cmd: ffmpeg(ctx, decodeLine(in))}
	d.cmd.Stderr = &d.said
	var err error
	if d.ReadCloser, err = d.cmd.StdoutPipe(); err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		return nil, dataf("ffmpeg: %w", err)
	}
	return d, nil
}

func (d *decoding) Read(b []byte) (int, error) {
	n, err := d.ReadCloser.Read(b)
	d.ended = d.ended || err == io.EOF
	return n, err
}

// stop ends ffmpeg and returns what it failed for.
func (d *decoding) stop() error {
	if d.done {
		return d.err
	}
	d.done = true
	d.ReadCloser.Close() // it ends for want of a reader where it has not ended
	if err := d.cmd.Wait(); err != nil {
		d.err = fmt.Errorf("ffmpeg: %w: %s", err, d.said.line())
	}
	return d.err
}

// encode lets ffmpeg make the file out of what run writes: whole, or not at all.
func encode(ctx context.Context, from, out string, run func(io.Writer) error) error {
	dir := filepath.Dir(out)
	f, err := os.CreateTemp(dir, ".evosr-*"+filepath.Ext(out))
	if err != nil {
		return dataf("%s cannot be written: %w", out, reason(err))
	}
	temp := f.Name()
	defer os.Remove(temp) // gone where it was renamed
	if err := joined(f.Chmod(0o644), f.Close()); err != nil {
		return dataf("%s cannot be written: %w", out, reason(err))
	}
	c := ffmpeg(ctx, encodeLine(from, temp, out))
	var said tail
	c.Stderr = &said
	to, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return dataf("ffmpeg: %w", err)
	}
	pipe := &checkedPipe{to, false}
	err = run(pipe)
	to.Close() // the end of the stream
	if failed := c.Wait(); failed != nil && ctx.Err() == nil && (err == nil || pipe.broken) {
		return dataf("%s: ffmpeg: %w: %s", out, failed, said.line())
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temp, out); err != nil {
		return dataf("%s cannot be written: %w", out, reason(err))
	}
	return nil
}

// checkedPipe knows whether its reader went away.
type checkedPipe struct {
	io.Writer
	broken bool
}

func (p *checkedPipe) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	p.broken = p.broken || err != nil
	return n, err
}

// ffmpeg is a command that ends soon after ctx does.
func ffmpeg(ctx context.Context, line []string) *exec.Cmd {
	c := exec.CommandContext(ctx, "ffmpeg", line...)
	c.WaitDelay = time.Second
	return c
}

// tail keeps the end of what a program says.
type tail struct{ bytes.Buffer }

const tailBytes = 4096

func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	if t.Len()+n > tailBytes {
		t.Next(max(0, t.Len()+n-tailBytes))
		b = b[max(0, n-tailBytes):]
	}
	t.Buffer.Write(b)
	return n, nil
}

// line is the last words in one line.
func (t *tail) line() string {
	return strings.Join(strings.Fields(t.String()), " ")
}
