//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

const (
	needsAVX512 = "AVX-512 F, DQ, BW and VL"
	needsAVX2   = "AVX2 and FMA"
)

var (
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
)

// sets are the Sets of this processor, the fastest first.
var sets = func() (all []*Set) {
	if hasAVX512 {
		all = append(all, newSet("avx512"))
	}
	if hasAVX2 {
		all = append(all, newSet("avx2"))
	}
	return all
}()
