package deviceprofile

import (
	"math"
	"slices"

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

// frameTerms names what a whole picture pays.
func frameTerms() []string { return []string{"waiting", "output", "layer", "constant"} }

// frameFeatures counts them for a picture whose layers take sum nanoseconds:
// that sum, vectors of the output picture (copied in, shuffled out), layers
// (started and waited for) and 1. The last layer has a channel for every output
// pixel.
func frameFeatures(sum float64, layers []sparse.LayerInfo, w, h int) []float64 {
	out := 0
	if n := len(layers); n > 0 {
		out = layers[n-1].Out
	}
	return []float64{sum, float64(out) * vectors(w, h), float64(len(layers)), 1}
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
	for _, name := range frameTerms() {
		m.whole = append(m.whole, p.Frame[name])
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
	for i, name := range frameTerms() {
		p.Frame[name] = round(m.whole[i], digits)
	}
}

// What a vector behind a SiLU takes, in list entries of eight channels and in
// products of Winograd's kernels.
const siluTaps, siluProducts = 8, 20

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
		for _, b := range []string{"1", "2", "4", "8"} {
			list = append(list, Term{family, name + "_b" + b, doc})
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
	}...)
	return table{
		layer: list,
		features: func(layers []sparse.LayerInfo, w, h, threads int) [][]float64 {
			return kernelFeatures(layers, w, h, threads, tileLanes(set), len(list))
		},
		instead: map[termName][]multiple{{"layer", "silu"}: {
			{termName{"conv3x3", "tap_b8"}, siluTaps}, {termName{"winograd", "product"}, siluProducts},
		}},
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

func kernelFeatures(layers []sparse.LayerInfo, w, h, threads, lanes, terms int) [][]float64 {
	bands := math.Ceil(float64(h) / float64(max(sparse.BandRows(layers, w, h, threads), 1)))
	row := float64((w + kernel.Lanes - 1) / kernel.Lanes)
	vectors := row * float64(h)
	up := func(n, of int) float64 { return float64((n + of - 1) / of * of) }
	tiled := up(w, kernel.TileRows*lanes) / kernel.Lanes * up(h, kernel.TileRows)
	var list [][]float64
	for i := range layers {
		l := &layers[i]
		second := i > 0 && layers[i-1].Chained
		f := make([]float64, terms)
		tap := 0
		if l.Kernel > 1 {
			tap = 4
		}
		blocks, bytes := 0, 0
		for size := range 4 {
			span := float64(l.In*l.Kernel) * min(row, stripVectors/float64(int(1)<<size)) * vectorBytes
			taps := float64(l.BlockTaps[size]) * vectors
			f[tap+size] = taps
			f[8+size] = taps * beyond(nearBytes, span)
			f[12+size] = float64(l.Blocks[size]) * vectors
			blocks += l.Blocks[size]
			bytes += l.BlockTaps[size] * (4 + 4<<size)
		}
		cold := beyond(keptBytes, float64(l.Resident)*row*vectorBytes)
		if !second {
			f[16] = float64(l.In) * vectors
		}
		if !l.Chained {
			f[17] = float64(l.Out) * vectors
		}
		f[20] = f[16] * cold
		if l.Residual {
			f[18] = f[17]
			f[20] += f[17] * cold
		}
		if !l.Local {
			f[19] = f[17] * cold
		}
		f[21] = float64(blocks) * float64(h)
		if second || l.Chained {
			channels := l.In
			if l.Chained {
				channels = l.Out
				f[23] = float64(l.Out) * vectors
			}
			f[21], f[22] = 0, f[21]*math.Ceil(row*kernel.Lanes/float64(kernel.ChainStrip(channels)))
		}
		f[24] = float64(bytes) / 64 * bands
		f[25] = bands
		f[26] = bands * cold
		f[27] = 1
		if l.Method == sparse.MethodWinograd {
			const points = 36 // of a transformed tile, each a product
			f[28] = float64(l.In*l.Out) * tiled
			f[29] = float64(l.In) * tiled
			f[30] = float64(l.Out) * tiled
			f[31] = float64(4*points*l.In*l.Out) / 64 * bands
		}
		if l.Act == network.ActSiLU.String() {
			f[32] = f[17]
		}
		if second { // they take one time
			for j, v := range list[i-1] {
				f[j] += v
			}
			list[i-1] = make([]float64, terms)
		}
		list = append(list, f)
	}
	return list
}

// beyond is the share of size bytes, used in turn, that a cache does not hold.
func beyond(cache, size float64) float64 { return max(0, 1-cache/max(size, 1)) }
