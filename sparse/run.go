package sparse

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"evosr/internal/kernel"
)

// frame is the memory of one Program for one size.
type frame struct {
	plan    *plan
	picture kernel.Tensor
	workers []worker
	done    []atomic.Int32 // layers that each band has finished
	next    atomic.Int32   // the first band that nobody took

	// patience is how many looks a worker takes at a band that it waits for
	// before it lets go of its core. Letting go early wakes threads of the
	// scheduler that then hold the core of another worker for a whole tick, 4 ms:
	// with 64 looks the slowest tenth of frames took 1.3 times the median, with
	// these about 0.1 ms 1.02 times. Where workers outnumber cores, the one that
	// is waited for may need this core.
	patience int
	dst      []float32
}

// worker is what one thread alone touches.
type worker struct {
	out           []kernel.Tensor // of each layer
	dst, src, add kernel.Tensor   // rows of them, as the kernels see them
	with, without kernel.Epilogue // add, no add
	rows          [4][]float32    // channel rows to be shuffled
	busy          []time.Duration // in each layer, while timed
	_             [64]byte        // keeps the next worker's lines apart
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
	pixels := int64(net.Colors) * int64(w) * int64(h)
	if int64(len(src)) != pixels {
		return fmt.Errorf("sparse: source: %d values, want %d for %d colors of %dx%d pixels", len(src), pixels, net.Colors, w, h)
	}
	if want := pixels * int64(net.Scale*net.Scale); int64(len(dst)) != want {
		return fmt.Errorf("sparse: destination: %d values, want %d for %d colors of %dx%d pixels", len(dst), want, net.Colors, w*net.Scale, h*net.Scale)
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
	for c := range net.Colors {
		f.picture.Set(c, src[c*w*h:(c+1)*w*h])
	}
	f.picture.EdgeBorder(pictureReach)
	for i := range f.done {
		f.done[i].Store(0)
	}
	f.next.Store(0)
	f.dst = dst
	if p.work == nil {
		p.work = func(id int) { p.frame.work(p.c, id, false) }
		p.timed = func(id int) { p.frame.work(p.c, id, true) }
	}
	if timed {
		p.crew.run(p.timed)
	} else {
		p.crew.run(p.work)
	}
	f.dst = nil
	return nil
}

func newFrame(c *compiled, p *plan) *frame {
	net := c.net
	f := &frame{plan: p, done: make([]atomic.Int32, p.bands), workers: make([]worker, c.threads)}
	if f.patience = 1 << 17; c.threads > runtime.GOMAXPROCS(0) {
		f.patience = 1 << 8
	}
	f.picture = *kernel.NewTensor(net.Colors, p.h, p.w, pictureBorder)
	place := func(channels, h, border int) []float32 {
		_, _, _, size := kernel.Layout(channels, h, p.w, border)
		return kernel.Aligned(size)
	}
	rings := make([]kernel.Tensor, len(net.Layers))
	for i := range net.Layers {
		if out := net.Layers[i].Out; !p.layers[i].local {
			rings[i].Place(place(out, p.ring(i), p.border), out, p.ring(i), p.w, p.border)
		}
	}
	for i := range f.workers {
		w := &f.workers[i]
		var scratch [][]float32
		for _, channels := range p.scratch {
			scratch = append(scratch, place(channels, p.rows, 0))
		}
		w.out, w.busy = make([]kernel.Tensor, len(net.Layers)), make([]time.Duration, len(net.Layers))
		w.with.Residual = &w.add
		for j := range net.Layers {
			l, s, t := &net.Layers[j], &p.layers[j], &w.out[j]
			if s.local {
				t.Place(scratch[s.buffer], l.Out, p.rows, p.w, 0)
			} else {
				*t = rings[j]
			}
		}
	}
	return f
}

// work takes bands in their order and runs each through all layers, until none
// is left. A layer waits until the bands before have what it reads and no longer
// need what it overwrites; a band that is waited for was taken earlier, so some
// band can always go on.
func (f *frame) work(c *compiled, id int, timed bool) {
	p, me := f.plan, &f.workers[id]
	layers := c.net.Layers
	for {
		k := int(f.next.Add(1)) - 1
		if k >= p.bands {
			return
		}
		for i := range layers {
			s := &p.layers[i]
			f.await(k-s.behind, k, s.sources)
			if !s.local {
				f.await(k-s.slots, k-s.slots+s.overlap+1, s.readers)
			}
			start := time.Time{}
			if timed {
				start = time.Now()
			}
			y0 := max(k*p.rows-p.shift[i], 0)
			y1 := min((k+1)*p.rows-p.shift[i], p.h)
			if y0 < y1 {
				f.layer(c, me, i, k, y0, y1)
			}
			if !s.local {
				f.surround(me, i, k)
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

// layer computes rows [y0, y1) of layer i.
func (f *frame) layer(c *compiled, me *worker, i, k, y0, y1 int) {
	l := &c.net.Layers[i]
	f.view(&me.dst, me, i, k, y0, y1)
	f.view(&me.src, me, l.Src, k, y0, y1)
	e := &me.without
	if l.Add >= 0 {
		f.view(&me.add, me, l.Add, k, y0, y1)
		e = &me.with
	}
	e.ReLU = l.ReLU
	c.set.Conv(&me.dst, &me.src, f.plan.layers[i].blocks, e, 0, y1-y0)
}

// view makes t rows [y0, y1) of layer i's output, or of the picture, as band k
// finds them.
func (f *frame) view(t *kernel.Tensor, me *worker, i, k, y0, y1 int) {
	if i < 0 {
		*t = f.picture
		t.Origin += y0 * t.Row
	} else {
		*t = me.out[i]
		if s := &f.plan.layers[i]; !s.local {
			t.Origin += (s.mirror + y0 + f.plan.shift[i] - k/s.slots*s.slots*f.plan.rows) * t.Row
		}
	}
	t.H = y1 - y0
}

// surround clears those rows of layer i's ring that band k has outside the
// picture, as far as filters reach, and mirrors its last rows before the ring.
func (f *frame) surround(me *worker, i, k int) {
	p, s, t := f.plan, &f.plan.layers[i], &me.out[i]
	slot := k % s.slots * p.rows // the band's first row in the ring
	first := k*p.rows - p.shift[i]
	for r := range p.rows {
		y := first + r
		outside := y < 0 && y >= -p.border || y >= p.h && y < p.h+p.border
		before := slot + r - s.slots*p.rows // where the row is mirrored, if it is
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

// await returns when the bands [from, to) have finished their first n layers.
func (f *frame) await(from, to, n int) {
	for b := max(0, from); b < to && n > 0; b++ {
		for i := 0; f.done[b].Load() < int32(n); i++ {
			if i > f.patience {
				runtime.Gosched()
			}
			if i > 2*f.patience {
				time.Sleep(20 * time.Microsecond)
			}
		}
	}
}

// shuffle writes rows [y0, y1) of the last layer's output into the picture:
// channel c*Scale²+i*Scale+j becomes row i, column j of color c's cells.
func (f *frame) shuffle(c *compiled, me *worker, y0, y1 int) {
	p, scale := f.plan, c.net.Scale
	t := &me.dst // the last layer's, always local
	width := p.w * scale
	for color := range c.net.Colors {
		for y := y0; y < y1; y++ {
			for i := range scale {
				for j := range scale {
					me.rows[j] = t.At(color*scale*scale+i*scale+j, y-y0)
				}
				at := ((color*p.h+y)*scale + i) * width
				c.set.Shuffle(f.dst[at:at+width], me.rows, scale)
			}
		}
	}
}
