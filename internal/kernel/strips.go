package kernel

// strip is the i-th of the fewest strips of at most `most` units that n units
// split into; their sizes differ by one at most.
func strip(n, most, i int) (from, to int) {
	k := strips(n, most)
	return i * n / k, (i + 1) * n / k
}

func strips(n, most int) int { return (n + most - 1) / most }
