package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"evosr/network"
	"evosr/onnx"
)

// form is how an ONNX file is to be written.
type form struct {
	opset    int
	frame    size
	portable bool
	weights  string
	color    string
}

// formFlags adds the flags of written ONNX files.
func formFlags(c *cobra.Command, f *form) {
	numberFlag(c, &f.opset, "opset", onnx.MinOpset, onnx.MaxOpset, onnx.DefaultOpset, "ONNX operator set")
	c.Flags().Var(&f.frame, "fixed-size", "fix the ONNX input's size, pixels (default any size)")
	c.Flags().Lookup("fixed-size").DefValue = ""
	c.Flags().BoolVar(&f.portable, "portable", false, "ONNX operators that old importers know; needs --fixed-size")
	c.Flags().StringVar(&f.weights, "weights", "f32", "f32, or f16: half the file, computed in float32; a program's loss is printed")
	c.Flags().StringVar(&f.color, "color", "", "rgb: wrap a luma network so that the ONNX file takes and gives RGB")
}

// formNames are the flags of a form.
func formNames() []string { return []string{"opset", "fixed-size", "portable", "weights", "color"} }

// asked says whether a command line asks for a form of its own.
func (f *form) asked(c *cobra.Command) bool {
	for _, name := range formNames() {
		if c.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// onnxOnly lists the flags of a form that other files than ONNX have not.
func onnxOnly() []string {
	return slices.DeleteFunc(formNames(), func(name string) bool { return name == "weights" })
}

// askedONNX says whether a command line asks for a form that only ONNX files have.
func (f *form) askedONNX(c *cobra.Command) bool {
	return slices.ContainsFunc(onnxOnly(), c.Flags().Changed)
}

func (f *form) check() error {
	switch {
	case f.weights != "f32" && f.weights != "f16":
		return usagef("--weights %q, want f32 or f16", f.weights)
	case f.color != "" && f.color != "rgb":
		return usagef("--color %q, want rgb, or none for what the network works on", f.color)
	case f.portable && f.frame.w == 0:
		return usagef("--portable needs --fixed-size, such as --fixed-size 320x180")
	}
	return nil
}

// write writes a network as an ONNX file.
func (f *form) write(w io.Writer, g *network.Graph, meta map[string]string) error {
	o := onnx.ExportOptions{
		Opset: f.opset, Width: f.frame.w, Height: f.frame.h, Portable: f.portable, Float16: f.weights == "f16", RGB: f.color == "rgb",
		Meta: maps.Clone(meta),
	}
	err := onnx.Export(w, g, o)
	if _, ok := errors.AsType[*onnx.ExportError](err); ok {
		return usagef("%w", err) // what was asked for does not fit the network
	}
	return err
}

// describe is what a user reads of a written file.
func (f *form) describe() string {
	text := fmt.Sprintf("ONNX, opset %d, %s", f.opset, f.weights)
	if f.portable {
		text += ", portable"
	}
	if f.frame.w > 0 {
		text += ", " + f.frame.String()
	}
	if f.color != "" {
		text += ", " + f.color
	}
	return text
}
