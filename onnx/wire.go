package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

type protoField = protowire.Number

// Field numbers of the messages of onnx.proto.
const (
	modelIR              protoField = 1
	modelProducer        protoField = 2
	modelProducerVersion protoField = 3
	modelGraph           protoField = 7
	modelOpset           protoField = 8
	modelMetadata        protoField = 14
	modelFunctions       protoField = 25

	opsetDomain  protoField = 1
	opsetVersion protoField = 2

	entryKey   protoField = 1
	entryValue protoField = 2

	graphNode        protoField = 1
	graphName        protoField = 2
	graphInitializer protoField = 5
	graphInput       protoField = 11
	graphOutput      protoField = 12
	graphInfo        protoField = 13
	graphSparse      protoField = 15

	nodeInput  protoField = 1
	nodeOutput protoField = 2
	nodeName   protoField = 3
	nodeOp     protoField = 4
	nodeAttr   protoField = 5
	nodeDomain protoField = 7

	attrName  protoField = 1
	attrF     protoField = 2
	attrI     protoField = 3
	attrS     protoField = 4
	attrT     protoField = 5
	attrListF protoField = 7
	attrListI protoField = 8
	attrListS protoField = 9
	attrType  protoField = 20
	attrRef   protoField = 21

	infoName protoField = 1
	infoType protoField = 2

	typeTensor protoField = 1
	typeElem   protoField = 1
	typeShape  protoField = 2
	shapeDim   protoField = 1
	dimValue   protoField = 1
	dimParam   protoField = 2

	tensorDims         protoField = 1
	tensorType         protoField = 2
	tensorSegment      protoField = 3
	tensorFloatData    protoField = 4
	tensorInt32Data    protoField = 5
	tensorStringData   protoField = 6
	tensorInt64Data    protoField = 7
	tensorName         protoField = 8
	tensorRaw          protoField = 9
	tensorDoubleData   protoField = 10
	tensorUint64Data   protoField = 11
	tensorExternal     protoField = 13
	tensorDataLocation protoField = 14
)

// field is one field of a message: its bits for the three kinds of numbers, its
// bytes otherwise.
type field struct {
	num   protoField
	typ   protowire.Type
	bits  uint64
	bytes []byte
}

var wireNames = [...]string{"varint", "fixed64", "bytes", "group", "group", "fixed32"}

// walk calls f with every field of a message. Groups are refused: no ONNX
// message has any, and only they could nest without bound.
func walk(message []byte, f func(field) error) error {
	b := message
	for len(b) > 0 {
		at := len(message) - len(b)
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("byte %d of %d: a field's tag %s", at, len(message), fault(n))
		}
		v := field{num: num, typ: typ}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			v.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(b)
			v.bits = uint64(bits)
		case protowire.Fixed64Type:
			v.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("byte %d of %d: field %d: wire type %d, want a number or bytes", at, len(message), num, typ)
		}
		if n < 0 {
			return fmt.Errorf("byte %d of %d: field %d %s", at, len(message), num, fault(n))
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// fault puts a negative length of protowire in words. (The text of protowire's
// own errors changes from build to build.)
func fault(n int) string {
	if errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF) {
		return "is cut off"
	}
	return "is malformed"
}

func (v field) want(typ protowire.Type) error {
	if v.typ != typ {
		return fmt.Errorf("field %d: wire type %s, want %s", v.num, wireNames[v.typ], wireNames[typ])
	}
	return nil
}

// count holds how often each field below 32 occurs in a message.
type count [32]int

// survey walks a message once to count its fields, so that the second walk can
// fill slices of the right length. The fields of once may not repeat: parsers
// disagree about which one counts.
func survey(message []byte, once ...protoField) (count, error) {
	var c count
	err := walk(message, func(v field) error {
		if int(v.num) < len(c) {
			c[v.num]++
		}
		return nil
	})
	for _, f := range once {
		if err == nil && c[f] > 1 {
			err = fmt.Errorf("field %d is given %d times, want once", f, c[f])
		}
	}
	return c, err
}

