package deviceprofile

import (
	"errors"
	"testing"
)

// TestDrift: where a profile's times are a hundred times as long as they were a
// moment ago, the machine has become as much faster.
func TestDrift(t *testing.T) {
	p, err := Measure(t.Context(), MeasureOptions{Threads: 1, Quick: true, Space: tiny(), Width: 64, Height: 48, Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Nets {
		p.Nets[i].MS *= 100
	}
	d, err := Drift(t.Context(), p)
	if err != nil || d.Nets != driftNets || !(d.Ratio > 0.001 && d.Ratio < 0.1) || d.Quiet != (d.Trouble == "") {
		t.Errorf("%+v, %v, want about a hundredth", d, err)
	}
	p.Nets = nil
	if d, err = Drift(t.Context(), p); err != nil || d.Nets != 0 || d.Err() != nil || d.Trouble == "" {
		t.Errorf("without networks: %+v, %v", d, err)
	}
	p.CPU = "Z80"
	if _, err = Drift(t.Context(), p); !errors.Is(err, ErrMismatch) {
		t.Errorf("on another machine: %v", err)
	}
	for _, tt := range []struct {
		d     Drifted
		drift bool
	}{
		{Drifted{Nets: 6, Ratio: 1.05, Quiet: true}, false},
		{Drifted{Nets: 6, Ratio: 1.2, Quiet: true}, true},
		{Drifted{Nets: 6, Ratio: 0.8, Quiet: true}, true},
		{Drifted{Nets: 6, Ratio: 3, Quiet: false}, false},
	} {
		if err := tt.d.Err(); errors.Is(err, ErrDrift) != tt.drift {
			t.Errorf("%+v: %v", tt.d, err)
		}
	}
}
