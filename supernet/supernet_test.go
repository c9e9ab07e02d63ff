package supernet

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"evosr/imaging"
	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// TestStartsBicubic wants the skip to be MATLAB's bicubic away from the border,
// and a whole new network to be it up to a small noise.
func TestStartsBicubic(t *testing.T) {
	forScales(t, func(t *testing.T, sp *space.Space) {
		rng := check.Rand(t)
		const w, h = 14, 11
		var lr []float32
		var want []*imaging.Plane
		for range sp.Colors {
			p := imaging.NewPlane(w, h)
			copy(p.Pix, randomPlanes(rng, w*h))
			lr = append(lr, p.Pix...)
			want = append(want, imaging.Upscale(p, sp.Scale))
		}
		s := New(sp, rng.Uint64())
		noise := func(net *network.Graph) (worst, mean float64) {
			n := 0
			out := Reference(net, lr, w, h)
			W, H, edge := w*sp.Scale, h*sp.Scale, 2*sp.Scale
			for c := range sp.Colors {
				for y := edge; y < H-edge; y++ {
					for x := edge; x < W-edge; x++ {
						d := math.Abs(float64(out[(c*H+y)*W+x] - want[c].Row(y)[x]))
						worst, mean, n = max(worst, d), mean+d, n+1
					}
				}
			}
			return worst, mean / float64(n)
		}
		net, err := s.Extract(sp.Largest())
		if err != nil {
			t.Fatal(err)
		}
		if _, mean := noise(net); mean > 0.01 {
			t.Errorf("a new network is %v off bicubic on average, want at most 0.01", mean)
		}
		clear(mustLayers(net).list[len(mustLayers(net).list)-1].weights)
		if worst, _ := noise(net); worst > 1e-6 {
			t.Errorf("without its tail it is up to %v off bicubic", worst)
		}
	})
}

// TestExtract wants the first channels of the shared tensors, masked, and a
// channel that the filter scheme removes to be gone with its bias.
func TestExtract(t *testing.T) {
	rng := check.Rand(t)
	sp := smallSpace(2, 1)
	s := noisy(sp, 1)
	for range 20 {
		g := sp.Random(rng)
		net, err := s.Extract(g)
		if err != nil {
			t.Fatal(err)
		}
		if net.Genome != g.String() {
			t.Fatalf("genome %v, want %v", net.Genome, g)
		}
		for i := range mustLayers(net).list {
			l := &mustLayers(net).list[i]
			if !l.conv() {
				continue
			}
			tens := &s.bank.tensors[s.index[ref{0, tensorName(l.name, g)}]]
			kk := l.kernel * l.kernel
			for o := range l.out {
				gone := l.prune.Scheme == network.Filter && !slices.Contains(l.mask[o*l.in*kk:(o+1)*l.in*kk], 1)
				want := s.bank.bias(tens)[o]
				if gone {
					want = 0
				}
				if l.bias[o] != want {
					t.Fatalf("%v: %s: bias %d is %v, want %v", g, l.name, o, l.bias[o], want)
				}
				for c := range l.in {
					for k := range kk {
						at := (o*l.in+c)*kk + k
						want := s.bank.weights(tens)[(o*tens.in+c)*kk+k]
						if l.mask != nil && l.mask[at] == 0 {
							want = 0
						}
						if l.weights[at] != want {
							t.Fatalf("%v: %s: weight (%d, %d, %d) is %v, want %v", g, l.name, o, c, k, l.weights[at], want)
						}
					}
				}
			}
			if (l.mask == nil) != (l.prune.Scheme == network.Dense) {
				t.Errorf("%s: pruned by %v, mask of %d", l.name, l.prune.Scheme, len(l.mask))
			}
		}
		mustLayers(net).list[0].weights[0]++
		if again, _ := s.Extract(g); mustLayers(again).list[0].weights[0] == mustLayers(net).list[0].weights[0] {
			t.Fatal("a subnet shares memory with the supernet")
		}
	}
	if _, err := s.Extract(space.Genome{Width: 5}); err == nil {
		t.Error("a genome of another space: no error")
	}
}

// TestBlockSize holds the choice of list shapes at its clear cases.
func TestBlockSize(t *testing.T) {
	tests := []struct {
		p         network.Prune
		transpose bool
		want      int
	}{
		{network.Prune{}, false, 8},
		{network.Prune{}, true, 8},
		{network.Prune{Scheme: network.Block4, Percent: 75}, false, 4},
		{network.Prune{Scheme: network.Block8, Percent: 75}, false, 8},
		{network.Prune{Scheme: network.Filter, Percent: 50}, true, 8},
		{network.Prune{Scheme: network.Unstructured, Percent: 25}, false, 8},
		{network.Prune{Scheme: network.Unstructured, Percent: 95}, false, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.p, tt.transpose), func(t *testing.T) {
			if got, _ := blockSize(tt.p, tt.transpose); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
