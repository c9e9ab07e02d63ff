package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"evosr/internal/half"

	"google.golang.org/protobuf/encoding/protowire"
)

// encode writes the model as bytes that depend on its content only.
//
// The operator sets come last. A file without them is no ONNX file, so that no
// file that was cut off somewhere passes for a whole one.
func (m *Model) encode() []byte {
	var b []byte
	b = appendInt(b, modelIR, m.ir)
	b = appendText(b, modelProducer, m.producer)
	b = appendText(b, modelProducerVersion, m.producerVersion)
	for _, key := range slices.Sorted(maps.Keys(m.metadata)) {
		var e []byte
		e = protowire.AppendTag(e, entryKey, protowire.BytesType)
		e = protowire.AppendString(e, key)
		e = protowire.AppendTag(e, entryValue, protowire.BytesType)
		e = protowire.AppendString(e, m.metadata[key])
		b = appendMessage(b, modelMetadata, e)
	}
	b = appendMessage(b, modelGraph, m.graph.encode())
	for _, o := range m.opsets {
		var e []byte
		e = protowire.AppendTag(e, opsetDomain, protowire.BytesType)
		e = protowire.AppendString(e, o.domain)
		e = appendInt(e, opsetVersion, o.version)
		b = appendMessage(b, modelOpset, e)
	}
	return b
}

func (g *graph) encode() []byte {
	var b []byte
	for i := range g.nodes {
		b = appendMessage(b, graphNode, g.nodes[i].encode())
	}
	b = appendText(b, graphName, g.name)
	for i := range g.initializers {
		b = appendMessage(b, graphInitializer, g.initializers[i].encode())
	}
	for i := range g.inputs {
		b = appendMessage(b, graphInput, g.inputs[i].encode())
	}
	for i := range g.outputs {
		b = appendMessage(b, graphOutput, g.outputs[i].encode())
	}
	return b
}

func (n *node) encode() []byte {
	var b []byte
	for _, s := range n.inputs {
		b = protowire.AppendTag(b, nodeInput, protowire.BytesType)
		b = protowire.AppendString(b, s)
	}
	for _, s := range n.outputs {
		b = protowire.AppendTag(b, nodeOutput, protowire.BytesType)
		b = protowire.AppendString(b, s)
	}
	b = appendText(b, nodeName, n.name)
	b = appendText(b, nodeOp, n.op)
	for i := range n.attrs {
		b = appendMessage(b, nodeAttr, n.attrs[i].encode())
	}
	return appendText(b, nodeDomain, n.domain)
}

// encode writes the kinds of attributes that Export makes.
func (a *attribute) encode() []byte {
	b := appendText(nil, attrName, a.name)
	switch a.kind {
	case attrInt:
		b = appendInt(b, attrI, a.i)
	case attrString:
		b = protowire.AppendTag(b, attrS, protowire.BytesType)
		b = protowire.AppendString(b, a.s)
	case attrInts:
		for _, x := range a.ints {
			b = appendInt(b, attrListI, x)
		}
	case attrFloat:
		b = protowire.AppendTag(b, attrF, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, math.Float32bits(a.f))
	case attrFloats:
		for _, x := range a.floats {
			b = protowire.AppendTag(b, attrListF, protowire.Fixed32Type)
			b = protowire.AppendFixed32(b, math.Float32bits(x))
		}
	case attrTensor:
		b = appendMessage(b, attrT, a.t.encode())
	default:
		panic("onnx: encode: attribute " + a.name + " is of a kind that Export never makes")
	}
	return appendInt(b, attrType, int64(a.kind))
}

// encode writes a tensor with raw data, as Export makes it.
func (t *tensor) encode() []byte {
	var b []byte
	for _, d := range t.dims {
		b = appendInt(b, tensorDims, d)
	}
	b = appendInt(b, tensorType, int64(t.kind))
	b = appendText(b, tensorName, t.name)
	return appendMessage(b, tensorRaw, t.raw)
}

func (i *valueInfo) encode() []byte {
	var shape []byte
	for _, d := range i.dims {
		var e []byte
		if d.param != "" {
			e = appendText(e, dimParam, d.param)
		} else {
			e = appendInt(e, dimValue, d.value)
		}
		shape = appendMessage(shape, shapeDim, e)
	}
	typ := appendInt(nil, typeElem, int64(i.kind))
	typ = appendMessage(typ, typeShape, shape)
	b := appendText(nil, infoName, i.name)
	return appendMessage(b, infoType, appendMessage(nil, typeTensor, typ))
}

func appendInt(b []byte, f protoField, v int64) []byte {
	b = protowire.AppendTag(b, f, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

// appendText leaves empty text out.
func appendText(b []byte, f protoField, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, f, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendMessage(b []byte, f protoField, message []byte) []byte {
	b = protowire.AppendTag(b, f, protowire.BytesType)
	return protowire.AppendBytes(b, message)
}

func floatTensor(name string, values []float32, dims ...int64) tensor {
	t := tensor{name: name, kind: typeFloat, dims: dims, n: len(values), raw: make([]byte, 0, 4*len(values))}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint32(t.raw, math.Float32bits(v))
	}
	return t
}

func intTensor(name string, values ...int64) tensor {
	t := tensor{name: name, kind: typeInt64, dims: []int64{int64(len(values))}, n: len(values)}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint64(t.raw, uint64(v))
	}
	return t
}

// scalarTensor is a float32 without dims.
func scalarTensor(name string, v float32) tensor { return floatTensor(name, []float32{v}) }

// halfTensor rounds values to float16.
func halfTensor(name string, values []float32, dims ...int64) (tensor, error) {
	t := tensor{name: name, kind: typeFloat16, dims: dims, n: len(values), raw: make([]byte, 0, 2*len(values))}
	for i, v := range values {
		h := half.Of(v)
		if h&0x7fff >= 0x7c00 {
			return t, fmt.Errorf("weight %d is %v, want at most %d for float16", i, v, half.Max)
		}
		t.raw = binary.LittleEndian.AppendUint16(t.raw, h)
	}
	return t, nil
}
