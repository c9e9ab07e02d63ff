package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
)

// tiny is a network of every operator of ours that takes no time.
func tiny() *subject {
	return &subject{name: "tiny", what: "one wide block", shape: func() *network.Graph { return wdsr(8, 1) }}
}

func small(rivals ...rival) *bench {
	return &bench{ours: ours{kernel.Best()}, rivals: rivals, peak: map[int]float64{}}
}

func testTask(n *subject) task {
	return task{subject: n, size: size{24, 16}, variants: []variant{variants()[0], variants()[2]}, threads: threadsToTest(), pace: pace{least: 1}}
}

// threadsToTest are 1 and 2 where there are two cores.
func threadsToTest() []int { return []int{1, 2}[:min(2, runtime.NumCPU())] }

// TestRivals runs the same files in every runtime that is installed and compares
// the pictures, then times one network.
func TestRivals(t *testing.T) {
	for _, o := range openers() {
		t.Run(o.name, func(t *testing.T) {
			list, absent := openRivals([]opener{o}, places{library: onnxRuntimeLibrary(), python: "/usr/bin/python3"})
			if len(list) == 0 {
				t.Skip(absent[0])
			}
			defer func() {
				if err := closeRivals(list); err != nil {
					t.Error(err)
				}
			}()
			b := small(list...)
			for _, n := range append(networks(), *tiny()) {
				task := testTask(&n)
				task.threads = []int{1}
				if !o.everyFile(list) {
					task.variants = task.variants[:1]
				}
				cells, err := b.load(task)
				if err != nil {
					t.Fatalf("%s: %v", n.name, err)
				}
				for i := range cells {
					if d, err := b.compare(&cells[i]); err != nil {
						t.Errorf("%s %s: %v", n.name, cells[i].variant.name, err)
					} else {
						t.Logf("%s %s, threads %d: largest difference %.2g", n.name, cells[i].variant.name, cells[i].threads, d)
					}
					if err := cells[i].close(); err != nil {
						t.Error(err)
					}
				}
			}
			checkReport(t, b)
		})
	}
}

func (o opener) everyFile(list []rival) bool { return list[0].everyFile() }

