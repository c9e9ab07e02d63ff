package sparse

import (
	"slices"

	"evosr/network"
)

// eliminate returns a smaller subnet that computes the same, and where its
// layers came from. Weights are copied, nothing of net is kept.
//
// A channel is dropped when nothing reads it, or when it is zero whatever the
// picture is: no kept weight reaches it from a channel that is not zero, nothing
// is added to it and the activation of its bias is zero. A layer whose own sum is
// zero, so that it only passes on what is added, is taken out of the chain.
// Channels that are constant but not zero stay: the zero border around them
// makes folding them into the next bias wrong at the picture's edge.
func eliminate(net *network.Subnet) (*network.Subnet, []source) {
	out := &network.Subnet{Scale: net.Scale, Colors: net.Colors, Genome: net.Genome}
	from := make([]source, len(net.Layers))
	for i := range net.Layers {
		l := net.Layers[i]
		l.Mask = keptMask(&l)
		out.Layers = append(out.Layers, l)
		from[i] = source{dense: l.Size(), density: float64(net.Layers[i].Kept()) / float64(l.Size())}
	}
	for {
		dropChannels(out, &from)
		if !bypass(out, &from) {
			break
		}
	}
	for i := range out.Layers {
		if l := &out.Layers[i]; !slices.Contains(l.Mask, 0) {
			l.Mask = nil
		}
	}
	return out, from
}

// keptMask copies a layer's mask. Without one, weights that are exactly zero
// are taken as pruned, which is how pruned networks come from other tools. A
// layer of nothing but zeros is one that was never trained: it stays dense, so
// that its cost is not mistaken.
func keptMask(l *network.Layer) []uint8 {
	if l.Mask != nil {
		return slices.Clone(l.Mask)
	}
	mask := make([]uint8, len(l.Weights))
	any := false
	for i, w := range l.Weights {
		if w != 0 {
			mask[i], any = 1, true
		}
	}
	if !any {
		for i := range mask {
			mask[i] = 1
		}
	}
	return mask
}

// links says for every (output, input) pair of channels whether a weight is
// kept between them.
func links(l *network.Layer) []bool {
	kk := l.Kernel * l.Kernel
	list := make([]bool, l.Out*l.In)
	for i := range list {
		list[i] = slices.Contains(l.Mask[i*kk:(i+1)*kk], 1)
	}
	return list
}

// dropChannels removes channels and layers that are zero or unread, in place,
// and keeps from in step.
func dropChannels(net *network.Subnet, from *[]source) {
	n := len(net.Layers)
	link, zero, need := make([][]bool, n), make([][]bool, n), make([][]bool, n)
	for i := range net.Layers {
		l := &net.Layers[i]
		link[i], zero[i], need[i] = links(l), make([]bool, l.Out), make([]bool, l.Out)
		for o := range l.Out {
			row := link[i][o*l.In : (o+1)*l.In]
			if l.Src != network.Picture {
				for c := range row {
					row[c] = row[c] && !zero[l.Src][c]
				}
			}
			zero[i][o] = !slices.Contains(row, true) && silent(l, o) &&
				(l.Add == network.None || zero[l.Add][o])
		}
	}
	for o := range need[n-1] {
		need[n-1][o] = true // every channel of the last layer is a pixel
	}
	used := make([]bool, n) // any channel is needed
	for i := n - 1; i >= 0; i-- {
		l := &net.Layers[i]
		for o := range l.Out {
			need[i][o] = need[i][o] && (!zero[i][o] || i == n-1)
			if !need[i][o] {
				continue
			}
			used[i] = true
			for c, is := range link[i][o*l.In : (o+1)*l.In] {
				if is && l.Src != network.Picture {
					need[l.Src][c] = true
				}
			}
			if l.Add != network.None {
				need[l.Add][o] = true
			}
		}
	}

	// Layers that are added to each other keep the same channels.
	keep := make([][]bool, n)
	for i := range net.Layers {
		keep[i] = need[i]
		if a := net.Layers[i].Add; a != network.None && used[i] && used[a] {
			joined := slices.Clone(keep[a])
			for c := range joined {
				joined[c] = joined[c] || keep[i][c]
			}
			was := &keep[a][0]
			for j := range i { // all that shared keep[a] share the joined list
				if &keep[j][0] == was {
					keep[j] = joined
				}
			}
			keep[i] = joined
		}
	}

	place := make([]int, n) // new index of a layer
	var layers []network.Layer
	var origin []source
	for i := range net.Layers {
		if !used[i] {
			continue
		}
		l := net.Layers[i]
		var ins []int
		switch {
		case l.Src == network.Picture:
			ins = indices(nil, l.In)
		case used[l.Src]:
			ins = indices(keep[l.Src], l.In)
			l.Src = place[l.Src]
		default: // reads only zeros: the picture stands in, with no weight kept
			l.Src = network.Picture
		}
		if l.Add != network.None {
			if used[l.Add] {
				l.Add = place[l.Add]
			} else {
				l.Add = network.None
			}
		}
		shrink(&l, indices(keep[i], l.Out), ins, net.Colors, link[i], need[i])
		place[i] = len(layers)
		layers, origin = append(layers, l), append(origin, (*from)[i])
	}
	net.Layers, *from = layers, origin
}

