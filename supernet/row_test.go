package supernet

import "testing"

func TestLayerRow(t *testing.T) {
	l := LayerState{Name: "slot1/conv", Channels: 32, Activated: true, Active: 0.4567, Dead: 3, Norm: 1234.5, Growth: 0.012345, Rank: 7.06, FullRank: 9, Update: 0.00123}
	want := LayerRow{"slot1/conv", "32", "45.7 %", "3", "1234", "0.0123", "7.1", "9", "1.2e-03"}
	if got := l.Row(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	l.Activated, want.Active, want.Dead = false, "", ""
	if got := l.Row(); got != want {
		t.Errorf("without an activation: %+v, want %+v", got, want)
	}
	for x, want := range map[float64]string{0: "0.000", 1: "1.00", 0.3: "0.300", 99.96: "100.0", 0.00001234: "0.0000", 45.678: "45.7"} {
		if got := digits(x); got != want {
			t.Errorf("%v becomes %s, want %s", x, got, want)
		}
	}
}
