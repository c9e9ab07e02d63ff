package runner

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"evosr/imaging"
	"evosr/network"
	"evosr/rundir"
	"evosr/supernet"
)

// TestWatchTellsOnce: every ailment is told when it is seen first, not at every
// look, nor again after a resume.
func TestWatchTellsOnce(t *testing.T) {
	s, err := rundir.OpenStore(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(nil); err != nil {
		t.Fatal(err)
	}
	point := func(step int, dead ...int) rundir.LayersPoint {
		p := rundir.LayersPoint{Step: step}
		for i, n := range dead {
			name := []string{"slot1/conv", "slot2/conv"}[i]
			p.Layers = append(p.Layers, supernet.LayerState{Name: name, Channels: 100, Activated: true, Active: 0.25, Dead: n, Norm: 1.5, Growth: 0.1, Rank: 7, FullRank: 9, Update: 1e-3})
		}
		p.Layers = append(p.Layers, supernet.LayerState{Name: "tail", Channels: 4, Norm: 0.3, Growth: 1.0 / 3, Rank: 1, FullRank: 4})
		return p
	}
	var told []string
	begin := func(step int) *watch {
		t.Helper()
		told = nil
		w, err := newWatch(s, []imaging.Pair{{LR: imaging.NewPlane(60, 20)}}, step, func(text string) { told = append(told, text) })
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	warn := func(w *watch, p rundir.LayersPoint, want int) {
		t.Helper()
		if err := w.warn(p); err != nil {
			t.Fatal(err)
		}
		if len(told) != want {
			t.Errorf("step %d: told %q, want %d warnings so far", p.Step, told, want)
		}
	}
	w := begin(0)
	if p := w.pictures[0]; p.W != watchedSide || p.H != 20 {
		t.Errorf("a picture of %dx%d, want the middle of the crop", p.W, p.H)
	}
	points := []rundir.LayersPoint{point(10, 1, 3), point(20, 9, 3), point(30, 100, 9), point(40, 100, 10)}
	for i, want := range []int{0, 1, 2, 2} { // too many; slot1
		warn(w, points[i], want)
	}
	if err := s.AddLayers(points); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Layers(); err != nil || !reflect.DeepEqual(got, points) {
		t.Errorf("kept are %+v, %v, want %+v", got, err, points)
	}
	w = begin(40)
	warn(w, point(50, 100, 10), 0)
	warn(w, point(60, 100, 100), 1) // slot2
	// What a kill took comes again, to the same diary.
	w = begin(20)
	warn(w, points[2], 1)
	events, err := s.Events()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	want := []string{
		"warning: after step 20 12 of 200 channels are dead: 6.0 %, want at most 2 %",
		"warning: after step 30 slot1/conv is dead: none of its 100 channels is ever above zero",
		"warning: after step 60 slot2/conv is dead: none of its 100 channels is ever above zero",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("the diary says %q, want %q", texts, want)
	}
}

// layersOf reads what a run directory has of its layers.
func layersOf(t *testing.T, dir string) []rundir.LayersPoint {
	t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	list, err := d.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLayersKept: what is kept of a training is of the largest network's layers and
// within what can be. TestTrainAlone holds it against a training that was stopped.
func TestLayersKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cfg := smoke(t, "steps=120\nfinetune=0")
	if err := Train(t.Context(), cfg, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	list := layersOf(t, dir)
	if len(list) != 60 || list[len(list)-1].Step != 120 {
		t.Fatalf("%d points, want one each 2 steps", len(list))
	}
	var convolutions []network.Node
	for _, n := range cfg.Space.Shape(cfg.Space.Largest()).Nodes {
		if n.Op == network.OpConv {
			convolutions = append(convolutions, n)
		}
	}
	for _, p := range list {
		if len(p.Layers) != len(convolutions) {
			t.Fatalf("step %d: %d layers, want %d", p.Step, len(p.Layers), len(convolutions))
		}
		for i, l := range p.Layers {
			if l.Name != convolutions[i].Name || l.Channels != convolutions[i].Out || !(l.Growth > 0.5 && l.Growth < 50) || !(l.Update > 0 && l.Update < 1) || !(l.Rank >= 1 && l.Rank <= float64(l.FullRank)) {
				t.Fatalf("step %d: %+v", p.Step, l)
			}
		}
	}
}
