//go:build !slim

// Package opinion computes ONNX files by an implementation that shares nothing
// with evosr's: onnx-go's decoder and its backend over Gorgonia.
//
// Both trust what they read: a crafted file makes them ask for any memory or
// panic, and operators that they half know come out silently wrong. So Run
// belongs into a process of its own, under Limit, on files of the portable form
// that package onnx wrote.
package opinion

import (
	"fmt"

	onnxgo "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"gorgonia.org/tensor"
)

// Included tells whether this build has the second implementation (-tags slim
// leaves it out).
const Included = true

// Run computes a file for one input of shape (1, colors, height, width) and gives
// its first output.
func Run(model []byte, input []float32, colors, height, width int) ([]float32, error) {
	if colors < 1 || height < 1 || width < 1 || len(input) != colors*height*width {
		return nil, fmt.Errorf("opinion: input: %d values, want %d x %d x %d", len(input), colors, height, width)
	}
	backend := gorgonnx.NewGraph()
	m := onnxgo.NewModel(backend)
	if err := m.UnmarshalBinary(model); err != nil {
		return nil, fmt.Errorf("opinion: onnx-go: %w", err)
	}
	t := tensor.New(tensor.WithShape(1, colors, height, width), tensor.WithBacking(input))
	if err := m.SetInput(0, t); err != nil {
		return nil, fmt.Errorf("opinion: onnx-go: %w", err)
	}
	if err := backend.Run(); err != nil {
		return nil, fmt.Errorf("opinion: gorgonia: %w", err)
	}
	out, err := m.GetOutputTensors()
	if err != nil {
		return nil, fmt.Errorf("opinion: onnx-go: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("opinion: onnx-go: no output")
	}
	values, is := out[0].Data().([]float32)
	if !is {
		return nil, fmt.Errorf("opinion: onnx-go: output of %v, want float32", out[0].Dtype())
	}
	return values, nil
}
