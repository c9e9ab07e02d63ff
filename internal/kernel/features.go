package kernel

import "golang.org/x/sys/cpu"

// Features are what a processor may have beyond what Go needs, by the groups in
// which kernels need them.
type Features struct {
	AVX512, AVX512VNNI bool // F, DQ, BW and VL; with products of bytes
	AVX2, AVXVNNI      bool // with FMA; with products of bytes
	DotProd, I8MM      bool // arm64's products of bytes: SDOT, USDOT
}

// CPU is what this processor has.
func CPU() Features {
	x, f := cpu.X86, Features{DotProd: cpu.ARM64.HasASIMDDP, I8MM: cpu.ARM64.HasI8MM}
	f.AVX512 = x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL
	f.AVX512VNNI = f.AVX512 && x.HasAVX512VNNI
	f.AVX2 = x.HasAVX2 && x.HasFMA
	f.AVXVNNI = f.AVX2 && x.HasAVXVNNI
	return f
}
