package supernet

import (
	"math"

	"evosr/internal/kernel"
	"evosr/network"
)

// geometry is where the pixels of a patch lie: every tensor of a worker but the
// picture has these strides, so that one list of offsets fits all of them.
type geometry struct {
	h, w, border             int
	row, plane, origin       int
	pictureRow, picturePlane int
}

// The picture's edge is repeated for the 5x5 skip; see kernel.Tensor.EdgeBorder
// for why its border is twice that.
const (
	pictureReach  = 2
	pictureBorder = 2 * pictureReach
)

// newGeometry has the border that any layer of the shapes reaches.
func newGeometry(h, w int, shapes []*shape) geometry {
	g := geometry{h: h, w: w, border: 1}
	for _, sh := range shapes {
		sh.fit(w, h)
		for i := range sh.layers {
			if l := &sh.layers[i]; l.src >= 0 {
				g.border = max(g.border, l.kernel/2)
			}
		}
	}
	g.row, g.plane, g.origin, _ = kernel.Layout(1, h, w, g.border)
	g.pictureRow, g.picturePlane, _, _ = kernel.Layout(1, h, w, pictureBorder)
	return g
}

// net is a shape with the numbers of one training step: weights cut out of the
// bank, masks, the lists that the kernels run, and gradients. All memory is
// sized once for the largest shape it will take.
type net struct {
	*shape
	layers  []layer // shape's layers with their numbers
	fwd     [][]kernel.Block
	back    [][]kernel.Block
	ahead   []kernel.Winograd // by layer: the way forward by Winograd and that of the input gradient,
	behind  []kernel.Winograd // without channels where a list is faster
	tiled   []bool            // by layer: its weight gradient goes by Winograd
	weights []float32         // numbers of layers
	masks   []uint8
	grads   []float32 // gradient of every layer's weights, biases and slopes, laid out as weights
	masker  network.Masker

	room     []float32 // memory of ahead and behind
	roomSize int
	offsets  []int32 // memory of the lists
	values   []float32
	indices  []int32
	blocks   []kernel.Block
	partials [][]float32 // by shard: for every layer the gradients in the order of its lists or as WinogradGrad's, then biases, then slopes
	starts   []int       // where a layer's part of a partial begins; one more for the end
	losses   []float64   // by shard
	views    [][]float32 // of the lists' gradients, for gather

	trained bool    // false: only the output counts, the weights are somebody else's
	fixed   bool    // masks never change: lists are built once and then only refilled
	built   bool    // fixed lists stand
	distill float64 // share of the loss against the first net's output
	share   float64 // weight of this net's loss in the gradient

	// Of a batch the net sees seen patches from first on, around the end; all
	// where seen is 0.
	first, seen int
}

// frozen is a network that only runs, on patches of a side; workers for it need its
// geometry and shapes.
func frozen(sub *layers, patch int, set *kernel.Set) (*net, geometry, []*shape) {
	b, sh, masks := bankOf(sub)
	shapes := []*shape{sh}
	geo := newGeometry(patch, patch, shapes)
	n := newNet(shapes, 1)
	n.trained = false
	n.take(sh, b.tensors, b.data, 1, masks)
	n.lower(set, &geo)
	return n, geo, shapes
}

// newNet allocates for any of the shapes.
func newNet(shapes []*shape, shards int) *net {
	layers, size, channels, room, partial, largest := 0, 0, 0, 0, 0, 0
	for _, sh := range shapes {
		n, c, p := 0, 0, 0
		for i := range sh.layers {
			l := &sh.layers[i]
			n += l.size() + l.biases() + slopesIn(l)
			p += lines(l.size()+l.biases()) + lines(slopesIn(l))
			if l.conv() {
				c += l.out + l.in
			}
			largest = max(largest, l.size())
		}
		layers, size, channels = max(layers, len(sh.layers)), max(size, n), max(channels, c)
		room, partial = max(room, transformedFloats(sh)), max(partial, p)
	}
	n := &net{
		layers: make([]layer, layers), fwd: make([][]kernel.Block, layers), back: make([][]kernel.Block, layers),
		ahead: make([]kernel.Winograd, layers), behind: make([]kernel.Winograd, layers), roomSize: room, tiled: make([]bool, layers),
		weights: make([]float32, size), masks: make([]uint8, size), grads: make([]float32, size),
		offsets: make([]int32, 2*size), indices: make([]int32, 2*size),
		values: make([]float32, 2*size+channels), blocks: make([]kernel.Block, channels),
		losses: make([]float64, shards), views: make([][]float32, 0, channels), starts: make([]int, 0, layers+1), trained: true, share: 1,
	}
	n.masker.Reserve(largest)
	for range shards {
		n.partials = append(n.partials, kernel.Aligned(partial))
	}
	return n
}

