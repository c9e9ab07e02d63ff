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
var threes = []network.Layer{
	{In: 1, Out: 8, Kernel: 3, Src: network.Picture, Add: network.None, Act: network.ActReLU},
	{In: 8, Out: 20, Kernel: 3, Add: network.None, Act: network.ActReLU},
	{In: 20, Out: 8, Kernel: 3, Src: 1, Add: 0, Prune: network.Prune{Scheme: network.Unstructured, Percent: 25}},
	{In: 8, Out: 8, Kernel: 3, Src: 2, Add: 2, Act: network.ActReLU},
	{In: 8, Out: 4, Kernel: 3, Src: 3, Add: network.None},
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
			n.ahead[i].Transform(r.w.set, l.Out, l.In, l.Weights, l.Bias, false, kernel.Aligned(kernel.WinogradFloats(l.Out, l.In)))
			n.behind[i].Transform(r.w.set, l.Out, l.In, l.Weights, l.Bias, true, kernel.Aligned(kernel.WinogradFloats(l.Out, l.In)))
			n.tiled[i] = true
		}
		n.starts[i+1] = n.starts[i] + lines(n.layers[i].Size()+n.layers[i].Out) + lines(slopesIn(&n.layers[i]))
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
		sub := withNumbers(&network.Subnet{Scale: 2, Colors: 1, Layers: threes}, act, rng)
		for i := range sub.Layers {
			if l := &sub.Layers[i]; l.Prune.Percent > 0 {
				l.Mask = make([]uint8, l.Size())
				prune(l, new(network.Masker))
			}
		}
		lr, d := clearPicture(t, rng, sub, w, h), randomPlanes(rng, 4*w*h)
		slopes, at := differences(rng, 8, sub, lr, d, w, h)
		b, sh, masks := bankOf(sub)
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
		layer network.Layer
		patch int
		want  bool // where there are kernels
	}{
		{"wide", network.Layer{In: 24, Out: 48, Kernel: 3, Prune: dense}, 64, true},
		{"wide, three quarters of a vector", network.Layer{In: 24, Out: 48, Kernel: 3, Prune: dense}, 48, true},
		{"lightly pruned", network.Layer{In: 24, Out: 48, Kernel: 3, Prune: network.Prune{Scheme: network.Block4, Percent: 10}}, 64, true},
		{"pruned", network.Layer{In: 24, Out: 48, Kernel: 3, Prune: pruned}, 64, false},
		{"filters pruned", network.Layer{In: 24, Out: 48, Kernel: 3, Prune: network.Prune{Scheme: network.Filter, Percent: 95}}, 64, false},
		{"two channels", network.Layer{In: 2, Out: 2, Kernel: 3, Prune: dense}, 64, false},
		{"a narrow patch", network.Layer{In: 16, Out: 16, Kernel: 3, Prune: dense}, 5, false},
		{"1x1", network.Layer{In: 24, Out: 48, Kernel: 1, Prune: dense}, 64, false},
		{"from the picture", network.Layer{In: 24, Out: 48, Kernel: 3, Src: network.Picture, Prune: dense}, 64, false},
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
