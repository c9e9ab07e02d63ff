package deviceprofile

import (
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/internal/stat"
	"evosr/space"
)

// TestScout: what is measured next is what models disagree about, more than what
// is drawn at random, and belongs to the space; the simple networks come first.
func TestScout(t *testing.T) {
	rng := check.Rand(t)
	sp := general()
	p := &Profile{Runtime: Evosr, Kernels: "avx512", Threads: 1, Width: 320, Height: 180, Scale: 2, Colors: 1}
	nets := made(t, known(), rng, 32)
	for _, n := range nets { // measurements are not exact
		for i := range n.byLayer {
			n.byLayer[i][0] = time.Duration(float64(n.byLayer[i][0]) * (1 + 0.1*rng.Float64()))
		}
	}
	s := &scout{space: sp, profile: p, sizes: [][2]int{{320, 180}, {160, 90}}, rng: rng}
	s.look(nets)
	if len(s.queue) != scoutPick {
		t.Fatalf("%d networks are chosen, want %d", len(s.queue), scoutPick)
	}
	members, _ := p.committee(nets)
	doubt := func(g space.Genome) float64 {
		layers, err := p.Layers(randomSubnet(sp, g))
		if err != nil {
			t.Fatal(err)
		}
		return disagreement(members, layers, 320, 180)
	}
	var random []float64
	for range 15 {
		random = append(random, doubt(sp.Random(rng)))
	}
	usual := stat.Median(random)
	chosen := 0.0
	for _, g := range s.queue {
		if err := sp.Check(g); err != nil {
			t.Error(err)
		}
		chosen += doubt(g) / scoutPick
	}
	if chosen < usual {
		t.Errorf("models disagree by %v about what is chosen, by %v about the middle one of random networks", chosen, usual)
	}
	next := s.queue[0]
	if g, w, h := s.draw(scoutFrom, nets); g.String() != next.String() || w != 320 || h != 180 {
		t.Errorf("drawn: %s at %dx%d, want %s", g, w, h, next)
	}
	if _, w, h := s.draw(5, nets); w != 160 || h != 90 {
		t.Errorf("the sixth network is %dx%d pixels, want the other size", w, h)
	}
	list := simple(sp)
	s.first = list[:1]
	if g, _, _ := s.draw(2, nil); g.String() != list[0].String() {
		t.Errorf("drawn: %s, want %s", g, list[0])
	}
	if want := len(sp.Widths) * (1 + 1 + 3 + 3); len(list) != want {
		t.Errorf("%d simple networks, want %d", len(list), want)
	}
}
