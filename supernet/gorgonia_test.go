package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	_ "go4.org/unsafe/assume-no-moving-gc" // gorgonia panics at start without it
	"gorgonia.org/gorgonia"
	gt "gorgonia.org/tensor"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// graph is a network and its L1 loss in Gorgonia, the independent opinion on
// forward passes and gradients. It takes one gradient only, since a second one
// over a shared path is silently wrong there, and reads the picture through a
// leaf of its own for every layer, since its search for common subexpressions
// merges what differs.
type graph struct {
	vm      gorgonia.VM
	params  gorgonia.Nodes // weights, biases and slopes, layer by layer
	out     gorgonia.Value
	cost    gorgonia.Value
	pixels  int
	outputs int // channels
}

// newGraph builds the network for a batch of patches: lr is (batch, colors, h,
// w), goal the unshuffled (batch, outputs, h, w).
func newGraph(t testing.TB, sub *network.Graph, dt gt.Dtype, batch, w, h int, lr, goal []float32) *graph {
	t.Helper()
	must := func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	g := gorgonia.NewGraph()
	r := &graph{pixels: w * h, outputs: sub.Colors * sub.Scale * sub.Scale}
	leaf := func(name string, values []float32, shape ...int) *gorgonia.Node {
		var backing any = values
		if dt == gt.Float64 {
			backing = wide(values)
		} else {
			backing = append([]float32(nil), values...)
		}
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
			gorgonia.WithValue(gt.New(gt.WithShape(shape...), gt.WithBacking(backing))))
	}
	outs := make([]*gorgonia.Node, len(mustLayers(sub).list))
	for i := range mustLayers(sub).list {
		l := &mustLayers(sub).list[i]
		pad := l.kernel / 2
		var src *gorgonia.Node
		if l.src == network.Picture {
			src = leaf(fmt.Sprintf("picture%d", i), padded(lr, batch*l.in, w, h, pad), batch, l.in, h+2*pad, w+2*pad)
			pad = 0
		} else {
			src = outs[l.src]
		}
		weights := leaf(fmt.Sprintf("w%d", i), l.weights, l.out, l.in, l.kernel, l.kernel)
		bias := leaf(fmt.Sprintf("b%d", i), l.bias, 1, l.out, 1, 1)
		r.params = append(r.params, weights, bias)
		x := must(gorgonia.Conv2d(src, weights, gt.Shape{l.kernel, l.kernel}, []int{pad, pad}, []int{1, 1}, []int{1, 1}))
		x = must(gorgonia.BroadcastAdd(x, bias, nil, []byte{0, 2, 3}))
		if l.add >= 0 {
			x = must(gorgonia.Add(x, outs[l.add]))
		}
		switch l.act {
		case network.ActReLU:
			x = must(gorgonia.Rectify(x))
		case network.ActPReLU:
			slope := leaf(fmt.Sprintf("s%d", i), l.slope, 1, l.out, 1, 1)
			r.params = append(r.params, slope)
			negative := must(gorgonia.Rectify(must(gorgonia.Neg(x))))
			x = must(gorgonia.Sub(must(gorgonia.Rectify(x)), must(gorgonia.BroadcastHadamardProd(negative, slope, nil, []byte{0, 2, 3}))))
		case network.ActSiLU:
			x = must(gorgonia.HadamardProd(x, must(gorgonia.Sigmoid(x))))
		}
		outs[i] = x
	}
	out := outs[len(outs)-1]
	gorgonia.Read(out, &r.out)
	target := leaf("goal", goal, batch, r.outputs, h, w)
	cost := must(gorgonia.Mean(must(gorgonia.Abs(must(gorgonia.Sub(out, target))))))
	gorgonia.Read(cost, &r.cost)
	if _, err := gorgonia.Grad(cost, r.params...); err != nil {
		t.Fatal(err)
	}
	r.vm = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(r.params...))
	t.Cleanup(func() { r.vm.Close() })
	return r
}

// padded repeats the edge of every plane over a border of pad pixels.
func padded(src []float32, planes, w, h, pad int) []float32 {
	var dst []float32
	for p := range planes {
		for y := -pad; y < h+pad; y++ {
			for x := -pad; x < w+pad; x++ {
				dst = append(dst, src[(p*h+min(max(y, 0), h-1))*w+min(max(x, 0), w-1)])
			}
		}
	}
	return dst
}

