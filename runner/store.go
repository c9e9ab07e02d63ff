package runner

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

// Keys of the meta table.
const (
	metaConfig       = "config.yaml"      // resolved text
	metaConfigHash   = "config.hash"      //
	metaVersion      = "evosr.version"    // that began the run
	metaTrainData    = "data.train"       // content hash
	metaValidation   = "data.validation"  // content hash
	metaProfile      = "profile.yaml"     // text
	metaSupernet     = "supernet.hash"    //
	metaTeacher      = "train.from whole" // hash of all weights that the teacher of the winners is among
	metaFrom         = "train.from"       // hash of the weights that training began with, "" for none
	metaReference    = "search.reference" // JSON, in the order and sign of the objectives
	metaSearchEnd    = "search.end"       // why the search ended
	metaSearchTime   = "search.time"      // spent so far
	metaHypervolume  = "search.hypervolume"
	metaWinnersReady = "winners.finished" // "yes"
)

// store is run.db: the truth of a run. A writer is the only one, guaranteed by
// the directory's lock; readers come and go.
type store struct {
	db     *sql.DB
	writer bool
}

// openStore opens dir/run.db for reading, or for writing.
func openStore(dir string, write bool) (*store, error) {
	path := filepath.Join(dir, fileStore)
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	if write {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(NORMAL)") // a lost commit is done again, to the same result
		q.Add("_pragma", "foreign_keys(1)")
		q.Set("_txlock", "immediate")
	} else {
		if _, err := os.Stat(path); err != nil {
			return nil, err
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
	s := &store{db, write}
	if err := s.check(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// check reads the schema's version: 0 is a file that has nothing yet.
func (s *store) check() error {
	v, err := s.version()
	switch primary(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: %s cannot be opened, want a directory and a file that may be written: %v", ErrUsage, fileStore, err)
	}
	if err != nil {
		return storeError(err)
	}
	if v != 0 && v != schemaVersion {
		return fmt.Errorf("%w: %s has version %d, want %d: it is of another evosr", ErrIntegrity, fileStore, v, schemaVersion)
	}
	return nil
}

func (s *store) version() (int, error) {
	var v int
	err := s.db.QueryRow("PRAGMA user_version").Scan(&v)
	return v, err
}

// sound asks SQLite to look through the whole file.
func (s *store) sound() error {
	var text string
	if err := s.db.QueryRow("PRAGMA quick_check(1)").Scan(&text); err != nil {
		text = err.Error()
	}
	if text != "ok" {
		return fmt.Errorf("%w: %s is damaged: %s", ErrIntegrity, fileStore, text)
	}
	return nil
}

// create makes the tables and the first facts in one transaction.
func (s *store) create(meta map[string]string) error {
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
func (s *store) write(f func(*sql.Tx) error) error {
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
		return fmt.Errorf("%w: %s: %w", ErrIntegrity, fileStore, err)
	}
	return fmt.Errorf("runner: %s: %w", fileStore, err)
}

// close lets go of the file. A writer first folds its log in, so that a run
// that is not going on is one file; where a reader is at work, the log stays.
func (s *store) close() error {
	if s.writer {
		_, _ = s.db.Exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE")
	}
	return s.db.Close()
}

func putMeta(tx *sql.Tx, key, value string) error {
	_, err := tx.Exec("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

func (s *store) setMeta(key, value string) error {
	return s.write(func(tx *sql.Tx) error { return putMeta(tx, key, value) })
}

// meta gives a fact, or "" when it is not there.
func (s *store) meta(key string) (string, error) {
	var v string
	err := s.db.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, storeError(err)
}

func (s *store) event(stage, format string, args ...any) error {
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO events (at, stage, text) VALUES (?, ?, ?)", time.Now().UTC().Format(time.RFC3339Nano), stage, fmt.Sprintf(format, args...))
		return err
	})
}

// eventOnce keeps an event that the diary does not have yet.
func (s *store) eventOnce(stage, text string) error {
	n, err := s.count("events WHERE stage = ? AND text = ?", stage, text)
	if err != nil || n > 0 {
		return err
	}
	return s.event(stage, "%s", text)
}

// addEvaluation keeps an evaluation, and how long the search took up to there.
func (s *store) addEvaluation(e Evaluation, spent time.Duration) error {
	others := ""
	if len(e.Others) > 0 {
		text, err := json.Marshal(e.Others)
		if err != nil {
			return fmt.Errorf("runner: evaluation %d: %w", e.Index, err)
		}
		others = string(text)
	}
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			e.Index, e.ID, e.Genome, e.PSNR, e.SSIM, e.LatencyMS, others, e.Params, e.MACs, e.Violation, e.Estimated, e.Err)
		if err != nil {
			return err
		}
		return putMeta(tx, metaSearchTime, spent.String())
	})
}

const evaluationColumns = "e.idx, e.id, e.genome, e.psnr_db, e.ssim, e.latency_ms, e.latencies, e.params, e.macs, e.violation, e.estimated, e.error"

func (s *store) evaluations() ([]Evaluation, error) {
	return collect(s, "SELECT "+evaluationColumns+" FROM evaluations e ORDER BY e.idx", scanEvaluation)
}

func scanEvaluation(r *sql.Rows) (e Evaluation, err error) {
	others := ""
	err = r.Scan(&e.Index, &e.ID, &e.Genome, &e.PSNR, &e.SSIM, &e.LatencyMS, &others, &e.Params, &e.MACs, &e.Violation, &e.Estimated, &e.Err)
	if err == nil && others != "" {
		err = json.Unmarshal([]byte(others), &e.Others)
	}
	return e, err
}

// setFront records the end of a search in one step.
func (s *store) setFront(indices []int, reason string, hypervolume float64) error {
	return s.write(func(tx *sql.Tx) error {
		for i, idx := range indices {
			if _, err := tx.Exec("INSERT INTO front VALUES (?, ?)", i, idx); err != nil {
				return err
			}
		}
		if err := putMeta(tx, metaHypervolume, fmt.Sprint(hypervolume)); err != nil {
			return err
		}
		return putMeta(tx, metaSearchEnd, reason)
	})
}

func (s *store) front() ([]Evaluation, error) {
	return collect(s, "SELECT "+evaluationColumns+" FROM front f JOIN evaluations e ON e.idx = f.idx ORDER BY f.position", scanEvaluation)
}

func (s *store) addTraining(points []TrainPoint) error {
	return s.write(func(tx *sql.Tx) error {
		for _, p := range points {
			if _, err := tx.Exec("INSERT OR REPLACE INTO training VALUES (?, ?, ?)", p.Step, p.Loss, p.Rate); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) training() ([]TrainPoint, error) {
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

func (s *store) addQuality(points []QualityPoint) error {
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

func (s *store) quality() ([]QualityPoint, error) {
	n, err := s.count("sqlite_master WHERE name = 'training_quality'")
	if err != nil || n == 0 {
		return nil, err
	}
	return collect(s, "SELECT step, psnr_db, pruned_psnr_db FROM training_quality ORDER BY step", func(r *sql.Rows) (p QualityPoint, err error) {
		err = r.Scan(&p.Step, &p.PSNR, &p.PrunedPSNR)
		return p, err
	})
}

// choice is a winner as chosen, finished when it has a card.
type choice struct {
	id, reason string
	card       string
}

func (s *store) setWinners(list []choice) error {
	return s.write(func(tx *sql.Tx) error {
		for i, c := range list {
			if _, err := tx.Exec("INSERT INTO winners (id, position, reason) VALUES (?, ?, ?)", c.id, i, c.reason); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) winners() ([]choice, error) {
	return collect(s, "SELECT id, reason, coalesce(card, '') FROM winners ORDER BY position", func(r *sql.Rows) (c choice, err error) {
		err = r.Scan(&c.id, &c.reason, &c.card)
		return c, err
	})
}

// setCard finishes a winner, or with "" makes it unfinished again.
func (s *store) setCard(id, card string) error {
	return s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE winners SET card = nullif(?, '') WHERE id = ?", card, id)
		return err
	})
}

func (s *store) events() ([]Event, error) {
	return collect(s, "SELECT at, stage, text FROM events ORDER BY seq", func(r *sql.Rows) (e Event, err error) {
		var at string
		if err = r.Scan(&at, &e.Stage, &e.Text); err == nil {
			e.At, err = time.Parse(time.RFC3339Nano, at)
		}
		return e, err
	})
}

func (s *store) count(table string, args ...any) (int, error) {
	var n int
	err := s.db.QueryRow("SELECT count(*) FROM "+table, args...).Scan(&n)
	return n, storeError(err)
}

// collect runs a query whose rows scan reads.
func collect[T any](s *store, query string, scan func(*sql.Rows) (T, error)) ([]T, error) {
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

// isRun says whether dir holds a run, from its names only.
func isRun(dir string) (empty, run bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, false, err
	}
	empty = true
	for _, e := range entries {
		if e.Name() == fileStore {
			run = true
		}
		if !strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), fileStore) {
			empty = false
		}
	}
	return empty, run, nil
}
