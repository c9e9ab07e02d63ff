package supernet

import (
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

// feed fetches the patches of the next step while this one is computed. What a
// step gets depends on the seed and the step alone.
type feed struct {
	src          Source
	seed         uint64
	batch, patch int
	low, high    int // values of a patch
	lr, hr       [2][]float32
	filling      int // which of the two is being filled or was last
	step         int // that it is filled for, -1 for none
	ready        chan struct{}
	fetch        func()
	lost         relay.Catcher // what the source panicked with
	pcg          rand.PCG
	rng          *rand.Rand
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
		lr, hr := f.lr[f.filling], f.hr[f.filling]
		for i := range f.batch {
			f.src.Patch(f.rng, f.patch, lr[i*f.low:(i+1)*f.low], hr[i*f.high:(i+1)*f.high])
		}
	}
	return f
}

func (f *feed) start(step int) {
	f.step = step
	f.filling = 1 - f.filling
	f.pcg.Seed(mix(f.seed, streamPatches), mix(f.seed, uint64(step)))
	go f.fetch()
}

// take waits for the patches of a step, which stay valid until the next take,
// and has the following step fetched unless it is the last.
func (f *feed) take(step int, last bool) (lr, hr []float32) {
	if f.step != step {
		f.drop()
		f.start(step)
	}
	<-f.ready
	f.step = -1
	f.lost.Raise()
	lr, hr = f.lr[f.filling], f.hr[f.filling]
	if !last {
		f.start(step + 1)
	}
	return lr, hr
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
)

// mix hashes two numbers into one (SplitMix64, Steele et al. 2014).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
