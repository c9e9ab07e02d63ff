package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"evosr/report"
)

// followed is a run whose directory is looked at while somebody watches, at most
// every so often however many watch.
type followed struct {
	*report.Live
	every time.Duration

	mu   sync.Mutex
	next time.Time // when to look again
}

// restShare is how much longer than a look the pause after it is, up to restMost: a
// run must not feel that it is watched.
const (
	restShare = 10
	restMost  = 4 * time.Second
)

// fresh looks at the directory unless that was just done.
func (f *followed) fresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Before(f.next) {
		return
	}
	f.Refresh(now)
	f.next = time.Now().Add(max(f.every, min(restShare*time.Since(now), restMost)))
}

// Settle lets open pages have the last of what the directories hold.
func (s *Server) Settle() {
	if len(s.streams) == 0 {
		return
	}
	for _, f := range s.runs {
		f.mu.Lock()
		f.next = time.Time{}
		f.mu.Unlock()
		f.fresh()
	}
	time.Sleep(2 * s.o.every)
}

// beatEvery is how often a quiet stream says that it is alive.
const beatEvery = 15 * time.Second

// events writes a stream until the client is gone or does not read; next gives the
// data and number of the next event, nil where there is nothing new.
func (s *Server) events(w http.ResponseWriter, r *http.Request, next func() (id int, v any)) {
	if r.Method != http.MethodGet { // the answer to HEAD would never end
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "this address takes GET")
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too many pages are open")
		return
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Time{}) != nil { // the request is read; its end tells that the client left
		refuse(w, http.StatusInternalServerError, "this connection cannot be a stream")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(text string) bool {
		if c.SetWriteDeadline(time.Now().Add(eventTime)) != nil {
			return false
		}
		_, err := fmt.Fprint(w, text)
		return err == nil && c.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	tick := time.NewTicker(s.o.every)
	defer tick.Stop()
	told := time.Now()
	for {
		if id, v := next(); v != nil {
			text, err := json.Marshal(v)
			if err != nil || !send(fmt.Sprintf("id: %d\ndata: %s\n\n", id, text)) {
				return
			}
			told = time.Now()
		} else if time.Since(told) >= beatEvery {
			if !send(": still here\n\n") {
				return
			}
			told = time.Now()
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// stream sends what changes of one run.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, f *followed) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("from")
	}
	from, err := strconv.Atoi(last)
	if err != nil || from < 0 {
		from = 0
	}
	seen := -1
	s.events(w, r, func() (int, any) {
		f.fresh()
		if f.Change() == seen {
			return 0, nil
		}
		u := f.Update(from)
		seen = u.Change
		if u.Charts != nil {
			from = u.From + len(u.Charts.Evaluations)
		}
		return from, u
	})
}

// streamAll sends what changes of all runs.
func (s *Server) streamAll(w http.ResponseWriter, r *http.Request) {
	seen := ""
	s.events(w, r, func() (int, any) {
		list := s.summaries()
		stamp := ""
		for _, f := range s.runs {
			stamp += fmt.Sprint(f.Change(), " ")
		}
		if stamp == seen {
			return 0, nil
		}
		seen = stamp
		return 0, list
	})
}
