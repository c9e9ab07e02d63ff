package deviceprofile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
)

// MeasureOptions say what to measure.
type MeasureOptions struct {
	Threads       int          // 0 for GOMAXPROCS
	Quick         bool         // at most 30 s instead of 5 minutes
	Space         *space.Space // whose networks are measured; nil for a general one
	Width, Height int          // input picture, pixels; 0 for 320x180
	Seconds       float64      // stops earlier than Quick says; 0 does not
	Runner        *Runner      // times networks in place of evosr's own runtime; nil for that
	Progress      func(done float64, what string)
}

// How long a measurement may take, with a margin for the last network and the
// fit, and how many networks it is made of.
const (
	quickTime, fullTime = 26 * time.Second, 280 * time.Second
	quickNets, fullNets = 48, 160
)

// general is a space as wide, and nearly as deep, as networks for real time get.
func general() *space.Space {
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {1, 2, 4}, space.Plain: {0.5, 1, 2}, space.Lean: space.Once()}}
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{8, 16, 24, 32}, Slots: slices.Repeat([]space.Slot{slot}, 12),
		Schemes: network.Schemes(), Percents: []int{25, 50, 75, 90}}
}

func (o *MeasureOptions) complete() error {
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = 320, 180
	}
	if o.Threads == 0 {
		o.Threads = min(runtime.GOMAXPROCS(0), sparse.MaxThreads)
	}
	if o.Space == nil {
		o.Space = general()
	}
	if err := o.Space.Validate(); err != nil {
		return fmt.Errorf("deviceprofile: %w", err)
	}
	if !(o.Seconds >= 0) {
		return fmt.Errorf("deviceprofile: seconds: %v, want 0 or more", o.Seconds)
	}
	if o.Threads < 1 || o.Threads > sparse.MaxThreads {
		return fmt.Errorf("deviceprofile: threads: %d, want 1 to %d", o.Threads, sparse.MaxThreads)
	}
	if o.Width < 1 || o.Height < 1 {
		return fmt.Errorf("deviceprofile: picture: %dx%d pixels, want at least 1x1", o.Width, o.Height)
	}
	return nil
}

// Measure times evosr's runtime on this machine, or the runtime behind
// o.Runner. It stops early, with ctx's error, when ctx ends.
func Measure(ctx context.Context, o MeasureOptions) (*Profile, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	start := time.Now()
	limit, nets := fullTime, fullNets
	if o.Quick {
		limit, nets = quickTime, quickNets
	}
	if o.Seconds > 0 {
		limit = min(limit, time.Duration(o.Seconds*float64(time.Second)))
	}
	p := &Profile{
		Runtime: Evosr, CPU: cpuModel(), Governor: governor(), Kernels: kernel.Best().Name, Version: sparse.Version,
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, Date: time.Now().UTC().Format(time.RFC3339),
		Threads: o.Threads, Width: o.Width, Height: o.Height, Scale: o.Space.Scale, Colors: o.Space.Colors,
	}
	b := &bench{clock: own{o.Threads}, w: o.Width, h: o.Height, progress: o.Progress}
	s := &scout{space: o.Space, profile: p, sizes: [][2]int{{o.Width, o.Height}}, rng: rand.New(rand.NewPCG(1, 0x70726f66696c65))}
	if o.Runner != nil {
		watch, err := o.Runner.start(o.Threads)
		if err != nil {
			return nil, err
		}
		defer watch.stop()
		b.clock, p.Runtime = watch, o.Runner.Command
		s.first = simple(o.Space)
	} else if !o.Quick {
		// Other sizes than the profile's own are predicted better for some of
		// them being measured.
		s.sizes = append(s.sizes, [2]int{max(o.Width/2, 8), max(o.Height/2, 8)}, [2]int{o.Width * 3 / 2, o.Height * 3 / 2})
	}
	if err := b.run(ctx, o.Space, nets, s.draw, limit); err != nil {
		return nil, err
	}
	p.learn(b.nets)
	p.Trouble = b.trouble()
	p.Quiet = p.Trouble == ""
	p.QuietShare, p.Noise, p.Slowdown = round(b.quietShare(), 4), round(b.noise(), 4), round(b.slowdown(), 4)
	p.Repeated = b.repeated
	p.Seconds = round(time.Since(start).Seconds(), 3)
	if o.Progress != nil {
		o.Progress(1, "fit")
	}
	return p, p.Validate()
}
