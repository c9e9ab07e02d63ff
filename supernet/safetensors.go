package supernet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"

	"evosr/internal/half"
	"evosr/internal/whole"
)

// The safetensors format: eight bytes of header length, little-endian, a JSON
// header of tensor names with dtype, shape and data offsets, and the data.

// stored is one tensor of a file.
type stored struct {
	name  string
	shape []int
	data  []float32
}

// Bounds of what is read. They hold before anything is allocated.
const (
	maxHeader = 4 << 20 // bytes
	maxFile   = 2 << 30 // bytes
	maxRank   = 8
)

// Keys of the metadata that belong to this package.
const (
	metaFormat   = "evosr.format"   // what the file holds; such files carry a checksum
	metaChecksum = "evosr.checksum" // sha256 over metadata, names, shapes and data
	metaSpace    = "evosr.space"
	metaTraining = "evosr.training"
)

type headerEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// writeTensors writes a file, whole or not at all.
func writeTensors(path string, tensors []stored, meta map[string]string) error {
	err := whole.Write(path, 0o644, func(w io.Writer) error { return encodeTensors(w, tensors, meta) })
	if err != nil {
		return fmt.Errorf("supernet: save %s: %w", path, err)
	}
	return nil
}

func encodeTensors(w io.Writer, tensors []stored, meta map[string]string) error {
	meta = maps.Clone(meta)
	meta[metaChecksum] = checksum(tensors, meta)
	header := map[string]any{"__metadata__": meta}
	at := int64(0)
	for _, t := range tensors {
		end := at + 4*int64(len(t.data))
		header[t.name] = headerEntry{"F32", t.shape, [2]int64{at, end}}
		at = end
	}
	text, err := json.Marshal(header) // keys sorted: equal content, equal bytes
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ') // the data starts aligned
	}
	buf := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	if _, err := w.Write(append(buf, text...)); err != nil {
		return err
	}
	for _, t := range tensors {
		buf = appendFloats(buf[:0], t.data)
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// readTensors reads a file that writeTensors or another program wrote. It
// returns errors for everything that is not well formed, and for values that
// are not finite.
func readTensors(path string) (map[string]stored, map[string]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	tensors, meta, err := decodeTensors(data)
	if err != nil {
		return nil, nil, fmt.Errorf("supernet: read %s: %w", path, err)
	}
	return tensors, meta, nil
}

// readFile reads at most a byte more than maxFile.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("supernet: read %s: %w", path, err)
	}
	return data, nil
}

// dtypes are what is read, with the bytes of a value.
var dtypes = map[string]int64{"F32": 4, "F16": 2}

func decodeTensors(file []byte) (map[string]stored, map[string]string, error) {
	if len(file) < 8 || len(file) > maxFile {
		return nil, nil, fmt.Errorf("file: %d bytes, want 8 to %d", len(file), maxFile)
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader || n > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("header: %d bytes, want at most %d", n, min(maxHeader, len(file)-8))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+n], &raw); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	data := file[8+n:]
	meta := map[string]string{}
	if m, has := raw["__metadata__"]; has {
		if err := json.Unmarshal(m, &meta); err != nil {
			return nil, nil, fmt.Errorf("header: metadata: %w", err)
		}
		delete(raw, "__metadata__")
	}
	type placed struct {
		stored
		from, to, width int64
	}
	var list []placed
	for name, text := range raw {
		var e headerEntry
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		width, known := dtypes[e.DType]
		if !known {
			return nil, nil, fmt.Errorf("tensor %q: dtype %q, want F32 or F16", name, e.DType)
		}
		if len(e.Shape) > maxRank {
			return nil, nil, fmt.Errorf("tensor %q: %d dimensions, want at most %d", name, len(e.Shape), maxRank)
		}
		size := width
		for _, d := range e.Shape {
			if d < 1 || int64(d) > maxFile/size {
				return nil, nil, fmt.Errorf("tensor %q: shape %v does not fit the file", name, e.Shape)
			}
			size *= int64(d)
		}
		from, to := e.Offsets[0], e.Offsets[1]
		if from < 0 || to > int64(len(data)) || to-from != size {
			return nil, nil, fmt.Errorf("tensor %q: data at %v of %d bytes, want %d bytes for shape %v", name, e.Offsets, len(data), size, e.Shape)
		}
		list = append(list, placed{stored{name: name, shape: e.Shape}, from, to, width})
	}
	slices.SortFunc(list, func(a, b placed) int { return cmp.Compare(a.from, b.from) })
	at := int64(0)
	tensors := make(map[string]stored, len(list))
	ordered := make([]stored, 0, len(list))
	for _, t := range list {
		if t.from != at {
			return nil, nil, fmt.Errorf("tensor %q: data starts at %d, want %d: no gaps, no overlaps", t.name, t.from, at)
		}
		at = t.to
		t.data = make([]float32, (t.to-t.from)/t.width)
		for i := range t.data {
			at := data[t.from+t.width*int64(i):]
			v := half.From(binary.LittleEndian.Uint16(at))
			if t.width == 4 {
				v = math.Float32frombits(binary.LittleEndian.Uint32(at))
			}
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, nil, fmt.Errorf("tensor %q: value %d is %v, want a finite number", t.name, i, v)
			}
			t.data[i] = v
		}
		tensors[t.name] = t.stored
		ordered = append(ordered, t.stored)
	}
	if at != int64(len(data)) {
		return nil, nil, fmt.Errorf("data: %d bytes, want %d", len(data), at)
	}
	if meta[metaFormat] != "" {
		if got := checksum(ordered, meta); got != meta[metaChecksum] {
			return nil, nil, fmt.Errorf("checksum: %.12s..., want %.12s...: the file is damaged", got, meta[metaChecksum])
		}
		delete(meta, metaChecksum)
	}
	return tensors, meta, nil
}

// checksum is over everything that a file says, tensors in their order, but the
// checksum itself.
func checksum(tensors []stored, meta map[string]string) string {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if k != metaChecksum {
			fmt.Fprintf(h, "%q=%q\n", k, meta[k])
		}
	}
	var buf []byte
	for _, t := range tensors {
		fmt.Fprintf(h, "%q %v\n", t.name, t.shape)
		buf = appendFloats(buf[:0], t.data)
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// appendFloats appends values as little-endian float32.
func appendFloats(buf []byte, values []float32) []byte {
	for _, v := range values {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	return buf
}
