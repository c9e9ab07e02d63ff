package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/imaging"
)

// Dir is a run directory open for reading, by one goroutine. A run may be going
// on in it meanwhile.
type Dir struct {
	Path  string
	store *store
	cfg   *configs.Config
}

// Open opens a run directory for reading.
func Open(path string) (*Dir, error) {
	s, err := openStore(path, false)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is no run directory: it has no %s", ErrUsage, path, fileStore)
	}
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, store: s}
	if err := d.readConfig(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return d, nil
}

func (d *Dir) readConfig() error {
	v, err := d.store.version()
	if err != nil {
		return storeError(err)
	}
	if v == 0 {
		return fmt.Errorf("%w: the run in %s has not begun", ErrUsage, d.Path)
	}
	text, err := d.store.meta(metaConfig)
	if err != nil {
		return err
	}
	if d.cfg, err = configs.Parse(filepath.Join(d.Path, fileConfig), []byte(text)); err != nil {
		return fmt.Errorf("%w: its config does not read: %w", ErrIntegrity, err)
	}
	return nil
}

// Close lets go of the database.
func (d *Dir) Close() error { return d.store.close() }

// Config is the resolved config of the run.
func (d *Dir) Config() *configs.Config { return d.cfg }

// Status says how far the run is.
func (d *Dir) Status() (Status, error) {
	s := Status{TrainSteps: d.cfg.Train.Steps, Budget: d.cfg.Search.Evaluations}
	facts := map[string]string{}
	for _, key := range []string{metaValidation, metaProfile, metaSupernet, metaSearchEnd, metaWinnersReady} {
		v, err := d.store.meta(key)
		if err != nil {
			return s, err
		}
		facts[key] = v
	}
	switch {
	case facts[metaValidation] == "":
		s.Stage = StageData
	case facts[metaProfile] == "":
		s.Stage = StageProfile
	case facts[metaSupernet] == "":
		s.Stage = StageSupernet
	case facts[metaSearchEnd] == "":
		s.Stage = StageSearch
	case facts[metaWinnersReady] == "":
		s.Stage = StageWinners
	default:
		s.Stage = StageDone
	}
	s.SearchEnd = facts[metaSearchEnd]
	curve, err := d.store.training()
	if err != nil {
		return s, err
	}
	switch {
	case facts[metaSupernet] != "":
		s.TrainStep = s.TrainSteps
	case len(curve) > 0:
		s.TrainStep = curve[len(curve)-1].Step
	}
	if s.Evaluations, err = d.store.count("evaluations"); err != nil {
		return s, err
	}
	chosen, err := d.store.winners()
	if err != nil {
		return s, err
	}
	s.WinnersWant = len(chosen)
	for _, c := range chosen {
		if c.card != "" {
			s.Winners++
		}
	}
	release, err := lock(d.Path)
	switch {
	case errors.Is(err, errLocked):
		s.Running = true
	case err == nil:
		return s, release()
	}
	return s, nil
}

// Front is the content of front.json. It is an error when the search is not
// finished; see Status.
func (d *Dir) Front() (*Front, error) {
	list, err := d.store.front()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("runner: %s has no front yet", d.Path)
	}
	f := &Front{Objectives: slices.Clone(d.cfg.Search.Objectives)}
	for _, e := range list {
		f.Points = append(f.Points, e.Point)
	}
	return f, nil
}

// Evaluations gives every genome scored so far, in launch order.
func (d *Dir) Evaluations() ([]Evaluation, error) { return d.store.evaluations() }

// Training gives the curve of the supernet's training.
func (d *Dir) Training() ([]TrainPoint, error) { return d.store.training() }

// Quality gives the validation's curve of the supernet's training, empty for
// runs of before it was recorded.
func (d *Dir) Quality() ([]QualityPoint, error) { return d.store.quality() }

