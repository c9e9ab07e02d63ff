package main

import (
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) convertCmd() *cobra.Command {
	var o modelOptions
	var f form
	c := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Between ONNX files and program files",
		Long: "Reads a network, an ONNX file of any origin or a program file, and writes it as\n" +
			"OUT's name says: .onnx, or .evosr for a program. An ONNX file may also become\n" +
			"another one, of another operator set, size or form. docs/formats.md describes\n" +
			"both.",
		Example: "  evosr convert fsrcnn.onnx fsrcnn.evosr\n" +
			"  evosr convert winner.evosr winner.onnx --weights f16 --color rgb",
		Args: arguments("IN", "OUT"),
		RunE: func(c *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			ext := filepath.Ext(out)
			switch {
			case ext != ".onnx" && ext != ".evosr":
				return usagef("%s, want a name that ends in .onnx or .evosr", out)
			case ext == ".evosr" && f.askedONNX(c):
				return usagef("%v are of ONNX files", onnxOnly())
			case same(in, out):
				return usagef("OUT is IN: %s would be overwritten", in)
			case in == bicubic:
				return usagef("bicubic is no network: give an ONNX file or a program file")
			}
			if err := f.check(); err != nil {
				return err
			}
			p, err := openProgram(in, o)
			if err != nil {
				return err
			}
			defer p.Close()
			if ext == ".evosr" {
				if err := a.writeProgram(out, p, f.weights == "f16"); err != nil {
					return err
				}
				a.say("%s: a program, x%d, %s", out, p.Scale(), plural(len(p.Layers()), "layer"))
				return nil
			}
			if err := writeWhole(out, func(w io.Writer) error { return f.write(w, p.Graph(), p.Meta()) }); err != nil {
				return err
			}
			a.say("%s: %s", out, f.describe())
			return nil
		},
	}
	modelFlags(c, &o)
	formFlags(c, &f)
	return c
}
