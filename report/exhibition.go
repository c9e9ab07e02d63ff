package report

import "evosr/rundir"

func exhibition(d *rundir.Dir, m *material) ([]crop, error) {
	if len(m.winners) == 0 {
		return nil, nil
	}
	pairs, err := d.Validation()
	if err != nil {
		return nil, err
	}
	return beforeAfter(d, m.winners, pairs)
}
