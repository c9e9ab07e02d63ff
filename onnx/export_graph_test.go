package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// TestExportGraph writes what was imported once more: it reads back as the same
// network, and ONNX Runtime computes what it is by definition.
func TestExportGraph(t *testing.T) {
	rng := check.Rand(t)
	dir := t.TempDir()
	var runs []job
	opset := MinOpset
	for i, c := range importCases() {
		m := newMaker(rng, c.sets[i%len(c.sets)], c.colors, c.h, c.w)
		g, err := graphOf(m.file(c.build(m)), ImportOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if i%3 == 0 {
			pruneSome(g)
		}
		o := ExportOptions{Opset: opset, Float16: i%7 == 3, Meta: map[string]string{"from": c.name}}
		if opset++; opset > MaxOpset {
			opset = MinOpset
		}
		var b bytes.Buffer
		if err := ExportGraph(&b, g, o); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		name := fmt.Sprintf("%s, opset %d", c.name, o.Opset)
		path := filepath.Join(dir, fmt.Sprintf("%d.onnx", i))
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		j := job{name: name, scale: g.Scale, colors: c.colors, model: path, w: 19 + i%5, h: 17, out: path + ".out"}
		j.src = picture(rng, c.colors, j.w, j.h)
		back, err := graphOf(b.Bytes(), ImportOptions{})
		if gelu := strings.Contains(c.name, "Gelu") && o.Opset < 20; gelu != (err != nil) {
			t.Errorf("%s: read back: %v", name, err)
			continue
		}
		want, err := g.Reference(j.src, j.w, j.h)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if back != nil {
			got, err := back.Reference(j.src, j.w, j.h)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			tolerance := 1e-6
			if o.Float16 {
				want, tolerance = got, 1e-2 // what counts is what was written
			}
			check.Close(t, got, want, tolerance)
		}
		for _, v := range want {
			j.want = append(j.want, float64(v))
		}
		runs = append(runs, j)
	}
	if !t.Failed() {
		inONNXRuntime(t, runs)
	}
}

// pruneSome takes every third weight out.
func pruneSome(g *network.Graph) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Op != network.OpConv && n.Op != network.OpDeconv {
			continue
		}
		n.Mask = make([]uint8, len(n.Weights))
		for k := range n.Mask {
			if k%3 != 0 {
				n.Mask[k] = 1
				continue
			}
			n.Weights[k] = 0
		}
	}
}

func TestExportGraphMeta(t *testing.T) {
	m := newMaker(check.Rand(t), 13, 1, 0, 0)
	g, err := graphOf(m.file(m.double(m.conv(makerIn, 1, 4, 3), 4)), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pruneSome(g)
	g.Nodes[0].Prune = network.Prune{Scheme: network.Unstructured, Percent: 33}
	var b bytes.Buffer
	if err := ExportGraph(&b, g, ExportOptions{Meta: map[string]string{"a": "b", "genome": "w4;head;tail"}}); err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	meta := back.Meta()
	want := `[{"layer":"n0","scheme":"unstructured","density":0.666667},{"layer":"n1","scheme":"dense","density":0.666667}]`
	if meta["sparsity"] != want || meta["scale"] != "2" || meta["a"] != "b" || meta["genome"] != "" || meta["density"] != "0.666667" {
		t.Errorf("metadata %v", meta)
	}
	for _, o := range []ExportOptions{{Portable: true, Width: 8, Height: 8}, {RGB: true}} {
		if err := ExportGraph(&b, g, o); err == nil || !strings.Contains(err.Error(), "want the plain one") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestFilterPruned wants a file without the channels that filter pruning takes
// away, and the same picture of it.
func TestFilterPruned(t *testing.T) {
	rng := check.Rand(t)
	m := newMaker(rng, 13, 1, 0, 0)
	v := m.op("PRelu", []string{m.conv(makerIn, 1, 8, 3), m.random(0.3, 8, 1, 1)})
	g, err := graphOf(m.file(m.double(m.op("Relu", []string{m.conv(v, 8, 12, 3)}), 12)), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * 2 {
		n := &g.Nodes[i]
		if n.Op != network.OpConv {
			continue
		}
		n.Mask = make([]uint8, len(n.Weights))
		for k := range n.Weights {
			if row := k / (len(n.Weights) / n.Out); row%4 != 1 {
				n.Weights[k], n.Bias[row] = 0, 0
			} else {
				n.Mask[k] = 1
			}
		}
	}
	var b bytes.Buffer
	if err := ExportGraph(&b, g, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	back, err := graphOf(b.Bytes(), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var outs []int
	for i := range back.Nodes {
		if back.Nodes[i].Op == network.OpConv {
			outs = append(outs, back.Nodes[i].Out)
		}
	}
	if fmt.Sprint(outs) != "[2 3 4]" {
		t.Errorf("convolutions of %v channels, want 2, 3 and 4", outs)
	}
	src := picture(rng, 1, 9, 8)
	want, err := g.Reference(src, 9, 8)
	if err != nil {
		t.Fatal(err)
	}
	got, err := back.Reference(src, 9, 8)
	if err != nil {
		t.Fatal(err)
	}
	check.Close(t, got, want, 1e-6)
}
