package network

import (
	"math"
)

// Reference computes the graph by definition, slowly, in float64: what every
// other implementation is tested against. src are Colors planes of w x h values,
// the result Colors planes of (w*Scale) x (h*Scale). The graph must be valid.
func (g *Graph) Reference(src []float32, w, h int) ([]float32, error) {
	exact := make([]float64, len(src))
	for i, v := range src {
		exact[i] = float64(v)
	}
	last, err := g.Evaluate(exact, w, h)
	if err != nil {
		return nil, err
	}
	dst := make([]float32, len(last))
	for i, v := range last {
		dst[i] = float32(v)
	}
	return dst, nil
}

// Evaluate is Reference without rounding.
func (g *Graph) Evaluate(src []float64, w, h int) (last []float64, err error) {
	err = g.Trace(src, w, h, func(_ *Node, values []float64) bool {
		last = values
		return true
	})
	return last, err
}

// Trace is Evaluate that shows the values of every node, in order, as long as see
// wants more.
func (g *Graph) Trace(src []float64, w, h int, see func(n *Node, values []float64) bool) error {
	sizes, err := g.Sizes(w, h)
	if err != nil {
		return err
	}
	channels := g.Channels()
	picture := volume{g.Colors, w, h, src}
	outs := make([]volume, len(g.Nodes))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		in := make([]volume, len(n.Inputs))
		for k, j := range n.Inputs {
			if in[k] = picture; j != Picture {
				in[k] = outs[j]
			}
		}
		outs[i] = volume{channels[i], sizes[i][0], sizes[i][1], make([]float64, channels[i]*sizes[i][0]*sizes[i][1])}
		operations[n.Op].evaluate(n, &outs[i], in)
		if !see(n, outs[i].pix) {
			break
		}
	}
	return nil
}

// volume is planar data (channels, height, width).
type volume struct {
	c, w, h int
	pix     []float64
}

func (v *volume) at(c, y, x int) *float64 { return &v.pix[(c*v.h+y)*v.w+x] }

// beyond is the value at any place, by what lies outside.
func (v *volume) beyond(c, y, x int, b Border, value float64) float64 {
	switch b {
	case Edge:
		x, y = min(max(x, 0), v.w-1), min(max(y, 0), v.h-1)
	case Reflect:
		x, y = mirror(x, v.w), mirror(y, v.h)
	default:
		if x < 0 || y < 0 || x >= v.w || y >= v.h {
			return value
		}
	}
	return *v.at(c, y, x)
}

func mirror(x, n int) int {
	if x < 0 {
		x = -x
	}
	if x >= n {
		x = 2*(n-1) - x
	}
	return x
}

// at is what an OpActivate or OpAffine makes of value v of channel c.
func (n *Node) at(c int, v float64) float64 {
	one := func(list []float32, none float64) float64 {
		switch len(list) {
		case 0:
			return none
		case 1:
			return float64(list[0])
		}
		return float64(list[c])
	}
	switch {
	case n.Op == OpAffine:
		return v*one(n.Gain, 1) + one(n.Bias, 0)
	case n.Act == ActClip:
		return min(max(v, float64(n.Lo)), float64(n.Hi))
	}
	return n.Act.Of(v, one(n.Slope, 0))
}

func (n *Node) bias(o int) float64 {
	if n.Bias == nil {
		return 0
	}
	return float64(n.Bias[o])
}

func (n *Node) conv(out *volume, in []volume) {
	a := &in[0]
	stride, groups := n.Inside()
	ins, outs := a.c/groups, out.c/groups
	k := n.Kernel
	for o := range out.c {
		for y := range out.h {
			for x := range out.w {
				sum := n.bias(o)
				for i := range ins {
					for t := range k * k {
						weight := float64(n.Weights[(o*ins+i)*k*k+t])
						sum += weight * a.beyond(o/outs*ins+i, y*stride-n.Pad[0]+t/k, x*stride-n.Pad[2]+t%k, n.Border, 0)
					}
				}
				*out.at(o, y, x) = sum
			}
		}
	}
}

