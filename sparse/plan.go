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
	planes    bool  // layers run one after the other over whole planes, see planes.go
	rows      int   // of a band
	bands     int   // of a picture
	shift     []int // by layer: rows that it lags behind, at least border
	layers    []step
	border    int     // of rings, pixels: what filters reach
	scratch   []int   // channels of each band-size tensor, one set for every worker
	carriers  []int   // channels of each tensor of a band and the rows before it, likewise
	before    int     // rows before the band in carriers
	arenas    []int64 // floats of each stretch of memory that planes share
	spare     int64   // floats of each worker's row of a strided convolution
	transform int64   // floats of each worker's scratch memory for Winograd
	bytes     int64
}

// step is one layer's part of a plan.
type step struct {
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
		return p.rows
	case s.carried:
		return p.before + p.rows
	default:
		return s.mirror + s.slots*p.rows
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
	p.transforms(c)
	if p.planes {
		if err := p.layPlanes(c); err != nil {
			return nil, err
		}
	} else {
		p.shift, p.border = c.net.shifts()
		p.rows = BandRows(c.info, w, h, c.threads)
		p.bands = (h + p.shift[len(p.shift)-1] + p.rows - 1) / p.rows
		p.assign(c.net, c.threads)
	}
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

// shifts gives every layer its lag: as little as its sources allow, and then as
// much as its readers allow, so that outputs live shortly. All are at least
// border, the farthest that a filter reaches into a ring, so that the zeros
// above the picture have their place in the first band.
func (n *lowered) shifts() (shift []int, border int) {
	shift = make([]int, len(n.layers))
	border = 1
	for i := range n.layers {
		for _, r := range n.layers[i].reads {
			if r.layer >= 0 {
				border = max(border, r.reach)
			}
		}
	}
	for i := range n.layers {
		shift[i] = border
		for _, r := range n.layers[i].reads {
			if r.layer >= 0 {
				shift[i] = max(shift[i], shift[r.layer]+r.reach)
			}
		}
	}
	latest := slices.Repeat([]int{math.MaxInt}, len(n.layers))
	for i := len(n.layers) - 1; i >= 0; i-- {
		if latest[i] != math.MaxInt { // nothing reads the last layer: it stays
			shift[i] = latest[i]
		}
		for _, r := range n.layers[i].reads {
			if r.layer >= 0 {
				latest[r.layer] = min(latest[r.layer], shift[i]-r.reach)
			}
		}
	}
	return shift, border
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
		for _, r := range net.layers[reader].reads {
			if r.layer == src {
				rows = max(rows, p.shift[reader]-p.shift[src]+r.reach)
			}
		}
		return rows
	}
	ceil := func(rows int) int { return (rows + p.rows - 1) / p.rows }
	var scratch, carriers []int // the output that each tensor holds so far
	for i := range net.layers {
		s, l := &p.layers[i], &net.layers[i]
		for _, r := range all[i] {
			s.mirror = max(s.mirror, back(r, i))
			s.readers = r + 1 // the last one's, as readers ascend
		}
		s.local, s.carried = s.mirror == 0, s.mirror > 0 && s.mirror <= p.rows
		for _, r := range l.reads {
			if r.layer >= 0 && p.layers[r.layer].ring() {
				s.sources = max(s.sources, r.layer+1)
				s.behind = max(s.behind, ceil(back(i, r.layer)))
			}
		}
		switch {
		case s.chained:
		case s.local:
			s.buffer = share(&p.scratch, &scratch, all, i, l.out)
		case s.carried:
			s.buffer = share(&p.carriers, &carriers, all, i, l.out)
			p.before = max(p.before, s.mirror)
		default:
			s.overlap = ceil(s.mirror)
			s.slots = min(s.overlap+min(threads, maxAhead), max(p.bands, s.overlap+1)) // a band never waits for itself
		}
	}
}

// share finds a tensor for layer i's output of that many channels among those
// that nothing reads any more, or adds one. holds are the outputs in them.
func share(channels, holds *[]int, readers [][]int, i, out int) int {
	best := -1
	for b, was := range *holds {
		free := true
		for _, r := range readers[was] {
			free = free && r < i
		}
		if free && (best < 0 || fit((*channels)[b], out) < fit((*channels)[best], out)) {
			best = b
		}
	}
	if best < 0 {
		best = len(*channels)
		*channels, *holds = append(*channels, 0), append(*holds, i)
	}
	(*channels)[best] = max((*channels)[best], out)
	(*holds)[best] = i
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
	plane := func(h, border int) int64 {
		return (int64(h)+int64(border))*(int64(p.w)+int64(border)+kernel.Lanes) + kernel.Lanes
	}
	tensor := func(channels, h, border int) int64 {
		rows := int64(border+2) * (int64(p.w) + int64(border) + kernel.Lanes)
		return 4 * (int64(channels)*plane(h, border) + 2*rows + 16*kernel.Lanes)
	}
	for _, border := range c.net.borders() {
		if border >= 0 {
			p.bytes += tensor(c.net.colors, p.h, border)
		}
	}
	for i := range c.net.layers {
		if s := &p.layers[i]; s.chained {
			channels := c.net.layers[i].out
			p.bytes += int64(c.threads) * 4 * int64(channels) * int64(kernel.ChainStrip(channels))
		} else if !p.planes && s.carried {
			p.bytes += tensor(c.net.layers[i].out, s.mirror, p.border)
		} else if !p.planes && !s.local {
			p.bytes += tensor(c.net.layers[i].out, p.height(i), p.border)
		}
	}
	for _, channels := range p.scratch {
		p.bytes += int64(c.threads) * tensor(channels, p.rows, 0)
	}
	for _, channels := range p.carriers {
		p.bytes += int64(c.threads) * tensor(channels, p.before+p.rows, p.border)
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

// source is the size and border of the tensor that a convolution reads.
func (p *plan) source(net *lowered, l *layer) (w, h, border int) {
	r := l.reads[0]
	switch {
	case r.layer < 0:
		return p.w, p.h, net.borders()[pictureOf(r.layer)]
	case p.planes:
		s := &p.layers[r.layer].plane
		return s.w, s.h, s.border
	case p.layers[r.layer].local:
		return p.w, p.rows, 0
	}
	return p.w, p.height(r.layer), p.border
}

// widest is the longest row that a worker needs for SiLU, 0 for none.
func (p *plan) widest(net *lowered) (floats int) {
	for i := range net.layers {
		if net.layers[i].act != network.ActSiLU {
			continue
		}
		if floats = max(floats, p.w); p.planes {
			floats = max(floats, p.layers[i].plane.w)
		}
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
