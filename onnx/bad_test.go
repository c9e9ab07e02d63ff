package onnx

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/network"

	"google.golang.org/protobuf/encoding/protowire"
)

// small is a model of four layers, the same at every call, to be spoilt.
func small(t testing.TB) *Model {
	t.Helper()
	m, err := build(netOf(t, rand.New(rand.NewPCG(1, 2)), "w4;head;lean;tail", 2, 1), ExportOptions{Opset: DefaultOpset})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// bytesField and numberField write single fields by hand.
func bytesField(num protoField, b ...[]byte) []byte {
	return appendMessage(nil, num, slices.Concat(b...))
}

func numberField(num protoField, v int64) []byte { return appendInt(nil, num, v) }

// fileWith is a file with a graph of the given bytes.
func fileWith(graph ...[]byte) []byte {
	return slices.Concat(numberField(modelIR, 7), bytesField(modelGraph, graph...), bytesField(modelOpset, numberField(opsetVersion, 13)))
}

func rawNode(op string, in, out []string) []byte {
	n := node{op: op, inputs: in, outputs: out}
	return bytesField(graphNode, n.encode())
}

func rawInfo(num protoField, name string) []byte {
	i := valueInfo{name: name, kind: typeFloat, dims: []dim{{value: 1}}}
	return bytesField(num, i.encode())
}

// around adds an input, a node and an output, so that only extra is at fault.
func around(extra ...[]byte) []byte {
	return fileWith(append([][]byte{
		rawInfo(graphInput, "x"), rawNode("Relu", []string{"x"}, []string{"y"}), rawInfo(graphOutput, "y"),
	}, extra...)...)
}

// tensorOf is an initializer of the given fields.
func tensorOf(fields ...[]byte) []byte {
	return around(bytesField(graphInitializer, append(fields, bytesField(tensorName, []byte("w")))...))
}

var float32Field = numberField(tensorType, int64(typeFloat))

func nodeWith(attr ...[]byte) []byte {
	n := node{name: "n", op: "Relu", inputs: []string{"x"}, outputs: []string{"z"}}
	var b [][]byte
	for _, a := range attr {
		b = append(b, bytesField(nodeAttr, a))
	}
	return around(bytesField(graphNode, append(b, n.encode())...))
}

// chain is a file of n Relu nodes, the last of which gives the output.
func chain(n int) []byte {
	var b [][]byte
	last := "x"
	for i := range n {
		next := fmt.Sprintf("v%d", i)
		b = append(b, rawNode("Relu", []string{last}, []string{next}))
		last = next
	}
	return fileWith(append(b, rawInfo(graphInput, "x"), rawInfo(graphOutput, last))...)
}

type badFile struct {
	name string
	data []byte
	want string // part of the error
}

// badFiles are crafted, each with one fault.
func badFiles(t testing.TB) []badFile {
	t.Helper()
	good := small(t).encode()
	nested := []byte{}
	for range 5000 { // a group in a group in a group
		nested = append(nested, 0x0b)
	}
	huge := make([]byte, 0, 10)
	huge = protowire.AppendTag(huge, modelGraph, protowire.BytesType)
	huge = protowire.AppendVarint(huge, 1<<40)
	typed := func(f protoField, n int) []byte { return bytesField(f, make([]byte, n)) }
	graphAttr := slices.Concat(bytesField(attrName, []byte("body")), numberField(attrType, 5))
	return []badFile{
		{"empty", nil, "model: no bytes"},
		{"text", []byte("this is a text"), "model: "},
		{"cut in a tag", []byte{0x80}, "model: byte 0 of 1"},
		{"cut in a number", []byte{0x08, 0x80}, "model: byte 0 of 2: field 1 is cut off"},
		{"number of 11 bytes", append([]byte{0x08}, strings.Repeat("\xff", 11)...), "model: byte 0 of 12: field 1 is malformed"},
		{"field 0", []byte{0x00, 0x00}, "model: byte 0 of 2"},
		{"length of 1 TiB", huge, "field 7 is cut off"},
		{"group", []byte{0x0b, 0x0c}, "byte 0 of 2: field 1: wire type 3"},
		{"5000 groups nested", nested, "byte 0 of 5000: field 1: wire type 3"},
		{"no graph", slices.Concat(numberField(modelIR, 7), bytesField(modelOpset, numberField(opsetVersion, 13))), "model: no graph"},
		{"two graphs", slices.Concat(good, bytesField(modelGraph)), "model: field 7 is given 2 times"},
		{"graph is a number", slices.Concat(numberField(modelIR, 7), numberField(modelGraph, 1), bytesField(modelOpset, numberField(opsetVersion, 13))), "graph: field 7: wire type varint, want bytes"},
		{"no opset", slices.Concat(numberField(modelIR, 7), bytesField(modelGraph)), "model: no opset_import"},
		{"opset twice", slices.Concat(good, bytesField(modelOpset, numberField(opsetVersion, 13))), `opset_import: domain "" is given twice`},
		{"opset alias twice", slices.Concat(good, bytesField(modelOpset, bytesField(opsetDomain, []byte("ai.onnx")), numberField(opsetVersion, 13))), `opset_import: domain "" is given twice`},
		{"negative opset", slices.Concat(numberField(modelIR, 7), bytesField(modelGraph), bytesField(modelOpset, numberField(opsetVersion, -3))), "version -3"},
		{"no ir_version", slices.Concat(bytesField(modelGraph), bytesField(modelOpset, numberField(opsetVersion, 13))), "ir_version: 0"},
		{"functions", slices.Concat(good, bytesField(modelFunctions)), "1 functions"},
		{"metadata twice", slices.Concat(good, bytesField(modelMetadata, bytesField(entryKey, []byte("scale")))), `metadata_props: key "scale" is given twice`},
		{"metadata is not UTF-8", slices.Concat(good, bytesField(modelMetadata, bytesField(entryKey, []byte("\xff")))), "metadata_props: field 1"},
		{"no nodes", fileWith(rawInfo(graphInput, "x"), rawInfo(graphOutput, "x")), "graph: no nodes"},
		{"no outputs", fileWith(rawInfo(graphInput, "x"), rawNode("Relu", []string{"x"}, []string{"y"})), "graph: no outputs"},
		{"sparse initializer", around(bytesField(graphSparse)), "1 sparse initializers"},
		{"undefined input", around(rawNode("Relu", []string{"q"}, []string{"z"})), `node 1 "" ("Relu"): input "q" is not defined`},
		{"undefined output", around(rawInfo(graphOutput, "q")), `output 1 "q" is not defined`},
		{"output twice", around(rawInfo(graphOutput, "y")), `output 1 "y" is given twice`},
		{"value info twice", around(rawInfo(graphInfo, "y"), rawInfo(graphInfo, "y")), `value info 1 "y" is given twice`},
		{"self edge", around(rawNode("Add", []string{"x", "z"}, []string{"z"})), `node 1 "" ("Add"): reads its own output "z"`},
		{"cycle", around(rawNode("Add", []string{"x", "b"}, []string{"a"}), rawNode("Relu", []string{"a"}, []string{"b"})),
			`node 1 "" ("Add"): input "b" comes from node 2 "" ("Relu"), which needs this node first: a cycle`},
		{"a cycle", around(rawNode("Relu", []string{"b"}, []string{"a"}), rawNode("Relu", []string{"a"}, []string{"b"})), "a cycle"},
		{"value made twice", around(rawNode("Relu", []string{"x"}, []string{"y"})), `output "y": the name is taken`},
		{"node makes the input", around(rawNode("Relu", []string{"y"}, []string{"x"})), `output "x": the name is taken`},
		{"input twice", around(rawInfo(graphInput, "x")), `input 1 "x": the name is taken`},
		{"input without a name", around(rawInfo(graphInput, "")), "input 1 has no name"},
		{"node without output", around(rawNode("Relu", []string{"x"}, nil)), "no output"},
		{"node without operator", around(rawNode("", []string{"x"}, []string{"z"})), `node 1 "": no op_type`},
		{"name is not UTF-8", around(rawNode("Relu", []string{"\xc3("}, []string{"z"})), "is not UTF-8"},
		{"overflowing dims of an input", fileWith(bytesField(graphInput, bytesField(infoType, bytesField(typeTensor,
			bytesField(typeShape, bytesField(shapeDim, numberField(dimValue, 1<<40)), bytesField(shapeDim, numberField(dimValue, 1<<40))))))), "more elements than can be counted"},
		{"17 dims", fileWith(bytesField(graphInput, bytesField(infoType, bytesField(typeTensor,
			bytesField(typeShape, []byte(strings.Repeat("\x0a\x02\x08\x01", 17))))))), "17 dims, want at most 16"},
		{"2^40 floats", tensorOf(numberField(tensorDims, 1<<40), float32Field), `initializer 0 "w": dims [1099511627776] ask for 1099511627776 float32, the file has 0`},
		{"2^40 floats, some there", tensorOf(numberField(tensorDims, 1<<40), float32Field, typed(tensorRaw, 8)), "raw_data has 8 bytes"},
		{"dims that wrap to zero", tensorOf(numberField(tensorDims, 1<<32), numberField(tensorDims, 1<<32), float32Field, typed(tensorRaw, 0)), "more elements than can be counted"},
		{"overflow beside a zero dim", tensorOf(numberField(tensorDims, 0), numberField(tensorDims, 1<<62), numberField(tensorDims, 1<<62), float32Field), "more elements than can be counted"},
		{"negative dim", tensorOf(numberField(tensorDims, -1), float32Field), "dims [-1]: -1, want at least 0"},
		{"two negative dims", tensorOf(numberField(tensorDims, -2), numberField(tensorDims, -2), float32Field, typed(tensorRaw, 16)), "want at least 0"},
		{"too much data", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorRaw, 8)), "dims [1] ask for 1 float32, raw_data has 8 bytes"},
		{"odd data", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorRaw, 5)), "raw_data has 5 bytes"},
		{"data twice", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorRaw, 4), typed(tensorFloatData, 4)), "float32 data in field 4"},
		{"data in the wrong field", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorInt64Data, 1)), "float32 data in field 7"},
		{"packed floats cut", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorFloatData, 3)), "3 bytes, want a multiple of 4"},
		{"packed integers cut", tensorOf(numberField(tensorDims, 1), numberField(tensorType, int64(typeInt64)), bytesField(tensorInt64Data, []byte{1, 0x80})), "its last number is cut off"},
		{"no data type", tensorOf(numberField(tensorDims, 1)), "data type 0 is not read"},
		{"string tensor", tensorOf(numberField(tensorType, 8), bytesField(tensorStringData, []byte("x"))), "data type 8 is not read"},
		{"data type of 40 bits", tensorOf(numberField(tensorType, 1<<32+1)), "field 2: 4294967297"},
		{"external data", tensorOf(numberField(tensorDims, 1), float32Field, numberField(tensorDataLocation, 1),
			bytesField(tensorExternal, bytesField(entryKey, []byte("location")), bytesField(entryValue, []byte("../../etc/passwd")))), `data lie in another file ("../../etc/passwd")`},
		{"external data, location only", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorRaw, 4), bytesField(tensorExternal)), "data lie in another file"},
		{"segment", tensorOf(numberField(tensorDims, 1), float32Field, typed(tensorRaw, 4), bytesField(tensorSegment)), "data come in segments"},
		{"initializer without a name", around(bytesField(graphInitializer, float32Field, typed(tensorRaw, 4))), "initializer 0 has no name"},
		{"initializer twice", around(bytesField(graphInitializer, float32Field, typed(tensorRaw, 4), bytesField(tensorName, []byte("w"))),
			bytesField(graphInitializer, float32Field, typed(tensorRaw, 4), bytesField(tensorName, []byte("w")))), `initializer 1 "w": the name is taken`},
		{"attribute twice", nodeWith((&attribute{name: "a", kind: attrInt}).encode(), (&attribute{name: "a", kind: attrInt}).encode()), `attribute "a" is given twice`},
		{"attribute without a name", nodeWith(numberField(attrType, 2)), `attribute 0 "": no name`},
		{"attribute of another type", nodeWith(bytesField(attrName, []byte("a")), numberField(attrI, 1)), `attribute 0 "a": type 0`},
		{"attribute with two values", nodeWith(slices.Concat(bytesField(attrName, []byte("a")), numberField(attrType, 2), bytesField(attrS))), "has type 2, but a value of type 3"},
		{"attribute of an unknown type", nodeWith(slices.Concat(bytesField(attrName, []byte("a")), numberField(attrType, 99))), "type 99, want 1 to 14"},
		{"attribute of a function", nodeWith(slices.Concat(bytesField(attrName, []byte("a")), bytesField(attrRef, []byte("b")))), "refers to an attribute of a function"},
		{"attribute's tensor lies", nodeWith(slices.Concat(bytesField(attrName, []byte("value")), bytesField(attrT, numberField(tensorDims, 1<<40), float32Field))), `attribute 0 "value": tensor "": dims`},
		{"attribute's graph cut", nodeWith(append(graphAttr, 0x32, 0x7f)), "field 6 is cut off"},
		{"cut by one byte", good[:len(good)-1], "model: "},
	}
}

