package sparse

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
)

// frame is the memory of one Program for one size.
type frame struct {
	plan     *plan
	pictures [2]kernel.Tensor // with edge values around it, with zeros; see network.borders
	workers  []worker
	kept     [][]float32    // of each carried layer: the last rows of the last band that it finished
	done     []atomic.Int32 // layers that each band has finished; over planes: rows that each layer has
	next     []atomic.Int32 // the first band, or row of each layer, that nobody took
	failed   atomic.Bool    // a worker panicked: nobody waits for it

	// patience is how many looks a worker takes at a band that it waits for
	// before it lets go of its core. Letting go early wakes threads of the
	// scheduler that then hold the core of another worker for a whole tick, 4 ms:
	// with 64 looks the slowest tenth of frames took 1.3 times the median, with
	// these about 0.1 ms 1.02 times. Where workers outnumber cores, the one that
	// is waited for may need this core.
	patience int
	pace     pace
	active   int // workers of the frame
	dst      []float32
}

// worker is what one thread alone touches.
type worker struct {
	out        []kernel.Tensor // of each layer
	dst        kernel.Tensor   // rows of it, as the kernels see them
	src, add   kernel.Tensor   // rows of what is read first and second
	epilogue   kernel.Epilogue
	rows       [4][]float32    // channel rows to be shuffled
	scratch    []float32       // for Winograd
	gates      []float32       // a row of SiLU's sigmoids
	spare      []float32       // a row of a strided convolution, over planes
	strided    kernel.Tensor   // of it
	chain      kernel.Epilogue // of the layer that the next one computes, too
	columnsOf  *network.Node   // the last resized output
	columnsFor [2]int          // its widths, in and out
	columnsAt  []int32         // what its columns are made of, as many for each
	columnsBy  []float32       // and with what weights
	busy       []time.Duration // in each layer, while timed
	stalled    bool            // it waited long for another
	_          [64]byte        // keeps the next worker's lines apart
}

// Upscale reads Colors planes of w x h values from src and writes Colors planes
// of (w*Scale) x (h*Scale) values to dst, rows without padding; dst may be the
// memory of src. It allocates only on the first call of a size.
func (p *Program) Upscale(dst, src []float32, w, h int) error {
	return p.run(dst, src, w, h, false)
}

func (p *Program) run(dst, src []float32, w, h int, timed bool) error {
	net := p.c.net
	const maxSide = 1 << 24
	if w < 1 || h < 1 || w > maxSide || h > maxSide {
		return fmt.Errorf("sparse: picture: %dx%d pixels, want 1 to %d a side", w, h, maxSide)
	}
	pixels := int64(net.colors) * int64(w) * int64(h)
	if int64(len(src)) != pixels {
		return fmt.Errorf("sparse: source: %d values, want %d for %d colors of %dx%d pixels", len(src), pixels, net.colors, w, h)
	}
	if want := pixels * int64(net.scale*net.scale); int64(len(dst)) != want {
		return fmt.Errorf("sparse: destination: %d values, want %d for %d colors of %dx%d pixels", len(dst), want, net.colors, w*net.scale, h*net.scale)
	}
	if !p.busy.CompareAndSwap(false, true) {
		return ErrInUse
	}
	defer p.busy.Store(false)
	if p.frame == nil || p.frame.plan.w != w || p.frame.plan.h != h {
		plan, err := p.c.planFor(w, h)
		if err != nil {
			return err
		}
		p.frame = nil // the old size's memory may go first
		p.frame = newFrame(p.c, plan)
	}
	f := p.frame
	for i := range f.pictures {
		if t := &f.pictures[i]; t.Data != nil {
			for c := range net.colors {
				t.Set(c, src[c*w*h:(c+1)*w*h])
			}
		}
	}
	if t := &f.pictures[0]; t.Data != nil {
		t.EdgeBorder(t.Border / 2)
	}
	for i := range f.done {
		f.done[i].Store(0)
	}
	for i := range f.next {
		f.next[i].Store(0)
	}
	f.failed.Store(false)
	f.dst = dst
	if p.work == nil {
		p.work = func(id int) { p.frame.work(p.c, id, false) }
		p.timed = func(id int) { p.frame.work(p.c, id, true) }
	}
	work := p.work
	if timed {
		work = p.timed
	}
	f.active = p.c.threads
	if f.pace.alone {
		f.active = 1
	}
	start := time.Now()
	p.crew.run(f.active, work)
	stalled := false
	for i := range f.workers {
		stalled = stalled || f.workers[i].stalled
		f.workers[i].stalled = false
	}
	f.pace.after(time.Since(start), stalled)
	f.dst = nil
	return nil
}

