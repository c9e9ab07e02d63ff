package rundir

import (
	"errors"
	"strings"
	"testing"

	"evosr/fitness"
)

func TestPick(t *testing.T) {
	card := func(id, reason string, psnr, predicted, measured float64) Card {
		return Card{ID: id, Reason: reason, Finetuned: fitness.Quality{PSNR: psnr}, Latency: Latency{PredictedMS: predicted, MedianMS: measured}}
	}
	cards := []Card{
		card("a1b2", "fastest", 30, 1, 1.5),
		card("a1c3", "spread, knee", 32, 3, 2.5),
		card("b000", "best picture", 34, 9, 0), // not measured
	}
	for _, tt := range []struct{ name, want, fault string }{
		{"a1b2", "a1b2", ""},
		{"a1c", "a1c3", ""},
		{"b", "b000", ""},
		{"A", "a1b2", ""},
		{"C", "b000", ""},
		{"knee", "a1c3", ""},
		{"best", "b000", ""},
		{"fastest", "a1b2", ""},
		{"under:9ms", "b000", ""},
		{"under:8", "a1c3", ""},
		{"under:2.4ms", "a1b2", ""},
		{"under:1ms", "", "none takes at most 1 ms; the fastest takes 1.5"},
		{"under:soon", "", "no number of milliseconds"},
		{"under:-3ms", "", "no number"},
		{"a1", "", "more than one"},
		{"D", "", "no winner"},
		{"", "", "no winner"},
		{"zzz", "", "A=a1b2, B=a1c3, C=b000"},
	} {
		c, err := Pick(cards, tt.name)
		var pick *PickError
		switch {
		case tt.fault == "" && (err != nil || c.ID != tt.want):
			t.Errorf("%q: %v, %v, want %s", tt.name, c, err, tt.want)
		case tt.fault != "" && (!errors.As(err, &pick) || !strings.Contains(err.Error(), tt.fault)):
			t.Errorf("%q: %v, want %q", tt.name, err, tt.fault)
		}
	}
	if _, err := Pick(nil, "best"); err == nil || !strings.Contains(err.Error(), "none yet") {
		t.Errorf("without winners: %v", err)
	}
	if _, err := Pick(cards[:1], "knee"); err == nil || !strings.Contains(err.Error(), "chosen for that") {
		t.Errorf("without a knee: %v", err)
	}
	if Letter(0) != "A" || Letter(25) != "Z" || Letter(26) != "AA" || Letter(53) != "BB" {
		t.Error("letters are wrong")
	}
}
