package main

import (
	"bytes"
	"embed"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"

	"evosr/sparse"
)

// Templates of a Go package around a program.
//
//go:embed gopackage/*.tmpl
var goTemplates embed.FS

// goPackage is what the templates are filled with.
type goPackage struct {
	Name, About   string
	Scale, Colors int
	Go            string // version
	Module        string // where evosr lies
}

// writeGoPackage writes a package that runs p into a folder, which must be new or
// empty. module is the folder of evosr's source, seen from there.
func writeGoPackage(dir, about, module string, p *sparse.Program) error {
	name := strings.ToLower(filepath.Base(filepath.Clean(dir)))
	if !token.IsIdentifier(name) || strings.ContainsAny(name, "_") {
		return usagef("%s: %q is no name of a Go package, want letters and digits", dir, name)
	}
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return usagef("%s is not empty: name a new folder", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return dataf("%s: %w", dir, reason(err))
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(runtime.Version(), "go"), " ")
	v := goPackage{Name: name, About: about, Scale: p.Scale(), Colors: p.Colors(), Module: filepath.ToSlash(module), Go: strings.Join(append(strings.Split(version, "."), "0")[:2], ".")}
	t, err := template.ParseFS(goTemplates, "gopackage/*.tmpl")
	if err != nil {
		panic(err) // they are ours
	}
	for _, file := range t.Templates() {
		var text bytes.Buffer
		if err := file.Execute(&text, v); err != nil {
			return err
		}
		path := filepath.Join(dir, strings.TrimSuffix(file.Name(), ".tmpl"))
		if err := writeWhole(path, func(w io.Writer) error { _, err := w.Write(text.Bytes()); return err }); err != nil {
			return err
		}
	}
	return writeWhole(filepath.Join(dir, "network.evosr"), func(w io.Writer) error { return sparse.Encode(w, p) })
}
