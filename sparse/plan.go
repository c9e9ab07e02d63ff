package sparse

import (
	"fmt"
	"math"
	"slices"

	"evosr/internal/kernel"
	"evosr/network"
)

// cacheBytes is how much of a core's second level cache the tensors of one
// layer may take within a band: half of 2 MiB, the rest holds lists and what the
// neighbouring layers leave. Fewer rows mean more copies from band to band.
const cacheBytes = 1 << 20

// maxAhead is how many bands a ring has room for beyond what its readers need. A
// worker lags behind the one on the band before by a layer or more, so that more
// are free before they are wanted, however many threads there are.
const maxAhead = 4

// plan is how the layers run on pictures of one size. It is not changed after
// it is made.
//
// Bands are the unit of work: band k computes of layer i the rows
// [k*rows-shift[i], (k+1)*rows-shift[i]), as far as they are in the picture. A
// layer that reads a neighbourhood lags behind its source by what it reaches,
// so that every row it reads was computed by this band or an earlier one, and
// nothing is computed twice.
//
// An output that only the same rows read lives in a thread's scratch memory. So
// does one whose readers need a few rows more: those are kept for the next band,
// which copies them before its own rows, so that a layer writes where an earlier
// one wrote just now and not where a band before did, which has left the cache.
// Any other lives in a ring of bands: row y is at row y+shift of the ring modulo
// its height. What readers need from before the ring's first row is mirrored
// there, so that kernels see rows in sequence. Memory therefore does not grow
// with the picture's height, and less of it leaves the caches.
type plan struct {
	w, h      int
	planes    bool         // layers run one after the other over whole planes, see planes.go
	rows      int          // of a band, at the picture's size
	bands     int          // of a picture
	shift     []int        // by layer: rows that it lags behind, at least border
	related   [][]relation // by layer and read
	layers    []step
	border    int      // of rings, pixels: what filters reach
	scratch   []buffer // each tensor of a band, one set for every worker
	carriers  []buffer // each tensor of a band and the rows before it, likewise
	before    int      // rows before the band in carriers
	arenas    []int64  // floats of each stretch of memory that planes share
	spare     int64    // floats of each worker's row of a strided convolution or a resized output
	transform int64    // floats of each worker's scratch memory for Winograd
	bytes     int64
}

// buffer is memory for outputs of one size.
type buffer struct {
	channels, rows, w int
	holds             int // the output in it, while a plan is made
}

// step is one layer's part of a plan.
type step struct {
	w, h int // of the output
	rows int // of a band of it

	blocks   []kernel.Block // offsets for this size, where winograd is nil
	winograd *kernel.Winograd
	chained  bool // the next layer computes this one by the strip; the output lies in no band
	local    bool // the output is read only by the same rows of the same band
	carried  bool // it is read by the same band and, mirror rows of it, by the next one
	buffer   int  // index into scratch, when local, or carriers, when carried

	slots  int // bands in the ring, when neither local nor carried
	mirror int // rows before the ring or before the carried band

	// Before this layer may run in band k, each of the bands [k-behind, k) must
	// have finished its first sources layers, and of the bands [k-slots,
	// k-slots+overlap] its first readers layers.
	behind, sources  int
	overlap, readers int

	plane plane // when layers run over planes
}

// begins is the layer whose input is read when layer i is computed: the one
// before, where that is chained.
func (p *plan) begins(i int) int {
	if i > 0 && p.layers[i-1].chained {
		return i - 1
	}
	return i
}

// ring says whether the output lives in one.
func (s *step) ring() bool { return !s.local && !s.carried }

// height is the rows of the tensor of layer i's output.
func (p *plan) height(i int) int {
	switch s := &p.layers[i]; {
	case s.local:
		return s.rows
	case s.carried:
		return p.before + s.rows
	default:
		return s.mirror + s.slots*s.rows
	}
}

// planFor returns the plan of a size, made now or among the last ones.
func (c *compiled) planFor(w, h int) (*plan, error) {
	const remembered = 4
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.plans {
		if p.w == w && p.h == h {
			copy(c.plans[i:], c.plans[i+1:])
			c.plans[len(c.plans)-1] = p
			return p, nil
		}
	}
	p, err := c.newPlan(w, h)
	if err != nil {
		return nil, err
	}
	if len(c.plans) == remembered {
		c.plans = append(c.plans[:0], c.plans[1:]...)
	}
	c.plans = append(c.plans, p)
	return p, nil
}

