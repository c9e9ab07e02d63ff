package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// text writes s.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// TestWriteWhole: a file appears whole or not at all, a link stays a link, and
// a pipe stays a pipe.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	content := func(name string) string {
		b, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := writeWhole(at("a file"), text("one")); err != nil || content("a file") != "one" {
		t.Fatalf("a new file: %v", err)
	}
	if err := os.Chmod(at("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(at("a file"), func(w io.Writer) error {
		return errors.Join(text("half")(w), errors.New("it stops here"))
	}); err == nil || err.Error() != "it stops here" || content("a file") != "one" {
		t.Errorf("a failed write: %v, the file holds %q, want what it held", err, content("a file"))
	}
	if err := os.Symlink("a file", at("link")); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(at("link"), text("two")); err != nil || content("a file") != "two" {
		t.Errorf("through a link: %v, the file holds %q", err, content("a file"))
	}
	if info, err := os.Lstat(at("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if info, err := os.Stat(at("a file")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions are %v, want those that the file had: %v", info.Mode().Perm(), err)
	}
	if err := writeWhole(dir, text("x")); codeOf(err) != exitUsage || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("onto a folder: %v", err)
	}
	if err := writeWhole(at("none/file"), text("x")); codeOf(err) != exitData || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("into no folder: %v", err)
	}
	if got := names(t, dir); got != "a file link" {
		t.Errorf("the folder holds %s", got)
	}
}

// TestWriteIntoPipe: what is no file is written to, never replaced.
func TestWriteIntoPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	path := fmt.Sprintf("/dev/fd/%d", w.Fd())
	if info, err := os.Stat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Skip("this system has no names for open files")
	}
	if err := writeWhole(path, text("through")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "through" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

// TestFullDisk: a file that finds no room is no wrong usage.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("this system has no " + full)
	}
	dir := t.TempDir()
	models(t, dir, 2)
	for _, name := range []string{"x.onnx", "x.evosr"} {
		if err := os.Symlink(full, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if r := evosr(t, dir, nil, "convert", "model.onnx", name); r.code != exitData || !strings.Contains(r.stderr, "no space left") {
			t.Errorf("%s: exit %d, %s", name, r.code, r.stderr)
		}
	}
}
