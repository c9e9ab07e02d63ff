package sparse

import (
	"fmt"
	"slices"
	"time"
)

// Timing sums up repeated measurements of one thing.
type Timing struct{ Median, P90 time.Duration }

// Time runs a w x h picture runs times after two runs of warm-up. frame is wall
// time; a layer's time is the mean over threads of what they spent in it, so
// that layers sum up to the frame less waiting, copying and shuffling.
func (p *Program) Time(w, h, runs int) (frame Timing, layers []Timing, err error) {
	frames, byLayer, err := p.Samples(w, h, runs)
	if err != nil {
		return Timing{}, nil, err
	}
	for _, l := range byLayer {
		layers = append(layers, summary(l))
	}
	return summary(frames), layers, nil
}

// Samples is Time without the summing up: the wall time of every frame, and for
// every layer its time in every frame.
func (p *Program) Samples(w, h, runs int) (frames []time.Duration, layers [][]time.Duration, err error) {
	const warmUp = 2
	if runs < 1 || runs > 1<<20 {
		return nil, nil, fmt.Errorf("sparse: timing: %d runs, want 1 to %d", runs, 1<<20)
	}
	if w < 1 || h < 1 || int64(w)*int64(h) > p.c.maxBytes {
		return nil, nil, fmt.Errorf("sparse: timing: %dx%d pixels, want at least 1x1 and what memory holds", w, h)
	}
	if _, err := p.c.planFor(w, h); err != nil { // refuses sizes before they are allocated
		return nil, nil, err
	}
	src := make([]float32, p.Colors()*w*h)
	dst := make([]float32, len(src)*p.Scale()*p.Scale())
	for i := range src {
		src[i] = 16.0/255 + float32(i*7919%220)/255 // grainy, within studio range
	}
	layers = make([][]time.Duration, len(p.c.info))
	for n := -warmUp; n < runs; n++ {
		start := time.Now()
		if err := p.run(dst, src, w, h, true); err != nil {
			return nil, nil, err
		}
		took := time.Since(start)
		for i := range layers {
			var sum time.Duration
			for j := range p.frame.workers {
				sum += p.frame.workers[j].busy[i]
				p.frame.workers[j].busy[i] = 0
			}
			if n >= 0 {
				layers[i] = append(layers[i], sum/time.Duration(p.c.threads))
			}
		}
		if n >= 0 {
			frames = append(frames, took)
		}
	}
	return frames, layers, nil
}

func summary(d []time.Duration) Timing {
	s := slices.Clone(d)
	slices.Sort(s)
	return Timing{Median: s[len(s)/2], P90: s[min(len(s)-1, len(s)*9/10)]}
}
