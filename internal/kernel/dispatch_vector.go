//go:build (amd64 || arm64) && !noasm

package kernel

import "slices"

// Variants lists the assembly kernels of this build, whether they run here or
// not. Sets, tests and benchmarks are all made from it.
func Variants() []Variant {
	return slices.Concat(convVariants, gradVariants, elementVariants, winogradVariants, probeVariants)
}

func vectorSets() []*Set { return slices.Clip(sets) }

// newSet makes the Set of an instruction set from the table of its variants.
func newSet(isa string) *Set {
	var own []Variant
	for _, v := range Variants() {
		if v.ISA == isa {
			own = append(own, v)
		}
	}
	s := *scalar
	s.Name = isa
	for _, v := range own {
		if v.Op == OpProbe {
			s.peak = v.peak
		}
	}
	e := newElements(own)
	s.Axpy, s.Blend, s.SumSquares, s.Adam, s.AbsGrad, s.Gate = e.axpy, e.blend, e.sumSquares, e.adam, e.absGrad, e.gate
	s.PReLUGrad = e.preluGrad
	s.Tanh, s.Sigmoid = e.tanh, e.sigmoid
	s.Shuffle, s.Stream, s.Unshuffle = e.shuffle, e.stream, e.unshuffle
	s.Mul, s.Sub, s.Max = e.pair(1), e.pair(2), e.pair(3)
	if s.winograd = newWinograd(own); s.winograd != nil {
		s.WinogradGrad = s.winograd.grad
	}
	conv := newConvTiles(own)
	s.Conv, s.Chain = conv.conv, conv.chain
	s.WeightGrad = newGradTiles(own).weightGrad
	return &s
}

// peak runs a probe's loop of B multiply-adds a round.
func (v Variant) peak(rounds int) float64 {
	runProbe(v.ID, &probeArgs{rounds: rounds, scale: [2]float32{0.5}})
	return float64(rounds) * float64(v.B*v.Lanes) * 2
}