// copied is a Gorgonia value.
func copied(t testing.TB, v gorgonia.Value) []float32 {
	t.Helper()
	switch data := v.Data().(type) {
	case []float32:
		return append([]float32(nil), data...)
	case []float64:
		out := make([]float32, len(data))
		for i, x := range data {
			out[i] = float32(x)
		}
		return out
	case float64:
		return []float32{float32(data)}
	case float32:
		return []float32{data}
	}
	t.Fatalf("value of type %T", v.Data())
	return nil
}

// TestGorgonia holds output, loss and the gradient of every parameter against
// Gorgonia's in float64.
func TestGorgonia(t *testing.T) {
	forScales(t, func(t *testing.T, sp *space.Space) {
		rng := check.Rand(t)
		for i := range sp.Slots { // the oracle has no pools
			sp.Slots[i].Blocks[space.Attend] = nil
		}
		s := noisy(sp, rng.Uint64())
		for range 2 {
			g := sp.Random(rng)
			t.Log(g)
			sub, err := s.Extract(g)
			if err != nil {
				t.Fatal(err)
			}
			const w, h = 8, 6
			outs := sp.Colors * sp.Scale * sp.Scale
			lr, goal := clearPicture(t, rng, sub, w, h), make([]float32, outs*w*h)
			all := reference(sub, weights64(sub), wide(lr), w, h)
			for i, v := range all[len(all)-1] {
				// On either side of the output, clear of the loss's kink.
				goal[i] = float32(v + (0.1+rng.Float64())*float64(1-2*rng.IntN(2)))
			}
			oracle := newGraph(t, sub, gt.Float64, 1, w, h, lr, goal)
			if err := oracle.vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			r := newRunner(kernel.Best(), s, g, w, h)
			r.w.load(0, lr, nil, sp.Scale)
			for c := range outs {
				r.w.goals[0].Set(c, goal[c*w*h:])
			}
			out := r.w.forward(r.net, 0)
			var got []float32
			for c := range outs {
				for y := range h {
					got = append(got, out.At(c, y)...)
				}
			}
			check.Close(t, got, copied(t, oracle.out), 1e-5)
			loss := r.w.loss(r.net, 0, 1/float64(outs*w*h))
			if want := float64(copied(t, oracle.cost)[0]); math.Abs(loss-want) > 1e-5*want {
				t.Errorf("loss %v, want %v", loss, want)
			}
			var d, want []float32
			dy := r.w.register(0, outs)
			for c := range outs {
				for y := range h {
					d = append(d, dy.At(c, y)...)
				}
			}
			params := oracle.params
			next := func() []float32 {
				grad, err := params[0].Grad()
				if err != nil {
					t.Fatal(err)
				}
				params = params[1:]
				return copied(t, grad)
			}
			for i := range mustLayers(sub).list {
				l := &mustLayers(sub).list[i]
				weights, bias := next(), next()
				for j := range weights {
					if l.mask != nil && l.mask[j] == 0 {
						weights[j] = 0 // our masked weights do not move
					}
				}
				for o := range bias {
					if pruned(l, o) {
						bias[o] = 0
					}
				}
				if want = append(append(want, weights...), bias...); l.act == network.ActPReLU {
					want = append(want, next()...)
				}
			}
			check.Close(t, r.gradients(d), want, 1e-4)
		}
	})
}

// BenchmarkStepGorgonia is BenchmarkStep's step in Gorgonia: forward, backward
// and Adam over the same network and batch, on every core that its matrix
// product takes.
func BenchmarkStepGorgonia(b *testing.B) {
	s := noisy(benchSpace(), 1)
	sub, err := s.Extract(s.Space.Largest())
	if err != nil {
		b.Fatal(err)
	}
	const batch, size = 16, 48
	rng := rand.New(rand.NewPCG(1, 1))
	lr, goal := randomPlanes(rng, batch*size*size), randomPlanes(rng, batch*4*size*size)
	g := newGraph(b, sub, gt.Float32, batch, size, size, lr, goal)
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(1e-3))
	b.ReportAllocs()
	for b.Loop() {
		if err := g.vm.RunAll(); err != nil {
			b.Fatal(err)
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(g.params)); err != nil {
			b.Fatal(err)
		}
		g.vm.Reset()
	}
}
