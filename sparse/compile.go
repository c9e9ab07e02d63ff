package sparse

import (
	"fmt"
	"slices"

	"evosr/internal/kernel"
	"evosr/network"
)

// maxMade bounds the weights that passes may make beside those of the graph; what
// would need more stays as it is and runs slower.
const maxMade = 1 << 26

// Compile prepares a network for this CPU. Nothing of g is changed; its
// weights are shared, so do not change them while the Program is in use.
//
// Networks that can be brought to layers of the picture's size or a fraction of
// it, with a pixel shuffle at their end, run in bands of rows; others, such as
// those with global reach, run layer by layer over whole planes.
func Compile(g *network.Graph, o Options) (*Program, error) {
	set, err := o.set()
	if err != nil {
		return nil, err
	}
	return compileOn(g, set, o)
}

// LayersOn lists the layers that Compile gives g on a processor whose kernels
// have that name, be it this one or another. Kernels that no table knows are
// taken for AVX2's.
func LayersOn(g *network.Graph, kernels string) ([]LayerInfo, error) {
	set := &kernel.Set{Name: kernels}
	for _, s := range kernel.Sets() {
		if s.Name == kernels {
			set = s
		}
	}
	p, err := compileOn(g, set, Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Layers(), nil
}

func compileOn(g *network.Graph, set *kernel.Set, o Options) (*Program, error) {
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("sparse: %w", err)
	}
	c := &compiled{params: g.Params()}
	c.kept, c.dense = g.MACs()
	small := g.Eliminate()
	c.eliminated(g, small)
	p, err := finish(c.reduce(small, maxMade), set, o)
	if err != nil {
		return nil, err
	}
	if g.Genome != "" {
		p.meta["genome"] = g.Genome
	}
	return p, nil
}

// reduce runs the passes over g that no device matters for. They may make as
// many new weights as budget says.
func (c *compiled) reduce(g *network.Graph, budget int) *compiled {
	c.graph = g
	s := sketchOf(g).live()
	s.budget = &budget
	changed := make([]int, len(rewrites))
	const rounds = 32 // every round moves something towards an end
	for range rounds {
		any := 0
		for i, r := range rewrites {
			var n int
			s, n = s.edit(r.change)
			changed[i] += n
			any += n
		}
		if any == 0 {
			break
		}
	}
	for i, r := range rewrites {
		c.pass(r.name, "%d %s", changed[i], r.what)
	}
	c.net = s.lower()
	fused := 0
	for i := range c.net.layers {
		l := &c.net.layers[i]
		if l.op == network.OpConv && len(l.reads) > 1 {
			fused++
		}
		if l.op != network.OpActivate && l.act != network.ActNone {
			fused++
		}
	}
	c.pass("fuse", "%d sums and activations are part of the layer before; %d of %d nodes are layers", fused, len(c.net.layers), len(g.Nodes))
	if !c.net.planes {
		c.pass("sink", "%d of %d layers moved beside their only reader", c.net.sink(), len(c.net.layers))
	}
	return c
}

// network makes layers of nodes: sums and activations join the convolution
// before them, slices and the last shuffle become ways to read and to write.
func (s *sketch) lower() *lowered {
	levels := s.levels()
	out := &lowered{scale: s.scale, colors: s.colors, factor: 1, planes: levels == nil}
	for i := range levels {
		n := &s.nodes[i]
		stride, _ := n.Inside()
		out.mixed = out.mixed || stride > 1 || placed[n.Op] != nil && i != s.output
	}
	if out.mixed {
		out.graph = s.graph()
	}
	if out.planes {
		s = s.unpad()
		if s.output < 0 { // the picture itself
			s.output = s.add(sketchNode{Node: network.Node{Name: "picture", Op: network.OpAffine, Inputs: []int{s.output}}})
		}
		out.graph = s.graph()
	}
	b := &builder{s: s, out: out, levels: levels, reads: make([]read, len(s.nodes)), into: make([]int, len(s.nodes)), readers: make([]int, len(s.nodes))}
	for i := range s.nodes {
		b.into[i] = -1
		for _, j := range s.nodes[i].Inputs {
			if j >= 0 {
				b.readers[j]++
			}
		}
	}
	last := s.output
	b.readers[last]++
	if n := &s.nodes[last]; n.Op == network.OpShuffle {
		out.factor, out.dcr, last = n.Factor, n.DCR, n.Inputs[0]
	}
	b.join()
	for i := range s.nodes {
		if i == s.output && i != last {
			continue // the shuffle
		}
		b.emit(i)
	}
	// The last layer, all of it, is what is written.
	r := read{layer: network.Picture, channels: s.colors}
	if last >= 0 {
		r = b.reads[last]
	}
	if end := len(out.layers) - 1; r.layer != end || end < 0 || r.first != 0 || r.channels != out.layers[end].out {
		l := layer{name: "output", op: network.OpAffine, level: 1, in: r.channels, out: r.channels, reads: []read{r}}
		if l.at = last; last < 0 {
			l.at = s.output
		}
		out.layers = append(out.layers, l)
	}
	return out
}

