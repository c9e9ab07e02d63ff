package q8

import (
	"math"

	"evosr/internal/kernel"
)

// scalar is the meaning of every other Set, in plain loops.
var scalar = &Set{
	Name: "go", MaxWeight: anyWeight, Conv: convScalar, Pack: packScalar, Narrow: narrowScalar, peak: peakScalar,
}

// anyWeight is the largest weight by amount that there is.
const anyWeight = 128

// strip is how many pixels convScalar sums up at a time.
const strip = 64

func convScalar(o *Output, src *Bytes, l *Layer, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkConv(o, src, l, y0, y1, 1, anyWeight)
	var sums [4][strip]int32
	for i := range l.blocks {
		b := &l.blocks[i]
		for y := y0; y < y1; y++ {
			for x := 0; x < src.W; x += strip {
				n := min(strip, src.W-x)
				b.sum(&sums, src, src.Origin+y*src.Row+x, n)
				for j := range sums {
					for k, sum := range sums[j][:n] {
						o.put(b.quad, j, y, x+k, b.value(j, sum, l.slope))
					}
				}
			}
		}
	}
}

// sum adds the taps up for n pixels from a place on.
func (b *block) sum(sums *[4][strip]int32, src *Bytes, place, n int) {
	for j := range sums {
		for k := range n {
			sums[j][k] = b.start[j]
		}
	}
	for t, off := range b.off {
		in := src.Data[4*(place+int(off)):][:4*n]
		for j := range sums {
			w := b.w[16*t+4*j:][:4]
			w0, w1, w2, w3 := int32(w[0]), int32(w[1]), int32(w[2]), int32(w[3])
			for k := range sums[j][:n] {
				q := in[4*k:][:4]
				sums[j][k] += w0*int32(q[0]) + w1*int32(q[1]) + w2*int32(q[2]) + w3*int32(q[3])
			}
		}
	}
}

// value is what a sum stands for. The conversions keep compilers from multiplying
// and adding in one rounding.
func (b *block) value(j int, sum int32, slope bool) float32 {
	v := float32(float32(sum)*b.scale[j]) + b.bias[j]
	if slope && v < 0 {
		v = float32(v * b.slope[j])
	}
	return v
}

// put stores the value of channel j of quad q.
func (o *Output) put(q, j, y, x int, v float32) {
	switch {
	case o.Rows != nil:
		if c := 4*q + j; c < o.Rows.C {
			if o.Skip != nil {
				v += o.Skip.At(c, y)[x]
			}
			o.Rows.At(c, y)[x] = v
		}
	case o.Stream != nil:
		s := saturate(int(math.RoundToEven(float64(v))))
		if o.Residual != nil {
			s = saturate(int(s) + int(o.Residual.At(q, y)[4*x+j]))
		}
		o.Stream.At(q, y)[4*x+j] = s
		if o.Bytes != nil {
			o.Bytes.At(q, y)[4*x+j] = o.narrow(s)
		}
	default:
		o.Bytes.At(q, y)[4*x+j] = o.byte(int(math.RoundToEven(float64(v))))
	}
}

// byte is a byte without its zero point as it is stored.
func (o *Output) byte(v int) uint8 {
	return uint8(min(max(v+int(o.Zero), int(o.Low)), int(o.High)))
}

// narrow is the byte of a number of a stream.
func (o *Output) narrow(s int16) uint8 {
	return o.byte((int(s)*int(o.Factor) + 1<<14) >> 15)
}

func saturate(v int) int16 { return int16(min(max(v, math.MinInt16), math.MaxInt16)) }

func packScalar(o *Output, src *kernel.Tensor, scale float32, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkPack(o, src, scale, y0, y1)
	packColumns(o, src, scale, y0, y1, 0)
}

// packColumns packs what lies from column x0 on.
func packColumns(o *Output, src *kernel.Tensor, scale float32, y0, y1, x0 int) {
	for c := range 4 * quads(src.C) {
		for y := y0; y < y1; y++ {
			for x := x0; x < src.W; x++ {
				v := float32(0)
				if c < src.C {
					v = src.At(c, y)[x] * scale
				}
				if !(v > math.MinInt16) {
					v = math.MinInt16
				}
				o.put(c/4, c%4, y, x, min(v, math.MaxInt16))
			}
		}
	}
}

func narrowScalar(o *Output, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkNarrow(o, y0, y1)
	narrowColumns(o, y0, y1, 0)
}

// narrowColumns narrows what lies from column x0 on.
func narrowColumns(o *Output, y0, y1, x0 int) {
	for q := range quads(o.Stream.C) {
		for y := y0; y < y1; y++ {
			to := o.Bytes.At(q, y)[4*x0:]
			for x, s := range o.Stream.At(q, y)[4*x0:] {
				to[x] = o.narrow(s)
			}
		}
	}
}

// peakScalar runs four independent sums of four products a round, as compiled.
func peakScalar(rounds int) float64 {
	var a, b, c, d int32
	x, w := [4]uint8{1, 2, 3, 4}, [4]int8{5, 6, 7, 8}
	for i := range rounds {
		x[0] = uint8(i)
		for k := range x {
			v := int32(x[k])
			a, b, c, d = a+v*int32(w[0]), b+v*int32(w[1]), c+v*int32(w[2]), d+v*int32(w[3])
		}
	}
	if a|b|c|d == 1 { // never: a is 5 times a sum; but so the sums are used
		return 0
	}
	return float64(rounds) * 16
}
