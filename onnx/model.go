package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"evosr/internal/half"
)

// Model is one ONNX file: a graph of operators with its constants, the operator
// sets it asks for and its metadata. A decoded Model points into the bytes that
// it came from. It is never changed, so that goroutines may share it.
type Model struct {
	ir                        int64 // version of the file format
	producer, producerVersion string
	opsets                    []opset
	metadata                  map[string]string
	graph                     graph
	size                      int // bytes of the file
}

// Meta gives a copy of the metadata_props.
func (m *Model) Meta() map[string]string { return maps.Clone(m.metadata) }

// Opset is the version of the standard operators that the file asks for, 0
// when it asks for none.
func (m *Model) Opset() int {
	for _, o := range m.opsets {
		if o.domain == "" {
			return int(o.version)
		}
	}
	return 0
}

type opset struct {
	domain  string // "" for the standard operators, also known as ai.onnx
	version int64
}

type graph struct {
	name            string
	nodes           []node // each reads only what came before it
	initializers    []tensor
	inputs, outputs []valueInfo
	infos           []valueInfo // of values in between
}

type node struct {
	name, op, domain string
	inputs, outputs  []string // "" where an optional one is left out
	attrs            []attribute
}

// attr finds an attribute of n, nil when it is not given.
func (n *node) attr(name string) *attribute {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

// has says whether input i is there.
func (n *node) has(i int) bool { return i < len(n.inputs) && n.inputs[i] != "" }

// word is a text attribute.
func (n *node) word(name, preset string) string {
	if a := n.attr(name); a != nil && a.kind == attrString {
		return a.s
	}
	return preset
}

// number is a whole attribute.
func (n *node) number(name string, preset int64) int64 {
	if a := n.attr(name); a != nil && a.kind == attrInt {
		return a.i
	}
	return preset
}

// fraction is a float32 attribute.
func (n *node) fraction(name string, preset float32) float32 {
	if a := n.attr(name); a != nil && a.kind == attrFloat {
		return a.f
	}
	return preset
}

// equalInts says whether an attribute is not given or as wanted.
func (n *node) equalInts(name string, want ...int64) bool {
	a := n.attr(name)
	return a == nil || slices.Equal(a.ints, want)
}

// Kinds of attributes, numbered as in onnx.proto. Those beyond the named ones
// (graphs of If, Loop and Scan, sparse tensors, types) are known by their
// number only: their content is not read.
type attrKind int32

const (
	attrFloat   attrKind = 1
	attrInt     attrKind = 2
	attrString  attrKind = 3
	attrTensor  attrKind = 4
	attrFloats  attrKind = 6
	attrInts    attrKind = 7
	attrStrings attrKind = 8
)

type attribute struct {
	name    string
	kind    attrKind
	f       float32
	i       int64
	s       string
	t       *tensor
	floats  []float32
	ints    []int64
	strings []string
}

// valueInfo names a value and says what is known of its type.
type valueInfo struct {
	name     string
	isTensor bool // else a sequence, a map, or not said
	kind     dataType
	ranked   bool // dims are given
	dims     []dim
}

// dim is one side of a tensor: a number when param is empty and value is not
// -1, else a name or nothing.
type dim struct {
	value int64
	param string
}

func (d dim) String() string {
	switch {
	case d.param != "":
		return quote(d.param)
	case d.value < 0:
		return "?"
	}
	return fmt.Sprint(d.value)
}

// dataType is the type of a tensor's elements, numbered as in onnx.proto.
type dataType int32

const (
	typeFloat    dataType = 1
	typeInt32    dataType = 6
	typeInt64    dataType = 7
	typeUint8    dataType = 2
	typeInt8     dataType = 3
	typeBool     dataType = 9
	typeFloat16  dataType = 10
	typeDouble   dataType = 11
	typeBFloat16 dataType = 16
)

// elements says of each data type how many bytes an element takes in raw_data,
// and which field of a TensorProto holds them otherwise. Strings, complex
// numbers and types below a byte are not read.
func (t dataType) elements() (name string, bytes int, field protoField) {
	switch t {
	case typeFloat:
		return "float32", 4, tensorFloatData
	case typeUint8:
		return "uint8", 1, tensorInt32Data
	case typeInt8:
		return "int8", 1, tensorInt32Data
	case 4:
		return "uint16", 2, tensorInt32Data
	case 5:
		return "int16", 2, tensorInt32Data
	case typeInt32:
		return "int32", 4, tensorInt32Data
	case typeInt64:
		return "int64", 8, tensorInt64Data
	case typeBool:
		return "bool", 1, tensorInt32Data
	case typeFloat16:
		return "float16", 2, tensorInt32Data
	case typeDouble:
		return "float64", 8, tensorDoubleData
	case 12:
		return "uint32", 4, tensorUint64Data
	case 13:
		return "uint64", 8, tensorUint64Data
	case typeBFloat16:
		return "bfloat16", 2, tensorInt32Data
	}
	return fmt.Sprintf("data type %d", t), 0, 0
}

func (t dataType) String() string {
	name, _, _ := t.elements()
	return name
}

// tensor is a constant. Its data stay in the file's bytes until floats or ints
// asks for them.
type tensor struct {
	name string
	kind dataType
	dims []int64
	n    int    // elements, the product of dims; as many are there
	raw  []byte // little endian, rows first; or, when nil,
	body []byte // the message, whose typed fields hold the data
}

// floats converts a tensor of floating-point numbers to float32.
func (t *tensor) floats() ([]float32, error) {
	var value func(bits uint64) float32
	switch t.kind {
	case typeFloat:
		value = func(bits uint64) float32 { return math.Float32frombits(uint32(bits)) }
	case typeFloat16:
		value = func(bits uint64) float32 { return half.From(uint16(bits)) }
	case typeBFloat16:
		value = func(bits uint64) float32 { return math.Float32frombits(uint32(uint16(bits)) << 16) }
	case typeDouble:
		value = func(bits uint64) float32 { return float32(math.Float64frombits(bits)) }
	default:
		return nil, fmt.Errorf("tensor %s holds %v, want float32", quote(t.name), t.kind)
	}
	out := make([]float32, 0, t.n)
	err := t.each(func(bits uint64) { out = append(out, value(bits)) })
	return out, err
}

// each calls f with the bits of every element.
func (t *tensor) each(f func(bits uint64)) error {
	_, size, field := t.kind.elements()
	if t.body != nil {
		return typedData(t.body, field, f)
	}
	for b := t.raw; len(b) >= size; b = b[size:] {
		switch size {
		case 1:
			f(uint64(b[0]))
		case 2:
			f(uint64(binary.LittleEndian.Uint16(b)))
		case 4:
			f(uint64(binary.LittleEndian.Uint32(b)))
		default:
			f(binary.LittleEndian.Uint64(b))
		}
	}
	return nil
}

// wholeTypes are the types of whole numbers that are read.
var wholeTypes = []dataType{typeInt64, typeInt32, typeBool, typeInt8, typeUint8}

// ints converts a tensor of one of wholeTypes.
func (t *tensor) ints() ([]int64, error) {
	if !slices.Contains(wholeTypes, t.kind) {
		return nil, fmt.Errorf("tensor %s holds %v, want int64", quote(t.name), t.kind)
	}
	out := make([]int64, 0, t.n)
	err := t.each(func(bits uint64) {
		if t.kind == typeInt32 {
			bits = uint64(int64(int32(bits)))
		}
		if t.kind == typeInt8 {
			bits = uint64(int64(int8(bits)))
		}
		out = append(out, int64(bits))
	})
	return out, err
}

// quote makes text of a file fit for an error message.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}

// few writes a list for an error message.
func few(list []int64) string {
	if len(list) > 8 {
		return fmt.Sprintf("%v and %d more", list[:8], len(list)-8)
	}
	return fmt.Sprint(list)
}
