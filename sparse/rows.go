package sparse

import (
	"math"

	"evosr/internal/kernel"
	"evosr/network"
)

// convolve runs a convolution from me.src to me.dst, me.add added where the
// layer has a second input. lead is how many rows of the first row of Winograd
// tiles lie above me.dst.
func (me *worker) convolve(set *kernel.Set, l *layer, s *step, lead int) {
	me.prepare(l)
	if s.winograd != nil {
		s.winograd.Conv(&me.dst, &me.src, &me.epilogue, 0, me.dst.H, lead, me.scratch)
		return
	}
	set.Conv(&me.dst, &me.src, s.blocks, &me.epilogue, 0, me.dst.H)
}

// convolveChain runs layer i from me.src and the next one to me.dst, me.add added
// where that has a second input.
func (me *worker) convolveChain(c *compiled, p *plan, i int) {
	me.prepare(&c.net.layers[i+1])
	me.chain = c.net.layers[i].fuse()
	c.set.Chain(&me.dst, &me.out[i], &me.src, p.layers[i].blocks, p.layers[i+1].blocks, &me.chain, &me.epilogue, 0, me.dst.H)
}

// prepare makes the epilogue of a convolution, which adds me.add where it has a
// second input.
func (me *worker) prepare(l *layer) {
	me.epilogue = l.fuse()
	if len(l.reads) > 1 {
		me.epilogue.Residual = &me.add
		if me.add.C < l.out { // one channel is added to all
			me.add.C, me.add.Plane = l.out, 0
		}
	}
}

// fuse is the epilogue of a layer's activation, where kernels have it.
func (l *layer) fuse() kernel.Epilogue {
	e := kernel.Epilogue{ReLU: l.act == network.ActReLU}
	switch l.act {
	case network.ActPReLU:
		e.Slope = l.slope
	case network.ActClip:
		e.Clip = &l.clip
	}
	return e
}

// fused says whether kernels apply the layer's activation as they store.
func (l *layer) fused() bool {
	return l.op == network.OpConv && (l.act == network.ActReLU || l.act == network.ActPReLU || l.act == network.ActClip)
}

// copyRows copies me.src into me.dst's channels from first on.
func (me *worker) copyRows(first int) {
	for c := range me.src.C {
		for y := range me.dst.H {
			copy(me.dst.At(first+c, y), me.src.At(c, y))
		}
	}
}

// combine computes every operation whose values need only the same place of
// each input, from me.src and me.add into me.dst.
func (me *worker) combine(set *kernel.Set, l *layer) {
	for c := range l.out {
		for y := range me.dst.H {
			dst, a := me.dst.At(c, y), me.src.At(min(c, me.src.C-1), y)
			if len(l.reads) == 1 {
				unary(dst, a, l, c)
				continue
			}
			b := me.add.At(min(c, me.add.C-1), y)
			switch l.op {
			case network.OpAdd:
				set.Gate(dst, a, b, nil)
			case network.OpSub:
				set.Sub(dst, a, b)
			case network.OpMul:
				set.Mul(dst, a, b)
			case network.OpMax:
				set.Max(dst, a, b)
			case network.OpMin:
				for x, v := range a {
					dst[x] = min(v, b[x])
				}
			case network.OpDiv:
				for x, v := range a {
					dst[x] = v / b[x]
				}
			default:
				pair := l.op.Pair()
				for x, v := range a {
					dst[x] = float32(pair(float64(v), float64(b[x])))
				}
			}
		}
	}
}

// unary is a row of Affine or of an activation alone, which copies.
func unary(dst, a []float32, l *layer, c int) {
	if l.op != network.OpAffine {
		copy(dst, a)
		return
	}
	gain, bias := float32(1), float32(0)
	if l.gain != nil {
		gain = l.gain[c]
	}
	if l.bias != nil {
		bias = l.bias[c]
	}
	for x, v := range a {
		dst[x] = v*gain + bias
	}
}

// activate applies the layer's activation to me.dst where the kernel did not, row
// by row while they are in the cache.
func (me *worker) activate(set *kernel.Set, l *layer) {
	if l.act == network.ActNone || l.fused() {
		return
	}
	for c := range me.dst.C {
		for y := range me.dst.H {
			me.activateRow(set, me.dst.At(c, y), l, c)
		}
	}
}

func (me *worker) activateRow(set *kernel.Set, row []float32, l *layer, c int) {
	switch l.act {
	case network.ActReLU:
		for x, v := range row {
			row[x] = max(v, 0)
		}
	case network.ActPReLU:
		s := l.slope[c]
		for x, v := range row {
			if v < 0 {
				row[x] = s * v
			}
		}
	case network.ActClip:
		for x, v := range row {
			row[x] = min(max(v, l.clip.Low), l.clip.High)
		}
	case network.ActSigmoid:
		set.Sigmoid(row, row)
	case network.ActTanh:
		set.Tanh(row, row)
	case network.ActSiLU:
		gates := me.gates[:len(row)]
		set.Sigmoid(gates, row)
		set.Mul(row, row, gates)
	case network.ActSquare:
		set.Mul(row, row, row)
	case network.ActAbs:
		for x, v := range row {
			row[x] = max(v, -v)
		}
	case network.ActSqrt:
		for x, v := range row {
			row[x] = float32(math.Sqrt(float64(v)))
		}
	case network.ActReciprocal:
		for x, v := range row {
			row[x] = 1 / v
		}
	case network.ActErf:
		for x, v := range row {
			row[x] = erf(v)
		}
	case network.ActExp:
		exponential(row)
	case network.ActGELU:
		for x, v := range row {
			row[x] = v * (1 + erf(v/math.Sqrt2)) / 2
		}
	default:
		var slope float64
		if l.slope != nil {
			slope = float64(l.slope[c])
		}
		for x, v := range row {
			row[x] = float32(l.act.Of(float64(v), slope))
		}
	}
}

// exponential makes e^x of every value, within 2e-7 of it: 2^n times a polynomial
// of what is left, between -ln2/2 and ln2/2 (Cephes' expf, netlib.org/cephes).
// Beyond -87 and 88 it stays what it is there.
func exponential(row []float32) {
	const shift = 3 << 22 // what is added to it loses its fraction, and its lowest bits are the whole number
	for i, x := range row {
		if x > 88 {
			x = 88
		} else if x < -87 {
			x = -87
		}
		t := float32(x*math.Log2E) + shift
		n := t - shift
		x = x - float32(n*0.693359375) + float32(n*2.12194440e-4)
		p := float32(1.9875691500e-4)
		p = float32(p*x) + 1.3981999507e-3
		p = float32(p*x) + 8.3334519073e-3
		p = float32(p*x) + 4.1665795894e-2
		p = float32(p*x) + 1.6666665459e-1
		p = float32(p*x) + 5.0000001201e-1
		p = float32(float32(p*x)*x) + x + 1
		row[i] = math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
	}
}

// erf is the error function within 5e-7: x times a quotient of polynomials of
// x*x, the fit that Eigen uses, less than half the time of math.Erf.
func erf(x float32) float32 {
	const end = 4 // where it is 1 to the last place
	x = min(max(x, -end), end)
	q := x * x
	over, under := float32(-2.72614225801306e-10), float32(-1.45660718464996e-05)
	for _, c := range [...]float32{2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02} {
		over = over*q + c
	}
	for _, c := range [...]float32{-2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02} {
		under = under*q + c
	}
	return x * over / under
}
