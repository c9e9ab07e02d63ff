package sparse

import (
	"fmt"
	"slices"
	"time"
)

// Timing sums up repeated measurements of one thing.
type Timing struct {
	Median, P90 time.Duration // of all of them, disturbed ones too

	// Quiet is the share that nothing seems to have disturbed, see
	// Observation.Quiet, and QuietMedian the median of those, 0 where there are
	// none. A low share means that the others' times say more about the rest of
	// the machine than about the network.
	Quiet       float64
	QuietMedian time.Duration

	Alone float64 // share of frames that ran on one thread, see Observation; 0 for layers
}

// Observation is what was measured of repeated frames. All lists are by frame.
type Observation struct {
	Frames []time.Duration   // wall time
	Layers [][]time.Duration // by layer, then by frame: see Time

	// Waited is how long threads of this process were ready to run while
	// something else held the core, summed over threads. It is nil where the
	// system does not tell: only Linux does. It cannot see what a virtual
	// machine's host runs meanwhile.
	Waited []time.Duration

	// Alone says which frames ran on one thread although the program has more,
	// because others held up its workers.
	Alone []bool
}

// Limits of a frame that counts as quiet: what its threads waited for cores as a
// share of its time, and its time over the frames' lowest decile.
const (
	quietWait   = 0.03
	quietExcess = 1.1
)

// Quiet says of every frame whether it looks undisturbed: it ran on all threads,
// they hardly waited for a core, and it took at most a tenth longer than the lowest decile
// of all frames, which catches what the system cannot see. Something that slows
// every frame alike, such as a lower clock, stays unseen.
func (o *Observation) Quiet() []bool {
	sorted := slices.Sorted(slices.Values(o.Frames))
	quiet := make([]bool, len(sorted))
	for i, d := range o.Frames {
		quiet[i] = float64(d) <= quietExcess*float64(sorted[(len(sorted)-1)/10])
		if o.Waited != nil && float64(o.Waited[i]) > quietWait*float64(d) {
			quiet[i] = false
		}
		if o.Alone != nil && o.Alone[i] {
			quiet[i] = false
		}
	}
	return quiet
}

// Time runs a w x h picture runs times after two runs of warm-up. frame is wall
// time; a layer's time is the mean over threads of what they spent in it, so
// that layers sum up to the frame less waiting, copying and shuffling. A chained
// layer's is in the next one's.
func (p *Program) Time(w, h, runs int) (frame Timing, layers []Timing, err error) {
	o, err := p.Observe(w, h, runs)
	if err != nil {
		return Timing{}, nil, err
	}
	quiet := o.Quiet()
	for _, l := range o.Layers {
		layers = append(layers, summary(l, quiet))
	}
	frame = summary(o.Frames, quiet)
	for _, alone := range o.Alone {
		if alone {
			frame.Alone += 1 / float64(len(o.Alone))
		}
	}
	return frame, layers, nil
}

// Samples is Time without the summing up: the wall time of every frame, and for
// every layer its time in every frame.
func (p *Program) Samples(w, h, runs int) (frames []time.Duration, layers [][]time.Duration, err error) {
	o, err := p.Observe(w, h, runs)
	if err != nil {
		return nil, nil, err
	}
	return o.Frames, o.Layers, nil
}

// Observe is Samples with what else is known of the frames.
func (p *Program) Observe(w, h, runs int) (*Observation, error) {
	const warmUp = 2
	if runs < 1 || runs > 1<<20 {
		return nil, fmt.Errorf("sparse: timing: %d runs, want 1 to %d", runs, 1<<20)
	}
	if w < 1 || h < 1 || int64(w)*int64(h) > p.c.maxBytes {
		return nil, fmt.Errorf("sparse: timing: %dx%d pixels, want at least 1x1 and what memory holds", w, h)
	}
	if _, err := p.c.planFor(w, h); err != nil { // refuses sizes before they are allocated
		return nil, err
	}
	src := make([]float32, p.Colors()*w*h)
	dst := make([]float32, len(src)*p.Scale()*p.Scale())
	for i := range src {
		src[i] = 16.0/255 + float32(i*7919%220)/255 // grainy, within studio range
	}
	o := &Observation{Layers: make([][]time.Duration, len(p.c.info))}
	before, told := queued()
	for n := -warmUp; n < runs; n++ {
		start := time.Now()
		if err := p.run(dst, src, w, h, true); err != nil {
			return nil, err
		}
		took := time.Since(start)
		after, ok := queued()
		told = told && ok
		for i := range o.Layers {
			var sum time.Duration
			for j := range p.frame.workers {
				sum += p.frame.workers[j].busy[i]
				p.frame.workers[j].busy[i] = 0
			}
			if n >= 0 {
				o.Layers[i] = append(o.Layers[i], sum/time.Duration(p.frame.active))
			}
		}
		if n >= 0 {
			o.Frames, o.Waited = append(o.Frames, took), append(o.Waited, 0)
			o.Alone = append(o.Alone, p.frame.active < p.c.threads)
			for thread, sum := range after {
				o.charge(sum - before[thread])
			}
		}
		before = after
	}
	if !told {
		o.Waited = nil
	}
	return o, nil
}

// charge adds what one thread waited until the end of the last frame. The system
// tells of a wait when it is over, so that it may have begun frames before.
func (o *Observation) charge(wait time.Duration) {
	for i := len(o.Frames) - 1; i >= 0 && wait > 0; i-- {
		part := min(wait, o.Frames[i])
		o.Waited[i] += part
		wait -= part
	}
}

// summary sums up d, of which quiet says what was not disturbed.
func summary(d []time.Duration, quiet []bool) Timing {
	s := slices.Sorted(slices.Values(d))
	t := Timing{Median: s[len(s)/2], P90: s[min(len(s)-1, len(s)*9/10)]}
	s = s[:0]
	for i, ok := range quiet {
		if ok {
			s = append(s, d[i])
		}
	}
	t.Quiet = float64(len(s)) / float64(len(d))
	if slices.Sort(s); len(s) > 0 {
		t.QuietMedian = s[len(s)/2]
	}
	return t
}
