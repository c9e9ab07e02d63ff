package main

import (
	"bytes"
	"time"

	"evosr/internal/kernel"
	"evosr/onnx"
	"evosr/sparse"
)

// rival is another runtime that runs ONNX files.
type rival interface {
	name() string // with its version
	// load prepares a file for one picture (planes of float32, s pixels each) on
	// a fixed number of threads, the caller's included.
	load(model []byte, src []float32, s size, threads int) (session, error)
	// everyFile tells whether the pruned files are timed too; else the dense file's
	// time stands for them, because the runtime makes no use of zeros.
	everyFile() bool
	// processes are those outside of this one that run for it.
	processes() []int
	close() error
}

// session is a loaded network with its input and output. It serves one
// goroutine at a time.
type session interface {
	frames(p pace) ([]float64, error) // ms, of each timed frame
	output() ([]float32, error)       // of the last frame, planar; the session's memory
	close() error
}

// pace is how one group of frames is timed: frames that do not count for as
// long as warm, at least one, then timed ones for as long as group, at least as
// many as least.
type pace struct {
	warm, group time.Duration
	least       int
}

// frames times run.
func (p pace) frames(run func() error) ([]float64, error) {
	for begin := time.Now(); ; {
		if err := run(); err != nil {
			return nil, err
		}
		if time.Since(begin) >= p.warm {
			break
		}
	}
	var ms []float64
	for begin := time.Now(); len(ms) < p.least || time.Since(begin) < p.group; {
		start := time.Now()
		if err := run(); err != nil {
			return nil, err
		}
		ms = append(ms, float64(time.Since(start))/1e6)
	}
	return ms, nil
}

// ours is the runtime under test.
type ours struct{ kernels *kernel.Set }

func (o ours) load(model []byte, src []float32, s size, threads int) (*program, error) {
	g, _, err := onnx.Read(bytes.NewReader(model))
	if err != nil {
		return nil, err
	}
	p, err := sparse.Compile(g, sparse.Options{Kernels: o.kernels.Name, Threads: threads})
	if err != nil {
		return nil, err
	}
	return &program{p: p, s: s, src: src, dst: make([]float32, len(src)*p.Scale()*p.Scale())}, nil
}

// program is a session of ours.
type program struct {
	p        *sparse.Program
	s        size
	src, dst []float32
}

func (p *program) run() error                       { return p.p.Upscale(p.dst, p.src, p.s.w, p.s.h) }
func (p *program) frames(c pace) ([]float64, error) { return c.frames(p.run) }
func (p *program) output() ([]float32, error)       { return p.dst, nil }

func (p *program) close() error {
	p.p.Close()
	return nil
}
