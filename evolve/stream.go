package evolve

import (
	mathrand "math/rand"
	"math/rand/v2"
)

// stream is a source of random numbers that starts anew for every child. It
// serves math/rand, which eaopt's Population takes, and through it math/rand/v2,
// which a Problem takes.
type stream struct{ pcg rand.PCG }

var _ mathrand.Source64 = (*stream)(nil)

// start moves to the numbers of one child: those that belong to (seed, child)
// and to nothing that was drawn before.
func (s *stream) start(seed uint64, child int) {
	// Neighbouring states of a PCG give related numbers; mixed ones do not.
	s.pcg.Seed(mix(seed), mix(mix(seed)+uint64(child)))
}

func (s *stream) Uint64() uint64 { return s.pcg.Uint64() }
func (s *stream) Int63() int64   { return int64(s.pcg.Uint64() >> 1) }

// Seed is part of math/rand.Source. Streams are keyed by start alone, so it
// panics.
func (s *stream) Seed(int64) { panic("evolve: a stream was seeded from outside") }

// mix is the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
