package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"evosr/onnx"
	"evosr/rundir"
	"evosr/sparse"
)

func (a *app) exportCmd() *cobra.Command {
	var id, format, out, module string
	var f form
	c := &cobra.Command{
		Use:   "export DIR --winner WINNER --format onnx|program|go -o PATH",
		Short: "Hand a winner over",
		Long: "Hands a winner of a run directory over, its checksum verified: as an ONNX file, as\n" +
			"a program for evosr's runtime, or as a Go package in a new folder. evosr status\n" +
			"DIR lists the winners.",
		Example: "  evosr export runs/quickstart --winner knee --format program -o net.evosr\n" +
			"  evosr export runs/quickstart --winner 2059e5 --color rgb --weights f16 -o net.onnx\n" +
			"  evosr export runs/quickstart --winner under:8ms --format go -o ./enlarge",
		Args: arguments("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			file, ok := map[string]string{"onnx": rundir.FileONNX, "program": rundir.FileProgram, "go": rundir.FileProgram}[format]
			if !ok {
				return usagef("--format %q, want onnx, program or go", format)
			}
			if err := f.check(); err != nil {
				return err
			}
			asked := f.asked(c)
			if f.askedONNX(c) && format != "onnx" {
				return usagef("%v are of --format onnx", onnxOnly())
			}
			half := f.weights == "f16"
			d, err := openRun(args[0])
			if err != nil {
				return err
			}
			defer d.Close()
			card, err := findWinner(d, id)
			if err != nil {
				return err
			}
			from, sum := d.File(card.ID, file), card.Files[file]
			what := format
			switch {
			case format == "go":
				what = "a Go package"
				err = a.exportGo(from, sum, out, module, card, half)
			case format == "program" && half:
				err = a.exportHalf(from, sum, out)
			case format == "onnx" && asked:
				what = f.describe()
				err = f.rewrite(from, sum, out)
			default:
				err = copyChecked(from, out, sum)
			}
			if err != nil {
				return err
			}
			a.say("%s: winner %s, %s, %.2f dB, %.3g ms", out, card.ID, what, card.Finetuned.PSNR, card.Latency.MedianMS)
			return nil
		},
	}
	c.Flags().StringVar(&id, "winner", "", "the winner: its name or the first digits, its letter in the report, knee, best, fastest, or under:8ms")
	c.Flags().StringVar(&format, "format", "onnx", "onnx, program for evosr's runtime, or go for a package")
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, a folder for go")
	c.Flags().StringVar(&module, "module", "../evosr", "where a Go package finds evosr's source")
	formFlags(c, &f)
	for _, name := range []string{"winner", "output"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return c
}

// rewrite reads a winner's ONNX file and writes it in another form.
func (f *form) rewrite(from, sum, out string) error {
	text, err := readChecked(from, sum)
	if err != nil {
		return err
	}
	if same(from, out) {
		return usagef("%s is the file to be exported: choose another name", out)
	}
	g, meta, err := onnx.Read(bytes.NewReader(text))
	if err != nil {
		return integrityf("%s: %w", from, err)
	}
	return writeWhole(out, func(w io.Writer) error { return f.write(w, g, meta) })
}

func (a *app) exportGo(from, sum, dir, module string, card *rundir.Card, half bool) error {
	text, err := readChecked(from, sum)
	if err != nil {
		return err
	}
	p, err := sparse.Decode(bytes.NewReader(text))
	if err != nil {
		return integrityf("%s: %w", from, err)
	}
	defer p.Close()
	if half {
		if p, err = a.halved(p); err != nil {
			return err
		}
		defer p.Close()
	}
	about := fmt.Sprintf("Winner %s of a run of evosr: %.2f dB PSNR on its validation pictures, bicubic\n// interpolation having %.2f dB.", card.ID, card.Finetuned.PSNR, card.Bicubic.PSNR)
	return writeGoPackage(dir, about, module, p)
}
