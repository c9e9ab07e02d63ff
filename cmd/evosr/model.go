package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"evosr/imaging"
	"evosr/onnx"
	"evosr/sparse"
)

// maxModel bounds a model file, bytes.
const maxModel = 1 << 30

// programMagic is how a program file begins (sparse, file.go).
const programMagic = "\x89EVOSR\r\n"

// bicubic is the model's name that stands for interpolation.
const bicubic = "bicubic"

// upscaler enlarges luma. It is a program, or bicubic interpolation when
// program is nil.
type upscaler struct {
	name    string
	scale   int
	program *sparse.Program
}

// openModel reads MODEL: what a file is decides its content, not its name.
// scale is 0 where the model's own counts; bicubic needs one.
func openModel(name string, scale, threads int) (*upscaler, error) {
	switch {
	case name == bicubic && scale == 0:
		return nil, usagef("bicubic has no scale of its own: say --scale 2, 3 or 4")
	case name == bicubic:
		return &upscaler{name: name, scale: scale}, nil
	}
	p, err := openProgram(name, threads)
	if err != nil {
		return nil, err
	}
	if scale != 0 && scale != p.Scale() {
		p.Close()
		return nil, usagef("%s enlarges by %d, not by %d: leave --scale out", name, p.Scale(), scale)
	}
	if p.Colors() != 1 {
		p.Close()
		return nil, usagef("%s works on %d colour planes: this version runs luma networks, with one", name, p.Colors())
	}
	return &upscaler{name: name, scale: p.Scale(), program: p}, nil
}

func openProgram(path string, threads int) (*sparse.Program, error) {
	if strings.HasPrefix(path, pretrained) {
		return pretrainedProgram(path, sparse.Options{Threads: threads})
	}
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, dataf("model %s: no such file; MODEL is an ONNX file, a program file or bicubic", path)
		}
		return nil, dataf("model %s: %w", path, reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, dataf("model %s: is no file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxModel+1))
	switch {
	case err != nil:
		return nil, dataf("model %s: %w", path, reason(err))
	case len(text) > maxModel:
		return nil, dataf("model %s: larger than %d bytes, which no network of evosr is", path, maxModel)
	}
	o := sparse.Options{Threads: threads}
	if bytes.HasPrefix(text, []byte(programMagic)) {
		p, err := sparse.DecodeFor(bytes.NewReader(text), o)
		if err != nil {
			return nil, integrityf("model %s: %w", path, err)
		}
		return p, nil
	}
	net, meta, err := onnx.Read(bytes.NewReader(text))
	if err != nil {
		return nil, dataf("model %s: neither a program file nor an ONNX file that evosr can run: %w", path, err)
	}
	p, err := sparse.Compile(net, o)
	if err != nil {
		return nil, dataf("model %s: %w", path, err)
	}
	p.SetMeta(meta)
	return p, nil
}

func (u *upscaler) close() {
	if u.program != nil {
		u.program.Close()
	}
}

// Scale and Upscale make a program's upscaler usable wherever luma is
// enlarged; Upscale also serves pictures too large for one run.
func (u *upscaler) Scale() int { return u.scale }

// Upscale enlarges w x h values of src into dst.
func (u *upscaler) Upscale(dst, src []float32, w, h int) error {
	if u.program != nil {
		return upscaleStrips(u.program, dst, src, w, h, stripPixels)
	}
	in := imaging.Plane{W: w, H: h, Pix: src}
	copy(dst, imaging.Upscale(&in, u.scale).Pix)
	return nil
}

// stripPixels is the size from which a picture is enlarged in strips, input
// pixels: the activations of one run then stay below a gigabyte.
const stripPixels = 2 << 20

// upscaleStrips runs a program on strips of whole rows that overlap by what a
// pixel of the output can see, so that the result is the same as in one run.
func upscaleStrips(p *sparse.Program, dst, src []float32, w, h, most int) error {
	halo := reach(p)
	rows := max(most/w, 4*halo, 1) // of a run, the overlap included
	if h <= rows {
		return p.Upscale(dst, src, w, h)
	}
	s := p.Scale()
	strip := make([]float32, rows*s*w*s)
	for y := 0; y < h; {
		y0 := min(max(0, y-halo), h-rows) // every run has the same size: one plan
		if err := p.Upscale(strip, src[y0*w:(y0+rows)*w], w, rows); err != nil {
			return err
		}
		end := y0 + rows - halo
		if y0+rows == h {
			end = h
		}
		row := w * s * s // values of dst for one row of src
		copy(dst[y*row:end*row], strip[(y-y0)*row:])
		y = end
	}
	return nil
}

// reach bounds how many rows away an input pixel changes an output pixel.
func reach(p *sparse.Program) int {
	n := 0
	for _, l := range p.Subnet().Layers {
		n += l.Kernel / 2
	}
	return n
}
