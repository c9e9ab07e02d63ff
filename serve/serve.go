// Package serve shows run directories in a browser while runs work in them: the
// page of the report, kept up to date by server-sent events.
//
// It reads run directories and writes nothing. Requests name runs by number and
// files by a fixed table: no part of a request is ever a path that is opened.
// Every request needs the token that is the first part of the address; those that
// come by another host's name, or from another page, are refused, so that neither
// a web site nor another user of the machine sees a run.
package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"evosr/report"
)

// DefaultListen is this machine alone, any free port.
const DefaultListen = "127.0.0.1:0"

// Bounds of what clients can take up.
const (
	maxConnections = 256
	maxStreams     = 64
	maxHeader      = 16 << 10
	headerTime     = 5 * time.Second // for a request's head
	readTime       = time.Minute     // for a whole request
	writeTime      = time.Minute     // for an answer
	eventTime      = 10 * time.Second
	idleTime       = 30 * time.Second
)

// Options say what is served.
type Options struct {
	Dirs   []string // run directories; a run need not have begun
	Listen string   // host:port; "" is DefaultListen

	// Compare holds all runs against each other, as JSON; nil: there is no such part.
	Compare func(dirs []string) ([]byte, error)

	every  time.Duration // between two looks at a directory that somebody watches
	header time.Duration // headerTime
}

// Server serves run directories.
type Server struct {
	o     Options
	token string
	from  net.Listener
	open  bool // listens to other machines
	runs  []*followed
	conns connections

	streams chan struct{} // one for each event stream
	trying  chan struct{} // held while a picture is enlarged
}

// New listens. Serve then answers.
func New(o Options) (*Server, error) {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.every == 0 {
		o.every = time.Second
	}
	if o.header == 0 {
		o.header = headerTime
	}
	secret := make([]byte, 24)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("serve: token: %w", err)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("serve: listen: %s: %w, want HOST:PORT of this machine, such as %s", o.Listen, cause(err), DefaultListen)
	}
	s := &Server{
		o: o, from: l, token: base64.RawURLEncoding.EncodeToString(secret),
		streams: make(chan struct{}, maxStreams), trying: make(chan struct{}, 1),
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.open = !a.IP.IsLoopback()
	}
	for _, dir := range o.Dirs {
		s.runs = append(s.runs, &followed{Live: report.NewLive(dir), every: o.every})
	}
	return s, nil
}

// cause leaves out the address, which the message has already.
func cause(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}

// URL is the address with the token.
func (s *Server) URL() string { return "http://" + s.from.Addr().String() + "/" + s.token + "/" }

// Open says whether other machines can reach the server.
func (s *Server) Open() bool { return s.open }

// Serve answers until ctx is done.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: s.o.header, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog:    log.New(io.Discard, "", 0), // what clients do wrong is no news
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState:   s.conns.change,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	err := srv.Serve(s.from)
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// connections closes the one that has been idle for longest where there are too
// many, so that nobody can keep others out by doing nothing.
type connections struct {
	mu   sync.Mutex
	all  map[net.Conn]bool // true: busy
	idle []net.Conn        // oldest first; some are busy or gone meanwhile
}

func (c *connections) change(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[net.Conn]bool{}
	}
	switch state {
	case http.StateActive:
		c.all[conn] = true
		return
	case http.StateClosed, http.StateHijacked:
		delete(c.all, conn)
		return
	}
	c.all[conn] = false
	c.idle = append(c.idle, conn)
	for len(c.all) > maxConnections && len(c.idle) > 1 {
		oldest := c.idle[0]
		c.idle = c.idle[1:]
		if busy, there := c.all[oldest]; there && !busy && oldest != conn {
			delete(c.all, oldest)
			oldest.Close()
		}
	}
	if len(c.idle) > 4*maxConnections {
		c.sweep()
	}
}

// sweep forgets what is not idle any more. The lock is held.
func (c *connections) sweep() {
	seen := map[net.Conn]bool{}
	var keep []net.Conn
	for _, conn := range c.idle {
		if busy, there := c.all[conn]; there && !busy && !seen[conn] {
			keep = append(keep, conn)
			seen[conn] = true
		}
	}
	c.idle = keep
}
