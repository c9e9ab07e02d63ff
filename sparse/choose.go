package sparse

import (
	"math"

	"evosr/internal/kernel"
	"evosr/network"
)

// costs estimate a layer's time on one instruction set, in the time of one
// multiply-add of a vector in the best tile. Index log2(b) is a micro-kernel of
// b output channels.
type costs struct {
	tap   [4]float64 // one list entry on one vector of pixels
	block [4]float64 // what a block costs on one vector beside its taps: bias, loads and stores, loop

	grouped  *groupedCosts  // nil: there are no such kernels
	winograd *winogradCosts // nil: direct is faster
}

// winogradCosts are in the same unit, on one vector of pixels, for a product of
// an input with an output channel and for each of them.
type winogradCosts struct{ product, in, out float64 }

// tables are the costs by kernel.Set.Name, rounded from BenchmarkCosts on an AMD
// EPYC of family 26: one unit is 0.12 ns there with AVX-512, 0.24 ns with AVX2.
// NEON has AVX2's until someone measures it. Winograd's come from
// kernel.BenchmarkWinograd, whose direct layers take 9 units a product.
var tables = map[string]costs{
	"avx512": {tap: [4]float64{2.5, 2.9, 4.1, 8}, block: [4]float64{10, 12, 24, 40}, winograd: &winogradCosts{2.45, 15, 9},
		grouped: &groupedCosts{tap: [4]float64{2.3, 3, 3.7, 4.5}, block: 28, far: 0.4}},
	"avx2": {tap: [4]float64{1.9, 2.2, 4, 8}, block: [4]float64{5, 8, 10, 17}, winograd: &winogradCosts{2.3, 13, 9.6},
		grouped: &groupedCosts{tap: [4]float64{1.55, 2.7, 3.4, 4.2}, block: 30}},
	"neon": {tap: [4]float64{1.9, 2.2, 4, 8}, block: [4]float64{5, 8, 10, 17}},
	"go":   {tap: [4]float64{1, 2, 4, 8}, block: [4]float64{5, 10, 20, 40}},
}

// tableFor falls back to the most widely valid table, so that a Set that is
// new to this file is compiled well enough.
func tableFor(set string) costs {
	if c, ok := tables[set]; ok {
		return c
	}
	return tables["avx2"]
}

// price is the estimated cost of one vector of pixels.
func (c *costs) price(blocks, taps [4]int) float64 {
	var sum float64
	for i := range 4 {
		sum += c.tap[i]*float64(taps[i]) + c.block[i]*float64(blocks[i])
	}
	return sum
}

// cut is a layer's partition into micro-kernels.
type cut struct {
	first        [4][]int // first output channels of the blocks of 1, 2, 4 and 8
	blocks, taps [4]int   // their number, and their list entries
	grouped      []int    // first output channels of the blocks of four with grouped taps
	groupTaps    [4]int   // their list entries by the number of channels that they feed
	cost         float64
}

// choose cuts a layer's output channels into blocks of the lowest estimated
// cost: every aligned eight is one block or is halved, and so on down to single
// channels. Rows that agree on what they keep, or keep most, end up together.
func (c *costs) choose(l *layer) cut {
	var list cut
	per := l.out / l.groups
	for group := 0; group < l.out; group += per {
		for first := group; first < group+per; first += 8 {
			list.add(c.halve(l, first, group+per, 3))
		}
	}
	return list
}

func (k *cut) add(other cut) {
	for i := range 4 {
		k.first[i] = append(k.first[i], other.first[i]...)
		k.blocks[i] += other.blocks[i]
		k.taps[i] += other.taps[i]
	}
	k.grouped = append(k.grouped, other.grouped...)
	for i, n := range other.groupTaps {
		k.groupTaps[i] += n
	}
	k.cost += other.cost
}

// halve finds the best cut of up to 1<<size channels from first on, below end.
func (c *costs) halve(l *layer, first, end, size int) cut {
	whole := cut{cost: math.Inf(1)}
	if first+1<<size <= end {
		whole.blocks[size], whole.taps[size] = 1, union(l, first, 1<<size)
		whole.first[size] = []int{first}
		whole.cost = c.price(whole.blocks, whole.taps)
		if 1<<size == kernel.GroupChannels && c.grouped != nil && l.mask != nil {
			if g := c.group(l, first); g.cost < whole.cost {
				whole = g
			}
		}
	}
	if size == 0 || first >= end {
		if first >= end {
			return cut{}
		}
		return whole
	}
	parts := c.halve(l, first, end, size-1)
	parts.add(c.halve(l, first+1<<(size-1), end, size-1))
	if parts.cost < whole.cost {
		return parts
	}
	return whole
}

// union counts the input positions at which any of n rows keeps its weight.
func union(l *layer, first, n int) int {
	cols := l.in / l.groups * l.kernel * l.kernel
	if l.mask == nil {
		return cols
	}
	taps := 0
	for i := range cols {
		for r := first; r < first+n; r++ {
			if l.mask[r*cols+i] != 0 {
				taps++
				break
			}
		}
	}
	return taps
}

// describe sums a compiled layer up.
func (c *costs) describe(l *layer) (LayerInfo, cut) {
	info := LayerInfo{
		Name: l.name, Op: l.op.String(), In: l.in, Out: l.out, Kernel: l.kernel, Scheme: l.prune.Scheme.String(),
		Density: l.origin.Density, DenseMACs: l.origin.Weights,
		Level: max(l.level, 1), ReLU: l.act == network.ActReLU, Act: l.act.String(), Residual: len(l.reads) > 1,
	}
	if l.op != network.OpConv {
		info.Density, info.Speedup = 1, 1
		return info, cut{}
	}
	k := c.choose(l)
	// Before pruning the layer was as much larger as it has lost weights by
	// elimination, in the same blocks.
	full := *l
	full.mask = nil
	cost, unpruned := k.cost, c.choose(&full).cost
	if info.Method = MethodLists; c.winograd != nil && l.transformable() {
		if by := c.winograd.price(l.in, l.out); by < cost {
			info.Method, cost = MethodWinograd, by
		}
		unpruned = min(unpruned, c.winograd.price(l.in, l.out))
	}
	info.Speedup = unpruned * float64(l.origin.Weights) / float64(len(l.weights)) / cost
	info.Pays, info.Cost = info.Speedup >= 1.05, cost
	if info.Method == MethodWinograd {
		const pointsOfTile, pixelsOfTile = 36, 16
		info.MACs = l.in * l.out * pointsOfTile / pixelsOfTile
		return info, k
	}
	info.Blocks, info.BlockTaps = k.blocks, k.taps
	most := -1
	for i := range 4 {
		info.Taps += k.taps[i]
		info.MACs += k.taps[i] << i
		if n := k.blocks[i] << i; n > 0 && n >= most {
			info.B, most = 1<<i, n
		}
	}
	info.addGroups(&k)
	if n := 4 * info.Blocks[2]; info.Grouped > 0 && n >= most {
		info.B = 4
	}
	return info, k
}
