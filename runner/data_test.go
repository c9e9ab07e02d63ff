package runner

import (
	"slices"
	"testing"

	"evosr/imaging"
)

// TestPhoto wants a photo to give back what was decoded, bit for bit, and its
// hash to know size and content but not the name.
func TestPhoto(t *testing.T) {
	p := imaging.Procedural(3, 0, 48)
	ph := newPhoto("a", p)
	if got := ph.plane(); got.W != p.W || got.H != p.H || !slices.Equal(got.Pix, p.Pix) {
		t.Error("the plane of a photo is not the one it was made of")
	}
	wide, other := p.Clone(), p.Clone()
	wide.W, wide.H = 2*p.W, p.H/2
	other.Pix[7] = 1 - other.Pix[7]
	hash := func(name string, p *imaging.Plane) string { return sum([]photo{newPhoto(name, p)}) }
	if hash("a", p) != hash("b", p) {
		t.Error("the name is in the hash")
	}
	if hash("a", p) == hash("a", wide) || hash("a", p) == hash("a", other) {
		t.Error("pictures of other sizes or levels have the same hash")
	}
}
