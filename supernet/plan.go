package supernet

import (
	"evosr/network"
)

// shape is a network without its numbers: layers, where their tensors live, and
// the static plan of the backward pass. It is read-only once made.
type shape struct {
	layers []layer  // no weights, biases or masks
	inputs int      // most that a layer has
	coarse []bool   // the layer's output is not as large as the patch
	sizes  [][2]int // width and height of every layer's output, once fit has set them
	refs   []int    // tensor of every layer in the bank
	planes []int    // first plane of every layer's output in a worker's arena
	total  int      // planes of all outputs
	kept   []int    // first plane of what every layer's activation keeps
	keeps  int      // planes of all that is kept
	width  int      // channels of the widest layer
	back   []backStep
	regs   int // gradient registers that back uses
}

// backStep is the backward pass through one layer. Gradients live in registers,
// tensors of a worker that are used again as soon as nobody reads them;
// register numbers are -1 for none.
//
//	weight gradient of layer from dy
//	sum = gate2(base2 + dy)                             when sum >= 0
//	dst = gate(convolution transposed of dy + base)     when dst >= 0
//
// A gate is the activation of a layer, such as ReLU, whose gradient ends where the
// output is 0; it is -1 as long as other readers still have to add theirs.
//
// An operation that is no convolution has a part for each of its inputs, which adds
// to a register what the input gets:
//
//	register = base, or zeros; register += gradient of the input; register = gate(register)
type backStep struct {
	layer, dy         int
	dst, base, gate   int // gradient of the layer's source
	sum, base2, gate2 int // gradient of the layer's added input, where it is no plain copy of dy

	parts []backPart // of what is no convolution
}

type backPart struct {
	input           int // of the layer's
	dst, base, gate int // base is -1 for zeros, dst where it is added to what is there
}

// newShape plans the layers of a network. The gradient of the last layer's
// output is expected in register 0.
func newShape(layers []layer, refs []int) *shape {
	sh := &shape{refs: refs, planes: make([]int, len(layers)), kept: make([]int, len(layers))}
	sh.layers = append(sh.layers, layers...)
	for i := range sh.layers {
		l := &sh.layers[i]
		l.weights, l.bias, l.mask, l.slope = nil, nil, nil, nil
		sh.planes[i] = sh.total
		sh.total += l.out
		if sh.kept[i] = sh.keeps; activationOf(l.act).keeps {
			sh.keeps += l.out
		}
		sh.width = max(sh.width, l.out)
		sh.inputs = max(sh.inputs, len(l.inputs))
	}
	sh.coarse, sh.sizes = make([]bool, len(layers)), make([][2]int, len(layers))
	const side = 960
	sh.fit(side, side)
	for i, size := range sh.sizes {
		sh.coarse[i] = size != [2]int{side, side}
	}
	sh.planBackward()
	return sh
}

// fit sets the sizes of all outputs for patches of w x h pixels.
func (sh *shape) fit(w, h int) {
	of := func(j int) [2]int {
		if j < 0 {
			return [2]int{w, h}
		}
		return sh.sizes[j]
	}
	for i := range sh.layers {
		l := &sh.layers[i]
		if l.conv() {
			sh.sizes[i] = of(l.src)
			continue
		}
		sh.sizes[i] = l.of.OutputSize(func(k int) [2]int { return of(l.inputs[k]) })
	}
}

// registers hands out gradient registers, the last freed first: it is the one
// most likely still in the cache.
type registers struct {
	free []int
	uses []int // readers to come, by register
}

func (r *registers) take() int {
	if n := len(r.free); n > 0 {
		id := r.free[n-1]
		r.free = r.free[:n-1]
		r.uses[id] = 1
		return id
	}
	r.uses = append(r.uses, 1)
	return len(r.uses) - 1
}

func (r *registers) drop(id int) {
	if id < 0 {
		return
	}
	if r.uses[id]--; r.uses[id] == 0 {
		r.free = append(r.free, id)
	}
}

func (sh *shape) planBackward() {
	n := len(sh.layers)
	live := make([]bool, n)   // the output depends on it
	readers := make([]int, n) // live layers whose contribution is still to come
	live[n-1] = true
	var list []int
	for i := n - 1; i >= 0; i-- {
		list = sh.layers[i].reads(list)
		for _, from := range list {
			if live[i] && from >= 0 {
				live[from] = true
				readers[from]++
			}
		}
	}
	grad := make([]int, n) // register of a layer's gradient so far, -1 for none
	for i := range grad {
		grad[i] = -1
	}
	var regs registers
	grad[n-1] = regs.take()
	// gate counts one reader of layer i as done and says what gates the sum.
	gate := func(i int) int {
		if readers[i]--; readers[i] == 0 && sh.layers[i].act != network.ActNone {
			return i
		}
		return -1
	}
	for i := n - 1; i >= 0; i-- {
		if !live[i] {
			continue
		}
		l, dy := &sh.layers[i], grad[i]
		step := backStep{layer: i, dy: dy, dst: -1, base: -1, gate: -1, sum: -1, base2: -1, gate2: -1}
		for k, j := range l.inputs {
			if j < 0 {
				continue
			}
			part := backPart{input: k, base: grad[j], gate: gate(j)}
			if grad[j] >= 0 && regs.uses[grad[j]] == 1 && grad[j] != dy {
				part.dst = grad[j] // nobody else's
			} else {
				part.dst = regs.take()
				regs.drop(grad[j])
				grad[j] = part.dst
			}
			step.parts = append(step.parts, part)
		}
		if a := l.add; a >= 0 {
			g := gate(a)
			if grad[a] < 0 && g < 0 {
				grad[a] = dy // the same numbers: share the register
				regs.uses[dy]++
			} else {
				step.sum, step.base2, step.gate2 = regs.take(), grad[a], g
				regs.drop(grad[a])
				grad[a] = step.sum
			}
		}
		if s := l.src; s >= 0 {
			g := gate(s)
			step.dst, step.base, step.gate = regs.take(), grad[s], g
			regs.drop(grad[s])
			grad[s] = step.dst
		}
		regs.drop(dy)
		sh.back = append(sh.back, step)
	}
	sh.regs = len(regs.uses)
}
