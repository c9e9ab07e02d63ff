package supernet

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/internal/half"
	"evosr/space"
)

// compacted is s as a compact file.
func compacted(t testing.TB, s *Supernet, meta map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.EncodeCompact(&b, meta); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCompact wants the space, the metadata and every weight as float16 back,
// from the bytes and from a file.
func TestCompact(t *testing.T) {
	forScales(t, func(t *testing.T, sp *space.Space) {
		s := noisy(sp, 4)
		s.bank.data[0] = -0x1p-24 // the smallest there is
		meta := map[string]string{"data": "photographs, drawings", "steps": "9", "tool": ""}
		file := compacted(t, s, meta)
		path := filepath.Join(t.TempDir(), "x.evon")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		a, metaA, errA := DecodeCompact(file)
		b, metaB, errB := Load(path)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !maps.Equal(metaA, meta) || !maps.Equal(metaB, meta) {
			t.Errorf("metadata %q and %q, want %q", metaA, metaB, meta)
		}
		if a.Hash() != b.Hash() || !bytes.Equal(spaceText(a.Space, Partitions{}), spaceText(sp, Partitions{})) {
			t.Errorf("space %s, want %s", spaceText(a.Space, Partitions{}), spaceText(sp, Partitions{}))
		}
		for i, v := range s.bank.data {
			if want := half.From(half.Of(v)); a.bank.data[i] != want {
				t.Fatalf("value %d is %v, want %v", i, a.bank.data[i], want)
			}
		}
		if !bytes.Equal(compacted(t, a, meta), file) {
			t.Error("written again it has other bytes")
		}
		for n, t2 := range a.bank.tensors {
			if !reflect.DeepEqual(t2, s.bank.tensors[n]) {
				t.Fatalf("tensor %+v, want %+v", t2, s.bank.tensors[n])
			}
		}
	})
}

func TestCompactRefuses(t *testing.T) {
	s := New(smallSpace(2, 1), 1)
	for value, word := range map[float32]string{float32(math.NaN()): "NaN", 65520: "65520", float32(math.Inf(-1)): "-Inf"} {
		bad := s.clone(s.bank.data)
		bad.bank.weights(&bad.bank.tensors[1])[2] = value
		if err := bad.EncodeCompact(&bytes.Buffer{}, nil); err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), "head.weight") {
			t.Errorf("%v: error %v, want one that names it and its tensor", value, err)
		}
	}
	large := &space.Space{Scale: 2, Colors: 1, Widths: []int{128}, Slots: slices.Repeat([]space.Slot{{Blocks: space.Blocks{space.Plain: {1}}}}, 16)}
	if err := New(large, 1).EncodeCompact(&bytes.Buffer{}, nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a space of 4.7 million weights: %v, want it to be too large", err)
	}
}

// TestCompactDamage wants every flipped bit and every truncation to be noticed.
func TestCompactDamage(t *testing.T) {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{{Blocks: space.Blocks{space.Lean: space.Once()}}}}
	file := compacted(t, New(sp, 1), map[string]string{"a": "b"})
	for n := range len(file) {
		if _, _, err := DecodeCompact(file[:n]); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(file))
		}
	}
	if _, _, err := DecodeCompact(append(slices.Clone(file), 0)); err == nil {
		t.Error("a byte too many: no error")
	}
	for at := range file {
		for bit := range 8 {
			bad := slices.Clone(file)
			bad[at] ^= 1 << bit
			if _, _, err := DecodeCompact(bad); err == nil {
				t.Fatalf("bit %d of byte %d flipped: no error", bit, at)
			}
		}
	}
}

// packed is a compact file around any content, with the right checksum.
func packed(t testing.TB, content []byte, behind ...byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b.Write(behind)
	head := binary.LittleEndian.AppendUint32([]byte(compactMagic), compactVersion)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(b.Bytes(), castagnoli))
	return append(head, b.Bytes()...)
}

