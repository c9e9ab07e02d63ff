//go:build (amd64 || arm64) && !noasm

package q8

import "slices"

// Variants lists the assembly kernels of this build, whether they run here or
// not, the fastest instruction set first. Sets, tests and benchmarks are all made
// from it.
func Variants() []Variant { return slices.Concat(convVariants, packVariants, probeVariants) }

// sets are the Sets of this processor, the fastest first.
var sets = func() (all []*Set) {
	for _, v := range convVariants {
		if v.Runs && (len(all) == 0 || all[len(all)-1].Name != v.ISA) {
			all = append(all, newSet(v.ISA))
		}
	}
	return all
}()

func vectorSets() []*Set { return slices.Clip(sets) }

// newSet makes the Set of an instruction set from the table of its variants.
func newSet(isa string) *Set {
	var own []Variant
	for _, v := range Variants() {
		if v.ISA == isa {
			own = append(own, v)
		}
	}
	t := newTiles(own)
	return &Set{Name: isa, MaxWeight: t.most, Conv: t.conv, Pack: t.pack, Narrow: t.narrow, peak: t.peak}
}
