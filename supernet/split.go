package supernet

import (
	"fmt"
	"slices"

	"evosr/network"
	"evosr/space"
)

// maxParts is how many parts a space may be split into.
const maxParts = 10

// Parts are the parts of a space that have shared weights of their own. Every
// network takes its numbers from the part that it falls into, so that what helps
// large networks does not harm small and pruned ones, nor the other way round
// ("few-shot" supernets, Zhao et al. 2021, arXiv:2006.06863, which split by
// operation). The zero value is one part.
//
// Parts have numbers from 1: first those by cost, the largest networks' first,
// then those of Apart, in its order.
type Parts struct {
	Splits []int // borders between parts by cost, descending, multiplications of a pixel that the ratios of a genome leave
	Apart  []int // of the parts by cost, ascending, those whose pruned networks are a part for themselves: at least a quarter of their multiplications is pruned
}

// Count is the number of parts.
func (p Parts) Count() int { return len(p.Splits) + 1 + len(p.Apart) }

// Check reports the first of some parts, by number, that p does not have.
func (p Parts) Check(parts []int) error {
	for _, part := range parts {
		if n := p.Count(); part < 1 || part > n {
			return fmt.Errorf("supernet: parts: %d, want at most %d, the parts that the weights have", part, n)
		}
	}
	return nil
}

// valid reports why p cannot be.
func (p Parts) valid() error {
	for i, x := range p.Splits {
		if x < 1 || i > 0 && x >= p.Splits[i-1] {
			return fmt.Errorf("supernet: splits: %v, want them descending and at least 1", p.Splits)
		}
	}
	for i, x := range p.Apart {
		if n := len(p.Splits) + 1; x < 1 || x > n || i > 0 && x <= p.Apart[i-1] {
			return fmt.Errorf("supernet: apart: %v, want them ascending and at most %d, the parts by cost", p.Apart, n)
		}
	}
	if n := p.Count(); n > maxParts {
		return fmt.Errorf("supernet: splits and apart: %d parts, want at most %d", n, maxParts)
	}
	return nil
}

// at is the part, from 0, of networks of a load.
func (p Parts) at(load int, pruned bool) int {
	i := slices.IndexFunc(p.Splits, func(border int) bool { return load > border })
	if i < 0 {
		i = len(p.Splits)
	}
	if j := slices.Index(p.Apart, i+1); pruned && j >= 0 {
		return len(p.Splits) + 1 + j
	}
	return i
}

// heaviest is the load of the heaviest networks of a part, from 0, and whether
// they are pruned; most is the largest network's.
func (p Parts) heaviest(part, most int) (load int, pruned bool) {
	if n := len(p.Splits) + 1; part >= n {
		part, pruned = p.Apart[part-n]-1, true
	}
	if part == 0 {
		return most, pruned
	}
	return p.Splits[part-1], pruned
}

// below is the parts that networks of at most a load can be of.
func (p Parts) below(load int) Parts {
	first := p.at(load, false)
	b := Parts{Splits: p.Splits[first:]}
	for _, x := range p.Apart {
		if x > first {
			b.Apart = append(b.Apart, x-first)
		}
	}
	return b
}

// Split gives s with weights of their own for parts of the space. shares are the
// borders by cost, descending, of the multiplications of the largest network: 0.7
// and 0.3 make three parts, the first of the networks with more than 0.7 of them;
// none are those that s has. apart is Parts.Apart. Each part begins as what s has
// for the heaviest networks of it.
func (s *Supernet) Split(shares []float64, apart []int) (*Supernet, error) {
	most := load(mustLayers(s.Space.Shape(s.Space.Largest())))
	parts := Parts{s.Parts.Splits, apart}
	if len(shares) > 0 {
		parts.Splits = nil
	}
	for _, x := range shares {
		if !(x > 0 && x < 1) {
			return nil, fmt.Errorf("supernet: split: share %v, want above 0 and below 1", x)
		}
		parts.Splits = append(parts.Splits, int(x*float64(most)))
	}
	if err := parts.valid(); err != nil {
		return nil, err
	}
	return s.cut(s.Space, parts), nil
}

// cut makes a supernet of sp, a part of s's space, in so many parts out of s.
func (s *Supernet) cut(sp *space.Space, parts Parts) *Supernet {
	c := empty(sp, parts)
	origins := c.origins(s)
	for i := range c.bank.tensors {
		c.inherit(i, s, origins[c.bank.tensors[i].part])
	}
	return c
}

// origins gives for every part of s the part of from that its heaviest networks
// are of there.
func (s *Supernet) origins(from *Supernet) []int {
	most := load(mustLayers(s.Space.Shape(s.Space.Largest())))
	list := make([]int, s.Parts.Count())
	for part := range list {
		list[part] = from.Parts.at(s.Parts.heaviest(part, most))
	}
	return list
}

// load is what a network costs by its genome, without its weights: the
// multiplications of a low-resolution pixel that its ratios leave.
func load(net *layers) int {
	n, _ := loads(net)
	return n
}

// loads is load, and what it were if nothing was pruned.
func loads(net *layers) (kept, dense int) {
	for i := range net.list {
		l := &net.list[i]
		percent := 100
		if l.prune.Scheme != network.Dense {
			percent -= l.prune.Percent
		}
		kept, dense = kept+l.size()*percent, dense+l.size()
	}
	return kept / 100, dense
}

// part is the part of the space that a network belongs to, from 0.
func (s *Supernet) part(net *layers) int {
	if s.Parts.Count() == 1 {
		return 0
	}
	kept, dense := loads(net)
	return s.Parts.at(kept, 4*kept <= 3*dense)
}

// within is the parts that networks of sp, a part of s's space, can be of.
func (s *Supernet) within(sp *space.Space) Parts {
	return s.Parts.below(load(mustLayers(sp.Shape(sp.Largest()))))
}
