package runner

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/rundir"
	"evosr/space"
	"evosr/supernet"
)

// TestTrainAlone trains in one call, stopped half-way and continued, and lets
// Run go on from there: all as if it had been one run.
func TestTrainAlone(t *testing.T) {
	const change = "steps=200\nfinetune=0"
	whole := filepath.Join(t.TempDir(), "whole")
	want := mustRun(t, smoke(t, change), whole, Options{})

	dir := filepath.Join(t.TempDir(), "run")
	ctx, stop := context.WithCancel(t.Context())
	spoken := ""
	err := Train(ctx, smoke(t, change), dir, Options{Report: func(p Progress) {
		if p.Stage == rundir.StageSupernet && p.Done > 60 {
			spoken = p.Message
			stop()
		}
	}})
	if !errors.Is(err, ErrInterrupted) {
		t.Fatalf("error %v, want that it was interrupted", err)
	}
	for _, w := range []string{"loss 0.", " dB (half pruned ", " images/s"} {
		if !strings.Contains(spoken, w) {
			t.Errorf("progress %q lacks %q", spoken, w)
		}
	}
	if err := Train(t.Context(), smoke(t, change), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	status := func() rundir.Status {
		t.Helper()
		d, err := rundir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		s, err := d.Status()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := status(); s.TrainStep != 200 || s.Stage != rundir.StageProfile || s.Evaluations != 0 {
		t.Errorf("after the training alone: %+v", s)
	}
	if got := mustRun(t, smoke(t, change), dir, Options{}); !bytes.Equal(got, want) {
		t.Errorf("the front is\n%s\nwant\n%s", got, want)
	}
	if s := status(); s.Stage != rundir.StageDone {
		t.Errorf("after the run: %+v", s)
	}

	curve := func(dir string) []rundir.QualityPoint {
		t.Helper()
		d, err := rundir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		list, err := d.Quality()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	a, b := curve(whole), curve(dir)
	if !reflect.DeepEqual(a, b) || len(a) != qualityPoints || a[len(a)-1].Step != 200 {
		t.Errorf("validation while training: %v, want the %d points of the run that was never stopped, %v", b, qualityPoints, a)
	}
	if first, last := a[0], a[len(a)-1]; !(last.PSNR > first.PSNR) || !(last.PrunedPSNR > 20) || last.PrunedPSNR > last.PSNR+0.5 {
		t.Errorf("validation went from %+v to %+v", first, last)
	}
	if a, b := layersOf(t, whole), layersOf(t, dir); !reflect.DeepEqual(a, b) || len(a) != qualityPoints || a[len(a)-1].Step != 200 {
		t.Errorf("layers while training: %v, want the %d points of the run that was never stopped, %v", b, qualityPoints, a)
	}
	// Runs of before the tables were there read as ever.
	query(t, dir, "DROP TABLE training_quality; DROP TABLE training_layers")
	if list, layers := curve(dir), layersOf(t, dir); len(list)+len(layers) != 0 {
		t.Errorf("without their tables: %v, %v", list, layers)
	}
}

// from is the smoke config starting from a file of weights.
func from(t *testing.T, file string, steps int) *configs.Config {
	t.Helper()
	c := smoke(t, "finetune=0")
	c.Train.From, c.Train.Steps = file, steps
	return c
}

// TestFrom starts from weights of a larger space: taken as they are, trained
// on, and refused where they do not fit or are others.
func TestFrom(t *testing.T) {
	base := smoke(t, "")
	large := base.Space
	large.Widths = append(slices.Clone(large.Widths), 32)
	large.Slots = append(slices.Clone(large.Slots), space.Slot{Skip: true, Blocks: space.Blocks{space.Lean: space.Once()}})
	file := filepath.Join(t.TempDir(), "large.safetensors")
	net := supernet.New(&large, 9)
	if err := net.Save(file, nil); err != nil {
		t.Fatal(err)
	}
	want, err := net.Slice(&base.Space)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	front := mustRun(t, from(t, file, 0), dir, Options{})
	got, notes, err := supernet.Load(filepath.Join(dir, rundir.FileSupernet))
	if err != nil || got.Hash() != want.Hash() || notes[noteFrom] != file {
		t.Fatalf("the supernet is not the part of the file: %v, %q", err, notes)
	}
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if s, err := d.Status(); err != nil || s.Stage != rundir.StageDone || s.TrainStep != 0 {
		t.Errorf("status %+v, %v", s, err)
	}
	taught := func() (n int) {
		t.Helper()
		events, err := d.Events()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if strings.HasPrefix(e.Text, "taught by the best network of "+file) {
				n++
			}
		}
		return n
	}
	if n := taught(); n != 0 {
		t.Errorf("%d teachers without a fine-tuning", n)
	}
	// The lost file comes back; of other weights it does not.
	lose := func() {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, rundir.FileSupernet)); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	if again := mustRun(t, from(t, file, 0), dir, Options{}); !bytes.Equal(again, front) {
		t.Error("another front from the same weights")
	}
	lose()
	if err := supernet.New(&large, 10).Save(file, nil); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), from(t, file, 0), dir, Options{}); !errors.Is(err, rundir.ErrIntegrity) || !strings.Contains(err.Error(), "train.from") {
		t.Errorf("other weights: %v", err)
	}

	// The larger space's best network teaches, where it is better.
	if err := net.Save(file, nil); err != nil {
		t.Fatal(err)
	}
	tuned := from(t, file, 0)
	tuned.Winners.Finetune = 3
	if d, err = rundir.Open(func() string {
		dir = filepath.Join(t.TempDir(), "run")
		mustRun(t, tuned, dir, Options{})
		return dir
	}()); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	small, errA := want.Extract(want.Space.Largest())
	big, errB := net.Extract(large.Largest())
	pairs, errC := d.Validation()
	if err := errors.Join(errA, errB, errC); err != nil {
		t.Fatal(err)
	}
	p := &probe{val: pairs}
	a, errA := p.subnet(small)
	b, errB := p.subnet(big)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if n := taught(); n != map[bool]int{true: 1}[b > a] {
		t.Errorf("%d teachers from the larger space, whose best network has %v dB and this space's %v", n, b, a)
	}

	// A file with the same weights for this space and another teacher is another.
	larger := large
	larger.Slots = append(slices.Clone(large.Slots), space.Slot{Skip: true, Blocks: space.Blocks{space.Lean: space.Once()}})
	other, err := supernet.New(&larger, 9).Slice(&base.Space)
	if err != nil || other.Hash() != want.Hash() {
		t.Fatalf("the larger space's weights for this one differ, %v", err)
	}
	if err := errors.Join(supernet.New(&larger, 9).Save(file, nil), os.RemoveAll(filepath.Join(dir, rundir.DirWinners))); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), tuned, dir, Options{}); !errors.Is(err, rundir.ErrIntegrity) || !strings.Contains(err.Error(), "train.from") {
		t.Errorf("another teacher: %v", err)
	}
	if err := net.Save(file, nil); err != nil {
		t.Fatal(err)
	}

	// Trained on, they start where the file ends.
	dir = filepath.Join(t.TempDir(), "run")
	if err := Train(t.Context(), from(t, file, 4), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, _, err = supernet.Load(filepath.Join(dir, rundir.FileSupernet)); err != nil || got.Hash() == want.Hash() {
		t.Errorf("four steps changed nothing: %v", err)
	}

	refuse := func(c *configs.Config, words ...string) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "run")
		for what, err := range map[string]error{"run": Run(t.Context(), c, dir, Options{}), "train": Train(t.Context(), c, dir, Options{})} {
			for _, w := range words {
				if !errors.Is(err, rundir.ErrUsage) || !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %v, want a usage error with %q", what, err, w)
				}
			}
		}
		if _, err := Plan(t.Context(), c); !errors.Is(err, rundir.ErrUsage) {
			t.Errorf("plan: %v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the run directory is there: %v", err)
		}
	}
	// Parts are split off, and no others can be trained.
	parted := from(t, file, 4)
	parted.Train.Partitions = configs.Partitions{Borders: []float64{0.5}, Train: []int{2}}
	dir = filepath.Join(t.TempDir(), "run")
	if err := Train(t.Context(), parted, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, _, err = supernet.Load(filepath.Join(dir, rundir.FileSupernet)); err != nil || len(got.Partitions.Borders) != 1 || got.Weights() != 2*want.Weights() {
		t.Errorf("split in two, the supernet has splits %v: %v", got.Partitions.Borders, err)
	}
	parted.Train.Partitions.Pruned, parted.Train.Partitions.Train = []int{1}, []int{4}
	refuse(parted, "train.partitions.train", "4, want at most 3")
	parted.Train.Partitions.Pruned = []int{3}
	refuse(parted, "train.partitions", "3], want them ascending and at most 2")

	// Weights of another scale are trained on, never used as they are.
	x3 := large
	x3.Scale = 3
	elsewhere := filepath.Join(t.TempDir(), "x3.safetensors")
	if err := supernet.New(&x3, 1).Save(elsewhere, nil); err != nil {
		t.Fatal(err)
	}
	rescaled := from(t, elsewhere, 4)
	rescaled.Winners.Finetune = 3
	mustRun(t, rescaled, filepath.Join(t.TempDir(), "run"), Options{})

	if err := supernet.New(&x3, 1).Save(file, nil); err != nil {
		t.Fatal(err)
	}
	refuse(from(t, file, 0), "train.from", file, "scale 3, want scale 2", "train.steps")
	refuse(from(t, filepath.Join(t.TempDir(), "none"), 3), "none", "no such file")
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(from(t, file, 3), file)
}
