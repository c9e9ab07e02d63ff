package space

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sources of a layer's input other than another layer.
const (
	Picture = -1 // the low-resolution picture
	None    = -2 // no layer: nothing is added
)

// Layer is one convolution (stride 1, same size out as in) with what follows
// it: out = act(conv(input of Src) + Bias + output of Add).
type Layer struct {
	Name    string // "head", "slot3/expand", ..., unique in its Subnet
	In, Out int    // channels
	Kernel  int    // side of the square filter: 1, 3 or 5
	Src     int    // index of the layer that is read, or Picture
	Add     int    // index of the layer that is added before the activation, or None
	Act     Act    // ActNone, ActReLU, ActPReLU or ActSiLU

	Prune   Prune
	Weights []float32 // Out*In*Kernel*Kernel, (output, input, row, column); masked ones are 0
	Bias    []float32 // Out
	Mask    []uint8   // as Weights: 1 keeps, 0 prunes; nil keeps all
	Slope   []float32 // of ActPReLU: what negative values of a channel are multiplied by, Out; a leaky ReLU has equal ones
}

// Size is the number of weights of the dense layer, biases not counted.
func (l *Layer) Size() int { return l.Out * l.In * l.Kernel * l.Kernel }

// Kept is the number of weights that the mask keeps.
func (l *Layer) Kept() int {
	if l.Mask == nil {
		return l.Size()
	}
	n := 0
	for _, m := range l.Mask {
		n += int(m)
	}
	return n
}

// Subnet is one network: its layers in an order in which they can run, each
// reading only layers before it. The last layer's output, Colors*Scale²
// channels, is pixel-shuffled (channel c*Scale²+i*Scale+j goes to row i, column
// j of each Scale x Scale cell of color c) into the picture.
type Subnet struct {
	Scale, Colors int
	Genome        Genome
	Layers        []Layer
}

// Params counts kept weights, all biases and learned slopes.
func (s *Subnet) Params() int {
	n := 0
	for i := range s.Layers {
		n += s.Layers[i].Kept() + s.Layers[i].Out
		if s.LearnedSlopes(i) {
			n += s.Layers[i].Out
		}
	}
	return n
}

// MACs counts the multiplications of kept weights per low-resolution pixel;
// dense counts those of all weights.
func (s *Subnet) MACs() (kept, dense int) {
	for i := range s.Layers {
		kept += s.Layers[i].Kept()
		dense += s.Layers[i].Size()
	}
	return kept, dense
}

// Validate reports the first layer that does not fit the ones before it, so
// that a subnet from a file is safe to compile.
func (s *Subnet) Validate() error {
	if s.Scale < 2 || s.Scale > 4 || s.Colors != 1 && s.Colors != 3 {
		return fmt.Errorf("space: subnet: scale %d and %d colors, want 2 to 4 and 1 or 3", s.Scale, s.Colors)
	}
	if len(s.Layers) == 0 {
		return fmt.Errorf("space: subnet: no layers")
	}
	channels := func(i int) int {
		if i == Picture {
			return s.Colors
		}
		return s.Layers[i].Out
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		bad := func(what string, got, want any) error {
			return fmt.Errorf("space: layer %d %q: %s is %v, want %v", i, l.Name, what, got, want)
		}
		switch {
		case l.Kernel != 1 && l.Kernel != 3 && l.Kernel != 5:
			return bad("kernel", l.Kernel, "1, 3 or 5")
		case l.In < 1 || l.In > MaxWidth*MaxExpansion || l.Out < 1 || l.Out > MaxWidth*MaxExpansion:
			return bad("channels", [2]int{l.In, l.Out}, fmt.Sprintf("1 to %d", MaxWidth*MaxExpansion))
		case l.Src < Picture || l.Src >= i:
			return bad("source", l.Src, "an earlier layer")
		case l.Add != None && (l.Add < 0 || l.Add >= i):
			return bad("added layer", l.Add, "an earlier layer")
		case channels(l.Src) != l.In:
			return bad("input channels", l.In, channels(l.Src))
		case l.Add != None && channels(l.Add) != l.Out:
			return bad("output channels", l.Out, channels(l.Add))
		case len(l.Weights) != l.Size():
			return bad("weights", len(l.Weights), l.Size())
		case len(l.Bias) != l.Out:
			return bad("biases", len(l.Bias), l.Out)
		case l.Mask != nil && len(l.Mask) != l.Size():
			return bad("mask", len(l.Mask), l.Size())
		case l.Act != ActNone && l.Act != ActReLU && l.Act != ActPReLU && l.Act != ActSiLU:
			return bad("activation", l.Act, "none, relu, prelu or silu")
		case l.Act == ActPReLU && len(l.Slope) != l.Out:
			return bad("slopes", len(l.Slope), l.Out)
		case l.Act != ActPReLU && len(l.Slope) != 0:
			return bad("slopes", len(l.Slope), "none, which only prelu has")
		}
	}
	if got, want := s.Layers[len(s.Layers)-1].Out, s.Colors*s.Scale*s.Scale; got != want {
		return fmt.Errorf("space: subnet: last layer has %d channels, want %d for scale %d", got, want, s.Scale)
	}
	return nil
}

// Shape builds the layers of a genome without weights, biases or masks; slopes are
// those that an activation has, or starts from. The genome must belong to the space
// (Check).
func (sp *Space) Shape(g Genome) *Subnet {
	out := sp.Colors * sp.Scale * sp.Scale
	s := &Subnet{Scale: sp.Scale, Colors: sp.Colors, Genome: g.Clone()}
	var slope float32 // of the block
	add := func(l Layer) int {
		if l.Act == ActPReLU {
			l.Slope = slices.Repeat([]float32{slope}, l.Out)
		}
		s.Layers = append(s.Layers, l)
		return len(s.Layers) - 1
	}
	skip := add(Layer{Name: "skip", In: sp.Colors, Out: out, Kernel: 5, Src: Picture, Add: None})
	trunk := add(Layer{Name: "head", In: sp.Colors, Out: g.Width, Kernel: 3, Src: Picture, Add: None, Prune: g.Head})
	for i, gene := range g.Slots {
		w := g.Width
		name := fmt.Sprintf("slot%d/", i+1)
		e, r := Hidden(gene.Kind, w, gene.Expansion)
		act := gene.Activation.Act()
		slope, _ = gene.Activation.Slope()
		switch gene.Kind {
		case Wide:
			a := add(Layer{Name: name + "expand", In: w, Out: e, Kernel: 1, Src: trunk, Add: None, Act: act, Prune: gene.Prune[0]})
			b := add(Layer{Name: name + "reduce", In: e, Out: r, Kernel: 1, Src: a, Add: None, Prune: gene.Prune[1]})
			trunk = add(Layer{Name: name + "conv", In: r, Out: w, Kernel: 3, Src: b, Add: trunk, Prune: gene.Prune[2]})
		case Plain:
			a := add(Layer{Name: name + "conv1", In: w, Out: e, Kernel: 3, Src: trunk, Add: None, Act: act, Prune: gene.Prune[0]})
			trunk = add(Layer{Name: name + "conv2", In: e, Out: w, Kernel: 3, Src: a, Add: trunk, Prune: gene.Prune[1]})
		case Lean:
			trunk = add(Layer{Name: name + "conv", In: w, Out: w, Kernel: 3, Src: trunk, Add: None, Act: act, Prune: gene.Prune[0]})
		}
	}
	add(Layer{Name: "tail", In: g.Width, Out: out, Kernel: 3, Src: trunk, Add: skip, Prune: g.Tail})
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
