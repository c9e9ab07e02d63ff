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
func Reference(net *network.Graph, src []float32, w, h int) []float32 {
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

func weights64(net *network.Graph) []layer64 {
	list := make([]layer64, len(mustLayers(net).list))
	for i := range mustLayers(net).list {
		l := &mustLayers(net).list[i]
		n := layer64{make([]float64, len(l.weights)), make([]float64, len(l.bias)), make([]float64, len(l.slope))}
		for j, v := range l.weights {
			if l.mask == nil || l.mask[j] != 0 {
				n.weights[j] = float64(v)
			}
		}
		for j, v := range l.bias {
			n.bias[j] = float64(v)
		}
		for j, v := range l.slope {
			n.slope[j] = float64(v)
		}
		list[i] = n
	}
	return list
}

// reference returns the output of every layer, (channels, height, width).
func reference(net *network.Graph, numbers []layer64, pic []float64, w, h int) [][]float64 {
	list := mustLayers(net).list
	outs, sizes := make([][]float64, len(list)), layerSizes(list, w, h)
	for i := range list {
		outs[i] = runLayer(&list[i], numbers[i], outs, sizes, pic, w, h)
	}
	return outs
}

// layerSizes are the sizes of all outputs.
func layerSizes(list []layer, w, h int) [][2]int {
	sizes := make([][2]int, len(list))
	for i := range list {
		l := &list[i]
		of := func(j int) [2]int {
			if j < 0 {
				return [2]int{w, h}
			}
			return sizes[j]
		}
		if l.conv() {
			sizes[i] = of(l.src)
		} else {
			sizes[i] = l.of.OutputSize(func(k int) [2]int { return of(l.inputs[k]) })
		}
	}
	return sizes
}

// runOperation computes one layer that is no convolution.
func runOperation(l *layer, outs [][]float64, sizes [][2]int, size [2]int) []float64 {
	w, h := size[0], size[1]
	a, in := outs[l.inputs[0]], sizes[l.inputs[0]]
	dst := make([]float64, l.out*w*h)
	for i := range dst {
		c, y, x := i/(w*h), i/w%h, i%w
		switch n := l.of; n.Op {
		case network.OpActivate:
			dst[i] = n.Act.Of(a[i], 0)
		case network.OpAvgPool:
			stride, _ := n.Inside()
			count := 0.0
			for t := range n.Kernel * n.Kernel {
				fy, fx := y*stride-n.Pad[0]+t/n.Kernel, x*stride-n.Pad[2]+t%n.Kernel
				if fy >= 0 && fx >= 0 && fy < in[1] && fx < in[0] {
					dst[i] += a[(c*in[1]+fy)*in[0]+fx]
					count++
				}
			}
			dst[i] /= count
		case network.OpResize:
			for _, ty := range n.AppendTaps(nil, y, in[1], h) {
				for _, tx := range n.AppendTaps(nil, x, in[0], w) {
					dst[i] += ty.Weight * tx.Weight * a[(c*in[1]+ty.At)*in[0]+tx.At]
				}
			}
		default:
			dst[i] = n.Op.Pair()(a[i], outs[l.inputs[1]][i])
		}
	}
	return dst
}

// runLayer computes one layer from the outputs of those before it.
func runLayer(l *layer, numbers layer64, outs [][]float64, sizes [][2]int, pic []float64, w, h int) []float64 {
	if !l.conv() {
		return runOperation(l, outs, sizes, l.of.OutputSize(func(k int) [2]int { return sizes[l.inputs[k]] }))
	}
	if l.src != network.Picture {
		w, h = sizes[l.src][0], sizes[l.src][1]
	}
	src, edge := pic, true
	if l.src != network.Picture {
		src, edge = outs[l.src], false
	}
	dst := make([]float64, l.out*h*w)
	for o := range l.out {
		plane := dst[o*h*w : (o+1)*h*w]
		for p := range plane {
			plane[p] = numbers.bias[o]
		}
		for c := range l.in {
			for t := range l.kernel * l.kernel {
				weight := numbers.weights[(o*l.in+c)*l.kernel*l.kernel+t]
				if weight != 0 {
					addShifted(plane, src[c*h*w:(c+1)*h*w], weight, w, h,
						t%l.kernel-l.kernel/2, t/l.kernel-l.kernel/2, edge)
				}
			}
		}
	}
	if l.add != none {
		for p, v := range outs[l.add] {
			dst[p] += v
		}
	}
	if l.act != network.ActNone {
		slope := 0.0
		for p, v := range dst {
			if len(numbers.slope) > 0 {
				slope = numbers.slope[p/(h*w)]
			}
			dst[p] = l.act.Of(v, slope)
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
