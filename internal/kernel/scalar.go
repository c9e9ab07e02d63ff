package kernel

import "math"

// scalar is the reference: plain loops, the meaning of every other Set.
var scalar = &Set{
	Name: "go", Conv: convScalar, WeightGrad: weightGradScalar, Axpy: axpyScalar, Blend: blendScalar,
	SumSquares: sumSquaresScalar, Gate: gateScalar, PReLUGrad: preluGradScalar, Adam: adamScalar, AbsGrad: absGradScalar,
	Tanh: tanhScalar, Sigmoid: sigmoidScalar, Mul: mulScalar, Sub: subScalar, Max: maxScalar, Shuffle: shuffleScalar, Stream: shuffleScalar, Unshuffle: unshuffleScalar, peak: peakScalar,
	Winograd: (*Winograd).Conv, WinogradGrad: winogradGradScalar, winograd: winogradGo,
}

func convScalar(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int) {
	for i := range blocks {
		b := &blocks[i]
		for j := range b.B {
			c := b.Out + j
			for y := y0; y < y1; y++ {
				out := dst.At(c, y)
				for x := range out {
					if e.Residual != nil { // it may be dst
						out[x] = b.Bias[j] + e.Residual.At(c, y)[x]
					} else {
						out[x] = b.Bias[j]
					}
				}
				b.each(j, func(t int, w float32) {
					in := src.Data[src.Origin+y*src.Row+int(b.Off[t]):][:len(out)]
					for x, v := range in {
						out[x] += w * v
					}
				})
				if e.ReLU {
					for x, v := range out {
						out[x] = max(v, 0)
					}
				}
				for x, v := range out {
					if e.Slope != nil && v < 0 {
						out[x] = e.Slope[c] * v
					}
				}
				if e.Clip != nil {
					for x, v := range out {
						out[x] = min(max(v, e.Clip.Low), e.Clip.High)
					}
				}
				if e.Gate != nil {
					for x, g := range e.Gate.At(c, y) {
						if !(g > 0) {
							out[x] = 0
						}
					}
				}
			}
		}
	}
}

func weightGradScalar(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block) {
	for i := range blocks {
		b := &blocks[i]
		for j := range b.B {
			var s float32
			for y := range dy.H {
				for _, d := range dy.At(b.Out+j, y) {
					s += d
				}
			}
			bias[b.Out+j] += s
			for t, off := range b.Off {
				var s float32
				for y := range dy.H {
					d := dy.At(b.Out+j, y)
					for x, v := range src.Data[src.Origin+y*src.Row+int(off):][:len(d)] {
						s += d[x] * v
					}
				}
				grad[i][t*b.B+j] += s
			}
		}
	}
}

func axpyScalar(dst []float32, a float32, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += a * v
	}
}

func blendScalar(dst []float32, a float32, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += a * (v - dst[i])
	}
}

func sumSquaresScalar(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v * v)
	}
	return sum
}

func gateScalar(dst, a, b, gate []float32) {
	for i := range dst {
		v := a[i]
		if b != nil {
			v += b[i]
		}
		if gate != nil && !(gate[i] > 0) {
			v = 0
		}
		dst[i] = v
	}
}

func preluGradScalar(dst, out []float32, slope float32) (sum float64) {
	for i, v := range out[:len(dst)] {
		sum += float64(dst[i] * min(v, 0))
		if !(v > 0) {
			dst[i] *= slope
		}
	}
	return sum
}

func adamScalar(w, m, v, g []float32, rate, b1, b2, eps float32) {
	for i, d := range g[:len(w)] {
		m[i] = b1*m[i] + (1-b1)*d
		v[i] = b2*v[i] + (1-b2)*d*d
		w[i] -= rate * m[i] / (float32(math.Sqrt(float64(v[i]))) + eps)
	}
}

func absGradScalar(dst, a, b []float32, s float32) float64 {
	var loss float64
	for i := range dst {
		d := a[i] - b[i]
		switch {
		case d > 0:
			dst[i] = s
		case d < 0:
			dst[i] = -s
		case d == 0:
			dst[i] = 0
		default:
			dst[i] = d // NaN stays visible
		}
		loss += math.Abs(float64(d))
	}
	return loss * float64(s)
}

func tanhScalar(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}

func sigmoidScalar(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

func mulScalar(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = v * b[i]
	}
}

func subScalar(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = v - b[i]
	}
}

func maxScalar(dst, a, b []float32) {
	for i, v := range a[:len(dst)] {
		dst[i] = max(v, b[i])
	}
}

func shuffleScalar(dst []float32, src [4][]float32, n int) {
	for i := range n {
		for x, v := range src[i] {
			dst[x*n+i] = v
		}
	}
}

func unshuffleScalar(dst [4][]float32, src []float32, n int) {
	for i := range n {
		for x := range dst[i] {
			dst[i][x] = src[x*n+i]
		}
	}
}
