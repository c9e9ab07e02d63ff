package supernet

import (
	"evosr/internal/kernel"
	"evosr/space"
)

// winogradCost is the time of a dense 3x3 layer by Winograd's kernels where a row
// of w pixels fills their vectors, relative to direct ones over a full list of
// eight output channels. It was fitted to 4 to 64 channels of 64x64 pixels and is
// within a tenth with AVX-512; with AVX2 narrow layers are up to a fifth faster.
func winogradCost(in, out int) float64 {
	return 0.28 + 2.7/float64(out) + 1.6/float64(in)
}

// winogradPays says whether Winograd computes a layer, whose weights it takes as
// dense, faster than its list: forward or, transposed, the input gradient.
func winogradPays(set *kernel.Set, g *geometry, l *space.Layer, transpose bool) bool {
	columns := set.WinogradColumns(g.w)
	if columns == 0 || !transformable(l) {
		return false
	}
	lanes := set.WinogradColumns(1) / kernel.TileRows
	in, out := l.In, l.Out
	if transpose {
		in, out = out, in
	}
	filled := float64(columns) / float64((g.w+lanes-1)/lanes*lanes)
	filled *= float64((g.h+kernel.TileRows-1)/kernel.TileRows*kernel.TileRows) / float64(g.h)
	_, list := blockSize(l.Prune, transpose)
	return winogradCost(in, out)*filled < list
}

// transformable says whether Winograd's kernels can compute l: they take a border
// of zeros, not the picture's of repeated pixels.
func transformable(l *space.Layer) bool { return l.Kernel == 3 && l.Src >= 0 }

// transformedFloats is the room that a shape's transformed weights may take.
func transformedFloats(sh *shape) int {
	size := 0
	for i := range sh.layers {
		if l := &sh.layers[i]; transformable(l) {
			size += 2 * kernel.WinogradFloats(l.Out, l.In)
		}
	}
	return size
}

// transform prepares the weights of today of the layers that Winograd computes
// faster than their lists. All others have no channels in ahead and behind.
func (n *net) transform(set *kernel.Set, g *geometry) {
	if n.room == nil && set.WinogradColumns(g.w) > 0 {
		n.room = kernel.Aligned(n.roomSize)
	}
	room := n.room
	for i := range n.layers {
		l := &n.layers[i]
		n.ahead[i].In, n.behind[i].In = 0, 0
		if winogradPays(set, g, l, false) {
			room = n.ahead[i].Transform(set, l.Out, l.In, l.Weights, l.Bias, false, room)
		}
		if n.trained && winogradPays(set, g, l, true) {
			room = n.behind[i].Transform(set, l.Out, l.In, l.Weights, l.Bias, true, room)
		}
	}
}

// conv computes dst from src with the epilogue of w, by Winograd where by has
// channels, otherwise over a list.
func (w *worker) conv(dst, src *kernel.Tensor, by *kernel.Winograd, list []kernel.Block) {
	if by.In > 0 {
		w.set.Winograd(by, dst, src, &w.epi, 0, w.geo.h, 0, w.scratch)
		return
	}
	w.set.Conv(dst, src, list, &w.epi, 0, w.geo.h)
}
