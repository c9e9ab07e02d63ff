package main

import (
	"bytes"
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
