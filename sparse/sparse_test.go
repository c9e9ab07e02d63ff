package sparse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// randomize gives a shape weights that keep activations near one, slopes and masks.
func randomize(net *Subnet, rng *rand.Rand) *Subnet {
	var m network.Masker
	for i := range net.Layers {
		l := &net.Layers[i]
		l.Weights, l.Bias, l.Mask = make([]float32, l.Size()), make([]float32, l.Out), make([]uint8, l.Size())
		for j := range l.Weights {
			l.Weights[j] = float32(rng.NormFloat64() / math.Sqrt(float64(l.In*l.Kernel*l.Kernel)))
		}
		if l.Slope, l.Learned = nil, l.Act == network.ActPReLU; l.Act == network.ActPReLU {
			for range l.Out {
				l.Slope = append(l.Slope, rng.Float32())
			}
		}
		m.Mask(l.Mask, l.Weights, l.Out, l.In, l.Kernel, l.Prune)
		for j, keep := range l.Mask {
			if keep == 0 {
				l.Weights[j] = 0
			}
		}
		for o := range l.Bias {
			// Filter pruning leaves channels of nothing, without bias.
			if row := l.Mask[o*l.Size()/l.Out : (o+1)*l.Size()/l.Out]; slices.Contains(row, 1) {
				l.Bias[o] = float32(rng.NormFloat64()) / 10
			}
		}
	}
	return net
}

// general is a space with everything in it that layers of one size can say.
func general(scale, colors int) *space.Space {
	slot := space.Slot{Skip: true, Blocks: space.Every(0.5, 1, 2), Activations: space.Activations()}
	slot.Blocks[space.Attend] = nil
	return &space.Space{Scale: scale, Colors: colors, Widths: []int{4, 8, 12}, Slots: []space.Slot{slot, slot, slot},
		Schemes: network.Schemes(), Percents: []int{25, 50, 75, 90}}
}

// dense is the network in float64 by definition: no masks, no lists, no bands.
func dense(net *Subnet, src []float32, w, h int) []float32 {
	outs := make([][]float64, len(net.Layers))
	for i := range net.Layers {
		l := &net.Layers[i]
		outs[i] = make([]float64, l.Out*w*h)
		at := func(c, y, x int) float64 {
			if l.Src == network.Picture {
				return float64(src[(c*h+min(max(y, 0), h-1))*w+min(max(x, 0), w-1)])
			}
			if x < 0 || y < 0 || x >= w || y >= h {
				return 0
			}
			return outs[l.Src][(c*h+y)*w+x]
		}
		for o := range l.Out {
			for p := range w * h {
				sum := float64(l.Bias[o])
				for c := range l.In {
					for t := range l.Kernel * l.Kernel {
						sum += float64(l.Weights[(o*l.In+c)*l.Kernel*l.Kernel+t]) * at(c, p/w+t/l.Kernel-l.Kernel/2, p%w+t%l.Kernel-l.Kernel/2)
					}
				}
				if l.Add >= 0 {
					sum += outs[l.Add][o*w*h+p]
				}
				slope := 0.0
				if l.Act == network.ActPReLU {
					slope = float64(l.Slope[o])
				}
				sum = l.Act.Of(sum, slope)
				outs[i][o*w*h+p] = sum
			}
		}
	}
	s := net.Scale
	last, dst := outs[len(outs)-1], make([]float32, net.Colors*w*h*s*s)
	for c := range net.Colors {
		for y := range h * s {
			for x := range w * s {
				dst[(c*h*s+y)*w*s+x] = float32(last[((c*s*s+y%s*s+x%s)*h+y/s)*w+x/s])
			}
		}
	}
	return dst
}

func picture(rng *rand.Rand, n int) []float32 {
	p := make([]float32, n)
	for i := range p {
		p[i] = rng.Float32()
	}
	return p
}

// upscale compiles and runs once.
func upscale(t *testing.T, net *Subnet, src []float32, w, h int, o Options) []float32 {
	t.Helper()
	set, err := o.set()
	if err != nil {
		t.Fatal(err)
	}
	return upscaleOn(t, net, src, w, h, set, o)
}

