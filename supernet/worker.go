package supernet

import (
	"evosr/internal/kernel"
	"evosr/network"
)

// worker is the memory in which one goroutine runs patches forward and back.
//
// All tensors lie in an arena whose planes (channels) have one size, so that
// the zero borders between them stay borders whichever network is placed in it.
type worker struct {
	set   *kernel.Set
	geo   geometry
	arena []float32
	acts  []kernel.Tensor // output of every layer
	regs  []kernel.Tensor // gradients
	epi   kernel.Epilogue
	views [][]float32

	scratch      []float32 // for Winograd
	kept         []float32 // planes that activations keep for the way back
	scratchPlane []float32

	pictures []*kernel.Tensor // by patch of a shard: the low-resolution picture,
	goals    []*kernel.Tensor // the high-resolution one, unshuffled,
	taught   []*kernel.Tensor // and what the teacher made of it
	spare    *kernel.Tensor

	ins          []*kernel.Tensor // of the operation that runs
	scratchRow   []float32
	tapsX, tapsY []network.Tap
}

// newWorker allocates for any of the shapes and patches patches a shard.
func newWorker(set *kernel.Set, g geometry, shapes []*shape, colors, outs, patches int) *worker {
	layers, total, regs, width, keeps, inputs := 0, 0, 0, 0, 0, 0
	for _, sh := range shapes {
		layers, total = max(layers, len(sh.layers)), max(total, sh.total)
		regs, width, keeps, inputs = max(regs, sh.regs), max(width, sh.width), max(keeps, sh.keeps), max(inputs, sh.inputs)
	}
	w := &worker{set: set, geo: g, acts: make([]kernel.Tensor, layers), views: make([][]float32, 0, width)}
	if set.WinogradColumns(g.w, g.h) > 0 {
		size := 0
		for _, sh := range shapes {
			size = max(size, scratchFloats(set, sh))
		}
		w.scratch = kernel.Aligned(size)
	}
	_, _, _, size := kernel.Layout(total+regs*width, g.h, g.w, g.border)
	w.arena = kernel.Aligned(size)
	if inputs > 0 {
		const taps = 4 // of a cubic
		w.ins, w.scratchRow = make([]*kernel.Tensor, 0, inputs), kernel.Aligned(g.w)
		w.tapsX, w.tapsY = make([]network.Tap, 0, taps), make([]network.Tap, 0, taps)
	}
	if keeps > 0 {
		w.kept, w.scratchPlane = kernel.Aligned(keeps*g.plane), kernel.Aligned(g.plane)
	}
	for i := range regs {
		w.regs = append(w.regs, w.tensor(total+i*width, width))
	}
	for range patches {
		w.pictures = append(w.pictures, kernel.NewTensor(colors, g.h, g.w, pictureBorder))
		w.goals = append(w.goals, kernel.NewTensor(outs, g.h, g.w, g.border))
		w.taught = append(w.taught, kernel.NewTensor(outs, g.h, g.w, g.border))
	}
	w.spare = kernel.NewTensor(outs, g.h, g.w, g.border)
	return w
}

// tensor is the planes [first, first+c) of the arena.
func (w *worker) tensor(first, c int) kernel.Tensor {
	g := &w.geo
	return kernel.Tensor{C: c, H: g.h, W: g.w, Border: g.border, Row: g.row, Plane: g.plane,
		Origin: g.origin + first*g.plane, Data: w.arena}
}

// body is all planes of a tensor from its first pixel on, borders between them
// included.
func body(t *kernel.Tensor) []float32 { return t.Data[t.Origin:][:t.C*t.Plane] }

