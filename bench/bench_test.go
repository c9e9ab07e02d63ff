package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/kernel"
	"evosr/space"
)

// tiny is a network of every operator that takes no time.
func tiny() *network {
	return &network{"tiny", "one wide block", func() *space.Subnet { return wdsr(8, 1) }}
}

func small(rivals ...rival) *bench {
	return &bench{
		ours: ours{kernel.Best()}, rivals: rivals, size: size{24, 16}, threads: threadsToTest(),
		variants: []variant{variants()[0], variants()[2]}, peak: map[int]float64{},
	}
}

// threadsToTest are 1 and 2 where there are two cores.
func threadsToTest() []int { return []int{1, 2}[:min(2, runtime.NumCPU())] }

// TestONNXRuntime runs the same files in both runtimes, through all of the
// bench.
func TestONNXRuntime(t *testing.T) {
	library := onnxRuntimeLibrary()
	if _, err := os.Stat(library); errors.Is(err, fs.ErrNotExist) {
		t.Skip("onnxruntime-node is not installed (make -C bench deps): nothing to compare with")
	}
	ort, err := openONNXRuntime(library)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ort.close(); err != nil {
			t.Error(err)
		}
	}()
	b := small(ort)
	for _, n := range append(networks(), *tiny()) {
		cells, err := b.load(&n)
		if err != nil {
			t.Fatal(err)
		}
		for i := range cells {
			if d, err := cells[i].compare(); err != nil {
				t.Errorf("%s %s: %v", n.name, cells[i].variant.name, err)
			} else {
				t.Logf("%s %s, threads %d: largest difference %.2g", n.name, cells[i].variant.name, cells[i].threads, d)
			}
			if err := cells[i].close(); err != nil {
				t.Error(err)
			}
		}
	}
	checkReport(t, b, ort.name())
}

