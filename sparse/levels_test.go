package sparse

import (
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// lowPath adds what goes down by pools and strides and comes back to the size of
// node x.
func lowPath(d *drawing, rng *rand.Rand, x int) int {
	y, level := x, 1
	for range 1 + rng.IntN(3) {
		step := 1 + rng.IntN(3)
		if level*step > 12 {
			step = 1
		}
		level *= step
		k := step + rng.IntN(5)
		pad := func() int { return rng.IntN(min(k, 4)) }
		pads := [4]int{pad(), pad(), pad(), pad()}
		switch c := d.channels(y); rng.IntN(4) {
		case 0:
			y = d.add(network.Node{Op: network.OpMaxPool, Inputs: []int{y}, Kernel: k, Stride: step, Pad: pads})
		case 1:
			y = d.add(network.Node{Op: network.OpAvgPool, Inputs: []int{y}, Kernel: k, Stride: step, Pad: pads, Counted: rng.IntN(2) == 0})
		case 2:
			if step > 1 {
				f := 1 + rng.IntN(6)
				y = d.add(network.Node{Op: network.OpConv, Inputs: []int{y}, Out: f, Kernel: 3, Stride: step, Pad: [4]int{1, rng.IntN(2), 1, rng.IntN(2)},
					Weights: d.values(f*c*9, 0.2), Bias: d.values(f, 0.1)})
			} else {
				y = d.conv(y, 1+rng.IntN(6), 3, 1)
			}
		case 3:
			y = d.act(d.conv(y, 1+rng.IntN(6), []int{1, 3, 5}[rng.IntN(3)], 1), network.Act(rng.IntN(8)))
		}
	}
	back := network.Node{Op: network.OpResize, Inputs: []int{y, x}, Interp: network.Interp(rng.IntN(3)), Coord: network.Coord(rng.IntN(4)),
		Rounding: network.Rounding(rng.IntN(4)), CubicA: -0.5}
	return d.add(back)
}

// TestLevels: networks with layers of fewer rows run in bands and give what they
// are defined to give, the same bits on any number of threads, also where a band
// is a few rows.
func TestLevels(t *testing.T) {
	rng := check.Rand(t)
	bands, most := 0, 0
	n := check.Times(150)
	for i := range n {
		d := draw(rng, 1+rng.IntN(4), 1)
		x := d.act(d.conv(network.Picture, 1+rng.IntN(6), 3, 1), network.ActReLU)
		if rng.IntN(4) == 0 {
			x = network.Picture
		}
		for range 1 + rng.IntN(2) {
			low := lowPath(d, rng, x)
			low = d.conv(low, d.channels(x), 1, 1)
			x = d.two([]network.Op{network.OpMul, network.OpAdd}[rng.IntN(2)], x, low)
		}
		d.shuffle(d.conv(x, d.g.Scale*d.g.Scale, 3, 1), d.g.Scale, false)
		if err := d.g.Validate(); err != nil {
			continue // a picture too small for its pools, or the like
		}
		w, h := 12+rng.IntN(12), 24+rng.IntN(70)
		if _, err := d.g.Sizes(w, h); err != nil {
			continue
		}
		set := kernel.Sets()[i%len(kernel.Sets())]
		one := holds(t, d.g, w, h, Options{Kernels: set.Name, Threads: 1})
		if t.Failed() {
			t.Log(one.Passes())
			return
		}
		if one.c.net.planes {
			continue
		}
		bands++
		src := picture(rng, w*h)
		want, got := make([]float32, len(src)*d.g.Scale*d.g.Scale), make([]float32, len(src)*d.g.Scale*d.g.Scale)
		if err := one.Upscale(want, src, w, h); err != nil {
			t.Fatal(err)
		}
		many, err := Compile(d.g, Options{Kernels: set.Name, Threads: 5})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // memory of the last frame must not matter
			clear(got)
			if many.frame != nil {
				many.frame.pace = pace{} // never alone
			}
			if err := many.Upscale(got, src, w, h); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%dx%d: five threads differ from one: %v", w, h, many.Passes())
			}
		}
		most = max(most, many.frame.plan.bands)
		many.Close()
	}
	if bands < n/2 || most < 4 {
		t.Errorf("%d of %d networks ran in bands, at most %d of them", bands, n, most)
	}
}

// TestGated: networks of ours with gates of fewer rows run in bands, whatever the
// size of the picture.
func TestGated(t *testing.T) {
	rng := check.Rand(t)
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Attend: space.Once(), space.Plain: {1}}, Activations: space.Activations()}
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8, 12}, Slots: []space.Slot{slot, slot, slot}, Schemes: network.Schemes(), Percents: []int{25, 50}}
	gated := 0
	for range check.Times(40) {
		g := sp.Shape(sp.Random(rng))
		g.Fill(func(*network.Node, int) float32 { return float32(rng.NormFloat64()) * 0.2 })
		p := holds(t, g, 1+rng.IntN(30), 1+rng.IntN(30), Options{Threads: 1 + rng.IntN(3)})
		if p.c.net.planes {
			t.Fatal("over planes")
		}
		if p.c.net.mixed {
			gated++
		}
	}
	if gated == 0 {
		t.Error("none had a gate")
	}
}
