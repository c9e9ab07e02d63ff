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
	"evosr/supernet"
)

// Version is evosr's. It stands on every winner.
const Version = "0.1.0"

// What a run can end with, beside nil. Each has an exit code in cmd/evosr.
var (
	ErrUsage       = errors.New("the run cannot start")                         // 2
	ErrInfeasible  = errors.New("nothing in the space keeps within the budget") // 3
	ErrData        = errors.New("the pictures cannot be used")                  // 4
	ErrInterrupted = errors.New("interrupted; the same command continues")      // 5
	ErrIntegrity   = errors.New("the run directory cannot be continued")        // 6
)

// Options say how a run is carried out; nothing in them changes its result.
type Options struct {
	Workers int            // genomes scored at a time; 0 means GOMAXPROCS
	Report  func(Progress) // called from one goroutine at a time; may be nil

	// Warn is called with what a person should know of before the run ends, such
	// as a layer that died in training. It stands in the diary, too. It may be nil.
	Warn func(text string)
}

// Stages of a run, in their order.
const (
	StageData     = "data"
	StageProfile  = "profile"
	StageSupernet = "supernet"
	StageSearch   = "search"
	StageWinners  = "winners"
	StageDone     = "done"
)

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

	trainOnly bool // ends with the supernet
	report    reporter
	store     *store
	pictures  *pictures
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
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	r := &run{cfg: cfg, dir: dir, o: o, trainOnly: trainOnly, report: reporter{to: o.Report}}
	err := r.run(ctx)
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
			err = errors.Join(err, r.store.close())
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
	r.pictures, err = loadFolders(ctx, r.cfg, func(what string, done, total int) {
		r.report.tell(StageData, what, float64(done), float64(total), 0)
	})
	if err != nil {
		return err
	}
	made := false // the directory is this call's
	if fresh {
		_, err := os.Stat(r.dir)
		made = errors.Is(err, os.ErrNotExist)
		if err := os.MkdirAll(r.dir, 0o755); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
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
		{StageData, r.data, false}, {StageProfile, r.measure, true}, {StageSupernet, r.train, false}, {StageSearch, r.search, true}, {StageWinners, r.winners, true},
	} {
		if stage.all && r.trainOnly {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage.do(ctx); err != nil {
			if fresh && stage.name == StageProfile && errors.Is(err, ErrInfeasible) {
				return errors.Join(err, r.withdraw(made))
			}
			// That the diary cannot be written, either, says nothing more.
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				_ = r.store.event(stage.name, "interrupted")
			} else {
				_ = r.store.event(stage.name, "ended: %v", err)
			}
			return err
		}
	}
	return nil
}

// withdraw removes what a run wrote that found its constraints impossible
// before any work was done, so that the corrected config may use the directory.
func (r *run) withdraw(made bool) error {
	err := r.store.close()
	r.store = nil
	err = errors.Join(err, r.removeDevices())
	for _, name := range []string{fileConfig, fileProfile, fileStore, fileStore + "-wal", fileStore + "-shm"} {
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
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%w: %s is a file, want a run directory or a new name", ErrUsage, r.dir)
	}
	empty, isRun, err := isRun(r.dir)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	case isRun:
		return false, nil
	case !empty:
		return false, fmt.Errorf("%w: %s holds files but no %s, want a run directory, an empty folder or a new name", ErrUsage, r.dir, fileStore)
	}
	return true, nil
}

// open takes the directory and makes its database, or checks the one it has.
func (r *run) open() (release func() error, err error) {
	unlock, err := lock(r.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUsage, r.dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	if r.store, err = openStore(r.dir, true); err != nil {
		return nil, err
	}
	v, err := r.store.version()
	if err != nil {
		return nil, storeError(err)
	}
	text := string(r.cfg.YAML())
	if v == 0 {
		err = r.store.create(map[string]string{metaConfig: text, metaConfigHash: r.cfg.Hash(), metaVersion: Version})
		if err != nil {
			return nil, err
		}
	} else {
		if err := r.sameConfig(); err != nil {
			return nil, err
		}
		if err := sweep(r.dir); err != nil {
			return nil, err
		}
		// What changes no result may have changed, such as where the pictures lie.
		was, err := r.store.meta(metaConfig)
		if err == nil && was != text {
			err = r.store.setMeta(metaConfig, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.keepFile(fileConfig, []byte(text)); err != nil {
		return nil, err
	}
	return unlock, r.store.event(StageData, "evosr %s with %d workers, kernels %s", Version, r.o.Workers, kernel.Best().Name)
}

// sameConfig refuses to continue another experiment, or a damaged one.
func (r *run) sameConfig() error {
	if err := r.store.sound(); err != nil {
		return err
	}
	text, err := r.store.meta(metaConfig)
	if err != nil {
		return err
	}
	was, err := configs.Parse(filepath.Join(r.dir, fileConfig), []byte(text))
	if err != nil {
		return fmt.Errorf("%w: its config does not read: %w", ErrIntegrity, err)
	}
	if list := configs.Differences(was, r.cfg); len(list) > 0 {
		return fmt.Errorf("%w: %s was begun with another config: %s; want the same config, or another directory", ErrIntegrity, r.dir, strings.Join(list, "; "))
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
	if p.val == nil {
		var err error
		p.val, err = drawValidation(ctx, r.cfg, func(done, total int) {
			r.report.tell(StageData, "drawing validation pictures", float64(done), float64(total), 0)
		})
		if err != nil {
			return err
		}
		p.valSum = sumPairs(p.val)
	}
	if err := r.sameData(metaValidation, "validation", p.valSum); err != nil {
		return err
	}
	if p.train != nil {
		return r.sameData(metaTrainData, "training", p.trainSum)
	}
	return nil
}

func (r *run) sameData(key, what, hash string) error {
	was, err := r.store.meta(key)
	switch {
	case err != nil:
		return err
	case was == "":
		return r.store.setMeta(key, hash)
	case was != hash:
		return fmt.Errorf("%w: the %s pictures are not those that %s was begun with; want the same pictures, or another directory", ErrIntegrity, what, r.dir)
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
	if r.pictures.train == nil {
		if err := r.drawTrain(ctx, stage); err != nil {
			return nil, err
		}
		if err := r.sameData(metaTrainData, "training", r.pictures.trainSum); err != nil {
			return nil, err
		}
	}
	return r.deal(ctx, stage)
}

// drawTrain draws the procedural training pictures.
func (r *run) drawTrain(ctx context.Context, stage string) (err error) {
	p := r.pictures
	p.train, err = drawTraining(ctx, r.cfg, func(done, total int) {
		r.report.tell(stage, "drawing training pictures", float64(done), float64(total), 0)
	})
	if err == nil {
		p.trainSum = sum(p.train)
	}
	return err
}

// deal makes the training pictures that are there into a set of patches.
func (r *run) deal(ctx context.Context, stage string) (*imaging.Dataset, error) {
	p := r.pictures
	set, err := imaging.NewDataset([]*imaging.Plane{p.train[0].plane()}, r.cfg.Space.Scale)
	if err != nil {
		return nil, err
	}
	tell := func(done int) {
		r.report.tell(stage, "preparing training pictures", float64(done), float64(len(p.train)), 0)
	}
	tell(0)
	for i := range p.train {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i > 0 {
			if err := set.Add(p.train[i].plane()); err != nil {
				return nil, err
			}
		}
		p.train[i].codes = nil // the dataset has its own copy
		tell(i + 1)
	}
	p.train = nil
	return set, set.Fits(r.cfg.Train.Patch)
}
