package deviceprofile

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"evosr/internal/kernel"
	"evosr/internal/stat"
	"evosr/network"
	"evosr/sparse"
)

// Term is one count of a layer that has a coefficient, in nanoseconds each. A
// vector is 16 pixels of one row, the last one of a row counted whole.
type Term struct {
	Family string // of kernels; "layer" for what every layer pays
	Name   string
	Doc    string // what is counted
}

// Terms lists the terms of profiles of evosr's own runtime, or of runners'.
func Terms(external bool) []Term {
	if external {
		return slices.Clone(graphTable().layer)
	}
	return slices.Clone(kernelTable("").layer)
}

// table is the terms of one kind of runtime, and how to count them.
type table struct {
	layer []Term
	// features counts, for every layer of a w x h picture, the terms in their
	// order.
	features func(layers []sparse.LayerInfo, w, h, threads int) [][]float64
	// instead gives what stands in for terms that a profile may lack: it was
	// measured before there were such layers, or on networks without them.
	instead map[termName][]multiple
}

type termName struct{ family, name string }

// multiple is so many times a term.
type multiple struct {
	of    termName
	times float64
}

// cost is a term's coefficient, that of a term which was not measured the largest
// of what stands in for it.
func (p *Profile) cost(t table, term termName) float64 {
	v, has := p.Layer[term.family][term.name]
	if has {
		return v
	}
	for _, m := range t.instead[term] {
		v = max(v, m.times*p.Layer[m.of.family][m.of.name])
	}
	return v
}

func (p *Profile) table() table {
	if p.External() {
		return graphTable()
	}
	return kernelTable(p.Kernels)
}

// index is where a term's count and coefficient stand.
type index map[termName]int

func indexOf(list []Term) index {
	at := make(index, len(list))
	for i, t := range list {
		at[termName{t.Family, t.Name}] = i
	}
	return at
}

// counts are those of one layer, in the order of a table, written by name.
type counts struct {
	at index
	f  []float64
}

func (at index) counts() counts { return counts{at, make([]float64, len(at))} }

// set writes a term's count; which terms there are, the table says.
func (c counts) set(family, name string, v float64) {
	i, ok := c.at[termName{family, name}]
	if !ok {
		panic(fmt.Sprintf("deviceprofile: %s.%s is counted but in no table", family, name))
	}
	c.f[i] = v
}

// frameTable is what a whole picture pays, whose layers take sum nanoseconds. The
// first row is the one that layers without a fit of the frame leave at 1.
var frameTable = []struct {
	name  string
	count func(sum float64, layers []sparse.LayerInfo, w, h int) float64
}{
	{"waiting", func(sum float64, _ []sparse.LayerInfo, _, _ int) float64 { return sum }},
	{"output", func(_ float64, layers []sparse.LayerInfo, w, h int) float64 { // copied in, shuffled out
		if len(layers) == 0 {
			return 0
		}
		return float64(layers[len(layers)-1].Out) * vectors(w, h) // it has a channel for every output pixel
	}},
	{"layer", func(_ float64, layers []sparse.LayerInfo, _, _ int) float64 { return float64(len(layers)) }}, // started and waited for
	{"constant", func(float64, []sparse.LayerInfo, int, int) float64 { return 1 }},
}

func frameFeatures(sum float64, layers []sparse.LayerInfo, w, h int) []float64 {
	f := make([]float64, len(frameTable))
	for i := range frameTable {
		f[i] = frameTable[i].count(sum, layers, w, h)
	}
	return f
}

func vectors(w, h int) float64 { return float64((w+kernel.Lanes-1)/kernel.Lanes) * float64(h) }

// model is a profile's coefficients in the order of its table.
type model struct{ layer, whole []float64 }

func (p *Profile) model() model {
	var m model
	t := p.table()
	for _, c := range t.layer {
		m.layer = append(m.layer, p.cost(t, termName{c.Family, c.Name}))
	}
	for _, t := range frameTable {
		m.whole = append(m.whole, p.Frame[t.name])
	}
	return m
}

func (m model) frame(features [][]float64, layers []sparse.LayerInfo, w, h int) float64 {
	sum := 0.0
	for _, f := range features {
		sum += stat.Dot(m.layer, f)
	}
	return stat.Dot(m.whole, frameFeatures(sum, layers, w, h))
}

