package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	sample = []file{{path: "evosr", data: []byte("\x7fELF"), exec: true}, {path: "LICENSE", data: []byte("MIT")}, {path: "man/man1/evosr.1", data: []byte(".TH EVOSR")},
		{path: "completions/evosr.bash", data: []byte("complete")}, {path: "completions/evosr.ps1", data: []byte("Register")}, {path: "licences/go/LICENSE", data: []byte("BSD")}}
	day = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

// TestPackages: every kind of package holds the files that it is given, and is
// the same bytes when it is made again.
func TestPackages(t *testing.T) {
	for _, tt := range []struct {
		name string
		pack func() ([]byte, error)
		list func([]byte) ([]string, error)
		want []string
	}{
		{"tar.gz", func() ([]byte, error) { return tarball("evosr-1", sample, day) }, listTar,
			[]string{"-rwxr-xr-x evosr-1/evosr", "-rw-r--r-- evosr-1/LICENSE", "-rw-r--r-- evosr-1/man/man1/evosr.1", "-rw-r--r-- evosr-1/completions/evosr.bash"}},
		{"zip", func() ([]byte, error) { return zipped("evosr-1", sample, day) }, listZip,
			[]string{"-rwxr-xr-x evosr-1/evosr", "-rw-r--r-- evosr-1/LICENSE"}},
		{"deb", func() ([]byte, error) { return debian("1.0.0", "arm64", sample, day) }, listDeb,
			[]string{"-rwxr-xr-x ./usr/bin/evosr", "-rw-r--r-- ./usr/share/doc/evosr/copyright", "-rw-r--r-- ./usr/share/man/man1/evosr.1.gz",
				"-rw-r--r-- ./usr/share/bash-completion/completions/evosr", "-rw-r--r-- ./usr/share/doc/evosr/licences/go/LICENSE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, err := tt.pack()
			if err != nil {
				t.Fatal(err)
			}
			two, err := tt.pack()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, two) {
				t.Error("made again it has other bytes")
			}
			got, err := tt.list(one)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !slices.Contains(got, w) {
					t.Errorf("%q is not among %q", w, got)
				}
			}
			if tt.name == "deb" && strings.Contains(strings.Join(got, " "), "ps1") {
				t.Error("PowerShell's completion is in the Debian package")
			}
		})
	}
}

func listTar(data []byte) ([]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var list []string
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, h.FileInfo().Mode().String()+" "+h.Name)
	}
}

func listZip(data []byte) ([]string, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, f := range z.File {
		list = append(list, f.Mode().String()+" "+f.Name)
	}
	return list, nil
}

// listDeb lists the data of a .deb, an ar archive (deb(5)) of members with a
// header of 60 bytes each.
func listDeb(data []byte) ([]string, error) {
	for at := len("!<arch>\n"); at+60 <= len(data); {
		head := string(data[at : at+60])
		size := 0
		for _, c := range strings.TrimSpace(head[48:58]) {
			size = 10*size + int(c-'0')
		}
		if strings.HasPrefix(head, "data.tar.gz") {
			return listTar(data[at+60 : at+60+size])
		}
		at += 60 + size + size%2
	}
	return nil, io.ErrUnexpectedEOF
}

// TestNotices: a module's licence is found by its usual names, and a module
// without one is refused.
func TestNotices(t *testing.T) {
	dir := t.TempDir()
	if _, err := notices("example.org/bare", dir); err == nil || !strings.Contains(err.Error(), "example.org/bare") {
		t.Errorf("no licence gives %v", err)
	}
	for _, name := range []string{"LICENSE", "LICENSE-MIT", "Copying.md", "NOTICE.txt", "licensed.go", "main.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := notices("example.org/m", dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, f.path)
	}
	slices.Sort(got)
	want := []string{"licences/example.org/m/Copying.md", "licences/example.org/m/LICENSE", "licences/example.org/m/LICENSE-MIT", "licences/example.org/m/NOTICE.txt"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSums: sums are written as sha256sum -c reads them.
func TestSums(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := sums(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestEmbedded holds the table of what is embedded against the files.
func TestEmbedded(t *testing.T) {
	for _, e := range embedded {
		found, err := filepath.Glob(filepath.Join("..", e.files))
		if err != nil || len(found) == 0 {
			t.Errorf("%s: no licence at %s (%v)", e.name, e.files, err)
		}
		scripts, err := filepath.Glob(filepath.Join("..", filepath.Dir(e.files), e.name+"*.js"))
		if err != nil || len(scripts) == 0 {
			t.Fatalf("%s: not there (%v)", e.name, err)
		}
		text, err := os.ReadFile(scripts[0])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(`version="`+e.version+`"`)) {
			t.Errorf("%s is not of version %s", scripts[0], e.version)
		}
	}
}