func TestBadFiles(t *testing.T) {
	files := badFiles(t)
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.data)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "onnx: ") {
				t.Errorf("error %q, want %q", err, tt.want)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	// What they are built from is sound.
	for _, data := range [][]byte{around(), tensorOf(numberField(tensorDims, 1), float32Field, bytesField(tensorRaw, make([]byte, 4))), small(t).encode()} {
		if _, err := Decode(data); err != nil {
			t.Error(err)
		}
	}
}

// allocated measures the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// greedy are files whose smallest parts become the largest structures.
func greedy() []badFile {
	const n = 3 << 20
	fill := func(num protoField) []byte { return []byte(strings.Repeat(string(bytesField(num)), n)) }
	names := func(num protoField) []byte {
		var b []byte
		for i := range 1 << 19 {
			b = append(b, bytesField(num, bytesField(1, binary.AppendUvarint(nil, uint64(i))))...)
		}
		return b
	}
	shape := bytesField(infoType, bytesField(typeTensor, bytesField(typeShape)))
	return []badFile{
		{"nodes", fileWith(fill(graphNode)), "need more memory"},
		{"initializers", fileWith(fill(graphInitializer)), "need more memory"},
		{"value infos", fileWith(fill(graphInfo)), "need more memory"},
		{"shapes", fileWith([]byte(strings.Repeat(string(bytesField(graphInfo, shape)), 1<<20))), ""},
		{"inputs of a node", fileWith(bytesField(graphNode, fill(nodeInput))), ""},
		{"attributes", fileWith(bytesField(graphNode, fill(nodeAttr))), "need more memory"},
		{"strings", nodeWith(slices.Concat(bytesField(attrName, []byte("a")), numberField(attrType, 8), fill(attrListS))), ""},
		{"integers", nodeWith(slices.Concat(bytesField(attrName, []byte("a")), numberField(attrType, 7), bytesField(attrListI, make([]byte, 2*n)))), ""},
		{"metadata", slices.Concat(names(modelMetadata), around()), ""},
		{"inputs", fileWith(names(graphInput)), ""},
		{"operator sets", slices.Concat(around(), fill(modelOpset)), ""},
		{"a long name", around(rawNode("Relu", []string{strings.Repeat("q", 2*n)}, []string{"z"})), "is not defined"},
	}
}

