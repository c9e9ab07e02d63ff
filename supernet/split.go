package supernet

import (
	"fmt"
	"slices"

	"evosr/space"
)

// maxParts is how many parts a space may be split into.
const maxParts = 8

// Split gives s with weights of their own for parts of the space: every network
// takes its numbers from the part that its multiplications fall into, so that
// what helps large networks does not harm small and pruned ones, nor the other
// way round ("few-shot" supernets, Zhao et al. 2021, arXiv:2006.06863, which split
// by operation). shares are the borders, descending, of the multiplications of
// the largest network: 0.7 and 0.3 make three parts, the first of the networks
// with more than 0.7 of them. Each begins as what s has for its largest networks.
func (s *Supernet) Split(shares []float64) (*Supernet, error) {
	most := load(s.Space.Shape(s.Space.Largest()))
	var splits []int
	for _, x := range shares {
		if !(x > 0 && x < 1) {
			return nil, fmt.Errorf("supernet: split: share %v, want above 0 and below 1", x)
		}
		splits = append(splits, int(x*float64(most)))
	}
	if err := checkSplits(splits); err != nil {
		return nil, err
	}
	c := empty(s.Space, splits)
	for i := range c.bank.tensors {
		part, from := c.bank.tensors[i].part, 0
		if part > 0 {
			from = s.partOf(splits[part-1])
		}
		c.inherit(i, s, from-part)
	}
	return c, nil
}

// checkSplits reports why Supernet.Splits cannot be these.
func checkSplits(splits []int) error {
	if len(splits) >= maxParts {
		return fmt.Errorf("supernet: splits: %d, want at most %d", len(splits), maxParts-1)
	}
	for i, x := range splits {
		if x < 1 || i > 0 && x >= splits[i-1] {
			return fmt.Errorf("supernet: splits: %v, want them descending and at least 1", splits)
		}
	}
	return nil
}

// CheckParts reports the first of some parts of the space, from 1, that s does not
// have.
func (s *Supernet) CheckParts(parts []int) error {
	for _, part := range parts {
		if n := len(s.Splits) + 1; part < 1 || part > n {
			return fmt.Errorf("supernet: parts: %d, want at most %d, the parts that the weights have", part, n)
		}
	}
	return nil
}

// load is what a network costs by its genome, without its weights: the
// multiplications of a low-resolution pixel that its ratios leave.
func load(net *space.Subnet) int {
	n := 0
	for i := range net.Layers {
		l := &net.Layers[i]
		kept := 100
		if l.Prune.Scheme != space.Dense {
			kept -= l.Prune.Percent
		}
		n += l.Size() * kept
	}
	return n / 100
}

// part is the part of the space that a network belongs to, from 0.
func (s *Supernet) part(net *space.Subnet) int {
	if len(s.Splits) == 0 {
		return 0
	}
	return s.partOf(load(net))
}

func (s *Supernet) partOf(load int) int {
	if i := slices.IndexFunc(s.Splits, func(border int) bool { return load > border }); i >= 0 {
		return i
	}
	return len(s.Splits)
}

// within is the borders that networks of sp, a part of s's space, can lie on both
// sides of: those below its largest one.
func (s *Supernet) within(sp *space.Space) []int {
	return s.Splits[s.partOf(load(sp.Shape(sp.Largest()))):]
}
