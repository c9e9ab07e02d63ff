package network

import (
	"fmt"
	"math"
	"slices"
)

// Op is what a Node computes.
type Op uint8

const (
	OpConv     Op = iota // convolution with zeros or, where Edge is set, edge values outside
	OpDeconv             // transposed convolution
	OpActivate           // one of the Acts, value by value
	OpAdd                // sum of two; see Node.Inputs for broadcasting
	OpSub                // first minus second
	OpMul                // product
	OpMax                // the larger
	OpAffine             // x*Gain + Bias by channel
	OpConcat             // channels of all inputs, in their order
	OpSlice              // Out channels from channel From on
	OpShuffle            // pixel shuffle: Factor² channels become Factor x Factor pixels
	OpResize             // interpolation
	OpPad                // a border of Border values around the picture
	OpMaxPool            // the largest value under a window
	OpAvgPool            // the mean of the values under a window; of Counted ones those outside are zeros
	OpMin                // the smaller
	OpDiv                // first through second
	OpPow                // first to the power of the second
	OpMean               // the mean of each channel over the picture, at every place
	OpPeak               // the largest value of each channel, at every place
)

// operation is what the graph has to know of an operation: a row of the table.
type operation struct {
	name   string
	inputs int // how many it reads; any: one or more

	// check refuses what does not need the inputs; nil where nothing counts.
	check func(n *Node) error

	// channels are those put out for what the inputs have; nil: as the first.
	channels func(n *Node, in []int) (int, error)

	// side is the output's along one axis, 0 horizontal, 1 vertical; nil: as the
	// first input's. One below 1 is refused.
	side func(n *Node, axis int, in []int) int

	// Which numbers a node of so many channels in and out has, each list one of
	// these lengths; nil: none. Weights are Size's.
	biases, slopes, gains func(n *Node, out int) []int

	// pair is the meaning of what combines two values of one place, nil of others.
	pair func(a, b float64) float64

	// evaluate is its meaning.
	evaluate func(n *Node, out *volume, in []volume)
}

// anyInputs are one or more.
const anyInputs = -1

// operations is the table of all operations, by Op. A new one also needs a rule
// in eliminate.go where channels of its output belong to others than the same of
// its input, and an entry in the tables of the rooms that run, train, read and
// write graphs; each of these is held to this table by a test.
var operations = [...]operation{
	OpConv:     {name: "conv", inputs: 1, check: (*Node).checkWindow, channels: grouped, side: windows, biases: perFilter, evaluate: (*Node).conv},
	OpDeconv:   {name: "deconv", inputs: 1, check: (*Node).checkWindow, channels: grouped, side: spreads, biases: perFilter, evaluate: (*Node).deconv},
	OpActivate: {name: "activate", inputs: 1, check: (*Node).checkAct, slopes: slopes, evaluate: valuewise},
	OpAdd:      pairOf("add", func(a, b float64) float64 { return a + b }),
	OpSub:      pairOf("sub", func(a, b float64) float64 { return a - b }),
	OpMul:      pairOf("mul", func(a, b float64) float64 { return a * b }),
	OpMax:      pairOf("max", func(a, b float64) float64 { return max(a, b) }),
	OpMin:      pairOf("min", func(a, b float64) float64 { return min(a, b) }),
	OpDiv:      pairOf("div", func(a, b float64) float64 { return a / b }),
	OpPow:      pairOf("pow", math.Pow),
	OpMean: overall("mean", func(pix []float64) (v float64) {
		for _, x := range pix {
			v += x / float64(len(pix))
		}
		return v
	}),
	OpPeak:    overall("peak", slices.Max[[]float64]),
	OpAffine:  {name: "affine", inputs: 1, biases: perChannel, gains: perChannel, evaluate: valuewise},
	OpConcat:  {name: "concat", inputs: anyInputs, channels: all, evaluate: concatenate},
	OpSlice:   {name: "slice", inputs: 1, channels: sliced, evaluate: slice},
	OpShuffle: {name: "shuffle", inputs: 1, check: (*Node).checkFactor, channels: shuffled, side: enlarges, evaluate: shuffle},
	OpResize:  {name: "resize", inputs: 1, check: (*Node).checkFactor, side: enlarges, evaluate: (*Node).resize},
	OpPad:     {name: "pad", inputs: 1, check: (*Node).checkBorder, side: pads, evaluate: pad},
	OpMaxPool: {name: "maxpool", inputs: 1, check: (*Node).checkWindow, side: windows, evaluate: (*Node).maxPool},
	OpAvgPool: {name: "avgpool", inputs: 1, check: (*Node).checkWindow, side: windows, evaluate: (*Node).avgPool},
}