// hungry are sound files whose graphs ask for more than they hold.
func hungry(t testing.TB) []badFile {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 8))
	made := func(build func(m *maker) string) []byte {
		m := newMaker(rng, 13, 1, 0, 0)
		return m.file(build(m))
	}
	return []badFile{
		{"a large constant, doubled again and again", made(func(m *maker) string {
			v := m.op("ConstantOfShape", []string{m.ints(1 << 20)})
			for range 40 {
				v = m.op("Concat", []string{v, v}, intAttr("axis", 0))
			}
			return m.double(makerIn, 1)
		}), "more than a file of this size may"},
		{"one large filter, read again and again", made(func(m *maker) string {
			w := m.op("ConstantOfShape", []string{m.ints(1, 1, 11, 11)})
			wide := m.op("ConstantOfShape", []string{m.ints(1000, 1, 11, 11)})
			v := makerIn
			for range 400 {
				m.op("Conv", []string{v, wide}, intsAttr("pads", 5, 5, 5, 5))
				v = m.op("Conv", []string{v, w}, intsAttr("pads", 5, 5, 5, 5))
			}
			return m.double(v, 1)
		}), "more memory than"},
		{"sums of large constants", made(func(m *maker) string {
			a, b := m.op("ConstantOfShape", []string{m.ints(2000, 1)}), m.op("ConstantOfShape", []string{m.ints(1, 2000)})
			for range 50 {
				m.op("Add", []string{a, b})
			}
			return m.double(makerIn, 1)
		}), "more than a file of this size may"},
		{"30,000 views", made(func(m *maker) string {
			v := makerIn
			for range 15000 {
				v = m.op("Squeeze", []string{m.op("Unsqueeze", []string{v, m.ints(0)}), m.ints(0)})
			}
			return m.double(v, 1)
		}), ""},
		{"a slice of every channel", made(func(m *maker) string {
			v := m.op("Conv", []string{makerIn, m.random(1, 4000, 1, 1, 1)})
			return m.double(m.op("Concat", m.ops("Split", 4000, []string{v}, intAttr("axis", 1)), intAttr("axis", 1)), 4000)
		}), ""},
		{"shapes of shapes", made(func(m *maker) string {
			v := m.op("Shape", []string{makerIn})
			for range 5000 {
				v = m.op("Concat", []string{v, v}, intAttr("axis", 0))
				v = m.slice(v, 0, 0, 4)
			}
			return m.double(makerIn, 1)
		}), ""},
	}
}

