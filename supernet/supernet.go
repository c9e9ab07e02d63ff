package supernet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"evosr/network"
	"evosr/space"
)

// Supernet is the shared weights of every network of a space. It is safe for
// concurrent use: nothing here changes it, a Trainer works on a copy.
type Supernet struct {
	Space      *space.Space
	Partitions Partitions // of the space, with weights of their own
	bank       *bank
	index      map[ref]int
}

// ref names a shared tensor: "slot3/wide/expand" of a part.
type ref struct {
	part int
	name string
}

// New makes an untrained supernet: a bicubic upscaler up to a small noise. The
// space must be valid (Validate).
func New(sp *space.Space, seed uint64) *Supernet {
	s := empty(sp, Partitions{})
	for i := range s.bank.tensors {
		s.initialise(&s.bank.tensors[i], rand.New(rand.NewPCG(seed, uint64(i))))
	}
	return s
}

// empty makes a supernet of zeros.
func empty(sp *space.Space, parts Partitions) *Supernet {
	return over(sp, parts, newBank(tensorsOf(sp, parts.Count())))
}

// over makes a supernet of a bank of tensorsOf's tensors.
func over(sp *space.Space, parts Partitions, b *bank) *Supernet {
	s := &Supernet{Space: sp, Partitions: parts, bank: b, index: map[ref]int{}}
	for i := range b.tensors {
		s.index[ref{b.tensors[i].part, b.tensors[i].name}] = i
	}
	return s
}

// tensorsOf lists the shared tensors of a space in so many parts.
func tensorsOf(sp *space.Space, parts int) []tensor {
	var tensors []tensor
	seen := map[string]bool{}
	add := func(g space.Genome) {
		net := mustLayers(sp.Shape(g))
		for _, l := range net.list {
			if !l.conv() {
				continue
			}
			name := tensorName(l.name, g)
			if !seen[name] {
				seen[name] = true
				tensors = append(tensors, tensor{name: name, out: l.out, in: l.in, k: l.kernel, slopes: l.slope, learned: l.learned, inner: strings.Contains(name, "/")})
			}
		}
	}
	add(space.Genome{Width: sp.MaxTrunk()}) // skip, head and tail
	for i, slot := range sp.Slots {
		// The slot at its largest, all others left out.
		g := space.Genome{Width: sp.MaxTrunk(), Slots: make([]space.Gene, len(sp.Slots))}
		fill := func(gene space.Gene) {
			for _, gene.Activation = range slot.Choices() {
				g.Slots[i] = gene
				add(g)
			}
		}
		for _, k := range space.Widest() {
			if list := slot.Blocks[k]; len(list) > 0 {
				fill(space.Gene{Kind: k, Expansion: slices.Max(list)})
			}
		}
	}
	one := len(tensors)
	for part := 1; part < parts; part++ {
		for _, t := range tensors[:one] {
			t.part = part
			tensors = append(tensors, t)
		}
	}
	return tensors
}

// tensorName names the shared tensor of a genome's layer: "slot3/conv" of a
// wide block is "slot3/wide/conv", and "slot3/wide:silu/conv" with SiLU.
func tensorName(layer string, g space.Genome) string {
	slot, rest, ok := space.SlotOf(layer)
	if !ok {
		return layer
	}
	block := g.Slots[slot].Kind.String()
	if a := g.Slots[slot].Activation; a != space.ReLU {
		block += ":" + a.String()
	}
	return fmt.Sprintf("slot%d/%s/%s", slot+1, block, rest)
}

// start is how the tensor's weights start where it is of a block, whatever slot
// and activation; ok is false for the head, the tail and the skip.
func (t *tensor) start() (start space.Start, ok bool) {
	_, rest, _ := strings.Cut(t.name, "/")
	block, layer, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, false
	}
	kind, _, _ := strings.Cut(block, ":")
	return space.StartOf(kind, layer)
}

// refs gives the tensor of every layer of net, which is g's shape.
func (s *Supernet) refs(net *layers, g space.Genome) []int {
	refs := make([]int, len(net.list))
	part := s.part(net)
	for i := range net.list {
		if refs[i] = -1; net.list[i].conv() {
			refs[i] = s.index[ref{part, tensorName(net.list[i].name, g)}]
		}
	}
	return refs
}

