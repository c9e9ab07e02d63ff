package main

import (
	"math"
	"testing"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/onnx"
)

func TestNetworks(t *testing.T) {
	s := size{32, 18}
	for _, n := range networks() {
		whole := 0.0
		for _, v := range variants() {
			file, err := n.file(v, s)
			if err != nil {
				t.Fatal(err)
			}
			p, err := ours{kernel.Best()}.load(file, picture(s, n.colors()), s, 1)
			if err != nil {
				t.Fatalf("%s %s: %v", n.name, v.name, err)
			}
			kept, dense := p.p.MACs()
			if v.dense() {
				whole = float64(dense)
				if got := whole * 320 * 180 / 1e9; math.Abs(got/n.gmac-1) > 0.005 {
					t.Errorf("%s: %.3f GMAC, want %.3g", n.name, got, n.gmac)
				}
				if n.name == "searched-125k" && math.Abs(float64(p.p.Params())/125_000-1) > 0.02 {
					t.Errorf("%s: %d weights, want about 125,000", n.name, p.p.Params())
				}
			}
			// The skip stays whole, so more than the rest is kept.
			want := 1 - float64(v.prune.Percent)/100
			if share := float64(kept) / whole; share < want-0.02 || share > want+0.1 {
				t.Errorf("%s %s: %.3f of the weights kept, want about %.2f", n.name, v.name, share, want)
			}
			if err := p.close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPublished holds the runtime to the definition of every operator, so that
// rivals and we cannot be wrong together unseen.
func TestPublished(t *testing.T) {
	s := size{20, 13}
	for _, n := range networks() {
		for _, v := range []variant{variants()[0], variants()[3]} {
			file, err := n.file(v, s)
			if err != nil {
				t.Fatal(err)
			}
			src := picture(s, n.colors())
			m, err := onnx.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			g, err := m.Graph(onnx.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := g.Reference(src, s.w, s.h)
			if err != nil {
				t.Fatal(err)
			}
			p, err := ours{kernel.Best()}.load(file, src, s, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.run(); err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, v := range p.dst {
				worst = max(worst, math.Abs(float64(v)-float64(want[i])))
			}
			if !(worst <= tolerance) || len(p.dst) != len(want) {
				t.Errorf("%s %s: differs by %g, want at most %g", n.name, v.name, worst, tolerance)
			}
			p.close()
		}
	}
}

// TestMaskDeconv: runs of one row go together, as many as asked for.
func TestMaskDeconv(t *testing.T) {
	const kernelSide, stride = 9, 4
	n := subject{name: "fsrcnn"}
	g := fsrcnn()
	fill(g, n.random(), network.Prune{})
	w := g.Nodes[len(g.Nodes)-1].Weights
	for _, v := range variants()[1:] {
		mask := make([]uint8, len(w))
		maskDeconv(mask, w, kernelSide, stride, v.prune)
		kept := 0
		for i, m := range mask {
			kept += int(m)
			if x := i % kernelSide; v.prune.Scheme == network.Block4 && x%stride != 0 && m != mask[i-1] {
				t.Fatalf("%s: weight %d is apart from its run", v.name, i)
			}
		}
		if share, want := float64(kept)/float64(len(w)), 1-float64(v.prune.Percent)/100; math.Abs(share-want) > 0.001 {
			t.Errorf("%s: %.4f kept, want %.2f", v.name, share, want)
		}
	}
}
