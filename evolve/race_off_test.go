//go:build !race

package evolve

const raced = false
