package onnx

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxRank is the most dimensions of a tensor that Decode reads.
const maxRank = 16

// minIR is the first version of the file format that names its operator sets.
const minIR = 3

// Decode reads an ONNX file, which the Model keeps: data must not change any
// more. Whatever data holds, Decode returns in time linear to its length and
// allocates at most eight times that and 64 MiB.
func Decode(data []byte) (*Model, error) { return decode(data, nil) }

func decode(data []byte, f *files) (*Model, error) {
	m := &Model{size: len(data)}
	mem := newMemory(len(data))
	mem.files = f
	if err := m.decode(mem, data); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if err := m.graph.check(mem); err != nil {
		return nil, fmt.Errorf("onnx: graph: %w", err)
	}
	if f != nil {
		m.size += int(f.read) // what was read is as good as part of the file
	}
	return m, nil
}

func (m *Model) decode(mem *memory, data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("model: no bytes, want a ModelProto")
	}
	c, err := survey(data, modelIR, modelProducer, modelProducerVersion, modelGraph)
	switch {
	case err != nil:
		return fmt.Errorf("model: %w", err)
	case c[modelGraph] == 0:
		return fmt.Errorf("model: no graph, want one (is this an ONNX file?)")
	case c[modelOpset] == 0:
		return fmt.Errorf("model: no opset_import, want the versions of its operators (cut off?)")
	case c[modelFunctions] != 0:
		return fmt.Errorf("model: %d functions of its own, want none", c[modelFunctions])
	}
	if m.opsets, err = takeSlice[opset](mem, c[modelOpset], "operator sets"); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := mem.take(c[modelMetadata], mapEntry, "metadata entries"); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	m.metadata = make(map[string]string, c[modelMetadata])
	err = walk(data, func(v field) error {
		switch v.num {
		case modelIR:
			return integer(&m.ir, v)
		case modelProducer:
			return mem.text(&m.producer, v)
		case modelProducerVersion:
			return mem.text(&m.producerVersion, v)
		case modelOpset:
			return m.decodeOpset(mem, v)
		case modelMetadata:
			return m.decodeMetadata(mem, v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if m.ir < minIR {
		return fmt.Errorf("model: ir_version: %d, want at least %d", m.ir, minIR)
	}
	return walk(data, func(v field) error {
		if v.num != modelGraph {
			return nil
		}
		if err := m.graph.decode(mem, v); err != nil {
			return fmt.Errorf("graph: %w", err)
		}
		return nil
	})
}

func (m *Model) decodeOpset(mem *memory, v field) error {
	var o opset
	err := message(v, func(v field) error {
		switch v.num {
		case opsetDomain:
			return mem.text(&o.domain, v)
		case opsetVersion:
			return integer(&o.version, v)
		}
		return nil
	}, opsetDomain, opsetVersion)
	if err != nil {
		return fmt.Errorf("opset_import: %w", err)
	}
	if o.domain == "ai.onnx" {
		o.domain = ""
	}
	if o.version < 1 || o.version > math.MaxInt32 {
		return fmt.Errorf("opset_import: domain %s: version %d, want at least 1", quote(o.domain), o.version)
	}
	for _, old := range m.opsets {
		if old.domain == o.domain {
			return fmt.Errorf("opset_import: domain %s is given twice", quote(o.domain))
		}
	}
	if len(m.opsets) == maxOpsets {
		return fmt.Errorf("opset_import: more than %d domains", maxOpsets)
	}
	m.opsets = append(m.opsets, o)
	return nil
}

const maxOpsets = 100

func (m *Model) decodeMetadata(mem *memory, v field) error {
	key, value, err := entry(mem, v)
	if err != nil {
		return fmt.Errorf("metadata_props: %w", err)
	}
	if _, has := m.metadata[key]; has {
		return fmt.Errorf("metadata_props: key %s is given twice", quote(key))
	}
	m.metadata[key] = value
	return nil
}

// entry reads a StringStringEntryProto.
func entry(mem *memory, v field) (key, value string, err error) {
	err = message(v, func(v field) error {
		switch v.num {
		case entryKey:
			return mem.text(&key, v)
		case entryValue:
			return mem.text(&value, v)
		}
		return nil
	}, entryKey, entryValue)
	return key, value, err
}

// message walks the message that a field holds.
func message(v field, f func(field) error, once ...protoField) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	if _, err := survey(v.bytes, once...); err != nil {
		return err
	}
	return walk(v.bytes, f)
}

func (g *graph) decode(mem *memory, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	c, err := survey(v.bytes, graphName)
	if err != nil {
		return err
	}
	if c[graphSparse] != 0 {
		return fmt.Errorf("%d sparse initializers, want dense ones", c[graphSparse])
	}
	if g.nodes, err = takeSlice[node](mem, c[graphNode], "nodes"); err != nil {
		return err
	}
	if g.initializers, err = takeSlice[tensor](mem, c[graphInitializer], "initializers"); err != nil {
		return err
	}
	infos := func(dst *[]valueInfo, num protoField, what string) {
		if err == nil {
			*dst, err = takeSlice[valueInfo](mem, c[num], what)
		}
	}
	infos(&g.inputs, graphInput, "inputs")
	infos(&g.outputs, graphOutput, "outputs")
	infos(&g.infos, graphInfo, "value infos")
	if err != nil {
		return err
	}
	return walk(v.bytes, func(v field) error {
		switch v.num {
		case graphName:
			return mem.text(&g.name, v)
		case graphNode:
			return add(&g.nodes, mem, v, "node", (*node).decode, func(n *node) string { return n.name })
		case graphInitializer:
			return add(&g.initializers, mem, v, "initializer", (*tensor).decode, func(t *tensor) string { return t.name })
		case graphInput:
			return add(&g.inputs, mem, v, "input", (*valueInfo).decode, infoNameOf)
		case graphOutput:
			return add(&g.outputs, mem, v, "output", (*valueInfo).decode, infoNameOf)
		case graphInfo:
			return add(&g.infos, mem, v, "value info", (*valueInfo).decode, infoNameOf)
		}
		return nil
	})
}

func infoNameOf(i *valueInfo) string { return i.name }

// add appends one decoded element; its errors name the element by position and,
// as far as it was read, by name.
func add[T any](dst *[]T, mem *memory, v field, what string, decode func(*T, *memory, field) error, name func(*T) string) error {
	i := len(*dst)
	var zero T
	*dst = append(*dst, zero) // decoded in place: a copy would be allocated once more
	x := &(*dst)[i]
	if err := decode(x, mem, v); err != nil {
		return fmt.Errorf("%s %d %s: %w", what, i, quote(name(x)), err)
	}
	return nil
}

func (n *node) decode(mem *memory, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	c, err := survey(v.bytes, nodeName, nodeOp, nodeDomain)
	if err != nil {
		return err
	}
	if n.inputs, err = takeSlice[string](mem, c[nodeInput], "inputs"); err != nil {
		return err
	}
	if n.outputs, err = takeSlice[string](mem, c[nodeOutput], "outputs"); err != nil {
		return err
	}
	if n.attrs, err = takeSlice[attribute](mem, c[nodeAttr], "attributes"); err != nil {
		return err
	}
	// The name first, so that errors of the other fields can say it.
	names := func(v field) error {
		switch v.num {
		case nodeName:
			return mem.text(&n.name, v)
		case nodeOp:
			return mem.text(&n.op, v)
		case nodeDomain:
			return mem.text(&n.domain, v)
		}
		return nil
	}
	if err := walk(v.bytes, names); err != nil {
		return err
	}
	if n.domain == "ai.onnx" {
		n.domain = ""
	}
	if n.op == "" {
		return fmt.Errorf("no op_type, want an operator")
	}
	err = walk(v.bytes, func(v field) error {
		var s string
		switch v.num {
		case nodeInput:
			err := mem.text(&s, v)
			n.inputs = append(n.inputs, s)
			return err
		case nodeOutput:
			err := mem.text(&s, v)
			n.outputs = append(n.outputs, s)
			return err
		case nodeAttr:
			return add(&n.attrs, mem, v, "attribute", (*attribute).decode, func(a *attribute) string { return a.name })
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", quote(n.op), err)
	}
	return n.checkAttrs(mem)
}

// checkAttrs refuses attributes of the same name.
func (n *node) checkAttrs(mem *memory) error {
	if len(n.attrs) < 2 {
		return nil
	}
	if err := mem.take(len(n.attrs), mapEntry, "attributes"); err != nil {
		return err
	}
	seen := make(map[string]bool, len(n.attrs))
	for i := range n.attrs {
		if seen[n.attrs[i].name] {
			return fmt.Errorf("%s: attribute %s is given twice", quote(n.op), quote(n.attrs[i].name))
		}
		seen[n.attrs[i].name] = true
	}
	return nil
}

// attrFields tells which field of an AttributeProto holds the value of each
// kind of attribute.
var attrFields = [...]protoField{1: attrF, attrI, attrS, attrT, 6, attrListF, attrListI, attrListS, 10, 11, 22, 23, 14, 15}

func (a *attribute) decode(mem *memory, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	c, err := survey(v.bytes, attrName, attrF, attrI, attrS, attrT, 6, attrType)
	if err != nil {
		return err
	}
	var floats, ints int
	err = walk(v.bytes, func(v field) (err error) {
		n := 0
		switch v.num {
		case attrName:
			return mem.text(&a.name, v)
		case attrType:
			return integer(&a.kind, v)
		case attrListF:
			n, err = v.numbers(protowire.Fixed32Type)
			floats += n
		case attrListI:
			n, err = v.numbers(protowire.VarintType)
			ints += n
		}
		return err
	})
	if err != nil {
		return err
	}
	if a.name == "" {
		return fmt.Errorf("no name, want one")
	}
	if c[attrRef] != 0 {
		return fmt.Errorf("refers to an attribute of a function, want a value")
	}
	if err := a.checkKind(c); err != nil {
		return err
	}
	if a.floats, err = takeSlice[float32](mem, floats, "floats"); err != nil {
		return err
	}
	if a.ints, err = takeSlice[int64](mem, ints, "integers"); err != nil {
		return err
	}
	if a.strings, err = takeSlice[string](mem, c[attrListS], "strings"); err != nil {
		return err
	}
	return walk(v.bytes, func(v field) error { return a.decodeValue(mem, v) })
}

// checkKind holds the declared kind against the fields that are there, and
// finds it out where old writers left it open.
func (a *attribute) checkKind(c count) error {
	for kind, f := range attrFields {
		if f == 0 || c[f] == 0 || attrKind(kind) == a.kind {
			continue
		}
		if a.kind != 0 {
			return fmt.Errorf("has type %d, but a value of type %d", a.kind, kind)
		}
		a.kind = attrKind(kind)
	}
	if a.kind < 1 || int(a.kind) >= len(attrFields) {
		return fmt.Errorf("type %d, want 1 to %d", a.kind, len(attrFields)-1)
	}
	return nil
}

func (a *attribute) decodeValue(mem *memory, v field) error {
	switch v.num {
	case attrF:
		a.f = math.Float32frombits(uint32(v.bits))
		return v.want(protowire.Fixed32Type)
	case attrI:
		return integer(&a.i, v)
	case attrS:
		return mem.raw(&a.s, v)
	case attrT:
		if err := mem.take(1, unsafe.Sizeof(tensor{}), "tensors"); err != nil {
			return err
		}
		a.t = new(tensor)
		if err := a.t.decode(mem, v); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(a.t.name), err)
		}
	case attrListF:
		return v.each(protowire.Fixed32Type, func(b uint64) { a.floats = append(a.floats, math.Float32frombits(uint32(b))) })
	case attrListI:
		return v.each(protowire.VarintType, func(b uint64) { a.ints = append(a.ints, int64(b)) })
	case attrListS:
		var s string
		err := mem.raw(&s, v)
		a.strings = append(a.strings, s)
		return err
	}
	return nil
}

func (i *valueInfo) decode(mem *memory, v field) error {
	return message(v, func(v field) error {
		switch v.num {
		case infoName:
			return mem.text(&i.name, v)
		case infoType:
			return message(v, func(v field) error {
				if v.num != typeTensor {
					return nil
				}
				i.isTensor = true
				return message(v, func(v field) error {
					switch v.num {
					case typeElem:
						return integer(&i.kind, v)
					case typeShape:
						return i.decodeShape(mem, v)
					}
					return nil
				}, typeElem, typeShape)
			}, typeTensor)
		}
		return nil
	}, infoName, infoType)
}

func (i *valueInfo) decodeShape(mem *memory, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	c, err := survey(v.bytes)
	if err != nil {
		return err
	}
	if c[shapeDim] > maxRank {
		return fmt.Errorf("%d dims, want at most %d", c[shapeDim], maxRank)
	}
	i.ranked = true
	if i.dims, err = takeSlice[dim](mem, c[shapeDim], "dims"); err != nil {
		return err
	}
	sizes := make([]int64, 0, maxRank)
	err = walk(v.bytes, func(v field) error {
		if v.num != shapeDim {
			return nil
		}
		d := dim{value: -1}
		err := message(v, func(v field) error {
			switch v.num {
			case dimValue:
				if err := integer(&d.value, v); err != nil {
					return err
				}
				if d.value < 0 { // open, as some writers say
					d.value = -1
					return nil
				}
				sizes = append(sizes, d.value)
			case dimParam:
				return mem.text(&d.param, v)
			}
			return nil
		}, dimValue, dimParam)
		i.dims = append(i.dims, d)
		return err
	})
	if err != nil {
		return err
	}
	_, err = product(sizes)
	return err
}

// product multiplies dims and refuses negative ones and more elements than an
// int can count, even where another dim is zero.
func product(dims []int64) (int, error) {
	// Only the errors may keep dims, or the callers' arrays would leave the stack.
	n, zero := uint64(1), false
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("dims %v: %d, want at least 0", slices.Clone(dims), d)
		}
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("dims %v: more elements than can be counted", slices.Clone(dims))
		}
		n = lo
	}
	if zero {
		return 0, nil
	}
	return int(n), nil
}
