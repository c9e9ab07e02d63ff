package supernet

import (
	"fmt"
	"math/rand/v2"

	"evosr/internal/relay"
)

// Source hands out training patches. Patch writes one into lr (Colors planes of
// size x size) and hr (the same place, Scale times as large), luma or RGB as
// code/255, and takes every random choice from rng. It is called by one
// goroutine at a time.
type Source interface {
	Patch(rng *rand.Rand, size int, lr, hr []float32)
}

// patchesOf draws so many patches, one after another.
func patchesOf(src Source, rng *rand.Rand, count, patch, colors, scale int) (lr, hr []float32) {
	low := colors * patch * patch
	high := low * scale * scale
	lr, hr = make([]float32, count*low), make([]float32, count*high)
	for i := range count {
		src.Patch(rng, patch, lr[i*low:(i+1)*low], hr[i*high:(i+1)*high])
	}
	return lr, hr
}

// checkPatches reports what is wrong with a number of patches and their side.
func checkPatches(what string, count, most, patch int) error {
	switch {
	case count < 1 || count > most:
		return fmt.Errorf("supernet: %s: count: %d, want 1 to %d", what, count, most)
	case patch < minPatch || patch > maxPatch:
		return fmt.Errorf("supernet: %s: patch: %d, want %d to %d pixels", what, patch, minPatch, maxPatch)
	}
	return nil
}

// feed fetches the patches of the next step while this one is computed. What a
// step gets depends on the seed and the step alone.
type feed struct {
	src          Source
	seed         uint64
	batch, patch int
	low, high    int // values of a patch
	lr, hr       [2][]float32

	// Where there are outputs, a share of the patches are from them: for those
	// known is true and taught their answer.
	outputs *TeacherOutputs
	share   float64
	taught  [2][]float32
	known   [2][]bool

	filling int // which of the two is being filled or was last
	step    int // that it is filled for, -1 for none
	ready   chan struct{}
	fetch   func()
	lost    relay.Catcher // what the source panicked with
	pcg     rand.PCG
	rng     *rand.Rand
}

func newFeed(src Source, seed uint64, batch, patch, colors, scale int) *feed {
	f := &feed{src: src, seed: seed, batch: batch, patch: patch, step: -1, ready: make(chan struct{}, 1)}
	f.low = colors * patch * patch
	f.high = f.low * scale * scale
	for i := range 2 {
		f.lr[i], f.hr[i] = make([]float32, batch*f.low), make([]float32, batch*f.high)
	}
	f.rng = rand.New(&f.pcg)
	done := func() { f.ready <- struct{}{} }
	f.fetch = func() {
		defer done()
		defer f.lost.Catch()
		for i := range f.batch {
			f.one(i)
		}
	}
	return f
}

// teach has a share of the patches come from outputs.
func (f *feed) teach(l *TeacherOutputs, share float64) {
	f.outputs, f.share = l, share
	for i := range 2 {
		f.taught[i], f.known[i] = make([]float32, len(f.hr[i])), make([]bool, f.batch)
	}
}

// one fetches patch i of a batch.
func (f *feed) one(i int) {
	n := f.filling
	lr, hr := f.lr[n][i*f.low:(i+1)*f.low], f.hr[n][i*f.high:(i+1)*f.high]
	if f.outputs != nil {
		if f.known[n][i] = f.rng.Float64() < f.share; f.known[n][i] {
			f.outputs.take(f.rng.IntN(f.outputs.count), lr, hr, f.taught[n][i*f.high:(i+1)*f.high])
			return
		}
	}
	f.src.Patch(f.rng, f.patch, lr, hr)
}

func (f *feed) start(step int) {
	f.step = step
	f.filling = 1 - f.filling
	f.pcg.Seed(mix(f.seed, streamPatches), mix(f.seed, uint64(step)))
	go f.fetch()
}

// batch is the patches of a step, one after another.
type batch struct {
	lr, hr []float32
	taught []float32 // what the teacher made of those that are known; nil without outputs
	known  []bool
}

// take waits for the patches of a step, which stay valid until the next take,
// and has the following step fetched unless it is the last.
func (f *feed) take(step int, last bool) batch {
	if f.step != step {
		f.drop()
		f.start(step)
	}
	<-f.ready
	f.step = -1
	f.lost.Raise()
	n := f.filling
	b := batch{f.lr[n], f.hr[n], f.taught[n], f.known[n]}
	if !last {
		f.start(step + 1)
	}
	return b
}

// drop waits for what is being fetched and forgets it.
func (f *feed) drop() {
	if f.step >= 0 {
		<-f.ready
		f.step = -1
	}
}

// Streams of random numbers, so that no two uses of a seed meet.
const (
	streamPatches = iota + 1
	streamPool
	streamDraws
	streamOutputs
	streamRefit
)

// mix hashes two numbers into one (SplitMix64, Steele et al. 2014).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
