package runner

import (
	"fmt"

	"evosr/imaging"
	"evosr/rundir"
	"evosr/supernet"
)

// The layers are looked at on the middles of some validation crops: as many as
// show which channels are dead, few enough to cost nothing beside the probe.
const (
	watchedCrops = 8
	watchedSide  = 48 // low-resolution pixels
)

// watch looks at the layers of a supernet in training, and says what is wrong
// with them: every ailment once.
type watch struct {
	store    *rundir.Store
	tell     func(text string) // may be nil
	pictures []*imaging.Plane
	told     map[string]bool // by layer; "" is the network
}

// newWatch knows what was told up to a step.
func newWatch(s *rundir.Store, val []imaging.Pair, step int, tell func(string)) (*watch, error) {
	w := &watch{store: s, tell: tell, told: map[string]bool{}}
	for _, pair := range val[:min(watchedCrops, len(val))] {
		lr := pair.LR
		cw, ch := min(lr.W, watchedSide), min(lr.H, watchedSide)
		w.pictures = append(w.pictures, lr.Crop((lr.W-cw)/2, (lr.H-ch)/2, cw, ch))
	}
	past, err := s.Layers()
	if err != nil {
		return nil, err
	}
	for _, p := range past {
		if p.Step > step {
			continue // of steps that a kill took, which come again
		}
		for _, warning := range supernet.Warnings(p.Layers) {
			w.told[warning.Layer] = true
		}
	}
	return w, nil
}

// look examines the layers after a step.
func (w *watch) look(t *supernet.Trainer) (rundir.LayersPoint, error) {
	layers, err := t.Examine(w.pictures)
	if err != nil {
		return rundir.LayersPoint{}, err
	}
	p := rundir.LayersPoint{Step: t.StepIndex(), Layers: layers}
	return p, w.warn(p)
}

// warn tells what was not told yet. Steps that come again after a kill say the same
// again, which the diary then has already.
func (w *watch) warn(p rundir.LayersPoint) error {
	for _, warning := range supernet.Warnings(p.Layers) {
		if w.told[warning.Layer] {
			continue
		}
		w.told[warning.Layer] = true
		text := fmt.Sprintf("after step %d %s", p.Step, warning.Text)
		if err := w.store.EventOnce(rundir.StageSupernet, "warning: "+text); err != nil {
			return err
		}
		if w.tell != nil {
			w.tell(text)
		}
	}
	return nil
}
