package sparse

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/space"
)

// TestQuiet: a frame is disturbed when its threads waited for a core, and when
// it took much longer than the quickest ones.
func TestQuiet(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name           string
		frames, waited []time.Duration
		want           []bool
		median         time.Duration // of the quiet ones
	}{
		{"all alike", []time.Duration{10 * ms, 10 * ms, 11 * ms}, []time.Duration{0, 0, 0}, []bool{true, true, true}, 10 * ms},
		{"two modes", []time.Duration{20 * ms, 10 * ms, 21 * ms, 10 * ms}, nil, []bool{false, true, false, true}, 10 * ms},
		{"waits that cost little time", []time.Duration{10 * ms, 10 * ms, 10 * ms}, []time.Duration{ms, ms / 10, 0}, []bool{false, true, true}, 10 * ms},
		{"every frame waits", []time.Duration{20 * ms, 20 * ms}, []time.Duration{10 * ms, 9 * ms}, []bool{false, false}, 0},
		{"one frame", []time.Duration{ms}, nil, []bool{true}, ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Observation{Frames: tt.frames, Waited: tt.waited}
			got := o.Quiet()
			if !slices.Equal(got, tt.want) {
				t.Fatalf("quiet are %v, want %v", got, tt.want)
			}
			was := slices.Clone(tt.frames)
			s := summary(tt.frames, got)
			n := 0
			for _, q := range tt.want {
				if q {
					n++
				}
			}
			if s.QuietMedian != tt.median || s.Quiet != float64(n)/float64(len(tt.want)) {
				t.Errorf("summary %+v, want %v of %d frames", s, tt.median, n)
			}
			if slices.Sort(was); s.Median != was[len(was)/2] {
				t.Errorf("median %v, want that of all frames, %v", s.Median, was[len(was)/2])
			}
		})
	}
}

// TestCharge: a wait reaches back over as many frames as it is long, and no
// farther than the first.
func TestCharge(t *testing.T) {
	for _, tt := range []struct {
		wait time.Duration
		want []time.Duration
	}{
		{0, []time.Duration{0, 1, 0}},
		{-5, []time.Duration{0, 1, 0}},
		{4, []time.Duration{0, 1, 4}},
		{12, []time.Duration{0, 8, 5}},
		{90, []time.Duration{10, 21, 5}},
	} {
		o := Observation{Frames: []time.Duration{10, 20, 5}, Waited: []time.Duration{0, 1, 0}}
		if o.charge(tt.wait); !slices.Equal(o.Waited, tt.want) {
			t.Errorf("a wait of %d gives %d, want %d", tt.wait, o.Waited, tt.want)
		}
	}
}

// TestObserveSeesNeighbours runs a network beside twice as many threads as there
// are cores: threads must then have waited, and frames must not be called quiet.
func TestObserveSeesNeighbours(t *testing.T) {
	if _, ok := queued(); !ok {
		t.Skip("this system does not tell what threads waited")
	}
	if testing.Short() {
		t.Skip("short: under emulation every turn of the system's scheduler is long")
	}
	cores := runtime.NumCPU()
	if cores > 16 {
		t.Skipf("%d cores are too many to fill for a test", cores)
	}
	sp := &space.Space{Scale: 2, Colors: 1}
	g := space.Genome{Width: 16, Slots: slices.Repeat([]space.Gene{{Kind: space.Wide, Expansion: 2}}, 4)}
	p, err := Compile(randomize(shape(sp, g), check.Rand(t)).Graph(), Options{Threads: cores})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3 * cores))
	stop := make(chan struct{})
	defer close(stop)
	for range 2 * cores {
		go func() {
			for i := 0; ; i++ {
				if i%1024 == 0 {
					select {
					case <-stop:
						return
					default:
					}
				}
			}
		}()
	}
	o, err := p.Observe(160, 90, 60)
	if err != nil {
		t.Fatal(err)
	}
	var waited, took time.Duration
	for i := range o.Frames {
		waited += o.Waited[i]
		took += o.Frames[i]
	}
	if waited < took/4 {
		t.Errorf("beside %d threads that never rest, %v of work waited only %v", 2*cores, took, waited)
	}
	frame := summary(o.Frames, o.Quiet())
	if frame.Quiet > 0.9 {
		t.Errorf("%.0f %% of the frames are called quiet", 100*frame.Quiet)
	}
}
