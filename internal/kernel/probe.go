package kernel

import "time"

// probeTry is how long one try of a probe takes at least: longer than the clock
// is coarse, shorter than a turn on a busy processor. The best try counts, as
// noise only slows down.
const (
	probeTry = 500 * time.Microsecond
	minTries = 10
)

// Fastest is the highest rate of work, in units of 1e9 a second, over tries
// that take about d together; work(n) does n rounds and says what that was.
func Fastest(d time.Duration, work func(rounds int) float64) (best float64) {
	rounds, tries := 1, 0
	for begin := time.Now(); tries < minTries || time.Since(begin) < d; {
		start := time.Now()
		done := work(rounds)
		took := time.Since(start)
		if took < probeTry {
			rounds *= 2
			continue
		}
		tries++
		best = max(best, done/took.Seconds()/1e9)
	}
	return best
}

// PeakGFLOPS is what one core reaches, at this moment, with the Set's
// multiply-adds (two operations each) on registers alone. It takes about d.
func (s *Set) PeakGFLOPS(d time.Duration) float64 { return Fastest(d, s.peak) }

// MemoryGBs is the bandwidth of one core in 10^9 bytes a second, each byte of
// the given working set read or written once: half of it is copied onto the
// other half. It takes about d.
func MemoryGBs(bytes int, d time.Duration) float64 {
	from, to := make([]byte, bytes/2), make([]byte, bytes/2)
	for i := range from {
		from[i] = byte(i)
	}
	copy(to, from) // touches every page
	return Fastest(d, func(rounds int) float64 {
		for range rounds {
			copy(to, from)
		}
		return float64(2 * len(from) * rounds)
	})
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
	if a+b+c+d+e+f+g+h < 8 { // never; but so the sums are used
		return 0
	}
	return float64(rounds) * 8 * 2
}
