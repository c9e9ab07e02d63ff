//go:build amd64 && !noasm

package q8

import "evosr/internal/kernel"

const (
	needsAVX512VNNI = "AVX-512 F, DQ, BW, VL and VNNI"
	needsAVXVNNI    = "AVX2, FMA and AVX-VNNI"
	needsAVX2       = "AVX2 and FMA"
)

var hasAVX512VNNI, hasAVXVNNI, hasAVX2 = kernel.CPU().AVX512VNNI, kernel.CPU().AVXVNNI, kernel.CPU().AVX2
