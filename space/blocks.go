package space

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"evosr/network"
)

// Kind is what a slot holds.
type Kind uint8

const (
	Skip   Kind = iota // nothing: the trunk passes through
	Lean               // one 3x3, activation, no residual
	Plain              // 3x3, activation, 3x3, residual
	Wide               // 1x1 expand, activation, 1x1 reduce, 3x3, residual (WDSR-B)
	Lean4              // four 3x3 with activations between, residual (as DISP's)
	Attend             // 3x3, activation, 3x3, times a gate of a quarter of the size, residual (after PlainUSR's)

	kindCount
)

// MaxConvs is the most convolutions that a kind of block has.
const MaxConvs = 4

// Start says how training starts the weights of a convolution.
type Start uint8

const (
	StartHe       Start = iota // as He et al. (arXiv:1502.01852) start what an activation follows
	StartBranch                // small: what is added to the trunk
	StartIdentity              // near the identity: what replaces the trunk
)

// Conv is one convolution of a kind of block.
type Conv struct {
	Name   string // "slot3/" goes before it
	Kernel int    // side of the square filter
	Start  Start
}

// kinds is the one table of blocks, from the plainest to the widest: the order in
// which samples are drawn. Names of convolutions name shared weights, too.
var kinds = [kindCount]struct {
	name    string
	doc     string    // what it is made of
	usual   []float64 // expansions that a space has unless it says otherwise
	expands bool      // it has hidden channels, so many times those of the trunk
	convs   []Conv
	build   func(b *block, trunk int) int // appends its nodes and returns the trunk
}{
	Skip: {name: "skip", doc: "nothing", build: func(_ *block, trunk int) int { return trunk }},
	Lean: {name: "lean", doc: "a single 3x3", usual: Once(), convs: []Conv{{"conv", 3, StartIdentity}},
		build: func(b *block, trunk int) int { return b.act(b.conv(trunk, b.width)) }},
	Plain: {name: "plain", doc: "3x3, 3x3", expands: true, usual: []float64{1, 2}, convs: []Conv{{"conv1", 3, StartHe}, {"conv2", 3, StartBranch}},
		build: func(b *block, trunk int) int { return b.add(b.conv(b.act(b.conv(trunk, b.hidden)), b.width), trunk) }},
	Wide: {name: "wide", doc: "1x1, 1x1, 3x3", expands: true, usual: []float64{2, 4, 6}, convs: []Conv{{"expand", 1, StartHe}, {"reduce", 1, StartHe}, {"conv", 3, StartBranch}},
		build: func(b *block, trunk int) int {
			const reduced = 0.8 // of the trunk, as in WDSR-B
			inner := b.conv(b.act(b.conv(trunk, b.hidden)), network.Round4(reduced*float64(b.width)))
			return b.add(b.conv(inner, b.width), trunk)
		}},
	Lean4: {name: "lean4", doc: "four 3x3", convs: []Conv{{"conv1", 3, StartHe}, {"conv2", 3, StartHe}, {"conv3", 3, StartHe}, {"conv4", 3, StartBranch}},
		build: func(b *block, trunk int) int {
			at := trunk
			for range len(b.convs) - 1 {
				at = b.act(b.conv(at, b.width))
			}
			return b.add(b.conv(at, b.width), trunk)
		}},
	Attend: {name: "attend", doc: "3x3, 3x3, gate of a quarter of the size",
		convs: []Conv{{"conv1", 3, StartHe}, {"squeeze", 1, StartHe}, {"gate", 3, StartHe}, {"conv2", 3, StartBranch}},
		build: func(b *block, trunk int) int {
			const level = 4 // pixels a side of one of the gate's; its border is whole where the picture is not
			inner := b.act(b.conv(trunk, b.width))
			low := b.conv(inner, network.Round4(float64(b.width)/4))
			low = b.node(network.Node{Name: b.last() + "/pool", Op: network.OpAvgPool, Inputs: []int{low}, Kernel: level, Stride: level, Pad: [4]int{0, level - 1, 0, level - 1}})
			low = b.conv(low, b.width)
			low = b.node(network.Node{Name: b.last() + "/sigmoid", Op: network.OpActivate, Inputs: []int{low}, Act: network.ActSigmoid})
			high := b.node(network.Node{Name: b.last() + "/resize", Op: network.OpResize, Inputs: []int{low, inner}, Interp: network.Linear})
			outer := b.conv(inner, b.width)
			outer = b.node(network.Node{Name: b.last() + "/mul", Op: network.OpMul, Inputs: []int{outer, high}})
			return b.node(network.Node{Name: b.last() + "/add", Op: network.OpAdd, Inputs: []int{outer, trunk}})
		}},
}

// Kinds lists every kind of block, Skip not among them, from the plainest.
func Kinds() []Kind {
	var list []Kind
	for k := range kindCount {
		if k != Skip {
			list = append(list, k)
		}
	}
	return list
}