// unpad gives convolutions that read repeated edges of anything but the picture
// a padding of their own.
func (s *sketch) unpad() *sketch {
	out, _ := s.edit(func(e *editor, n sketchNode, _ int) int {
		if n.Op == network.OpConv && n.Border == network.Edge && n.Inputs[0] != network.Picture {
			pad := sketchNode{Node: network.Node{Name: n.Name + "/pad", Op: network.OpPad, Inputs: n.Inputs, Pad: n.Pad, Border: network.Edge}}
			n.Inputs, n.Pad, n.Border = []int{e.add(pad)}, [4]int{}, network.Zeros
		}
		return e.add(n)
	})
	return out
}

// builder makes a network of a sketch.
type builder struct {
	s       *sketch
	out     *lowered
	levels  []int  // by node, where it runs in bands
	reads   []read // by node: where its output is
	into    []int  // by node: the node whose layer it is part of, -1 for its own
	readers []int  // by node: how often it is read
}

// join decides which nodes become part of a later one's layer.
func (b *builder) join() {
	nodes := b.s.nodes
	lone := func(i int) bool { return i >= 0 && b.readers[i] == 1 }
	chain := make([]int, len(nodes)) // what was done to a convolution so far: 1 itself, 2 added to, 3 activated; 0 other
	for i := range nodes {
		n := &nodes[i]
		switch n.Op {
		case network.OpConv:
			chain[i] = 1
			if stride, _ := n.Inside(); stride > 1 {
				chain[i] = 2
			}
		case network.OpAdd:
			pick := -1
			for k, j := range n.Inputs {
				other := n.Inputs[1-k]
				if lone(j) && chain[j] == 1 && other != j && (b.s.channels(other) == b.s.channels(j) || b.s.channels(other) == 1) && j > pick {
					pick = j
				}
			}
			if pick >= 0 {
				b.into[pick], chain[i] = i, 2
			} else {
				chain[i] = 2 // its activation joins it
			}
		case network.OpAffine:
			chain[i] = 2
		case network.OpActivate:
			if j := n.Inputs[0]; lone(j) && (chain[j] == 1 || chain[j] == 2) {
				b.into[j] = i
			}
			chain[i] = 3
		default:
			if n.Op.Pair() != nil {
				chain[i] = 2
			}
		}
	}
}

// from is what a node reads at input k.
func (b *builder) from(n *sketchNode, k int) read {
	if j := n.Inputs[k]; j >= 0 {
		return b.reads[j]
	}
	return read{layer: zeroPicture, channels: b.s.colors}
}

// emit makes the layer that ends at node i, if one does.
func (b *builder) emit(i int) {
	n := &b.s.nodes[i]
	if n.Op == network.OpSlice {
		r := b.from(n, 0)
		r.first, r.channels = r.first+n.From, n.Out
		b.reads[i] = r
		return
	}
	if b.into[i] >= 0 {
		return
	}
	l := layer{at: i, level: b.level(i), out: b.s.channels(i), act: network.ActNone}
	if n.Op == network.OpActivate {
		l.act, l.clip = n.Act, kernel.Range{Low: n.Lo, High: n.Hi}
		for c := range l.out {
			if n.Act.Sloped() {
				l.slope = append(l.slope, constant(n.Slope, c, 0))
			}
		}
		if j := n.Inputs[0]; j >= 0 && b.into[j] == i {
			n = &b.s.nodes[j]
			i = j
		}
	}
	l.name, l.op = n.Name, n.Op
	if n.Op == network.OpAdd {
		for k, j := range n.Inputs {
			if j >= 0 && b.into[j] == i {
				b.convolution(&l, &b.s.nodes[j])
				l.reads = append(l.reads, b.from(n, 1-k))
				b.done(l)
				return
			}
		}
	}
	switch n.Op {
	case network.OpConv:
		b.convolution(&l, n)
		b.done(l)
		return
	case network.OpAffine:
		for c := range l.out {
			if n.Gain != nil {
				l.gain = append(l.gain, constant(n.Gain, c, 1))
			}
			if n.Bias != nil {
				l.bias = append(l.bias, constant(n.Bias, c, 0))
			}
		}
	}
	for k := range n.Inputs {
		if n.Op == network.OpResize && k > 0 {
			break // of that only the size counts
		}
		l.reads = append(l.reads, b.from(n, k))
	}
	l.in = l.reads[0].channels
	l.node = &n.Node
	b.done(l)
}

// level is that of a node, 1 where layers run over planes.
func (b *builder) level(i int) int {
	if b.levels == nil {
		return 1
	}
	return b.levels[i]
}

// done appends a layer and says that its last node's output is there.
func (b *builder) done(l layer) {
	b.reads[l.at] = read{layer: len(b.out.layers), channels: l.out}
	b.out.layers = append(b.out.layers, l)
}

// convolution fills in a layer from a node.
func (b *builder) convolution(l *layer, n *sketchNode) {
	r := b.from(n, 0)
	if n.Border == network.Edge && r.layer == zeroPicture {
		r.layer = network.Picture
	}
	r.reach = slices.Max(n.Pad[:])
	l.name, l.op, l.in, l.kernel, l.prune, l.origin = n.Name, network.OpConv, r.channels, n.Kernel, n.Prune, n.Origin
	l.reads = []read{r}
	if l.bias = n.Bias; len(l.bias) == 0 {
		l.bias = make([]float32, l.out)
	}
	var stride int
	if stride, l.groups = n.Inside(); b.out.planes || stride > 1 {
		l.node = &n.Node
	}
	l.weights, l.mask = n.Weights, n.Mask
	if !slices.Contains(l.mask, 0) {
		l.mask = nil
	}
}
