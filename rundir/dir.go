package rundir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/imaging"
)

// What may be wrong with a run, or with what it is asked for.
var (
	ErrUsage     = errors.New("the run cannot start")
	ErrData      = errors.New("the pictures cannot be used")
	ErrIntegrity = errors.New("the run directory cannot be continued")
)

// A UsageError is an ErrUsage whose text can be told without it.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return ErrUsage.Error() + ": " + e.Text }
func (e *UsageError) Unwrap() error { return ErrUsage }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Stages of a run, in their order.
const (
	StageData     = "data"
	StageProfile  = "profile"
	StageSupernet = "supernet"
	StageSearch   = "search"
	StageWinners  = "winners"
	StageDone     = "done"
)

// Dir is a run directory open for reading, by one goroutine. A run may be going
// on in it meanwhile.
type Dir struct {
	Path  string
	store *Store
	cfg   *configs.Config
}

// Open opens a run directory for reading. Where there is none it is a *UsageError.
func Open(path string) (*Dir, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, Usagef("%s is a file, want a run directory", path)
	}
	s, err := OpenStore(path, false)
	if errors.Is(err, os.ErrNotExist) {
		return nil, Usagef("%s is no run directory: it has no %s", path, FileStore)
	}
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, store: s}
	if err := d.readConfig(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return d, nil
}

func (d *Dir) readConfig() error {
	v, err := d.store.Version()
	if err != nil {
		return err
	}
	if v == 0 {
		return Usagef("the run in %s has not begun", d.Path)
	}
	text, err := d.store.Meta(MetaConfig)
	if err != nil {
		return err
	}
	if d.cfg, err = configs.ParseStored(filepath.Join(d.Path, FileConfig), []byte(text)); err != nil {
		return fmt.Errorf("%w: its config does not read: %w", ErrIntegrity, err)
	}
	return nil
}

// Close lets go of the database.
func (d *Dir) Close() error { return d.store.Close() }

// Config is the resolved config of the run.
func (d *Dir) Config() *configs.Config { return d.cfg }

// Status says how far the run is.
func (d *Dir) Status() (Status, error) {
	s := Status{TrainSteps: d.cfg.Train.Steps, Budget: d.cfg.Search.Evaluations}
	facts := map[string]string{}
	for _, key := range []string{MetaValidation, MetaProfile, MetaSupernet, MetaSearchEnd, MetaWinnersReady} {
		v, err := d.store.Meta(key)
		if err != nil {
			return s, err
		}
		facts[key] = v
	}
	switch {
	case facts[MetaValidation] == "":
		s.Stage = StageData
	case facts[MetaProfile] == "":
		s.Stage = StageProfile
	case facts[MetaSupernet] == "":
		s.Stage = StageSupernet
	case facts[MetaSearchEnd] == "":
		s.Stage = StageSearch
	case facts[MetaWinnersReady] == "":
		s.Stage = StageWinners
	default:
		s.Stage = StageDone
	}
	s.SearchEnd = facts[MetaSearchEnd]
	curve, err := d.store.Training()
	if err != nil {
		return s, err
	}
	switch {
	case facts[MetaSupernet] != "":
		s.TrainStep = s.TrainSteps
	case len(curve) > 0:
		s.TrainStep = curve[len(curve)-1].Step
	}
	if s.Evaluations, err = d.store.count("evaluations"); err != nil {
		return s, err
	}
	chosen, err := d.store.Winners()
	if err != nil {
		return s, err
	}
	s.WinnersWant = len(chosen)
	for _, c := range chosen {
		if c.Card != "" {
			s.Winners++
		}
	}
	release, err := Lock(d.Path)
	switch {
	case errors.Is(err, ErrLocked):
		s.Running = true
	case err == nil:
		return s, release()
	}
	return s, nil
}

// Front is the content of front.json. It is an error when the search is not
// finished; see Status.
func (d *Dir) Front() (*Front, error) {
	list, err := d.store.Front()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("rundir: %s has no front yet", d.Path)
	}
	f := &Front{Objectives: slices.Clone(d.cfg.Search.Objectives)}
	for _, e := range list {
		f.Points = append(f.Points, e.Point)
	}
	return f, nil
}

