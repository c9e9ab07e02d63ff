package main

import (
	"bytes"
	"io"

	"evosr/sparse"
	"evosr/verify"
)

// halved is p with float16 weights; it says what they cost.
func (a *app) halved(p *sparse.Program) (*sparse.Program, error) {
	q, loss, err := p.Half()
	if err != nil {
		return nil, dataf("%w", err)
	}
	most, psnr, err := verify.Difference(p, q)
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
