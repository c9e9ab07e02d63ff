package sparse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// randomGraph is a network that no space has: any layer reads and adds any
// earlier one, filters are of every size, activations anywhere, rows and whole
// layers are empty.
func randomGraph(rng *rand.Rand) *Subnet {
	net := &Subnet{Scale: 2, Colors: 1}
	channels := []int{1, 4, 5, 8}
	n := 2 + rng.IntN(9)
	for i := range n {
		l := Layer{Name: fmt.Sprintf("layer%d", i), Kernel: []int{1, 1, 3, 5}[rng.IntN(4)],
			Src: max(network.Picture, i-1-rng.IntN(3)), Add: None, Out: channels[rng.IntN(4)],
			Act: []network.Act{network.ActNone, network.ActNone, network.ActReLU, network.ActReLU, network.ActPReLU, network.ActSiLU}[rng.IntN(6)]}
		if i == n-1 {
			l.Out = 4
		}
		l.In = 1
		if l.Src >= 0 {
			l.In = net.Layers[l.Src].Out
		}
		for a := i - 1; a >= 0; a-- {
			if net.Layers[a].Out == l.Out && rng.IntN(2) == 0 {
				l.Add = a
				break
			}
		}
		l.Prune = network.Prune{Scheme: network.Unstructured, Percent: 50}
		net.Layers = append(net.Layers, l)
	}
	randomize(net, rng)
	for i := range net.Layers {
		l := &net.Layers[i]
		row := l.Size() / l.Out
		chance := []int{1 << 30, 3, 1}[rng.IntN(3)] // no row, some rows, all rows
		for o := range l.Out {
			if l.Act == network.ActPReLU && rng.IntN(3) == 0 {
				l.Slope[o] = 0
			}
			if rng.IntN(chance) == 0 {
				clear(l.Weights[o*row : (o+1)*row])
				clear(l.Mask[o*row : (o+1)*row])
				l.Bias[o] = float32(rng.IntN(3)-1) / 4
			}
		}
		if rng.IntN(3) == 0 {
			clear(l.Bias)
		}
	}
	return net
}

// TestRandomGraphs holds elimination, memory and waits to the dense network on
// graphs that nobody thought of.
func TestRandomGraphs(t *testing.T) {
	rng := check.Rand(t)
	for range check.Times(300) {
		net := randomGraph(rng)
		if err := net.Validate(); err != nil {
			t.Fatal(err)
		}
		w, h := 1+rng.IntN(20), 1+rng.IntN(40)
		src := picture(rng, w*h)
		one := upscale(t, net, src, w, h, Options{Threads: 1})
		near(t, one, dense(net, src, w, h))
		if many := upscale(t, net, src, w, h, Options{Threads: 4}); !slices.Equal(one, many) {
			t.Fatal("four threads differ from one")
		}
		if t.Failed() {
			for _, l := range net.Layers {
				t.Logf("%s %d->%d k%d src %d add %d %v", l.Name, l.In, l.Out, l.Kernel, l.Src, l.Add, l.Act)
			}
			return
		}
	}
}
