package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// outside is the field of a tensor whose data lie elsewhere.
func outside(entries ...string) []byte {
	b := numberField(tensorDataLocation, 1)
	for i := 0; i < len(entries); i += 2 {
		b = append(b, bytesField(tensorExternal, bytesField(entryKey, []byte(entries[i])), bytesField(entryValue, []byte(entries[i+1])))...)
	}
	return b
}

// TestExternal reads weights from a file beside the model: the same network as
// from one file.
func TestExternal(t *testing.T) {
	m := small(t)
	want, err := m.Graph(ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var blob []byte
	var tensors [][]byte
	for i := range m.graph.initializers {
		w := &m.graph.initializers[i]
		b := numberField(tensorType, int64(w.kind))
		for _, d := range w.dims {
			b = append(b, numberField(tensorDims, d)...)
		}
		b = append(b, bytesField(tensorName, []byte(w.name))...)
		at := len(blob)
		blob = append(blob, w.raw...)
		b = append(b, outside("location", "sub/weights.bin", "offset", strconv.Itoa(at), "length", strconv.Itoa(len(w.raw)), "checksum", "x")...)
		tensors = append(tensors, bytesField(graphInitializer, b))
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "weights.bin"), blob, 0o644); err != nil {
		t.Fatal(err)
	}
	m.graph.initializers = nil
	graph := append(m.graph.encode(), slices.Concat(tensors...)...)
	data := slices.Concat(numberField(modelIR, 7), bytesField(modelGraph, graph), bytesField(modelOpset, numberField(opsetVersion, 13)))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := Decode(data); err == nil || !strings.Contains(err.Error(), `data lie in another file ("sub/weights.bin")`) {
		t.Errorf("by default: %v", err)
	}
	back, err := DecodeExternal(data, root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := back.Graph(ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want.Genome = got.Genome
	for i := range want.Nodes {
		want.Nodes[i].Prune = got.Nodes[i].Prune
	}
	sameNet(t, got, want)
}

// TestExternalRefuses tries to get at what does not lie below the folder.
func TestExternalRefuses(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "model")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	four := bytes.Repeat([]byte{0}, 4)
	for _, f := range []string{filepath.Join(top, "secret"), filepath.Join(dir, "short"), filepath.Join(dir, "good")} {
		if err := os.WriteFile(f, four, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "short"), 3); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out": "../secret", "absolute": filepath.Join(top, "secret"), "inside": "good", "loop": "loop", "up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	one := numberField(tensorDims, 1)
	tests := []struct {
		name   string
		fields []byte
		want   string
	}{
		{"a file beside", outside("location", "good"), ""},
		{"a link to one", outside("location", "inside", "offset", "0", "length", "4"), ""},
		{"a folder above", outside("location", "../secret"), "below the model's folder"},
		{"a folder above, later", outside("location", "x/../../secret"), "below the model's folder"},
		{"an absolute name", outside("location", "/etc/passwd"), "below the model's folder"},
		{"a link that leads out", outside("location", "out"), "escapes"},
		{"an absolute link", outside("location", "absolute"), "escapes"},
		{"through a link that leads out", outside("location", "up/secret"), "escapes"},
		{"a link to itself", outside("location", "loop"), "too many"},
		{"a folder", outside("location", "."), "is no regular file"},
		{"a pipe", outside("location", "pipe"), "is no regular file"},
		{"no file", outside("location", "absent"), "no such file"},
		{"no location", outside(), "want the name of a file"},
		{"a file too short", outside("location", "short"), "has 3 bytes, want 4 from byte 0 on"},
		{"beyond the end", outside("location", "good", "offset", "1"), "has 4 bytes, want 4 from byte 1 on"},
		{"an offset that overflows", outside("location", "good", "offset", "9223372036854775807"), "has 4 bytes"},
		{"a negative offset", outside("location", "good", "offset", "-1"), `offset "-1", want a number of bytes`},
		{"another length", outside("location", "good", "length", "8"), "length 8, want 4"},
		{"twice", outside("location", "good", "location", "short"), `"location" is given twice`},
		{"here and there", append(outside("location", "good"), bytesField(tensorRaw, four)...), "in this file and in another"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeExternal(tensorOf(one, float32Field, tt.fields), root)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := DecodeExternal(tensorOf(numberField(tensorDims, 1<<40), float32Field, outside("location", "good")), root); err == nil || !strings.Contains(err.Error(), "from other files") {
		t.Errorf("2^40 floats: %v", err)
	}
}
