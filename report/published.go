package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"evosr/network"
)

//go:embed assets/published.json
var publishedText []byte

// published is a network of somebody else's with the figures of its authors.
type published struct {
	Name   string  `json:"name"`
	Scale  int     `json:"scale"`
	Params int     `json:"params"`
	Set5   float64 `json:"set5_db"`
	Set14  float64 `json:"set14_db"`
	Source string  `json:"source"` // index of publishedTable.Sources
	Nodes  []shape `json:"nodes"`
}

// publishedTable is published.json: figures and graphs without weights.
type publishedTable struct {
	Sources map[string]string          `json:"sources"`
	Bicubic map[int]map[string]float64 `json:"bicubic"` // by scale: set5_db, set14_db
	Table   []published                `json:"networks"`
}

// shape is a node without its weights. Names of fields are those of network.Node.
type shape struct {
	Op     string  `json:"op"`
	In     []int   `json:"in"`
	Out    int     `json:"out,omitempty"`
	Kernel int     `json:"k,omitempty"`
	Stride int     `json:"stride,omitempty"`
	Groups int     `json:"groups,omitempty"`
	Pad    [4]int  `json:"pad,omitzero"`
	Border uint8   `json:"border,omitempty"`
	Act    string  `json:"act,omitempty"`
	Slopes int     `json:"slopes,omitempty"`
	Gains  int     `json:"gains,omitempty"`
	Lo     float32 `json:"lo,omitempty"`
	Hi     float32 `json:"hi,omitempty"`
	From   int     `json:"from,omitempty"`
	Factor int     `json:"factor,omitempty"`
	DCR    bool    `json:"dcr,omitempty"`
	Interp uint8   `json:"interp,omitempty"`
	Coord  uint8   `json:"coord,omitempty"`
	Round  uint8   `json:"round,omitempty"`
	Cubic  float64 `json:"cubic,omitempty"`
	Kept   []byte  `json:"kept,omitempty"` // a bit a weight, the lowest first, of those that are not 0; none: all
}

// readPublished reads the table that the binary carries.
var readPublished = sync.OnceValue(func() *publishedTable {
	t := new(publishedTable)
	if err := json.Unmarshal(publishedText, t); err != nil {
		panic(err) // a test reads it
	}
	return t
})

// named finds the value whose name is s.
func named[T fmt.Stringer](s string, all func(uint8) T, n int) (T, bool) {
	for i := range n {
		if v := all(uint8(i)); v.String() == s {
			return v, true
		}
	}
	var none T
	return none, false
}

// graph builds the network, with weights that only show where they are.
func (p *published) graph(colors int) (*network.Graph, error) {
	g := &network.Graph{Scale: p.Scale, Colors: colors}
	for i, s := range p.Nodes {
		op, ok := named(s.Op, func(i uint8) network.Op { return network.Op(i) }, 32)
		if !ok {
			return nil, fmt.Errorf("report: %s: node %d: operation %q", p.Name, i, s.Op)
		}
		n := network.Node{
			Name: fmt.Sprintf("n%d", i), Op: op, Inputs: slices.Clone(s.In), Out: s.Out, Kernel: s.Kernel, Stride: s.Stride, Groups: s.Groups,
			Pad: s.Pad, Border: network.Border(s.Border), Slope: filled(s.Slopes, 0.1), Gain: filled(s.Gains, 2), Lo: s.Lo, Hi: s.Hi,
			From: s.From, Factor: s.Factor, DCR: s.DCR, Interp: network.Interp(s.Interp), Coord: network.Coord(s.Coord), Rounding: network.Rounding(s.Round), CubicA: s.Cubic,
		}
		if s.Act != "" {
			if n.Act, ok = named(s.Act, func(i uint8) network.Act { return network.Act(i) }, 32); !ok {
				return nil, fmt.Errorf("report: %s: node %d: activation %q", p.Name, i, s.Act)
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	g.Fill(func(*network.Node, int) float32 { return 1 })
	for i, s := range p.Nodes {
		n := &g.Nodes[i]
		if len(s.Kept) == 0 {
			continue
		}
		if len(s.Kept) != (len(n.Weights)+7)/8 {
			return nil, fmt.Errorf("report: %s: node %d: %d bytes for %d weights", p.Name, i, len(s.Kept), len(n.Weights))
		}
		n.Mask = make([]uint8, len(n.Weights))
		for j := range n.Weights {
			n.Mask[j] = s.Kept[j/8] >> (j % 8) & 1
			n.Weights[j] = float32(n.Mask[j])
		}
	}
	return g, g.Validate()
}

func filled(n int, v float32) []float32 {
	var list []float32
	for range n {
		list = append(list, v)
	}
	return list
}

// peer is a published network beside a run.
type peer struct {
	Name   string  `json:"name"`
	MS     float64 `json:"ms"`    // predicted for the run's device and frame
	Set5   float64 `json:"set5"`  // dB over bicubic interpolation
	Set14  float64 `json:"set14"` //
	Params int     `json:"params"`
	Source string  `json:"source"`

	set5, set14 float64 // dB
}

// peersOf predicts the published networks of the run's scale. There are none before
// the device is known.
func peersOf(m *material) (list []peer) {
	if m.profile == nil {
		return nil
	}
	t := readPublished()
	base := t.Bicubic[m.config.Space.Scale]
	for _, p := range t.Table {
		if p.Scale != m.config.Space.Scale {
			continue
		}
		g, err := p.graph(3)
		if err != nil {
			continue // a test builds all
		}
		layers, err := m.profile.Layers(g)
		if err != nil {
			continue // the device's runtime does not run it
		}
		ms, _, _ := m.profile.Predict(layers, m.config.Device.Width, m.config.Device.Height, p.Scale)
		if math.IsNaN(ms) || ms <= 0 {
			continue
		}
		list = append(list, peer{Name: p.Name, MS: ms, Set5: p.Set5 - base["set5_db"], Set14: p.Set14 - base["set14_db"], Params: p.Params, Source: t.Sources[p.Source], set5: p.Set5, set14: p.Set14})
	}
	slices.SortFunc(list, func(a, b peer) int {
		if a.MS < b.MS {
			return -1
		}
		return 1
	})
	return list
}