func newFrame(c *compiled, p *plan) *frame {
	net := c.net
	f := &frame{plan: p, done: make([]atomic.Int32, p.bands), next: make([]atomic.Int32, 1), workers: make([]worker, c.threads)}
	if f.patience = 1 << 17; c.threads > runtime.GOMAXPROCS(0) {
		f.patience = 1 << 8
	}
	for i, border := range net.borders() {
		if border >= 0 {
			f.pictures[i] = *kernel.NewTensor(net.colors, p.h, p.w, border)
		}
	}
	place := func(channels, h, w, border int) []float32 {
		_, _, _, size := kernel.Layout(channels, h, w, border)
		return kernel.Aligned(size)
	}
	rings := make([]kernel.Tensor, len(net.layers))
	if p.planes {
		f.done, f.next = make([]atomic.Int32, len(net.layers)), make([]atomic.Int32, len(net.layers))
		f.placePlanes(net, rings)
	}
	f.kept = make([][]float32, len(net.layers))
	for i := range net.layers {
		if out, s := net.layers[i].out, &p.layers[i]; !p.planes && s.ring() {
			rings[i].Place(place(out, p.height(i), s.w, p.border), out, p.height(i), s.w, p.border)
		} else if !p.planes && s.carried {
			row, _, _, _ := kernel.Layout(out, p.height(i), s.w, p.border)
			f.kept[i] = kernel.Aligned(out * s.mirror * row)
		}
	}
	for i := range f.workers {
		w := &f.workers[i]
		var scratch, carriers [][]float32
		for _, b := range p.scratch {
			scratch = append(scratch, place(b.channels, b.rows, b.w, 0))
		}
		for _, b := range p.carriers {
			carriers = append(carriers, place(b.channels, p.before+b.rows, b.w, p.border))
		}
		w.out, w.busy = make([]kernel.Tensor, len(net.layers)), make([]time.Duration, len(net.layers))
		if p.transform > 0 {
			w.scratch = kernel.Aligned(int(p.transform))
		}
		if n := p.widest(net); n > 0 {
			w.gates = kernel.Aligned(n)
		}
		if p.spare > 0 {
			w.spare = kernel.Aligned(int(p.spare))
		}
		for j := range net.layers {
			l, s, t := &net.layers[j], &p.layers[j], &w.out[j]
			switch {
			case s.chained:
				*t = *kernel.ChainTensor(l.out)
			case s.local:
				t.Place(scratch[s.buffer], l.out, s.rows, s.w, 0)
			case s.carried:
				t.Place(carriers[s.buffer], l.out, p.height(j), s.w, p.border)
			default:
				*t = rings[j]
			}
		}
	}
	return f
}

// work is what one worker does of a frame. When it panics, the others stop
// waiting for it.
func (f *frame) work(c *compiled, id int, timed bool) {
	ended := false
	defer func() {
		if !ended {
			f.failed.Store(true)
		}
	}()
	if f.plan.planes {
		f.workPlanes(c, &f.workers[id], timed)
	} else {
		f.workBands(c, &f.workers[id], timed)
	}
	ended = true
}

