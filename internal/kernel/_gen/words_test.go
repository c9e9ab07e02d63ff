package main

import (
	"bytes"
	"testing"
)

// TestWords holds the encoders against GNU as 2.40 and llvm-mc 14, which assembled
// the texts into these bits.
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
		{sqadd(1, 2, 3), 0x4e630c41, "sqadd v1.8h, v2.8h, v3.8h"},
		{sqadd(31, 16, 24), 0x4e780e1f, "sqadd v31.8h, v16.8h, v24.8h"},
		{sqrdmulh(4, 30, 9), 0x6e69b7c4, "sqrdmulh v4.8h, v30.8h, v9.8h"},
		{umax(21, 10, 31), 0x6e3f6555, "umax v21.16b, v10.16b, v31.16b"},
		{umin(5, 5, 24), 0x6e386ca5, "umin v5.16b, v5.16b, v24.16b"},
		{fmaxnm(5, 6, 24), 0x4e38c4c5, "fmaxnm v5.4s, v6.4s, v24.4s"},
		{fminnm(17, 30, 9), 0x4ea9c7d1, "fminnm v17.4s, v30.4s, v9.4s"},
		{scvtf(17, 30), 0x4e21dbd1, "scvtf v17.4s, v30.4s"},
		{fcvtns(6, 29), 0x4e21aba6, "fcvtns v6.4s, v29.4s"},
		{sqxtn(3, 28, false), 0x0e614b83, "sqxtn v3.4h, v28.4s"},
		{sqxtn(31, 2, true), 0x4e61485f, "sqxtn2 v31.8h, v2.4s"},
		{sqxtun(7, 23, false), 0x2e212ae7, "sqxtun v7.8b, v23.8h"},
		{sqxtun(24, 9, true), 0x6e212938, "sqxtun2 v24.16b, v9.8h"},
		{sdotLane(0, 1, 2, 3), 0x4fa2e820, "sdot v0.4s, v1.16b, v2.4b[3]"},
		{sdotLane(31, 26, 25, 0), 0x4f99e35f, "sdot v31.4s, v26.16b, v25.4b[0]"},
		{sdotLane(17, 5, 31, 1), 0x4fbfe0b1, "sdot v17.4s, v5.16b, v31.4b[1]"},
		{sdotLane(9, 31, 16, 2), 0x4f90ebe9, "sdot v9.4s, v31.16b, v16.4b[2]"},
		{usdotLane(0, 1, 2, 3), 0x4fa2f820, "usdot v0.4s, v1.16b, v2.4b[3]"},
		{usdotLane(31, 26, 25, 0), 0x4f99f35f, "usdot v31.4s, v26.16b, v25.4b[0]"},
		{loadAt(0, 1, 2), 0x3ce26820, "ldr q0, [x1, x2]"},
		{loadAt(31, 30, 26), 0x3cfa6bdf, "ldr q31, [x30, x26]"},
	}
	for _, tt := range tests {
		if tt.got.bits != tt.bits || tt.got.text != tt.text {
			t.Errorf("%08x %s, want %08x %s", tt.got.bits, tt.got.text, tt.bits, tt.text)
		}
	}
}

// TestVEX does so for the one instruction of AVX-VNNI.
func TestVEX(t *testing.T) {
	tests := []struct {
		w, src, acc int
		want        []byte
	}{
		{12, 13, 0, []byte{0xc4, 0xc2, 0x15, 0x50, 0xc4}},
		{5, 7, 15, []byte{0xc4, 0x62, 0x45, 0x50, 0xfd}},
		{8, 0, 9, []byte{0xc4, 0x42, 0x7d, 0x50, 0xc8}},
	}
	for _, tt := range tests {
		if got := vpdpbusdVEX(tt.w, tt.src, tt.acc); !bytes.Equal(got, tt.want) {
			t.Errorf("vpdpbusd ymm%d, ymm%d, ymm%d is %x, want %x", tt.acc, tt.src, tt.w, got, tt.want)
		}
	}
}

// TestWordsMisuse: what has no encoding is not given another one's.
func TestWordsMisuse(t *testing.T) {
	for name, call := range map[string]func(){
		"register 32": func() { fadd(32, 0, 0) },
		"register -1": func() { fsqrt(0, -1) },
		"lane 4":      func() { fmlaLane(0, 0, 0, 4) },
		"byte lane 4": func() { sdotLane(0, 0, 0, 4) },
		"ymm16":       func() { vpdpbusdVEX(0, 16, 0) },
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
