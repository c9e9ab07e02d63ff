package supernet

import (
	"evosr/internal/kernel"
	"evosr/network"
)

// activation is how training computes one of space's Acts: what the stores of a
// convolution do, and what is done to its output afterwards. nil: nothing.
type activation struct {
	known bool // convolutions take it in
	keeps bool // a tensor as large as the output, for the way back
	gated bool // the gradient ends where the output is not above 0, which the stores that write it do

	fuse     func(e *kernel.Epilogue, l *layer)
	forward  func(w *worker, n *net, layer int)
	backward func(w *worker, n *net, layer int, dy *kernel.Tensor, partial []float32) // dy of the output becomes that of the sum
}

// activationOf is the one table of what training knows of activations that a
// convolution takes in, nil for others.
func activationOf(a network.Act) *activation {
	if int(a) < len(activations) && activations[a].known {
		return &activations[a]
	}
	return nil
}

var activations = [...]activation{
	network.ActNone:  {known: true},
	network.ActReLU:  {known: true, gated: true, fuse: func(e *kernel.Epilogue, _ *layer) { e.ReLU = true }},
	network.ActPReLU: {known: true, fuse: func(e *kernel.Epilogue, l *layer) { e.Slope = l.slope }, backward: preluBackward},
	network.ActSiLU:  {known: true, keeps: true, forward: siluForward, backward: siluBackward},
}

// leastSlope is what slopes are held to after every step: above 0, the output's
// sign is the input's, and PReLU's way back needs nothing but the output.
const leastSlope = 1e-3

// slopePace is the learning rate of slopes / that of the training. A network of four
// plain blocks had the same picture after 1,500 steps with 0.2, 1 and 5.
const slopePace = 1

// plane is all of channel c's rows, what lies between them included: zeros, in an
// output as in its gradient.
func plane(t *kernel.Tensor, c int) []float32 {
	return t.Data[t.Origin+c*t.Plane:][:(t.H-1)*t.Row+t.W]
}

func preluBackward(w *worker, n *net, layer int, dy *kernel.Tensor, partial []float32) {
	out, grads := &w.acts[layer], n.slopesOf(layer, partial)
	for c, slope := range n.layers[layer].slope {
		grads[c] += float32(w.set.PReLUGrad(plane(dy, c), plane(out, c), slope) / float64(slope))
	}
}

// siluForward keeps the sigmoid s of the sum x; the output is y = x*s.
func siluForward(w *worker, n *net, layer int) {
	for c := range n.layers[layer].out {
		y, s := plane(&w.acts[layer], c), w.keptPlane(n, layer, c)
		w.set.Sigmoid(s, y)
		w.set.Mul(y, y, s)
	}
}

// siluBackward multiplies by the derivative s + y*(1-s).
func siluBackward(w *worker, n *net, layer int, dy *kernel.Tensor, _ []float32) {
	for c := range n.layers[layer].out {
		d, y, s := plane(dy, c), plane(&w.acts[layer], c), w.keptPlane(n, layer, c)
		t := w.scratchPlane[:len(d)]
		w.set.Mul(t, y, s)
		w.set.Sub(t, y, t)
		w.set.Axpy(t, 1, s)
		w.set.Mul(d, d, t)
	}
}

// keptPlane is channel c of what a layer's activation keeps. Sigmoids are not 0
// between rows, so it is no place where a tensor with borders may come to lie.
func (w *worker) keptPlane(n *net, layer, c int) []float32 {
	g := &w.geo
	return w.kept[(n.kept[layer]+c)*g.plane:][:(g.h-1)*g.row+g.w]
}