// Winners gives the cards of the finished winners, the one predicted fastest
// first.
func (d *Dir) Winners() ([]Card, error) {
	chosen, err := d.store.winners()
	if err != nil {
		return nil, err
	}
	var cards []Card
	for _, c := range chosen {
		if c.card == "" {
			continue
		}
		var card Card
		if err := json.Unmarshal([]byte(c.card), &card); err != nil {
			return nil, fmt.Errorf("%w: card of %s: %w", ErrIntegrity, c.id, err)
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

// File is the path of a winner's file, such as "model.onnx".
func (d *Dir) File(winner, name string) string {
	return filepath.Join(d.Path, dirWinners, winner, name)
}

// Supernet is the path of the run's trained supernet, which is there once
// training has ended.
func (d *Dir) Supernet() string { return filepath.Join(d.Path, fileSupernet) }

// Events gives the run's diary.
func (d *Dir) Events() ([]Event, error) { return d.store.events() }

// Profile is the device profile of the run. It is an error when none is
// measured yet; see Status.
func (d *Dir) Profile() (*deviceprofile.Profile, error) {
	text, err := d.store.meta(metaProfile)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fmt.Errorf("runner: %s has no profile yet", d.Path)
	}
	return configs.ParseProfile(filepath.Join(d.Path, fileProfile), []byte(text))
}

// SearchEnd says why the search ended and what hypervolume its front has;
// "" while it goes on.
func (d *Dir) SearchEnd() (reason string, hypervolume float64, err error) {
	if reason, err = d.store.meta(metaSearchEnd); err != nil || reason == "" {
		return "", 0, err
	}
	text, err := d.store.meta(metaHypervolume)
	if err == nil {
		_, err = fmt.Sscan(text, &hypervolume)
	}
	return reason, hypervolume, err
}

// Validation loads or draws the run's validation crops again.
func (d *Dir) Validation() ([]imaging.Pair, error) {
	ctx := context.Background()
	var pairs []imaging.Pair
	if d.cfg.Data.Validation == configs.Procedural {
		var err error
		if pairs, err = drawValidation(ctx, d.cfg, func(int, int) {}); err != nil {
			return nil, err
		}
	} else {
		only := *d.cfg
		only.Data.Train = configs.Procedural
		p, err := loadFolders(ctx, &only, func(string, int, int) {})
		if err != nil {
			return nil, err
		}
		pairs = p.val
	}
	want, err := d.store.meta(metaValidation)
	if err != nil {
		return nil, err
	}
	if want != "" && sumPairs(pairs) != want {
		return nil, fmt.Errorf("%w: the validation pictures are not those of the run", ErrData)
	}
	return pairs, nil
}

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

// Front is front.json: the trade-offs found, sorted by latency. It holds
// predictions and no clock time.
type Front struct {
	Objectives []string `json:"objectives"`
	Points     []Point  `json:"points"`
}

// Point is one network of the front, with the weights that the search scored.
type Point struct {
	ID        string  `json:"id"`
	Genome    string  `json:"genome"`
	PSNR      float64 `json:"psnr_db"`
	SSIM      float64 `json:"ssim"`
	LatencyMS float64 `json:"latency_ms"` // predicted, one frame
	Params    int     `json:"params"`     // kept weights and biases
	MACs      int     `json:"macs"`       // executed multiplications, one frame

	Others map[string]float64 `json:"latencies_ms,omitempty"` // predicted on further devices, by name
}

// Evaluation is one scored genome.
type Evaluation struct {
	Index int // launch order, from 0
	Point
	Violation float64 // of the constraints, 0 when feasible
	Estimated bool    // PSNR and SSIM are of some validation crops only: never on the front
	Err       string  // why it has no score, or ""
}

// TrainPoint is one point of the training curve.
type TrainPoint struct {
	Step int
	Loss float64 // L1 of the largest subnet, mean since the last point
	Rate float64
}

// QualityPoint is what validation said of the supernet during its training.
type QualityPoint struct {
	Step       int
	PSNR       float64 // of the largest network, averaged weights, dB
	PrunedPSNR float64 // of the same with every layer half pruned; 0 where the space prunes nothing
}

// Event is one line of a run's diary.
type Event struct {
	At    time.Time
	Stage string
	Text  string
}
