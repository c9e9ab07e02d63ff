package runner

import (
	"database/sql"
	"fmt"

	"evosr/imaging"
	"evosr/supernet"
)

// LayersPoint is what the layers of the largest network looked like at a step of
// the supernet's training, by the averaged weights.
type LayersPoint struct {
	Step   int
	Layers []supernet.LayerState
}

// Layers gives what was seen of the layers while the supernet was trained, empty
// for runs of before it was recorded.
func (d *Dir) Layers() ([]LayersPoint, error) { return d.store.layers() }

// The layers are looked at on the middles of some validation crops: as many as
// show which channels are dead, few enough to cost nothing beside the probe.
const (
	watchedCrops = 8
	watchedSide  = 48 // low-resolution pixels
)

// watch looks at the layers of a supernet in training, and says what is wrong
// with them: every ailment once.
type watch struct {
	store    *store
	tell     func(text string) // may be nil
	pictures []*imaging.Plane
	told     map[string]bool // by layer; "" is the network
}

// newWatch knows what was told up to a step.
func newWatch(s *store, val []imaging.Pair, step int, tell func(string)) (*watch, error) {
	w := &watch{store: s, tell: tell, told: map[string]bool{}}
	for _, pair := range val[:min(watchedCrops, len(val))] {
		lr := pair.LR
		cw, ch := min(lr.W, watchedSide), min(lr.H, watchedSide)
		w.pictures = append(w.pictures, lr.Crop((lr.W-cw)/2, (lr.H-ch)/2, cw, ch))
	}
	past, err := s.layers()
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
func (w *watch) look(t *supernet.Trainer) (LayersPoint, error) {
	layers, err := t.Examine(w.pictures)
	if err != nil {
		return LayersPoint{}, err
	}
	p := LayersPoint{t.StepIndex(), layers}
	return p, w.warn(p)
}

// warn tells what was not told yet. Steps that come again after a kill say the same
// again, which the diary then has already.
func (w *watch) warn(p LayersPoint) error {
	for _, warning := range supernet.Warnings(p.Layers) {
		if w.told[warning.Layer] {
			continue
		}
		w.told[warning.Layer] = true
		text := fmt.Sprintf("after step %d %s", p.Step, warning.Text)
		if err := w.store.eventOnce(StageSupernet, "warning: "+text); err != nil {
			return err
		}
		if w.tell != nil {
			w.tell(text)
		}
	}
	return nil
}

// layersTable came after the first version, as qualityTable did.
const layersTable = `CREATE TABLE IF NOT EXISTS training_layers (
	step INTEGER NOT NULL,
	position INTEGER NOT NULL,   -- of the layer in the largest network, from 0
	name TEXT NOT NULL,
	channels INTEGER NOT NULL,
	activated INTEGER NOT NULL,  -- 1: an activation follows
	active_share REAL NOT NULL,  -- of the values behind it, those above zero
	dead INTEGER NOT NULL,       -- channels that are never above zero
	norm REAL NOT NULL,          -- of the weights
	norm_ratio REAL NOT NULL,    -- to that of the weights that training started from
	rank REAL NOT NULL,          -- effective
	full_rank INTEGER NOT NULL,
	update_ratio REAL NOT NULL,  -- norm of the step's update / norm of the weights
	PRIMARY KEY (step, position)
) WITHOUT ROWID`

func (s *store) addLayers(points []LayersPoint) error {
	if len(points) == 0 {
		return nil
	}
	return s.write(func(tx *sql.Tx) error {
		if _, err := tx.Exec(layersTable); err != nil {
			return err
		}
		for _, p := range points {
			for i, l := range p.Layers {
				if _, err := tx.Exec("INSERT OR REPLACE INTO training_layers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
					p.Step, i, l.Name, l.Channels, l.Activated, l.Active, l.Dead, l.Norm, l.Growth, l.Rank, l.FullRank, l.Update); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *store) layers() ([]LayersPoint, error) {
	n, err := s.count("sqlite_master WHERE name = 'training_layers'")
	if err != nil || n == 0 {
		return nil, err
	}
	type row struct {
		step int
		supernet.LayerState
	}
	rows, err := collect(s, `SELECT step, name, channels, activated, active_share, dead, norm, norm_ratio, rank, full_rank, update_ratio
		FROM training_layers ORDER BY step, position`, func(r *sql.Rows) (l row, err error) {
		err = r.Scan(&l.step, &l.Name, &l.Channels, &l.Activated, &l.Active, &l.Dead, &l.Norm, &l.Growth, &l.Rank, &l.FullRank, &l.Update)
		return l, err
	})
	var list []LayersPoint
	for _, r := range rows {
		if n := len(list); n == 0 || list[n-1].Step != r.step {
			list = append(list, LayersPoint{Step: r.step})
		}
		p := &list[len(list)-1]
		p.Layers = append(p.Layers, r.LayerState)
	}
	return list, err
}
