package supernet

import (
	"evosr/internal/kernel"
)

// winogradCost is the time of a dense 3x3 layer by Winograd's kernels where a row
// of w pixels fills their vectors, relative to direct ones over a full list of
// eight output channels. It was fitted to 4 to 64 channels of 64x64 pixels and is
// within a tenth with AVX-512; with AVX2 narrow layers are up to a fifth faster.
func winogradCost(in, out int) float64 {
	return 0.28 + 2.7/float64(out) + 1.6/float64(in)
}

// winogradGradCost is likewise the time of the weight gradient. Its vectors are
// output channels; only the source's transform depends on how far a row fills
// them with tiles. It is within a fifth with AVX-512 and AVX2.
func winogradGradCost(in, out, lanes int, filled float64) float64 {
	vectors := float64((out + lanes - 1) / lanes * lanes)
	return (0.3 + 2.5*filled/vectors + 3.2/float64(in)) * vectors / float64(out)
}

// filled is how much larger than a patch the tiles are that its layers compute,
// relative to the vectors that lists compute; 0 where the Set has no kernels by
// Winograd.
func filled(set *kernel.Set, g *geometry) float64 {
	columns, lanes := set.WinogradColumns(g.w, g.h), set.WinogradColumns(1, 1)/kernel.TileRows
	if columns == 0 {
		return 0
	}
	up := func(n, unit int) float64 { return float64((n + unit - 1) / unit * unit) }
	return float64(columns) / up(g.w, lanes) * up(g.h, kernel.TileRows) / float64(g.h)
}

// winogradPays says whether Winograd computes a layer, whose weights it takes as
// dense, faster than its list: forward or, transposed, the input gradient.
func winogradPays(set *kernel.Set, g *geometry, l *layer, transpose bool) bool {
	in, out := l.in, l.out
	if transpose {
		in, out = out, in
	}
	_, list := blockSize(l.pruning(), transpose)
	more := filled(set, g)
	return more > 0 && transformable(l) && winogradCost(in, out)*more < list
}

// winogradGradPays says so of the weight gradient.
func winogradGradPays(set *kernel.Set, g *geometry, l *layer) bool {
	_, list := blockSize(l.pruning(), false)
	lanes := set.WinogradColumns(1, 1) / kernel.TileRows
	return lanes > 0 && transformable(l) && winogradGradCost(l.in, l.out, lanes, filled(set, g)) < list
}

// transformable says whether Winograd's kernels can compute l: they take a border
// of zeros, not the picture's of repeated pixels.
func transformable(l *layer) bool { return l.kernel == 3 && l.src >= 0 }

// transformedFloats is the room that a shape's transformed weights may take.
func transformedFloats(sh *shape) int {
	size := 0
	for i := range sh.layers {
		if l := &sh.layers[i]; transformable(l) {
			size += 2 * kernel.WinogradFloats(l.out, l.in)
		}
	}
	return size
}

// transform decides what goes by Winograd, where that is faster than a list, and
// prepares the weights of today for it.
func (n *net) transform(set *kernel.Set, g *geometry) {
	if n.room == nil && set.WinogradColumns(g.w, g.h) > 0 {
		n.room = kernel.Aligned(n.roomSize)
	}
	room := n.room
	for i := range n.layers {
		l := &n.layers[i]
		n.ahead[i].In, n.behind[i].In, n.tiled[i] = 0, 0, false
		if !l.conv() || n.coarse[i] { // strips of tiles are as wide as the patch
			continue
		}
		n.tiled[i] = n.trained && winogradGradPays(set, g, l)
		if winogradPays(set, g, l, false) {
			room = n.ahead[i].Transform(set, l.out, l.in, l.weights, l.bias, false, room)
		}
		if n.trained && winogradPays(set, g, l, true) {
			room = n.behind[i].Transform(set, l.out, l.in, l.weights, l.bias, true, room)
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
	w.set.Conv(dst, src, list, &w.epi, 0, dst.H)
}

// weightGrad adds the gradients of a layer's weights and biases to partial.
func (w *worker) weightGrad(n *net, layer int, dy, src *kernel.Tensor, partial []float32) {
	if n.tiled[layer] {
		planes, bias := n.planesOf(layer, partial)
		w.set.WinogradGrad(planes, bias, dy, src, w.scratch)
		return
	}
	grads, bias := n.gradsOf(w.views, layer, partial)
	w.set.WeightGrad(grads, bias, dy, src, n.fwd[layer])
}

// flatten writes gradients (3x3, input channel, output channel) of the weights
// that l's mask keeps into dw, laid out as weights.
func flatten(dw []float32, l *layer, planes []float32) {
	const filter = 9
	for i := range l.in {
		for o := range l.out {
			to := dw[(o*l.in+i)*filter:][:filter]
			for k := range to {
				to[k] = planes[(k*l.in+i)*l.out+o]
			}
		}
	}
	for i, keep := range l.mask {
		if keep == 0 {
			dw[i] = 0
		}
	}
}

// scratchFloats is what a worker needs for the layers of a shape.
func scratchFloats(set *kernel.Set, sh *shape) int {
	size := 0
	for i := range sh.layers {
		if l := &sh.layers[i]; transformable(l) {
			size = max(size, set.WinogradScratch(max(l.in, l.out)), set.WinogradGradScratch(l.out, l.in))
		}
	}
	return size
}
