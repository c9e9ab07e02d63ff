package supernet

import (
	"path/filepath"
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// threes is a network of 3x3 layers with all that an input gradient meets: a
// gate, one that waits for another reader, an added layer and a mask.
var threes = []layer{
	{in: 1, out: 8, kernel: 3, src: network.Picture, add: none, act: network.ActReLU},
	{in: 8, out: 20, kernel: 3, add: none, act: network.ActReLU},
	{in: 20, out: 8, kernel: 3, src: 1, add: 0, prune: network.Prune{Scheme: network.Unstructured, Percent: 25}},
	{in: 8, out: 8, kernel: 3, src: 2, add: 2, act: network.ActReLU},
	{in: 8, out: 4, kernel: 3, src: 3, add: none},
}

// transformAll has Winograd compute every layer of r that it can, whether it
// pays or not; false: the Set has no kernels for it.
func transformAll(r *runner) bool {
	n := r.net
	if r.w.set.NewWinograd(1, 1, make([]float32, 9), make([]float32, 1)) == nil {
		return false
	}
	r.w.scratch = kernel.Aligned(scratchFloats(r.w.set, n.shape))
	for i := range n.layers {
		if l := &n.layers[i]; transformable(l) {
			n.ahead[i].Transform(r.w.set, l.out, l.in, l.weights, l.bias, false, kernel.Aligned(kernel.WinogradFloats(l.out, l.in)))
			n.behind[i].Transform(r.w.set, l.out, l.in, l.weights, l.bias, true, kernel.Aligned(kernel.WinogradFloats(l.out, l.in)))
			n.tiled[i] = true
		}
		n.starts[i+1] = n.starts[i] + lines(n.layers[i].size()+n.layers[i].out) + lines(slopesIn(&n.layers[i]))
	}
	return true
}

// TestWinogradGradient holds the gradients of a network whose layers all go by
// Winograd against finite differences and, all of them, against plain loops over
// lists.
func TestWinogradGradient(t *testing.T) {
	for i, size := range [][2]int{{48, 3}, {20, 5}, {13, 6}, {65, 2}, {4, 4}} {
		rng := check.Rand(t)
		w, h := size[0], size[1]
		acts := space.Activations()
		act := acts[i%len(acts)]
		sub := withNumbers(handmade(threes), act, rng)
		for i := range mustLayers(sub).list {
			if l := &mustLayers(sub).list[i]; l.prune.Percent > 0 {
				l.mask = make([]uint8, l.size())
				prune(l, new(network.Masker))
			}
		}
		lr, d := clearPicture(t, rng, sub, w, h), randomPlanes(rng, 4*w*h)
		slopes, at := differences(rng, 8, sub, lr, d, w, h)
		b, sh, masks := bankOf(mustLayers(sub))
		gradients := func(set *kernel.Set, transformed bool) []float32 {
			r := newRunnerOf(set, sh, b, masks, 2, 1, w, h)
			r.w.load(0, lr, nil, 2)
			if transformed && !transformAll(r) {
				return nil
			}
			check.Close(t, shuffled(r.w.forward(r.net, 0), 2), Reference(sub, lr, w, h), 1e-5)
			return r.gradients(d)
		}
		plain, err := kernel.ByName("go")
		if err != nil {
			t.Fatal(err)
		}
		want := gradients(plain, false)
		for _, set := range kernel.Sets() {
			t.Logf("%s: %dx%d, %v", set.Name, w, h, act)
			if got := gradients(set, true); got != nil {
				check.CloseSums(t, got, want, 1e-5, 10)
				check.Close(t, picked(got, at), slopes, 1e-4)
			}
		}
	}
}

// TestWinogradPays holds the choice at its clear cases.
func TestWinogradPays(t *testing.T) {
	dense, pruned := network.Prune{}, network.Prune{Scheme: network.Unstructured, Percent: 95}
	tests := []struct {
		name  string
		layer layer
		patch int
		want  bool // where there are kernels
	}{
		{"wide", layer{in: 24, out: 48, kernel: 3, prune: dense}, 64, true},
		{"wide, three quarters of a vector", layer{in: 24, out: 48, kernel: 3, prune: dense}, 48, true},
		{"lightly pruned", layer{in: 24, out: 48, kernel: 3, prune: network.Prune{Scheme: network.Block4, Percent: 10}}, 64, true},
		{"pruned", layer{in: 24, out: 48, kernel: 3, prune: pruned}, 64, false},
		{"filters pruned", layer{in: 24, out: 48, kernel: 3, prune: network.Prune{Scheme: network.Filter, Percent: 95}}, 64, false},
		{"two channels", layer{in: 2, out: 2, kernel: 3, prune: dense}, 64, false},
		{"a narrow patch", layer{in: 16, out: 16, kernel: 3, prune: dense}, 5, false},
		{"1x1", layer{in: 24, out: 48, kernel: 1, prune: dense}, 64, false},
		{"from the picture", layer{in: 24, out: 48, kernel: 3, src: network.Picture, prune: dense}, 64, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, set := range kernel.Sets() {
				g := newGeometry(tt.patch, tt.patch, nil)
				want := tt.want && set.WinogradColumns(1, 1) > 0
				for _, transpose := range []bool{false, true} {
					if got := winogradPays(set, &g, &tt.layer, transpose); got != want {
						t.Errorf("%s, transposed %v: %v, want %v", set.Name, transpose, got, want)
					}
				}
				if got := winogradGradPays(set, &g, &tt.layer); got != want {
					t.Errorf("%s, weight gradient: %v, want %v", set.Name, got, want)
				}
			}
		})
	}
}

// TestWinogradTraining wants of a sandwich on patches so wide that Winograd pays
// what it wants of narrow ones: the same bits from any number of threads and after
// being restored, and no allocation.
func TestWinogradTraining(t *testing.T) {
	o := options(40)
	o.Patch, o.Batch = 64, 2
	start := func(threads int) *Trainer {
		o.Threads = threads
		return trainer(t, waves{2, 1}, o)
	}
	whole := start(1)
	run(t, whole, 3)
	if n := whole.engine.nets[0]; whole.engine.set.WinogradColumns(1, 1) > 0 && (!slices.Contains(n.tiled, true) ||
		!slices.ContainsFunc(n.ahead, func(g kernel.Winograd) bool { return g.In > 0 })) {
		t.Fatal("no layer of the largest network goes by Winograd")
	}
	two := start(2)
	run(t, two, 2)
	path := filepath.Join(t.TempDir(), "training.safetensors")
	if err := two.Save(path); err != nil {
		t.Fatal(err)
	}
	again := start(2)
	if err := again.Restore(path); err != nil {
		t.Fatal(err)
	}
	run(t, again, 1)
	run(t, two, 1)
	for name, tr := range map[string]*Trainer{"two threads": two, "restored": again} {
		if !slices.Equal(tr.net.bank.data, whole.net.bank.data) {
			t.Errorf("%s: other weights than with one thread in one run", name)
		}
	}
	if n := testing.AllocsPerRun(10, func() { run(t, two, 1) }); n >= 1 {
		t.Errorf("%v allocations a step, want none", n)
	}
}
