package main

import . "github.com/mmcloughlin/avo/operand"

// pairs are the operations on two slices that OpPair numbers by B.
var pairs = []string{1: "mul", 2: "sub", 3: "max"}

// pair: dst = a op b.
func (f *file) pair(s isa, kind int) {
	f.begin(pairs[kind]+"_f32_"+s.name, f.row(s, "OpPair", kind, 0))
	c := f.ctx
	f.loop(s, []string{"dst", "a", "b"}, func(p map[string]Mem) {
		c.VMOVUPS(p["a"], s.v(0))
		switch pairs[kind] {
		case "mul":
			c.VMULPS(p["b"], s.v(0), s.v(0))
		case "sub":
			c.VSUBPS(p["b"], s.v(0), s.v(0))
		case "max":
			c.VMAXPS(p["b"], s.v(0), s.v(0))
		}
		c.VMOVUPS(s.v(0), p["dst"])
	})
	f.end()
}

// pair: the same for NEON.
func (f *neonFile) pair(kind int) {
	f.begin(pairs[kind]+"_f32_neon", f.row(neon, "OpPair", kind, 0))
	f.loop([]string{"dst", "a", "b"}, func() {
		f.next("a", 0)
		f.next("b", 1)
		switch pairs[kind] {
		case "mul":
			f.word(fmul(0, 0, 1))
		case "sub":
			f.word(fsub(0, 0, 1))
		case "max":
			f.word(fmax(0, 0, 1))
		}
		f.put(0, "dst")
	})
	f.end()
}
