package sparse

import (
	"evosr/internal/kernel"
	"evosr/network"
)

// lowered is what runs when all passes are done: layers in an order in which
// they can run, the last of which is shuffled into the picture.
type lowered struct {
	scale, colors int
	factor        int  // of the last layer's shuffle: its pixels become factor x factor
	dcr           bool // the last layer's channels are in DepthToSpace's DCR order
	planes        bool // layers differ in size or reach: they run one after the other over whole planes
	mixed         bool // in bands, but layers differ in size: see levels.go
	layers        []layer
	graph         *network.Graph // what layers' at counts in, where their sizes differ
}

// layer is one operation with what is fused into it:
//
//	out = act(op(reads))
//
// A convolution (of stride 1) adds its second input, if there is one, to its sum.
type layer struct {
	name    string
	op      network.Op
	in, out int // channels read of the first input, channels put out
	reads   []read

	kernel  int       // of a convolution: side of the filter
	groups  int       // of channels that only see each other
	weights []float32 // (out, in/groups, kernel, kernel)
	mask    []uint8   // as weights; nil keeps all
	bias    []float32 // of a convolution: out; of Affine: out or nil
	gain    []float32 // of Affine: out or nil
	prune   network.Prune
	origin  network.Origin

	act   network.Act
	slope []float32 // of PReLU: out
	clip  kernel.Range

	at    int           // node of lowered.graph whose size the output has, where sizes differ
	level int           // rows of the picture for one of the output's, about
	node  *network.Node // the rest of its fields, where they count
}

// read is one input of a layer: some channels of a layer or of the picture.
type read struct {
	layer    int // index, network.Picture with its edge values around it, or zeroPicture
	first    int // channel
	channels int
	reach    int // rows above and below an output's row
}

// zeroPicture is the picture with zeros around it.
const zeroPicture = -3

// readers lists for every layer the layers that read it.
func (n *lowered) readers() [][]int {
	list := make([][]int, len(n.layers))
	for i := range n.layers {
		for _, r := range n.layers[i].reads {
			if r.layer >= 0 {
				if to := list[r.layer]; len(to) == 0 || to[len(to)-1] != i {
					list[r.layer] = append(to, i)
				}
			}
		}
	}
	return list
}

// onlyPicture says whether a layer reads nothing but the picture.
func (l *layer) onlyPicture() bool {
	for _, r := range l.reads {
		if r.layer >= 0 {
			return false
		}
	}
	return true
}

// sinking gives an order of layers in which every one that reads only the
// picture and has one reader runs just before that reader: the global skip then
// runs beside the tail, and its output need not outlive a band.
func (n *lowered) sinking() (order []int) {
	before := make([][]int, len(n.layers)) // layers to put before this one
	moved := make([]bool, len(n.layers))
	for i, rs := range n.readers() {
		if n.layers[i].onlyPicture() && len(rs) == 1 && !moved[rs[0]] {
			before[rs[0]], moved[i] = append(before[rs[0]], i), true
		}
	}
	for i := range n.layers {
		order = append(order, before[i]...)
		if !moved[i] {
			order = append(order, i)
		}
	}
	return order
}

// sink puts the layers in the order of sinking.
func (n *lowered) sink() (moved int) {
	place := make([]int, len(n.layers))
	layers := make([]layer, 0, len(n.layers))
	for to, i := range n.sinking() {
		if place[i] = to; to != i {
			moved++
		}
		l := n.layers[i]
		l.reads = append([]read(nil), l.reads...)
		for k := range l.reads {
			if l.reads[k].layer >= 0 {
				l.reads[k].layer = place[l.reads[k].layer]
			}
		}
		layers = append(layers, l)
	}
	n.layers = layers
	return moved
}

// borders are the widths of the borders around the picture with edge values and
// around the one with zeros; -1 where nothing reads it. Edge values need twice
// what filters reach, see kernel.Tensor.EdgeBorder.
func (n *lowered) borders() [2]int {
	b := [2]int{-1, -1}
	for i := range n.layers {
		for _, r := range n.layers[i].reads {
			switch r.layer {
			case network.Picture:
				b[0] = max(b[0], 2*r.reach)
			case zeroPicture:
				b[1] = max(b[1], r.reach)
			}
		}
	}
	return b
}

// pictureOf is the index into borders of what is read instead of a layer.
func pictureOf(layer int) int {
	if layer == zeroPicture {
		return 1
	}
	return 0
}

// reach bounds how many rows away a pixel of the picture changes an output
// pixel, in the picture's rows; -1 where that is not known.
func (n *lowered) reach() int {
	if n.planes || n.mixed { // rows that are pooled together depend on where the picture begins
		return -1
	}
	far := 0
	rows := make([]int, len(n.layers)) // that each output depends on
	for i := range n.layers {
		for _, r := range n.layers[i].reads {
			from := 0
			if r.layer >= 0 {
				from = rows[r.layer]
			}
			rows[i] = max(rows[i], from+r.reach)
		}
		far = max(far, rows[i])
	}
	return far
}

// perPixel turns what info counts for a pixel of layer i's output into counts for
// a pixel of the picture.
func (n *lowered) perPixel(i int, info *LayerInfo) {
	if n.graph == nil {
		return
	}
	const side = 960 // divides by all usual scales and strides
	sizes, err := n.graph.Sizes(side, side)
	if err != nil {
		return
	}
	at := sizes[n.layers[i].at]
	area := float64(at[0]) * float64(at[1]) / (side * side)
	info.MACs = int(float64(info.MACs)*area + 0.5)
	info.DenseMACs = int(float64(info.DenseMACs)*area + 0.5)
	info.Cost *= area
}
