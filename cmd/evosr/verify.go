package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/network"
	"evosr/rundir"
	"evosr/sparse"
	"evosr/verify"
)

func (a *app) verifyCmd() *cobra.Command {
	var o modelOptions
	var runner string
	var tolerance float64
	frame := size{48, 32}
	c := &cobra.Command{
		Use:   "verify MODEL",
		Short: "A network here against independent implementations",
		Long: "Computes a procedural picture by evosr's runtime and by others, and prints the\n" +
			"largest difference; white is 1.\n\n" +
			"definition  slow loops in float64\n" +
			"onnx-go     its decoder and Gorgonia backend, in a process of limited memory, on\n" +
			"            the portable form; for networks of evosr's own layers only\n" +
			"runner      the command of --runner, in which {model}, {input}, {output} and\n" +
			"            {dims} stand for the ONNX file, a file of float32 values to read, one\n" +
			"            to write, and the input's shape such as 1,1,32,48\n\n" +
			"Exit code 6 when one disagrees.",
		Example: "  evosr verify winner.onnx\n" +
			"  evosr verify net.onnx --runner 'node onnx/nodecheck/run.mjs {model} {input} {output} {dims}'",
		Args: arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == bicubic {
				return usagef("bicubic is no network: give an ONNX file or a program file")
			}
			if !(tolerance > 0) {
				return usagef("--tolerance %v, want more than 0", tolerance)
			}
			if frame.w*frame.h > 1<<18 {
				return usagef("--size %v, want at most %d pixels: the others are slow", &frame, 1<<18)
			}
			p, g, file, err := compared(args[0], o)
			if err != nil {
				return err
			}
			defer p.Close()
			self, err := os.Executable()
			if err != nil {
				return err
			}
			v, err := verify.New(p, g, verify.Options{
				Model: args[0], Width: frame.w, Height: frame.h, Tolerance: tolerance, Child: []string{self, childCommand}, Runner: runner, File: file, White: float32(o.white),
			})
			if err != nil {
				return dataf("model %s: %w", args[0], err)
			}
			r, err := v.Run(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printVerify(r)
			}
			if err == nil && !r.Agrees {
				return integrityf("%s: %s", args[0], r.Quarrel())
			}
			return err
		},
	}
	c.Flags().Var(&frame, "size", "input picture, pixels")
	c.Flags().StringVar(&runner, "runner", "", "command of another runtime")
	c.Flags().Float64Var(&tolerance, "tolerance", 1e-4, "largest difference that counts as agreement")
	modelFlags(c, &o)
	return a.jsonFlag(c)
}

// compared is a model's program and its network; file is the ONNX file that it
// comes from, "" where it comes from none.
func compared(name string, o modelOptions) (p *sparse.Program, g *network.Graph, file string, err error) {
	if text, err := readModel(name, rundir.FileProgram); err == nil && !isProgram(text) {
		n, err := importONNX(name, text, o)
		if err != nil {
			return nil, nil, "", err
		}
		p, err := n.compile(o.threads)
		return p, n.graph, name, err
	}
	if p, err = openProgram(name, o); err != nil {
		return nil, nil, "", err
	}
	return p, p.Graph(), "", nil
}

// childCommand is what the process that runs onnx-go is asked to do.
const childCommand = "onnx-go-child"

func (a *app) childCmd() *cobra.Command {
	return &cobra.Command{
		Use: childCommand, Hidden: true, Args: cobra.NoArgs,
		Short: "Run one picture through onnx-go; verify's other half",
		RunE: func(*cobra.Command, []string) error {
			err := verify.Child(a.in, a.out)
			if errors.Is(err, verify.ErrRequest) {
				return usagef("%s is a part of verify", childCommand)
			}
			return err
		},
	}
}

func (a *app) printVerify(r *verify.Result) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	for _, o := range r.Opinions {
		switch {
		case o.Difference < 0 && o.Agrees:
			fmt.Fprintf(w, "%s\t-\t%s\n", o.Name, o.Note)
		case o.Difference < 0:
			fmt.Fprintf(w, "%s\tfails\t%s\n", o.Name, o.Note)
		case o.Agrees:
			fmt.Fprintf(w, "%s\tagrees\tlargest difference %.2g\n", o.Name, o.Difference)
		default:
			fmt.Fprintf(w, "%s\tdisagrees\tlargest difference %.2g\n", o.Name, o.Difference)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s on %s kernels, %dx%d to %dx%d, white is 1, tolerance %g\n", filepath.Base(r.Model), r.Kernels,
		r.Width, r.Height, r.Width*r.Scale, r.Height*r.Scale, r.Tolerance)
	return err
}
