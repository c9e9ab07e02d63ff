package report

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/network"
	"evosr/onnx"
)

// smokeProfile is a profile with costs of everything.
func smokeProfile(t *testing.T) *deviceprofile.Profile {
	t.Helper()
	text, err := os.ReadFile("../configs/smoke-profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := configs.ParseProfile("smoke-profile.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPublished builds every network of the table, counts its parameters and has it
// predicted.
func TestPublished(t *testing.T) {
	table := readPublished()
	if len(table.Table) < 15 {
		t.Errorf("%d networks, want at least 15", len(table.Table))
	}
	for _, p := range table.Table {
		g, err := p.graph(3)
		if err != nil {
			t.Errorf("%s x%d: %v", p.Name, p.Scale, err)
			continue
		}
		params := 0
		for i := range g.Nodes {
			n := &g.Nodes[i]
			params += len(n.Weights) + len(n.Slope)
			if len(n.Weights) > 0 {
				params += n.Out
			}
		}
		if d := params - p.Params; d < 0 || 100*d > p.Params { // some layers have no biases
			t.Errorf("%s x%d: the graph has %d parameters, the table says %d", p.Name, p.Scale, params, p.Params)
		}
		base := table.Bicubic[p.Scale]
		if !(p.Set5 > base["set5_db"]+2 && p.Set5 < base["set5_db"]+5 && p.Set14 > base["set14_db"]+1 && p.Set14 < base["set14_db"]+4) {
			t.Errorf("%s x%d: Set5 %v, Set14 %v, bicubic %v", p.Name, p.Scale, p.Set5, p.Set14, base)
		}
		if !strings.HasPrefix(table.Sources[p.Source], "https://") {
			t.Errorf("%s x%d: no source", p.Name, p.Scale)
		}
	}
	m := fixture(t)
	m.profile = smokeProfile(t)
	peers := peersOf(m)
	want := 0
	for _, p := range table.Table {
		if p.Scale == m.config.Space.Scale {
			want++
		}
	}
	if len(peers) != want || want < 5 {
		t.Fatalf("%d networks predicted, want %d", len(peers), want)
	}
	for i, p := range peers {
		if !(p.MS > 0) || i > 0 && p.MS < peers[i-1].MS {
			t.Errorf("%s: %v ms", p.Name, p.MS)
		}
	}
	if first, last := peers[0], peers[len(peers)-1]; last.Params < 5*first.Params || last.MS < 3*first.MS {
		t.Errorf("the fastest is %+v, the slowest %+v", first, last)
	}
	m.profile = nil
	if peers := peersOf(m); peers != nil {
		t.Errorf("%d networks predicted without a device", len(peers))
	}
}

// TestPublishedRow prints the row of an ONNX file: EVOSR_PUBLISHED=net.onnx. Name,
// figures and source are to be filled in.
func TestPublishedRow(t *testing.T) {
	path := os.Getenv("EVOSR_PUBLISHED")
	if path == "" {
		t.Skip("EVOSR_PUBLISHED names no ONNX file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	model, err := onnx.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	g, err := model.Graph(onnx.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := published{Name: path, Scale: g.Scale}
	for i := range g.Nodes {
		p.Nodes = append(p.Nodes, shapeOf(&g.Nodes[i]))
		p.Params += len(g.Nodes[i].Weights) + len(g.Nodes[i].Bias) + len(g.Nodes[i].Slope)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", text)
}

func shapeOf(n *network.Node) shape {
	s := shape{
		Op: n.Op.String(), In: n.Inputs, Out: n.Out, Kernel: n.Kernel, Stride: n.Stride, Groups: n.Groups, Pad: n.Pad, Border: uint8(n.Border),
		Slopes: len(n.Slope), Gains: len(n.Gain), Lo: n.Lo, Hi: n.Hi, From: n.From, Factor: n.Factor, DCR: n.DCR,
		Interp: uint8(n.Interp), Coord: uint8(n.Coord), Round: uint8(n.Rounding), Cubic: n.CubicA,
	}
	if n.Op == network.OpActivate {
		s.Act = n.Act.String()
	}
	kept := make([]byte, (len(n.Weights)+7)/8)
	all := true
	for j, w := range n.Weights {
		if w != 0 {
			kept[j/8] |= 1 << (j % 8)
		} else {
			all = false
		}
	}
	if !all {
		s.Kept = kept
	}
	return s
}
