package onnx

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"

	"evosr/network"
)

// Keys of the metadata that Export writes itself.
const (
	metaGenome     = "genome"
	metaScale      = "scale"
	metaColors     = "colors"
	metaColorSpace = "color_space"
	metaDensity    = "density"  // kept weights / all weights
	metaSparsity   = "sparsity" // JSON: the pruned layers
	metaWeights    = "weights"  // type that they are stored as
)

// prunedLayer describes a layer that was pruned or has zeros among its weights.
type prunedLayer struct {
	Layer   string  `json:"layer"` // the name of its Conv
	Scheme  string  `json:"scheme"`
	Density float64 `json:"density"`           // kept weights / all weights
	Percent int     `json:"percent,omitempty"` // that it was pruned by, 0 for dense; older files lack it
}

// metadata describes a network that is written for so many colors. What its values
// are is known to whoever made it: without a word of that it is what evosr's own
// networks work on.
func metadata(g *network.Graph, colors int, o ExportOptions) map[string]string {
	list := []prunedLayer{} // "[]", not "null"
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if kept, all := n.Kept(), len(n.Weights); kept < all || n.Prune.Scheme != network.Dense {
			density := math.Round(1e6*float64(kept)/float64(all)) / 1e6
			list = append(list, prunedLayer{n.Name, n.Prune.Scheme.String(), density, n.Prune.Percent})
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and finite numbers
	}
	kept, dense := g.MACs()
	meta := map[string]string{metaColorSpace: "luma BT.601 studio range, code/255"}
	if colors == 3 {
		meta[metaColorSpace] = "RGB, code/255"
	}
	space := meta[metaColorSpace]
	maps.Copy(meta, o.Meta)
	if o.RGB {
		meta[metaColorSpace] = space
	}
	meta[metaScale] = strconv.Itoa(g.Scale)
	meta[metaColors] = strconv.Itoa(colors)
	meta[metaDensity] = strconv.FormatFloat(float64(kept)/float64(max(dense, 1)), 'f', 6, 64)
	meta[metaSparsity] = string(text)
	meta[metaWeights] = "float32"
	if o.Float16 {
		meta[metaWeights] = "float16"
	}
	if meta[metaGenome] = g.Genome; g.Genome == "" {
		delete(meta, metaGenome)
	}
	return meta
}

// annotate gives a graph what the metadata know of it: its genome, and of its
// layers how they were pruned. A layer that they do not tell of, or in other words,
// stays as it is.
func (m *Model) annotate(g *network.Graph, mem *memory) {
	g.Genome = m.metadata[metaGenome]
	text := m.metadata[metaSparsity]
	if mem.take(len(text), 8, "metadata") != nil {
		return
	}
	byName := map[string]*network.Node{}
	for i := range g.Nodes {
		byName[g.Nodes[i].Name] = &g.Nodes[i]
	}
	list := json.NewDecoder(strings.NewReader(text)) // one by one: a list of nothing is many times its text
	if t, err := list.Token(); err != nil || t != json.Delim('[') {
		return
	}
	for range g.Nodes {
		var l prunedLayer
		if !list.More() || list.Decode(&l) != nil {
			return
		}
		n := byName[l.Layer]
		if n == nil || n.Op != network.OpConv && n.Op != network.OpDeconv {
			continue
		}
		if l.Percent == 0 {
			l.Percent = int(math.Round(100 * (1 - min(max(l.Density, 0), 1))))
		}
		if s, err := network.ParseScheme(l.Scheme); err == nil && s != network.Dense && s.Prunes(n.Kernel) {
			n.Prune = network.Prune{Scheme: s, Percent: min(max(l.Percent, 1), network.MaxPercent)}
		}
	}
}
