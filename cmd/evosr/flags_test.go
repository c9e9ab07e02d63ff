package main

import "testing"

func TestRatio(t *testing.T) {
	for text, want := range map[string]int{"0.5": 50, "50": 50, "0.29": 29, "95": 95, "0.01": 1, "1": 1} {
		n := 0
		if err := (ratio{&n}).Set(text); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "0.505", "96", "1.5", "NaN", "Inf", "half"} {
		n := 7
		if err := (ratio{&n}).Set(text); err == nil || n != 7 {
			t.Errorf("%s: %d, want an error", text, n)
		}
	}
}
