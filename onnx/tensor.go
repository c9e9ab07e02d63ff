package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// decode reads a TensorProto up to its data and makes sure that these are in
// the file, all of them, in one place. The data themselves are not copied.
func (t *tensor) decode(mem *memory, v field) error {
	if err := v.want(protowire.BytesType); err != nil {
		return err
	}
	c, err := survey(v.bytes, tensorType, tensorName, tensorRaw, tensorDataLocation)
	if err != nil {
		return err
	}
	rank, external := 0, int64(0)
	err = walk(v.bytes, func(v field) error {
		switch v.num {
		case tensorName:
			return mem.text(&t.name, v)
		case tensorType:
			return integer(&t.kind, v)
		case tensorDims:
			n, err := v.numbers(protowire.VarintType)
			rank += n
			return err
		case tensorDataLocation:
			return integer(&external, v)
		case tensorRaw:
			t.raw = v.bytes
			return v.want(protowire.BytesType)
		}
		return nil
	})
	if err != nil {
		return err
	}
	outside := external != 0 || c[tensorExternal] != 0
	if outside && mem.files == nil {
		return fmt.Errorf("data lie in another file (%s), want them in this one", quote(location(v.bytes)))
	}
	if c[tensorSegment] != 0 {
		return fmt.Errorf("data come in segments, want one piece")
	}
	if rank > maxRank {
		return fmt.Errorf("%d dims, want at most %d", rank, maxRank)
	}
	if t.dims, err = takeSlice[int64](mem, rank, "dims"); err != nil {
		return err
	}
	if err := typedDims(v.bytes, &t.dims); err != nil {
		return err
	}
	if t.n, err = product(t.dims); err != nil {
		return err
	}
	if outside {
		return t.fetch(mem, v.bytes, c)
	}
	return t.checkData(v.bytes, c)
}

// checkData compares the data with the dims.
func (t *tensor) checkData(body []byte, c count) error {
	name, size, want := t.kind.elements()
	if size == 0 {
		return fmt.Errorf("%s is not read, want float32, float16, int64 or another plain number", name)
	}
	for _, f := range []protoField{tensorFloatData, tensorInt32Data, tensorStringData, tensorInt64Data, tensorDoubleData, tensorUint64Data} {
		if c[f] != 0 && (f != want || c[tensorRaw] != 0) {
			return fmt.Errorf("%s data in field %d, want them in raw_data or field %d alone", name, f, want)
		}
	}
	if c[tensorRaw] != 0 {
		// Divided, because n*size may overflow.
		if len(t.raw)%size != 0 || len(t.raw)/size != t.n {
			return fmt.Errorf("dims %v ask for %d %s, raw_data has %d bytes, want %d a value", t.dims, t.n, name, len(t.raw), size)
		}
		return nil
	}
	t.body = body
	have := 0
	err := walk(body, func(v field) error {
		if v.num != want {
			return nil
		}
		n, err := v.numbers(typedWire(want))
		have += n
		return err
	})
	if err != nil {
		return err
	}
	if have != t.n {
		return fmt.Errorf("dims %v ask for %d %s, the file has %d", t.dims, t.n, name, have)
	}
	return nil
}

// typedDims appends the dims of a TensorProto.
func typedDims(body []byte, dst *[]int64) error {
	return walk(body, func(v field) error {
		if v.num != tensorDims {
			return nil
		}
		return v.each(protowire.VarintType, func(bits uint64) { *dst = append(*dst, int64(bits)) })
	})
}

// location digs the name of the other file out of a tensor with external data,
// for the error message only.
func location(body []byte) string {
	where, err := whereabouts(body)
	if err != nil || where["location"] == "" {
		return "no location"
	}
	return where["location"]
}

// whereabouts reads the entries of external data.
func whereabouts(body []byte) (map[string]string, error) {
	found := map[string]string{}
	err := walk(body, func(v field) error {
		if v.num != tensorExternal {
			return nil
		}
		if len(v.bytes) > 4096 || len(found) > 8 {
			return fmt.Errorf("external_data of %d bytes, want a few short entries", len(v.bytes))
		}
		key, value, err := entry(newMemory(0), v)
		if _, has := found[key]; has && err == nil {
			return fmt.Errorf("external_data: %s is given twice", quote(key))
		}
		found[key] = value
		return err
	})
	return found, err
}
