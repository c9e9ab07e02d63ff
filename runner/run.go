package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/imaging"
	"evosr/internal/kernel"
	"evosr/internal/whole"
	"evosr/rundir"
	"evosr/supernet"
)

// Version is evosr's. It stands on every winner.
const Version = "0.1.0"

// What a run can end with, beside nil and the errors of rundir. Each has an exit
// code in cmd/evosr.
var (
	ErrInfeasible  = errors.New("nothing in the space keeps within the budget") // 3
	ErrInterrupted = errors.New("interrupted; the same command continues")      // 5
)

// Options say how a run is carried out; nothing in them changes its result.
type Options struct {
	Workers int            // genomes scored at a time; 0 means GOMAXPROCS
	Report  func(Progress) // called from one goroutine at a time; may be nil

	// Warn is called with what a person should know of before the run ends, such
	// as a layer that died in training. It stands in the diary, too. It may be nil.
	Warn func(text string)
}

// Progress is where a run is.
type Progress struct {
	Stage       string
	Message     string  // what is being done, one short phrase
	Done, Total float64 // of the stage, in steps, evaluations or parts
	Rate        float64 // Done per second
	Hypervolume float64 // of the front so far; search only
	Left        time.Duration
}

// run is one call of Run.
type run struct {
	cfg *configs.Config
	dir string
	o   Options

	aims      fitness.Objectives
	trainOnly bool // ends with the supernet
	report    reporter
	store     *rundir.Store
	pictures  *rundir.Pictures
	profile   *deviceprofile.Profile
	others    []fitness.Device   // further ones
	begin     *supernet.Supernet // what training starts from; see start
	net       *supernet.Supernet

	once   sync.Once // guards dealt
	dealt  *imaging.Dataset
	dealtE error
}

// Run carries cfg out in dir. The same call resumes, from whatever the last one
// left, and leads to the same front.
func Run(ctx context.Context, cfg *configs.Config, dir string, o Options) error {
	return carry(ctx, cfg, dir, o, false)
}

// Train carries out the part of cfg that trains the supernet, and needs no
// profile. Both Train and Run continue what it left.
func Train(ctx context.Context, cfg *configs.Config, dir string, o Options) error {
	return carry(ctx, cfg, dir, o, true)
}

func carry(ctx context.Context, cfg *configs.Config, dir string, o Options, trainOnly bool) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	r := &run{cfg: cfg, dir: dir, o: o, trainOnly: trainOnly, report: reporter{to: o.Report}}
	var err error
	if r.aims, err = fitness.ParseObjectives(cfg.Search.Objectives); err != nil {
		return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	err = r.run(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w (%s)", ErrInterrupted, dir)
	}
	return err
}

func (r *run) run(ctx context.Context) (err error) {
	// Everything that can be found wrong is looked at before anything is
	// written: an existing run first, then the profile, then the pictures.
	fresh, err := r.look()
	if err != nil {
		return err
	}
	defer func() {
		if r.store != nil {
			err = errors.Join(err, r.store.Close())
		}
	}()
	if !fresh {
		release, err := r.open()
		if err != nil {
			return err
		}
		defer release()
	}
	if !r.trainOnly {
		if err := r.namedProfile(); err != nil {
			return err
		}
	}
	if fresh {
		if _, err := r.start(); err != nil {
			return err
		}
	}
	r.pictures, err = rundir.LoadPictures(ctx, r.cfg, func(what string, done, total int) {
		r.report.tell(rundir.StageData, what, float64(done), float64(total), 0)
	})
	if err != nil {
		return err
	}
	made := false // the directory is this call's
	if fresh {
		_, err := os.Stat(r.dir)
		made = errors.Is(err, os.ErrNotExist)
		if err := os.MkdirAll(r.dir, 0o755); err != nil {
			return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
		}
		release, err := r.open()
		if err != nil {
			return err
		}
		defer release()
	}
	for _, stage := range []struct {
		name string
		do   func(context.Context) error
		all  bool // only a whole run comes to it
	}{
		{rundir.StageData, r.data, false}, {rundir.StageProfile, r.measure, true}, {rundir.StageSupernet, r.train, false}, {rundir.StageSearch, r.search, true}, {rundir.StageWinners, r.winners, true},
	} {
		if stage.all && r.trainOnly {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage.do(ctx); err != nil {
			if fresh && stage.name == rundir.StageProfile && errors.Is(err, ErrInfeasible) {
				return errors.Join(err, r.withdraw(made))
			}
			// That the diary cannot be written, either, says nothing more.
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				_ = r.store.Event(stage.name, "interrupted")
			} else {
				_ = r.store.Event(stage.name, "ended: %v", err)
			}
			return err
		}
	}
	return nil
}

