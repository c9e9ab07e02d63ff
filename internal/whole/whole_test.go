package whole

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("the folder holds %v, %v, want the file alone", list, err)
		}
	}
	if err := WriteBytes(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	holds("one")

	// A failure half-way leaves the old text.
	full := errors.New("the disk is full")
	err := Write(path, 0o600, func(w io.Writer) error {
		if _, err := w.Write([]byte("tw")); err != nil {
			t.Fatal(err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, Temporary)); err != nil || len(left) != 1 {
			t.Errorf("unfinished files: %v, %v, want one", left, err)
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want the writer's own", err)
	}
	holds("one")

	if err := Write(path, 0o600, func(w io.Writer) error { _, err := w.Write([]byte("two")); return err }); err != nil {
		t.Fatal(err)
	}
	holds("two")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}

	if err := WriteBytes(filepath.Join(dir, "none", "a.txt"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	// A folder cannot be replaced by a file; nothing is left behind.
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(filepath.Join(dir, "sub"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := filepath.Glob(filepath.Join(dir, Temporary)); err != nil || len(left) != 0 {
		t.Errorf("unfinished files: %v, %v, want none", left, err)
	}
}