// Evaluations gives every genome scored so far, in launch order.
func (d *Dir) Evaluations() ([]Evaluation, error) { return d.store.Evaluations() }

// Training gives the curve of the supernet's training.
func (d *Dir) Training() ([]TrainPoint, error) { return d.store.Training() }

// Quality gives the validation's curve of the supernet's training, empty for
// runs of before it was recorded.
func (d *Dir) Quality() ([]QualityPoint, error) { return d.store.Quality() }

// Winners gives the cards of the finished winners, the one predicted fastest
// first.
func (d *Dir) Winners() ([]Card, error) {
	chosen, err := d.store.Winners()
	if err != nil {
		return nil, err
	}
	var cards []Card
	for _, c := range chosen {
		if c.Card == "" {
			continue
		}
		var card Card
		if err := json.Unmarshal([]byte(c.Card), &card); err != nil {
			return nil, fmt.Errorf("%w: card of %s: %w", ErrIntegrity, c.ID, err)
		}
		if !isID(card.ID) || card.ID != c.ID {
			return nil, fmt.Errorf("%w: card of %q: its ID is %q, want that of a genome", ErrIntegrity, c.ID, card.ID)
		}
		cards = append(cards, card)
	}
	slices.SortStableFunc(cards, func(a, b Card) int {
		switch {
		case a.Latency.PredictedMS < b.Latency.PredictedMS:
			return -1
		case a.Latency.PredictedMS > b.Latency.PredictedMS:
			return 1
		}
		return 0
	})
	return cards, nil
}

// isID says whether a text is a genome's ID: it becomes a part of paths.
func isID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789abcdef") == ""
}

// File is the path of a winner's file, such as "model.onnx".
func (d *Dir) File(winner, name string) string {
	return filepath.Join(d.Path, DirWinners, winner, name)
}

// Supernet is the path of the run's trained supernet, which is there once
// training has ended.
func (d *Dir) Supernet() string { return filepath.Join(d.Path, FileSupernet) }

// Events gives the run's diary.
func (d *Dir) Events() ([]Event, error) { return d.store.Events() }

// Profile is the device profile of the run. It is an error when none is
// measured yet; see Status.
func (d *Dir) Profile() (*deviceprofile.Profile, error) {
	text, err := d.store.Meta(MetaProfile)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fmt.Errorf("rundir: %s has no profile yet", d.Path)
	}
	return configs.ParseProfile(filepath.Join(d.Path, FileProfile), []byte(text))
}

// SearchEnd says why the search ended and what hypervolume its front has;
// "" while it goes on.
func (d *Dir) SearchEnd() (reason string, hypervolume float64, err error) {
	if reason, err = d.store.Meta(MetaSearchEnd); err != nil || reason == "" {
		return "", 0, err
	}
	text, err := d.store.Meta(MetaHypervolume)
	if err == nil {
		_, err = fmt.Sscan(text, &hypervolume)
	}
	return reason, hypervolume, err
}

// Validation loads or draws the run's validation crops again.
func (d *Dir) Validation() ([]imaging.Pair, error) {
	ctx := context.Background()
	only := *d.cfg
	only.Data.Train = configs.Procedural // is not read
	p, err := LoadPictures(ctx, &only, func(string, int, int) {})
	if err != nil {
		return nil, err
	}
	if p.Validation == nil {
		if err := p.DrawValidation(ctx, d.cfg, func(int, int) {}); err != nil {
			return nil, err
		}
	}
	want, err := d.store.Meta(MetaValidation)
	if err != nil {
		return nil, err
	}
	if want != "" && p.ValidationHash != want {
		return nil, fmt.Errorf("%w: the validation pictures are not those of the run", ErrData)
	}
	return p.Validation, nil
}

// Meta gives a fact of the run, or "" when it is not there.
func (d *Dir) Meta(key string) (string, error) { return d.store.Meta(key) }

// Status is how far a run is.
type Status struct {
	Stage       string // the first unfinished one, or StageDone
	Running     bool   // another process holds the directory now
	TrainStep   int    // as of the last checkpoint
	TrainSteps  int
	Evaluations int
	Budget      int    // of evaluations
	SearchEnd   string // why the search ended, "" while it goes on
	Winners     int    // finished
	WinnersWant int    // 0 before the front stands
}
