package sparse

import "evosr/network"

// A layer in a program file of version 1, which held our own networks as
// convolutions with what is fused into them, dead channels removed:
//
//	bytes  what
//	       name
//	4 4    input channels, output channels
//	1 1    side of the filter, flags (1: ReLU, 2: a mask follows, 4: PReLU, whose slopes follow, 8: SiLU)
//	1 1    scheme (order of network.Schemes), pruned percent, as the genome had them
//	4 4    layer that is read, layer that is added: index; -1 the picture, -2 none
//	8 8    before elimination: weights, density (float64)
//	       mask when flagged: one bit a weight, (output, input, row, column), lowest bit first, last byte filled with 0
//	       kept weights in the same order
//	       biases, float32
//	       slopes when flagged, float32, one for each output channel
const (
	flagMask = 2
	noLayer  = -2

	maxLayers  = 1 << 10
	layerBytes = 52 // of a layer without name and lists
)

// layerActs are the activations by their flags; a layer has one at most.
var layerActs = map[byte]network.Act{0: network.ActNone, 1: network.ActReLU, 4: network.ActPReLU, 8: network.ActSiLU}

// layers reads the nodes of all layers.
func (d *decoder) layers(g *network.Graph) {
	var ends []int // the last node of each layer
	for range d.size("layers", maxLayers, layerBytes) {
		d.layer(g, ends)
		if d.err != nil {
			return
		}
		ends = append(ends, len(g.Nodes)-1)
	}
	g.Nodes = append(g.Nodes, network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{len(g.Nodes) - 1}, Factor: g.Scale})
}

// layer appends the nodes of the next layer; ends are the last ones of those before.
func (d *decoder) layer(g *network.Graph, ends []int) {
	put := func(n network.Node) { g.Nodes = append(g.Nodes, n) }
	name := d.text()
	in, out := d.uint32(), d.uint32()
	if in < 1 || in > network.MaxChannels || out < 1 || out > network.MaxChannels {
		d.fail("layer %q: %d to %d channels, want 1 to %d", name, in, out, network.MaxChannels)
		return
	}
	kernel, flags, scheme, percent := d.byte(), d.byte(), d.byte(), d.byte()
	act, known := layerActs[flags&^flagMask]
	if kernel != 1 && kernel != 3 && kernel != 5 || !known || !network.Scheme(scheme).Known() || percent > 100 {
		d.fail("layer %q: filter %d, flags %d, scheme %d, %d percent", name, kernel, flags, scheme, percent)
		return
	}
	source, added := int(int32(d.uint32())), int(int32(d.uint32()))
	if source < network.Picture || source >= len(ends) || added != noLayer && (added < 0 || added >= len(ends)) {
		d.fail("layer %q: reads layer %d and adds %d, want earlier ones", name, source, added)
		return
	}
	r := int(kernel / 2)
	n := network.Node{
		Name: name, Op: network.OpConv, Inputs: []int{network.Picture}, Out: int(out), Kernel: int(kernel), Pad: [4]int{r, r, r, r}, Border: network.Edge,
		Prune: network.Prune{Scheme: network.Scheme(scheme), Percent: int(percent)}, Origin: d.origin(name),
	}
	if source != network.Picture {
		n.Inputs[0], n.Border = ends[source], network.Zeros
	}
	n.Weights, n.Mask = d.weights(name, n.Out*int(in)*n.Kernel*n.Kernel, flags&flagMask != 0)
	if d.err != nil || !d.allow(name, int64(out), 4*int64(out)) {
		return
	}
	n.Bias = make([]float32, out)
	d.floats(n.Bias)
	put(n)
	if added != noLayer {
		put(network.Node{Name: name + "/add", Op: network.OpAdd, Inputs: []int{len(g.Nodes) - 1, ends[added]}})
	}
	if act == network.ActNone {
		return
	}
	n = network.Node{Name: name + "/" + act.String(), Op: network.OpActivate, Inputs: []int{len(g.Nodes) - 1}, Act: act}
	if act == network.ActPReLU {
		if !d.allow(name, int64(out), 4*int64(out)) {
			return
		}
		n.Slope = make([]float32, out)
		d.floats(n.Slope)
	}
	put(n)
}
