package imaging

import (
	"slices"
	"testing"
)

// TestRGB wants every corner of the cube and a walk through it back unchanged.
func TestRGB(t *testing.T) {
	var rgb [3]*Plane
	for c := range rgb {
		rgb[c] = NewPlane(64, 64)
		for i := range rgb[c].Pix {
			rgb[c].Pix[i] = float32((i*(37+50*c)+i/64)%256) / 255
		}
	}
	got := NewRGB(rgb).RGB()
	for c := range rgb {
		if !slices.Equal(got[c].Pix, rgb[c].Pix) {
			t.Errorf("plane %d came back changed", c)
		}
	}
	grey := (&Picture{Y: rgb[1]}).RGB()
	for c := range grey {
		if !slices.Equal(grey[c].Pix, rgb[1].Pix) {
			t.Errorf("plane %d of a grey picture is not what it stores", c)
		}
	}
}
