package sparse

import (
	"slices"

	"evosr/internal/kernel"
	"evosr/network"
)

// chain finds the layers that the next one computes, too: both are 1x1 over
// lists, nothing else reads what passes from one to the other, and a strip of it
// fits the first-level cache. Over a band it would go to the second and back,
// which takes longer than the sums where little is kept.
func (c *compiled) chain() {
	if c.set.Chain == nil {
		return
	}
	c.chained = make([]bool, len(c.net.layers))
	readers := c.net.readers()
	for i := range len(c.net.layers) - 1 {
		l, next := &c.net.layers[i], &c.net.layers[i+1]
		c.chained[i] = l.pointwise() && next.pointwise() && !(i > 0 && c.chained[i-1]) &&
			len(l.reads) == 1 && (l.act == network.ActNone || l.fused()) &&
			slices.Equal(readers[i], []int{i + 1}) && kernel.ChainStrip(l.out) > 0 &&
			next.reads[0] == read{layer: i, channels: l.out} && (len(next.reads) == 1 || next.reads[1].layer != i)
		c.info[i].Chained = c.chained[i]
	}
}

// pointwise says whether l is a convolution of 1x1.
func (l *layer) pointwise() bool { return l.op == network.OpConv && l.kernel == 1 && !l.far() }

// steps are the layers' parts of a plan as far as they do not depend on sizes.
func (c *compiled) steps() []step {
	list := make([]step, len(c.net.layers))
	for i := range c.chained {
		list[i].chained = c.chained[i]
	}
	return list
}
