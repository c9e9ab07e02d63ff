package supernet

import (
	"fmt"
	"slices"

	"evosr/network"
	"evosr/space"
)

// maxPartitions is how many partitions a space may have.
const maxPartitions = 10

// Partitions divide a space into networks that have shared weights of their own. Every
// network takes its numbers from the partition that it falls into, so that what helps
// large networks does not harm small and pruned ones, nor the other way round
// ("few-shot" supernets, Zhao et al. 2021, arXiv:2006.06863, which split by
// operation). The zero value is one partition.
//
// Partitions have numbers from 1: first those by cost, the largest networks' first,
// then those of Pruned, in its order.
type Partitions struct {
	Borders []int // borders between partitions by cost, descending, multiplications of a pixel that the ratios of a genome leave
	Pruned  []int // of the partitions by cost, ascending, those whose pruned networks are a partition for themselves: at least a quarter of their multiplications is pruned
}

// Count is the number of partitions.
func (p Partitions) Count() int { return len(p.Borders) + 1 + len(p.Pruned) }

// Check reports the first of some partitions, by number, that p does not have.
func (p Partitions) Check(parts []int) error {
	for _, part := range parts {
		if n := p.Count(); part < 1 || part > n {
			return fmt.Errorf("supernet: partitions: %d, want at most %d, the partitions that the weights have", part, n)
		}
	}
	return nil
}

// valid reports why p cannot be.
func (p Partitions) valid() error {
	for i, x := range p.Borders {
		if x < 1 || i > 0 && x >= p.Borders[i-1] {
			return fmt.Errorf("supernet: borders: %v, want them descending and at least 1", p.Borders)
		}
	}
	for i, x := range p.Pruned {
		if n := len(p.Borders) + 1; x < 1 || x > n || i > 0 && x <= p.Pruned[i-1] {
			return fmt.Errorf("supernet: pruned: %v, want them ascending and at most %d, the partitions by cost", p.Pruned, n)
		}
	}
	if n := p.Count(); n > maxPartitions {
		return fmt.Errorf("supernet: partitions: %d, want at most %d", n, maxPartitions)
	}
	return nil
}

// at is the part, from 0, of networks of a load.
func (p Partitions) at(load int, pruned bool) int {
	i := slices.IndexFunc(p.Borders, func(border int) bool { return load > border })
	if i < 0 {
		i = len(p.Borders)
	}
	if j := slices.Index(p.Pruned, i+1); pruned && j >= 0 {
		return len(p.Borders) + 1 + j
	}
	return i
}

// heaviest is the load of the heaviest networks of a part, from 0, and whether
// they are pruned; most is the largest network's.
func (p Partitions) heaviest(part, most int) (load int, pruned bool) {
	if n := len(p.Borders) + 1; part >= n {
		part, pruned = p.Pruned[part-n]-1, true
	}
	if part == 0 {
		return most, pruned
	}
	return p.Borders[part-1], pruned
}

// below is the parts that networks of at most a load can be of.
func (p Partitions) below(load int) Partitions {
	first := p.at(load, false)
	b := Partitions{Borders: p.Borders[first:]}
	for _, x := range p.Pruned {
		if x > first {
			b.Pruned = append(b.Pruned, x-first)
		}
	}
	return b
}

// Split gives s with weights of their own for parts of the space. shares are the
// borders by cost, descending, of the multiplications of the largest network: 0.7
// and 0.3 make three parts, the first of the networks with more than 0.7 of them;
// none are those that s has. apart is Partitions.Pruned. Each part begins as what s has
// for the heaviest networks of it.
func (s *Supernet) Partition(shares []float64, apart []int) (*Supernet, error) {
	most := load(mustLayers(s.Space.Shape(s.Space.Largest())))
	parts := Partitions{s.Partitions.Borders, apart}
	if len(shares) > 0 {
		parts.Borders = nil
	}
	for _, x := range shares {
		if !(x > 0 && x < 1) {
			return nil, fmt.Errorf("supernet: split: share %v, want above 0 and below 1", x)
		}
		parts.Borders = append(parts.Borders, int(x*float64(most)))
	}
	if err := parts.valid(); err != nil {
		return nil, err
	}
	return s.cut(s.Space, parts), nil
}

// cut makes a supernet of sp, a part of s's space, in so many parts out of s.
func (s *Supernet) cut(sp *space.Space, parts Partitions) *Supernet {
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
	list := make([]int, s.Partitions.Count())
	for part := range list {
		list[part] = from.Partitions.at(s.Partitions.heaviest(part, most))
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
	if s.Partitions.Count() == 1 {
		return 0
	}
	kept, dense := loads(net)
	return s.Partitions.at(kept, 4*kept <= 3*dense)
}

// within is the parts that networks of sp, a part of s's space, can be of.
func (s *Supernet) within(sp *space.Space) Partitions {
	return s.Partitions.below(load(mustLayers(sp.Shape(sp.Largest()))))
}
