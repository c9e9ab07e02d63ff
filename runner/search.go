package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"evosr/configs"
	"evosr/evolve"
	"evosr/fitness"
	"evosr/internal/relay"
	"evosr/network"
	"evosr/space"
	"evosr/supernet"
)

// search looks for the front. Every evaluation is in the database before
// anything is bred from it, and is never made twice.
func (r *run) search(ctx context.Context) error {
	end, err := r.store.meta(metaSearchEnd)
	if err != nil {
		return err
	}
	if end == "" {
		if err := r.searchNow(ctx); err != nil {
			return err
		}
	}
	points, err := r.store.front()
	if err != nil {
		return err
	}
	text, err := frontJSON(r.cfg.Search.Objectives, points)
	if err != nil {
		return err
	}
	return r.keepFile(fileFront, text)
}

// scorer scores genomes of the trained supernet with inherited weights. cache
// may be nil.
func (r *run) scorer(cache fitness.Cache) (*fitness.Scorer, error) {
	return fitness.NewScorer(r.net, r.pictures.val, r.profile, r.scoring(cache))
}

// searchScorer is the scorer of the search, which may refit every network and
// train it for some steps of its own before it is scored.
func (r *run) searchScorer(ctx context.Context, cache fitness.Cache) (*fitness.Scorer, error) {
	o := r.scoring(cache)
	steps := r.cfg.Search.Finetune
	if r.cfg.Search.Refit == 0 && steps == 0 {
		return fitness.NewScorer(r.net, r.pictures.val, r.profile, o)
	}
	set, err := r.dataset(ctx, StageSearch)
	if err != nil {
		return nil, err
	}
	refit, err := refitOf(r.cfg, set)
	if err != nil {
		return nil, err
	}
	c := &r.cfg.Train
	o.Tuned = fmt.Sprintf("refit to %d patches, %d steps, batch %d, patch %d, rate %v, seed %d, pictures %s", r.cfg.Search.Refit, steps, c.Batch, c.Patch, c.Rate, r.cfg.Seed, r.pictures.trainSum)
	o.Tune = func(ctx context.Context, g space.Genome, net *network.Graph) (*network.Graph, error) {
		net, err := refit(net)
		if err != nil || steps == 0 {
			return net, err
		}
		return supernet.FineTune(ctx, net, nil, set, nil, supernet.FineTuneOptions{
			Steps: steps, Batch: c.Batch, Patch: c.Patch, Rate: c.Rate, Seed: stream(r.cfg.Seed, "search "+g.ID()), Threads: 1,
		})
	}
	return fitness.NewScorer(r.net, r.pictures.val, r.profile, o)
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
	cache, err := newScoreCache(r.store)
	if err != nil {
		return err
	}
	scorer, err := r.searchScorer(ctx, cache)
	if err != nil {
		return err
	}
	s, sp := &r.cfg.Search, &r.cfg.Space
	if err := r.store.event(StageSearch, "%s search of %d evaluations, %d known", s.Mode, s.Evaluations, len(known)); err != nil {
		return err
	}
	reference, err := r.reference(ctx, scorer)
	if err != nil {
		return err
	}
	if text, err := json.Marshal(reference); err != nil {
		return err
	} else if err := r.store.setMeta(metaReference, string(text)); err != nil {
		return err
	}
	p := &problem{cfg: r.cfg, search: s, space: sp, scorer: scorer, scores: map[string]fitness.Score{}}
	if s.Screen {
		if err := scorer.Calibrate(ctx, calibration(sp, stream(r.cfg.Seed, "calibration"))); err != nil {
			return err
		}
	}
	began := time.Now()
	options := evolve.Options[space.Genome]{
		Population: s.Population, Evaluations: s.Evaluations, Lag: s.Lag, Workers: r.o.Workers, Stall: s.Stall,
		Seed: stream(cmp.Or(s.Seed, r.cfg.Seed), "search"), Reference: reference, Known: known,
		Journal: func(e evolve.Entry[space.Genome]) error {
			return r.store.addEvaluation(p.evaluation(e), spent+time.Since(began))
		},
		Progress: func(p evolve.Progress) {
			r.report.tell(StageSearch, fmt.Sprintf("searching, %d on the front", p.Front), float64(p.Evaluations), float64(p.Budget), p.Hypervolume)
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
			return fmt.Errorf("%w: %s: %w", ErrIntegrity, fileStore, err)
		}
		return err
	}
	return r.keepFront(out)
}

