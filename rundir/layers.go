package rundir

import (
	"database/sql"

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
func (d *Dir) Layers() ([]LayersPoint, error) { return d.store.Layers() }

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

// AddLayers keeps what was seen of the layers, as AddTraining does.
func (s *Store) AddLayers(points []LayersPoint) error {
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

// Layers gives what was seen of the layers.
func (s *Store) Layers() ([]LayersPoint, error) {
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
