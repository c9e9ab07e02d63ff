package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// smallSpace has every kind of block, every scheme and every activation.
func smallSpace(scale, colors int) *space.Space {
	return &space.Space{
		Scale: scale, Colors: colors, Widths: []int{8, 12, 16},
		Slots: []space.Slot{
			{Skip: true, Blocks: space.Every(0.5, 1, 2, 4)},
			{Blocks: space.Every(1, 3), Activations: space.Activations()},
			{Skip: true, Blocks: space.Every(1, 2)},
		},
		Schemes:  network.Schemes(),
		Percents: []int{25, 50, 75},
	}
}

// noisy makes a supernet whose every weight and bias matters.
func noisy(sp *space.Space, seed uint64) *Supernet {
	s := New(sp, seed)
	rng := rand.New(rand.NewPCG(seed, 99))
	for i := range s.bank.tensors {
		t := &s.bank.tensors[i]
		std := 1 / math.Sqrt(float64(t.in*t.k*t.k))
		for _, part := range [][]float32{s.bank.weights(t), s.bank.bias(t)} {
			for j := range part {
				part[j] += float32(std * rng.NormFloat64())
			}
		}
		for j := range s.bank.slope(t) {
			s.bank.slope(t)[j] = 0.01 + rng.Float32()
		}
	}
	return s
}

// waves is a Source of smooth pictures with edges: enough to learn from.
type waves struct{ scale, colors int }

func (s waves) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	n := size * s.scale
	for c := range s.colors {
		out := hr[c*n*n : (c+1)*n*n]
		ax, ay, bx, by := 2*rng.Float64()-1, 2*rng.Float64()-1, 2*rng.Float64()-1, 2*rng.Float64()-1
		at, step := rng.Float64()*float64(n), rng.Float64()-0.5
		for y := range n {
			for x := range n {
				u, v := float64(x), float64(y)
				val := 0.5 + 0.15*math.Sin(ax*u+ay*v) + 0.1*math.Sin(bx*u*0.5+by*v*0.5)
				if ax*(u-at)+by*(v-at) > 0 {
					val += 0.3 * step
				}
				out[y*n+x] = float32(val)
			}
		}
		low := lr[c*size*size : (c+1)*size*size]
		for y := range size {
			for x := range size {
				var sum float32
				for i := range s.scale {
					for j := range s.scale {
						sum += out[(y*s.scale+i)*n+x*s.scale+j]
					}
				}
				low[y*size+x] = sum / float32(s.scale*s.scale)
			}
		}
	}
}

// runner is one network in one worker, for tests of the passes themselves.
type runner struct {
	net *net
	w   *worker
	geo geometry
}

func newRunner(set *kernel.Set, s *Supernet, g space.Genome, w, h int) *runner {
	sub := s.Space.Shape(g)
	return newRunnerOf(set, newShape(mustLayers(sub).list, s.refs(mustLayers(sub), g)), s.bank, nil, s.Space.Scale, s.Space.Colors, w, h)
}

func newRunnerOf(set *kernel.Set, sh *shape, b *bank, masks [][]uint8, scale, colors, w, h int) *runner {
	shapes := []*shape{sh}
	r := &runner{net: newNet(shapes, 1), geo: newGeometry(h, w, shapes)}
	r.w = newWorker(set, r.geo, shapes, colors, colors*scale*scale, 1)
	r.net.take(sh, b.tensors, b.data, 1, masks)
	r.net.lower(set, &r.geo)
	r.w.place(r.net)
	return r
}

// gradients runs the network that was loaded forward and back from the output
// gradient d, (channels, height, width), and returns those of all parameters,
// layer by layer.
func (r *runner) gradients(d []float32) []float32 {
	out := r.w.forward(r.net, 0)
	dy := r.w.register(0, out.C)
	for c := range dy.C {
		dy.Set(c, d[c*dy.H*dy.W:])
	}
	clear(r.net.partial(0))
	r.w.backward(r.net, 0, r.net.partial(0))
	r.net.gather(r.w.set)
	size := 0
	for i := range r.net.layers {
		size += r.net.layers[i].size() + r.net.layers[i].biases() + slopesIn(&r.net.layers[i])
	}
	return r.net.grads[:size]
}

