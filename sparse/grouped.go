package sparse

import (
	"math/bits"

	"evosr/internal/kernel"
)

// groupedCosts are those of four channels whose taps are grouped by the subset
// of the channels that they feed, see kernel.LowerGroups.
type groupedCosts struct {
	tap   [kernel.GroupChannels]float64 // one entry that feeds 1, 2, 3, 4 channels
	block float64                       // all else
	far   float64                       // what entries cost more whose source is not in the first cache, times their cost
}

// far is the share of a strip's source that the first cache does not hold: it is
// walked once for each subset of the channels.
func far(l *layer) float64 {
	const kept = 32 << 10
	const line = 7 * 4 * kernel.Lanes // bytes of a row: the widest strip, shifted by a pixel
	return max(0, 1-kept/float64(l.in/l.groups*l.kernel*line))
}

// group prices four output channels from first on with grouped taps.
func (c *costs) group(l *layer, first int) cut {
	k := cut{grouped: []int{first}, cost: c.grouped.block}
	cols := l.in / l.groups * l.kernel * l.kernel
	slower := 1 + c.grouped.far*far(l)
	for i := range cols {
		fed := uint(0)
		for j := range kernel.GroupChannels {
			fed = fed<<1 | uint(l.mask[(first+j)*cols+i])
		}
		if n := bits.OnesCount(fed); n > 0 {
			k.groupTaps[n-1]++
			k.cost += c.grouped.tap[n-1] * slower
		}
	}
	return k
}

// addGroups counts grouped blocks among those of four channels, and their
// entries among those that feed as many channels.
func (info *LayerInfo) addGroups(k *cut) {
	info.Grouped = len(k.grouped)
	info.Blocks[2] += info.Grouped
	for n, taps := range k.groupTaps {
		info.BlockTaps[(n+1)/2] += taps
		info.Taps += taps
		info.MACs += taps * (n + 1)
	}
}
