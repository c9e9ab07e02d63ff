package kernel

// portable is the pure Go Set that processors without a Set of their own run:
// the reference, with its two costly loops unrolled. Every pixel's sum keeps
// its order.
var portable = func() *Set {
	s := *scalar
	s.Conv, s.WeightGrad = convPortable, weightGradPortable
	return &s
}()

// convPortable is convScalar with two output channels and four taps at a time:
// a quarter of the loads and of the stores.
func convPortable(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int) {
	if y0 >= y1 {
		return
	}
	checkConv(dst, src, blocks, e, y0, y1, 1)
	for i := range blocks {
		b := &blocks[i]
		if b.Groups != nil {
			convScalar(dst, src, blocks[i:i+1], e, y0, y1)
			continue
		}
		for y := y0; y < y1; y++ {
			j := 0
			for ; j+1 < b.B; j += 2 {
				out, next := b.begin(dst, e, j, y), b.begin(dst, e, j+1, y)
				done := b.addFours(out, next, src, j, y)
				b.addRest(out, src, j, y, done)
				b.addRest(next, src, j+1, y, done)
				finish(out, e, b.Out+j, y, 0)
				finish(next, e, b.Out+j+1, y, 0)
			}
			for ; j < b.B; j++ {
				out := b.begin(dst, e, j, y)
				b.addRest(out, src, j, y, 0)
				finish(out, e, b.Out+j, y, 0)
			}
		}
	}
}

// begin is a row of output channel Out+j with what its sums start from.
func (b *Block) begin(dst *Tensor, e *Epilogue, j, y int) []float32 {
	out, bias := dst.At(b.Out+j, y), b.Bias[j]
	if e.Residual == nil {
		for x := range out {
			out[x] = bias
		}
		return out
	}
	for x, r := range e.Residual.At(b.Out+j, y)[:len(out)] {
		out[x] = bias + r
	}
	return out
}

// addFours adds as many taps as four divides to the channels j and j+1; it
// returns their number.
func (b *Block) addFours(out, next []float32, src *Tensor, j, y int) (done int) {
	n, at := len(out), src.Origin+y*src.Row
	for ; done+4 <= len(b.Off); done += 4 {
		off := b.Off[done:][:4]
		s0, s1 := src.Data[at+int(off[0]):][:n], src.Data[at+int(off[1]):][:n]
		s2, s3 := src.Data[at+int(off[2]):][:n], src.Data[at+int(off[3]):][:n]
		w := b.W[done*b.B+j:]
		v0, v1, v2, v3 := w[0], w[b.B], w[2*b.B], w[3*b.B]
		w0, w1, w2, w3 := w[1], w[b.B+1], w[2*b.B+1], w[3*b.B+1]
		next := next[:n]
		for x, p := range out {
			q, s := next[x], s0[x]
			p += v0 * s
			q += w0 * s
			s = s1[x]
			p += v1 * s
			q += w1 * s
			s = s2[x]
			p += v2 * s
			q += w2 * s
			s = s3[x]
			p += v3 * s
			q += w3 * s
			out[x], next[x] = p, q
		}
	}
	return done
}

// addRest adds the taps from one on to channel j.
func (b *Block) addRest(out []float32, src *Tensor, j, y, from int) {
	at := src.Origin + y*src.Row
	for t := from; t < len(b.Off); t++ {
		w := b.W[t*b.B+j]
		for x, v := range src.Data[at+int(b.Off[t]):][:len(out)] {
			out[x] += w * v
		}
	}
}

// finish applies what follows the sum to pixels of a row of output channel c,
// from column x0 on.
func finish(out []float32, e *Epilogue, c, y, x0 int) {
	if e.ReLU {
		for x, v := range out {
			out[x] = max(v, 0)
		}
	}
	if e.Slope != nil {
		slope := e.Slope[c]
		for x, v := range out {
			if v < 0 {
				out[x] = slope * v
			}
		}
	}
	if e.Clip != nil {
		for x, v := range out {
			out[x] = min(max(v, e.Clip.Low), e.Clip.High)
		}
	}
	if e.Gate != nil {
		for x, g := range e.Gate.At(c, y)[x0:][:len(out)] {
			if !(g > 0) {
				out[x] = 0
			}
		}
	}
}

// weightGradPortable is weightGradScalar with four output channels at a time,
// whose sums do not wait for each other.
func weightGradPortable(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block) {
	checkGrad(grad, bias, dy, src, blocks, 1)
	for i := range blocks {
		b := &blocks[i]
		if b.B < 4 {
			weightGradScalar(grad[i:i+1], bias, dy, src, blocks[i:i+1])
			continue
		}
		for j := 0; j < b.B; j += 4 {
			c := b.Out + j
			for t, off := range b.Off {
				var sum [4]float32
				for y := range dy.H {
					s := src.Data[src.Origin+y*src.Row+int(off):][:dy.W]
					d0, d1, d2, d3 := dy.At(c, y)[:len(s)], dy.At(c+1, y)[:len(s)], dy.At(c+2, y)[:len(s)], dy.At(c+3, y)[:len(s)]
					sum0, sum1, sum2, sum3 := sum[0], sum[1], sum[2], sum[3]
					for x, v := range s {
						sum0 += d0[x] * v
						sum1 += d1[x] * v
						sum2 += d2[x] * v
						sum3 += d3[x] * v
					}
					sum = [4]float32{sum0, sum1, sum2, sum3}
				}
				for k, v := range sum {
					grad[i][t*b.B+j+k] += v
				}
			}
			for k := range 4 {
				var s float32
				for y := range dy.H {
					for _, d := range dy.At(c+k, y) {
						s += d
					}
				}
				bias[c+k] += s
			}
		}
	}
}
