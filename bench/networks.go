package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"evosr/onnx"
	"evosr/space"
)

// network is one architecture of the table.
type network struct {
	name  string
	what  string               // one line for the legend
	shape func() *space.Subnet // layers without weights, all dense
}

// networks are those that the runtime can load. The multiply-adds of the first
// four at 320x180 pixels in are those of the rivals' table that they continue:
// 2.25, 14.0, 4.03 and 1.42 GMAC.
func networks() []network {
	return []network{
		{"wdsr-16x8", "WDSR-B-like, RGB x4: 16 channels, 8 wide blocks of expansion 4", func() *space.Subnet { return wdsr(16, 8) }},
		{"wdsr-32x16", "WDSR-B-like, RGB x4: 32 channels, 16 wide blocks of expansion 4", func() *space.Subnet { return wdsr(32, 16) }},
		{"plain-32", "RGB x4: 3x3 convolutions 3-32, six times 32-32 with ReLU, 32-48", plain},
		{"espcn-relu", "ESPCN's shape with ReLU in place of tanh, luma x4: 5x5 1-64, 3x3 64-32, 3x3 32-16", espcn},
		{"searched-125k", "luma x4: 28 channels, 10 wide blocks of expansions 3 to 6, a shape of the space in configs/paper.yaml", searched},
	}
}

// absent names the rows that wait for operators which onnx.Subnet refuses, so
// that the table says what it does not hold.
func absent() []string {
	return []string{"FSRCNN: PRelu, ConvTranspose", "ESPCN as published: Tanh", "ECBSR-M4C16 (deployed): PRelu"}
}

// variant is one way to prune every layer but the 5x5 skip.
type variant struct {
	name  string
	prune space.Prune
}

// variants are the rows of each network, the dense one first.
func variants() []variant {
	list := []variant{{name: "dense"}}
	for _, p := range []space.Prune{
		{Scheme: space.Block4, Percent: 50}, {Scheme: space.Block4, Percent: 75}, {Scheme: space.Block4, Percent: 90},
		{Scheme: space.Unstructured, Percent: 75}, {Scheme: space.Unstructured, Percent: 90},
	} {
		list = append(list, variant{fmt.Sprintf("%v@%d", p.Scheme, p.Percent), p})
	}
	return list
}

func wdsr(width, blocks int) *space.Subnet {
	sp := &space.Space{Scale: 4, Colors: 3}
	g := space.Genome{Width: width}
	for range blocks {
		g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: 4})
	}
	return sp.Shape(g)
}

func searched() *space.Subnet {
	sp := &space.Space{Scale: 4, Colors: 1}
	g := space.Genome{Width: 28}
	for _, expansion := range []float64{3, 4, 4, 5, 3, 4, 6, 3, 4, 4} {
		g.Slots = append(g.Slots, space.Gene{Kind: space.Wide, Expansion: expansion})
	}
	return sp.Shape(g)
}

func plain() *space.Subnet {
	const width, scale, colors = 32, 4, 3
	channels := []int{colors}
	for range 7 {
		channels = append(channels, width)
	}
	return chain(scale, colors, []int{3, 3, 3, 3, 3, 3, 3, 3}, append(channels, colors*scale*scale))
}

func espcn() *space.Subnet {
	return chain(4, 1, []int{5, 3, 3}, []int{1, 64, 32, 16})
}

// chain makes convolutions one after another, with ReLU between them.
func chain(scale, colors int, kernels, channels []int) *space.Subnet {
	net := &space.Subnet{Scale: scale, Colors: colors}
	for i, k := range kernels {
		net.Layers = append(net.Layers, space.Layer{
			Name: fmt.Sprintf("conv%d", i+1), In: channels[i], Out: channels[i+1], Kernel: k,
			Src: i - 1, Add: space.None, ReLU: i < len(kernels)-1,
		})
	}
	return net
}

// skipLayer is the one that Space.Shape never prunes.
const skipLayer = "skip"

// build draws the network's weights, the same ones for every variant, and
// prunes them by magnitude. Their variance keeps values near those of the
// picture through all layers, however pruned, so that differences between
// runtimes mean something.
func (n *network) build(v variant) *space.Subnet {
	seed := fnv.New64a()
	seed.Write([]byte(n.name))
	rng := rand.New(rand.NewPCG(seed.Sum64(), 1))
	net := n.shape()
	var masker space.Masker
	for i := range net.Layers {
		l := &net.Layers[i]
		gain := 1.0
		switch {
		case l.ReLU:
			gain = 2 // half of the variance goes
		case l.Add != space.None:
			gain = 0.1 // a residual adds to what is there
		}
		deviation := math.Sqrt(gain / float64(l.In*l.Kernel*l.Kernel))
		l.Weights, l.Bias = make([]float32, l.Size()), make([]float32, l.Out)
		for j := range l.Weights {
			l.Weights[j] = float32(deviation * rng.NormFloat64())
		}
		for j := range l.Bias {
			l.Bias[j] = float32(0.05 * rng.NormFloat64())
		}
		if v.prune.Scheme == space.Dense || l.Name == skipLayer {
			continue
		}
		l.Prune = v.prune
		l.Mask = make([]uint8, l.Size())
		masker.Mask(l.Mask, l.Weights, l.Out, l.In, l.Kernel, l.Prune)
		prune(l.Weights, l.Mask)
	}
	return net
}

// prune zeroes what the mask prunes and scales the rest to the same sum of
// squares.
func prune(weights []float32, mask []uint8) {
	var all, kept float64
	for i, w := range weights {
		square := float64(w) * float64(w)
		all += square
		kept += square * float64(mask[i])
	}
	scale := float32(math.Sqrt(all / kept))
	for i, m := range mask {
		weights[i] *= scale * float32(m)
	}
}

// file is the network as ONNX for pictures of that size. Every runtime reads
// these bytes.
func (n *network) file(v variant, s size) ([]byte, error) {
	var b bytes.Buffer
	if err := onnx.Export(&b, n.build(v), onnx.ExportOptions{Width: s.w, Height: s.h}); err != nil {
		return nil, fmt.Errorf("bench: %s %s: %w", n.name, v.name, err)
	}
	return b.Bytes(), nil
}

// size is a picture's, in pixels.
type size struct{ w, h int }

func (s size) String() string { return fmt.Sprintf("%dx%d", s.w, s.h) }

// picture draws colors planes with edges, slopes and grain, studio range / 255.
func picture(s size, colors int) []float32 {
	rng := rand.New(rand.NewPCG(7, 7))
	out := make([]float32, 0, colors*s.w*s.h)
	for c := range colors {
		for y := range s.h {
			for x := range s.w {
				v := 0.5 + 0.2*math.Sin(float64(x)/(9+float64(c)))*math.Cos(float64(y)/13)
				if (x/24+y/24)%2 == 0 {
					v += 0.15
				}
				out = append(out, float32(v+0.04*(rng.Float64()-0.5)))
			}
		}
	}
	return out
}