// workBands takes bands in their order and runs each through all layers, until
// none is left. A layer waits until the bands before have what it reads and no
// longer need what it overwrites; a band that is waited for was taken earlier,
// so some band can always go on.
func (f *frame) workBands(c *compiled, me *worker, timed bool) {
	p := f.plan
	layers := c.net.layers
	for {
		k := int(f.next[0].Add(1)) - 1
		if k >= p.bands {
			return
		}
		for i := range layers {
			s := &p.layers[i]
			if !f.await(me, k-s.behind, k, s.sources) {
				return
			}
			if s.ring() && !f.await(me, k-s.slots, k-s.slots+s.overlap+1, s.readers) {
				return
			}
			if s.chained {
				continue // what it reads stays until the next layer is done
			}
			start := time.Time{}
			if timed {
				start = time.Now()
			}
			y0 := max(k*s.rows-p.shift[i], 0)
			y1 := min((k+1)*s.rows-p.shift[i], s.h)
			if y0 < y1 {
				f.band(c, me, i, k, y0, y1)
			}
			if s.ring() {
				f.surround(me, i, k)
			}
			if s.carried {
				if timed {
					me.busy[i] += time.Since(start)
				}
				if !f.await(me, k-1, k, i+1) {
					return
				}
				if timed {
					start = time.Now()
				}
				f.carry(me, i, k)
			}
			if timed {
				me.busy[i] += time.Since(start)
			}
			if i == len(layers)-1 && y0 < y1 {
				f.shuffle(c, me, y0, y1)
			}
			f.done[k].Store(int32(i + 1))
		}
	}
}

// band computes rows [y0, y1) of layer i.
func (f *frame) band(c *compiled, me *worker, i, k, y0, y1 int) {
	l := &c.net.layers[i]
	me.dst = me.out[i]
	f.place(&me.dst, i, k, y0)
	me.dst.H = y1 - y0
	switch {
	case l.far():
		f.absolute(&me.src, me, &l.reads[0], k)
		if l.op == network.OpConv {
			f.convolveRows(c, me, i, y0)
			break
		}
		placed[l.op].rows(me, c.set, l.node, y0, f.plan.layers[i].h)
	case l.op == network.OpConv:
		from := f.plan.begins(i)
		f.view(&me.src, me, &c.net.layers[from].reads[0], k, y0, y1)
		if len(l.reads) > 1 {
			f.view(&me.add, me, &l.reads[1], k, y0, y1)
		}
		if from < i {
			me.convolveChain(c, f.plan, from)
			break
		}
		me.convolve(c.set, l, &f.plan.layers[i], (y0+f.plan.shift[i])%kernel.TileRows)
	case l.op == network.OpConcat:
		first := 0
		for j := range l.reads {
			f.view(&me.src, me, &l.reads[j], k, y0, y1)
			me.copyRows(first)
			first += me.src.C
		}
	default:
		f.view(&me.src, me, &l.reads[0], k, y0, y1)
		if len(l.reads) > 1 {
			f.view(&me.add, me, &l.reads[1], k, y0, y1)
		}
		me.combine(c.set, l)
	}
	me.activate(c.set, l)
}

// view makes t rows [y0, y1) of what r reads, as band k finds them.
func (f *frame) view(t *kernel.Tensor, me *worker, r *read, k, y0, y1 int) {
	if r.layer < 0 {
		*t = f.pictures[pictureOf(r.layer)]
		t.Origin += y0 * t.Row
	} else {
		*t = me.out[r.layer]
		f.place(t, r.layer, k, y0)
	}
	t.Origin += r.first * t.Plane
	t.C, t.H = r.channels, y1-y0
}

// absolute makes t all of what r reads, its origin at row 0, of which only those
// rows are there that band k finds.
func (f *frame) absolute(t *kernel.Tensor, me *worker, r *read, k int) {
	if r.layer < 0 {
		*t = f.pictures[pictureOf(r.layer)]
	} else {
		*t = me.out[r.layer]
		s := &f.plan.layers[r.layer]
		if t.H = s.h; s.local {
			t.Origin -= max(k*s.rows-f.plan.shift[r.layer], 0) * t.Row
		} else {
			f.place(t, r.layer, k, 0)
		}
	}
	t.Origin += r.first * t.Plane
	t.C = r.channels
}

// place moves the origin of layer i's output to row y0 as band k finds it.
func (f *frame) place(t *kernel.Tensor, i, k, y0 int) {
	switch s := &f.plan.layers[i]; {
	case s.local:
	case s.carried:
		t.Origin += (f.plan.before + y0 + f.plan.shift[i] - k*s.rows) * t.Row
	default:
		t.Origin += (s.mirror + y0 + f.plan.shift[i] - k/s.slots*s.slots*s.rows) * t.Row
	}
}

