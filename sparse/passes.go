package sparse

import (
	"fmt"
	"strings"

	"evosr/network"
)

// Pass is one step of the compiler and what it changed, in words.
type Pass struct{ Name, Note string }

// Passes lists what the compiler did, in order.
func (p *Program) Passes() []Pass { return append([]Pass(nil), p.c.passes...) }

func (c *compiled) pass(name, format string, args ...any) {
	c.passes = append(c.passes, Pass{name, fmt.Sprintf(format, args...)})
}

// eliminated tells what elimination took.
func (c *compiled) eliminated(was, is *network.Graph) {
	count := func(g *network.Graph) (convolutions, channels int) {
		for i := range g.Nodes {
			if op := g.Nodes[i].Op; op == network.OpConv || op == network.OpDeconv {
				convolutions++
				channels += g.Nodes[i].Out
			}
		}
		return convolutions, channels
	}
	n, channels := count(was)
	left, kept := count(is)
	c.pass("eliminate", "%d of %d convolutions and %d of %d channels are dead or only pass on", n-left, n, channels-kept, channels)
}

// chosen tells what the passes for the device did.
func (c *compiled) chosen() {
	var blocks, taps [4]int
	executed, fallen := 0, 0
	for i := range c.info {
		l := &c.info[i]
		executed += l.MACs
		for s := range 4 {
			blocks[s] += l.Blocks[s]
			taps[s] += l.BlockTaps[s]
		}
		if l.Density < 1 && !l.Pays {
			fallen++
		}
	}
	var parts []string
	for s := range 4 {
		if blocks[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d channels with %d entries", blocks[s], 1<<s, taps[s]))
		}
	}
	c.pass("choose", "%s kernels by the cost table: %s; %d multiplications a pixel; %d pruned layers gain nothing",
		c.set.Name, strings.Join(parts, ", "), executed, fallen)
	transformed := 0
	for i := range c.info {
		if c.info[i].Method == MethodWinograd {
			transformed++
		}
	}
	if transformed > 0 {
		c.pass("transform", "%d 3x3 layers run dense by Winograd's F(4x4, 3x3)", transformed)
	}
	if c.net.planes {
		c.pass("plan", "%d layers over whole planes, one after the other, rows shared by %d threads", len(c.info), c.threads)
		return
	}
	local := 0
	for i := range c.info {
		if c.info[i].Local {
			local++
		}
	}
	c.pass("plan", "%d layers over bands of rows; %d outputs stay within a band, rows of %d are kept beyond it; %d threads",
		len(c.info), local, len(c.info)-local, c.threads)
}

// listBytes is the memory of the lists of weights and of transformed ones.
func (p *plan) listBytes() (n int64) {
	for i := range p.layers {
		for _, b := range p.layers[i].blocks {
			n += 4 * int64(len(b.W)+len(b.Off)+len(b.Bias))
		}
		if g := p.layers[i].winograd; g != nil {
			const points = 36 // of a transformed 3x3 filter
			n += 4 * points * int64(g.In) * int64(g.Out)
		}
	}
	return n
}
