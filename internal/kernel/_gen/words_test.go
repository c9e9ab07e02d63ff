package main

import "testing"

// TestWords holds the encoders against GNU as 2.40, which assembled the texts
// into these bits.
func TestWords(t *testing.T) {
	tests := []struct {
		got  word
		bits uint32
		text string
	}{
		{fadd(0, 1, 2), 0x4e22d420, "fadd v0.4s, v1.4s, v2.4s"},
		{fadd(31, 16, 8), 0x4e28d61f, "fadd v31.4s, v16.4s, v8.4s"},
		{fsub(4, 30, 9), 0x4ea9d7c4, "fsub v4.4s, v30.4s, v9.4s"},
		{fmul(21, 10, 31), 0x6e3fdd55, "fmul v21.4s, v10.4s, v31.4s"},
		{fdiv(18, 18, 19), 0x6e33fe52, "fdiv v18.4s, v18.4s, v19.4s"},
		{fmax(5, 5, 24), 0x4e38f4a5, "fmax v5.4s, v5.4s, v24.4s"},
		{fmin(5, 5, 24), 0x4eb8f4a5, "fmin v5.4s, v5.4s, v24.4s"},
		{fcmlt0(17, 30), 0x4ea0ebd1, "fcmlt v17.4s, v30.4s, #0.0"},
		{faddp(24, 7, 23), 0x6e37d4f8, "faddp v24.4s, v7.4s, v23.4s"},
		{fcmeq(6, 4, 12), 0x4e2ce486, "fcmeq v6.4s, v4.4s, v12.4s"},
		{fsqrt(18, 25), 0x6ea1fb32, "fsqrt v18.4s, v25.4s"},
		{fabs(6, 29), 0x4ea0fba6, "fabs v6.4s, v29.4s"},
		{fcmgt0(17, 30), 0x4ea0cbd1, "fcmgt v17.4s, v30.4s, #0.0"},
		{fcmeq0(6, 20), 0x4ea0da86, "fcmeq v6.4s, v20.4s, #0.0"},
		{fmlaLane(0, 10, 8, 0), 0x4f881140, "fmla v0.4s, v10.4s, v8.s[0]"},
		{fmlaLane(31, 26, 25, 1), 0x4fb9135f, "fmla v31.4s, v26.4s, v25.s[1]"},
		{fmlaLane(17, 5, 31, 2), 0x4f9f18b1, "fmla v17.4s, v5.4s, v31.s[2]"},
		{fmlaLane(9, 31, 16, 3), 0x4fb01be9, "fmla v9.4s, v31.4s, v16.s[3]"},
		{loadAt(0, 1, 2), 0x3ce26820, "ldr q0, [x1, x2]"},
		{loadAt(31, 30, 26), 0x3cfa6bdf, "ldr q31, [x30, x26]"},
	}
	for _, tt := range tests {
		if tt.got.bits != tt.bits || tt.got.text != tt.text {
			t.Errorf("%08x %s, want %08x %s", tt.got.bits, tt.got.text, tt.bits, tt.text)
		}
	}
}

// TestWordsMisuse: what has no encoding is not given another one's.
func TestWordsMisuse(t *testing.T) {
	for name, call := range map[string]func(){
		"register 32": func() { fadd(32, 0, 0) },
		"register -1": func() { fsqrt(0, -1) },
		"lane 4":      func() { fmlaLane(0, 0, 0, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