// withdraw removes what a run wrote that found its constraints impossible
// before any work was done, so that the corrected config may use the directory.
func (r *run) withdraw(made bool) error {
	err := r.store.Close()
	r.store = nil
	err = errors.Join(err, r.removeDevices())
	for _, name := range []string{rundir.FileConfig, rundir.FileProfile, rundir.FileStore, rundir.FileStore + "-wal", rundir.FileStore + "-shm"} {
		if e := os.Remove(filepath.Join(r.dir, name)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if made {
		err = errors.Join(err, os.Remove(r.dir))
	}
	return err
}

// look says whether the directory is fresh, from names only.
func (r *run) look() (fresh bool, err error) {
	info, err := os.Stat(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%w: %s is a file, want a run directory or a new name", rundir.ErrUsage, r.dir)
	}
	empty, isRun, err := rundir.Contents(r.dir)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	case isRun:
		return false, nil
	case !empty:
		return false, fmt.Errorf("%w: %s holds files but no %s, want a run directory, an empty folder or a new name", rundir.ErrUsage, r.dir, rundir.FileStore)
	}
	return true, nil
}

// open takes the directory and makes its database, or checks the one it has.
func (r *run) open() (release func() error, err error) {
	unlock, err := rundir.Lock(r.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", rundir.ErrUsage, r.dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	if r.store, err = rundir.OpenStore(r.dir, true); err != nil {
		return nil, err
	}
	v, err := r.store.Version()
	if err != nil {
		return nil, err
	}
	text := string(r.cfg.YAML())
	if v == 0 {
		err = r.store.Create(map[string]string{rundir.MetaConfig: text, rundir.MetaConfigHash: r.cfg.Hash(), rundir.MetaVersion: Version})
		if err != nil {
			return nil, err
		}
	} else {
		if err := r.sameConfig(); err != nil {
			return nil, err
		}
		if err := rundir.Sweep(r.dir); err != nil {
			return nil, err
		}
		// What changes no result may have changed, such as where the pictures lie.
		was, err := r.store.Meta(rundir.MetaConfig)
		if err == nil && was != text {
			err = r.store.SetMeta(rundir.MetaConfig, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.keepFile(rundir.FileConfig, []byte(text)); err != nil {
		return nil, err
	}
	return unlock, r.store.Event(rundir.StageData, "evosr %s with %d workers, kernels %s", Version, r.o.Workers, kernel.Best().Name)
}

// sameConfig refuses to continue another experiment, or a damaged one.
func (r *run) sameConfig() error {
	if err := r.store.Sound(); err != nil {
		return err
	}
	text, err := r.store.Meta(rundir.MetaConfig)
	if err != nil {
		return err
	}
	was, err := configs.ParseStored(filepath.Join(r.dir, rundir.FileConfig), []byte(text))
	if err != nil {
		return fmt.Errorf("%w: its config does not read: %w", rundir.ErrIntegrity, err)
	}
	if list := configs.Differences(was, r.cfg); len(list) > 0 {
		return fmt.Errorf("%w: %s was begun with another config: %s; want the same config, or another directory", rundir.ErrIntegrity, r.dir, strings.Join(list, "; "))
	}
	return nil
}

// keepFile makes a file of the directory say what the database says.
func (r *run) keepFile(name string, text []byte) error {
	path := filepath.Join(r.dir, name)
	if got, err := os.ReadFile(path); err == nil && string(got) == string(text) {
		return nil
	}
	return whole.WriteBytes(path, text)
}

// data draws what is procedural and holds all pictures against those that the
// run was begun with.
func (r *run) data(ctx context.Context) error {
	p := r.pictures
	if p.Validation == nil {
		err := p.DrawValidation(ctx, r.cfg, func(done, total int) {
			r.report.tell(rundir.StageData, "drawing validation pictures", float64(done), float64(total), 0)
		})
		if err != nil {
			return err
		}
	}
	if err := r.sameData(rundir.MetaValidation, "validation", p.ValidationHash); err != nil {
		return err
	}
	if p.TrainHash != "" {
		return r.sameData(rundir.MetaTrainData, "training", p.TrainHash)
	}
	return nil
}

func (r *run) sameData(key, what, hash string) error {
	was, err := r.store.Meta(key)
	switch {
	case err != nil:
		return err
	case was == "":
		return r.store.SetMeta(key, hash)
	case was != hash:
		return fmt.Errorf("%w: the %s pictures are not those that %s was begun with; want the same pictures, or another directory", rundir.ErrIntegrity, what, r.dir)
	}
	return nil
}

// dataset gives the training patches. Procedural pictures are drawn on the
// first call only, for a finished run needs none.
func (r *run) dataset(ctx context.Context, stage string) (*imaging.Dataset, error) {
	r.once.Do(func() { r.dealt, r.dealtE = r.newDataset(ctx, stage) })
	return r.dealt, r.dealtE
}

func (r *run) newDataset(ctx context.Context, stage string) (*imaging.Dataset, error) {
	if r.pictures.TrainHash == "" {
		if err := r.drawTrain(ctx, stage); err != nil {
			return nil, err
		}
		if err := r.sameData(rundir.MetaTrainData, "training", r.pictures.TrainHash); err != nil {
			return nil, err
		}
	}
	return r.deal(ctx, stage)
}

// drawTrain draws the procedural training pictures.
func (r *run) drawTrain(ctx context.Context, stage string) error {
	return r.pictures.DrawTraining(ctx, r.cfg, func(done, total int) {
		r.report.tell(stage, "drawing training pictures", float64(done), float64(total), 0)
	})
}

// deal makes the training pictures that are there into a set of patches.
func (r *run) deal(ctx context.Context, stage string) (*imaging.Dataset, error) {
	return r.pictures.Dataset(ctx, r.cfg, func(done, total int) {
		r.report.tell(stage, "preparing training pictures", float64(done), float64(total), 0)
	})
}
