package space

import "math/big"

// Count is the exact number of genomes of the space.
func (sp *Space) Count() *big.Int {
	prunings := func(kernel int, block bool) *big.Int {
		return big.NewInt(1 + int64(len(sp.prunable(kernel, block))*len(sp.Percents)))
	}
	n := big.NewInt(int64(len(sp.Widths)))
	for range 2 { // head and tail
		n.Mul(n, prunings(3, false))
	}
	for _, s := range sp.Slots {
		all := new(big.Int)
		for _, b := range s.blocks() {
			one := big.NewInt(1)
			for _, c := range b.Kind.Convs() {
				one.Mul(one, prunings(c.Kernel, true))
			}
			if b.Kind != Skip {
				one.Mul(one, big.NewInt(int64(len(s.Choices()))))
			}
			all.Add(all, one)
		}
		n.Mul(n, all)
	}
	return n
}
