package spell

import "testing"

func TestLikely(t *testing.T) {
	words := []string{"psnr_db", "ssim", "latency_ms", "params", "macs", "block2", "block4"}
	for name, want := range map[string]string{
		"psnr": "psnr_db", "PSNR-DB": "psnr_db", "psnr_bd": "psnr_db", "latency": "latency_ms", "parms": "params", "macss": "macs",
		"block":  "block2", // the nearest, of two that begin like it
		"bolck4": "block4", "x": "", "something else": "", "": "",
	} {
		if got := Likely(name, words); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Nearest("a word of more than forty characters, which nobody meant", words); got != "" {
		t.Errorf("a long text is %q", got)
	}
}
