package sparse

import (
	"math"
	"testing"
)

// TestExponential holds e^x to its definition over all that it takes.
func TestExponential(t *testing.T) {
	var row []float32
	for x := float32(-87); x <= 88; x += 0.0137 {
		row = append(row, x)
	}
	got := append([]float32(nil), row...)
	exponential(got)
	for i, x := range row {
		want := math.Exp(float64(x))
		if off := math.Abs(float64(got[i])/want - 1); off > 2e-7 {
			t.Fatalf("exp(%v) = %v, want %v: off by %.2g", x, got[i], want, off)
		}
	}
	ends := []float32{float32(math.Inf(-1)), -1000, 1000, float32(math.Inf(1)), float32(math.NaN())}
	exponential(ends)
	if ends[0] != ends[1] || ends[0] > 1.7e-38 || ends[2] != ends[3] || ends[2] < 1.6e38 || ends[4] == ends[4] {
		t.Errorf("beyond the ends: %v", ends)
	}
}