// surround clears those rows of layer i's ring that band k has outside the
// picture, as far as filters reach, and mirrors its last rows before the ring.
func (f *frame) surround(me *worker, i, k int) {
	p, s, t := f.plan, &f.plan.layers[i], &me.out[i]
	slot := k % s.slots * s.rows // the band's first row in the ring
	first := k*s.rows - p.shift[i]
	for r := range s.rows {
		y := first + r
		outside := y < 0 && y >= -p.border || y >= s.h && y < s.h+p.border
		before := slot + r - s.slots*s.rows // where the row is mirrored, if it is
		if !outside && before < -s.mirror {
			continue
		}
		for c := range t.C {
			row := t.At(c, s.mirror+slot+r)
			if outside {
				clear(row)
			}
			if before >= -s.mirror {
				copy(t.At(c, s.mirror+before), row)
			}
		}
	}
}

// carry clears those rows of layer i's band k that lie outside the picture, as far
// as filters reach, copies before it what the band before kept and keeps its own
// last rows. Rows of one channel lie in a row, zeros between them.
func (f *frame) carry(me *worker, i, k int) {
	p, s, t := f.plan, &f.plan.layers[i], &me.out[i]
	first := k*s.rows - p.shift[i]
	for r := range s.rows {
		if y := first + r; y < 0 && y >= -p.border || y >= s.h && y < s.h+p.border {
			for c := range t.C {
				clear(t.At(c, p.before+r))
			}
		}
	}
	n := (s.mirror-1)*t.Row + t.W
	for c := range t.C {
		kept := f.kept[i][c*s.mirror*t.Row:][:n]
		at := t.Origin + c*t.Plane + (p.before-s.mirror)*t.Row
		if before := t.Data[at : at+n]; k == 0 {
			clear(before)
		} else {
			copy(before, kept)
		}
		copy(kept, t.Data[at+s.rows*t.Row:])
	}
}

// await returns when the bands [from, to) have finished their first n layers, or
// with false when that will not happen.
func (f *frame) await(me *worker, from, to, n int) bool {
	for b := max(0, from); b < to && n > 0; b++ {
		if !f.awaitCount(me, &f.done[b], int32(n)) {
			return false
		}
	}
	return true
}

// awaitCount returns when done has reached n, or with false when it will not.
func (f *frame) awaitCount(me *worker, done *atomic.Int32, n int32) bool {
	var since time.Time
	for i := 0; done.Load() < n; i++ {
		if i > f.patience || i&1023 == 1023 {
			if f.failed.Load() {
				return false
			}
		}
		if i > f.patience {
			if since.IsZero() {
				since = time.Now()
			}
			runtime.Gosched()
		}
		if i > 2*f.patience {
			time.Sleep(20 * time.Microsecond)
		}
	}
	if !since.IsZero() && time.Since(since) > stall {
		me.stalled = true
	}
	return true
}

// streamed is how many values of a picture are so many that no second-level cache
// keeps them until they are read: writing them past it leaves it to the layers and
// does not fetch first what is overwritten.
const streamed = 1 << 19

// shuffle writes rows [y0, y1) of the last layer's output, me.dst, into the
// picture: channel c*factor²+i*factor+j becomes row i, column j of color c's
// cells; with DCR order it is channel (i*factor+j)*colors+c.
func (f *frame) shuffle(c *compiled, me *worker, y0, y1 int) {
	n := c.net.factor
	t := &me.dst
	width, rows := t.W*n, f.plan.h*c.net.scale
	weave := c.set.Shuffle
	if len(f.dst) >= streamed {
		weave = c.set.Stream
	}
	step, perColor := 1, n*n
	if c.net.dcr {
		step, perColor = c.net.colors, 1
	}
	for color := range c.net.colors {
		for y := y0; y < y1; y++ {
			for i := range n {
				at := (color*rows + y*n + i) * width
				dst := f.dst[at : at+width]
				switch {
				case n == 1:
					copy(dst, t.At(color*perColor, y-y0))
				case n <= 4:
					for j := range n {
						me.rows[j] = t.At(color*perColor+(i*n+j)*step, y-y0)
					}
					weave(dst, me.rows, n)
				default:
					for j := range n {
						for x, v := range t.At(color*perColor+(i*n+j)*step, y-y0) {
							dst[x*n+j] = v
						}
					}
				}
			}
		}
	}
}
