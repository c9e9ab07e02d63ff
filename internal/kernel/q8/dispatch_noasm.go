//go:build (!amd64 && !arm64) || noasm

package q8

// Variants lists the assembly kernels: none in this build.
func Variants() []Variant { return nil }

func vectorSets() []*Set { return nil }
