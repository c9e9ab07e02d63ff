package kernel

import (
	"slices"
	"time"
)

// probeTries is how often a probe measures; the best counts, as noise only
// slows down.
const probeTries = 5

// PeakGFLOPS is what one core reaches, at this moment, with the Set's
// multiply-adds (two operations each) on registers alone. It takes about d.
func (s *Set) PeakGFLOPS(d time.Duration) float64 {
	rounds, spent, best := 1<<10, time.Duration(0), 0.0
	for try := 0; try < probeTries; {
		start := time.Now()
		flops := s.peak(rounds)
		took := time.Since(start)
		if took < d/(2*probeTries) {
			rounds *= 2
			continue
		}
		spent += took
		best = max(best, flops/took.Seconds()/1e9)
		try++
	}
	return best
}

// MemoryGBs is the bandwidth of one core in 10^9 bytes a second, each byte of
// the given working set read or written once: half of it is copied onto the
// other half. It takes about d.
func MemoryGBs(bytes int, d time.Duration) float64 {
	from, to := make([]byte, bytes/2), make([]byte, bytes/2)
	for i := range from {
		from[i] = byte(i)
	}
	copy(to, from) // touches every page
	times := 1
	var rates []float64
	for len(rates) < probeTries {
		start := time.Now()
		for range times {
			copy(to, from)
		}
		took := time.Since(start)
		if took < d/(2*probeTries) {
			times *= 2
			continue
		}
		rates = append(rates, float64(2*len(from)*times)/took.Seconds()/1e9)
	}
	return slices.Max(rates)
}

// peakScalar runs eight independent multiply-adds a round, as compiled.
func peakScalar(rounds int) float64 {
	const scale = 0.5
	var a, b, c, d float32 = 1, 2, 3, 4 // all go to 1; equal ones would be one
	var e, f, g, h float32 = 5, 6, 7, 8
	for range rounds {
		a, b, c, d = a*scale+scale, b*scale+scale, c*scale+scale, d*scale+scale
		e, f, g, h = e*scale+scale, f*scale+scale, g*scale+scale, h*scale+scale
	}
	if a+b+c+d+e+f+g+h != 8 {
		panic("kernel: peak: a sum of ones is not the number of ones")
	}
	return float64(rounds) * 8 * 2
}
