package rundir

import (
	"context"
	"slices"
	"testing"

	"evosr/configs"
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

func TestCropsShowDetail(t *testing.T) {
	text, err := configs.Preset("smoke")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configs.Parse("smoke.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	half := imaging.NewPlane(160, 160) // texture in one corner of a flat picture
	for y := range half.H {
		for x := range half.W {
			half.Pix[y*half.W+x] = 0.5
			if x > 60 && y > 60 && (x/2+y/2)%2 == 0 {
				half.Pix[y*half.W+x] = 0.2
			}
		}
	}
	pairs := crops(cfg, []photo{newPhoto("half", half)})
	for _, p := range pairs {
		if detail(p.HR) == 0 {
			t.Errorf("%s: a flat crop", p.Name)
		}
	}
	again := crops(cfg, []photo{newPhoto("half", half)})
	if sumPairs(pairs) != sumPairs(again) {
		t.Error("the same pictures give other crops")
	}
	other := *cfg
	other.Seed++
	if sumPairs(pairs) == sumPairs(crops(&other, []photo{newPhoto("half", half)})) {
		t.Error("another seed gives the same crops")
	}
	drawn := &Pictures{}
	if err := drawn.DrawTraining(t.Context(), cfg, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	val, err := draw(t.Context(), Stream(cfg.Seed, "validation pictures"), 2, cfg.Data.Size, func(int, int) {})
	if err != nil || sum(drawn.train[:1]) == sum(val[:1]) {
		t.Errorf("validation pictures are training pictures (%v)", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := drawn.DrawTraining(ctx, cfg, func(int, int) {}); err == nil {
		t.Error("drawing went on after its context ended")
	}
}
