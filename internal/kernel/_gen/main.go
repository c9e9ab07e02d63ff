// Command _gen writes the amd64 assembly of package kernel and the Go file
// that declares it, one pair for each group of operations. Run it by `make
// generate`, or here by `go run .`; equal sources give equal bytes.
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
	for _, f := range []*file{convFile(), gradFile(), elementFile(), probeFile()} {
		asm, stub, err := f.render()
		if err != nil {
			log.Fatalf("_gen: %s: %v", f.name, err)
		}
		write(f.name+"_amd64.s", asm)
		write(f.name+"_amd64.go", stub)
	}
}

func write(name string, text []byte) {
	if err := os.WriteFile(filepath.Join("..", name), text, 0o644); err != nil {
		log.Fatal(fmt.Errorf("_gen: %w", err))
	}
}