// checkReport measures the tiny network and looks at the table and the JSON.
func checkReport(t *testing.T, b *bench, rival string) {
	t.Helper()
	res, err := b.measure(tiny())
	if err != nil {
		t.Fatal(err)
	}
	r := report{Machine: thisMachine(), Width: b.size.w, Height: b.size.h, Rivals: []string{rival}, Networks: []result{res}, Absent: absent()}
	r.finish(b.peak)
	if len(res.Rows) != 2*len(b.threads) || res.Rounds < minRounds {
		t.Fatalf("%d rows of %d rounds, want %d of at least %d", len(res.Rows), res.Rounds, 2*len(b.threads), minRounds)
	}
	for i, row := range res.Rows {
		if !(row.MS.Median > 0 && row.MS.Q1 <= row.MS.Median && row.MS.Median <= row.MS.Q3 && row.PeakShare > 0 && row.Rivals[0].Speedup.Median > 0) {
			t.Errorf("row %d: %+v, want times above 0", i, row)
		}
		if (row.OverDense != nil) != (row.Variant != "dense") || (row.OverOneThread != nil) != (row.Threads != 1) {
			t.Errorf("row %d: %+v, want a ratio to everything but itself", i, row)
		}
	}
	var table, text bytes.Buffer
	if err := r.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.writeJSON(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range append([]string{"tiny", "block4@75", rival, "GB/s"}, absent()...) {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	var back report
	last := res.Rows[len(res.Rows)-1]
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Networks[0].Rows[len(res.Rows)-1]; got.MS != last.MS || *got.OverDense != *last.OverDense {
		t.Errorf("JSON came back as %+v, want %+v", got, last)
	}
}

// double is a rival whose picture is ours, changed.
type double struct{ change func([]float32) []float32 }

func (d double) name() string { return "double" }

func (d double) load(model []byte, src []float32, s size, threads int) (session, error) {
	p, err := ours{kernel.Best()}.load(model, src, s, threads)
	if err != nil {
		return nil, err
	}
	return &doubled{p, d.change}, nil
}

type doubled struct {
	*program
	change func([]float32) []float32
}

func (d *doubled) output() []float32 { return d.change(slices.Clone(d.program.output())) }

// TestDifference: no times without equal pictures.
func TestDifference(t *testing.T) {
	at := func(value func(was float32) float32) func([]float32) []float32 {
		return func(p []float32) []float32 {
			p[len(p)-1] = value(p[len(p)-1])
			return p
		}
	}
	tests := []struct {
		name   string
		change func([]float32) []float32
		want   string // in the error; empty for none
	}{
		{"the same", func(p []float32) []float32 { return p }, ""},
		{"within tolerance", at(func(was float32) float32 { return was + tolerance/2 }), ""},
		{"one value off", at(func(was float32) float32 { return was - 2*tolerance }), "differs"},
		{"NaN", at(func(float32) float32 { return float32(math.NaN()) }), "differs"},
		{"too short", func(p []float32) []float32 { return p[1:] }, "values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := small(double{tt.change}).measure(tiny())
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	checkReport(t, small(double{tests[0].change}), "double")
}

func TestNetworks(t *testing.T) {
	gmac := map[string]float64{ // dense, 320x180 pixels in
		"wdsr-16x8": 2.25, "wdsr-32x16": 14.0, "plain-32": 4.03, "espcn-relu": 1.42, "searched-125k": 7.11,
	}
	for _, n := range networks() {
		for _, v := range variants() {
			file, err := n.file(v, size{32, 18})
			if err != nil {
				t.Fatal(err)
			}
			p, err := ours{kernel.Best()}.load(file, picture(size{32, 18}, n.shape().Colors), size{32, 18}, 1)
			if err != nil {
				t.Fatalf("%s %s: %v", n.name, v.name, err)
			}
			kept, dense := p.macs()
			if got := float64(dense) * 320 * 180 / 1e9; math.Abs(got/gmac[n.name]-1) > 0.005 {
				t.Errorf("%s %s: %.3f GMAC, want %.3g", n.name, v.name, got, gmac[n.name])
			}
			// The skip stays whole, so more than the rest is kept; channels that died of
			// pruning do not run.
			share := float64(kept) / float64(dense)
			if want := 1 - float64(v.prune.Percent)/100; share < want-0.02 || share > want+0.1 {
				t.Errorf("%s %s: %.3f of the weights kept, want about %.2f", n.name, v.name, share, want)
			}
			if v.name == "dense" && n.name == "searched-125k" && math.Abs(float64(p.p.Params())/125_000-1) > 0.02 {
				t.Errorf("%s: %d weights, want about 125,000", n.name, p.p.Params())
			}
			if err := p.close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 2}, spread{3, 2.5, 3.5}},
		{[]float64{5, 1, 4, 2, 3}, spread{3, 2, 4}},
	}
	for _, tt := range tests {
		if got := spreadOf(tt.values); got != tt.want {
			t.Errorf("spreadOf(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
	// Ratios of rounds, not of medians: a slow moment that hits both sides alike
	// leaves no trace.
	if got := speedup([]float64{2, 20, 6}, []float64{1, 10, 2}); got.Median != 2 {
		t.Errorf("speedup = %v, want 2", got.Median)
	}
	if got := geometricMean([]float64{2, 8}); math.Abs(got-4) > 1e-12 {
		t.Errorf("geometric mean %v, want 4", got)
	}
}

func TestKeep(t *testing.T) {
	c := cell{ours: lane{times: []float64{1, 2, 3}}, rivals: []lane{{times: []float64{4, 5, 6}}}}
	c.keep(func(round int) bool { return round != 1 })
	if !slices.Equal(c.ours.times, []float64{1, 3}) || !slices.Equal(c.rivals[0].times, []float64{4, 6}) {
		t.Errorf("kept %v and %v, want rounds 0 and 2", c.ours.times, c.rivals[0].times)
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-quick", "-seconds", "3", "-threads", "1"}, io.Discard)
	if err != nil || len(o.networks) != 2 || len(o.variants) != 2 || o.budget != 3*time.Second || !slices.Equal(o.threads, []int{1}) {
		t.Errorf("%+v, %v; want two networks, two variants, 3 s, one thread", o, err)
	}
	_, err = parse([]string{"-nets", "vdsr", "-pruned", "dense,dense", "-threads", "0", "-size", "320", "-seconds", "NaN", "-patience", "-1"}, io.Discard)
	if err == nil {
		t.Fatal("no error")
	}
	for _, flag := range []string{"-nets", "-pruned", "-threads", "-size", "-seconds", "-patience"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("error %q does not name %s", err, flag)
		}
	}
}
