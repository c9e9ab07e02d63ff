package upscale

import "evosr/sparse"

// stripPixels is the size from which a picture is enlarged in strips, input
// pixels: the activations of one run then stay below a gigabyte.
const stripPixels = 2 << 20

// strips runs a program on strips of whole rows that overlap by what a
// pixel of the output can see, so that the result is the same as in one run. A
// program that looks everywhere runs once.
func strips(p *sparse.Program, dst, src []float32, w, h, most int) error {
	halo := p.Reach()
	rows := max(most/w, 4*halo, 1) // of a run, the overlap included
	if halo < 0 || h <= rows {
		return p.Upscale(dst, src, w, h)
	}
	s, colors := p.Scale(), p.Colors()
	row := w * s * s // values of dst for one row of src
	in, out := make([]float32, colors*rows*w), make([]float32, colors*rows*row)
	for y := 0; y < h; {
		y0 := min(max(0, y-halo), h-rows) // every run has the same size: one plan
		for c := range colors {
			copy(in[c*rows*w:(c+1)*rows*w], src[(c*h+y0)*w:])
		}
		if err := p.Upscale(out, in, w, rows); err != nil {
			return err
		}
		end := y0 + rows - halo
		if y0+rows == h {
			end = h
		}
		for c := range colors {
			copy(dst[(c*h+y)*row:(c*h+end)*row], out[(c*rows+y-y0)*row:])
		}
		y = end
	}
	return nil
}
