package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestBeatLine(t *testing.T) {
	tests := []struct {
		b    beat
		want string
	}{
		{beat{stage: "data"}, "data"},
		{beat{stage: "search", message: "20 on the front", done: 30, total: 120, rate: 12.34, unit: "evaluations", extra: "hypervolume 3.2", left: 7400 * time.Millisecond},
			"search:  25 %, 20 on the front, 12.3 evaluations/s, hypervolume 3.2, 7s left"},
		{beat{stage: "supernet", done: 9, total: 3, rate: 2345.6, unit: "steps"}, "supernet: 100 %, 2346 steps/s"},
		{beat{stage: "upscale", message: "frame 3", rate: 5}, "upscale: frame 3"},
	}
	for _, tt := range tests {
		if got := tt.b.line(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestPlainMeter holds progress without a terminal to few and whole lines: one
// when a stage ends, one when the next begins, nothing for what is quick.
func TestPlainMeter(t *testing.T) {
	var talk bytes.Buffer
	m := (&app{err: &talk}).meter()
	for i := range 1000 {
		m.set(beat{stage: "one", done: float64(i), total: 999})
	}
	if talk.Len() != 0 {
		t.Errorf("a quick stage talks: %q", talk.String())
	}
	m.set(beat{stage: "two", total: 5})
	m.set(beat{stage: "two", done: 1, total: 5})
	m.close()
	m.close()
	if got, want := talk.String(), "one: 100 %\ntwo:   0 %\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if strings.Contains(talk.String(), "\x1b") {
		t.Error("control characters without a terminal")
	}
}

// TestPace holds the time that is foretold after the first quarter to what a stage of
// uneven steps takes.
func TestPace(t *testing.T) {
	var p pace
	rng := rand.New(rand.NewPCG(3, 4))
	const total = 400
	at := make([]time.Time, total+1)
	now := time.Unix(1e9, 0)
	for i := range at {
		at[i] = now
		now = now.Add(time.Duration((0.5 + rng.Float64()) * float64(time.Second)))
	}
	p.left(beat{stage: "before", done: 5, total: 5}, at[0])
	for i, when := range at {
		got := p.left(beat{stage: "work", done: 100 + float64(i), total: 100 + total}, when) // 100 were done by another call
		want := at[total].Sub(when)
		if i == 0 && got != 0 {
			t.Errorf("something is foretold from nothing: %v", got)
		}
		if i >= total/4 && i < total-4 && (float64(got) < 0.75*float64(want) || float64(got) > 1.25*float64(want)) {
			t.Errorf("after %d of %d: %v left, want about %v", i, total, got, want)
		}
	}
}
