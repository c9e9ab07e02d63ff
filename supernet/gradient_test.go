package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// differences computes the gradient of sum(d * output) by central differences
// in float64, for about most weights of each layer of sub, drawn by rng, and for
// all biases; at says which parameters, counted layer by layer. Between two
// kinks of ReLUs the output is linear in each parameter, so the step may be small
// without loss.
func differences(rng *rand.Rand, most int, sub *network.Graph, lr, d []float32, w, h int) (grads []float32, at []int) {
	pic, numbers := wide(lr), weights64(sub)
	loss := func() float64 {
		outs := reference(sub, numbers, pic, w, h)
		sum := 0.0
		for i, v := range outs[len(outs)-1] {
			sum += v * float64(d[i])
		}
		return sum
	}
	const step = 1e-6
	n := 0
	slope := func(x *float64) float32 {
		was := *x
		*x = was + step
		up := loss()
		*x = was - step
		down := loss()
		*x = was
		return float32((up - down) / (2 * step))
	}
	for i := range mustLayers(sub).list {
		l := &mustLayers(sub).list[i]
		for j := range l.weights {
			if rng.IntN(len(l.weights)) < most {
				g := float32(0)
				if l.mask == nil || l.mask[j] != 0 {
					g = slope(&numbers[i].weights[j])
				}
				grads, at = append(grads, g), append(at, n)
			}
			n++
		}
		for o := range l.bias {
			g := float32(0)
			if !pruned(l, o) {
				g = slope(&numbers[i].bias[o])
			}
			grads, at = append(grads, g), append(at, n)
			n++
		}
		for o := range l.slope {
			grads, at = append(grads, slope(&numbers[i].slope[o])), append(at, n)
			n++
		}
	}
	return grads, at
}

// picked are the values at some places.
func picked(values []float32, at []int) []float32 {
	var list []float32
	for _, i := range at {
		list = append(list, values[i])
	}
	return list
}

// TestGradient holds the gradient of whole subnets, every layer of them, against finite differences: all kinds, scales, colours and masks.
func TestGradient(t *testing.T) {
	forScales(t, func(t *testing.T, sp *space.Space) {
		rng := check.Rand(t)
		sp.Widths = []int{4}
		s := noisy(sp, rng.Uint64())
		kinds := space.Kinds()
		for i, tries := 0, 0; i < 1+(len(kinds)+2)/3; tries++ {
			g := sp.Random(rng)
			for j := range g.Slots { // first a block of every kind
				if at := 3*i + j; at < len(kinds) {
					gene := &g.Slots[j]
					if gene.Kind, gene.Expansion = kinds[at], 0; gene.Kind.Expands() {
						gene.Expansion = 1
					}
					if j != 1 {
						gene.Activation = space.ReLU // the others have no choice
					}
				}
			}
			sub, err := s.Extract(legal(g))
			if err != nil {
				t.Fatal(err)
			}
			const w, h = 5, 4
			lr := pictureClear(rng, sub, w, h)
			if lr == nil && tries < 10 {
				continue // another network
			} else if lr == nil {
				t.Fatal("no network keeps its distance to every kink")
			}
			i++
			d := randomPlanes(rng, sp.Colors*sp.Scale*sp.Scale*w*h)
			want, at := differences(rng, 24, sub, lr, d, w, h)
			for _, set := range kernel.Sets() {
				r := newRunner(set, s, legal(g), w, h)
				r.w.load(0, lr, nil, sp.Scale)
				t.Log(set.Name, sub.Genome)
				check.Close(t, picked(r.gradients(d), at), want, 1e-4)
			}
		}
	})
}

// legal takes prunings out that the space forbids for a block's kernels.
func legal(g space.Genome) space.Genome {
	for i := range g.Slots {
		s := &g.Slots[i]
		for j := range s.Prune {
			if c := s.Kind.Convs(); j >= len(c) || !s.Prune[j].Scheme.Prunes(c[j].Kernel) {
				s.Prune[j] = network.Prune{}
			}
		}
	}
	return g
}

// operators are the smallest networks that hold one operator of the backward
// pass each, beside the first layer that they need.
var operators = []struct {
	name   string
	layers []layer
}{
	{"conv1x1", []layer{{in: 1, out: 4, kernel: 3, src: network.Picture, add: none}, {in: 4, out: 4, kernel: 1, add: none}}},
	{"conv3x3", []layer{{in: 1, out: 4, kernel: 3, src: network.Picture, add: none}, {in: 4, out: 4, kernel: 3, add: none}}},
	{"conv5x5", []layer{{in: 1, out: 4, kernel: 3, src: network.Picture, add: none}, {in: 4, out: 4, kernel: 5, add: none}}},
	{"relu", []layer{{in: 1, out: 8, kernel: 3, src: network.Picture, add: none, act: network.ActReLU}, {in: 8, out: 4, kernel: 3, add: none}}},
	{"relu at the end", []layer{{in: 1, out: 4, kernel: 5, src: network.Picture, add: none, act: network.ActReLU}}},
	{"residual", []layer{
		{in: 1, out: 4, kernel: 3, src: network.Picture, add: none},
		{in: 4, out: 4, kernel: 3, add: 0},
	}},
	{"residual over a relu", []layer{
		{in: 1, out: 4, kernel: 3, src: network.Picture, add: none, act: network.ActReLU},
		{in: 4, out: 6, kernel: 1, add: none, act: network.ActReLU},
		{in: 6, out: 4, kernel: 3, src: 1, add: 0, act: network.ActReLU},
		{in: 4, out: 4, kernel: 1, src: 2, add: 0},
	}},
	{"only added, over a relu", []layer{
		{in: 1, out: 4, kernel: 5, src: network.Picture, add: none, act: network.ActReLU},
		{in: 1, out: 4, kernel: 3, src: network.Picture, add: 0},
	}},
	{"one that nothing reads", []layer{
		{in: 1, out: 4, kernel: 3, src: network.Picture, add: none, act: network.ActReLU},
		{in: 4, out: 4, kernel: 3, src: 0, add: 0},
		{in: 4, out: 4, kernel: 1, src: 0, add: none},
	}},
}

