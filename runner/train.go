package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"evosr/configs"
	"evosr/rundir"
	"evosr/supernet"
)

// How many points the training curve has at most, and that of the validation.
const (
	curvePoints   = 200
	qualityPoints = 50
)

// Metadata of supernet.safetensors.
const (
	noteConfig = "config_hash"
	noteSteps  = "steps"
	noteFrom   = "from"
)

// train trains the supernet, from its checkpoint when there is one, or loads
// the one that is trained.
func (r *run) train(ctx context.Context) error {
	path := filepath.Join(r.dir, rundir.FileSupernet)
	want, err := r.store.Meta(rundir.MetaSupernet)
	if err != nil {
		return err
	}
	switch _, err := os.Stat(path); {
	case err == nil:
		return r.loadSupernet(path, want)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := r.trainNow(ctx, path); err != nil {
		return err
	}
	return r.loadSupernet(path, want)
}

// loadSupernet reads the trained supernet and makes sure that it is this run's.
func (r *run) loadSupernet(path, want string) error {
	net, notes, err := supernet.Load(path)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", rundir.ErrIntegrity, err)
	}
	if got := notes[noteConfig]; got != r.cfg.Hash() {
		return fmt.Errorf("%w: %s belongs to a run of another config", rundir.ErrIntegrity, path)
	}
	hash := net.Hash()
	if want != "" && hash != want {
		return fmt.Errorf("%w: %s does not hold the weights that the run was begun with", rundir.ErrIntegrity, path)
	}
	r.net = net
	if want == "" {
		if err := r.store.SetMeta(rundir.MetaSupernet, hash); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(r.dir, rundir.FileCheckpoint)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// start is what training starts from: untrained weights, or those that the
// config names, cut to its space.
func (r *run) start() (*supernet.Supernet, error) {
	if r.begin == nil {
		var err error
		if r.begin, err = startOf(r.cfg); err != nil {
			return nil, err
		}
	}
	return r.begin, nil
}

func startOf(cfg *configs.Config) (*supernet.Supernet, error) {
	if cfg.Train.From == "" {
		return split(supernet.New(&cfg.Space, rundir.Stream(cfg.Seed, "supernet")), cfg)
	}
	_, part, _, err := named(cfg)
	return part, err
}

// split gives the parts of the space that cfg names weights of their own, and wants
// those that it trains among them.
func split(net *supernet.Supernet, cfg *configs.Config) (*supernet.Supernet, error) {
	p := &cfg.Train.Partitions
	if len(p.Borders)+len(p.Pruned) > 0 {
		var err error
		if net, err = net.Partition(p.Borders, p.Pruned); err != nil {
			return nil, fmt.Errorf("%w: train.partitions: %w", rundir.ErrUsage, err)
		}
	}
	if err := net.Partitions.Check(p.Train); err != nil {
		return nil, fmt.Errorf("%w: train.partitions.train: %w", rundir.ErrUsage, err)
	}
	return net, nil
}

// trainerOptions is the training that cfg asks for.
func trainerOptions(cfg *configs.Config) supernet.Options {
	c := &cfg.Train
	return supernet.Options{
		Steps: c.Steps, Batch: c.Batch, Patch: c.Patch, Subnets: c.Subnets, LargestPruned: c.LargestPruned, SubnetBatch: c.SubnetBatch, SubnetWeight: c.SubnetWeight, Rate: c.Rate, Distill: c.Distill,
		Partitions: c.Partitions.Train, Elastic: c.From != "", Seed: rundir.Stream(cfg.Seed, "training"),
	}
}

// named gives the supernet that train.from names, the part of it that is the
// config's space, and its notes.
func named(cfg *configs.Config) (all, part *supernet.Supernet, notes map[string]string, err error) {
	if scale, ok := configs.PretrainedScale(cfg.Train.From, cfg.Space.Scale); ok {
		all, notes, err = supernet.Pretrained(scale)
	} else {
		all, notes, err = supernet.Load(cfg.Train.From)
	}
	switch {
	case err != nil:
	case all.Space.Scale == cfg.Space.Scale:
		part, err = all.Slice(&cfg.Space)
	case cfg.Train.Steps == 0:
		err = fmt.Errorf("weights of scale %d, want scale %d, or train.steps that train what depends on the scale", all.Space.Scale, cfg.Space.Scale)
	default:
		part, err = all.Rescale(&cfg.Space, rundir.Stream(cfg.Seed, "supernet"))
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", rundir.ErrUsage, fromFault(cfg.Train.From, err))
	}
	if part, err = split(part, cfg); err != nil {
		return nil, nil, nil, err
	}
	return all, part, notes, nil
}

// fromFault names the keys that do not go together with the weights of train.from.
func fromFault(from string, err error) error {
	all := []error{err}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		all = list.Unwrap()
	}
	keys := map[string]string{"scale": "scale", "colors": "colors", "width": "space.widths", "scheme": "space.schemes", "ratio": "space.ratios", "slots": "space.slots"}
	var faults []error
	for _, err := range all {
		var missing *supernet.NotCovered
		if !errors.As(err, &missing) {
			faults = append(faults, &configs.KeyError{Key: "train.from", Err: fmt.Errorf("%s: %w", from, err)})
			continue
		}
		key := keys[missing.What]
		text := missing.Text
		if key == "" { // "slot 3"
			key, text = "space.slots", missing.What+": "+text
		}
		faults = append(faults, &configs.KeyError{Key: key, Err: fmt.Errorf("%s, as train.from: %s was trained for", text, from)})
	}
	return errors.Join(faults...)
}

// sameFrom holds weights of train.from against those that the run was begun with:
// what training starts from (metaFrom), and all, of which some teach (metaTeacher).
func (r *run) sameFrom(what string, net *supernet.Supernet) error {
	was, err := r.store.Meta(what)
	if err != nil {
		return err
	}
	switch now := net.Hash(); {
	case was == "":
		return r.store.SetMeta(what, now)
	case was != now:
		return fmt.Errorf("%w: the weights of train.from, %s, are not those that %s was begun with; want the same weights, or another directory", rundir.ErrIntegrity, r.cfg.Train.From, r.dir)
	}
	return nil
}

func (r *run) trainNow(ctx context.Context, path string) error {
	c := &r.cfg.Train
	net, err := r.start()
	if err != nil {
		return err
	}
	if c.From != "" { // else they follow from the config
		if err := r.sameFrom(rundir.MetaFrom, net); err != nil {
			return err
		}
	}
	notes := map[string]string{noteConfig: r.cfg.Hash(), noteSteps: fmt.Sprint(c.Steps), noteFrom: c.From}
	if c.Steps == 0 {
		if err := net.Save(path, notes); err != nil {
			return err
		}
		return r.store.Event(rundir.StageSupernet, "the weights of %s are used as they are", c.From)
	}
	set, err := r.dataset(ctx, rundir.StageSupernet)
	if err != nil {
		return err
	}
	t, err := supernet.NewTrainer(net, set, trainerOptions(r.cfg))
	if err != nil {
		return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	r.begin = nil // the trainer has its own copy
	checkpoint := filepath.Join(r.dir, rundir.FileCheckpoint)
	if _, err := os.Stat(checkpoint); err == nil {
		if err := t.Restore(checkpoint); err != nil {
			return fmt.Errorf("%w: %w; remove the file to train from the beginning", rundir.ErrIntegrity, err)
		}
		if err := r.store.Event(rundir.StageSupernet, "training continues after step %d", t.StepIndex()); err != nil {
			return err
		}
	} else if err := r.store.Event(rundir.StageSupernet, "training of %d steps begins", c.Steps); err != nil {
		return err
	}
	if err := r.steps(ctx, t, checkpoint); err != nil {
		return err
	}
	if err := t.Averaged().Save(path, notes); err != nil {
		return err
	}
	return r.store.Event(rundir.StageSupernet, "trained")
}

// checkpointTime is the most that a kill can cost.
const checkpointTime = 3 * time.Minute

// steps trains to the end, with a checkpoint now and then and when ctx ends.
func (r *run) steps(ctx context.Context, t *supernet.Trainer, checkpoint string) error {
	c := &r.cfg.Train
	probe := newProbe(&r.cfg.Space, r.pictures.Validation)
	d := &diary{store: r.store, every: max(1, c.Steps/curvePoints), steps: c.Steps}
	eyes, err := newWatch(r.store, r.pictures.Validation, t.StepIndex(), r.o.Warn)
	if err != nil {
		return err
	}
	looked := func(step int) bool { return step%max(1, c.Steps/qualityPoints) == 0 || step == c.Steps }
	begun, first, saved := time.Now(), t.StepIndex(), time.Now()
	save := func() error {
		saved = time.Now()
		if err := d.flush(); err != nil {
			return err
		}
		return t.Save(checkpoint)
	}
	if curve, err := r.store.Quality(); err != nil {
		return err
	} else if len(curve) > 0 { // of an earlier call
		d.last = curve[len(curve)-1]
	}
	r.report.tell(rundir.StageSupernet, "training", float64(t.StepIndex()), float64(c.Steps), 0)
	for t.StepIndex() < c.Steps {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, save())
		}
		if looked(t.StepIndex() + 1) {
			t.Watch()
		}
		s, err := t.Step()
		if err != nil {
			return err
		}
		if s.RolledBack {
			if err := r.store.Event(rundir.StageSupernet, "step %d exploded: back to the last good weights, rate %.2g", s.Step, s.Rate); err != nil {
				return err
			}
		}
		d.note(s)
		if looked(s.Step) {
			if d.last, err = probe.look(t.Averaged(), s.Step); err != nil {
				return err
			}
			d.quality = append(d.quality, d.last)
			seen, err := eyes.look(t)
			if err != nil {
				return err
			}
			d.layers = append(d.layers, seen)
		}
		if s.Step < c.Steps && (s.Step%c.Checkpoint == 0 || time.Since(saved) > checkpointTime) {
			if err := save(); err != nil {
				return err
			}
		}
		rate := float64((s.Step-first)*c.Batch) / time.Since(begun).Seconds()
		r.report.tell(rundir.StageSupernet, d.message(rate), float64(s.Step), float64(c.Steps), 0)
	}
	return d.flush()
}

