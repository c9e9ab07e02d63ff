package supernet

import (
	"evosr/network"
)

// Reference runs a network with plain loops in float64: the oracle that the
// trainer, the sparse runtime and the exported files are held against. src is
// Colors planes of w x h values; the result is Colors planes of w*Scale x
// h*Scale values, not clipped.
//
// Layers that read the picture see its edge values repeated outside, all others
// see zeros.
func Reference(net *network.Subnet, src []float32, w, h int) []float32 {
	pic := make([]float64, len(src))
	for i, v := range src {
		pic[i] = float64(v)
	}
	outs := reference(net, weights64(net), pic, w, h)
	out, s := outs[len(outs)-1], net.Scale
	dst := make([]float32, len(out))
	for ch := range len(out) / (w * h) {
		c, i, j := ch/(s*s), ch/s%s, ch%s
		for y := range h {
			for x := range w {
				dst[((c*h+y)*s+i)*w*s+x*s+j] = float32(out[(ch*h+y)*w+x])
			}
		}
	}
	return dst
}

// layer64 is the numbers of one layer in float64.
type layer64 struct{ weights, bias, slope []float64 }

func weights64(net *network.Subnet) []layer64 {
	list := make([]layer64, len(net.Layers))
	for i := range net.Layers {
		l := &net.Layers[i]
		n := layer64{make([]float64, len(l.Weights)), make([]float64, len(l.Bias)), make([]float64, len(l.Slope))}
		for j, v := range l.Weights {
			if l.Mask == nil || l.Mask[j] != 0 {
				n.weights[j] = float64(v)
			}
		}
		for j, v := range l.Bias {
			n.bias[j] = float64(v)
		}
		for j, v := range l.Slope {
			n.slope[j] = float64(v)
		}
		list[i] = n
	}
	return list
}

// reference returns the output of every layer, (channels, height, width).
func reference(net *network.Subnet, numbers []layer64, pic []float64, w, h int) [][]float64 {
	outs := make([][]float64, len(net.Layers))
	for i := range net.Layers {
		outs[i] = runLayer(&net.Layers[i], numbers[i], outs, pic, w, h)
	}
	return outs
}

// runLayer computes one layer from the outputs of those before it.
func runLayer(l *network.Layer, numbers layer64, outs [][]float64, pic []float64, w, h int) []float64 {
	src, edge := pic, true
	if l.Src != network.Picture {
		src, edge = outs[l.Src], false
	}
	dst := make([]float64, l.Out*h*w)
	for o := range l.Out {
		plane := dst[o*h*w : (o+1)*h*w]
		for p := range plane {
			plane[p] = numbers.bias[o]
		}
		for c := range l.In {
			for t := range l.Kernel * l.Kernel {
				weight := numbers.weights[(o*l.In+c)*l.Kernel*l.Kernel+t]
				if weight != 0 {
					addShifted(plane, src[c*h*w:(c+1)*h*w], weight, w, h,
						t%l.Kernel-l.Kernel/2, t/l.Kernel-l.Kernel/2, edge)
				}
			}
		}
	}
	if l.Add != network.None {
		for p, v := range outs[l.Add] {
			dst[p] += v
		}
	}
	if l.Act != network.ActNone {
		slope := 0.0
		for p, v := range dst {
			if len(numbers.slope) > 0 {
				slope = numbers.slope[p/(h*w)]
			}
			dst[p] = l.Act.Of(v, slope)
		}
	}
	return dst
}

// addShifted adds weight times src, moved by (dx, dy), to dst; outside src lie
// its edge values or zeros.
func addShifted(dst, src []float64, weight float64, w, h, dx, dy int, edge bool) {
	for y := range h {
		for x := range w {
			sx, sy := x+dx, y+dy
			if edge {
				sx, sy = min(max(sx, 0), w-1), min(max(sy, 0), h-1)
			} else if sx < 0 || sx >= w || sy < 0 || sy >= h {
				continue
			}
			dst[y*w+x] += weight * src[sy*w+sx]
		}
	}
}
