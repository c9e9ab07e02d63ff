package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"evosr/supernet"
)

// curvePoints is how many points the training curve has at most.
const curvePoints = 200

// Metadata of supernet.safetensors.
const (
	noteConfig = "config_hash"
	noteSteps  = "steps"
)

// train trains the supernet, from its checkpoint when there is one, or loads
// the one that is trained.
func (r *run) train(ctx context.Context) error {
	path := filepath.Join(r.dir, fileSupernet)
	want, err := r.store.meta(metaSupernet)
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
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	if got := notes[noteConfig]; got != r.cfg.Hash() {
		return fmt.Errorf("%w: %s belongs to a run of another config", ErrIntegrity, path)
	}
	hash := net.Hash()
	if want != "" && hash != want {
		return fmt.Errorf("%w: %s does not hold the weights that the run was begun with", ErrIntegrity, path)
	}
	r.net = net
	if want == "" {
		if err := r.store.setMeta(metaSupernet, hash); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(r.dir, fileCheckpoint)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (r *run) trainNow(ctx context.Context, path string) error {
	set, err := r.dataset(ctx, StageSupernet)
	if err != nil {
		return err
	}
	c := &r.cfg.Train
	t, err := supernet.NewTrainer(supernet.New(&r.cfg.Space, stream(r.cfg.Seed, "supernet")), set, supernet.Options{
		Steps: c.Steps, Batch: c.Batch, Patch: c.Patch, Subnets: c.Subnets, Rate: c.Rate, Distill: c.Distill,
		Seed: stream(r.cfg.Seed, "training"),
	})
	if err != nil {
		return err
	}
	checkpoint := filepath.Join(r.dir, fileCheckpoint)
	if _, err := os.Stat(checkpoint); err == nil {
		if err := t.Restore(checkpoint); err != nil {
			return fmt.Errorf("%w: %w; remove the file to train from the beginning", ErrIntegrity, err)
		}
		if err := r.store.event(StageSupernet, "training continues after step %d", t.StepIndex()); err != nil {
			return err
		}
	} else if err := r.store.event(StageSupernet, "training of %d steps begins", c.Steps); err != nil {
		return err
	}
	if err := r.steps(ctx, t, checkpoint); err != nil {
		return err
	}
	if err := t.Averaged().Save(path, map[string]string{noteConfig: r.cfg.Hash(), noteSteps: fmt.Sprint(c.Steps)}); err != nil {
		return err
	}
	return r.store.event(StageSupernet, "trained")
}

// steps trains to the end, with a checkpoint now and then and when ctx ends.
func (r *run) steps(ctx context.Context, t *supernet.Trainer, checkpoint string) error {
	c := &r.cfg.Train
	every := max(1, c.Steps/curvePoints)
	var points []TrainPoint
	loss, n := 0.0, 0
	save := func() error {
		if err := r.store.addTraining(points); err != nil {
			return err
		}
		points = points[:0]
		return t.Save(checkpoint)
	}
	r.report.tell(StageSupernet, "training", float64(t.StepIndex()), float64(c.Steps), 0)
	for t.StepIndex() < c.Steps {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, save())
		}
		s, err := t.Step()
		if err != nil {
			return err
		}
		if s.RolledBack {
			if err := r.store.event(StageSupernet, "step %d exploded: back to the last good weights, rate %.2g", s.Step, s.Rate); err != nil {
				return err
			}
		} else {
			loss += s.Loss
			n++
		}
		if (s.Step%every == 0 || s.Step == c.Steps) && n > 0 {
			points = append(points, TrainPoint{Step: s.Step, Loss: loss / float64(n), Rate: s.Rate})
			loss, n = 0, 0
		}
		if s.Step%c.Checkpoint == 0 && s.Step < c.Steps {
			if err := save(); err != nil {
				return err
			}
		}
		message := "training"
		if len(points) > 0 {
			message = fmt.Sprintf("training, loss %.4f", points[len(points)-1].Loss)
		}
		r.report.tell(StageSupernet, message, float64(s.Step), float64(c.Steps), 0)
	}
	return r.store.addTraining(points)
}
