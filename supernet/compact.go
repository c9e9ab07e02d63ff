package supernet

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"

	"evosr/internal/half"
)

// The compact file is made to be embedded: float16, the bytes of the sign and
// exponent apart from those of the fraction, for only the first compress.
//
//	8  magic
//	4  version
//	4  CRC-32C of everything after it
//	   a DEFLATE stream (RFC 1951) of
//	4    length of the space, its JSON as in a safetensors file
//	4    number of metadata entries; key and value, each after its length
//	4    number of values n: of every tensor the weights, the biases, the learned slopes
//	n    their upper bytes
//	n    their lower bytes
//
// Numbers are little endian, keys ascending.
const (
	compactMagic   = "\x89EVON\r\n\x1a"
	compactVersion = 1
	compactHead    = len(compactMagic) + 8

	maxCompact = 4 << 20  // bytes of a file
	maxContent = 64 << 20 // bytes that it may hold uncompressed
	maxText    = 1 << 20  // bytes of one text
	maxNotes   = 256      // entries of metadata
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeCompact writes weights, space and metadata in a few megabytes at most.
// Weights are rounded to float16, 11 bits of precision.
func (s *Supernet) EncodeCompact(w io.Writer, meta map[string]string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("supernet: compact: "+format, args...)
	}
	text := func(b []byte, s string) []byte {
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	content := text(nil, string(spaceText(s.Space, s.Partitions)))
	if len(meta) > maxNotes {
		return bad("metadata: %d entries, want at most %d", len(meta), maxNotes)
	}
	content = binary.LittleEndian.AppendUint32(content, uint32(len(meta)))
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if len(k) > maxText || len(meta[k]) > maxText {
			return bad("metadata: %.20q has %d bytes, want at most %d", k, max(len(k), len(meta[k])), maxText)
		}
		content = text(text(content, k), meta[k])
	}
	var upper, lower []byte
	for _, t := range s.bank.stored("", s.bank.data) {
		for i, v := range t.data {
			h := half.Of(v)
			if h&0x7c00 == 0x7c00 {
				return bad("tensor %q: value %d is %v, want a number within %d", t.name, i, v, half.Max)
			}
			upper, lower = append(upper, byte(h>>8)), append(lower, byte(h))
		}
	}
	content = binary.LittleEndian.AppendUint32(content, uint32(len(upper)))
	content = append(append(content, upper...), lower...)
	if len(content) > maxContent {
		return bad("%d bytes, want at most %d", len(content), maxContent)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if n := compactHead + b.Len(); n > maxCompact {
		return bad("the file has %d bytes, want at most %d: the space is too large for it", n, maxCompact)
	}
	head := binary.LittleEndian.AppendUint32([]byte(compactMagic), compactVersion)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(b.Bytes(), castagnoli))
	_, err = w.Write(append(head, b.Bytes()...))
	return err
}

// DecodeCompact reads what EncodeCompact wrote.
func DecodeCompact(file []byte) (*Supernet, map[string]string, error) {
	s, meta, err := decodeCompact(file)
	if err != nil {
		return nil, nil, fmt.Errorf("supernet: compact: %w", err)
	}
	return s, meta, nil
}

func decodeCompact(file []byte) (*Supernet, map[string]string, error) {
	if len(file) < compactHead || len(file) > maxCompact {
		return nil, nil, fmt.Errorf("file: %d bytes, want %d to %d", len(file), compactHead, maxCompact)
	}
	if !bytes.HasPrefix(file, []byte(compactMagic)) {
		return nil, nil, errors.New("file: does not begin as a compact supernet does")
	}
	head, packed := file[len(compactMagic):compactHead], file[compactHead:]
	if v := binary.LittleEndian.Uint32(head); v != compactVersion {
		return nil, nil, fmt.Errorf("version: %d, want %d", v, compactVersion)
	}
	if got, want := crc32.Checksum(packed, castagnoli), binary.LittleEndian.Uint32(head[4:]); got != want {
		return nil, nil, fmt.Errorf("checksum: %08x, want %08x: the file is damaged", got, want)
	}
	left := bytes.NewReader(packed)
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(left), maxContent+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("content: %w", err)
	case len(content) > maxContent:
		return nil, nil, fmt.Errorf("content: more than %d bytes", maxContent)
	case left.Len() > 0:
		return nil, nil, fmt.Errorf("content: %d bytes behind its end", left.Len())
	}
	r := &compactReader{content}
	sp, parts, err := parseSpace([]byte(r.text()))
	if r.rest == nil {
		return nil, nil, errShort
	}
	if err != nil {
		return nil, nil, err
	}
	meta, err := r.notes()
	if err != nil {
		return nil, nil, err
	}
	n := r.number()
	if r.rest == nil || int64(len(r.rest)) != 2*int64(n) {
		return nil, nil, fmt.Errorf("values: %d bytes for %d, want two for each", len(r.rest), n)
	}
	// Nothing of the space's size is allocated before the values are there.
	list := tensorsOf(sp, parts.Count())
	want := int64(0)
	for i := range list {
		want += int64(list[i].size())
	}
	if int64(n) != want {
		return nil, nil, fmt.Errorf("values: %d, want %d for the space", n, want)
	}
	s := over(sp, parts, newBank(list))
	upper, lower := r.rest[:n], r.rest[n:]
	for _, t := range s.bank.stored("", s.bank.data) {
		for i := range t.data {
			v := half.From(uint16(upper[i])<<8 | uint16(lower[i]))
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, nil, fmt.Errorf("tensor %q: value %d is %v, want a finite number", t.name, i, v)
			}
			t.data[i] = v
		}
		upper, lower = upper[len(t.data):], lower[len(t.data):]
	}
	if err := s.bank.sound(); err != nil {
		return nil, nil, err
	}
	return s, meta, nil
}

var errShort = errors.New("content: it ends too early")

// compactReader takes numbers and texts from the front of rest, which is nil
// once there were too few bytes.
type compactReader struct{ rest []byte }

func (r *compactReader) number() uint32 {
	if len(r.rest) < 4 {
		r.rest = nil
		return 0
	}
	n := binary.LittleEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return n
}

func (r *compactReader) text() string {
	n := r.number()
	if n > maxText || int(n) > len(r.rest) {
		r.rest = nil
		return ""
	}
	s := string(r.rest[:n])
	if r.rest != nil {
		r.rest = r.rest[n:]
	}
	return s
}

func (r *compactReader) notes() (map[string]string, error) {
	n := r.number()
	if n > maxNotes {
		return nil, fmt.Errorf("metadata: %d entries, want at most %d", n, maxNotes)
	}
	meta, last := map[string]string{}, ""
	for i := range n {
		k := r.text()
		meta[k] = r.text()
		if r.rest == nil {
			return nil, errShort
		}
		if i > 0 && k <= last {
			return nil, fmt.Errorf("metadata: %.20q after %.20q, want ascending keys", k, last)
		}
		last = k
	}
	return meta, nil
}