// noted is a sound file with a list of pruned layers that are nothing, each of
// which is many times its text once it is read.
func noted(t testing.TB) []byte {
	m := small(t)
	m.metadata[metaSparsity] = "[" + strings.Repeat("{},", 4<<20) + "{}]"
	return m.encode()
}

// TestAllocation bounds what Decode and Graph take from the machine.
func TestAllocation(t *testing.T) {
	files := append(badFiles(t), greedy()...)
	files = append(files, hungry(t)...)
	files = append(files, badFile{"20,000 nodes", chain(20000), ""}, badFile{"20,000 layers", tower(20000), "want at most as many"},
		badFile{"notes of nothing", noted(t), ""}, badFile{"a good file", small(t).encode(), ""})
	for _, f := range files {
		limit := 8*uint64(len(f.data)) + 64<<20
		start := time.Now()
		var m *Model
		var err error
		if got := allocated(func() { m, err = Decode(f.data) }); got > limit {
			t.Errorf("%s: Decode allocates %d MiB for %d bytes", f.name, got>>20, len(f.data))
		}
		if err == nil {
			if got := allocated(func() { _, err = m.Graph(ImportOptions{}) }); got > limit {
				t.Errorf("%s: Graph allocates %d MiB for %d bytes", f.name, got>>20, len(f.data))
			}
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: takes %v for %d bytes", f.name, d, len(f.data))
		}
		if f.want != "" && (err == nil || !strings.Contains(err.Error(), f.want)) {
			t.Errorf("%s: error %v, want %q", f.name, err, f.want)
		}
	}
}

