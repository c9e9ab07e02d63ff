package runner

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/configs"
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
		if p.Stage == StageSupernet && p.Done > 60 {
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
	status := func() Status {
		t.Helper()
		d, err := Open(dir)
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
	if s := status(); s.TrainStep != 200 || s.Stage != StageProfile || s.Evaluations != 0 {
		t.Errorf("after the training alone: %+v", s)
	}
	if got := mustRun(t, smoke(t, change), dir, Options{}); !bytes.Equal(got, want) {
		t.Errorf("the front is\n%s\nwant\n%s", got, want)
	}
	if s := status(); s.Stage != StageDone {
		t.Errorf("after the run: %+v", s)
	}

	curve := func(dir string) []QualityPoint {
		t.Helper()
		d, err := Open(dir)
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
	// Runs of before the table was there read as ever.
	s, err := openStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.write(func(tx *sql.Tx) error { _, err := tx.Exec("DROP TABLE training_quality"); return err }), s.close()); err != nil {
		t.Fatal(err)
	}
	if list := curve(dir); len(list) != 0 {
		t.Errorf("without its table: %v", list)
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
	large.Slots = append(slices.Clone(large.Slots), space.Slot{Skip: true, Lean: true})
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
	got, notes, err := supernet.Load(filepath.Join(dir, fileSupernet))
	if err != nil || got.Hash() != want.Hash() || notes[noteFrom] != file {
		t.Fatalf("the supernet is not the part of the file: %v, %q", err, notes)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if s, err := d.Status(); err != nil || s.Stage != StageDone || s.TrainStep != 0 {
		t.Errorf("status %+v, %v", s, err)
	}
	// The lost file comes back; of other weights it does not.
	lose := func() {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, fileSupernet)); err != nil {
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
	if err := Run(t.Context(), from(t, file, 0), dir, Options{}); !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), "train.from") {
		t.Errorf("other weights: %v", err)
	}

	// Trained on, they start where the file ends.
	dir = filepath.Join(t.TempDir(), "run")
	if err := Train(t.Context(), from(t, file, 4), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, _, err = supernet.Load(filepath.Join(dir, fileSupernet)); err != nil || got.Hash() == want.Hash() {
		t.Errorf("four steps changed nothing: %v", err)
	}

	refuse := func(c *configs.Config, words ...string) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "run")
		for what, err := range map[string]error{"run": Run(t.Context(), c, dir, Options{}), "train": Train(t.Context(), c, dir, Options{})} {
			for _, w := range words {
				if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %v, want a usage error with %q", what, err, w)
				}
			}
		}
		if _, err := Plan(t.Context(), c); !errors.Is(err, ErrUsage) {
			t.Errorf("plan: %v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the run directory is there: %v", err)
		}
	}
	other := large
	other.Scale = 3
	if err := supernet.New(&other, 1).Save(file, nil); err != nil {
		t.Fatal(err)
	}
	refuse(from(t, file, 0), "train.from", file, "scale: 2, want 3")
	refuse(from(t, filepath.Join(t.TempDir(), "none"), 3), "none", "no such file")
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(from(t, file, 3), file)
}
