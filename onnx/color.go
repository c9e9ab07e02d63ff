package onnx

import (
	"evosr/imaging"
)

// The colour path of a luma network: the same that evosr upscale does with a
// picture, as operators, so that a file takes and gives RGB.
//
//	lr -> luma 1x1 ------------------> network ----------------> +--> mix 1x1 -> Clip -> sr
//	lr -> chroma 1x1 -> edge -> bicubic 5x5 -> pixel shuffle --> +
//
// Values in between are not rounded to codes. Bicubic interpolation sees the
// edge pixel repeated where imaging mirrors the picture: two rows of the input
// at the border differ by little.

// reachChroma is how far the filters of bicubic enlargement reach, pixels.
const reachChroma = 2

// lumaIn makes the value that the network reads.
func (b *builder) lumaIn() {
	weights, bias := fromRGB()
	b.pointwise("luma", inputName, b.picture, weights[:1], bias[:1])
}

// rgbOut joins the enlarged luma with the picture's colours.
func (b *builder) rgbOut(luma string) {
	weights, bias := fromRGB()
	chroma := fresh(b.valueNames, "chroma")
	b.pointwise("chroma", inputName, chroma, weights[1:], bias[1:])
	wide := fresh(b.valueNames, "chroma/edge")
	b.repeatEdge("chroma/edge", chroma, wide, 2, reachChroma)
	fine, big := fresh(b.valueNames, "chroma/bicubic"), fresh(b.valueNames, "chroma/up")
	b.bicubic(wide, fine)
	b.shuffle(fresh(b.nodeNames, "chroma/shuffle"), fine, big, 2, b.g.Scale, "CRD")

	mix, offset := toRGB()
	if !b.portable {
		joined, rgb := fresh(b.valueNames, "ycc"), fresh(b.valueNames, "rgb")
		b.add("ycc", "Concat", []string{luma, big}, joined, intAttr("axis", 1))
		b.pointwise("rgb", joined, rgb, mix, offset)
		low, high := b.constant(scalarTensor("rgb/low", 0)), b.constant(scalarTensor("rgb/high", 1))
		b.add("rgb/clip", "Clip", []string{rgb, low, high}, outputName)
		return
	}
	// Without Concat and Clip, which old importers read in other ways: a sum of
	// two products, and Relu(x) - Relu(x-1).
	var fromLuma, fromChroma [][]float32
	for range 2 {
		for _, row := range mix {
			fromLuma, fromChroma = append(fromLuma, row[:1]), append(fromChroma, row[1:])
		}
	}
	offsets := make([]float32, 6)
	clip := make([][]float32, 3)
	for c := range 3 {
		offsets[c], offsets[3+c] = offset[c], offset[c]-1
		clip[c] = make([]float32, 6)
		clip[c][c], clip[c][3+c] = 1, -1
	}
	names := make([]string, 4)
	for i, s := range []string{"rgb/luma", "rgb/chroma", "rgb/sum", "rgb/relu"} {
		names[i] = fresh(b.valueNames, s)
	}
	b.pointwise("rgb/luma", luma, names[0], fromLuma, offsets)
	b.pointwise("rgb/chroma", big, names[1], fromChroma, make([]float32, 6))
	b.add("rgb/sum", "Add", names[:2], names[2])
	b.add("rgb/relu", "Relu", names[2:3], names[3])
	b.pointwise("rgb/clip", names[3], outputName, clip, make([]float32, 3))
}

// pointwise appends a 1x1 convolution with rows of weights.
func (b *builder) pointwise(name, src, dst string, rows [][]float32, bias []float32) {
	var flat []float32
	for _, r := range rows {
		flat = append(flat, r...)
	}
	b.add(name, "Conv", []string{
		src,
		b.constant(floatTensor(name+"/weight", flat, int64(len(rows)), int64(len(rows[0])), 1, 1)),
		b.constant(floatTensor(name+"/bias", bias, int64(len(rows)))),
	}, dst, convAttrs(1, 1, 1, [4]int{})...)
}

// bicubic appends the convolution that gives every chroma pixel its scale²
// enlarged ones, one group for each plane; portable importers know no groups
// and get zeros between the planes.
func (b *builder) bicubic(src, dst string) {
	s2 := b.g.Scale * b.g.Scale
	filters := bicubicFilters(b.g.Scale)
	const taps = 25
	in, groups := 1, 2
	if b.portable {
		in, groups = 2, 1
	}
	w := make([]float32, 2*s2*in*taps)
	for o := range 2 * s2 {
		plane := o / s2 * (in - 1)
		copy(w[(o*in+plane)*taps:], filters[o%s2][:])
	}
	b.add("chroma/bicubic", "Conv", []string{
		src,
		b.constant(floatTensor("chroma/bicubic/weight", w, int64(2*s2), int64(in), 5, 5)),
		b.constant(floatTensor("chroma/bicubic/bias", make([]float32, 2*s2), int64(2*s2))),
	}, dst, convAttrs(5, 1, groups, [4]int{})...)
}

// fromRGB gives the rows Y, Cb and Cr over R, G and B, and their offsets, all
// in units of 255 codes.
func fromRGB() (rows [][]float32, offset []float32) { return linear(imaging.FromRGB) }

// toRGB is the inverse of fromRGB.
func toRGB() (rows [][]float32, offset []float32) { return linear(imaging.ToRGB) }

// linear reads the matrix off a conversion of colours.
func linear(f func(a, b, c float64) (x, y, z float64)) (rows [][]float32, offset []float32) {
	zero := [3]float64{}
	zero[0], zero[1], zero[2] = f(0, 0, 0)
	rows = [][]float32{make([]float32, 3), make([]float32, 3), make([]float32, 3)}
	for i := range 3 {
		var one, got [3]float64
		one[i] = 1
		got[0], got[1], got[2] = f(one[0], one[1], one[2])
		for r := range 3 {
			rows[r][i] = float32(got[r] - zero[r])
		}
		offset = append(offset, float32(zero[i]))
	}
	return rows, offset
}

// bicubicFilters reads the 5x5 filters of the scale² pixels that one pixel
// becomes off the enlargement of a picture with a single bright pixel.
func bicubicFilters(scale int) [][25]float32 {
	const side, middle = 9, 4
	p := imaging.NewPlane(side, side)
	p.Pix[middle*side+middle] = 1
	big := imaging.Upscale(p, scale)
	filters := make([][25]float32, scale*scale)
	for i := range filters {
		for t := range filters[i] {
			// The bright pixel lies t/5-2 rows and t%5-2 columns beside the one
			// that is enlarged.
			y, x := middle-(t/5-2), middle-(t%5-2)
			filters[i][t] = big.Pix[(y*scale+i/scale)*big.W+x*scale+i%scale]
		}
	}
	return filters
}
