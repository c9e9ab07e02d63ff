//go:build race

package evolve

const raced = true // by the race detector, ten times as slow