func (n *Node) deconv(out *volume, in []volume) {
	a := &in[0]
	stride, groups := n.Inside()
	ins, outs := a.c/groups, out.c/groups
	k := n.Kernel
	for o := range out.c {
		for p := range out.w * out.h {
			out.pix[o*out.w*out.h+p] = n.bias(o)
		}
	}
	for i := range a.c {
		for y := range a.h {
			for x := range a.w {
				for o := range outs {
					for t := range k * k {
						oy, ox := y*stride-n.Pad[0]+t/k, x*stride-n.Pad[2]+t%k
						if oy >= 0 && ox >= 0 && oy < out.h && ox < out.w {
							*out.at(i/ins*outs+o, oy, ox) += float64(n.Weights[(i*outs+o)*k*k+t]) * *a.at(i, y, x)
						}
					}
				}
			}
		}
	}
}

func (n *Node) maxPool(out *volume, in []volume) {
	a := &in[0]
	stride, _ := n.Inside()
	for c := range out.c {
		for y := range out.h {
			for x := range out.w {
				best := math.Inf(-1)
				for t := range n.Kernel * n.Kernel {
					best = max(best, a.beyond(c, y*stride-n.Pad[0]+t/n.Kernel, x*stride-n.Pad[2]+t%n.Kernel, Zeros, math.Inf(-1)))
				}
				*out.at(c, y, x) = best
			}
		}
	}
}

func (n *Node) resize(out *volume, in []volume) {
	a := &in[0]
	for c := range out.c {
		for y := range out.h {
			for x := range out.w {
				var sum float64
				rows, columns := n.AppendTaps(nil, y, a.h, out.h), n.AppendTaps(nil, x, a.w, out.w)
				for _, r := range rows {
					for _, q := range columns {
						sum += r.Weight * q.Weight * *a.at(c, r.At, q.At)
					}
				}
				*out.at(c, y, x) = sum
			}
		}
	}
}

// Tap is one value that an interpolated one is made of, along one axis.
type Tap struct {
	At     int
	Weight float64
}

// AppendTaps appends what the resized value at place out of outs is made of,
// along an axis of ins values: one tap, two or four, by Interp.
func (n *Node) AppendTaps(taps []Tap, out, ins, outs int) []Tap {
	scale := float64(outs) / float64(ins)
	if n.Factor > 0 {
		scale = float64(n.Factor)
	}
	var at float64
	switch n.Coord {
	case HalfPixel:
		at = (float64(out)+0.5)/scale - 0.5
	case TorchHalfPixel:
		if outs > 1 {
			at = (float64(out)+0.5)/scale - 0.5
		}
	case Asymmetric:
		at = float64(out) / scale
	case AlignCorners:
		if outs > 1 {
			at = float64(out) * float64(ins-1) / float64(outs-1)
		}
	}
	inside := func(i int) int { return min(max(i, 0), ins-1) }
	switch n.Interp {
	case Nearest:
		var place float64
		switch n.Rounding {
		case RoundPreferFloor:
			place = math.Ceil(at - 0.5)
		case RoundPreferCeil:
			place = math.Floor(at + 0.5)
		case Floor:
			place = math.Floor(at)
		case Ceil:
			place = math.Ceil(at)
		}
		return append(taps, Tap{inside(int(place)), 1})
	case Linear:
		low := math.Floor(at)
		f := at - low
		return append(taps, Tap{inside(int(low)), 1 - f}, Tap{inside(int(low) + 1), f})
	}
	low := math.Floor(at)
	for k := -1; k <= 2; k++ {
		taps = append(taps, Tap{inside(int(low) + k), keys(at-low-float64(k), n.CubicA)})
	}
	return taps
}

// keys is the cubic convolution kernel of Keys 1981 with parameter a.
func keys(d, a float64) float64 {
	d = math.Abs(d)
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}
