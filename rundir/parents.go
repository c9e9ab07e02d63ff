package rundir

import "database/sql"

// parentsTable came after the first version, as qualityTable did.
const parentsTable = `CREATE TABLE IF NOT EXISTS parents (
	idx INTEGER NOT NULL,      -- of the evaluation
	position INTEGER NOT NULL, -- 0, 1
	parent INTEGER NOT NULL,   -- idx of an earlier evaluation
	PRIMARY KEY (idx, position)
) WITHOUT ROWID`

func addParents(tx *sql.Tx, e Evaluation) error {
	if len(e.Parents) == 0 {
		return nil
	}
	if _, err := tx.Exec(parentsTable); err != nil {
		return err
	}
	for i, p := range e.Parents {
		if _, err := tx.Exec("INSERT OR REPLACE INTO parents VALUES (?, ?, ?)", e.Index, i, p); err != nil {
			return err
		}
	}
	return nil
}

// parents fills in those of a list in launch order.
func (s *Store) parents(list []Evaluation) error {
	n, err := s.count("sqlite_master WHERE name = 'parents'")
	if err != nil || n == 0 {
		return err
	}
	at := map[int]int{}
	for i, e := range list {
		at[e.Index] = i
	}
	_, err = collect(s, "SELECT idx, parent FROM parents ORDER BY idx, position", func(r *sql.Rows) (_ struct{}, err error) {
		var idx, parent int
		if err = r.Scan(&idx, &parent); err != nil {
			return struct{}{}, err
		}
		i, known := at[idx]
		if _, earlier := at[parent]; known && earlier && parent < idx { // another tool may have written otherwise
			list[i].Parents = append(list[i].Parents, parent)
		}
		return struct{}{}, nil
	})
	return err
}
