package sparse

import (
	"testing"
	"time"
)

// TestPace plays frames on a machine that changes.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	type machine struct {
		all, single time.Duration // of a frame
		stalls      bool          // on all workers
	}
	quiet, held, slow := machine{10 * ms, 20 * ms, false}, machine{60 * ms, 22 * ms, true}, machine{100 * ms, 200 * ms, true}
	play := func(p *pace, m machine, frames int) (total time.Duration, alone int) {
		for range frames {
			took, stalled := m.all, m.stalls
			if p.alone {
				took, stalled = m.single, false
				alone++
			}
			p.after(took, stalled)
			total += took
		}
		return total, alone
	}
	var p pace
	if _, alone := play(&p, quiet, 500); alone != 0 {
		t.Errorf("%d frames of a quiet machine ran alone, want none", alone)
	}
	// A program that holds a core for a moment now and then.
	for range 50 {
		if _, alone := play(&p, held, 3); alone != 0 {
			t.Fatal("three stalls sent the frames to one worker")
		}
		if _, alone := play(&p, quiet, 9); alone != 0 {
			t.Fatal("three stalls sent the next frames to one worker")
		}
	}
	if total, alone := play(&p, held, 500); alone < 420 || total > 500*28*ms {
		t.Errorf("%d of 500 frames with a held core ran alone and took %v, want most and not much more than %v", alone, total, 500*held.single)
	}
	if _, alone := play(&p, quiet, 500); alone > longestRest+trialFrames {
		t.Errorf("%d frames ran alone after the core was free, want at most %d", alone, longestRest+trialFrames)
	}
	// Waits that only mean that everything is slow: alone is tried, seldom.
	p = pace{}
	if _, alone := play(&p, slow, 1000); alone > 60 {
		t.Errorf("%d of 1000 frames ran alone where that is slower, want few", alone)
	}
}