// shuffled turns a network's output into pictures.
func shuffled(out *kernel.Tensor, scale int) []float32 {
	w, h := out.W, out.H
	dst := make([]float32, out.C*w*h)
	for ch := range out.C {
		c, i, j := ch/(scale*scale), ch/scale%scale, ch%scale
		for y := range h {
			for x, v := range out.At(ch, y) {
				dst[((c*h+y)*scale+i)*w*scale+x*scale+j] = v
			}
		}
	}
	return dst
}

func randomPlanes(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = rng.Float32()
	}
	return x
}

// clearPicture draws a picture for which no input of an activation of sub is so close
// to 0 that rounding, or the step of a finite difference, could change its side.
// Channels that are pruned whole are 0 in every arithmetic.
func clearPicture(t testing.TB, rng *rand.Rand, sub *network.Graph, w, h int) []float32 {
	t.Helper()
	lr := pictureClear(rng, sub, w, h)
	if lr == nil {
		t.Fatal("no picture keeps its distance to every kink")
	}
	return lr
}

// pictureClear is clearPicture, nil where there is none: a channel that has no
// weights left may have a bias on the kink.
func pictureClear(rng *rand.Rand, sub *network.Graph, w, h int) []float32 {
	const margin = 1e-5
	numbers := weights64(sub)
	for range 1000 {
		lr := randomPlanes(rng, sub.Colors*w*h)
		if !slices.ContainsFunc(beforeActs(sub, numbers, lr, w, h), func(v float64) bool { return v != 0 && math.Abs(v) < margin }) {
			return lr
		}
	}
	return nil
}

// beforeActs lists the inputs of all activations.
func beforeActs(sub *network.Graph, numbers []layer64, lr []float32, w, h int) (list []float64) {
	outs := reference(sub, numbers, wide(lr), w, h)
	for i, l := range mustLayers(sub).list {
		if l.act == network.ActNone {
			continue
		}
		// The layer alone, over what it reads and adds, without its activation.
		l.act = network.ActNone
		pic := wide(lr)
		dst := runLayer(&l, numbers[i], outs, layerSizes(mustLayers(sub).list, w, h), pic, w, h)
		list = append(list, dst...)
	}
	return list
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func forScales(t *testing.T, f func(t *testing.T, sp *space.Space)) {
	for _, scale := range []int{2, 3, 4} {
		for _, colors := range []int{1, 3} {
			t.Run(fmt.Sprintf("x%d/%d", scale, colors), func(t *testing.T) { f(t, smallSpace(scale, colors)) })
		}
	}
}

// cached is a Source that repeats its first patch, so that it costs nothing.
type cached struct {
	from   Source
	lr, hr []float32
}

func (c *cached) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	if c.lr == nil {
		c.from.Patch(rng, size, lr, hr)
		c.lr, c.hr = append(c.lr, lr...), append(c.hr, hr...)
	}
	copy(lr, c.lr)
	copy(hr, c.hr)
}

// handmade is a network of luma, twice as large, of layers that were written down.
func handmade(list []layer) *network.Graph { return madeOf(2, 1, list) }

// madeOf is a network of layers, by way of its graph.
func madeOf(scale, colors int, list []layer) *network.Graph {
	g := &network.Graph{Scale: scale, Colors: colors}
	at := make([]int, len(list)) // last node of a layer
	add := func(n network.Node) int {
		g.Nodes = append(g.Nodes, n)
		return len(g.Nodes) - 1
	}
	for i := range list {
		l := &list[i]
		r := l.kernel / 2
		if l.name == "" {
			l.name = fmt.Sprint("layer", i)
		}
		n := network.Node{
			Name: l.name, Op: network.OpConv, Inputs: []int{network.Picture}, Out: l.out, Kernel: l.kernel, Pad: [4]int{r, r, r, r}, Border: network.Edge,
			Weights: l.weights, Mask: l.mask, Prune: l.prune, Bias: l.bias,
		}
		if l.src != network.Picture {
			n.Inputs[0], n.Border = at[l.src], network.Zeros
		}
		at[i] = add(n)
		if l.add != none {
			at[i] = add(network.Node{Name: l.name + "/add", Op: network.OpAdd, Inputs: []int{at[i], at[l.add]}})
		}
		if l.act != network.ActNone {
			n := network.Node{Name: l.name + "/" + l.act.String(), Op: network.OpActivate, Inputs: []int{at[i]}, Act: l.act, Slope: l.slope}
			if !l.learned && len(l.slope) > 0 {
				n.Slope = l.slope[:1]
			}
			at[i] = add(n)
		}
	}
	add(network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{at[len(at)-1]}, Factor: scale})
	return g
}