func TestCraftedCompact(t *testing.T) {
	u32 := func(ns ...uint32) (b []byte) {
		for _, n := range ns {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		return b
	}
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	sp := spaceText(&space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{{Blocks: space.Blocks{space.Lean: space.Once()}}}}, Partitions{})
	begin := join(u32(uint32(len(sp))), sp)
	huge := spaceText(&space.Space{Scale: 2, Colors: 1, Widths: []int{256}, Slots: slices.Repeat([]space.Slot{{Blocks: space.Blocks{space.Plain: {16}}}}, 16)}, Partitions{})
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "0 bytes"},
		{"another kind of file", make([]byte, 100), "does not begin"},
		{"more than fits", packed(t, make([]byte, maxContent+1)), "more than"},
		{"an empty content", packed(t, nil), "too early"},
		{"a text of 2^32 bytes", packed(t, u32(math.MaxUint32)), "too early"},
		{"no space", packed(t, join(u32(2), []byte("{}"))), "scale"},
		{"2^32 notes", packed(t, join(begin, u32(math.MaxUint32))), "metadata"},
		{"notes that are not there", packed(t, join(begin, u32(3))), "too early"},
		{"notes in disorder", packed(t, join(begin, u32(2, 1), []byte("b"), u32(0, 1), []byte("a"), u32(0))), "ascending"},
		{"2^32 values", packed(t, join(begin, u32(0, math.MaxUint32))), "values"},
		{"too few values", packed(t, join(begin, u32(0, 1), []byte{0, 0})), "for the space"},
		{"a space of gigabytes", packed(t, join(u32(uint32(len(huge))), huge, u32(0, 1), []byte{0, 0})), "for the space"},
		{"bytes behind the end", packed(t, begin, 1, 2, 3), "behind"},
	}
	for _, tt := range tests {
		if _, _, err := DecodeCompact(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one about %q", tt.name, err, tt.want)
		}
	}
	// Not a number, at the first value: the skip's.
	s, _, err := DecodeCompact(compacted(t, New(smallSpace(2, 1), 1), nil))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, part := range s.bank.stored("", s.bank.data) {
		n += len(part.data)
	}
	text := spaceText(s.Space, Partitions{})
	content := join(u32(uint32(len(text))), text, u32(0, uint32(n)), bytes.Repeat([]byte{0x7e}, n), make([]byte, n))
	if _, _, err := DecodeCompact(packed(t, content)); err == nil || !strings.Contains(err.Error(), "skip.weight") {
		t.Errorf("not a number: error %v, want one that names the tensor", err)
	}
}

// FuzzCompact wants an error or a supernet whose weights are numbers. The
// input is the content, for no mutation would meet the checksum.
func FuzzCompact(f *testing.F) {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{{Blocks: space.Blocks{space.Lean: space.Once()}}}}
	for _, parts := range []Partitions{{}, {[]int{200, 100}, nil}, {[]int{200}, []int{2}}} {
		text := spaceText(sp, parts)
		n := empty(sp, parts).Weights()
		content := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
		content = append(content, text...)
		content = binary.LittleEndian.AppendUint32(content, 0)
		content = binary.LittleEndian.AppendUint32(content, uint32(n))
		content = append(content, make([]byte, 2*n)...)
		if _, _, err := DecodeCompact(packed(f, content)); err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		s, _, err := DecodeCompact(packed(t, content))
		if err != nil {
			return
		}
		for _, v := range s.bank.data {
			if v != v || math.IsInf(float64(v), 0) {
				t.Fatalf("weight %v", v)
			}
		}
	})
}

// TestPretrained holds what is embedded against what it must be.
func TestPretrained(t *testing.T) {
	for scale := 2; scale <= 4; scale++ {
		s, meta, err := Pretrained(scale)
		if errors.Is(err, ErrNotPretrained) {
			t.Logf("x%d: %v", scale, err)
			continue
		}
		if err != nil {
			t.Errorf("x%d: %v", scale, err)
			continue
		}
		best, err := s.Best(meta)
		if err != nil || s.Space.Scale != scale || s.Space.Colors != 1 {
			t.Errorf("x%d: scale %d, %d colors, %v", scale, s.Space.Scale, s.Space.Colors, err)
			continue
		}
		for i := range mustLayers(best).list {
			if mustLayers(best).list[i].mask != nil {
				t.Errorf("x%d: layer %s of its best network is pruned", scale, mustLayers(best).list[i].name)
			}
		}
		for _, key := range []string{"data", "steps", "hours", "tool"} {
			if meta[key] == "" {
				t.Errorf("x%d: the metadata do not say %q", scale, key)
			}
		}
	}
	if _, _, err := Pretrained(7); !errors.Is(err, ErrNotPretrained) {
		t.Errorf("x7: %v", err)
	}
}

// TestHalfFile wants a safetensors file of another program with float16 values
// to load.
func TestHalfFile(t *testing.T) {
	sp := smallSpace(2, 1)
	s := noisy(sp, 2)
	var header strings.Builder
	quoted := strings.ReplaceAll(string(spaceText(sp, Partitions{})), `"`, `\"`)
	header.WriteString(`{"__metadata__":{"evosr.space":"` + quoted + `","by":"another"}`)
	var data []byte
	for _, part := range s.bank.stored("", s.bank.data) {
		from := len(data)
		for _, v := range part.data {
			data = binary.LittleEndian.AppendUint16(data, half.Of(v))
		}
		shape := strings.ReplaceAll(fmt.Sprint(part.shape), " ", ",")
		fmt.Fprintf(&header, `,%q:{"dtype":"F16","shape":%s,"data_offsets":[%d,%d]}`, part.name, shape, from, len(data))
	}
	header.WriteString("}")
	path := filepath.Join(t.TempDir(), "half.safetensors")
	file := append(crafted(t, header.String(), 0), data...)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	got, meta, err := Load(path)
	if err != nil || meta["by"] != "another" {
		t.Fatal(meta, err)
	}
	for i, v := range s.bank.data {
		if want := half.From(half.Of(v)); got.bank.data[i] != want {
			t.Fatalf("value %d is %v, want %v", i, got.bank.data[i], want)
		}
	}
	check.Close(t, got.bank.data, s.bank.data, 1e-3)
}