// keepFront records the front, or says that there is none.
func (r *run) keepFront(out *evolve.Outcome[space.Genome]) error {
	all, err := r.store.evaluations()
	if err != nil {
		return err
	}
	var front []Evaluation
	for _, e := range out.Front {
		if i := slices.IndexFunc(all, func(a Evaluation) bool { return a.Index == e.Index }); i >= 0 {
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
	if err := r.store.setFront(indices, out.Reason, out.Hypervolume); err != nil {
		return err
	}
	return r.store.event(StageSearch, "front of %d points, hypervolume %.6g: %s", len(front), out.Hypervolume, out.Reason)
}

// noFront says why no genome can be a winner.
func noFront(c *configs.Config, all []Evaluation) error {
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
	all, err := r.store.evaluations()
	if err != nil {
		return nil, 0, err
	}
	if text, err := r.store.meta(metaSearchTime); err != nil {
		return nil, 0, err
	} else if text != "" {
		if spent, err = time.ParseDuration(text); err != nil {
			return nil, 0, fmt.Errorf("%w: %s: %w", ErrIntegrity, fileStore, err)
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
			return nil, 0, fmt.Errorf("%w: %s: %w", ErrIntegrity, fileStore, err)
		}
		result := evolve.Result{Err: e.Err}
		if e.Err == "" {
			result = evolve.Result{F: objectives(&r.cfg.Search, e.Point), CV: e.Violation, Estimated: e.Estimated}
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
	bicubic, err := fitness.Evaluate(ctx, nil, r.pictures.val, r.cfg.Space.Scale)
	if err != nil {
		return nil, err
	}
	p := pointOf(largest, list[0])
	p.PSNR, p.SSIM = bicubic.Mean.PSNR, bicubic.Mean.SSIM
	ref := objectives(&r.cfg.Search, p)
	for i, o := range r.cfg.Search.Objectives {
		if o != "psnr_db" && o != "ssim" {
			ref[i] *= 1.05
		}
	}
	return ref, nil
}

// frontJSON writes front.json with a fixed number of digits, more than two points
// of a front ever share: equal fronts have equal bytes.
func frontJSON(objectives []string, points []Evaluation) ([]byte, error) {
	if len(points) == 0 {
		return nil, errors.New("runner: front: no points")
	}
	names, err := json.Marshal(objectives)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\"objectives\":%s,\"points\":[", names)
	for i, p := range points {
		genome, err := json.Marshal(p.Genome)
		if err != nil {
			return nil, err
		}
		others, err := othersJSON(p.Others)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s\n{\"id\":%q,\"genome\":%s,\"psnr_db\":%s,\"ssim\":%s,\"latency_ms\":%s,\"params\":%d,\"macs\":%d%s}",
			","[:min(i, 1)], p.ID, genome, fixed(p.PSNR, 6), fixed(p.SSIM, 8), fixed(p.LatencyMS, 6), p.Params, p.MACs, others)
	}
	b.WriteString("\n]}\n")
	return []byte(b.String()), nil
}

// othersJSON is the further devices' part of a point, nothing where there are
// none: the names in their order.
func othersJSON(ms map[string]float64) (string, error) {
	if len(ms) == 0 {
		return "", nil
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(ms)) {
		key, err := json.Marshal(name)
		if err != nil {
			return "", err
		}
		list = append(list, fmt.Sprintf("%s:%s", key, fixed(ms[name], 6)))
	}
	return ",\"latencies_ms\":{" + strings.Join(list, ",") + "}", nil
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
