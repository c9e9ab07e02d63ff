package main

import (
	"bytes"
	"io"
	"math"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/sparse"
)

// weightsFlag says how a program file holds its weights.
func weightsFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "weights", "f32", "of a program file: f32, or f16 for half the bytes; the loss is printed")
}

// halfWanted reads the flag.
func halfWanted(weights string) (bool, error) {
	switch weights {
	case "f32":
		return false, nil
	case "f16":
		return true, nil
	}
	return false, usagef("--weights %q, want f32 or f16", weights)
}

// writeProgram writes p as a program file, with float16 weights if wanted; then
// it says what that costs.
func (a *app) writeProgram(out string, p *sparse.Program, half bool) error {
	if half {
		q, loss, err := p.Half()
		if err != nil {
			return dataf("%w", err)
		}
		defer q.Close()
		most, psnr, err := probeDifference(p, q)
		if err != nil {
			return dataf("%w", err)
		}
		a.say("float16 weights: off by at most %.2g, pictures of a procedural probe by at most %.2g of 255 (PSNR of the two %.1f dB)", loss, 255*most, psnr)
		p = q
	}
	return writeWhole(out, func(w io.Writer) error { return sparse.Encode(w, p) })
}

// probeDifference runs both programs on a procedural picture: the largest
// difference of a value, and the PSNR of one output against the other, dB.
func probeDifference(p, q *sparse.Program) (most, psnr float64, err error) {
	const size = 128
	probe := imaging.Procedural(1, 0, size)
	var src []float32
	for range p.Colors() {
		src = append(src, probe.Pix...)
	}
	var out [2][]float32
	for i, program := range []*sparse.Program{p, q} {
		out[i] = make([]float32, len(src)*p.Scale()*p.Scale())
		if err := program.Upscale(out[i], src, size, size); err != nil {
			return 0, 0, err
		}
	}
	var squares float64
	for i, v := range out[0] {
		d := math.Abs(float64(v) - float64(out[1][i]))
		most = max(most, d)
		squares += d * d
	}
	return most, -10 * math.Log10(squares/float64(len(out[0]))), nil
}

// exportHalf writes the program of a program file with float16 weights.
func (a *app) exportHalf(out string, text []byte) error {
	p, err := sparse.DecodeFor(bytes.NewReader(text), sparse.Options{Threads: 1})
	if err != nil {
		return integrityf("%w", err)
	}
	defer p.Close()
	return a.writeProgram(out, p, true)
}