// pairOf is the row of an operation that combines two values of one place.
func pairOf(name string, f func(a, b float64) float64) operation {
	return operation{name: name, inputs: 2, channels: broadcast, pair: f, evaluate: func(_ *Node, out *volume, in []volume) {
		out.fill(func(c, y, x int) float64 {
			return f(*in[0].at(min(c, in[0].c-1), y, x), *in[1].at(min(c, in[1].c-1), y, x))
		})
	}}
}

// overall is the row of an operation that makes one value of all of a channel.
func overall(name string, f func(pix []float64) float64) operation {
	return operation{name: name, inputs: 1, evaluate: func(_ *Node, out *volume, in []volume) {
		size := out.w * out.h
		for c := range out.c {
			v := f(in[0].pix[c*size : (c+1)*size])
			for i := range size {
				out.pix[c*size+i] = v
			}
		}
	}}
}

// Pair is the meaning of an operation that combines two values of one place; nil
// of all others.
func (o Op) Pair() func(a, b float64) float64 { return operations[o].pair }

// Ops lists all operations.
func Ops() []Op {
	list := make([]Op, len(operations))
	for i := range list {
		list[i] = Op(i)
	}
	return list
}

func (o Op) String() string {
	if int(o) < len(operations) {
		return operations[o].name
	}
	return fmt.Sprintf("op(%d)", o)
}

// OutputSize is the width and height of a node's output, by those of input k.
// What cannot be computed has a side below 1.
func (n *Node) OutputSize(of func(k int) [2]int) [2]int {
	out := of(0)
	if side := operations[n.Op].side; side != nil {
		sides := make([]int, len(n.Inputs))
		for axis := range out {
			for k := range n.Inputs {
				sides[k] = of(k)[axis]
			}
			out[axis] = side(n, axis, sides)
		}
	}
	return out
}

// arity is how many inputs a node reads, by its fields.
func (n *Node) arity() int {
	switch want := operations[n.Op].inputs; {
	case want == anyInputs:
		return max(1, len(n.Inputs))
	case n.Op == OpResize && n.Factor == 0:
		return 2
	default:
		return want
	}
}

// checkWindow checks what slides over a picture.
func (n *Node) checkWindow() error {
	stride, groups := n.Inside()
	most, far := MaxKernel, MaxScale
	if n.Op == OpMaxPool || n.Op == OpAvgPool {
		most, far = MaxPool, MaxPool
	}
	if n.Kernel < 1 || n.Kernel > most || n.Op == OpConv && n.Kernel%2 == 0 && stride == 1 && n.Pad != [4]int{} {
		return n.fault("kernel", n.Kernel, fmt.Sprintf("1 to %d, odd where a convolution pads", most))
	}
	if stride > far || n.Stride < 0 {
		return n.fault("stride", n.Stride, fmt.Sprintf("1 to %d", far))
	}
	if n.Groups < 0 || groups > MaxChannels {
		return n.fault("groups", n.Groups, "1 or more")
	}
	if n.Op != OpDeconv && max(n.Pad[0], n.Pad[1], n.Pad[2], n.Pad[3]) >= n.Kernel {
		return n.fault("padding", n.Pad, fmt.Sprintf("below the kernel, %d", n.Kernel))
	}
	if n.Op == OpConv && n.Border > Edge {
		return n.fault("border", n.Border, "zeros or edge")
	}
	if n.Op == OpDeconv && (n.Grow < 0 || n.Grow >= max(stride, 2)) {
		return n.fault("output padding", n.Grow, fmt.Sprintf("0 to %d", stride-1))
	}
	return nil
}

// checkFactor checks what enlarges.
func (n *Node) checkFactor() error {
	if n.Factor < 0 || n.Factor > MaxScale || n.Op == OpShuffle && n.Factor < 1 {
		return n.fault("factor", n.Factor, fmt.Sprintf("1 to %d", MaxScale))
	}
	if n.Interp > Cubic || n.Coord > AlignCorners || n.Rounding > Ceil || !(n.CubicA >= -2 && n.CubicA <= 0) {
		return n.fault("interpolation", []any{n.Interp, n.Coord, n.Rounding, n.CubicA}, "a known one")
	}
	return nil
}

func (n *Node) checkBorder() error {
	if n.Border > Reflect {
		return n.fault("border", n.Border, "zeros, edge or reflect")
	}
	return nil
}

func (n *Node) checkAct() error {
	if int(n.Act) >= len(activations) || n.Act == ActClip && !(n.Lo <= n.Hi) {
		return n.fault("activation", []any{n.Act, n.Lo, n.Hi}, "a known one, clipping to a range")
	}
	return nil
}

// Channels put out.

