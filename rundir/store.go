package rundir

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite" // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// schemaVersion is run.db's PRAGMA user_version.
const schemaVersion = 3

const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE evaluations (
	idx INTEGER PRIMARY KEY,     -- launch order, from 0
	id TEXT NOT NULL,            -- content hash of the genome
	genome TEXT NOT NULL,
	psnr_db REAL NOT NULL, ssim REAL NOT NULL,
	latency_ms REAL NOT NULL,    -- predicted, one frame
	latencies TEXT NOT NULL,     -- the same on further devices: JSON by name, or ''
	params INTEGER NOT NULL, macs INTEGER NOT NULL,
	violation REAL NOT NULL,     -- of the constraints, 0 when feasible
	estimated INTEGER NOT NULL,  -- 1: psnr_db and ssim are of some validation crops only
	error TEXT NOT NULL          -- why there is no score, or ''
);
CREATE TABLE training (step INTEGER PRIMARY KEY, loss REAL NOT NULL, rate REAL NOT NULL);
CREATE TABLE front (
	position INTEGER PRIMARY KEY, -- by latency, from 0
	idx INTEGER NOT NULL REFERENCES evaluations(idx)
);
CREATE TABLE winners (
	id TEXT PRIMARY KEY,
	position INTEGER NOT NULL,   -- order of the choice, from 0
	reason TEXT NOT NULL,
	card TEXT                    -- JSON; NULL until it is finished
) WITHOUT ROWID;
CREATE TABLE scores (
	key TEXT PRIMARY KEY,        -- hash of genome, supernet, crops, metric, profile and version
	record TEXT NOT NULL         -- JSON of what was measured
) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, stage TEXT NOT NULL, text TEXT NOT NULL);
`

// Keys of the facts of a run, beside FurtherProfile's.
const (
	MetaConfig       = "config.yaml"      // resolved text
	MetaConfigHash   = "config.hash"      //
	MetaVersion      = "evosr.version"    // that began the run
	MetaTrainData    = "data.train"       // content hash
	MetaValidation   = "data.validation"  // content hash
	MetaProfile      = "profile.yaml"     // text
	MetaSupernet     = "supernet.hash"    //
	MetaTeacher      = "train.from whole" // hash of all weights that the teacher of the winners is among
	MetaFrom         = "train.from"       // hash of the weights that training began with, "" for none
	MetaReference    = "search.reference" // JSON, in the order and sign of the objectives
	MetaSearchEnd    = "search.end"       // why the search ended
	MetaSearchTime   = "search.time"      // spent so far
	MetaHypervolume  = "search.hypervolume"
	MetaWinnersReady = "winners.finished" // "yes"
	MetaDrift        = "profile.drift"    // why this machine has not the profile's speed, where that is allowed
)

// Store is run.db: the truth of a run. A writer is the only one, guaranteed by
// the directory's lock; readers come and go.
type Store struct {
	db     *sql.DB
	writer bool
}

// OpenStore opens dir/run.db for reading, or for writing.
func OpenStore(dir string, write bool) (*Store, error) {
	path := filepath.Join(dir, FileStore)
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	if write {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(NORMAL)") // a lost commit is done again, to the same result
		q.Add("_pragma", "foreign_keys(1)")
		q.Set("_txlock", "immediate")
	} else {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() { // a pipe would be waited for
			return nil, Usagef("%s is no file", path)
		}
		q.Set("mode", "ro")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &Store{db, write}
	if err := s.check(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// check reads the schema's version: 0 is a file that has nothing yet.
func (s *Store) check() error {
	v, err := s.version()
	switch primary(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return Usagef("%s cannot be opened, want a directory and a file that may be written: %v", FileStore, err)
	}
	if err != nil {
		return storeError(err)
	}
	if v != 0 && v != schemaVersion {
		return fmt.Errorf("%w: %s has version %d, want %d: it is of another evosr", ErrIntegrity, FileStore, v, schemaVersion)
	}
	return nil
}

// Version is the schema's version, 0 of a file that has nothing yet.
func (s *Store) Version() (int, error) {
	v, err := s.version()
	return v, storeError(err)
}

func (s *Store) version() (int, error) {
	var v int
	err := s.db.QueryRow("PRAGMA user_version").Scan(&v)
	return v, err
}

// Sound asks SQLite to look through the whole file.
func (s *Store) Sound() error {
	var text string
	if err := s.db.QueryRow("PRAGMA quick_check(1)").Scan(&text); err != nil {
		text = err.Error()
	}
	if text != "ok" {
		return fmt.Errorf("%w: %s is damaged: %s", ErrIntegrity, FileStore, text)
	}
	return nil
}

// Create makes the tables and the first facts in one transaction.
func (s *Store) Create(meta map[string]string) error {
	return s.write(func(tx *sql.Tx) error {
		if _, err := tx.Exec(schema + fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
			return err
		}
		for k, v := range meta {
			if err := putMeta(tx, k, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// write runs f in one transaction: all of it counts or nothing.
func (s *Store) write(f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(context.Background(), nil)
	if err != nil {
		return storeError(err)
	}
	if err := f(tx); err != nil {
		return errors.Join(storeError(err), tx.Rollback())
	}
	return storeError(tx.Commit())
}

// primary is SQLite's code of an error without its details, 0 when it is none
// of SQLite's.
func primary(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// storeError says where an error comes from, and whether the file is to blame:
// a full disk is no damage.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	switch primary(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s: %w", ErrIntegrity, FileStore, err)
	}
	return fmt.Errorf("rundir: %s: %w", FileStore, err)
}

// Close lets go of the file. A writer first folds its log in, so that a run
// that is not going on is one file; where a reader is at work, the log stays.
func (s *Store) Close() error {
	if s.writer {
		_, _ = s.db.Exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE")
	}
	return s.db.Close()
}

func putMeta(tx *sql.Tx, key, value string) error {
	_, err := tx.Exec("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// SetMeta keeps a fact.
func (s *Store) SetMeta(key, value string) error {
	return s.write(func(tx *sql.Tx) error { return putMeta(tx, key, value) })
}

// Meta gives a fact, or "" when it is not there.
func (s *Store) Meta(key string) (string, error) {
	var v string
	err := s.db.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, storeError(err)
}

// Event keeps a line of the diary.
func (s *Store) Event(stage, format string, args ...any) error {
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO events (at, stage, text) VALUES (?, ?, ?)", time.Now().UTC().Format(time.RFC3339Nano), stage, fmt.Sprintf(format, args...))
		return err
	})
}

// EventOnce keeps an event that the diary does not have yet.
func (s *Store) EventOnce(stage, text string) error {
	n, err := s.count("events WHERE stage = ? AND text = ?", stage, text)
	if err != nil || n > 0 {
		return err
	}
	return s.Event(stage, "%s", text)
}

// AddEvaluation keeps an evaluation, and how long the search took up to there.
func (s *Store) AddEvaluation(e Evaluation, spent time.Duration) error {
	others := ""
	if len(e.Others) > 0 {
		text, err := json.Marshal(e.Others)
		if err != nil {
			return fmt.Errorf("rundir: evaluation %d: %w", e.Index, err)
		}
		others = string(text)
	}
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			e.Index, e.ID, e.Genome, e.PSNR, e.SSIM, e.LatencyMS, others, e.Params, e.MACs, e.Violation, e.Estimated, e.Err)
		if err == nil {
			err = addParents(tx, e)
		}
		if err != nil {
			return err
		}
		return putMeta(tx, MetaSearchTime, spent.String())
	})
}

const evaluationColumns = "e.idx, e.id, e.genome, e.psnr_db, e.ssim, e.latency_ms, e.latencies, e.params, e.macs, e.violation, e.estimated, e.error"

// Evaluations gives those made so far, in launch order.
func (s *Store) Evaluations() ([]Evaluation, error) {
	list, err := collect(s, "SELECT "+evaluationColumns+" FROM evaluations e ORDER BY e.idx", scanEvaluation)
	if err != nil {
		return nil, err
	}
	return list, s.parents(list)
}

func scanEvaluation(r *sql.Rows) (e Evaluation, err error) {
	others := ""
	err = r.Scan(&e.Index, &e.ID, &e.Genome, &e.PSNR, &e.SSIM, &e.LatencyMS, &others, &e.Params, &e.MACs, &e.Violation, &e.Estimated, &e.Err)
	if err == nil && others != "" {
		err = json.Unmarshal([]byte(others), &e.Others)
	}
	return e, err
}

// SetFront records the end of a search in one step.
func (s *Store) SetFront(indices []int, reason string, hypervolume float64) error {
	return s.write(func(tx *sql.Tx) error {
		for i, idx := range indices {
			if _, err := tx.Exec("INSERT INTO front VALUES (?, ?)", i, idx); err != nil {
				return err
			}
		}
		if err := putMeta(tx, MetaHypervolume, fmt.Sprint(hypervolume)); err != nil {
			return err
		}
		return putMeta(tx, MetaSearchEnd, reason)
	})
}

// Front gives the front by latency, nothing before the search has ended.
func (s *Store) Front() ([]Evaluation, error) {
	return collect(s, "SELECT "+evaluationColumns+" FROM front f JOIN evaluations e ON e.idx = f.idx ORDER BY f.position", scanEvaluation)
}

// AddTraining keeps points of the training curve; one of the same step takes the
// other's place.
func (s *Store) AddTraining(points []TrainPoint) error {
	return s.write(func(tx *sql.Tx) error {
		for _, p := range points {
			if _, err := tx.Exec("INSERT OR REPLACE INTO training VALUES (?, ?, ?)", p.Step, p.Loss, p.Rate); err != nil {
				return err
			}
		}
		return nil
	})
}

// Training gives the training curve.
func (s *Store) Training() ([]TrainPoint, error) {
	return collect(s, "SELECT step, loss, rate FROM training ORDER BY step", func(r *sql.Rows) (p TrainPoint, err error) {
		err = r.Scan(&p.Step, &p.Loss, &p.Rate)
		return p, err
	})
}

// qualityTable came after the first version: where a run has none, it is made
// when there is something to write.
const qualityTable = `CREATE TABLE IF NOT EXISTS training_quality (
	step INTEGER PRIMARY KEY,
	psnr_db REAL NOT NULL,       -- of the largest network's averaged weights, validation crops
	pruned_psnr_db REAL NOT NULL -- of the same half pruned, 0 in a space without pruning
)`

// AddQuality keeps points of the validation's curve, as AddTraining does.
func (s *Store) AddQuality(points []QualityPoint) error {
	if len(points) == 0 {
		return nil
	}
	return s.write(func(tx *sql.Tx) error {
		if _, err := tx.Exec(qualityTable); err != nil {
			return err
		}
		for _, p := range points {
			if _, err := tx.Exec("INSERT OR REPLACE INTO training_quality VALUES (?, ?, ?)", p.Step, p.PSNR, p.PrunedPSNR); err != nil {
				return err
			}
		}
		return nil
	})
}

// Quality gives the validation's curve.
func (s *Store) Quality() ([]QualityPoint, error) {
	n, err := s.count("sqlite_master WHERE name = 'training_quality'")
	if err != nil || n == 0 {
		return nil, err
	}
	return collect(s, "SELECT step, psnr_db, pruned_psnr_db FROM training_quality ORDER BY step", func(r *sql.Rows) (p QualityPoint, err error) {
		err = r.Scan(&p.Step, &p.PSNR, &p.PrunedPSNR)
		return p, err
	})
}

// Choice is a winner as chosen, finished when it has a card.
type Choice struct {
	ID     string
	Reason string // why it was chosen
	Card   string // text of card.json, or ""
}

// SetWinners keeps the choice of the winners, in its order.
func (s *Store) SetWinners(list []Choice) error {
	return s.write(func(tx *sql.Tx) error {
		for i, c := range list {
			if _, err := tx.Exec("INSERT INTO winners (id, position, reason) VALUES (?, ?, ?)", c.ID, i, c.Reason); err != nil {
				return err
			}
		}
		return nil
	})
}

// Winners gives the winners in the order in which they were chosen.
func (s *Store) Winners() ([]Choice, error) {
	return collect(s, "SELECT id, reason, coalesce(card, '') FROM winners ORDER BY position", func(r *sql.Rows) (c Choice, err error) {
		err = r.Scan(&c.ID, &c.Reason, &c.Card)
		return c, err
	})
}

// SetCard finishes a winner, or with "" makes it unfinished again.
func (s *Store) SetCard(id, card string) error {
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE winners SET card = nullif(?, '') WHERE id = ?", card, id)
		return err
	})
}

// Events gives the diary.
func (s *Store) Events() ([]Event, error) {
	return collect(s, "SELECT at, stage, text FROM events ORDER BY seq", func(r *sql.Rows) (e Event, err error) {
		var at string
		if err = r.Scan(&at, &e.Stage, &e.Text); err == nil {
			e.At, err = time.Parse(time.RFC3339Nano, at)
		}
		return e, err
	})
}

func (s *Store) count(table string, args ...any) (int, error) {
	var n int
	err := s.db.QueryRow("SELECT count(*) FROM "+table, args...).Scan(&n)
	return n, storeError(err)
}

// collect runs a query whose rows scan reads.
func collect[T any](s *Store, query string, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := s.db.Query(query)
	if err != nil {
		return nil, storeError(err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, storeError(err)
		}
		list = append(list, v)
	}
	return list, storeError(rows.Err())
}

// Contents says whether dir holds a run, from its names only.
func Contents(dir string) (empty, run bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, false, err
	}
	empty = true
	for _, e := range entries {
		if e.Name() == FileStore {
			run = true
		}
		if !strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), FileStore) {
			empty = false
		}
	}
	return empty, run, nil
}
