package deviceprofile

import (
	"math"
	"strings"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/sparse"
)

// TestQuiet: a neighbour that holds a core all the time makes every frame slow
// alike, which spread does not show and waiting does; a clock that falls shows
// in the order of turns only.
func TestQuiet(t *testing.T) {
	const ms = time.Millisecond
	frames := []time.Duration{10 * ms, 10 * ms, 10 * ms, 10 * ms}
	for _, tt := range []struct {
		name           string
		frames, waited []time.Duration
		share          float64
		trouble        string
	}{
		{"alone", frames, make([]time.Duration, 4), 1, ""},
		{"unknown", frames, nil, 1, ""},
		{"held core", frames, []time.Duration{5 * ms, 5 * ms, 5 * ms, 0}, 0.25, "were undisturbed"},
		{"spread", []time.Duration{10 * ms, 11 * ms, 10 * ms, 11 * ms}, nil, 1, "frames vary"},
		{"throttled", []time.Duration{10 * ms, 10 * ms, 10*ms + 7*ms/10, 10*ms + 7*ms/10}, nil, 1, "slower meanwhile"},
	} {
		n := &timed{}
		for i := range tt.frames {
			o := &sparse.Observation{Frames: tt.frames[i : i+1]}
			if tt.waited != nil {
				o.Waited = tt.waited[i : i+1]
			}
			n.add(time.Duration(i)*time.Second, o)
		}
		b := &bench{nets: []*timed{n}}
		if trouble := b.trouble(); b.quietShare() != tt.share || (trouble == "") != (tt.trouble == "") || !strings.Contains(trouble, tt.trouble) {
			t.Errorf("%s: %q, share %v, want %q, %v", tt.name, trouble, b.quietShare(), tt.trouble, tt.share)
		}
	}
}

// TestBusy: on a machine whose cores others hold, frames take three times as long
// and layers, most of the time, do not. The prediction is of the machine alone.
func TestBusy(t *testing.T) {
	rng := check.Rand(t)
	truth, sp := known(), general()
	nets := made(t, truth, rng, 40)
	for _, n := range nets {
		n.frames, n.waited = []time.Duration{3 * n.frames[0]}, []time.Duration{n.frames[0]}
	}
	p := &Profile{Runtime: Evosr, Threads: 1, Width: 320, Height: 180, Scale: 2, Colors: 1}
	p.learn(nets)
	for range 10 {
		layers := compile(t, sp, sp.Random(rng), 1)
		want := 0.0
		for _, ms := range truth.PredictLayers(layers, 320, 180) {
			want += ms
		}
		if got, _, high := p.Predict(layers, 320, 180, 2); math.Abs(got-want) > 0.04*want || high < 2*got {
			t.Errorf("%v ms, at most %v, want what layers take, %v, and a wide interval", got, high, want)
		}
	}
}

// TestTypical: the median of what was undisturbed, and the lowest decile where
// that is too little.
func TestTypical(t *testing.T) {
	d := []time.Duration{10, 11, 12, 13, 14, 100, 100, 100, 100, 100, 100}
	quiet := []bool{true, true, true, true, true, false, false, false, false, false, false}
	if got := typical(d, quiet); got != 12 {
		t.Errorf("the median of undisturbed times is %v, want 12", got)
	}
	quiet[0] = false
	if got := typical(d, quiet); got != 11 {
		t.Errorf("with four undisturbed times it is %v, want the lowest decile, 11", got)
	}
	if got := typical([]time.Duration{7, 9}, []bool{true, true}); got != 8 {
		t.Errorf("two times, both undisturbed, give %v, want 8", got)
	}
}