// sees says whether n is trained on a patch of a batch.
func (n *net) sees(patch, batch int) bool {
	return n.seen == 0 || (patch-n.first+batch)%batch < n.seen
}

// take makes n a network of shape sh with the numbers of data, pruned as the
// layers say with their percents scaled by ramp in [0, 1]. mask gives fixed
// masks by layer instead; nil has them computed.
func (n *net) take(sh *shape, tensors []tensor, data []float32, ramp float64, mask [][]uint8) {
	n.shape = sh
	n.layers = append(n.layers[:0], sh.layers...)
	w, m := n.weights, n.masks
	for i := range n.layers {
		l := &n.layers[i]
		if !l.conv() {
			continue
		}
		size := l.size()
		l.weights, l.bias, w = w[:size:size], w[size:size+l.out:size+l.out], w[size+l.out:]
		l.slope, w = w[:slopesIn(l):slopesIn(l)], w[slopesIn(l):]
		l.mask, m = m[:size:size], m[size:]
		tensors[sh.refs[i]].cut(l, data)
		if fixed := mask != nil; fixed || l.groups > 1 {
			if l.mask = l.frame; fixed {
				l.mask = mask[i]
			}
			applyMask(l)
			continue
		}
		if l.prune.Percent = int(math.Round(ramp * float64(l.prune.Percent))); l.prune.Percent == 0 {
			l.prune = network.Prune{}
		}
		prune(l, &n.masker)
	}
}

// lower transforms the weights of layers and builds the lists of all others, or
// refills them where the masks are those of last time.
func (n *net) lower(set *kernel.Set, g *geometry) {
	n.transform(set, g)
	if n.fixed && n.built {
		n.refill()
		return
	}
	n.built = true
	n.starts = append(n.starts[:0], 0)
	offsets, values, indices, blocks := n.offsets, n.values, n.indices, n.blocks
	// carve gives a layer's blocks capacity for their full lists, so that
	// kernel.Lower never allocates.
	carve := func(outs, taps, b int) []kernel.Block {
		first := blocks[:0]
		for done := 0; done < outs; {
			size := b
			for size > outs-done {
				size /= 2
			}
			blocks[0] = kernel.Block{
				Off: offsets[:0:taps], W: values[: 0 : taps*size], Index: indices[: 0 : taps*size],
				Bias: values[taps*size : taps*size : taps*size+size],
			}
			offsets, indices, values, blocks = offsets[taps:], indices[taps*size:], values[taps*size+size:], blocks[1:]
			first = first[:len(first)+1]
			done += size
		}
		return first[:len(first):len(first)]
	}
	for i := range n.layers {
		l := &n.layers[i]
		if !l.conv() {
			n.starts = append(n.starts, n.starts[i])
			continue
		}
		s := kernel.Shape{Out: l.out, In: l.in, Kernel: l.kernel, Row: g.row, Plane: g.plane}
		if l.src == network.Picture {
			s.Row, s.Plane = g.pictureRow, g.picturePlane
		}
		kk := l.kernel * l.kernel
		n.fwd[i] = n.fwd[i][:0]
		if n.ahead[i].In == 0 || n.trained && !n.tiled[i] { // the weight gradient runs over it too
			b, _ := blockSize(l.pruning(), false)
			n.fwd[i] = kernel.Lower(carve(l.out, l.in*kk, b), s, l.weights, l.bias, l.mask, b, false)
		}
		size := l.size()
		if !n.tiled[i] {
			size = listed(n.fwd[i])
		}
		n.starts = append(n.starts, n.starts[i]+lines(size+l.out)+lines(slopesIn(l)))
		if l.src >= 0 && n.trained && n.behind[i].In == 0 {
			s.Row, s.Plane = g.row, g.plane
			b, _ := blockSize(l.pruning(), true)
			n.back[i] = kernel.Lower(carve(l.in, l.out*kk, b), s, l.weights, l.bias, l.mask, b, true)
		}
	}
}

