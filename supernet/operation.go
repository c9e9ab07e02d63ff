package supernet

import (
	"math"

	"evosr/internal/kernel"
	"evosr/network"
)

// operation is how training computes an operation that is no convolution. Its
// tensors may be smaller than the patch; what lies around them is zero and must
// stay so.
type operation struct {
	forward func(w *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor)

	// backward adds to dx what input k gets of the output's gradient dy.
	backward func(w *worker, l *layer, k int, dx, dy, out *kernel.Tensor, in []*kernel.Tensor)
}

// operationOf is the rule of a node, nil where training knows none.
func operationOf(n *network.Node) *operation {
	if n.Op == network.OpActivate && pointwise[n.Act] == nil {
		return nil
	}
	return operations[n.Op]
}

// operations is the one table of what training knows beside convolutions and
// activations.
var operations = map[network.Op]*operation{
	network.OpAdd: {
		forward: func(w *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) {
				copy(to, at(in[0], c, y))
				w.set.Axpy(to, 1, at(in[1], c, y))
			})
		},
		backward: func(w *worker, l *layer, k int, dx, dy, _ *kernel.Tensor, _ []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) { w.set.Axpy(at(dx, c, y), 1, d) })
		},
	},
	network.OpSub: {
		forward: func(w *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) {
				copy(to, at(in[0], c, y))
				w.set.Axpy(to, -1, at(in[1], c, y))
			})
		},
		backward: func(w *worker, l *layer, k int, dx, dy, _ *kernel.Tensor, _ []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) { w.set.Axpy(at(dx, c, y), float32(1-2*k), d) })
		},
	},
	network.OpMul: {
		forward: func(w *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) { w.set.Mul(to, at(in[0], c, y), at(in[1], c, y)) })
		},
		backward: func(w *worker, l *layer, k int, dx, dy, _ *kernel.Tensor, in []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) {
				part := w.scratchRow[:len(d)]
				w.set.Mul(part, d, at(in[1-k], c, y))
				w.set.Axpy(at(dx, c, y), 1, part)
			})
		},
	},
	network.OpConcat: {
		forward: func(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			first := 0
			for _, t := range in {
				rows(t, func(c, y int, from []float32) { copy(out.At(first+c, y), from) })
				first += t.C
			}
		},
		backward: func(w *worker, l *layer, k int, dx, dy, _ *kernel.Tensor, in []*kernel.Tensor) {
			first := 0
			for _, t := range in[:k] {
				first += t.C
			}
			rows(dx, func(c, y int, to []float32) { w.set.Axpy(to, 1, dy.At(first+c, y)) })
		},
	},
	network.OpSlice: {
		forward: func(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) { copy(to, in[0].At(l.of.From+c, y)) })
		},
		backward: func(w *worker, l *layer, _ int, dx, dy, _ *kernel.Tensor, _ []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) { w.set.Axpy(dx.At(l.of.From+c, y), 1, d) })
		},
	},
	network.OpAffine: {
		forward: func(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) {
				gain, bias := one(l.of.Gain, c, 1), one(l.of.Bias, c, 0)
				for x, v := range in[0].At(c, y) {
					to[x] = v*gain + bias
				}
			})
		},
		backward: func(w *worker, l *layer, _ int, dx, dy, _ *kernel.Tensor, _ []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) { w.set.Axpy(dx.At(c, y), one(l.of.Gain, c, 1), d) })
		},
	},
	network.OpActivate: {pointwiseForward, pointwiseBackward},
	network.OpMaxPool: {
		forward: func(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) {
				for x := range to {
					fy, fx := largest(l.of, in[0], c, y, x)
					to[x] = in[0].At(c, fy)[fx]
				}
			})
		},
		backward: func(_ *worker, l *layer, _ int, dx, dy, _ *kernel.Tensor, in []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) {
				for x, v := range d {
					fy, fx := largest(l.of, in[0], c, y, x)
					dx.At(c, fy)[fx] += v
				}
			})
		},
	},
	network.OpAvgPool: {
		forward: func(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			rows(out, func(c, y int, to []float32) {
				clear(to)
				averaged(l.of, in[0], y, len(to), func(j, i, x int, share float32) { to[x] += share * in[0].At(c, j)[i] })
			})
		},
		backward: func(_ *worker, l *layer, _ int, dx, dy, _ *kernel.Tensor, in []*kernel.Tensor) {
			rows(dy, func(c, y int, d []float32) {
				averaged(l.of, in[0], y, len(d), func(j, i, x int, share float32) { dx.At(c, j)[i] += share * d[x] })
			})
		},
	},
	network.OpResize: {
		forward: func(w *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
			resize(w, l, out, in[0], func(to, from []float32, x int, tx []network.Tap, weight float64) {
				for _, t := range tx {
					to[x] += float32(weight*t.Weight) * from[t.At]
				}
			}, true)
		},
		backward: func(w *worker, l *layer, k int, dx, dy, _ *kernel.Tensor, _ []*kernel.Tensor) {
			if k > 0 {
				return // only the size of that one counts
			}
			resize(w, l, dy, dx, func(d, to []float32, x int, tx []network.Tap, weight float64) {
				for _, t := range tx {
					to[t.At] += float32(weight*t.Weight) * d[x]
				}
			}, false)
		},
	},
}

