package supernet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"evosr/internal/kernel"
	"evosr/internal/relay"
	"evosr/network"
)

// TeacherOutputs are patches with what a teacher makes of them, worked out once for
// any number of fine-tunings: a teacher is often many times the size of what it
// teaches, and in every step would take most of the time. They are safe for
// concurrent use.
type TeacherOutputs struct {
	scale, colors, patch int
	count                int
	lr, hr, taught       []float32 // by patch; taught before the pixel shuffle, (outs, height, width)
}

// TeachOptions says how many outputs there are and how they are made.
type TeachOptions struct {
	Count   int // patches
	Patch   int // side of a patch, low-resolution pixels
	Seed    uint64
	Threads int         // 0 means GOMAXPROCS; it never changes the result
	Kernels *kernel.Set // nil means the fastest of this processor
}

const (
	maxTeacherOutputs = 1024
	outputRepeat      = 8  // times that a output is taken on average, as long as there are few
	outputLimit       = 32 // at most: beyond, patches are fresh and without a teacher
)

// TeacherOutputsFor is how many outputs a fine-tuning has use for. In 400 steps of 8
// patches, 256 outputs over and over gained what a teacher at every step did
// (0.1 dB over none, on Set14 x2), in a third of the time.
func TeacherOutputsFor(steps, batch int) int {
	return min(max(steps*batch/outputRepeat, 1), maxTeacherOutputs)
}

// Teach makes outputs. When ctx ends, its error is returned.
func Teach(ctx context.Context, teacher *network.Graph, src Source, o TeachOptions) (*TeacherOutputs, error) {
	if err := checkPatches("lessons", o.Count, maxTeacherOutputs, o.Patch); err != nil {
		return nil, err
	}
	if err := teacher.Validate(); err != nil {
		return nil, fmt.Errorf("supernet: outputs: teacher: %w", err)
	}
	known, err := layersOf(teacher)
	if err != nil {
		return nil, fmt.Errorf("supernet: outputs: teacher: %w", err)
	}
	if o.Kernels == nil {
		o.Kernels = kernel.Best()
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	low := teacher.Colors * o.Patch * o.Patch
	high := low * teacher.Scale * teacher.Scale
	l := &TeacherOutputs{scale: teacher.Scale, colors: teacher.Colors, patch: o.Patch, count: o.Count, taught: make([]float32, o.Count*high)}
	l.lr, l.hr = patchesOf(src, rand.New(rand.NewPCG(mix(o.Seed, streamOutputs), 0)), o.Count, o.Patch, l.colors, l.scale)

	master, geo, shapes := frozen(known, o.Patch, o.Kernels)
	var next atomic.Int64
	var wg sync.WaitGroup
	var lost relay.Catcher
	work := func() {
		defer lost.Catch()
		w := newWorker(o.Kernels, geo, shapes, l.colors, l.colors*l.scale*l.scale, 1)
		w.place(master)
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= o.Count {
				return
			}
			w.load(0, l.lr[i*low:(i+1)*low], nil, l.scale)
			out, to := w.forward(master, 0), l.taught[i*high:(i+1)*high]
			for c := range out.C {
				for y := range out.H {
					to = to[copy(to, out.At(c, y)):]
				}
			}
		}
	}
	for range min(o.Threads, o.Count) {
		wg.Go(work)
	}
	wg.Wait()
	lost.Raise()
	return l, ctx.Err()
}

// fit reports why the outputs are none for a network and patches.
func (l *TeacherOutputs) fit(net *layers, patch int) error {
	if l.scale != net.Scale || l.colors != net.Colors || l.patch != patch {
		return fmt.Errorf("supernet: outputs: scale %d, %d colors and patches of %d, want %d, %d and %d", l.scale, l.colors, l.patch, net.Scale, net.Colors, patch)
	}
	return nil
}

// take copies a output.
func (l *TeacherOutputs) take(i int, lr, hr, taught []float32) {
	copy(lr, l.lr[i*len(lr):])
	copy(hr, l.hr[i*len(hr):])
	copy(taught, l.taught[i*len(taught):])
}
