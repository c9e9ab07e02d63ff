package onnx

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"evosr/network"
	"evosr/space"
)

// listing writes everything that is in a file, a line each: values by the node that
// makes them, data by their hash.
func listing(m *Model) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ir %d, opset %d, %s %s, %s\n", m.ir, m.Opset(), m.producer, m.producerVersion, m.graph.name)
	for _, k := range slices.Sorted(maps.Keys(m.metadata)) {
		fmt.Fprintf(&b, "meta %s %s\n", k, m.metadata[k])
	}
	for _, i := range slices.Concat(m.graph.inputs, m.graph.outputs) {
		fmt.Fprintf(&b, "value %s %v %v\n", i.name, i.kind, i.dims)
	}
	for i := range m.graph.initializers {
		t := &m.graph.initializers[i]
		h := fnv.New64a()
		h.Write(t.raw)
		fmt.Fprintf(&b, "constant %s %v %v %016x\n", t.name, t.kind, t.dims, h.Sum64())
	}
	makers := map[string]string{}
	for i := range m.graph.nodes {
		n := &m.graph.nodes[i]
		for _, out := range n.outputs {
			makers[out] = "@" + n.name
		}
		var in []string
		for _, name := range n.inputs {
			if made, has := makers[name]; has {
				name = made
			}
			in = append(in, name)
		}
		fmt.Fprintf(&b, "node %s %s(%s)", n.name, n.op, strings.Join(in, ", "))
		for _, a := range n.attrs {
			fmt.Fprintf(&b, " %s=%v%v%v%v", a.name, a.i, a.f, a.s, a.ints)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "output @%s\n", strings.TrimPrefix(makers[m.graph.outputs[0].name], "@"))
	return b.String()
}

// TestGolden holds the files of every kind of block, activation and form against
// those of before: EVOSR_WRITE=1 go test ./onnx -run Golden writes them anew.
func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("constants of the colour path are rounded once less where multiply-adds are fused")
	}
	rng := rand.New(rand.NewPCG(11, 12))
	var b bytes.Buffer
	add := func(name string, net *network.Graph, o ExportOptions) {
		m, err := Decode(export(t, net, o))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n%s\n", name, listing(m))
	}
	for i, block := range []string{"skip", "lean", "plain1.5", "wide2"} {
		add(block, netOf(t, rng, "w8;head;"+block+";tail", 2+i%3, 1+2*(i%2)), ExportOptions{Opset: MinOpset + 3*i})
	}
	mixed := netOf(t, rng, "w8;head=block2@50;wide2=filter@50,block4@25,pattern@50;skip;plain1=unstructured@75,block8@25;lean=pattern@25;tail=block4@50", 2, 1)
	all := forms(6, 5)
	for _, form := range slices.Sorted(maps.Keys(all)) {
		o := all[form]
		o.Meta = map[string]string{"evosr_version": "1.2.3", "psnr_db": "37.5", "scale": "9"}
		add("schemes, "+form, mixed, o)
	}
	for _, act := range space.Activations() {
		for _, form := range []string{"dynamic", "portable"} {
			add(fmt.Sprintf("%v, %s", act, form), bent(t, rng, act), all[form])
		}
	}
	path := filepath.Join("testdata", "own.golden")
	if os.Getenv("EVOSR_WRITE") != "" {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(b.String(), "\n"), strings.Split(string(was), "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
}
