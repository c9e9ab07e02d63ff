package check

import (
	"math"
	"runtime"
	"testing"
	"unsafe"
)

// recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (r *recorder) Helper()               {}
func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; runtime.Goexit() }

// fails says whether f fails the test it is given, clean-ups included.
func fails(f func(testing.TB)) bool {
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, c := range r.cleanups {
				c()
			}
		}()
		f(r)
	}()
	<-done
	return r.failed
}

func TestClose(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name      string
		got, want []float64
		fails     bool
	}{
		{"equal", []float64{1, -2}, []float64{1, -2}, false},
		{"within", []float64{1.0005, 1}, []float64{1, 1}, false},
		{"beyond", []float64{1.01, 1}, []float64{1, 1}, true},
		{"a cancelled sum is held to its neighbours", []float64{1e-4, 1}, []float64{0, 1}, false},
		{"all zero", []float64{1e-30}, []float64{0}, true},
		{"lengths", []float64{1}, []float64{1, 2}, true},
		{"NaN is NaN", []float64{nan, 1}, []float64{nan, 1}, false},
		{"NaN is no number", []float64{nan, 1}, []float64{1, 1}, true},
		{"a number is not NaN", []float64{1, 1}, []float64{nan, 1}, true},
		{"infinity", []float64{inf, 1}, []float64{inf, 1}, false},
		{"the other infinity", []float64{-inf, 1}, []float64{inf, 1}, true},
		{"infinity hides nothing", []float64{inf, 1.1}, []float64{inf, 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fails(func(tb testing.TB) { Close(tb, tt.got, tt.want, 1e-3) }); got != tt.fails {
				t.Errorf("Close(%v, %v) fails: %v, want %v", tt.got, tt.want, got, tt.fails)
			}
		})
	}
}

func TestGuarded(t *testing.T) {
	rng := Rand(t)
	for _, at := range []int{-1, 5} {
		if !fails(func(tb testing.TB) {
			s := Guarded(tb, rng, 5)
			*(*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*at)) = 1
		}) {
			t.Errorf("a write at %d of 5 went unseen", at)
		}
	}
	if fails(func(tb testing.TB) { clear(Guarded(tb, rng, 5)) }) {
		t.Error("writes inside fail")
	}
	if p := uintptr(unsafe.Pointer(&GuardedAligned(t, 1)[0])); p%64 != 0 {
		t.Errorf("GuardedAligned starts at %#x", p)
	}
}

func TestGradient(t *testing.T) {
	x := []float64{0.5, -1.5}
	f := func() float64 { return x[0]*x[0] + 3*x[0]*x[1] }
	Gradient(t, f, x, []float64{2*0.5 + 3*-1.5, 3 * 0.5}, 1e-4, 1e-6)
	if !fails(func(tb testing.TB) { Gradient(tb, f, x, []float64{-3.5, 1.6}, 1e-4, 1e-6) }) {
		t.Error("a wrong gradient went unseen")
	}
}

func TestCloseSums(t *testing.T) {
	if fails(func(tb testing.TB) { CloseSums(tb, []float64{1e-4}, []float64{0}, 1e-3, 1) }) {
		t.Error("a tenth of the tolerance fails")
	}
	if !fails(func(tb testing.TB) { CloseSums(tb, []float64{1e-2}, []float64{0}, 1e-3, 1) }) {
		t.Error("ten tolerances pass")
	}
}
