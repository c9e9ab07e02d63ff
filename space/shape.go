package space

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"evosr/network"
)

// Shape builds the layers of a genome without weights, biases or masks; slopes are
// those that an activation has, or starts from. The genome must belong to the space
// (Check).
func (sp *Space) Shape(g Genome) *network.Subnet {
	out := sp.Colors * sp.Scale * sp.Scale
	s := &network.Subnet{Scale: sp.Scale, Colors: sp.Colors, Genome: g.String()}
	var slope float32 // of the block
	var learned bool
	add := func(l network.Layer) int {
		if l.Act == network.ActPReLU {
			l.Slope, l.Learned = slices.Repeat([]float32{slope}, l.Out), learned
		}
		s.Layers = append(s.Layers, l)
		return len(s.Layers) - 1
	}
	skip := add(network.Layer{Name: "skip", In: sp.Colors, Out: out, Kernel: 5, Src: network.Picture, Add: network.None})
	trunk := add(network.Layer{Name: "head", In: sp.Colors, Out: g.Width, Kernel: 3, Src: network.Picture, Add: network.None, Prune: g.Head})
	for i, gene := range g.Slots {
		w := g.Width
		name := fmt.Sprintf("slot%d/", i+1)
		e, r := Hidden(gene.Kind, w, gene.Expansion)
		act := gene.Activation.Act()
		slope, learned = gene.Activation.Slope()
		switch gene.Kind {
		case Wide:
			a := add(network.Layer{Name: name + "expand", In: w, Out: e, Kernel: 1, Src: trunk, Add: network.None, Act: act, Prune: gene.Prune[0]})
			b := add(network.Layer{Name: name + "reduce", In: e, Out: r, Kernel: 1, Src: a, Add: network.None, Prune: gene.Prune[1]})
			trunk = add(network.Layer{Name: name + "conv", In: r, Out: w, Kernel: 3, Src: b, Add: trunk, Prune: gene.Prune[2]})
		case Plain:
			a := add(network.Layer{Name: name + "conv1", In: w, Out: e, Kernel: 3, Src: trunk, Add: network.None, Act: act, Prune: gene.Prune[0]})
			trunk = add(network.Layer{Name: name + "conv2", In: e, Out: w, Kernel: 3, Src: a, Add: trunk, Prune: gene.Prune[1]})
		case Lean:
			trunk = add(network.Layer{Name: name + "conv", In: w, Out: w, Kernel: 3, Src: trunk, Add: network.None, Act: act, Prune: gene.Prune[0]})
		}
	}
	add(network.Layer{Name: "tail", In: g.Width, Out: out, Kernel: 3, Src: trunk, Add: skip, Prune: g.Tail})
	return s
}

// SlotOf says which slot of the genome, from 0, a layer is of, and what it is
// called there: "slot3/conv" is slot 2 and "conv". Others are of no slot.
func SlotOf(layer string) (slot int, rest string, ok bool) {
	name, rest, ok := strings.Cut(layer, "/")
	number, has := strings.CutPrefix(name, "slot")
	n, err := strconv.Atoi(number)
	return n - 1, rest, ok && has && err == nil && n >= 1
}
