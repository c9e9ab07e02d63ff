package sparse

import (
	"evosr/network"
)

// sink puts the layers of a subnet in the order of lowered.sinking, from alike,
// and says how many moved.
func sink(net *network.Subnet, from []source) (out *network.Subnet, moved int) {
	order := lowerSubnet(net, from).sinking()
	place := make([]int, len(order))
	for to, i := range order {
		if place[i] = to; to != i {
			moved++
		}
	}
	out = &network.Subnet{Scale: net.Scale, Colors: net.Colors, Genome: net.Genome, Layers: make([]network.Layer, len(order))}
	was := append([]source(nil), from...)
	for to, i := range order {
		l := net.Layers[i]
		if l.Src >= 0 {
			l.Src = place[l.Src]
		}
		if l.Add >= 0 {
			l.Add = place[l.Add]
		}
		out.Layers[to], from[to] = l, was[i]
	}
	return out, moved
}
