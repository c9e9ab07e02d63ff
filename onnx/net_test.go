package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/network"
	"evosr/space"
)

// testSpace allows every kind of block, every scheme and every activation.
func testSpace(scale, colors int) *space.Space {
	slot := space.Slot{Skip: true, Wide: []float64{1, 2}, Plain: []float64{1, 1.5}, Lean: true, Activations: space.Activations()}
	return &space.Space{
		Scale: scale, Colors: colors, Widths: []int{4, 8, 12}, Slots: []space.Slot{slot, slot, slot},
		Schemes: network.Schemes(), Percents: []int{25, 50, 75, 90},
	}
}

// fill gives a network without weights random ones, of a size that keeps its
// values about as large as its input, and prunes them as its layers say.
func fill(rng *rand.Rand, net *network.Subnet) *network.Subnet {
	var masker network.Masker
	for i := range net.Layers {
		l := &net.Layers[i]
		l.Weights, l.Bias = make([]float32, l.Size()), make([]float32, l.Out)
		spread := 1 / math.Sqrt(float64(l.In*l.Kernel*l.Kernel))
		for j := range l.Weights {
			l.Weights[j] = float32(spread * rng.NormFloat64())
		}
		for j := range l.Bias {
			l.Bias[j] = float32(0.1 * rng.NormFloat64())
		}
		if l.Act == network.ActPReLU {
			l.Slope = slices.Repeat([]float32{0.2}, l.Out)
			for o := range l.Slope {
				if net.Layers[i].Learned {
					l.Slope[o] = float32(0.3 * rng.NormFloat64())
				}
			}
		}
		if l.Prune.Scheme == network.Dense {
			continue
		}
		l.Mask = make([]uint8, l.Size())
		masker.Mask(l.Mask, l.Weights, l.Out, l.In, l.Kernel, l.Prune)
		for j, keep := range l.Mask {
			if keep == 0 {
				l.Weights[j] = 0
			}
		}
	}
	return net
}

func randomNet(rng *rand.Rand, scale, colors int) *network.Subnet {
	sp := testSpace(scale, colors)
	return fill(rng, sp.Shape(sp.Random(rng)))
}

// netOf builds the network of a genome's text.
func netOf(t testing.TB, rng *rand.Rand, genome string, scale, colors int) *network.Subnet {
	t.Helper()
	g, err := space.ParseGenome(genome)
	if err != nil {
		t.Fatal(err)
	}
	return fill(rng, (&space.Space{Scale: scale, Colors: colors}).Shape(g))
}

func export(t testing.TB, net *network.Subnet, o ExportOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(&b, net, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// forward computes a network as its definition says, in float64, over Colors
// planes of w x h values.
func forward(net *network.Subnet, src []float32, w, h int) []float64 {
	values := make([][]float64, len(net.Layers))
	for i := range net.Layers {
		l := &net.Layers[i]
		out := make([]float64, l.Out*h*w)
		for o := range l.Out {
			for y := range h {
				for x := range w {
					at := (o*h+y)*w + x
					out[at] = float64(l.Bias[o]) + tap(net, values, src, l, o, y, x, w, h)
					if l.Add != network.None {
						out[at] += values[l.Add][at]
					}
					slope := 0.0
					if l.Act == network.ActPReLU {
						slope = float64(l.Slope[o])
					}
					out[at] = l.Act.Of(out[at], slope)
				}
			}
		}
		values[i] = out
	}
	last := values[len(values)-1]
	s := net.Scale
	sr := make([]float64, len(last))
	for c := range net.Colors {
		for y := range h * s {
			for x := range w * s {
				ch := c*s*s + y%s*s + x%s
				sr[(c*h*s+y)*w*s+x] = last[(ch*h+y/s)*w+x/s]
			}
		}
	}
	return sr
}

// tap sums one output value of a convolution.
func tap(net *network.Subnet, values [][]float64, src []float32, l *network.Layer, o, y, x, w, h int) float64 {
	var sum float64
	for i := range l.In {
		for ky := range l.Kernel {
			for kx := range l.Kernel {
				at := ((o*l.In+i)*l.Kernel+ky)*l.Kernel + kx
				if l.Mask != nil && l.Mask[at] == 0 {
					continue
				}
				yy, xx := y+ky-l.Kernel/2, x+kx-l.Kernel/2
				var v float64
				if l.Src == network.Picture {
					yy, xx = min(max(yy, 0), h-1), min(max(xx, 0), w-1)
					v = float64(src[(i*h+yy)*w+xx])
				} else if yy >= 0 && yy < h && xx >= 0 && xx < w {
					v = values[l.Src][(i*h+yy)*w+xx]
				}
				sum += v * float64(l.Weights[at])
			}
		}
	}
	return sum
}

// picture draws w x h values in [0, 1] for each color.
func picture(rng *rand.Rand, colors, w, h int) []float32 {
	p := make([]float32, colors*w*h)
	for i := range p {
		p[i] = rng.Float32()
	}
	return p
}
