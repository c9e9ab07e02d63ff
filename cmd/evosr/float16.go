package main

import (
	"bytes"
	"io"
	"math"

	"evosr/imaging"
	"evosr/sparse"
)

// halved is p with float16 weights; it says what they cost.
func (a *app) halved(p *sparse.Program) (*sparse.Program, error) {
	q, loss, err := p.Half()
	if err != nil {
		return nil, dataf("%w", err)
	}
	most, psnr, err := probeDifference(p, q)
	if err != nil {
		q.Close()
		return nil, dataf("%w", err)
	}
	a.say("float16 weights: off by at most %.2g, pictures of a procedural probe by at most %.2g of 255 (PSNR of the two %.1f dB)", loss, 255*most, psnr)
	return q, nil
}

// writeProgram writes p as a program file, with float16 weights if wanted.
func (a *app) writeProgram(out string, p *sparse.Program, half bool) error {
	if half {
		q, err := a.halved(p)
		if err != nil {
			return err
		}
		defer q.Close()
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

// exportHalf writes a program file that has a checksum again, with float16
// weights.
func (a *app) exportHalf(from, sum, out string) error {
	text, err := readChecked(from, sum)
	if err != nil {
		return err
	}
	if same(from, out) {
		return usagef("%s is the file to be exported: choose another name", out)
	}
	p, err := sparse.DecodeFor(bytes.NewReader(text), sparse.Options{Threads: 1})
	if err != nil {
		return integrityf("%s: %w", from, err)
	}
	defer p.Close()
	return a.writeProgram(out, p, true)
}