func (c *compiled) newPlan(w, h int) (*plan, error) {
	p := &plan{w: w, h: h, planes: c.net.planes, layers: c.steps()}
	if err := p.size(c.net); err != nil {
		return nil, err
	}
	p.transforms(c)
	if p.planes {
		p.layPlanes(c)
	} else {
		p.band(c.net, BandRows(c.info, w, h, c.threads))
		p.assign(c.net, c.threads)
	}
	p.rowsToSpare(c.net)
	if err := p.measure(c); err != nil {
		return nil, err
	}
	for i := range c.net.layers {
		if c.net.layers[i].op == network.OpConv && p.layers[i].winograd == nil {
			p.lower(&c.net.layers[i], i, c)
		}
	}
	return p, nil
}

// size finds the size of every output.
func (p *plan) size(net *lowered) error {
	for i := range p.layers {
		p.layers[i].w, p.layers[i].h = p.w, p.h
	}
	if net.graph == nil {
		return nil
	}
	sizes, err := net.graph.Sizes(p.w, p.h)
	if err != nil {
		return fmt.Errorf("sparse: picture: %w", err)
	}
	for i := range p.layers {
		p.layers[i].w, p.layers[i].h = sizes[net.layers[i].at][0], sizes[net.layers[i].at][1]
	}
	return nil
}

// band cuts the picture into bands of about so many rows, and gives every layer
// its lag.
func (p *plan) band(net *lowered, rows int) {
	levels := make([]int, len(net.layers))
	for i := range net.layers {
		levels[i] = net.layers[i].level
	}
	most := multiple(levels)
	p.rows = (rows + most - 1) / most * most
	if most > 1 { // whole tiles of Winograd, too
		most = multiple([]int{most, kernel.TileRows})
		p.rows = (rows + most - 1) / most * most
	}
	height := func(layer int) int {
		if layer < 0 {
			return p.h
		}
		return p.layers[layer].h
	}
	p.related = make([][]relation, len(net.layers))
	for i := range net.layers {
		p.layers[i].rows = p.rows / levels[i]
		for k := range net.layers[i].reads {
			p.related[i] = append(p.related[i], net.relate(i, k, height))
		}
	}
	p.shifts(net)
	for i := range p.layers {
		s := &p.layers[i]
		p.bands = max(p.bands, (s.h+p.shift[i]+s.rows-1)/s.rows)
	}
}

// shifts gives every layer its lag: as little as its sources allow, and then as
// much as its readers allow, so that outputs live shortly. All are at least
// border, the farthest that a filter reaches into a ring, so that the zeros
// above the picture have their place in the first band.
func (p *plan) shifts(n *lowered) {
	shift := make([]int, len(n.layers))
	border := 1
	for i := range n.layers {
		for _, r := range n.layers[i].reads {
			if r.layer >= 0 {
				border = max(border, r.reach)
			}
		}
	}
	for i := range n.layers {
		shift[i] = border
		for k, r := range n.layers[i].reads {
			if r.layer >= 0 {
				shift[i] = max(shift[i], p.related[i][k].lag(shift[r.layer]))
			}
		}
	}
	latest := slices.Repeat([]int{math.MaxInt}, len(n.layers))
	for i := len(n.layers) - 1; i >= 0; i-- {
		if latest[i] != math.MaxInt { // nothing reads the last layer: it stays
			shift[i] = latest[i]
		}
		for k, r := range n.layers[i].reads {
			if r.layer >= 0 {
				latest[r.layer] = min(latest[r.layer], p.related[i][k].lead(shift[i]))
			}
		}
	}
	p.shift, p.border = shift, border
}

// BandRows is how many rows a band has: as many as the widest layer's tensors
// leave in the cache, but few enough that every thread gets several bands.
func BandRows(layers []LayerInfo, w, h, threads int) int {
	channels := 1
	for i := range layers {
		l := &layers[i]
		sum := l.In + l.Out
		if l.Residual {
			sum += l.Out
		}
		if l.Chained { // what it hands over takes no room
			sum = l.In
		} else if i > 0 && layers[i-1].Chained {
			sum += layers[i-1].In - l.In
		}
		channels = max(channels, sum)
	}
	rows := cacheBytes / 4 / channels / max(w, 1)
	if threads > 1 {
		rows = min(rows, h/(4*threads))
	}
	return tileRows(layers, min(max(rows, 2), h), h)
}