// load takes a patch in: lr and hr are Colors planes, hr scale times as large.
func (w *worker) load(patch int, lr, hr []float32, scale int) {
	pic, goal := w.pictures[patch], w.goals[patch]
	g := &w.geo
	for c := range pic.C {
		pic.Set(c, lr[c*g.h*g.w:])
	}
	pic.EdgeBorder(pictureReach)
	if hr == nil {
		return
	}
	var rows [4][]float32
	for c := range pic.C {
		for y := range g.h * scale {
			for j := range scale {
				rows[j] = goal.At((c*scale+y%scale)*scale+j, y/scale)
			}
			w.set.Unshuffle(rows, hr[(c*g.h*scale+y)*g.w*scale:][:g.w*scale], scale)
		}
	}
}

// teach takes in what a teacher made of a loaded patch, (outs, height, width).
// Of a patch that it does not know, the truth counts as its answer.
func (w *worker) teach(patch int, known bool, answer []float32) {
	t := w.taught[patch]
	if !known {
		copy(body(t), body(w.goals[patch]))
		return
	}
	for c := range t.C {
		t.Set(c, answer[c*w.geo.h*w.geo.w:])
	}
}

// place lays the outputs of a network's layers into the arena.
func (w *worker) place(n *net) {
	for i := range n.layers {
		w.acts[i] = w.tensor(n.planes[i], n.layers[i].out)
		if n.coarse[i] {
			clear(body(&w.acts[i])) // what lies around it is its border
			w.acts[i].W, w.acts[i].H = n.sizes[i][0], n.sizes[i][1]
		}
	}
}

// forward runs the network that was placed on a loaded patch and returns its
// output before the pixel shuffle.
func (w *worker) forward(n *net, patch int) *kernel.Tensor {
	for i := range n.layers {
		l := &n.layers[i]
		if !l.conv() {
			operationOf(l.of).forward(w, l, &w.acts[i], w.inputsOf(l, patch))
			continue
		}
		act := activationOf(l.act)
		if w.epi = (kernel.Epilogue{}); act.fuse != nil {
			act.fuse(&w.epi, l)
		}
		if l.add >= 0 {
			w.epi.Residual = &w.acts[l.add]
		}
		w.conv(&w.acts[i], w.source(l, patch), &n.ahead[i], n.fwd[i])
		if act.forward != nil {
			act.forward(w, n, i)
		}
	}
	return &w.acts[len(n.layers)-1]
}

func (w *worker) source(l *layer, patch int) *kernel.Tensor { return w.output(l.src, patch) }

// output is what a layer or the picture puts out.
func (w *worker) output(layer, patch int) *kernel.Tensor {
	if layer == network.Picture {
		return w.pictures[patch]
	}
	return &w.acts[layer]
}

// inputsOf is what an operation reads.
func (w *worker) inputsOf(l *layer, patch int) []*kernel.Tensor {
	w.ins = w.ins[:0]
	for _, j := range l.inputs {
		w.ins = append(w.ins, w.output(j, patch))
	}
	return w.ins
}

// backward adds the gradients of the network that ran last to partial, from the
// gradient of its output in register 0.
func (w *worker) backward(n *net, patch int, partial []float32) {
	last := len(n.layers) - 1
	if n.layers[last].act != network.ActNone {
		dy := w.gradient(n, 0, last)
		w.gated(dy, dy, nil, w.gate(n, last))
		w.bend(n, last, dy, partial)
	}
	for s := range n.shape.back {
		step := &n.shape.back[s]
		l := &n.layers[step.layer]
		dy := w.gradient(n, step.dy, step.layer)
		if !l.conv() {
			w.operationBack(n, step, patch, partial)
			continue
		}
		w.weightGrad(n, step.layer, dy, w.source(l, patch), partial)
		if step.sum >= 0 {
			sum := w.fresh(n, step.sum, l.add)
			w.gated(sum, dy, w.gradient(n, step.base2, l.add), w.gate(n, step.gate2))
			w.bend(n, step.gate2, sum, partial)
		}
		if step.dst >= 0 {
			w.epi = kernel.Epilogue{Residual: w.gradient(n, step.base, l.src), Gate: w.gate(n, step.gate)}
			dst := w.fresh(n, step.dst, l.src)
			w.conv(dst, dy, &n.behind[step.layer], n.back[step.layer])
			w.bend(n, step.gate, dst, partial)
		}
	}
}