func (k Kind) String() string {
	if k < kindCount {
		return kinds[k].name
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Widest is Kinds the other way round, the order of files and of choices by hand.
func Widest() []Kind {
	list := Kinds()
	slices.Reverse(list)
	return list
}

// Doc says in a few words what the block is made of.
func (k Kind) Doc() string { return kinds[k].doc }

// Usual is the list of expansions that a space offers unless it says otherwise.
func (k Kind) Usual() []float64 { return slices.Clone(kinds[k].usual) }

// Expands says whether the kind has hidden channels, whose number is a choice.
func (k Kind) Expands() bool { return kinds[k].expands }

// Convs lists the convolutions of a block, in the order in which they run.
func (k Kind) Convs() []Conv { return kinds[k].convs }

// StartOf says how the weights of a convolution of a kind of block start, both by
// their names; ok is false where there is no such convolution.
func StartOf(kind, conv string) (start Start, ok bool) {
	for i := range kinds {
		for _, c := range kinds[i].convs {
			if kinds[i].name == kind && c.Name == conv {
				return c.Start, true
			}
		}
	}
	return 0, false
}

// parseKind takes a kind's name off the front of text, the longest that fits.
func parseKind(text string) (k Kind, rest string, ok bool) {
	longest := -1
	for i := range kinds {
		if name := kinds[i].name; len(name) > longest && len(text) >= len(name) && text[:len(name)] == name {
			k, rest, longest = Kind(i), text[len(name):], len(name)
		}
	}
	return k, rest, longest >= 0
}

// block is a block under construction.
type block struct {
	net           *network.Graph
	name          string // "slot3/"
	gene          Gene
	convs         []Conv // the kind's
	width, hidden int    // channels of the trunk and inside the block
	next          int    // of the kind's convolutions
}

func (b *block) node(n network.Node) int {
	b.net.Nodes = append(b.net.Nodes, n)
	return len(b.net.Nodes) - 1
}

// conv appends the next convolution of the kind.
func (b *block) conv(from, out int) int {
	c := b.convs[b.next]
	n := convolution(b.name+c.Name, from, out, c.Kernel)
	n.Prune = b.gene.Prune[b.next]
	b.next++
	return b.node(n)
}

// last is the name of the convolution that was appended last.
func (b *block) last() string { return b.name + b.convs[b.next-1].Name }

// act appends the block's activation behind its last convolution.
func (b *block) act(from int) int {
	act := b.gene.Activation.Act()
	n := network.Node{Name: b.last() + "/" + act.String(), Op: network.OpActivate, Inputs: []int{from}, Act: act}
	if slope, learned := b.gene.Activation.Slope(); learned {
		n.Slope = slices.Repeat([]float32{slope}, b.net.Nodes[from].Out)
	} else if act == network.ActPReLU {
		n.Slope = []float32{slope}
	}
	return b.node(n)
}

// add appends the sum of the block's last convolution and what it is added to.
func (b *block) add(from, to int) int {
	return b.node(network.Node{Name: b.last() + "/add", Op: network.OpAdd, Inputs: []int{from, to}})
}

// convolution is one of the picture's size, of which only the edge is repeated.
func convolution(name string, from, out, kernel int) network.Node {
	r := kernel / 2
	n := network.Node{Name: name, Op: network.OpConv, Inputs: []int{from}, Out: out, Kernel: kernel, Pad: [4]int{r, r, r, r}}
	if from == network.Picture {
		n.Border = network.Edge
	}
	return n
}

// Shape builds the graph of a genome without weights, biases or masks; slopes
// are those that an activation has, or starts from. The genome must belong to
// the space (Check).
func (sp *Space) Shape(g Genome) *network.Graph {
	out := sp.Colors * sp.Scale * sp.Scale
	net := &network.Graph{Scale: sp.Scale, Colors: sp.Colors, Genome: g.String()}
	add := func(n network.Node, p network.Prune) int {
		n.Prune = p
		net.Nodes = append(net.Nodes, n)
		return len(net.Nodes) - 1
	}
	skip := add(convolution("skip", network.Picture, out, 5), network.Prune{})
	trunk := add(convolution("head", network.Picture, g.Width, 3), g.Head)
	for i, gene := range g.Slots {
		b := &block{net: net, name: fmt.Sprintf("slot%d/", i+1), gene: gene, convs: gene.Kind.Convs(), width: g.Width, hidden: network.Round4(gene.Expansion * float64(g.Width))}
		trunk = kinds[gene.Kind].build(b, trunk)
	}
	tail := add(convolution("tail", trunk, out, 3), g.Tail)
	sum := add(network.Node{Name: "tail/add", Op: network.OpAdd, Inputs: []int{tail, skip}}, network.Prune{})
	add(network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{sum}, Factor: sp.Scale}, network.Prune{})
	return net
}

// SlotOf says which slot of the genome, from 0, a layer is of, and what it is
// called there: "slot3/conv" is slot 2 and "conv". Others are of no slot.
func SlotOf(layer string) (slot int, rest string, ok bool) {
	name, rest, ok := strings.Cut(layer, "/")
	number, has := strings.CutPrefix(name, "slot")
	n, err := strconv.Atoi(number)
	return n - 1, rest, ok && has && err == nil && n >= 1
}