// assign decides which outputs stay within a band, gives those scratch memory
// that is free by then, and makes the others' rings high enough for what their
// readers need, and for every thread to be a band ahead.
func (p *plan) assign(net *lowered, threads int) {
	all := net.readers()
	for i := range net.layers {
		if !p.layers[i].chained {
			continue
		}
		for _, r := range net.layers[i].reads { // they are read when the next layer runs
			if r.layer >= 0 && !slices.Contains(all[r.layer], i+1) {
				all[r.layer] = append(all[r.layer], i+1)
				slices.Sort(all[r.layer])
			}
		}
	}
	// back is how many rows before its own first one a reader needs of src.
	back := func(reader, src int) (rows int) {
		for k, r := range net.layers[reader].reads {
			if r.layer == src {
				rows = max(rows, p.related[reader][k].back(p.shift[reader], p.shift[src]))
			}
		}
		return rows
	}
	ceil := func(rows, layer int) int { return ceilDiv(rows, p.layers[layer].rows) }
	for i := range net.layers {
		s, l := &p.layers[i], &net.layers[i]
		for _, r := range all[i] {
			s.mirror = max(s.mirror, back(r, i))
			s.readers = r + 1 // the last one's, as readers ascend
		}
		s.local, s.carried = s.mirror == 0, s.mirror > 0 && s.mirror <= s.rows
		for _, r := range l.reads {
			if r.layer >= 0 && p.layers[r.layer].ring() {
				s.sources = max(s.sources, r.layer+1)
				s.behind = max(s.behind, ceil(back(i, r.layer), r.layer))
			}
		}
		switch {
		case s.chained:
		case s.local:
			s.buffer = share(&p.scratch, all, i, buffer{channels: l.out, rows: s.rows, w: s.w})
		case s.carried:
			s.buffer = share(&p.carriers, all, i, buffer{channels: l.out, rows: s.rows, w: s.w})
			p.before = max(p.before, s.mirror)
		default:
			s.overlap = ceil(s.mirror, i)
			s.slots = min(s.overlap+min(threads, maxAhead), max(p.bands, s.overlap+1)) // a band never waits for itself
		}
	}
}

// share finds a tensor for layer i's output among those of its size that nothing
// reads any more, or adds one.
func share(list *[]buffer, readers [][]int, i int, want buffer) int {
	best := -1
	for b, have := range *list {
		free := have.rows == want.rows && have.w == want.w
		for _, r := range readers[have.holds] {
			free = free && r < i
		}
		if free && (best < 0 || fit(have.channels, want.channels) < fit((*list)[best].channels, want.channels)) {
			best = b
		}
	}
	if best < 0 {
		best = len(*list)
		*list = append(*list, want)
	}
	b := &(*list)[best]
	b.channels, b.holds = max(b.channels, want.channels), i
	return best
}

// fit orders free buffers for an output: exact first, then the least too large,
// then the least too small.
func fit(have, want int) int {
	if have >= want {
		return have - want
	}
	return math.MaxInt/2 + want - have
}

// measure computes the memory of a plan and refuses what does not fit, before
// anything is allocated. Everything is in int64 and far from its end: sides
// are below 2^24, channels below 2^13.
func (p *plan) measure(c *compiled) error {
	const maxSide = 1 << 24
	if p.w > maxSide || p.h > maxSide {
		return fmt.Errorf("sparse: picture: %dx%d pixels, want at most %d a side", p.w, p.h, maxSide)
	}
	tensor := func(channels, h, w, border int) int64 {
		row := int64(w) + int64(border) + kernel.Lanes
		plane := (int64(h)+int64(border))*row + kernel.Lanes
		return 4 * (int64(channels)*plane + 2*int64(border+2)*row + 16*kernel.Lanes)
	}
	for _, border := range c.net.borders() {
		if border >= 0 {
			p.bytes += tensor(c.net.colors, p.h, p.w, border)
		}
	}
	for i := range c.net.layers {
		if s := &p.layers[i]; s.chained {
			channels := c.net.layers[i].out
			p.bytes += int64(c.threads) * 4 * int64(channels) * int64(kernel.ChainStrip(channels))
		} else if !p.planes && s.carried {
			p.bytes += tensor(c.net.layers[i].out, s.mirror, s.w, p.border)
		} else if !p.planes && !s.local {
			p.bytes += tensor(c.net.layers[i].out, p.height(i), s.w, p.border)
		}
	}
	for _, b := range p.scratch {
		p.bytes += int64(c.threads) * tensor(b.channels, b.rows, b.w, 0)
	}
	for _, b := range p.carriers {
		p.bytes += int64(c.threads) * tensor(b.channels, p.before+b.rows, b.w, p.border)
	}
	for _, floats := range p.arenas {
		p.bytes += 4 * floats
	}
	p.bytes += int64(c.threads) * 4 * (p.spare + p.transform + int64(p.widest(c.net)))
	if p.bytes > c.maxBytes {
		return fmt.Errorf("sparse: picture: %dx%d pixels need %d bytes, want at most %d", p.w, p.h, p.bytes, c.maxBytes)
	}
	for i := range c.net.layers {
		l := &c.net.layers[i]
		if l.op != network.OpConv {
			continue
		}
		w, h, border := p.source(c.net, l)
		if far := int64(l.in+1) * int64(h+border) * int64(w+border+2*kernel.Lanes); far > math.MaxInt32 {
			return fmt.Errorf("sparse: picture: %dx%d pixels put a channel of layer %q %d values away, want less than 2^31",
				p.w, p.h, l.name, far)
		}
	}
	return nil
}

