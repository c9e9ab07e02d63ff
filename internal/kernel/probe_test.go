package kernel

import (
	"testing"
	"time"
)

// TestProbes: rates are those of a processor, whatever else runs on it.
func TestProbes(t *testing.T) {
	for _, set := range Sets() {
		if peak := set.PeakGFLOPS(time.Millisecond); !(peak > 0.01 && peak < 1e5) {
			t.Errorf("%s: %v GFLOP/s", set.Name, peak)
		}
	}
	if rate := MemoryGBs(1<<20, time.Millisecond); !(rate > 0.01 && rate < 1e5) {
		t.Errorf("memory: %v GB/s", rate)
	}
}

func TestByName(t *testing.T) {
	for _, set := range Sets() {
		if got, err := ByName(set.Name); err != nil || got.Name != set.Name {
			t.Errorf("ByName(%q) = %v, %v", set.Name, got, err)
		}
	}
	if _, err := ByName("mmx"); err == nil {
		t.Error("a set that there is none of has no error")
	}
	if last := Sets()[len(Sets())-1]; last.Name != "go" {
		t.Errorf("the last Set is %q, want the portable one", last.Name)
	}
}
