package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var probeArgs = &args{
	name: "probeArgs",
	doc:  "asks for rounds of arithmetic in registers alone.",
	fields: []field{
		{"rounds", "int", "at least 1"},
		{"scale", "[2]float32", "sums are multiplied by the first; the second pads"},
	},
}

// probeSums hides the latency of two fused multiply-adds a cycle.
const probeSums = 12

func probeFile() *file {
	f := newFile("probe", probeArgs)
	f.caller, f.table = "runProbe", "probeVariants"
	for _, s := range []isa{avx512, avx2} {
		f.probe(s)
	}
	return f
}

// probe writes the loop that shows the processor's peak: 12 independent fused
// multiply-adds a round.
func (f *file) probe(s isa) {
	f.begin("probe_f32_12_"+s.name, f.row(s, "OpProbe", 12, 0))
	c := f.ctx
	f.load("rounds", reg.RCX)
	c.VBROADCASTSS(f.args.at(reg.RDI, "scale"), s.v(probeSums))
	for i := range probeSums {
		c.VMOVAPS(s.v(probeSums), s.v(i))
	}
	c.Label("round")
	for i := range probeSums {
		c.VFMADD213PS(s.v(probeSums), s.v(probeSums), s.v(i))
	}
	c.DECQ(reg.RCX)
	c.JNZ(LabelRef("round"))
	f.end()
}