// set writes m into the profile, rounded to what is measured, without the terms that
// it may lack and that no row counts.
func (p *Profile) set(m model, rows [][]float64) {
	const digits = 6
	p.Layer, p.Frame = map[string]map[string]float64{}, map[string]float64{}
	t := p.table()
	for i, c := range t.layer {
		if t.instead[termName{c.Family, c.Name}] != nil && !slices.ContainsFunc(rows, func(r []float64) bool { return r[i] != 0 }) {
			continue
		}
		if p.Layer[c.Family] == nil {
			p.Layer[c.Family] = map[string]float64{}
		}
		p.Layer[c.Family][c.Name] = round(m.layer[i], digits)
	}
	for i, t := range frameTable {
		p.Frame[t.name] = round(m.whole[i], digits)
	}
}

// What a vector behind a SiLU takes, in list entries of eight channels and in
// products of Winograd's kernels.
const siluTaps, siluProducts = 8, 20

// What an interpolated vector takes, likewise.
const resizeTaps = 20

// Sizes of the terms of evosr's kernels. They need not be the device's:
// coefficients of zero switch a term off. A micro-kernel of b channels walks
// over strips of about stripVectors/b vectors.
const (
	vectorBytes  = 4 * kernel.Lanes
	nearBytes    = 32 << 10 // of a layer's input between one row of a strip and the next
	keptBytes    = 1 << 20  // of what a program keeps between bands
	stripVectors = 24
)

// kernelTable counts what evosr's micro-kernels of 1, 2, 4 and 8 output channels
// do, and Winograd's on vectors of the set's length.
func kernelTable(set string) table {
	var list []Term
	sizes := func(family, name, doc string) {
		for size := range 4 {
			list = append(list, Term{family, sized(name, size), doc})
		}
	}
	sizes("conv1x1", "tap", "list entries x vectors, filters of 1x1")
	sizes("conv3x3", "tap", "the same, larger filters: their loads cross cache lines")
	sizes("layer", "far", "more, for an entry of a layer whose input rows leave the first level cache")
	sizes("layer", "block", "micro-kernels x vectors")
	list = append(list, []Term{
		{"layer", "read", "input channels x vectors"},
		{"layer", "write", "output channels x vectors"},
		{"layer", "add", "output channels x vectors where something is added"},
		{"layer", "spill", "more, for a vector written where a core's cache does not hold all that is kept between bands"},
		{"layer", "spill_read", "the same, for a vector read or added"},
		{"layer", "row", "micro-kernels x rows"},
		{"layer", "strip", "the same x strips, where two layers are computed strip by strip: the second has both layers' counts"},
		{"layer", "hand", "channels x vectors that pass from one to the other there: written and read in the first level cache"},
		{"layer", "list", "64 bytes of lists x bands"},
		{"layer", "band", "bands"},
		{"layer", "cold", "more, for a band after all else went through the cache"},
		{"layer", "constant", "1"},
		{"winograd", "product", "input x output channels x vectors, tiles at the edges counted whole"},
		{"winograd", "in", "input channels x vectors, likewise"},
		{"winograd", "out", "output channels x vectors, likewise"},
		{"winograd", "list", "64 bytes of transformed weights x bands"},
		{"layer", "silu", "output channels x vectors behind a SiLU, which is a loop over rows"},
		{"layer", "pool", "input channels x vectors under a pool"},
		{"layer", "resize", "output channels x vectors that are interpolated"},
	}...)
	at := indexOf(list)
	return table{
		layer: list,
		features: func(layers []sparse.LayerInfo, w, h, threads int) [][]float64 {
			return kernelFeatures(at, layers, w, h, threads, tileLanes(set))
		},
		instead: map[termName][]multiple{
			{"layer", "silu"}: {
				{termName{"conv3x3", "tap_b8"}, siluTaps}, {termName{"winograd", "product"}, siluProducts},
			},
			{"layer", "pool"}:   {{termName{"conv3x3", "tap_b8"}, siluTaps}},
			{"layer", "resize"}: {{termName{"conv3x3", "tap_b8"}, resizeTaps}},
		},
	}
}