// checkReport measures the tiny network and looks at the table and the JSON.
func checkReport(t *testing.T, b *bench) {
	t.Helper()
	res, err := b.measure(testTask(tiny()))
	if err != nil {
		t.Fatal(err)
	}
	name := b.rivals[0].name()
	r := report{Machine: thisMachine(), Rivals: []string{name}, Absent: []string{"another: not here"}, Results: []result{res}}
	r.finish(b.peak, time.Second)
	if len(res.Rows) != 2*len(threadsToTest()) || res.Rounds < minRounds {
		t.Fatalf("%d rows of %d rounds, want %d of at least %d", len(res.Rows), res.Rounds, 2*len(threadsToTest()), minRounds)
	}
	for i, row := range res.Rows {
		if !(row.MS.Median > 0 && row.MS.Q1 <= row.MS.Median && row.MS.Median <= row.MS.Q3 && row.PeakShare > 0 && row.Rivals[0].Speedup.Median > 0) {
			t.Errorf("row %d: %+v, want times above 0", i, row)
		}
		if (row.OverDense != nil) != (row.Variant != "dense") || (row.OverOneThread != nil) != (row.Threads != 1) {
			t.Errorf("row %d: %+v, want a ratio to everything but itself", i, row)
		}
		if got, want := row.Rivals[0].DenseFile, row.Variant != "dense" && !b.rivals[0].everyFile(); got != want {
			t.Errorf("row %d: time of the dense file %v, want %v", i, got, want)
		}
		if row.Best == nil || *row.Best != row.Rivals[0].Speedup {
			t.Errorf("row %d: best rival %v, want the only one, %v", i, row.Best, row.Rivals[0].Speedup)
		}
	}
	var table, text bytes.Buffer
	if err := r.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.writeJSON(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tiny at 24x16", "block4@75", name, "GB/s", "left out: another", "over 1 network at 24x16"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	var back report
	last := res.Rows[len(res.Rows)-1]
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Results[0].Rows[len(res.Rows)-1]; got.MS != last.MS || *got.OverDense != *last.OverDense {
		t.Errorf("JSON came back as %+v, want %+v", got, last)
	}
}

// double is a rival whose picture is ours, changed.
type double struct {
	change func([]float32) []float32
	every  bool
}

func (d double) name() string     { return "double" }
func (d double) everyFile() bool  { return d.every }
func (d double) processes() []int { return nil }
func (d double) close() error     { return nil }

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

func (d *doubled) output() ([]float32, error) { return d.change(slices.Clone(d.program.dst)), nil }

// TestDifference: no times without equal pictures.
func TestDifference(t *testing.T) {
	at := func(value func(was float32) float32) func([]float32) []float32 {
		return func(p []float32) []float32 {
			p[len(p)-1] = value(p[len(p)-1])
			return p
		}
	}
	same := func(p []float32) []float32 { return p }
	tests := []struct {
		name   string
		change func([]float32) []float32
		want   string // in the error; empty for none
	}{
		{"the same", same, ""},
		{"within tolerance", at(func(was float32) float32 { return was + tolerance/2 }), ""},
		{"one value off", at(func(was float32) float32 { return was - 2*tolerance }), "differs"},
		{"NaN", at(func(float32) float32 { return float32(math.NaN()) }), "differs"},
		{"too short", func(p []float32) []float32 { return p[1:] }, "values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := small(double{tt.change, true})
			_, err := b.measure(testTask(tiny()))
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	for _, every := range []bool{true, false} {
		checkReport(t, small(double{same, every}))
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
	c := cell{ours: lane{times: []float64{1, 2, 3}}, rivals: []lane{{times: []float64{4, 5, 6}}, {}}}
	c.keep(func(round int) bool { return round != 1 })
	if !slices.Equal(c.ours.times, []float64{1, 3}) || !slices.Equal(c.rivals[0].times, []float64{4, 6}) {
		t.Errorf("kept %v and %v, want rounds 0 and 2", c.ours.times, c.rivals[0].times)
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-quick", "-seconds", "3", "-threads", "1", "-rivals", "torch"}, io.Discard)
	if err != nil || len(o.networks) != 3 || len(o.variants) != 2 || len(o.sizes) != 1 || o.budget != 3*time.Second ||
		!slices.Equal(o.threads, []int{1}) || len(o.rivals) != 1 {
		t.Errorf("%+v, %v; want three networks, two variants, one size, 3 s, one thread, one rival", o, err)
	}
	o, err = parse([]string{"-rivals", "none", "-sizes", "32x18,64x36"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tasks := o.tasks()
	if len(tasks) != 2*len(networks()) || len(tasks[0].variants) != len(variants()) || len(o.rivals) != 0 {
		t.Errorf("%d tasks, the first of %d variants, want %d of %d", len(tasks), len(tasks[0].variants), 2*len(networks()), len(variants()))
	}
	if larger := tasks[len(tasks)-1]; len(larger.variants) != 2 || len(larger.threads) != 1 || larger.size != (size{64, 36}) || larger.budget != o.larger {
		t.Errorf("%+v, want dense and block4@75 on the most threads", larger)
	}
	_, err = parse([]string{"-nets", "vdsr", "-pruned", "dense,dense", "-threads", "0", "-sizes", "320", "-seconds", "NaN", "-larger", "-1", "-patience", "-1", "-rivals", "tvm"}, io.Discard)
	if err == nil {
		t.Fatal("no error")
	}
	for _, flag := range []string{"-nets", "-pruned", "-threads", "-sizes", "-seconds", "-larger", "-patience", "-rivals"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("error %q does not name %s", err, flag)
		}
	}
}