// numbers counts the values of a repeated numeric field, which may be packed.
func (v field) numbers(elem protowire.Type) (int, error) {
	if v.typ == elem {
		return 1, nil
	}
	if err := v.want(protowire.BytesType); err != nil {
		return 0, err
	}
	size := 0
	switch elem {
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	default:
		n := 0
		for i, b := range v.bytes {
			if b < 0x80 {
				n++
			} else if i == len(v.bytes)-1 {
				return 0, fmt.Errorf("field %d: its last number is cut off", v.num)
			}
		}
		return n, nil
	}
	if len(v.bytes)%size != 0 {
		return 0, fmt.Errorf("field %d: %d bytes, want a multiple of %d", v.num, len(v.bytes), size)
	}
	return len(v.bytes) / size, nil
}

// each calls f with every value of a repeated numeric field.
func (v field) each(elem protowire.Type, f func(bits uint64)) error {
	if v.typ == elem {
		f(v.bits)
		return nil
	}
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	for b := v.bytes; len(b) > 0; {
		var x uint64
		var n int
		switch elem {
		case protowire.Fixed32Type:
			var y uint32
			y, n = protowire.ConsumeFixed32(b)
			x = uint64(y)
		case protowire.Fixed64Type:
			x, n = protowire.ConsumeFixed64(b)
		default:
			x, n = protowire.ConsumeVarint(b)
		}
		if n < 0 {
			return fmt.Errorf("field %d %s", v.num, fault(n))
		}
		f(x)
		b = b[n:]
	}
	return nil
}

// typedData calls f with every value of a typed data field of a TensorProto.
func typedData(body []byte, num protoField, f func(bits uint64)) error {
	return walk(body, func(v field) error {
		if v.num != num {
			return nil
		}
		return v.each(typedWire(num), f)
	})
}

func typedWire(num protoField) protowire.Type {
	switch num {
	case tensorFloatData:
		return protowire.Fixed32Type
	case tensorDoubleData:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

// memory bounds what a decoder allocates. Everything is taken from it before it
// is allocated.
type memory struct {
	left, all int64
	files     *files // where external data may come from, nil for nowhere
}

// newMemory allows for a file of the given bytes a little less than the eight
// times and 64 MiB that Decode promises, because Go rounds sizes up.
func newMemory(size int) *memory {
	n := 7*int64(size) + 56<<20
	return &memory{left: n, all: n}
}

func (m *memory) take(n int, each uintptr, what string) error {
	// n is at most the bytes of a file, each a few hundred: no overflow.
	if m.left -= int64(n) * int64(each); m.left < 0 {
		return fmt.Errorf("%d %s need more memory than the %d MiB that a file of this size may use", n, what, m.all>>20)
	}
	return nil
}

// takeSlice allocates an empty slice with room for n elements.
func takeSlice[T any](m *memory, n int, what string) ([]T, error) {
	if n == 0 {
		return nil, nil
	}
	var zero T
	if err := m.take(n, unsafe.Sizeof(zero), what); err != nil {
		return nil, err
	}
	return make([]T, 0, n), nil
}

// text copies a field as a string.
func (m *memory) text(dst *string, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(v.bytes) {
		return fmt.Errorf("field %d: %s is not UTF-8", v.num, quote(string(v.bytes[:min(len(v.bytes), 60)])))
	}
	if err := m.take(len(v.bytes), 1, "bytes of text"); err != nil {
		return err
	}
	*dst = string(v.bytes)
	return nil
}

// integer reads a number that has to fit 64 bits with a sign.
func integer[T int64 | attrKind | dataType](dst *T, v field) error {
	if err := v.want(protowire.VarintType); err != nil {
		return err
	}
	*dst = T(v.bits)
	if int64(*dst) != int64(v.bits) {
		return fmt.Errorf("field %d: %d, want at most %d", v.num, int64(v.bits), math.MaxInt32)
	}
	return nil
}

// raw copies a field that need not be UTF-8.
func (m *memory) raw(dst *string, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	if err := m.take(len(v.bytes), 1, "bytes"); err != nil {
		return err
	}
	*dst = string(v.bytes)
	return nil
}