// tileLanes is how many tiles beside each other Winograd's kernels of a set
// compute at once: the floats of one of its vectors.
func tileLanes(set string) int {
	switch set {
	case "avx512":
		return 16
	case "avx2":
		return 8
	}
	return 4
}

// sized names a term of micro-kernels of 1<<size output channels.
func sized(name string, size int) string { return name + "_b" + strconv.Itoa(1<<size) }

func kernelFeatures(at index, layers []sparse.LayerInfo, w, h, threads, lanes int) [][]float64 {
	bands := math.Ceil(float64(h) / float64(max(sparse.BandRows(layers, w, h, threads), 1)))
	up := func(n, of int) float64 { return float64((n + of - 1) / of * of) }
	pw, ph := w, h // of the picture; w and h are a layer's
	var list [][]float64
	for i := range layers {
		l := &layers[i]
		level := max(l.Level, 1)
		w, h := (pw+level-1)/level, (ph+level-1)/level
		row := float64((w + kernel.Lanes - 1) / kernel.Lanes)
		vectors := row * float64(h)
		tiled := up(w, kernel.TileRows*lanes) / kernel.Lanes * up(h, kernel.TileRows)
		second := i > 0 && layers[i-1].Chained
		c := at.counts()
		family := "conv1x1"
		if l.Kernel > 1 {
			family = "conv3x3"
		}
		blocks, bytes := 0, 0
		for size := range 4 {
			span := float64(l.In*l.Kernel) * min(row, stripVectors/float64(int(1)<<size)) * vectorBytes
			taps := float64(l.BlockTaps[size]) * vectors
			c.set(family, sized("tap", size), taps)
			c.set("layer", sized("far", size), taps*beyond(nearBytes, span))
			c.set("layer", sized("block", size), float64(l.Blocks[size])*vectors)
			blocks += l.Blocks[size]
			bytes += l.BlockTaps[size] * (4 + 4<<size)
		}
		cold := beyond(keptBytes, float64(l.Resident)*row*vectorBytes)
		var read, write float64 // of the larger caches
		if !second {
			read = float64(l.In) * vectors
		}
		if !l.Chained {
			write = float64(l.Out) * vectors
		}
		c.set("layer", "read", read)
		c.set("layer", "write", write)
		spillRead := read * cold
		if l.Residual {
			c.set("layer", "add", write)
			spillRead += write * cold
		}
		c.set("layer", "spill_read", spillRead)
		if !l.Local {
			c.set("layer", "spill", write*cold)
		}
		rows := float64(blocks) * float64(h)
		if second || l.Chained {
			channels := l.In
			if l.Chained {
				channels = l.Out
				c.set("layer", "hand", float64(l.Out)*vectors)
			}
			c.set("layer", "strip", rows*math.Ceil(row*kernel.Lanes/float64(kernel.ChainStrip(channels))))
		} else {
			c.set("layer", "row", rows)
		}
		c.set("layer", "list", float64(bytes)/64*bands)
		c.set("layer", "band", bands)
		c.set("layer", "cold", bands*cold)
		c.set("layer", "constant", 1)
		if l.Method == sparse.MethodWinograd {
			const points = 36 // of a transformed tile, each a product
			c.set("winograd", "product", float64(l.In*l.Out)*tiled)
			c.set("winograd", "in", float64(l.In)*tiled)
			c.set("winograd", "out", float64(l.Out)*tiled)
			c.set("winograd", "list", float64(4*points*l.In*l.Out)/64*bands)
		}
		if l.Act == network.ActSiLU.String() {
			c.set("layer", "silu", write)
		}
		switch l.Op {
		case network.OpMaxPool.String(), network.OpAvgPool.String():
			before := 1
			if i > 0 {
				before = max(layers[i-1].Level, 1)
			}
			c.set("layer", "pool", float64(l.In)*float64((pw/before+kernel.Lanes-1)/kernel.Lanes)*float64(ph/before))
		case network.OpResize.String():
			c.set("layer", "resize", write)
		}
		if second { // they take one time
			for j, v := range list[i-1] {
				c.f[j] += v
			}
			list[i-1] = make([]float64, len(at))
		}
		list = append(list, c.f)
	}
	return list
}

// beyond is the share of size bytes, used in turn, that a cache does not hold.
func beyond(cache, size float64) float64 { return max(0, 1-cache/max(size, 1)) }