// rowsToSpare finds the floats of a worker's spare row.
func (p *plan) rowsToSpare(net *lowered) {
	for i := range net.layers {
		l := &net.layers[i]
		if l.node == nil {
			continue
		}
		if l.op == network.OpConv {
			stride, _ := l.node.Inside()
			p.spare = max(p.spare, planeFloats(l.out, 1, (p.layers[i].w-1)*stride+1, 0))
		} else if op := placed[l.op]; op != nil && op.spare {
			p.spare = max(p.spare, 4*int64(max(p.sizeOf(l.reads[0].layer)[0], p.layers[i].w)))
		}
	}
}

// source is the size and border of the tensor that a convolution reads.
func (p *plan) source(net *lowered, l *layer) (w, h, border int) {
	r := l.reads[0]
	switch {
	case r.layer < 0:
		return p.w, p.h, net.borders()[pictureOf(r.layer)]
	case p.planes:
		s := &p.layers[r.layer]
		return s.w, s.h, s.plane.border
	case p.layers[r.layer].local:
		return p.layers[r.layer].w, p.layers[r.layer].rows, 0
	}
	return p.layers[r.layer].w, p.height(r.layer), p.border
}

// widest is the longest row that a worker needs for SiLU, 0 for none.
func (p *plan) widest(net *lowered) (floats int) {
	for i := range net.layers {
		if net.layers[i].act != network.ActSiLU {
			continue
		}
		floats = max(floats, p.layers[i].w)
	}
	return floats
}

// lower makes the lists of layer i for this size, packed into one stretch of
// memory in the order in which the kernels walk it.
func (p *plan) lower(l *layer, i int, c *compiled) {
	perGroup := l.in / l.groups
	shape := kernel.Shape{In: perGroup, Kernel: l.kernel}
	w, h, border := p.source(c.net, l)
	shape.Row, shape.Plane, _, _ = kernel.Layout(l.in, h, w, border)
	if p.begins(i) < i {
		shape.Row = kernel.ChainStrip(l.in)
		shape.Plane = shape.Row
	}
	var blocks []kernel.Block
	cols := perGroup * l.kernel * l.kernel
	add := func(b kernel.Block, first int) {
		b.Out = first
		group := first / (l.out / l.groups)
		for t := range b.Off {
			b.Off[t] += int32(group * perGroup * shape.Plane)
		}
		blocks = append(blocks, b)
	}
	for size := 3; size >= 0; size-- { // kernels take blocks of one size together
		for _, first := range c.cuts[i].first[size] {
			n := 1 << size
			shape.Out = n
			var mask []uint8
			if l.mask != nil {
				mask = l.mask[first*cols : (first+n)*cols]
			}
			add(kernel.Lower(nil, shape, l.weights[first*cols:(first+n)*cols], l.bias[first:first+n], mask, n, false)[0], first)
		}
	}
	for _, first := range c.cuts[i].grouped {
		const n = kernel.GroupChannels
		shape.Out = n
		b := kernel.LowerGroups(shape, l.weights[first*cols:(first+n)*cols], l.bias[first:first+n], l.mask[first*cols:(first+n)*cols])
		add(b, first)
	}
	weights := 0
	for _, b := range blocks {
		weights += len(b.W)
	}
	// Kernels hold pointers to the end of a list: a value beyond the last one
	// keeps those inside the allocation.
	ws, offs := kernel.Aligned(weights+kernel.Lanes), make([]int32, 0, c.info[i].Taps+1)
	for j := range blocks {
		b := &blocks[j]
		n := copy(ws, b.W)
		b.W, ws = ws[:n:n], ws[n:]
		from := len(offs)
		offs = append(offs, b.Off...)
		b.Off = offs[from:len(offs):len(offs)]
		b.Index = nil // only training needs it
	}
	p.layers[i].blocks = blocks
}