// operationBack is the way back through an operation that is no convolution.
func (w *worker) operationBack(n *net, step *backStep, patch int, partial []float32) {
	l := &n.layers[step.layer]
	rule := operationOf(l.of)
	for _, part := range step.parts {
		from := l.inputs[part.input]
		if part.base != part.dst {
			dx := w.fresh(n, part.dst, from)
			if part.base >= 0 {
				copy(body(dx), body(w.register(part.base, n.layers[from].out)))
			} else {
				clear(body(dx))
			}
		}
		dx := w.gradient(n, part.dst, from)
		rule.backward(w, l, part.input, dx, w.gradient(n, step.dy, step.layer), &w.acts[step.layer], w.inputsOf(l, patch))
		if part.gate >= 0 {
			w.gated(dx, dx, nil, w.gate(n, part.gate))
			w.bend(n, part.gate, dx, partial)
		}
	}
}

// gradient is the register with the gradient of a layer's output, nil for -1.
func (w *worker) gradient(n *net, id, layer int) *kernel.Tensor {
	t := w.register(id, n.layers[max(layer, 0)].out)
	if t != nil {
		t.W, t.H = n.sizes[layer][0], n.sizes[layer][1]
	}
	return t
}

// fresh is gradient of a register that will be written: what lies around a tensor
// that is smaller than the patch is cleared.
func (w *worker) fresh(n *net, id, layer int) *kernel.Tensor {
	t := w.gradient(n, id, layer)
	if n.coarse[layer] {
		clear(body(t))
	}
	return t
}

// register returns a gradient register as a tensor of c channels, nil for -1.
func (w *worker) register(id, c int) *kernel.Tensor {
	if id < 0 {
		return nil
	}
	w.regs[id].C = c
	return &w.regs[id]
}

// gate returns the output of a layer whose gradient ends where that is not above
// 0, nil for others and -1.
func (w *worker) gate(n *net, layer int) *kernel.Tensor {
	if layer < 0 || !activationOf(n.layers[layer].act).gated {
		return nil
	}
	return &w.acts[layer]
}

// bend takes the gradient of a layer's output to that of its sum where gate does
// not; -1 is no layer.
func (w *worker) bend(n *net, layer int, dy *kernel.Tensor, partial []float32) {
	if layer < 0 {
		return
	}
	if back := activationOf(n.layers[layer].act).backward; back != nil {
		back(w, n, layer, dy, partial)
	}
}

// gated writes dst = gate(a + b); b and gate may be nil. Only networks from
// elsewhere need it: those of a space fuse it into convolutions.
func (w *worker) gated(dst, a, b, gate *kernel.Tensor) {
	for c := range a.C {
		for y := range a.H {
			to, from := dst.At(c, y), a.At(c, y)
			copy(to, from)
			if b != nil {
				w.set.Axpy(to, 1, b.At(c, y))
			}
			if gate != nil {
				for x, v := range gate.At(c, y) {
					if !(v > 0) {
						to[x] = 0
					}
				}
			}
		}
	}
}

// loss returns the mean absolute error of the network that ran last against the
// high-resolution patch, scale being 1 / values of the batch, and leaves the
// gradient of its mixed loss in register 0.
func (w *worker) loss(n *net, patch int, scale float64) (truth float64) {
	out := &w.acts[len(n.layers)-1]
	d := w.register(0, out.C)
	own, taught := n.share*(1-n.distill), n.share*n.distill
	if own > 0 {
		truth = w.set.AbsGrad(body(d), body(out), body(w.goals[patch]), float32(scale*own)) / own
	} else {
		clear(body(d))
	}
	if taught > 0 {
		w.set.AbsGrad(body(w.spare), body(out), body(w.taught[patch]), float32(scale*taught))
		w.set.Axpy(body(d), 1, body(w.spare))
	}
	return truth
}
