package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// TestExportForeign writes what was imported once more, some of it in the colour
// path: it reads back as the same network, and ONNX Runtime computes what it is by
// definition.
func TestExportForeign(t *testing.T) {
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
		o := ExportOptions{Opset: opset, Float16: i%7 == 3, RGB: c.colors == 1 && i%5 == 1, Meta: map[string]string{"from": c.name}}
		if opset++; opset > MaxOpset {
			opset = MinOpset
		}
		var b bytes.Buffer
		if err := Export(&b, g, o); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		name := fmt.Sprintf("%s, opset %d", c.name, o.Opset)
		path := filepath.Join(dir, fmt.Sprintf("%d.onnx", i))
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		j := job{name: name, scale: g.Scale, colors: c.colors, model: path, w: 19 + i%5, h: 17, out: path + ".out"}
		if o.RGB {
			j.colors = 3
		}
		j.src = picture(rng, j.colors, j.w, j.h)
		back, err := graphOf(b.Bytes(), ImportOptions{})
		if err != nil {
			t.Errorf("%s: read back: %v", name, err)
			continue
		}
		j.want = expected(t, g, o, j.src, j.w, j.h)
		if back != nil {
			got, err := back.Reference(j.src, j.w, j.h)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := difference(t, floatBytes(got), j.want); !(diff <= 2e-6) {
				t.Errorf("%s: differs by %g, want at most 2e-6", name, diff)
			}
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

func TestExportForeignMeta(t *testing.T) {
	m := newMaker(check.Rand(t), 13, 1, 0, 0)
	g, err := graphOf(m.file(m.double(m.conv(makerIn, 1, 4, 3), 4)), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pruneSome(g)
	g.Nodes[0].Prune = network.Prune{Scheme: network.Unstructured, Percent: 33}
	var b bytes.Buffer
	if err := Export(&b, g, ExportOptions{Meta: map[string]string{"a": "b", "genome": "w4;head;tail"}}); err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	meta := back.Meta()
	want := `[{"layer":"n0","scheme":"unstructured","density":0.666667,"percent":33},{"layer":"n1","scheme":"dense","density":0.666667}]`
	if meta["sparsity"] != want || meta["scale"] != "2" || meta["a"] != "b" || meta["genome"] != "" || meta["density"] != "0.666667" {
		t.Errorf("metadata %v", meta)
	}
	if g, err := back.Graph(ImportOptions{}); err != nil || g.Nodes[0].Prune != (network.Prune{Scheme: network.Unstructured, Percent: 33}) {
		t.Errorf("%+v, %v", g, err)
	}
	// What another made for RGB stays what it was; the colour path makes it RGB.
	for _, o := range []ExportOptions{{}, {RGB: true}} {
		b.Reset()
		o.Meta = map[string]string{metaColorSpace: "linear light"}
		if err := Export(&b, g, o); err != nil {
			t.Fatal(err)
		}
		want := "linear light"
		if o.RGB {
			want = "RGB, code/255"
		}
		if back, err := Decode(b.Bytes()); err != nil || back.Meta()[metaColorSpace] != want {
			t.Errorf("RGB %v: %v, %v", o.RGB, back.Meta(), err)
		}
	}
}

// TestEveryKind writes every operation of two values, activation, border and way to
// enlarge that there is: none is without a name.
func TestEveryKind(t *testing.T) {
	count := func(name func(int) string, prefix string) int {
		n := 0
		for !strings.HasPrefix(name(n), prefix) {
			n++
		}
		return n
	}
	written := func(what string, n network.Node, attr string) {
		t.Helper()
		g := netOf(t, check.Rand(t), "w4;head;skip;tail", 2, 1)
		n.Name, n.Inputs = "it", []int{1}
		if n.Op == network.OpPad || n.Op == network.OpResize { // of what nothing needs
			n.Inputs = []int{network.Picture}
		}
		g.Nodes = slices.Insert(g.Nodes, 2, n)
		for i := 3; i < len(g.Nodes); i++ {
			for k, j := range g.Nodes[i].Inputs {
				if j >= 2 {
					g.Nodes[i].Inputs[k]++
				}
			}
		}
		m, err := build(g, ExportOptions{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		i := slices.IndexFunc(m.graph.nodes, func(n node) bool { return n.name == "it" })
		if i < 0 || m.graph.nodes[i].op == "" || attr != "" && m.graph.nodes[i].word(attr, "") == "" {
			t.Errorf("%s: %+v", what, m.graph.nodes)
		}
	}
	for act := range count(func(i int) string { return network.Act(i).String() }, "act(") {
		n := network.Node{Op: network.OpActivate, Act: network.Act(act), Hi: 1}
		if n.Act.Sloped() {
			n.Slope = []float32{0.1}
		}
		if n.Act != network.ActClip {
			n.Hi = 0
		}
		written(n.Act.String(), n, "")
	}
	for border := network.Zeros; border <= network.Reflect; border++ {
		written(fmt.Sprint("border ", border), network.Node{Op: network.OpPad, Border: border, Pad: [4]int{1, 1, 1, 1}}, "mode")
	}
	for i := network.Nearest; i <= network.Cubic; i++ {
		written(fmt.Sprint("interpolation ", i), network.Node{Op: network.OpResize, Interp: i, Factor: 2}, "mode")
	}
	for c := network.HalfPixel; c <= network.AlignCorners; c++ {
		written(fmt.Sprint("coordinates ", c), network.Node{Op: network.OpResize, Coord: c, Factor: 2}, "coordinate_transformation_mode")
	}
	for r := network.RoundPreferFloor; r <= network.Ceil; r++ {
		written(fmt.Sprint("rounding ", r), network.Node{Op: network.OpResize, Rounding: r, Factor: 2}, "nearest_mode")
	}
}

// TestPortableForm spoils one thing at a time of a network that the portable form
// can say.
func TestPortableForm(t *testing.T) {
	const skip, head, slot, relu, tail, add, shuffle = 0, 1, 2, 3, 4, 5, 6
	tests := []struct {
		name string
		edit func(*network.Graph)
		want string // node
	}{
		{"nothing", func(*network.Graph) {}, ""},
		{"a sum with the picture's channel", func(g *network.Graph) { g.Nodes[add].Inputs[1] = network.Picture }, `"tail/add" (add)`},
		{"zeros around the picture", func(g *network.Graph) { g.Nodes[head].Border = network.Zeros }, `"head" (conv)`},
		{"edge values inside", func(g *network.Graph) { g.Nodes[tail].Border = network.Edge }, `"tail" (conv)`},
		{"uneven padding", func(g *network.Graph) { g.Nodes[slot].Pad = [4]int{2, 0, 1, 1} }, `"slot1/conv" (conv)`},
		{"groups", func(g *network.Graph) {
			g.Nodes[slot].Groups, g.Nodes[slot].Weights = 2, g.Nodes[slot].Weights[:4*2*9]
		}, `"slot1/conv" (conv)`},
		{"a clip", func(g *network.Graph) { g.Nodes[relu].Act = network.ActClip }, `"slot1/conv/relu" (activate)`},
		{"channels in another order", func(g *network.Graph) { g.Nodes[shuffle].DCR = true }, `"shuffle" (shuffle)`},
		{"a node behind the shuffle", func(g *network.Graph) {
			g.Nodes = append(g.Nodes, network.Node{Name: "last", Op: network.OpActivate, Act: network.ActReLU, Inputs: []int{shuffle}})
		}, `"shuffle" (shuffle)`},
		{"a product", func(g *network.Graph) { g.Nodes[add].Op = network.OpMul }, `"tail/add" (mul)`},
		{"a filter of 7x7", func(g *network.Graph) {
			n := &g.Nodes[skip]
			n.Kernel, n.Pad, n.Weights = 7, [4]int{3, 3, 3, 3}, make([]float32, 4*49)
		}, `"skip" (conv)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := netOf(t, check.Rand(t), "w4;head;lean;tail", 2, 1)
			tt.edit(g)
			if err := g.Validate(); err != nil {
				t.Fatal(err)
			}
			err := Export(&bytes.Buffer{}, g, ExportOptions{Width: 8, Height: 8, Portable: true})
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrPortable) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if err := Export(&bytes.Buffer{}, g, ExportOptions{Width: 8, Height: 8}); err != nil {
				t.Errorf("in the plain form: %v", err)
			}
		})
	}
}

// TestExportErrorKind tells options that do not fit from a file that cannot be
// written.
func TestExportErrorKind(t *testing.T) {
	g := netOf(t, check.Rand(t), "w4;head;lean;tail", 2, 1)
	var unfit *ExportError
	if err := Export(&bytes.Buffer{}, g, ExportOptions{Opset: MaxOpset + 1}); !errors.As(err, &unfit) {
		t.Errorf("an unknown opset: %v, want an *ExportError", err)
	}
	r, w := io.Pipe()
	if err := r.CloseWithError(io.ErrShortWrite); err != nil {
		t.Fatal(err)
	}
	if err := Export(w, g, ExportOptions{}); !errors.Is(err, io.ErrShortWrite) || errors.As(err, &unfit) {
		t.Errorf("a writer that fails: %v, want its error and no *ExportError", err)
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
	if err := Export(&b, g.Eliminate(), ExportOptions{}); err != nil {
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