// lines is n floats rounded up to whole cache lines.
func lines(n int) int { return (n + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes }

// slopesIn is how many slopes a layer has.
func slopesIn(l *layer) int {
	if l.act == network.ActPReLU {
		return l.out
	}
	return 0
}

// slopesOf is a layer's part of a shard's gradients that are its slopes'.
func (n *net) slopesOf(layer int, partial []float32) []float32 {
	count := slopesIn(&n.layers[layer])
	return partial[n.starts[layer+1]-lines(count):][:count]
}

// refill puts the weights of today into the lists.
func (n *net) refill() {
	for i := range n.layers {
		l := &n.layers[i]
		if !l.conv() {
			continue
		}
		kernel.Repack(n.fwd[i], l.weights, l.bias)
		if l.src >= 0 && n.trained && n.behind[i].In == 0 {
			kernel.Repack(n.back[i], l.weights, nil)
		}
	}
}

// speed is how many multiplications of a list a kernel of 1, 2, 4 or 8 output
// channels does in a unit of time, relative to the fastest: measured with AVX-512
// on pruned 3x3 layers of 8 to 48 channels, and not far off elsewhere.
var speed = [4]float64{0.3, 0.55, 0.9, 1}

// blockSize chooses how many output channels a list computes together: few
// follow a mask closely, many are faster by the multiplication. It expects
// groups of a mask to be kept independently of each other. cost is the list's
// time relative to a full one's.
func blockSize(p network.Prune, transpose bool) (b int, cost float64) {
	density := 1 - float64(p.Percent)/100
	group := 1 // outputs of this list that a mask keeps or removes together
	switch {
	case p.Scheme == network.Dense:
		return 8, 1
	case p.Scheme.Block() == 0 && transpose: // whole filters
		return 8, density
	case !transpose:
		group = max(1, p.Scheme.Block())
	}
	b, cost = 8, math.Inf(1)
	for i, v := range speed {
		// The part of taps that any output of the block keeps.
		part := 1 - math.Pow(1-density, math.Max(1, float64(int(1)<<i)/float64(group)))
		if part/v < cost {
			b, cost = 1<<i, part/v
		}
	}
	return b, cost
}

// gather sums the shards' gradients in their order and spreads them over grads.
func (n *net) gather(set *kernel.Set) {
	sum := n.partial(0)
	for shard := range n.partials[1:] {
		set.Axpy(sum, 1, n.partial(shard+1))
	}
	grads := n.grads
	for i := range n.layers {
		l := &n.layers[i]
		if !l.conv() {
			continue
		}
		w, bias := grads[:l.size()], grads[l.size():l.size()+l.out]
		grads = grads[l.size()+l.out:]
		var sums []float32
		if n.tiled[i] {
			planes, biases := n.planesOf(i, sum)
			flatten(w, l, planes)
			sums = biases
		} else {
			n.views, sums = n.gradsOf(n.views, i, sum)
			clear(w)
			kernel.Scatter(w, n.fwd[i], n.views)
		}
		copy(bias, sums)
		for o := range bias {
			if pruned(l, o) {
				bias[o] = 0
			}
		}
		grads = grads[copy(grads, n.slopesOf(i, sum)):]
	}
}

// planesOf is a layer's part of a shard's gradients where its weights' go by
// Winograd: (3x3, input channel, output channel), and the biases.
func (n *net) planesOf(layer int, partial []float32) (planes, bias []float32) {
	size := n.layers[layer].size()
	partial = partial[n.starts[layer]:n.starts[layer+1]]
	return partial[:size:size], partial[size:]
}

// gradsOf is a layer's part of a shard's gradients: one slice for each of its
// lists, in the memory of views, and the biases.
func (n *net) gradsOf(views [][]float32, layer int, partial []float32) (grads [][]float32, bias []float32) {
	grads, partial = views[:0], partial[n.starts[layer]:n.starts[layer+1]]
	for i := range n.fwd[layer] {
		size := len(n.fwd[layer][i].W)
		grads = append(grads, partial[:size:size])
		partial = partial[size:]
	}
	return grads, partial
}

// listed counts the weights of a layer's lists.
func listed(blocks []kernel.Block) int {
	size := 0
	for i := range blocks {
		size += len(blocks[i].W)
	}
	return size
}

// partial is shard's gradients of the network that n is now.
func (n *net) partial(shard int) []float32 { return n.partials[shard][:n.starts[len(n.layers)]] }

// spread adds grads to the gradient of the shared tensors.
func (n *net) spread(set *kernel.Set, tensors []tensor, shared []float32) {
	grads := n.grads
	for i := range n.layers {
		if !n.layers[i].conv() {
			continue
		}
		l, t := &n.layers[i], &tensors[n.refs[i]]
		row, wide := l.in*l.kernel*l.kernel, t.in*t.k*t.k
		for o := range l.out {
			set.Axpy(shared[t.w+o*wide:][:row], 1, grads[o*row:])
		}
		grads = grads[l.size():]
		set.Axpy(shared[t.b:][:l.out], 1, grads)
		grads = grads[l.out:]
		if t.learned {
			set.Axpy(shared[t.s:][:l.out], 1, grads)
		}
		grads = grads[slopesIn(l):]
	}
}
