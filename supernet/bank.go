package supernet

import (
	"fmt"
	"math"

	"evosr/internal/kernel"
	"evosr/network"
)

// tensor is one convolution inside a bank: weights (out, in, k, k) from data[w],
// biases from data[b], and where slopes are learned, those from data[s].
type tensor struct {
	name       string
	inner      bool // neither reads the picture nor writes it
	part       int  // of the space, see Supernet.Split
	out, in, k int
	w, b       int
	pace       float64 // learning rate / that of the training

	slopes  []float32 // of a PReLU: what it has, or where learned ones start; out
	learned bool
	s       int
}

// stored is the tensor's name in a file: as it is in the first part,
// "part2/slot3/conv" in the second.
func (t *tensor) stored() string {
	if t.part == 0 {
		return t.name
	}
	return fmt.Sprintf("part%d/%s", t.part+1, t.name)
}

// Paces of the tensors that write into the picture itself: Adam moves every
// weight by about the rate, whatever its size, and what moves all of a picture
// at once drowns what the others learn. In 800 steps the largest network of six
// slots came to 34.9 dB on Set5 x2 with a pace of 1 for all, to 36.6 with 0.02 and
// 0.1; once the trunk had grown, a third of that for the tail is as good or better.
const (
	skipPace = 0.02
	tailPace = 0.03
)

// paceOf is larger where a channel sums few products, whose weights are larger;
// a 3x3 convolution of 16 channels has 1.
func paceOf(t *tensor) float64 {
	pace := math.Sqrt(16 * 9 / float64(t.in*t.k*t.k))
	switch t.name {
	case "skip":
		return skipPace
	case "tail":
		return tailPace * pace
	}
	return pace
}

// bank is named convolutions in one slice, so that the optimizer, the average
// and a snapshot are each one loop or copy. Every part starts on a cache line;
// the floats between are zero and stay so.
type bank struct {
	tensors []tensor
	data    []float32
}

// newBank lays out tensors of the given names and sizes, zeroed.
func newBank(tensors []tensor) *bank {
	n := 0
	next := func(size int) int {
		at := n
		n += (size + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes
		return at
	}
	b := &bank{tensors: tensors}
	for i := range tensors {
		t := &tensors[i]
		t.w, t.b = next(t.out*t.in*t.k*t.k), next(t.out)
		if t.learned {
			t.s = next(t.out)
		}
		t.pace = paceOf(t)
	}
	b.data = kernel.Aligned(n)
	return b
}

// span is where the numbers of a tensor lie, padding included.
func (b *bank) span(i int) (from, to int) {
	if i+1 < len(b.tensors) {
		return b.tensors[i].w, b.tensors[i+1].w
	}
	return b.tensors[i].w, len(b.data)
}

func (b *bank) weights(t *tensor) []float32 { return b.data[t.w:][:t.out*t.in*t.k*t.k] }
func (b *bank) bias(t *tensor) []float32    { return b.data[t.b:][:t.out] }

// slope is the slopes that are learned, nil for others.
func (b *bank) slope(t *tensor) []float32 {
	if !t.learned {
		return nil
	}
	return b.data[t.s:][:t.out]
}

// numbers are all of a tensor's: weights, biases, learned slopes.
func (b *bank) numbers(t *tensor) [3][]float32 {
	return [3][]float32{b.weights(t), b.bias(t), b.slope(t)}
}

// sound reports a learned slope that training cannot follow. Files round slopes,
// at most to half of the least.
func (b *bank) sound() error {
	for i := range b.tensors {
		t := &b.tensors[i]
		for o, v := range b.slope(t) {
			if !(v >= leastSlope/2) {
				return fmt.Errorf("tensor %q: slope %d is %v, want at least %v", t.stored(), o, v, leastSlope)
			}
		}
	}
	return nil
}

// size is how many numbers they are.
func (t *tensor) size() int {
	n := t.out*t.in*t.k*t.k + t.out
	if t.learned {
		n += t.out
	}
	return n
}

// cut copies the first channels of a tensor in data into the weights, biases and
// slopes of l, whose slices must have l's sizes.
func (t *tensor) cut(l *layer, data []float32) {
	row, wide := l.in*l.kernel*l.kernel, t.in*t.k*t.k
	for o := range l.out {
		copy(l.weights[o*row:(o+1)*row], data[t.w+o*wide:])
	}
	copy(l.bias, data[t.b:])
	if t.learned {
		copy(l.slope, data[t.s:])
	} else {
		copy(l.slope, t.slopes)
	}
}

// prune sets l's mask by l.prune from its own weights and clears what the mask
// removes: single weights and, where the scheme removes whole channels, their
// biases. l.mask must have the length of l.weights unless l.prune is dense,
// where it becomes nil.
func prune(l *layer, m *network.Masker) {
	if l.prune.Scheme == network.Dense {
		l.mask = nil
		return
	}
	m.Mask(l.mask, l.weights, l.out, l.in, l.kernel, l.prune)
	applyMask(l)
}

// applyMask clears what l.mask removes.
func applyMask(l *layer) {
	for i, keep := range l.mask {
		if keep == 0 {
			l.weights[i] = 0
		}
	}
	for o := range l.bias {
		if pruned(l, o) {
			l.bias[o] = 0
		}
	}
}

// pruned says whether output channel o is gone as a whole, bias included.
func pruned(l *layer, o int) bool {
	return l.prune.Scheme == network.Filter && l.mask != nil && l.mask[o*l.in*l.kernel*l.kernel] == 0
}