func TestChain(t *testing.T) {
	m, err := Decode(chain(20000))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.graph.nodes) != 20000 {
		t.Errorf("%d nodes", len(m.graph.nodes))
	}
	if _, err = m.Graph(ImportOptions{}); err == nil {
		t.Error("a chain of Relu became a network")
	}
	// Backwards it is out of order 19,999 times, and closed it is one cycle.
	slices.Reverse(m.graph.nodes)
	back, err := Decode(m.encode())
	slices.Reverse(m.graph.nodes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range back.graph.nodes {
		if back.graph.nodes[i].outputs[0] != m.graph.nodes[i].outputs[0] {
			t.Fatalf("sorted, node %d makes %q", i, back.graph.nodes[i].outputs[0])
		}
	}
	m.graph.nodes[0].inputs = []string{"v19999"}
	if _, err := Decode(m.encode()); err == nil || !strings.Contains(err.Error(), "a cycle") {
		t.Errorf("error %v", err)
	}
}

// TestPrefixes cuts twelve models, of evosr's own and of other tools, at every
// byte. Each piece is refused in less than a second.
func TestPrefixes(t *testing.T) {
	rng := check.Rand(t)
	var files [][]byte
	for _, net := range []*network.Graph{netOf(t, rng, "w4;head;skip;tail", 2, 1), netOf(t, rng, "w4;head;wide1;tail", 3, 1)} {
		for _, o := range []ExportOptions{{}, {Opset: 21, Width: 4, Height: 3, Portable: true}, {RGB: true}, {Float16: true}} {
			files = append(files, export(t, net, o))
		}
	}
	for _, c := range importCases() {
		if c.name == "FSRCNN" || c.name == "pixel shuffle by Reshape" || c.name == "normalised" || c.name == "attention as in RLFN" {
			m := newMaker(rng, c.sets[0], c.colors, c.h, c.w)
			files = append(files, m.file(c.build(m)))
		}
	}
	if len(files) != 12 {
		t.Fatalf("%d models, want 12", len(files))
	}
	for i, data := range files {
		for n := range data {
			start := time.Now()
			if m, err := Decode(data[:n:n]); err == nil {
				if _, err = m.Graph(ImportOptions{}); err == nil {
					t.Fatalf("model %d: the first %d of %d bytes pass for a file", i, n, len(data))
				}
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("model %d: the first %d bytes take %v", i, n, d)
			}
		}
	}
}