// upscaleOn is upscale on kernels that need not be of Sets.
func upscaleOn(t *testing.T, net *Subnet, src []float32, w, h int, set *kernel.Set, o Options) []float32 {
	t.Helper()
	p, err := compileOn(net.Graph(), set, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dst := check.Guarded(t, rand.New(rand.NewPCG(1, 2)), len(src)*net.Scale*net.Scale)
	if err := p.Upscale(dst, slices.Clone(src), w, h); err != nil {
		t.Fatal(err)
	}
	return dst
}

// lone is a layer as the compiler would get it, of no network.
func lone(l *Layer) *layer {
	return &layer{
		name: l.Name, op: network.OpConv, in: l.In, out: l.Out, kernel: l.Kernel, groups: 1, weights: l.Weights, mask: l.Mask, bias: l.Bias, act: l.Act, prune: l.Prune,
		reads: []read{{layer: network.Picture, channels: l.In, reach: l.Kernel / 2}}, origin: network.Origin{Weights: 1},
	}
}

func near(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= 1e-4*max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("value %d of %d is %v, want %v", i, len(want), got[i], want[i])
		}
	}
}

// TestAgainstReference holds every scheme at every ratio, in every kind of
// block with every activation, on every set of kernels, to the dense network.
func TestAgainstReference(t *testing.T) {
	rng := check.Rand(t)
	for _, scheme := range network.Schemes() {
		for _, percent := range []int{25, 50, 75, 95} {
			if scheme == network.Dense && percent != 25 {
				continue
			}
			scale, colors := 2+rng.IntN(3), 1+2*rng.IntN(2)
			sp := general(scale, colors)
			prune := func(kernel int) network.Prune {
				if scheme == network.Dense || scheme == network.Pattern && kernel != 3 {
					return network.Prune{}
				}
				return network.Prune{Scheme: scheme, Percent: percent}
			}
			g := space.Genome{Width: sp.Widths[rng.IntN(3)], Slots: []space.Gene{
				{Kind: space.Wide, Expansion: 2, Prune: [space.MaxConvs]network.Prune{prune(1), prune(1), prune(3)}},
				{Kind: space.Plain, Expansion: 1, Prune: [space.MaxConvs]network.Prune{prune(3), prune(3)}},
				{Kind: space.Lean, Prune: [space.MaxConvs]network.Prune{prune(3)}}}}
			for i := range g.Slots {
				g.Slots[i].Activation = space.Activations()[(int(scheme)+percent/25+i)%len(space.Activations())]
			}
			if scheme != network.Filter {
				g.Head, g.Tail = prune(3), prune(3)
			}
			if err := sp.Check(space.Genome{Width: g.Width, Slots: []space.Gene{{}, {}, {}}}); err != nil {
				t.Fatal(err)
			}
			net := randomize(shape(sp, g), rng)
			w, h := 1+rng.IntN(40), 1+rng.IntN(12)
			src := picture(rng, colors*w*h)
			want := dense(net, src, w, h)
			for _, set := range kernel.Sets() {
				t.Run(fmt.Sprintf("%v@%d/x%d/%s", scheme, percent, scale, set.Name), func(t *testing.T) {
					near(t, upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: 1 + rng.IntN(3)}), want)
				})
			}
		}
	}
}

// TestRandomSubnets draws from the whole space.
func TestRandomSubnets(t *testing.T) {
	rng := check.Rand(t)
	for n := range 24 {
		sp := general(2+n%3, 1+n%2*2)
		g := sp.Random(rng)
		net := randomize(shape(sp, g), rng)
		w, h := 1+rng.IntN(70), 1+rng.IntN(20)
		src := picture(rng, sp.Colors*w*h)
		want := dense(net, src, w, h)
		set := kernel.Sets()[n%len(kernel.Sets())]
		one := upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: 1})
		near(t, one, want)
		for _, threads := range []int{2, 3, 8} {
			if many := upscale(t, net, src, w, h, Options{Kernels: set.Name, Threads: threads}); !slices.Equal(one, many) {
				t.Fatalf("%v at %dx%d: %d threads differ from one", g, w, h, threads)
			}
		}
	}
}

