//go:build amd64 && !noasm

package kernel

const (
	needsAVX512 = "AVX-512 F, DQ, BW and VL"
	needsAVX2   = "AVX2 and FMA"
)

var hasAVX512, hasAVX2 = CPU().AVX512, CPU().AVX2

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
