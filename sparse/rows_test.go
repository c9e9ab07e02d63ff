package sparse

import (
	"math"
	"testing"
)

// TestErf holds the approximation to math.Erf, ends and NaN too.
func TestErf(t *testing.T) {
	for i := -70000; i <= 70000; i++ {
		x := float32(i) / 1e4
		if d := math.Abs(float64(erf(x)) - math.Erf(float64(x))); !(d <= 5e-7) {
			t.Fatalf("erf(%v) is off by %v", x, d)
		}
	}
	if v := erf(float32(math.Inf(-1))); math.Abs(float64(v)+1) > 5e-7 {
		t.Errorf("erf(-Inf) = %v", v)
	}
	if v := erf(float32(math.NaN())); v == v {
		t.Errorf("erf(NaN) = %v", v)
	}
}

func BenchmarkErf(b *testing.B) {
	row := make([]float32, 320)
	for i := range row {
		row[i] = float32(i-160) / 40
	}
	var sum float32
	for b.Loop() {
		for _, v := range row {
			sum += erf(v)
		}
	}
	if sum > 1 {
		b.Error("an odd function has a sum of", sum)
	}
}
