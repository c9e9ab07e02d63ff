// Package lint holds the house together: tests that read the source and hold
// it against docs/architecture.md.
package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "evosr"

// floors gives every room its floor. A room imports only rooms of lower floors.
var floors = map[string]int{
	"cmd/evosr":          8,
	"serve":              7,
	"report":             6,
	"runner":             6,
	"rundir":             5,
	"configs":            4,
	"fitness":            3,
	"deviceprofile":      2,
	"upscale":            2,
	"verify":             2,
	"doctor":             2,
	"supernet":           1,
	"sparse":             1,
	"onnx":               1,
	"onnx/opinion":       1,
	"network":            -1,
	"space":              0,
	"evolve":             0,
	"imaging":            0,
	"internal/kernel":    -1,
	"internal/kernel/q8": 0,
	"internal/half":      -1,
	"internal/relay":     -1,
	"internal/spell":     -1,
	"internal/stat":      -1,
	"internal/whole":     -1,
}

// helpers serve tests and are on no floor.
var helpers = []string{"internal/check", "internal/lint", "internal/problems"}

// doors names the room through which a third-party module enters, by the
// prefix of its import path. Tests may open a door listed in testDoors.
var doors = map[string]string{
	"gopkg.in/yaml.v3":              "configs",
	"github.com/MaxHalford/eaopt":   "evolve",
	"gorgonia.org/":                 "supernet",
	"gonum.org/":                    "supernet",
	"go4.org/unsafe":                "supernet",
	"github.com/owulveryck/onnx-go": "onnx/opinion",
	"google.golang.org/protobuf":    "onnx",
	"modernc.org/sqlite":            "rundir",
	"golang.org/x/image":            "imaging",
	"golang.org/x/sys":              "internal/kernel",
	"github.com/spf13/":             "cmd/evosr",
	"github.com/vbauerster/mpb":     "cmd/evosr",
	"golang.org/x/term":             "cmd/evosr",
	"pgregory.net/rapid":            "", // tests of every room
	"github.com/mmcloughlin/avo":    "internal/kernel/_gen",
}

// sideDoors lead to the same module as one of doors: Gorgonia is the oracle of
// the gradients, in tests, and the backend of onnx-go.
var sideDoors = map[string]string{
	"gorgonia.org/": "onnx/opinion",
}

type file struct {
	room, name string // room: folder from the root; name: path from the root
	test       bool
	text       string
	ast        *ast.File
	set        *token.FileSet
}

// source reads every Go file of the module. Folders that start with _ or hold a
// go.mod of their own belong to other modules.
func source(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if p != root && (strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "runs") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f := file{name: filepath.ToSlash(rel), text: string(text), set: token.NewFileSet(), test: strings.HasSuffix(p, "_test.go")}
		f.room = path.Dir(f.name)
		f.ast, err = parser.ParseFile(f.set, f.name, text, parser.ParseComments)
		out = append(out, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d Go files found: is the test looking at the right folder?", len(out))
	}
	return out
}

func TestFloors(t *testing.T) {
	for _, f := range source(t) {
		from, known := floors[f.room]
		if !known {
			if !slices.Contains(helpers, f.room) {
				t.Errorf("%s: room %q has no floor; give it one here and in docs/architecture.md", f.name, f.room)
			}
			continue
		}
		for _, imp := range f.ast.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			room, ours := strings.CutPrefix(p, module+"/")
			if !ours {
				checkDoor(t, f, p)
				continue
			}
			if slices.Contains(helpers, room) {
				if !f.test {
					t.Errorf("%s: imports the test helper %s outside a test", f.name, room)
				}
				continue
			}
			to, known := floors[room]
			switch {
			case !known:
				t.Errorf("%s: imports unknown room %q", f.name, room)
			case room != f.room && to >= from && !f.test:
				t.Errorf("%s: floor %d imports %s on floor %d", f.name, from, room, to)
			}
		}
	}
}

func checkDoor(t *testing.T, f file, imp string) {
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return // the standard library
	}
	for prefix, room := range doors {
		if !strings.HasPrefix(imp, prefix) {
			continue
		}
		if f.room == room || f.room == sideDoors[prefix] || f.test && room == "" {
			return
		}
		t.Errorf("%s: imports %s, whose door is %q", f.name, imp, room)
		return
	}
	t.Errorf("%s: imports %s, which has no door; give it one here and in docs/architecture.md", f.name, imp)
}

// TestHabits holds every file to the habits that a machine can see.
func TestHabits(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range source(t) {
		generated := ast.IsGenerated(f.ast)
		if f.ast.Doc != nil && !f.test {
			documented[f.room] = true
		}
		if n := strings.Count(f.text, "\n"); n > 600 && !generated {
			t.Errorf("%s: %d lines, want at most 600: split it by meaning", f.name, n)
		}
		if f.room == "internal/lint" {
			continue // it spells out what it forbids
		}
		for _, word := range []string{"TODO", "FIXME", "XXX", "not implemented", "unimplemented"} {
			if strings.Contains(f.text, word) {
				t.Errorf("%s: says %q: finish it or leave it out", f.name, word)
			}
		}
		for _, p := range []string{"/work" + "/", "/root" + "/", "bash_jobs"} {
			if strings.Contains(f.text, p) {
				t.Errorf("%s: holds the machine path %q", f.name, p)
			}
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init function", f.set.Position(fn.Pos()))
			}
		}
	}
	for room := range floors {
		if !documented[room] {
			t.Errorf("room %s: no package comment", room)
		}
	}
}

// TestPublicDocs asks for a comment on every exported declaration of the two
// rooms that other programs import.
func TestPublicDocs(t *testing.T) {
	for _, f := range source(t) {
		if f.test || f.room != "sparse" && f.room != "onnx" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && !onHiddenType(d) {
					t.Errorf("%s: %s has no comment", f.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no comment", f.set.Position(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	}
}

func onHiddenType(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	typ := d.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && !id.IsExported()
}
