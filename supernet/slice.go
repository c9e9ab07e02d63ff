package supernet

import (
	"errors"
	"fmt"
	"slices"

	"evosr/network"
	"evosr/space"
)

// Slice cuts a supernet for a smaller space out of s: the first slots, and of
// every tensor the first channels, so that a genome of sp gives the network
// that the same choices give in s. Everything that sp offers must have been
// trained in s: its widths, expansions, kinds of blocks, activations and schemes, no
// higher ratios, and where sp has fewer slots those that go must have been allowed to
// be skipped. All that is missing is reported at once.
func (s *Supernet) Slice(sp *space.Space) (*Supernet, error) {
	if err := sp.Validate(); err != nil {
		return nil, err
	}
	if err := covers(s.Space, sp); err != nil {
		return nil, err
	}
	return s.cut(sp, s.within(sp)), nil
}

// Rescale is Slice for a space of another scale: the head and the blocks are
// s's, what depends on the scale (skip and tail) starts untrained, as New makes
// it from seed. Most of what a trunk has learnt holds for any scale (EDSR
// begins its x3 and x4 networks that way, arXiv:1707.02921).
func (s *Supernet) Rescale(sp *space.Space, seed uint64) (*Supernet, error) {
	if err := sp.Validate(); err != nil {
		return nil, err
	}
	like := *s.Space
	like.Scale = sp.Scale
	if err := covers(&like, sp); err != nil {
		return nil, err
	}
	fresh, c := New(sp, seed), empty(sp, s.within(sp))
	origins := c.origins(s)
	for i := range c.bank.tensors {
		if t := &c.bank.tensors[i]; t.name == "skip" || t.name == "tail" {
			c.inherit(i, fresh, 0)
		} else {
			c.inherit(i, s, origins[t.part])
		}
	}
	return c, nil
}

// inherit cuts tensor i out of that of the same name in a part of from.
func (s *Supernet) inherit(i int, from *Supernet, part int) {
	t := &s.bank.tensors[i]
	l := layer{in: t.in, out: t.out, kernel: t.k, weights: s.bank.weights(t), bias: s.bank.bias(t), slope: s.bank.slope(t)}
	from.bank.tensors[from.index[ref{part, t.name}]].cut(&l, from.bank.data)
}

// A NotCovered is something that a space offers and the weights were not trained for.
type NotCovered struct {
	What string // "width", "slots", "slot 3", "ratio", ...
	Text string
}

func (e *NotCovered) Error() string {
	return "supernet: the space is no part of the one that the weights were trained for: " + e.What + ": " + e.Text
}

// covers reports what small offers and large does not.
func covers(large, small *space.Space) error {
	var errs []error
	miss := func(what string, got, want any) {
		errs = append(errs, &NotCovered{what, fmt.Sprintf("%v, want %v", got, want)})
	}
	if small.Scale != large.Scale {
		miss("scale", small.Scale, large.Scale)
	}
	if small.Colors != large.Colors {
		miss("colors", small.Colors, large.Colors)
	}
	if w, ok := outside(small.Widths, large.Widths); ok {
		miss("width", w, fmt.Sprintf("one of %v", large.Widths))
	}
	if len(small.Percents) > 0 {
		prunable := slices.DeleteFunc(slices.Clone(small.Schemes), func(x network.Scheme) bool { return x == network.Dense })
		if x, ok := outside(prunable, large.Schemes); ok {
			miss("scheme", x, fmt.Sprintf("one of %v", large.Schemes))
		}
		most := 0
		if n := len(large.Percents); n > 0 {
			most = large.Percents[n-1]
		}
		if p := small.Percents[len(small.Percents)-1]; len(prunable) > 0 && p > most {
			miss("ratio", float64(p)/100, fmt.Sprintf("at most %v", float64(most)/100))
		}
	}
	if n := len(large.Slots); len(small.Slots) > n {
		miss("slots", len(small.Slots), fmt.Sprintf("at most %d", n))
		return errors.Join(errs...)
	}
	for i, was := range large.Slots {
		slot := fmt.Sprintf("slot %d", i+1)
		if i >= len(small.Slots) {
			if !was.Skip {
				miss(slot, "left out", "a block: it was never trained without")
			}
			continue
		}
		now := small.Slots[i]
		if now.Skip && !was.Skip {
			miss(slot, "may be skipped", "a block: it was never trained without")
		}
		for _, k := range space.Kinds() {
			e, ok := outside(now.Blocks[k], was.Blocks[k])
			switch {
			case ok && k.Expands():
				miss(slot, fmt.Sprintf("%v block of expansion %v", k, e), fmt.Sprintf("one of %v", was.Blocks[k]))
			case ok:
				miss(slot, k, "another kind of block")
			}
		}
		if a, ok := outside(now.Choices(), was.Choices()); ok && now.Any() {
			miss(slot, fmt.Sprintf("activation %v", a), fmt.Sprintf("one of %v", was.Choices()))
		}
		if len(errs) > 8 {
			break // slots are alike: more would say the same
		}
	}
	return errors.Join(errs...)
}

// outside gives the first of some values that is not among all.
func outside[T comparable](some, all []T) (T, bool) {
	for _, x := range some {
		if !slices.Contains(all, x) {
			return x, true
		}
	}
	var none T
	return none, false
}