// Initialisation. Inner convolutions follow He et al. (arXiv:1502.01852); what
// adds to the trunk or the picture starts small, so that depth does not amplify.
// A lean block has no residual: it starts near the identity, so that the trunk
// means the same whatever kinds of blocks it went through. That alone is worth
// 0.5 dB to lean networks and more to deep ones of one kind.
const (
	branchGain = 0.1   // last convolution of a residual branch
	leanGain   = 0.2   // lean convolution, around the identity
	tailGain   = 0.002 // tail: its output adds to the bicubic picture
	headGain   = 5     // head: what it sees, differences of neighbours, is small beside luma
)

func (s *Supernet) initialise(t *tensor, rng *rand.Rand) {
	w := s.bank.weights(t)
	if t.name == "skip" {
		bicubic(w, s.Space.Colors, s.Space.Scale)
		return
	}
	row, std := t.in*t.k*t.k, t.std()
	copy(s.bank.slope(t), t.slopes)
	for i := range w {
		w[i] = float32(std * rng.NormFloat64())
	}
	switch {
	case t.name == "head":
		newLevel(t).hold(w)
	case t.identity():
		for o := range t.out {
			w[o*row+o*t.k*t.k+t.k*t.k/2]++
		}
	}
}

// std is the standard deviation of the weights that a tensor, not the skip, starts
// with: beside the identity, where it has one.
func (t *tensor) std() float64 {
	gain := 1.0
	start, _ := t.start()
	switch {
	case t.name == "head":
		gain = headGain
	case t.name == "tail":
		gain = tailGain
	case start == space.StartBranch:
		gain = branchGain
	case start == space.StartIdentity:
		gain = leanGain
	}
	return gain * math.Sqrt(2/float64(t.in*t.k*t.k))
}

// identity says whether a tensor starts around the identity.
func (t *tensor) identity() bool {
	start, ok := t.start()
	return ok && start == space.StartIdentity
}

// bicubic writes the 5x5 polyphase filters of bicubic interpolation (Keys 1981,
// a = -0.5, pixel centres at halves) into w, (colors*scale², colors, 5, 5).
func bicubic(w []float32, colors, scale int) {
	// taps[j][t] weighs source pixel x+t-2 for output pixel scale*x+j.
	var taps [4][5]float64
	for j := range scale {
		at := (float64(j)+0.5)/float64(scale) - 0.5
		for t := range 5 {
			taps[j][t] = keys(math.Abs(at - float64(t-2)))
		}
	}
	clear(w)
	for c := range colors {
		for i := range scale {
			for j := range scale {
				o := (c*scale+i)*scale + j
				f := w[(o*colors+c)*25:][:25]
				for t := range f {
					f[t] = float32(taps[i][t/5] * taps[j][t%5])
				}
			}
		}
	}
}

// keys is the cubic convolution kernel with a = -0.5 at distance x >= 0.
func keys(x float64) float64 {
	switch {
	case x <= 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// Extract cuts the network of a genome out: the first channels of every shared
// tensor, pruned by the genome's schemes on the weights as they are. The subnet
// shares no memory with the supernet.
func (s *Supernet) Extract(g space.Genome) (*network.Graph, error) {
	if err := s.Space.Check(g); err != nil {
		return nil, fmt.Errorf("supernet: extract: %w", err)
	}
	net := mustLayers(s.Space.Shape(g))
	refs := s.refs(net, g)
	var masker network.Masker
	for i := range net.list {
		l := &net.list[i]
		if !l.conv() {
			continue
		}
		l.weights, l.bias = make([]float32, l.size()), make([]float32, l.out)
		s.bank.tensors[refs[i]].cut(l, s.bank.data)
		if l.prune.Scheme != network.Dense {
			l.mask = make([]uint8, l.size())
		}
		prune(l, &masker)
	}
	return net.graph(), nil
}

// Weights is the number of shared weights, biases and learned slopes.
func (s *Supernet) Weights() int {
	n := 0
	for i := range s.bank.tensors {
		n += s.bank.tensors[i].size()
	}
	return n
}

// Hash is a content hash of the space and all weights: 64 hexadecimal digits.
func (s *Supernet) Hash() string {
	h := sha256.New()
	h.Write(spaceText(s.Space, s.Partitions))
	buf := make([]byte, 0, 1<<16)
	for i := range s.bank.tensors {
		t := &s.bank.tensors[i]
		h.Write([]byte(t.stored()))
		for _, part := range s.bank.numbers(t) {
			buf = appendFloats(buf[:0], part)
			h.Write(buf)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// clone returns a supernet over a copy of data, laid out as s's own.
func (s *Supernet) clone(data []float32) *Supernet {
	c := empty(s.Space, s.Partitions)
	copy(c.bank.data, data)
	return c
}