// rows visits every row of a tensor.
func rows(t *kernel.Tensor, f func(c, y int, row []float32)) {
	for c := range t.C {
		for y := range t.H {
			f(c, y, t.At(c, y))
		}
	}
}

// at is row y of channel c, of the only channel where there is one.
func at(t *kernel.Tensor, c, y int) []float32 { return t.At(min(c, t.C-1), y) }

// one is value c of a list with one entry, one for each channel, or none.
func one(list []float32, c int, none float32) float32 {
	switch len(list) {
	case 0:
		return none
	case 1:
		return list[0]
	}
	return list[c]
}

// largest is where the value of a max pool at (y, x) comes from: the first of the
// largest.
func largest(n *network.Node, in *kernel.Tensor, c, y, x int) (fy, fx int) {
	stride, _ := n.Inside()
	best := math.Inf(-1)
	top, left := y*stride-n.Pad[0], x*stride-n.Pad[2]
	fy, fx = max(top, 0), max(left, 0)
	for j := max(top, 0); j < min(top+n.Kernel, in.H); j++ {
		row := in.At(c, j)
		for i := max(left, 0); i < min(left+n.Kernel, in.W); i++ {
			if v := float64(row[i]); v > best {
				best, fy, fx = v, j, i
			}
		}
	}
	return fy, fx
}

// averaged visits what row y of an average pool is made of, and what share each
// value has.
func averaged(n *network.Node, in *kernel.Tensor, y, w int, f func(j, i, x int, share float32)) {
	stride, _ := n.Inside()
	top := y*stride - n.Pad[0]
	from, to := max(top, 0), min(top+n.Kernel, in.H)
	for x := range w {
		left := x*stride - n.Pad[2]
		first, last := max(left, 0), min(left+n.Kernel, in.W)
		count := (to - from) * (last - first)
		if n.Counted {
			count = n.Kernel * n.Kernel
		}
		for j := from; j < to; j++ {
			for i := first; i < last; i++ {
				f(j, i, x, 1/float32(count))
			}
		}
	}
}

// resize visits what every value of a resized tensor is made of, row by row; fine
// is the larger one, coarse that which it is made of.
func resize(w *worker, l *layer, fine, coarse *kernel.Tensor, f func(to, from []float32, x int, tx []network.Tap, weight float64), fresh bool) {
	for c := range fine.C {
		for y := range fine.H {
			row := fine.At(c, y)
			if fresh {
				clear(row)
			}
			w.tapsY = l.of.AppendTaps(w.tapsY[:0], y, coarse.H, fine.H)
			for _, ty := range w.tapsY {
				from := coarse.At(c, ty.At)
				for x := range row {
					w.tapsX = l.of.AppendTaps(w.tapsX[:0], x, coarse.W, fine.W)
					f(row, from, x, w.tapsX, ty.Weight)
				}
			}
		}
	}
}

// pointwise is the derivatives of activations that stand alone, of the input x and
// the output y.
var pointwise = map[network.Act]func(x, y float64) float64{
	network.ActReLU: func(x, _ float64) float64 {
		if x > 0 {
			return 1
		}
		return 0
	},
	network.ActSigmoid: func(_, y float64) float64 { return y * (1 - y) },
	network.ActTanh:    func(_, y float64) float64 { return 1 - y*y },
	network.ActSiLU: func(x, y float64) float64 {
		s := 1 / (1 + math.Exp(-x))
		return s + y*(1-s)
	},
	network.ActGELU: func(x, _ float64) float64 {
		return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	},
}

func pointwiseForward(_ *worker, l *layer, out *kernel.Tensor, in []*kernel.Tensor) {
	rows(out, func(c, y int, to []float32) {
		for x, v := range in[0].At(c, y) {
			to[x] = float32(l.of.Act.Of(float64(v), 0))
		}
	})
}

func pointwiseBackward(_ *worker, l *layer, _ int, dx, dy, out *kernel.Tensor, in []*kernel.Tensor) {
	derivative := pointwise[l.of.Act]
	rows(dy, func(c, y int, d []float32) {
		to, from, result := dx.At(c, y), in[0].At(c, y), out.At(c, y)
		for x, v := range d {
			to[x] += v * float32(derivative(float64(from[x]), float64(result[x])))
		}
	})
}
