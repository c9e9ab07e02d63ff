package sparse

import (
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// TestWinogradWhere: dense and lightly pruned 3x3 layers run by Winograd where
// the instruction set has it, others over lists.
func TestWinogradWhere(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	sp.Widths = []int{16}
	for _, set := range kernel.Sets() {
		table := tableFor(set.Name)
		for _, tt := range []struct {
			prune network.Prune
			dense bool
		}{
			{network.Prune{}, true},
			{network.Prune{Scheme: network.Unstructured, Percent: 50}, true},
			{network.Prune{Scheme: network.Block4, Percent: 90}, false},
		} {
			g := space.Genome{Width: 16, Slots: []space.Gene{{Kind: space.Plain, Expansion: 1, Prune: [space.MaxConvs]network.Prune{tt.prune, tt.prune}}, {}, {}}}
			p, err := Compile(randomize(shape(sp, g), rng).Graph(), Options{Kernels: set.Name})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range p.Layers() {
				want := MethodLists
				if table.winograd != nil && tt.dense && l.In == 16 && l.Kernel == 3 && l.Out == 16 {
					want = MethodWinograd
				}
				if l.In == 16 && l.Out == 16 && l.Method != want || l.In == 1 && l.Method != MethodLists {
					t.Errorf("%s, %v: %s is computed by %s, want %s", set.Name, tt.prune, l.Name, l.Method, want)
				}
				if l.Out == 16 && l.Method == MethodWinograd && (l.Taps != 0 || l.MACs != 16*16*36/16 || l.Pays) {
					t.Errorf("%s, %v: %+v", set.Name, tt.prune, l)
				}
			}
			p.Close()
		}
	}
}

// TestWinogradBands: tiles lie at the same rows of a picture whatever the
// height, the threads and the bands that follow, so that bits do not differ.
func TestWinogradBands(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	sp.Slots = slices.Repeat([]space.Slot{{Blocks: space.Blocks{space.Plain: {1}, space.Lean: space.Once()}}}, 5)
	sp.Widths = []int{12}
	for _, set := range kernel.Sets() {
		if tableFor(set.Name).winograd == nil {
			continue
		}
		for range 4 {
			net := randomize(shape(sp, sp.Largest()), rng)
			w, h := 100+rng.IntN(100), 1+rng.IntN(60)
			src := picture(rng, w*h)
			one := upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: 1})
			near(t, one, dense(net, src, w, h))
			for _, threads := range []int{2, 3, 7} {
				if many := upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: threads}); !slices.Equal(one, many) {
					t.Fatalf("%s: %dx%d: %d threads differ from one", set.Name, w, h, threads)
				}
			}
		}
	}
}