// diary collects the training curve between two checkpoints.
type diary struct {
	store   *rundir.Store
	every   int // steps of a point
	steps   int // in all
	points  []rundir.TrainPoint
	quality []rundir.QualityPoint
	layers  []rundir.LayersPoint
	last    rundir.QualityPoint // the newest quality

	loss float64 // since the last point
	n    int
	told float64 // loss of the newest point
}

func (d *diary) note(s supernet.Stats) {
	if !s.RolledBack {
		d.loss += s.Loss
		d.n++
	}
	if (s.Step%d.every == 0 || s.Step == d.steps) && d.n > 0 {
		d.told = d.loss / float64(d.n)
		d.points = append(d.points, rundir.TrainPoint{Step: s.Step, Loss: d.told, Rate: s.Rate})
		d.loss, d.n = 0, 0
	}
}

func (d *diary) flush() error {
	if err := d.store.AddTraining(d.points); err != nil {
		return err
	}
	if err := d.store.AddQuality(d.quality); err != nil {
		return err
	}
	if err := d.store.AddLayers(d.layers); err != nil {
		return err
	}
	d.points, d.quality, d.layers = d.points[:0], d.quality[:0], d.layers[:0]
	return nil
}

// message is what a user sees of the training; rate is patches per second.
func (d *diary) message(rate float64) string {
	text := "training"
	if d.told > 0 {
		text += fmt.Sprintf(", loss %.4f", d.told)
	}
	if d.last.Step > 0 {
		text += fmt.Sprintf(", %.2f dB", d.last.PSNR)
	}
	if d.last.PrunedPSNR > 0 {
		text += fmt.Sprintf(" (half pruned %.2f)", d.last.PrunedPSNR)
	}
	return text + fmt.Sprintf(", %.0f images/s", rate)
}
