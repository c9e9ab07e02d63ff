package deviceprofile

import (
	"math"
	"slices"
	"time"

	"evosr/internal/stat"
	"evosr/space"
	"evosr/sparse"
)

// timed is one network and its times.
type timed struct {
	genome  space.Genome
	w, h    int // of the input, pixels
	macs    int // per input pixel: kept by the runtime, see stopwatch
	layers  []sparse.LayerInfo
	program *sparse.Program // evosr's own, or nil
	file    string          // the exported model, or ""

	frames  []time.Duration
	waited  []time.Duration // of every frame, see sparse.Observation; nil where unknown
	alone   []bool          // likewise
	byLayer [][]time.Duration
	turns   []turn
}

// turn is some frames in a row.
type turn struct {
	at          time.Duration // since the measurement began
	from, until int           // of the frames
}

// add takes over what one turn measured.
func (t *timed) add(at time.Duration, o *sparse.Observation) {
	if o.Waited == nil || len(t.waited) < len(t.frames) {
		t.waited = nil
	} else {
		t.waited = append(t.waited, o.Waited...)
	}
	if o.Alone == nil || len(t.alone) < len(t.frames) {
		t.alone = nil
	} else {
		t.alone = append(t.alone, o.Alone...)
	}
	t.turns = append(t.turns, turn{at, len(t.frames), len(t.frames) + len(o.Frames)})
	t.frames = append(t.frames, o.Frames...)
	if t.byLayer == nil {
		t.byLayer = make([][]time.Duration, len(o.Layers))
	}
	for i, l := range o.Layers {
		t.byLayer[i] = append(t.byLayer[i], l...)
	}
}

// quietFrames says of every frame whether nothing disturbed it.
func (t *timed) quietFrames() []bool {
	o := sparse.Observation{Frames: t.frames, Waited: t.waited, Alone: t.alone}
	return o.Quiet()
}

// quiet is the share of frames that nothing disturbed.
func (t *timed) quiet() float64 {
	return float64(count(t.quietFrames())) / float64(max(len(t.frames), 1))
}

// calm says whether enough frames were undisturbed to rely on their median.
func (t *timed) calm() bool {
	quiet := t.quietFrames()
	return count(quiet) >= min(enoughQuiet, len(quiet))
}

// typical is the time that stands for the network's frames, nanoseconds.
func (t *timed) typical() float64 { return typical(t.frames, t.quietFrames()) }

// pace is how much slower a turn's fastest frame was than typical, 1 for not at
// all.
func (t *timed) pace(k turn) float64 {
	return float64(slices.Min(t.frames[k.from:k.until])) / t.typical()
}

// enoughQuiet is how many undisturbed frames make a median to rely on.
const enoughQuiet = 5

// typical is the median of undisturbed times, nanoseconds. Where those are too
// few it is the lowest decile of all: neighbours on the machine only ever make a
// run slower.
func typical(d []time.Duration, quiet []bool) float64 {
	var s []time.Duration
	for i, ok := range quiet {
		if ok {
			s = append(s, d[i])
		}
	}
	if len(s) < min(enoughQuiet, len(d)) || len(s) == 0 {
		return stat.Quantile(d, 0.1)
	}
	return stat.Quantile(s, 0.5)
}

func count(list []bool) int {
	n := 0
	for _, ok := range list {
		if ok {
			n++
		}
	}
	return n
}

// round keeps the given significant digits, so that files are readable.
func round(v float64, digits int) float64 {
	if v == 0 || math.IsInf(v, 0) || v != v {
		return v
	}
	scale := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
