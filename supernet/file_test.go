package supernet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/space"
)

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net.safetensors")
	s := noisy(smallSpace(3, 3), 4)
	if err := s.Save(path, map[string]string{"note": "a \"quoted\" note", metaSpace: "not this"}); err != nil {
		t.Fatal(err)
	}
	got, meta, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.bank.data, s.bank.data) || got.Hash() != s.Hash() {
		t.Error("weights differ after a round trip")
	}
	if !bytes.Equal(spaceText(got.Space, Partitions{}), spaceText(s.Space, Partitions{})) {
		t.Errorf("space %s, want %s", spaceText(got.Space, Partitions{}), spaceText(s.Space, Partitions{}))
	}
	if want := map[string]string{"note": "a \"quoted\" note"}; !maps.Equal(meta, want) {
		t.Errorf("metadata %q, want %q", meta, want)
	}
	// Equal content, equal bytes; nothing is left beside it.
	first, _ := os.ReadFile(path)
	if err := got.Save(path, meta); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(path)
	if !bytes.Equal(first, second) {
		t.Error("the same supernet gave other bytes")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files, want 1", len(files))
	}
	if err := s.Save(filepath.Join(dir, "no", "such", "folder"), nil); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

func TestHash(t *testing.T) {
	s := New(smallSpace(2, 1), 1)
	was := s.Hash()
	if len(was) != 64 || New(smallSpace(2, 1), 1).Hash() != was {
		t.Errorf("hash %q, want 64 digits, equal for equal seeds", was)
	}
	if New(smallSpace(2, 1), 2).Hash() == was {
		t.Error("another seed has the same hash")
	}
	last := &s.bank.tensors[len(s.bank.tensors)-1]
	s.bank.bias(last)[0]++
	if s.Hash() == was {
		t.Error("another bias has the same hash")
	}
	sp := smallSpace(2, 1)
	sp.Percents = []int{25, 50}
	if New(sp, 1).Hash() == was {
		t.Error("another space has the same hash")
	}
}

// tinyFile is a small valid file.
func tinyFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{{Blocks: space.Blocks{space.Lean: space.Once()}, Activations: []space.Activation{space.PReLU}}}}
	if err := split(t, New(sp, 1)).Save(path, nil); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDamage wants every single flipped bit and every truncation to be noticed.
func TestDamage(t *testing.T) {
	file := tinyFile(t)
	load := func(data []byte) error {
		tensors, meta, err := decodeTensors(data)
		if err == nil && meta[metaFormat] == formatWeights {
			_, _, err = parseSpace([]byte(meta[metaSpace]))
			if err == nil && len(tensors) == 0 {
				t.Fatal("no tensors and no error")
			}
		}
		return err
	}
	if err := load(file); err != nil {
		t.Fatal(err)
	}
	rng := check.Rand(t)
	for n := range len(file) {
		if load(file[:n]) == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(file))
		}
	}
	if load(append(slices.Clone(file), 0)) == nil {
		t.Error("a byte too many: no error")
	}
	header := 8 + int(binary.LittleEndian.Uint64(file))
	for range 2000 {
		at, bit := rng.IntN(len(file)), rng.IntN(8)
		bad := slices.Clone(file)
		bad[at] ^= 1 << bit
		if load(bad) != nil {
			continue
		}
		// White space of the header's padding, or a letter's case in a field's
		// name, says the same as before.
		if at >= header || at < 8 {
			t.Fatalf("bit %d of byte %d flipped: no error", bit, at)
		}
		was, _, _ := decodeTensors(file)
		now, _, err := decodeTensors(bad)
		if err != nil || len(now) != len(was) {
			t.Fatalf("bit %d of header byte %d flipped: other tensors, no error", bit, at)
		}
		for name := range was {
			if !slices.Equal(was[name].data, now[name].data) {
				t.Fatalf("bit %d of header byte %d flipped: %s differs, no error", bit, at, name)
			}
		}
	}
}

// crafted makes a file of a header and data.
func crafted(t testing.TB, header string, data int) []byte {
	t.Helper()
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), make([]byte, data)...)
}

func TestCraftedFiles(t *testing.T) {
	huge, err := json.Marshal(map[string]any{"scale": 2, "colors": 1, "widths": []int{256}, "slots": slices.Repeat([]map[string]any{{"plain": []int{16}}}, 16)})
	if err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(string(huge))
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "file: 0 bytes"},
		{"header beyond the file", []byte{255, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, "header"},
		{"header of 2^63 bytes", []byte{0, 0, 0, 0, 0, 0, 0, 128}, "header"},
		{"no JSON", crafted(t, "hello", 0), "header"},
		{"double precision", crafted(t, `{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8), "dtype"},
		{"half precision of another length", crafted(t, `{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}}`, 8), "want 4 bytes"},
		{"half precision, not a number", append(crafted(t, `{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 0), 0, 0x7e), "finite"},
		{"2^40 floats", crafted(t, `{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}`, 4), "shape"},
		{"a shape that overflows", crafted(t, `{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}`, 0), "shape"},
		{"negative shape", crafted(t, `{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "shape"},
		{"offsets backwards", crafted(t, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "data"},
		{"offsets outside", crafted(t, `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "data"},
		{"overlap", crafted(t, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "overlap"},
		{"unread data", crafted(t, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "data: 8 bytes"},
		{"not a number", append(crafted(t, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0), 0, 0, 192, 127), "finite"},
		{"no space", crafted(t, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "space"},
		{"a space of gigabytes in a small file", crafted(t, `{"__metadata__":{"evosr.space":`+string(quoted)+`}}`, 0), "missing"},
		{"another format", crafted(t, `{"__metadata__":{"evosr.format":"supernet/9","evosr.checksum":"`+checksum(nil, map[string]string{metaFormat: "supernet/9"})+`"}}`, 0), "format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
		})
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there: no error")
	}
}

// FuzzDecode wants an error or a set of tensors, never a panic, for any bytes.
func FuzzDecode(f *testing.F) {
	f.Add(tinyFile(f))
	f.Add(crafted(f, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(crafted(f, `{"__metadata__":{"evosr.space":"{}"}}`, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, meta, err := decodeTensors(file)
		if err != nil {
			return
		}
		for name, s := range tensors {
			n := 1
			for _, d := range s.shape {
				n *= d
			}
			if n != len(s.data) {
				t.Fatalf("tensor %q: %d values for shape %v", name, len(s.data), s.shape)
			}
		}
		if sp, parts, err := parseSpace([]byte(meta[metaSpace])); err == nil {
			list := tensorsOf(sp, parts.Count())
			_ = fits(list, "", tensors)
		}
	})
}
