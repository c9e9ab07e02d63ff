package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"evosr/rundir"
	"evosr/sparse"
	"evosr/upscale"
)

// maxModel bounds a model file, bytes.
const maxModel = 1 << 30

// programMagic is how a program file begins (sparse, file.go).
const programMagic = "\x89EVOSR\r\n"

// bicubic is the model's name that stands for interpolation.
const bicubic = "bicubic"

// model is MODEL and what it enlarges with.
type model struct {
	name string
	*upscale.Upscaler
}

// modelOptions say how MODEL is to be taken.
type modelOptions struct {
	scale    int // 0 where the model's own counts; bicubic needs one
	threads  int
	white    int               // value of white that an imported network wants
	external bool              // weights may lie in files beside it
	set      map[string]string // numbers for inputs that are no picture
	output   string            // which of several outputs is the picture
}

// modelFlags adds the flags of networks that come from elsewhere.
func modelFlags(c *cobra.Command, o *modelOptions) {
	threadsFlag(c, &o.threads)
	importFlags(c, o)
}

func importFlags(c *cobra.Command, o *modelOptions) {
	numberFlag(c, &o.white, "range", 1, 65535, 1, "value of white that an imported network was made for, such as 255")
	c.Flags().BoolVar(&o.external, "allow-external", false, "read an ONNX file's weights from files below its folder")
	c.Flags().StringToStringVar(&o.set, "set", nil, "number for an input of an ONNX file that is no picture, as NAME=VALUE")
	c.Flags().StringVar(&o.output, "output-name", "", "which of an ONNX file's outputs is the picture")
}

// openModel reads MODEL: what a file is decides its content, not its name.
func openModel(name string, o modelOptions) (*model, error) {
	switch {
	case name == bicubic && o.scale == 0:
		return nil, usagef("bicubic has no scale of its own: say --scale 2, 3 or 4")
	case name == bicubic:
		return &model{name, upscale.Bicubic(o.scale)}, nil
	}
	p, err := openProgram(name, o)
	if err != nil {
		return nil, err
	}
	if o.scale != 0 && o.scale != p.Scale() {
		p.Close()
		return nil, usagef("%s enlarges by %d, not by %d: leave --scale out", name, p.Scale(), o.scale)
	}
	return &model{name, upscale.New(p)}, nil
}

func openProgram(path string, o modelOptions) (*sparse.Program, error) {
	if strings.HasPrefix(path, pretrained) {
		return pretrainedProgram(path, sparse.Options{Threads: o.threads})
	}
	text, err := readModel(path, rundir.FileProgram)
	if err != nil {
		return nil, err
	}
	if isProgram(text) {
		p, err := sparse.DecodeFor(bytes.NewReader(text), sparse.Options{Threads: o.threads})
		if err != nil {
			return nil, integrityf("model %s: %w", path, err)
		}
		return p, nil
	}
	n, err := importONNX(path, text, o)
	if err != nil {
		return nil, err
	}
	return n.compile(o.threads)
}

// isProgram tells a program file by its first bytes.
func isProgram(text []byte) bool { return bytes.HasPrefix(text, []byte(programMagic)) }

// ofRun gives the file of a winner that is named DIR@WINNER, its checksum; path is
// "" where name is nothing of the kind.
func ofRun(name, file string) (path, sum string, err error) {
	at := strings.LastIndexByte(name, '@')
	if at < 1 {
		return "", "", nil
	}
	if _, err := os.Lstat(name); err == nil {
		return "", "", nil // a file of this name
	}
	if info, err := os.Stat(name[:at]); err != nil || !info.IsDir() {
		return "", "", nil
	}
	d, err := openRun(name[:at])
	if err != nil {
		return "", "", err
	}
	defer d.Close()
	card, err := findWinner(d, name[at+1:])
	if err != nil {
		return "", "", err
	}
	return d.File(card.ID, file), card.Files[file], nil
}

// readModel reads a model's file whole; of a winner's, DIR@WINNER, the file that is
// named.
func readModel(name, file string) ([]byte, error) {
	path, sum, err := ofRun(name, file)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return readFile(name)
	}
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != sum {
		return nil, integrityf("%s: SHA-256 %s, its card says %s", path, got, sum)
	}
	return text, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, dataf("model %s: no such file; MODEL is an ONNX file, a program file, DIR@WINNER of a run, %s or bicubic%s", path, strings.Join(carried(), ", "), among(path, append(carried(), bicubic)))
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
	return text, nil
}
