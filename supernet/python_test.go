package supernet

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// python finds one that has numpy.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import numpy").Run() == nil {
			return name
		}
	}
	t.Skip("no python3 with numpy")
	return ""
}

// TestPythonReader wants a file that the Python reader read and wrote again to
// hold the same weights.
func TestPythonReader(t *testing.T) {
	exe, dir := python(t), t.TempDir()
	s := distinct(t, smallSpace(2, 1))
	from, to := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	if err := s.Save(from, map[string]string{"data": "drawings"}); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(exe, filepath.Join("..", "bench", "torch", "reader.py"), from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got, meta, err := Load(to)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != s.Hash() || meta["data"] != "drawings" {
		t.Errorf("hash %s, want %s; metadata %q", got.Hash(), s.Hash(), meta)
	}
}
