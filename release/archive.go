package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
)

// file is one of an archive.
type file struct {
	path string // with slashes, from the archive's folder on
	data []byte
	exec bool
}

func (f file) mode() os.FileMode {
	if f.exec {
		return 0o755
	}
	return 0o644
}

// tarball packs files into the folder name of a .tar.gz, all of one moment and
// of nobody.
func tarball(name string, list []file, moment time.Time) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range list {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(name, f.path), Size: int64(len(f.data)), Mode: int64(f.mode()), ModTime: moment, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// zipped packs files into the folder name of a .zip, all of one moment.
func zipped(name string, list []file, moment time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range list {
		h := &zip.FileHeader{Name: path.Join(name, f.path), Method: zip.Deflate, Modified: moment}
		h.SetMode(f.mode())
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

// debian packs files into a .deb, each where Debian's policy wants it.
func debian(version, arch string, list []file, moment time.Time) ([]byte, error) {
	dir, err := os.MkdirTemp("", "evosr-deb")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var contents files.Contents
	for _, f := range list {
		at := debianPath(f.path)
		if at == "" {
			continue
		}
		source := filepath.Join(dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return nil, err
		}
		data := f.data
		if strings.HasPrefix(f.path, "man/") {
			if data, err = gzipped(data); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(source, data, 0o644); err != nil {
			return nil, err
		}
		contents = append(contents, &files.Content{
			Source: source, Destination: at,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode(), MTime: moment},
		})
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "evosr", Arch: arch, Platform: "linux", Version: version, Section: "graphics", Priority: "optional",
		Maintainer:   "evosr <evosr@localhost>",
		Description:  "super-resolution networks that fit a device\n evosr searches architecture and pruning of super-resolution networks for a\n device and a time budget, and runs them.",
		MTime:        moment,
		Overridables: nfpm.Overridables{Contents: contents},
	})
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return nil, err
	}
	packager, err := nfpm.Get("deb")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = packager.Package(info, &b)
	return b.Bytes(), err
}

// debianPath is where a file of the archive lies in a Debian system, "" if it
// is not in the package.
func debianPath(name string) string {
	for _, s := range shells {
		if name == "completions/"+s.file {
			return s.debian
		}
	}
	switch {
	case name == "evosr":
		return "/usr/bin/evosr"
	case name == "LICENSE":
		return "/usr/share/doc/evosr/copyright"
	case strings.HasPrefix(name, "man/"):
		return "/usr/share/" + name + ".gz"
	}
	return "/usr/share/doc/evosr/" + name
}

func gzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}
