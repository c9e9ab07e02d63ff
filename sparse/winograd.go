package sparse

import (
	"evosr/internal/kernel"
	"evosr/network"
)

// How a layer is computed, as LayerInfo.Method says it.
const (
	MethodLists    = "lists"    // micro-kernels over lists of kept weights
	MethodWinograd = "winograd" // dense, by Winograd's F(4x4, 3x3), whatever the mask
)

// price of one vector of pixels of a dense 3x3 layer by Winograd.
func (w *winogradCosts) price(in, out int) float64 {
	return w.product*float64(in*out) + w.in*float64(in) + w.out*float64(out)
}

// transformable says whether Winograd's kernels can compute l: they want zeros
// around their source, and whole tiles in a band, which lower levels have not.
func (l *layer) transformable() bool {
	if l.op != network.OpConv || l.kernel != 3 || l.level > 1 || l.groups > 1 || l.reads[0].layer == network.Picture {
		return false
	}
	if l.node == nil {
		return true
	}
	stride, _ := l.node.Inside()
	return stride == 1 && l.node.Pad == [4]int{1, 1, 1, 1}
}

// transform prepares the weights of the layers that the table gave to Winograd.
// That is left to the first plan, under its lock: a program that is only read
// and written takes no memory for it.
func (c *compiled) transform() {
	if c.transformed != nil {
		return
	}
	c.transformed = make([]*kernel.Winograd, len(c.net.layers))
	for i := range c.net.layers {
		if c.info[i].Method != MethodWinograd {
			continue
		}
		l := &c.net.layers[i]
		weights := append([]float32(nil), l.weights...)
		for j := range l.mask {
			if l.mask[j] == 0 {
				weights[j] = 0
			}
		}
		c.transformed[i] = c.set.NewWinograd(l.out, l.in, weights, l.bias)
	}
}

// wide says whether a picture's rows fill the vectors of tiles of layer i so
// well that Winograd pays; narrow ones run over lists.
func (c *compiled) wide(i, w int) bool {
	if c.transformed[i] == nil {
		return false
	}
	g := c.transformed[i]
	table := tableFor(c.set.Name)
	computed := table.winograd.price(g.In, g.Out) * float64(g.Columns(w))
	return computed < c.cuts[i].cost*float64((w+kernel.Lanes-1)/kernel.Lanes*kernel.Lanes)
}

// transforms decides which layers of a plan run by Winograd and finds the floats
// of scratch memory that a worker needs for them.
func (p *plan) transforms(c *compiled) {
	if p.h < kernel.TileRows {
		return
	}
	c.transform()
	for i := range p.layers {
		if c.wide(i, p.w) {
			p.layers[i].winograd = c.transformed[i]
			p.transform = max(p.transform, int64(c.transformed[i].Scratch()))
		}
	}
}

// tileRows makes rows, of a band or of what a worker takes of a plane, whole
// tiles: tiles then lie at the same rows of a picture whatever the threads, and
// results do not depend on them. Pictures of less than a tile have none.
func tileRows(layers []LayerInfo, rows, h int) int {
	if h < kernel.TileRows {
		return rows
	}
	for i := range layers {
		if layers[i].Method == MethodWinograd {
			return max(rows/kernel.TileRows, 1) * kernel.TileRows
		}
	}
	return rows
}
