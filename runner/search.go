package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"evosr/configs"
	"evosr/evolve"
	"evosr/fitness"
	"evosr/internal/relay"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
	"evosr/supernet"
)

// search looks for the front. Every evaluation is in the database before
// anything is bred from it, and is never made twice.
func (r *run) search(ctx context.Context) error {
	end, err := r.store.Meta(rundir.MetaSearchEnd)
	if err != nil {
		return err
	}
	if end == "" {
		if err := r.searchNow(ctx); err != nil {
			return err
		}
	}
	points, err := r.store.Front()
	if err != nil {
		return err
	}
	text, err := rundir.FrontJSON(r.cfg.Search.Objectives, points)
	if err != nil {
		return err
	}
	return r.keepFile(rundir.FileFront, text)
}

// scorer scores genomes of the trained supernet with inherited weights. cache
// may be nil.
func (r *run) scorer(cache fitness.Cache) (*fitness.Scorer, error) {
	return fitness.NewScorer(r.net, r.pictures.Validation, r.profile, r.scoring(cache))
}

// searchScorer is the scorer of the search, which may refit every network and
// train it for some steps of its own before it is scored.
func (r *run) searchScorer(ctx context.Context, cache fitness.Cache) (*fitness.Scorer, error) {
	o := r.scoring(cache)
	steps := r.cfg.Search.Finetune
	if r.cfg.Search.Refit == 0 && steps == 0 {
		return fitness.NewScorer(r.net, r.pictures.Validation, r.profile, o)
	}
	set, err := r.dataset(ctx, rundir.StageSearch)
	if err != nil {
		return nil, err
	}
	refit, err := refitOf(r.cfg, set)
	if err != nil {
		return nil, err
	}
	c := &r.cfg.Train
	o.Tuned = fmt.Sprintf("refit to %d patches, %d steps, batch %d, patch %d, rate %v, seed %d, pictures %s", r.cfg.Search.Refit, steps, c.Batch, c.Patch, c.Rate, r.cfg.Seed, r.pictures.TrainHash)
	o.Tune = func(ctx context.Context, g space.Genome, net *network.Graph) (*network.Graph, error) {
		net, err := refit(net)
		if err != nil || steps == 0 {
			return net, err
		}
		return supernet.FineTune(ctx, net, nil, set, nil, supernet.FineTuneOptions{
			Steps: steps, Batch: c.Batch, Patch: c.Patch, Rate: c.Rate, Seed: rundir.Stream(r.cfg.Seed, "search "+g.ID()), Threads: 1,
		})
	}
	return fitness.NewScorer(r.net, r.pictures.Validation, r.profile, o)
}

func (r *run) scoring(cache fitness.Cache) fitness.ScorerOptions {
	return fitness.ScorerOptions{
		Width: r.cfg.Device.Width, Height: r.cfg.Device.Height, Memory: r.cfg.Search.MaxMemoryMB > 0, Cache: cache, Others: r.others,
		Workers: 1, // evolve calls it from Workers goroutines
	}
}

func (r *run) searchNow(ctx context.Context) error {
	known, spent, err := r.known()
	if err != nil {
		return err
	}
	cache, err := r.store.Scores()
	if err != nil {
		return err
	}
	scorer, err := r.searchScorer(ctx, cache)
	if err != nil {
		return err
	}
	s, sp := &r.cfg.Search, &r.cfg.Space
	if err := r.store.Event(rundir.StageSearch, "%s search of %d evaluations, %d known", s.Mode, s.Evaluations, len(known)); err != nil {
		return err
	}
	reference, err := r.reference(ctx, scorer)
	if err != nil {
		return err
	}
	if text, err := json.Marshal(reference); err != nil {
		return err
	} else if err := r.store.SetMeta(rundir.MetaReference, string(text)); err != nil {
		return err
	}
	p := &problem{cfg: r.cfg, search: s, aims: r.aims, space: sp, scorer: scorer}
	if s.Screen {
		if err := scorer.Calibrate(ctx, calibration(sp, rundir.Stream(r.cfg.Seed, "calibration"))); err != nil {
			return err
		}
	}
	began := time.Now()
	options := evolve.Options[space.Genome]{
		Population: s.Population, Evaluations: s.Evaluations, Lag: s.Lag, Workers: r.o.Workers, Stall: s.Stall,
		Seed: rundir.Stream(cmp.Or(s.Seed, r.cfg.Seed), "search"), Reference: reference, Known: known,
		Journal: func(e evolve.Entry[space.Genome]) error {
			return r.store.AddEvaluation(evaluation(e), spent+time.Since(began))
		},
		Progress: func(p evolve.Progress) {
			r.report.tell(rundir.StageSearch, fmt.Sprintf("searching, %d on the front", p.Front), float64(p.Evaluations), float64(p.Budget), p.Hypervolume)
		},
	}
	if s.MaxMinutes > 0 {
		options.Deadline = began.Add(time.Duration(s.MaxMinutes*float64(time.Minute)) - spent)
	}
	out, err := p.run(ctx, options)
	if err != nil {
		var lost *relay.Panic
		switch {
		case errors.As(err, &lost):
			panic(lost)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, evolve.ErrKnown):
			return fmt.Errorf("%w: %s: %w", rundir.ErrIntegrity, rundir.FileStore, err)
		}
		return err
	}
	return r.keepFront(out)
}

