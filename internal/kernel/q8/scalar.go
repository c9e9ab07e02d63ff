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
	var values [strip]float32
	for i := range l.blocks {
		b := &l.blocks[i]
		for y := y0; y < y1; y++ {
			for x := 0; x < src.W; x += strip {
				n := min(strip, src.W-x)
				b.sum(&sums, src, src.Origin+y*src.Row+x, n)
				for j := range sums {
					for k, sum := range sums[j][:n] {
						values[k] = l.value(b, j, sum)
					}
					o.put(b.quad, j, y, x, values[:n])
				}
			}
		}
	}
}

// sum adds the taps up for n pixels from a place on, two channels at a time.
func (b *block) sum(sums *[4][strip]int32, src *Bytes, place, n int) {
	for j := range sums {
		for k := range n {
			sums[j][k] = b.start[j]
		}
	}
	for t, off := range b.off {
		in := src.Data[4*(place+int(off)):][:4*n]
		for j := 0; j < 4; j += 2 {
			w := b.w[16*t+4*j:][:8]
			w0, w1, w2, w3 := int32(w[0]), int32(w[1]), int32(w[2]), int32(w[3])
			v0, v1, v2, v3 := int32(w[4]), int32(w[5]), int32(w[6]), int32(w[7])
			even, odd := sums[j][:n], sums[j+1][:n]
			for k := range even {
				q := in[4*k:][:4]
				a, b, c, d := int32(q[0]), int32(q[1]), int32(q[2]), int32(q[3])
				even[k] += w0*a + w1*b + w2*c + w3*d
				odd[k] += v0*a + v1*b + v2*c + v3*d
			}
		}
	}
}

// value is what a sum of block b's channel j stands for. The conversions keep
// compilers from multiplying and adding in one rounding.
func (l *Layer) value(b *block, j int, sum int32) float32 {
	v := float32(float32(sum) * b.scale[j])
	if l.bias {
		v += b.bias[j]
	}
	if l.slope && v < 0 {
		v = float32(v * b.slope[j])
	}
	return v
}

// put stores the values of channel j of quad q from (y, x) on.
func (o *Output) put(q, j, y, x int, values []float32) {
	at := func(k int) int { return 4*(x+k) + j }
	switch {
	case o.Rows != nil:
		c := 4*q + j
		if c >= o.Rows.C {
			return
		}
		out := o.Rows.At(c, y)[x:]
		for k, v := range values {
			if o.Skip != nil {
				v += o.Skip.At(c, y)[x+k]
			}
			out[k] = v
		}
	case o.Stream != nil:
		out := o.Stream.At(q, y)
		for k, v := range values {
			s := saturate(round(v))
			if o.Residual != nil {
				s = saturate(int(s) + int(o.Residual.At(q, y)[at(k)]))
			}
			out[at(k)] = s
			if o.Bytes != nil {
				o.Bytes.At(q, y)[at(k)] = o.narrow(s)
			}
		}
	default:
		out := o.Bytes.At(q, y)
		for k, v := range values {
			out[at(k)] = o.byte(round(v))
		}
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

func round(v float32) int { return int(math.RoundToEven(float64(v))) }

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
	var values [strip]float32
	for c := range 4 * quads(src.C) {
		for y := y0; y < y1; y++ {
			for x := x0; x < src.W; x += strip {
				n := min(strip, src.W-x)
				for k := range n {
					v := float32(0)
					if c < src.C {
						v = src.At(c, y)[x+k] * scale
					}
					if !(v > math.MinInt16) {
						v = math.MinInt16
					}
					values[k] = min(v, math.MaxInt16)
				}
				o.put(c/4, c%4, y, x, values[:n])
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