// TestOperators holds every operator, and the topologies that only networks
// from elsewhere have, against finite differences.
func TestOperators(t *testing.T) {
	forActs(t, func(t *testing.T, act space.Activation, set *kernel.Set) {
		for _, op := range operators {
			t.Run(op.name, func(t *testing.T) {
				rng := check.Rand(t)
				sub := withNumbers(handmade(op.layers), act, rng)
				if err := sub.Validate(); err != nil {
					t.Fatal(err)
				}
				const w, h = 7, 5
				lr, d := clearPicture(t, rng, sub, w, h), randomPlanes(rng, 4*w*h)
				b, sh, masks := bankOf(mustLayers(sub))
				r := newRunnerOf(set, sh, b, masks, 2, 1, w, h)
				r.w.load(0, lr, nil, 2)
				out := r.w.forward(r.net, 0)
				check.Close(t, shuffled(out, 2), Reference(sub, lr, w, h), 1e-5)
				want, at := differences(rng, 1<<20, sub, lr, d, w, h)
				check.Close(t, picked(r.gradients(d), at), want, 1e-4)
			})
		}
	})
}

// forActs runs f for every activation and every Set.
func forActs(t *testing.T, f func(t *testing.T, act space.Activation, set *kernel.Set)) {
	for _, act := range space.Activations() {
		for _, set := range kernel.Sets() {
			t.Run(act.String()+"/"+set.Name, func(t *testing.T) { f(t, act, set) })
		}
	}
}

// withNumbers returns the network with random weights and biases, and its ReLUs
// replaced.
func withNumbers(net *network.Graph, act space.Activation, rng *rand.Rand) *network.Graph {
	var list []layer
	for i, l := range mustLayers(net).list {
		l.name = fmt.Sprint("layer", i)
		l.weights, l.bias = make([]float32, l.size()), make([]float32, l.out)
		for j := range l.weights {
			l.weights[j] = float32(rng.NormFloat64() / math.Sqrt(float64(l.in*l.kernel*l.kernel)))
		}
		for j := range l.bias {
			l.bias[j] = float32(rng.NormFloat64()) / 4
		}
		if l.act == network.ActReLU {
			l.act = act.Act()
		}
		start, learned := act.Slope()
		for range slopesIn(&l) {
			if learned {
				start = 0.01 + 1.2*rng.Float32()
			}
			l.slope = append(l.slope, start)
		}
		l.learned = learned && l.act == network.ActPReLU
		list = append(list, l)
	}
	return madeOf(net.Scale, net.Colors, list)
}

// TestLoss holds the mixed loss and its gradient against their formulas.
func TestLoss(t *testing.T) {
	rng := check.Rand(t)
	sp := smallSpace(3, 1)
	s := noisy(sp, 1)
	const w, h = 6, 5
	r := newRunner(kernel.Best(), s, sp.Largest(), w, h)
	lr, hr := randomPlanes(rng, w*h), randomPlanes(rng, 9*w*h)
	r.w.load(0, lr, hr, 3)
	out := r.w.forward(r.net, 0)
	pic := shuffled(out, 3)
	taught := randomPlanes(rng, 9*w*h)
	for c := range 9 {
		r.w.taught[0].Set(c, taught[c*w*h:])
	}
	shuffledTaught := shuffled(r.w.taught[0], 3)
	const scale = 1.0 / (9 * w * h)
	for _, distill := range []float64{0, 0.3, 1} {
		r.net.distill = distill
		got := r.w.loss(r.net, 0, scale)
		want, grad := 0.0, make([]float32, len(pic))
		for i, v := range pic {
			want += math.Abs(float64(v-hr[i])) * scale
			g := (1-distill)*sign(v-hr[i]) + distill*sign(v-shuffledTaught[i])
			grad[i] = float32(g * scale)
		}
		if distill < 1 {
			check.Close(t, []float64{got}, []float64{want}, 1e-5)
		}
		check.Close(t, shuffled(r.w.register(0, 9), 3), grad, 1e-5)
	}
}

func sign(x float32) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
