package sparse

import (
	"math"

	"evosr/network"
	"evosr/space"
)

// A layer of a subnet in a program file:
//
//	bytes  what
//	       name
//	4 4    input channels, output channels
//	1 1    side of the filter, flags (1: ReLU, 2: a mask follows, 4: PReLU, whose slopes follow, 8: SiLU)
//	1 1    scheme (order of network.Schemes), pruned percent, as the genome had them
//	4 4    layer that is read, layer that is added: index; -1 the picture, -2 none
//	8 8    of the subnet's layer before elimination: weights, density (float64)
//	       mask when flagged: one bit a weight, (output, input, row, column), lowest bit first, last byte filled with 0
//	       kept weights in the same order
//	       biases, float32
//	       slopes when flagged, float32, one for each output channel
const (
	flagReLU = 1
	flagMask = 2
)

// actFlags are the flags of activations; a layer has one at most.
var actFlags = map[network.Act]byte{network.ActNone: 0, network.ActReLU: flagReLU, network.ActPReLU: 4, network.ActSiLU: 8}

// subnet writes all layers.
func (e *encoder) subnet(net *network.Subnet, of *lowered) {
	if len(net.Layers) > maxLayers {
		e.fail("%d layers, want at most %d", len(net.Layers), maxLayers)
		return
	}
	e.uint32(uint32(len(net.Layers)))
	for i := range net.Layers {
		l := &net.Layers[i]
		e.text("layer name", l.Name)
		e.uint32(uint32(l.In))
		e.uint32(uint32(l.Out))
		flags := actFlags[l.Act]
		if l.Mask != nil {
			flags |= flagMask
		}
		e.put(byte(l.Kernel), flags, byte(l.Prune.Scheme), byte(l.Prune.Percent))
		e.uint32(uint32(int32(l.Src)))
		e.uint32(uint32(int32(l.Add)))
		from := of.layers[i].source
		e.uint64(uint64(from.dense))
		e.uint64(math.Float64bits(from.density))
		if l.Mask != nil {
			e.mask(l.Mask)
		}
		e.weights(l.Name, l.Weights, l.Mask)
		e.floats(l.Name, l.Bias)
		e.floats(l.Name, l.Slope)
	}
}

// subnet reads all layers.
func (d *decoder) subnet(scale, colors int) *compiled {
	net := &network.Subnet{Scale: scale, Colors: colors}
	var from []source
	for range d.size("layers", maxLayers, 52) {
		l, s := d.layer()
		if d.err != nil {
			break
		}
		net.Layers, from = append(net.Layers, l), append(from, s)
	}
	if d.err == nil && len(d.data) > 0 {
		d.fail("%d bytes after the last layer, want none", len(d.data))
	}
	if d.err == nil {
		d.err = net.Validate()
	}
	c := &compiled{subnet: net}
	if d.err == nil {
		c.net = lowerSubnet(net, from)
	}
	return c
}

func (d *decoder) layer() (l network.Layer, from source) {
	l.Name = d.text()
	in, out := d.uint32(), d.uint32()
	const most = space.MaxWidth * space.MaxExpansion
	if in < 1 || in > most || out < 1 || out > most {
		d.fail("layer %q: %d to %d channels, want 1 to %d", l.Name, in, out, most)
		return
	}
	kernel, flags, scheme, percent := d.byte(), d.byte(), d.byte(), d.byte()
	act, known := actOf(flags &^ flagMask)
	if kernel > 5 || !known || int(scheme) >= len(network.Schemes()) || percent > 100 {
		d.fail("layer %q: filter %d, flags %d, scheme %d, %d percent", l.Name, kernel, flags, scheme, percent)
		return
	}
	l.In, l.Out, l.Kernel = int(in), int(out), int(kernel)
	l.Act = act
	l.Prune = network.Prune{Scheme: network.Scheme(scheme), Percent: int(percent)}
	l.Src, l.Add = int(int32(d.uint32())), int(int32(d.uint32()))
	from = source{dense: d.count(), density: math.Float64frombits(d.uint64())}
	if !(from.density >= 0 && from.density <= 1) {
		d.fail("layer %q: density %v, want 0 to 1", l.Name, from.density)
		return
	}
	l.Weights, l.Mask = d.weights(l.Name, l.Size(), flags&flagMask != 0)
	if d.err != nil || !d.allow(l.Name, int64(out), 4*int64(out)) {
		return
	}
	l.Bias = make([]float32, out)
	d.floats(l.Bias)
	if l.Act == network.ActPReLU {
		if !d.allow(l.Name, int64(out), 4*int64(out)) {
			return
		}
		l.Slope = make([]float32, out)
		d.floats(l.Slope)
	}
	return l, from
}

// actOf is the inverse of actFlags.
func actOf(flag byte) (network.Act, bool) {
	for act, f := range actFlags {
		if f == flag {
			return act, true
		}
	}
	return 0, false
}
