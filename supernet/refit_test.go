package supernet

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// follows is a Source of pictures that a network makes out of others.
type follows struct {
	waves
	net *network.Graph
}

func (s follows) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	s.waves.Patch(rng, size, lr, hr)
	for i, v := range Reference(s.net, lr, size, size) {
		hr[i] = float32(v)
	}
}

// missing is the mean squared error of a network over a source.
func missing(net *network.Graph, src Source, size int) float64 {
	rng := rand.New(rand.NewPCG(9, 9))
	lr, hr := make([]float32, net.Colors*size*size), make([]float32, net.Colors*size*size*net.Scale*net.Scale)
	sum, n := 0.0, 0
	for range 8 {
		src.Patch(rng, size, lr, hr)
		for i, v := range Reference(net, lr, size, size) {
			d := float64(v) - float64(hr[i])
			sum += d * d
			n++
		}
	}
	return sum / float64(n)
}

// TestRefit damages the last layer of networks and wants it mended, on pictures
// that it was not refitted to, whatever the masks, and nothing else touched.
func TestRefit(t *testing.T) {
	var left []float64 // of the squared error
	for _, tt := range []struct{ scale, colors int }{{2, 1}, {3, 1}, {2, 3}} {
		sp := smallSpace(tt.scale, tt.colors)
		for _, p := range []network.Prune{{}, {Scheme: network.Block2, Percent: 50}, {Scheme: network.Unstructured, Percent: 50}} {
			g := sp.Random(check.Rand(t))
			g.Tail = p
			net, err := noisy(sp, 2).Extract(g)
			if err != nil {
				t.Fatal(err)
			}
			src := follows{waves{tt.scale, tt.colors}, net}
			const patch = 12
			f, err := NewRefit(src, tt.scale, tt.colors, RefitOptions{Count: 128, Patch: patch, Seed: 4})
			if err != nil {
				t.Fatal(err)
			}
			bad := mustLayers(net).clone()
			last := &bad.list[len(bad.list)-1]
			last.weights, last.bias = slices.Clone(last.weights), slices.Clone(last.bias)
			for i := range last.weights {
				last.weights[i] *= 0.6
			}
			for o := range last.bias {
				last.bias[o] += 0.1
			}
			hurt := bad.graph()
			was := slices.Clone(last.weights)
			got, err := f.Net(hurt)
			if err != nil {
				t.Fatal(err)
			}
			before, after := missing(hurt, src, patch), missing(got, src, patch)
			if !(after < 0.8*before) {
				t.Errorf("scale %d, %d colors, tail %v: squared error %.3g, %.3g refitted", tt.scale, tt.colors, p, before, after)
			}
			left = append(left, after/before)
			if !slices.Equal(last.weights, was) {
				t.Error("the network that was given is changed")
			}
			at := len(mustLayers(got).list) - 1
			for i, w := range mustLayers(got).list[at].weights {
				if m := mustLayers(got).list[at].mask; m != nil && m[i] == 0 && w != 0 {
					t.Fatalf("pruned weight %d has come back", i)
				}
			}
			for i := range mustLayers(got).list[:at] {
				if !slices.Equal(mustLayers(got).list[i].weights, mustLayers(net).list[i].weights) || !slices.Equal(mustLayers(got).list[i].bias, mustLayers(net).list[i].bias) {
					t.Fatalf("layer %d is changed", i)
				}
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
		}
	}
	// Where taps say nearly the same, the ridge holds a network to what it has.
	if slices.Sort(left); left[len(left)/2] > 0.1 {
		t.Errorf("of the squared error are left %.3f", left)
	}
}

// TestRefitHarmless wants a network that is as good as it can be to stay, and one
// without a living input to its last layer to stay finite.
func TestRefitHarmless(t *testing.T) {
	sp := smallSpace(2, 1)
	net, err := noisy(sp, 2).Extract(sp.Largest())
	if err != nil {
		t.Fatal(err)
	}
	src := follows{waves{2, 1}, net}
	f, err := NewRefit(src, 2, 1, RefitOptions{Count: 16, Patch: 10, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Net(net)
	if err != nil {
		t.Fatal(err)
	}
	if after := missing(got, src, 10); after > 1e-9 {
		t.Errorf("squared error %v after a refit to the network's own pictures", after)
	}
	for i := range mustLayers(net).list[:len(mustLayers(net).list)-1] {
		clear(mustLayers(net).list[i].weights)
		clear(mustLayers(net).list[i].bias)
	}
	if got, err = f.Net(net); err != nil {
		t.Fatal(err)
	}
	last := mustLayers(got).list[len(mustLayers(got).list)-1]
	for _, x := range append(slices.Clone(last.weights), last.bias...) {
		if x != x || x > 100 || x < -100 {
			t.Fatalf("a weight of %v", x)
		}
	}
}

// TestRefitAgain wants the same result from calls at once.
func TestRefitAgain(t *testing.T) {
	sp := smallSpace(2, 1)
	net, err := noisy(sp, 2).Extract(sp.Largest())
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewRefit(waves{2, 1}, 2, 1, RefitOptions{Count: 9, Patch: 9, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	var all [4]*network.Graph
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i], _ = f.Net(net) })
	}
	wg.Wait()
	at := len(mustLayers(net).list) - 1
	if all[0] == nil || slices.Equal(mustLayers(all[0]).list[at].weights, mustLayers(net).list[at].weights) {
		t.Fatal("nothing is refitted")
	}
	for _, n := range all[1:] {
		if n == nil || !slices.Equal(mustLayers(n).list[at].weights, mustLayers(all[0]).list[at].weights) || !slices.Equal(mustLayers(n).list[at].bias, mustLayers(all[0]).list[at].bias) {
			t.Fatal("calls at once give different weights")
		}
	}
}

// TestRefitOfOne wants a single patch, of which no other half tells what holds, to
// leave the network alone.
func TestRefitOfOne(t *testing.T) {
	sp := smallSpace(2, 1)
	net, err := noisy(sp, 2).Extract(sp.Largest())
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewRefit(waves{2, 1}, 2, 1, RefitOptions{Count: 1, Patch: 8, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Net(net)
	if err != nil {
		t.Fatal(err)
	}
	at := len(mustLayers(net).list) - 1
	if !slices.Equal(mustLayers(got).list[at].weights, mustLayers(net).list[at].weights) || !slices.Equal(mustLayers(got).list[at].bias, mustLayers(net).list[at].bias) {
		t.Error("one patch changes the network")
	}
}

func TestRefitRefuses(t *testing.T) {
	sp := smallSpace(2, 1)
	net, err := noisy(sp, 2).Extract(sp.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]RefitOptions{
		"count: 0":    {Count: 0, Patch: 16},
		"count: 5000": {Count: 5000, Patch: 16},
		"patch: 1":    {Count: 8, Patch: 1},
	} {
		if _, err := NewRefit(waves{2, 1}, 2, 1, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	f, err := NewRefit(waves{3, 1}, 3, 1, RefitOptions{Count: 2, Patch: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Net(net); err == nil || !strings.Contains(err.Error(), "scale 2") {
		t.Errorf("%v, want the scale named", err)
	}
	f, err = NewRefit(waves{2, 1}, 2, 1, RefitOptions{Count: 2, Patch: 8})
	if err != nil {
		t.Fatal(err)
	}
	net.Nodes[0].Weights = nil
	if _, err := f.Net(net); err == nil {
		t.Error("a broken network is refitted")
	}
}
