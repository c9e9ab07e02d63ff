package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"evosr/configs"
	"evosr/evolve"
	"evosr/fitness"
	"evosr/internal/relay"
	"evosr/space"
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

// scorer scores genomes of the trained supernet.
func (r *run) scorer() (*fitness.Scorer, error) {
	return fitness.NewScorer(r.net, r.pictures.val, r.profile, fitness.ScorerOptions{
		Width: r.cfg.Device.Width, Height: r.cfg.Device.Height, Workers: 1, // evolve calls it from Workers goroutines
	})
}

// scores remembers what was evaluated between Evaluate and Journal.
type scores struct {
	mu sync.Mutex
	m  map[string]fitness.Score
}

func (s *scores) put(key string, v fitness.Score) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[key] = v
}

func (s *scores) get(key string) fitness.Score {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[key]
}

func (r *run) searchNow(ctx context.Context) error {
	scorer, err := r.scorer()
	if err != nil {
		return err
	}
	known, err := r.known()
	if err != nil {
		return err
	}
	if err := r.store.event(StageSearch, "search of %d evaluations, %d known", r.cfg.Search.Evaluations, len(known)); err != nil {
		return err
	}
	reference, err := r.reference(ctx, scorer)
	if err != nil {
		return err
	}
	s, sp := &r.cfg.Search, &r.cfg.Space
	seen := &scores{m: map[string]fitness.Score{}}
	problem := evolve.Problem[space.Genome]{
		Random: sp.Random, Crossover: sp.Crossover, Mutate: sp.Mutate, Key: space.Genome.String,
		Evaluate: caught(func(ctx context.Context, batch []space.Genome) ([]evolve.Result, error) {
			list, err := scorer.Score(ctx, batch)
			if err != nil {
				return nil, err
			}
			out := make([]evolve.Result, len(list))
			for i, score := range list {
				seen.put(batch[i].String(), score)
				out[i] = result(s, pointOf(batch[i], score), score.Err)
			}
			return out, nil
		}),
	}
	options := evolve.Options[space.Genome]{
		Population: s.Population, Evaluations: s.Evaluations, Lag: s.Lag, Workers: r.o.Workers,
		Seed: stream(r.cfg.Seed, "search"), Start: starts(sp, s.Population/2), Reference: reference, Known: known,
		Journal: func(e evolve.Entry[space.Genome]) error {
			return r.store.addEvaluation(evaluationOf(s, e, seen.get(e.Genome.String())))
		},
		Progress: func(p evolve.Progress) {
			r.report.tell(StageSearch, fmt.Sprintf("searching, %d on the front", p.Front), float64(p.Evaluations), float64(p.Budget), p.Hypervolume)
		},
	}
	method := evolve.Run[space.Genome]
	if s.Mode == "random" {
		method, options.Start = evolve.Random[space.Genome], nil
	}
	out, err := method(ctx, problem, options)
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

// evaluate is what evolve calls from goroutines of its own.
type evaluate = func(context.Context, []space.Genome) ([]evolve.Result, error)

// caught makes a panic in f its error, a *relay.Panic.
func caught(f evaluate) evaluate {
	return func(ctx context.Context, batch []space.Genome) (out []evolve.Result, err error) {
		defer func() {
			if v := recover(); v != nil {
				out, err = nil, relay.Of(v)
			}
		}()
		return f(ctx, batch)
	}
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
		return noFront(&r.cfg.Search, all)
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
func noFront(s *configs.Search, all []Evaluation) error {
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
	return fmt.Errorf("%w: of %d genomes none keeps within budget_ms %v and max_params %d; the nearest takes %.3g ms with %d parameters (%s)",
		ErrInfeasible, len(all), s.BudgetMS, s.MaxParams, n.LatencyMS, n.Params, n.Genome)
}

// known replays the database as a journal.
func (r *run) known() ([]evolve.Entry[space.Genome], error) {
	all, err := r.store.evaluations()
	if err != nil {
		return nil, err
	}
	list := make([]evolve.Entry[space.Genome], len(all))
	for i, e := range all {
		g, err := space.ParseGenome(e.Genome)
		if err == nil {
			err = r.cfg.Space.Check(g)
		}
		if err == nil && e.Index != i {
			err = fmt.Errorf("evaluation %d is missing", i)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrIntegrity, fileStore, err)
		}
		list[i] = evolve.Entry[space.Genome]{Index: i, Genome: g, Result: result(&r.cfg.Search, e.Point, e.Err)}
	}
	return list, nil
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
	ref := result(&r.cfg.Search, p, "").F
	for i, o := range r.cfg.Search.Objectives {
		if o != "psnr_db" && o != "ssim" {
			ref[i] *= 1.05
		}
	}
	return ref, nil
}

func pointOf(g space.Genome, s fitness.Score) Point {
	return Point{ID: g.ID(), Genome: g.String(), PSNR: s.PSNR, SSIM: s.SSIM, LatencyMS: s.LatencyMS, Params: s.Params, MACs: s.MACs}
}

func evaluationOf(s *configs.Search, e evolve.Entry[space.Genome], score fitness.Score) Evaluation {
	out := Evaluation{Index: e.Index, Point: pointOf(e.Genome, score), Err: e.Result.Err}
	if out.Err != "" { // what a failed evaluation scored is no score
		out.Point = Point{ID: out.ID, Genome: out.Genome}
		return out
	}
	out.Violation = violation(s, out.LatencyMS, out.Params)
	return out
}

// result puts a point into the order and sign of the objectives.
func result(s *configs.Search, p Point, err string) evolve.Result {
	if err != "" {
		return evolve.Result{Err: err}
	}
	out := evolve.Result{CV: violation(s, p.LatencyMS, p.Params)}
	for _, o := range s.Objectives {
		f := math.NaN()
		switch o {
		case "psnr_db":
			f = -p.PSNR
		case "ssim":
			f = -p.SSIM
		case "latency_ms":
			f = p.LatencyMS
		case "params":
			f = float64(p.Params)
		case "macs":
			f = float64(p.MACs)
		}
		out.F = append(out.F, f)
	}
	return out
}

// starts gives at most n known-good designs: the ends of the space, and every
// width at full and half depth, dense and pruned throughout.
func starts(sp *space.Space, n int) []space.Genome {
	list := []space.Genome{sp.Largest(), sp.Smallest()}
	scheme := space.Dense
	for _, s := range []space.Scheme{space.Block4, space.Block8, space.Block2, space.Unstructured, space.Pattern, space.Filter} {
		if slices.Contains(sp.Schemes, s) {
			scheme = s
			break
		}
	}
	prunes := []space.Prune{{}}
	if m := len(sp.Percents); m > 0 && scheme != space.Dense {
		for _, i := range []int{m / 2, m - 1, 0} {
			prunes = append(prunes, space.Prune{Scheme: scheme, Percent: sp.Percents[i]})
		}
	}
	for _, p := range prunes {
		for _, depth := range []float64{1, 0.5} {
			for i := len(sp.Widths) - 1; i >= 0; i-- {
				g := space.Genome{Width: sp.Widths[i], Slots: make([]space.Gene, len(sp.Slots))}
				for slot, s := range sp.Slots {
					g.Slots[slot] = first(s)
					if s.Skip && float64(slot) >= depth*float64(len(sp.Slots)) {
						g.Slots[slot] = space.Gene{}
					}
				}
				if g = uniform(sp, g, p); sp.Check(g) == nil {
					list = append(list, g)
				}
			}
		}
	}
	return list[:min(len(list), max(n, 1))]
}

// first is a slot's plainest block: the narrowest wide one where there is one.
func first(s space.Slot) space.Gene {
	switch {
	case len(s.Wide) > 0:
		return space.Gene{Kind: space.Wide, Expansion: s.Wide[0]}
	case len(s.Plain) > 0:
		return space.Gene{Kind: space.Plain, Expansion: s.Plain[0]}
	case s.Lean:
		return space.Gene{Kind: space.Lean}
	}
	return space.Gene{}
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
		fmt.Fprintf(&b, "%s\n{\"id\":%q,\"genome\":%s,\"psnr_db\":%s,\"ssim\":%s,\"latency_ms\":%s,\"params\":%d,\"macs\":%d}",
			","[:min(i, 1)], p.ID, genome, fixed(p.PSNR, 6), fixed(p.SSIM, 8), fixed(p.LatencyMS, 6), p.Params, p.MACs)
	}
	b.WriteString("\n]}\n")
	return []byte(b.String()), nil
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
