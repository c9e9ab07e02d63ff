package main

import (
	"bytes"

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
}

// session is a loaded network with its input and output. It serves one
// goroutine at a time.
type session interface {
	run() error        // one frame
	output() []float32 // of the last frame, planar; the session's memory
	close() error
}

// ours is the runtime under test.
type ours struct{ kernels *kernel.Set }

func (o ours) load(model []byte, src []float32, s size, threads int) (*program, error) {
	net, _, err := onnx.Read(bytes.NewReader(model))
	if err != nil {
		return nil, err
	}
	p, err := sparse.Compile(net, sparse.Options{Kernels: o.kernels, Threads: threads})
	if err != nil {
		return nil, err
	}
	return &program{p: p, s: s, src: src, dst: make([]float32, len(src)*net.Scale*net.Scale)}, nil
}

// program is a session of ours.
type program struct {
	p        *sparse.Program
	s        size
	src, dst []float32
}

func (p *program) run() error        { return p.p.Upscale(p.dst, p.src, p.s.w, p.s.h) }
func (p *program) output() []float32 { return p.dst }

func (p *program) close() error {
	p.p.Close()
	return nil
}

// macs counts multiplications per input pixel: those of kept weights in layers
// that run, and those of all weights of the file.
func (p *program) macs() (kept, dense int) {
	kept, _ = p.p.Subnet().MACs()
	_, dense = p.p.MACs()
	return kept, dense
}