// indices lists where keep is true; nil keeps all n.
func indices(keep []bool, n int) []int {
	list := make([]int, 0, n)
	for i := range n {
		if keep == nil || keep[i] {
			list = append(list, i)
		}
	}
	return list
}

// shrink gives l only the listed output and input channels. Without inputs it
// reads the picture's colors through weights that are all pruned. link has the
// channel pairs that matter, need the outputs that are read.
func shrink(l *network.Layer, outs, ins []int, colors int, link, need []bool) {
	kk := l.Kernel * l.Kernel
	width := len(ins)
	if width == 0 {
		width = colors
	}
	w, m, b := make([]float32, len(outs)*width*kk), make([]uint8, len(outs)*width*kk), make([]float32, len(outs))
	for r, o := range outs {
		if !need[o] {
			continue
		}
		b[r] = l.Bias[o]
		for c, i := range ins {
			if !link[o*l.In+i] {
				continue
			}
			at, to := (o*l.In+i)*kk, (r*width+c)*kk
			for t := range kk {
				if l.Mask[at+t] != 0 {
					w[to+t], m[to+t] = l.Weights[at+t], 1
				}
			}
		}
	}
	l.Weights, l.Mask, l.Bias, l.Out, l.In = w, m, b, len(outs), width
	if l.Act == network.ActPReLU {
		slope := make([]float32, len(outs))
		for r, o := range outs {
			slope[r] = l.Slope[o]
		}
		l.Slope = slope
	}
}

// silent says whether output o of l is zero where nothing reaches it.
func silent(l *network.Layer, o int) bool {
	slope := 0.0
	if l.Act == network.ActPReLU {
		slope = float64(l.Slope[o])
	}
	return l.Act.Of(float64(l.Bias[o]), slope) == 0
}

// keeps says whether l's activation leaves what was's puts out as it is: both
// kinds of ReLU do with what is not negative.
func keeps(l, was *network.Layer) bool {
	return l.Act == network.ActNone || was.Act == network.ActReLU && (l.Act == network.ActReLU || l.Act == network.ActPReLU)
}

// bypass takes out layers that only pass on what is added to them, and says
// whether there were any. Their readers read that instead.
func bypass(net *network.Subnet, from *[]source) bool {
	n := len(net.Layers)
	place := make([]int, n)
	var layers []network.Layer
	var origin []source
	for i, l := range net.Layers {
		if l.Src >= 0 {
			l.Src = place[l.Src]
		}
		if l.Add >= 0 {
			l.Add = place[l.Add]
		}
		nonzero := func(b float32) bool { return b != 0 }
		if i < n-1 && l.Add != network.None && keeps(&l, &layers[l.Add]) &&
			!slices.Contains(l.Mask, 1) && !slices.ContainsFunc(l.Bias, nonzero) {
			place[i] = l.Add
			continue
		}
		place[i] = len(layers)
		layers, origin = append(layers, l), append(origin, (*from)[i])
	}
	net.Layers, *from = layers, origin
	return len(layers) < n
}
