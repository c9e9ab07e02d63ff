package report

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"evosr/internal/stat"
	"evosr/rundir"
)

// Live is the page of a run directory that a run may be working in. The
// directory is open only while Refresh reads it. Many goroutines may use it.
type Live struct {
	dir  string
	name string

	reading sync.Mutex // held by Refresh
	kept    kept
	stamp   string
	pace    pace

	mu     sync.Mutex // guards what follows; a view does not change once it is there
	v      *view
	status rundir.Status
	left   time.Duration
	err    error
	page   int // changes with what is not drawn from charts
	change int
}

// NewLive is a page of the run in dir, which need not be there yet.
func NewLive(dir string) *Live {
	name := filepath.Base(dir)
	if abs, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(abs)
	}
	return &Live{dir: dir, name: name, left: -1}
}

// Dir is what NewLive was given, Name the run's name.
func (l *Live) Dir() string { return l.dir }

// Name: see Dir.
func (l *Live) Name() string { return l.name }

// Refresh reads what is new in the directory and says whether anything is. What
// cannot be read is told by Update.
func (l *Live) Refresh(now time.Time) (changed bool) {
	l.reading.Lock()
	defer l.reading.Unlock()
	stamp, err := l.look(now)
	if err == nil && stamp == l.stamp {
		return false
	}
	var v *view
	var status rundir.Status
	if err == nil {
		v, status, err = l.read(now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.err != nil && l.err.Error() == err.Error() {
			return false
		}
		l.err, l.stamp = err, ""
		l.change, l.page = l.change+1, l.page+1
		return true
	}
	if l.v == nil || l.err != nil || status.Stage != l.status.Stage || status.Winners != l.status.Winners || (len(v.Charts.Evaluations) > 0) != (len(l.v.Charts.Evaluations) > 0) ||
		(len(v.Charts.Loss) > 0) != (len(l.v.Charts.Loss) > 0) || (len(v.Charts.Validation) > 0) != (len(l.v.Charts.Validation) > 0) {
		l.page++
	}
	l.change++
	l.v, l.status, l.err, l.stamp = v, status, nil, stamp
	l.left = l.pace.left(status, now)
	return true
}

// look reads as little as says whether something changed.
func (l *Live) look(time.Time) (string, error) {
	d, err := rundir.Open(l.dir)
	if err != nil {
		return "", err
	}
	defer d.Close()
	s, err := d.Status()
	return fmt.Sprintf("%+v", s), err
}

func (l *Live) read(now time.Time) (*view, rundir.Status, error) {
	d, err := rundir.Open(l.dir)
	if err != nil {
		return nil, rundir.Status{}, err
	}
	defer d.Close()
	m, err := collect(d, now, &l.kept)
	if err != nil {
		return nil, rundir.Status{}, err
	}
	return newView(m), m.status, nil
}

// Update is what changed of a page, for its scripts.
type Update struct {
	Name     string  `json:"name"`
	Change   int     `json:"change"` // grows with every change
	Page     int     `json:"page"`   // differs when the page has to be fetched again
	Error    string  `json:"error,omitempty"`
	Stage    string  `json:"stage"`
	Running  bool    `json:"running"`
	Progress string  `json:"progress"`
	Done     float64 `json:"done"`   // of the stage, 0 to 1
	LeftS    float64 `json:"left_s"` // seconds of the stage that are left; negative when unknown
	Tiles    []tile  `json:"tiles"`
	From     int     `json:"from"`             // evaluations before this one the page has already
	Charts   *charts `json:"charts,omitempty"` // Evaluations from From on
}

// Update is what a page that has the first from evaluations does not know.
func (l *Live) Update(from int) *Update {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := &Update{Name: l.name, Change: l.change, Page: l.page, LeftS: -1, Tiles: []tile{}}
	if l.err != nil {
		u.Error = l.err.Error()
		return u
	}
	if l.v == nil {
		return u
	}
	u.Stage, u.Running, u.Progress, u.Tiles = l.status.Stage, l.status.Running, l.v.Progress, l.v.Tiles
	if done, total := worked(l.status); total > 0 {
		u.Done = min(done/total, 1)
	}
	if l.left >= 0 && l.status.Running {
		u.LeftS = l.left.Seconds()
	}
	c := l.v.Charts
	if from < 0 || from > len(c.Evaluations) {
		from = 0
	}
	u.From, c.Evaluations = from, c.Evaluations[from:]
	u.Charts = &c
	return u
}

// Change is Update's Change.
func (l *Live) Change() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.change
}

// Links are the addresses that a live page refers to, relative to its own.
type Links struct {
	Assets string // folder of Asset's names, with its slash
	Events string // a stream of Update
	Try    string // takes a picture
	Home   string // the page of all runs, "" where there is one
}

// Page writes the live page.
func (l *Live) Page(w io.Writer, links Links) error {
	l.mu.Lock()
	v, err, page := l.v, l.err, l.page
	l.mu.Unlock()
	if v == nil || err != nil {
		why := "The run has not begun."
		if err != nil {
			why = err.Error()
		}
		return writeWaiting(w, l.name, why, page, &links)
	}
	return writePage(w, v, &live{Links: links, Page: page})
}

// Run is a run among several, as the page that lays them over each other shows it.
type Run struct {
	Name     string       `json:"name"`
	Error    string       `json:"error,omitempty"`
	Stage    string       `json:"stage"`
	Progress string       `json:"progress"`
	Running  bool         `json:"running"`
	X        axis         `json:"x"`
	Y        axis         `json:"y"`
	Front    []dot        `json:"front"`
	Winners  []winnerDot  `json:"winners"`
	Curve    [][2]float64 `json:"hypervolume"` // evaluations, share of the last value
	Scored   int          `json:"scored"`
}

// Run is a summary without the evaluations.
func (l *Live) Run() Run {
	u := l.Update(0)
	r := Run{Name: l.name, Error: u.Error, Stage: u.Stage, Progress: cmp.Or(u.Progress, u.Stage), Running: u.Running}
	if c := u.Charts; c != nil {
		r.X, r.Y, r.Front, r.Winners, r.Curve, r.Scored = c.X, c.Y, c.Front, c.Winners, c.Hypervolume, len(c.Evaluations)
	}
	return r
}

// worked is how much of a stage is done, and of how much.
func worked(s rundir.Status) (done, total float64) {
	switch s.Stage {
	case rundir.StageSupernet:
		return float64(s.TrainStep), float64(s.TrainSteps)
	case rundir.StageSearch:
		return float64(s.Evaluations), float64(s.Budget)
	case rundir.StageWinners:
		return float64(s.Winners), float64(s.WinnersWant)
	}
	return 0, 0
}

// pace foretells the end of a stage.
type pace struct {
	stage string
	stat.Pace
}

// left is negative while it cannot be told.
func (p *pace) left(s rundir.Status, now time.Time) time.Duration {
	done, total := worked(s)
	if s.Stage != p.stage {
		*p = pace{stage: s.Stage}
	}
	p.See(now, done)
	if left, ok := p.Left(total); ok && total > 0 {
		return left
	}
	return -1
}