// TestManyBands makes pictures of many small bands and deep lags, where a wrong
// wait or a tensor shared too early would show.
func TestManyBands(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {1}, space.Plain: {1}, space.Lean: space.Once()}}
	sp.Slots = slices.Repeat([]space.Slot{slot}, 12)
	for range check.Times(6) {
		g := sp.Random(rng)
		g.Width = 8
		net := randomize(shape(sp, g), rng)
		w, h := 17, 90
		src := picture(rng, w*h)
		one := upscale(t, net, src, w, h, Options{Threads: 1})
		near(t, one, dense(net, src, w, h))
		p, err := Compile(net.Graph(), Options{Threads: 6})
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]float32, len(one))
		for range check.Times(20) { // memory of the last frame must not matter
			clear(dst)
			if p.frame != nil {
				p.frame.pace = pace{} // never alone
			}
			if err := p.Upscale(dst, src, w, h); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(dst, one) {
				t.Fatalf("%v: six threads differ from one", g)
			}
		}
		p.Close()
	}
}

func TestSizes(t *testing.T) {
	rng := check.Rand(t)
	sp := general(3, 3)
	net := randomize(shape(sp, sp.Largest()), rng)
	p, err := Compile(net.Graph(), Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {2, 2}, {16, 3}, {17, 5}, {33, 2}, {1, 1}, {9, 1}, {100, 1}} {
		w, h := size[0], size[1]
		src := picture(rng, 3*w*h)
		dst := make([]float32, 9*len(src))
		if err := p.Upscale(dst, src, w, h); err != nil {
			t.Fatal(err)
		}
		near(t, dst, dense(net, src, w, h))
	}
}

func TestRefusals(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	net := randomize(shape(sp, sp.Largest()), rng)
	p, err := Compile(net.Graph(), Options{Threads: 1, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]float32, 400*400*4)
	for _, tt := range []struct {
		name     string
		dst, src []float32
		w, h     int
	}{
		{"no width", buf[:0], buf[:0], 0, 4},
		{"negative height", buf[:4], buf[:1], 1, -1},
		{"short source", buf[:16], buf[:3], 2, 2},
		{"short destination", buf[:15], buf[:4], 2, 2},
		{"sides that overflow", buf[:0], buf[:0], 1 << 62, 4},
		{"too large a side", buf, buf, 1 << 25, 1 << 39},
		{"more memory than allowed", buf, buf[:400*400], 400, 400},
	} {
		if err := p.Upscale(tt.dst, tt.src, tt.w, tt.h); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	if err := p.Upscale(buf[:16], buf[:4], 2, 2); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	// Sides that are legal one by one but far beyond memory and offsets.
	if _, err := p.c.newPlan(1<<24, 1<<24); err == nil {
		t.Error("a picture of 2^48 pixels was planned")
	}
	big := &compiled{net: p.c.net, info: p.c.info, cuts: p.c.cuts, threads: 1, maxBytes: math.MaxInt64, set: p.c.set}
	if _, err := big.newPlan(1<<15, 1<<15); err == nil {
		t.Error("offsets beyond 31 bits were planned")
	}
	for _, o := range []Options{{Threads: -1}, {Threads: MaxThreads + 1}, {MaxBytes: -1}} {
		if _, err := Compile(net.Graph(), o); err == nil {
			t.Errorf("Compile took %+v", o)
		}
	}
	net.Layers[1].Src = 5
	if _, err := Compile(net.Graph(), Options{}); err == nil {
		t.Error("Compile took a layer that reads a later one")
	}
}

func TestNoAllocation(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	p, err := Compile(randomize(shape(sp, sp.Largest()), rng).Graph(), Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	src := picture(rng, 64*48)
	dst := make([]float32, 4*len(src))
	run := func() {
		if err := p.Upscale(dst, src, 64, 48); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(check.Times(50), run); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func TestCloneAndClose(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	p, err := Compile(randomize(shape(sp, sp.Largest()), rng).Graph(), Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	src := picture(rng, 30*20)
	want := make([]float32, 4*len(src))
	if err := p.Upscale(want, src, 30, 20); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 4 {
		go func() {
			c := p.Clone()
			defer c.Close()
			dst := make([]float32, len(want))
			for range check.Times(20) {
				if err := c.Upscale(dst, src, 30, 20); err != nil {
					done <- err
					return
				}
				if !slices.Equal(dst, want) {
					done <- fmt.Errorf("a clone's picture differs")
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	p.Close()
	p.Close()
	if err := p.Upscale(want, src, 30, 20); err != ErrInUse {
		t.Errorf("a closed program says %v, want ErrInUse", err)
	}
}
