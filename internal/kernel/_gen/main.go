// Command _gen writes the assembly of package kernel and of its q8 for amd64 (by
// avo) and for arm64 (by the few lines of neon.go), and the Go files that declare
// it, one pair for each group of operations. Run it by `make generate`, or here by `go
// run .`; equal sources give equal bytes.
//
// A kernel is named by what it is: operation, type, tile, instruction set. All
// take one pointer to a struct of arguments whose fields are eight bytes each;
// the struct's Go declaration is written from the same list of fields.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	for _, f := range []*file{convFile(), gradFile(), elementFile(), probeFile(), winogradFile(), q8ConvFile(), q8PackFile(), q8ProbeFile()} {
		asm, err := f.assembly()
		if err != nil {
			log.Fatalf("_gen: %s: %v", f.name, err)
		}
		f.write(asm)
	}
	for _, f := range []*neonFile{neonConvFile(), neonGradFile(), neonElementFile(), neonProbeFile(), q8ConvNEON(), q8PackNEON(), q8ProbeNEON()} {
		f.write(f.assembly())
	}
}

// write writes the pair of files.
func (f *stub) write(asm []byte) {
	text, err := f.declarations()
	if err != nil {
		log.Fatalf("_gen: %s: %v", f.name, err)
	}
	f.save(".s", asm)
	f.save(".go", text)
}

// save writes one of the two into the room's folder.
func (f *stub) save(ext string, text []byte) {
	dir := ".."
	if f.room != "kernel" {
		dir = filepath.Join(dir, f.room)
	}
	if err := os.WriteFile(filepath.Join(dir, f.name+"_"+f.arch+ext), text, 0o644); err != nil {
		log.Fatal(fmt.Errorf("_gen: %w", err))
	}
}
