package deviceprofile

import (
	"strings"
	"testing"
	"time"

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
