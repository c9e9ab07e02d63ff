package runner

import (
	"testing"
	"time"

	"evosr/rundir"
)

// TestResumedPace resumes a training after its pictures were counted, and wants
// only the steps of this call to make its pace.
func TestResumedPace(t *testing.T) {
	var last Progress
	r := reporter{to: func(p Progress) { last = p }}
	r.tell(rundir.StageSupernet, "preparing training pictures", 0, 96, 0)
	r.tell(rundir.StageSupernet, "preparing training pictures", 96, 96, 0)
	r.tell(rundir.StageSupernet, "training", 5000, 60000, 0)
	pause := 2 * reportEvery
	time.Sleep(pause)
	r.tell(rundir.StageSupernet, "training", 5001, 60000, 0)
	// One step in a pause at least.
	if most := 1 / pause.Seconds(); last.Done != 5001 || !(last.Rate > 0) || last.Rate > most || last.Left < 54999*pause {
		t.Errorf("%+v, want at most %.1f steps a second", last, most)
	}
}