func grouped(n *Node, in []int) (int, error) {
	_, groups := n.Inside()
	if n.Out < 1 || n.Out > MaxChannels || n.Out%groups != 0 || in[0]%groups != 0 {
		return 0, n.fault("channels", [2]int{in[0], n.Out}, fmt.Sprintf("multiples of %d groups", groups))
	}
	return n.Out, nil
}

func broadcast(n *Node, in []int) (int, error) {
	if in[0] != in[1] && in[0] != 1 && in[1] != 1 {
		return 0, n.fault("channels", [2]int(in), "equal ones, or one of them 1")
	}
	return max(in[0], in[1]), nil
}

func all(_ *Node, in []int) (sum int, err error) {
	for _, c := range in {
		sum += c
	}
	return sum, nil
}

func sliced(n *Node, in []int) (int, error) {
	if n.From < 0 || n.Out < 1 || n.From > in[0]-n.Out {
		return 0, n.fault("slice", [2]int{n.From, n.Out}, fmt.Sprintf("within %d channels", in[0]))
	}
	return n.Out, nil
}

func shuffled(n *Node, in []int) (int, error) {
	if in[0]%(n.Factor*n.Factor) != 0 {
		return 0, n.fault("input channels", in[0], fmt.Sprintf("a multiple of %d", n.Factor*n.Factor))
	}
	return in[0] / (n.Factor * n.Factor), nil
}

// Sides put out.

// padding is what Pad adds along an axis.
func (n *Node) padding(axis int) int {
	if axis == 1 {
		return n.Pad[0] + n.Pad[1]
	}
	return n.Pad[2] + n.Pad[3]
}

func windows(n *Node, axis int, in []int) int {
	stride, _ := n.Inside()
	room := in[0] + n.padding(axis) - n.Kernel
	if room < 0 {
		return 0
	}
	return room/stride + 1
}

func spreads(n *Node, axis int, in []int) int {
	stride, _ := n.Inside()
	return (in[0]-1)*stride + n.Kernel + n.Grow - n.padding(axis)
}

func pads(n *Node, axis int, in []int) int {
	if n.Border == Reflect && max(n.Pad[0]*axis, n.Pad[1]*axis, n.Pad[2]*(1-axis), n.Pad[3]*(1-axis)) >= in[0] {
		return 0
	}
	return in[0] + n.padding(axis)
}

func enlarges(n *Node, _ int, in []int) int {
	if n.Factor == 0 {
		return in[1]
	}
	return in[0] * n.Factor
}

// Numbers.

func perFilter(_ *Node, out int) []int  { return []int{0, out} }
func perChannel(_ *Node, out int) []int { return []int{0, 1, out} }

func slopes(n *Node, out int) []int {
	if n.Act.Sloped() {
		return []int{1, out}
	}
	return []int{0}
}

// Meaning.

// valuewise is OpActivate and OpAffine.
func valuewise(n *Node, out *volume, in []volume) {
	out.fill(func(c, y, x int) float64 { return n.at(c, *in[0].at(c, y, x)) })
}

func concatenate(_ *Node, out *volume, in []volume) {
	at := out.pix
	for i := range in {
		at = at[copy(at, in[i].pix):]
	}
}

func slice(n *Node, out *volume, in []volume) {
	copy(out.pix, in[0].pix[n.From*in[0].w*in[0].h:])
}

func shuffle(n *Node, out *volume, in []volume) {
	f := n.Factor
	out.fill(func(c, y, x int) float64 { return *in[0].at(n.shuffled(c, y%f*f+x%f, out.c), y/f, x/f) })
}

func pad(n *Node, out *volume, in []volume) {
	out.fill(func(c, y, x int) float64 {
		return in[0].beyond(c, y-n.Pad[0], x-n.Pad[2], n.Border, float64(n.Value))
	})
}

func (n *Node) avgPool(out *volume, in []volume) {
	stride, _ := n.Inside()
	out.fill(func(c, y, x int) float64 {
		var sum, count float64
		for t := range n.Kernel * n.Kernel {
			fy, fx := y*stride-n.Pad[0]+t/n.Kernel, x*stride-n.Pad[2]+t%n.Kernel
			inside := fy >= 0 && fx >= 0 && fy < in[0].h && fx < in[0].w
			if inside {
				sum += *in[0].at(c, fy, fx)
			}
			if inside || n.Counted {
				count++
			}
		}
		return sum / count
	})
}

// fill sets every value.
func (v *volume) fill(f func(c, y, x int) float64) {
	for c := range v.c {
		for y := range v.h {
			for x := range v.w {
				*v.at(c, y, x) = f(c, y, x)
			}
		}
	}
}
