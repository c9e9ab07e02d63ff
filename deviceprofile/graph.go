package deviceprofile

import (
	"evosr/network"
	"evosr/sparse"
)

// lanes is how many channels many runtimes keep together: 16 floats of a vector
// register. Those that use fewer pay for what the terms without it count.
const lanes = 16

// farBytes is about what second level caches, or a part of larger ones, hold of a
// layer's planes.
const farBytes = 4 << 20

// siluReLUs is what a SiLU of a sigmoid and a product takes, in ReLUs.
const siluReLUs = 4

// graphFamilies are the terms of filters, by half their side; larger ones count as
// 5x5.
var graphFamilies = [...]string{"conv1x1", "conv3x3", "conv5x5"}

// graphTable counts what a runtime that knows nothing of pruning does with an
// exported network: dense convolutions, one after the other, over whole planes.
// Terms overlap on purpose; which of them a runtime pays is for the fit to say.
func graphTable() table {
	var list []Term
	for _, family := range graphFamilies {
		for _, t := range []Term{
			{"", "mac", "multiplications"},
			{"", "mac_one16", "multiplications of a last sixteen of output channels, filled up, of 16 input channels or more"},
			{"", "mac_two16", "the same, of the last two sixteens"},
			{"", "mac_four16", "the same, of four sixteens or three"},
			{"", "mac_few", "multiplications of fewer than 16 input channels, output channels filled up to sixteens"},
			{"", "mac_both16", "multiplications, input and output channels filled up to sixteens"},
			{"", "mac_odd", "multiplications of input channels that are no multiple of four"},
			{"", "read", "input values"},
			{"", "read_odd", "input values of channels that are no multiple of four"},
			{"", "write", "output values, channels filled up to sixteens"},
			{"", "ragged", "output values of channels that are no multiple of sixteen"},
			{"", "constant", "1"},
			{"", "far", "input and output values beyond farBytes a layer"},
		} {
			t.Family = family
			list = append(list, t)
		}
	}
	list = append(list, Term{"layer", "add", "output values to which something is added"}, Term{"layer", "relu", "output values behind a ReLU"},
		Term{"layer", "prelu", "output values behind a PReLU"}, Term{"layer", "silu", "output values behind a SiLU, which is two nodes"})
	relu := termName{"layer", "relu"}
	at := indexOf(list)
	features := func(layers []sparse.LayerInfo, w, h, _ int) [][]float64 { return graphFeatures(at, layers, w, h) }
	return table{list, features, map[termName][]multiple{
		{"layer", "prelu"}: {{relu, 1}},
		{"layer", "silu"}:  {{relu, siluReLUs}},
	}}
}

func graphFeatures(at index, layers []sparse.LayerInfo, w, h int) [][]float64 {
	pixels := float64(w) * float64(h)
	up := func(n int) float64 { return float64((n + lanes - 1) / lanes * lanes) }
	var list [][]float64
	for i := range layers {
		l := &layers[i]
		c := at.counts()
		set := func(name string, v float64) { c.set(graphFamilies[min(l.Kernel/2, len(graphFamilies)-1)], name, v) }
		in, out, side := float64(l.In), float64(l.Out), float64(l.Kernel*l.Kernel)
		macs := in * out * side * pixels
		set("mac", macs)
		sixteen := in * lanes * side * pixels
		switch blocks := (l.Out + lanes - 1) / lanes; {
		case l.In < lanes:
			set("mac_few", sixteen*float64(blocks))
		default:
			fours := 4 * sixteen * float64(blocks/4)
			switch blocks % 4 {
			case 1:
				set("mac_one16", sixteen)
			case 2:
				set("mac_two16", 2*sixteen)
			case 3:
				fours += 3 * sixteen
			}
			set("mac_four16", fours)
		}
		set("mac_both16", up(l.In)*up(l.Out)*side*pixels)
		set("read", in*pixels)
		if l.In%4 != 0 && l.In > 3 {
			set("mac_odd", macs)
			set("read_odd", in*pixels)
		}
		set("write", up(l.Out)*pixels)
		if l.Out%lanes != 0 {
			set("ragged", out*pixels)
		}
		set("constant", 1)
		set("far", (in+out)*pixels*beyond(farBytes, 4*(in+out)*pixels))
		if l.Residual {
			c.set("layer", "add", out*pixels)
		}
		switch l.Act {
		case network.ActPReLU.String():
			c.set("layer", "prelu", out*pixels)
		case network.ActSiLU.String():
			c.set("layer", "silu", out*pixels)
		default:
			if l.ReLU {
				c.set("layer", "relu", out*pixels)
			}
		}
		list = append(list, c.f)
	}
	return list
}
