package runner

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/internal/stat"
	"evosr/rundir"
	"evosr/space"
	"evosr/supernet"
)

func TestCorrelations(t *testing.T) {
	for _, tt := range []struct {
		a, b          []float64
		tau, spearman float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 20, 30, 40}, 1, 1},
		{[]float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, -1, -1},
		{[]float64{1, 2, 3}, []float64{1, 3, 2}, 1.0 / 3, 0.5},
		{[]float64{1, 1, 1}, []float64{1, 2, 3}, 0, 0},
		// Ties: pairs -4 of geometric mean sqrt(8*9); ranks 3.5 1.5 0 3.5 1.5 and 1.5 3 4 1.5 0.
		{[]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}, -4 / math.Sqrt(8*9), -5 / math.Sqrt(9*9.5)},
	} {
		if got := stat.Kendall(tt.a, tt.b); math.Abs(got-tt.tau) > 1e-12 {
			t.Errorf("tau of %v and %v is %v, want %v", tt.a, tt.b, got, tt.tau)
		}
		if got := stat.Pearson(stat.Ranks(tt.a), stat.Ranks(tt.b)); math.Abs(got-tt.spearman) > 1e-12 {
			t.Errorf("Spearman of %v and %v is %v, want %v", tt.a, tt.b, got, tt.spearman)
		}
	}
}

func TestSpread(t *testing.T) {
	var all []Ranked
	for i := range 100 {
		all = append(all, Ranked{LatencyMS: 1 + float64(i*i)/100})
	}
	for _, n := range []int{2, 7, 24, 100} {
		list := spread(all, n)
		if len(list) != n || list[0] != all[0] || list[n-1] != all[99] {
			t.Fatalf("%d of %d from %v to %v", len(list), n, list[0], list[len(list)-1])
		}
		for i := range list[1:] {
			if !(list[i].LatencyMS < list[i+1].LatencyMS) {
				t.Fatalf("%d: %v is not ascending", n, list)
			}
			if n == 7 && list[i+1].LatencyMS/list[i].LatencyMS > 2.3 {
				t.Errorf("a step from %v to %v ms, want even ones of 2.15", list[i].LatencyMS, list[i+1].LatencyMS)
			}
		}
	}
}

// TestRank ranks a few networks, continues from a journal with a line that a
// kill cut, and wants the numbers of a run that went through.
func TestRank(t *testing.T) {
	cfg := smoke(t, "")
	cfg.Data.Pictures, cfg.Train.Batch = 4, 2
	net := supernet.New(&cfg.Space, 1)
	profile, err := configs.LoadProfile(cfg.Device.Profile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := RankOptions{Genomes: 5, Short: 3, Long: 8, Journal: filepath.Join(dir, "whole.jsonl")}
	want, err := Rank(t.Context(), net, cfg, profile, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Networks) != 5 || !(want.Spread > 2) || len(want.Short) != 4 || len(want.Long) != 4 {
		t.Errorf("%+v", want)
	}
	for _, n := range want.Networks {
		if n.Short == n.Inherited || n.Long == n.Short || n.Refitted == n.Inherited || !(n.Long > 15) || n.Params == 0 || n.MACs == 0 {
			t.Errorf("%+v, want four different qualities", n)
		}
	}

	// A kill leaves some lines and a part of one.
	text, err := os.ReadFile(o.Journal)
	if err != nil || strings.Count(string(text), "\n") != 10 {
		t.Fatalf("the journal holds %q, %v", text, err)
	}
	o.Journal = filepath.Join(dir, "stopped.jsonl")
	if err := os.WriteFile(o.Journal, text[:len(text)*2/5], 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Rank(ctx, net, cfg, profile, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was stopped", err)
	}
	got, err := Rank(t.Context(), net, cfg, profile, o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("continued it gives\n%+v\nwant\n%+v", got, want)
	}
	// All is known now: nothing is trained, and nothing written.
	before, _ := os.ReadFile(o.Journal)
	if got, err = Rank(t.Context(), net, cfg, profile, o); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from the journal alone: %+v, %v", got, err)
	}
	if after, _ := os.ReadFile(o.Journal); string(after) != string(before) {
		t.Errorf("the journal grew by %q", strings.TrimPrefix(string(after), string(before)))
	}
	// A network refitted alone is the one that was ranked.
	g, err := space.ParseGenome(want.Networks[2].Genome)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := net.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	if sub, err = Refit(t.Context(), sub, cfg, nil); err != nil {
		t.Fatal(err)
	}
	drawn := &rundir.Pictures{}
	if err := drawn.DrawValidation(t.Context(), cfg, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if db, err := newProbe(&cfg.Space, drawn.Validation).subnet(sub); err != nil || db != want.Networks[2].Refitted {
		t.Errorf("refitted alone %v dB, %v, ranked with %v", db, err, want.Networks[2].Refitted)
	}
	// Other weights know nothing of it.
	k := &ranking{run: run{cfg: cfg, net: supernet.New(&cfg.Space, 2), profile: profile}, o: o}
	if err := k.prepare(t.Context()); err != nil || len(k.known) != 0 {
		t.Errorf("other weights know %d results, %v", len(k.known), err)
	}
	if _, err := Rank(t.Context(), net, cfg, profile, RankOptions{Genomes: 1, Short: 1, Long: 1}); !errors.Is(err, rundir.ErrUsage) {
		t.Errorf("one network: %v", err)
	}
}

// TestSearchFinetune refits every network and trains it a little before it is
// scored, and wants another front than without either, the same at any number of
// workers and after an interruption.
func TestSearchFinetune(t *testing.T) {
	config := func(refit, steps int) *configs.Config {
		c := smoke(t, "steps=20\nfinetune=0")
		c.Search.Refit, c.Search.Finetune, c.Search.Evaluations, c.Data.Pictures, c.Train.Batch = refit, steps, 60, 4, 2
		return c
	}
	inherited := mustRun(t, config(0, 0), filepath.Join(t.TempDir(), "run"), Options{})
	refitted := mustRun(t, config(4, 0), filepath.Join(t.TempDir(), "run"), Options{})
	want := mustRun(t, config(4, 3), filepath.Join(t.TempDir(), "run"), Options{Workers: 1})
	if string(refitted) == string(inherited) || string(want) == string(refitted) {
		t.Error("the same front as with inherited weights, or as with refitted ones alone")
	}
	dir := filepath.Join(t.TempDir(), "run")
	ctx, stop := context.WithCancel(t.Context())
	err := Run(ctx, config(4, 3), dir, Options{Workers: 3, Report: func(p Progress) {
		if p.Stage == rundir.StageSearch && p.Done > 10 {
			stop()
		}
	}})
	if err != nil && !errors.Is(err, ErrInterrupted) { // a fast machine may be done
		t.Error(err)
	}
	if got := mustRun(t, config(4, 3), dir, Options{Workers: 2}); string(got) != string(want) {
		t.Errorf("continued with other workers the front is\n%s\nwant\n%s", got, want)
	}
}