// keepFront records the front, or says that there is none.
func (r *run) keepFront(out *evolve.Outcome[space.Genome]) error {
	all, err := r.store.Evaluations()
	if err != nil {
		return err
	}
	var front []rundir.Evaluation
	for _, e := range out.Front {
		if i := slices.IndexFunc(all, func(a rundir.Evaluation) bool { return a.Index == e.Index }); i >= 0 {
			front = append(front, all[i])
		}
	}
	if len(front) == 0 {
		return noFront(r.cfg, all)
	}
	slices.SortFunc(front, byLatency)
	indices := make([]int, len(front))
	for i, e := range front {
		indices[i] = e.Index
	}
	if err := r.store.SetFront(indices, out.Reason, out.Hypervolume); err != nil {
		return err
	}
	return r.store.Event(rundir.StageSearch, "front of %d points, hypervolume %.6g: %s", len(front), out.Hypervolume, out.Reason)
}

// noFront says why no genome can be a winner.
func noFront(c *configs.Config, all []rundir.Evaluation) error {
	nearest := -1
	for i, e := range all {
		if e.Err == "" && (nearest < 0 || e.Violation < all[nearest].Violation) {
			nearest = i
		}
	}
	if nearest < 0 {
		why := "none was scored"
		if len(all) > 0 {
			why = all[0].Err
		}
		return fmt.Errorf("runner: search: all %d evaluations failed, the first with: %s", len(all), why)
	}
	n := all[nearest]
	return fmt.Errorf("%w: of %d genomes none keeps within %s; the nearest takes %.3g ms with %d parameters (%s)",
		ErrInfeasible, len(all), limits(c), n.LatencyMS, n.Params, n.Genome)
}

// known replays the database as a journal, and says how long it took to write.
func (r *run) known() (list []evolve.Entry[space.Genome], spent time.Duration, err error) {
	all, err := r.store.Evaluations()
	if err != nil {
		return nil, 0, err
	}
	if text, err := r.store.Meta(rundir.MetaSearchTime); err != nil {
		return nil, 0, err
	} else if text != "" {
		if spent, err = time.ParseDuration(text); err != nil {
			return nil, 0, fmt.Errorf("%w: %s: %w", rundir.ErrIntegrity, rundir.FileStore, err)
		}
	}
	list = make([]evolve.Entry[space.Genome], len(all))
	for i, e := range all {
		g, err := space.ParseGenome(e.Genome)
		if err == nil {
			err = r.cfg.Space.Check(g)
		}
		if err == nil && e.Index != i {
			err = fmt.Errorf("evaluation %d is missing", i)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %s: %w", rundir.ErrIntegrity, rundir.FileStore, err)
		}
		result := evolve.Result{Err: e.Err}
		if e.Err == "" {
			result = evolve.Result{F: r.aims.Minimised(&e.Values), CV: e.Violation, Estimated: e.Estimated}
		}
		list[i] = evolve.Entry[space.Genome]{Index: i, Genome: g, Result: result}
	}
	return list, spent, nil
}

// reference is the point that hypervolume is measured from: bicubic's quality
// and, five per cent on top, the costs of the largest dense network. It depends
// on no search, so that hypervolumes of one config compare.
func (r *run) reference(ctx context.Context, scorer *fitness.Scorer) ([]float64, error) {
	largest := r.cfg.Space.Largest()
	list, err := scorer.Score(ctx, []space.Genome{largest})
	if err != nil {
		return nil, err
	}
	if list[0].Err != "" {
		return nil, nil // evolve takes one from the first population
	}
	bicubic, err := fitness.Evaluate(ctx, nil, r.pictures.Validation, r.cfg.Space.Scale)
	if err != nil {
		return nil, err
	}
	v := list[0].Values()
	v.PSNR, v.SSIM = bicubic.Mean.PSNR, bicubic.Mean.SSIM
	ref := r.aims.Minimised(&v)
	for i := range ref {
		if !r.aims[i].Maximised {
			ref[i] *= 1.05
		}
	}
	return ref, nil
}

// byLatency orders a front: fastest first, better pictures before worse ones.
func byLatency(a, b rundir.Evaluation) int {
	return cmp.Or(cmp.Compare(a.LatencyMS, b.LatencyMS), cmp.Compare(b.PSNR, a.PSNR), cmp.Compare(b.SSIM, a.SSIM), slices.Compare([]byte(a.ID), []byte(b.ID)))
}
