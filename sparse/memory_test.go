package sparse

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"evosr/space"
)

// TestLargeOutputs: 4K output, 3840x2160, takes less than 200 MB beside the
// pictures that the caller has, and MemoryBytes tells the truth about it.
func TestLargeOutputs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs large pictures")
	}
	rng := rand.New(rand.NewPCG(5, 5))
	wide := func(scale, width, blocks int) *Subnet {
		g := space.Genome{Width: width, Slots: slices.Repeat([]space.Gene{{Kind: space.Wide, Expansion: 4}}, blocks)}
		return randomize(shape(&space.Space{Scale: scale, Colors: 1}, g), rng)
	}
	const limit = 200e6
	for _, tt := range []struct {
		name    string
		compile func(Options) (*Program, error)
		w, h    int
		run     bool
	}{
		{"wide 16x8 x2", func(o Options) (*Program, error) { return Compile(wide(2, 16, 8).Graph(), o) }, 1920, 1080, false},
		{"wide 32x16 x4", func(o Options) (*Program, error) { return Compile(wide(4, 32, 16).Graph(), o) }, 960, 540, false},
		{"wide 32x16 x2", func(o Options) (*Program, error) { return Compile(wide(2, 32, 16).Graph(), o) }, 1920, 1080, false},
		{"fsrcnn x4", func(o Options) (*Program, error) { return Compile(fsrcnn(rng, 4, 44, 12, 4), o) }, 960, 540, true},
		{"espcn x2", func(o Options) (*Program, error) { return Compile(espcn(rng, 2, 64, 32), o) }, 1920, 1080, false},
	} {
		for _, threads := range []int{1, 2, 4} {
			p, err := tt.compile(Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			told, err := p.MemoryBytes(tt.w, tt.h)
			if err != nil {
				t.Fatal(err)
			}
			if told > limit {
				t.Errorf("%s on %d threads takes %.1f MB, want less than %.0f", tt.name, threads, float64(told)/1e6, limit/1e6)
			}
			if threads == 2 {
				t.Logf("%s: %.1f MB", tt.name, float64(told)/1e6)
			}
			if tt.run && threads == 2 {
				holdsMemory(t, p, tt.w, tt.h, told)
			}
			p.Close()
		}
	}
}

// holdsMemory runs a frame and compares what the heap grew by with what was told.
func holdsMemory(t *testing.T, p *Program, w, h int, told int64) {
	t.Helper()
	src := make([]float32, w*h)
	dst := make([]float32, w*h*p.Scale()*p.Scale())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := p.Upscale(dst, src, w, h); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := int64(after.TotalAlloc - before.TotalAlloc); got > told+told/8+1<<20 {
		t.Errorf("the first frame allocated %d bytes, MemoryBytes says %d", got, told)
	}
	runtime.KeepAlive(src)
	runtime.KeepAlive(dst)
}
