package rundir

import (
	"database/sql"
	"sync"

	"evosr/fitness"
)

// scoreCache is the table of scores as a fitness.Cache: read once, then
// written through.
type scoreCache struct {
	store *Store
	mu    sync.Mutex
	known map[string]string
}

// Scores is the table of scores, which several goroutines may use.
func (s *Store) Scores() (fitness.Cache, error) {
	c := &scoreCache{store: s, known: map[string]string{}}
	_, err := collect(s, "SELECT key, record FROM scores", func(r *sql.Rows) (_ struct{}, err error) {
		var key, record string
		err = r.Scan(&key, &record)
		c.known[key] = record
		return struct{}{}, err
	})
	return c, err
}

// Get is part of fitness.Cache.
func (c *scoreCache) Get(key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text, ok := c.known[key]; ok {
		return []byte(text), nil
	}
	return nil, nil
}

// Put is part of fitness.Cache.
func (c *scoreCache) Put(key string, value []byte) error {
	c.mu.Lock()
	c.known[key] = string(value)
	c.mu.Unlock()
	return c.store.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO scores VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record", key, string(value))
		return err
	})
}
