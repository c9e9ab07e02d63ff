package doctor

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/kernel"
)

func TestExamine(t *testing.T) {
	r, err := Examine(t.TempDir(), "v")
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != "v" || r.Kernels != kernel.Best().Name || !slices.Contains(r.Available, "go") || !(r.PeakGFLOPS > 0) || !(r.MemoryGBs > 0) || r.Agreement > 1e-4 || r.Fit != (len(r.Faults) == 0) {
		t.Errorf("%+v", r)
	}
	if slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "written") }) {
		t.Errorf("a folder of one's own cannot be written to: %q", r.Warnings)
	}
	if r, err = Examine(filepath.Join(t.TempDir(), "none"), "v"); err != nil || r.DiskFree != 0 || !slices.Contains(r.Warnings, "nothing can be written to this folder: no such file or directory") {
		t.Errorf("a folder that is not there: %+v, %v", r, err)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 MB", 512 << 20: "537 MB", 2_340_000_000: "2.3 GB"} {
		if got := Size(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
