package runner

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"evosr/configs"
	"evosr/evolve"
	"evosr/fitness"
	"evosr/internal/relay"
	"evosr/rundir"
	"evosr/space"
)

// problem is the search over a space in evolve's terms.
type problem struct {
	cfg    *configs.Config
	search *configs.Search // cfg's
	aims   fitness.Objectives
	space  *space.Space
	scorer *fitness.Scorer
}

// run searches in the way that the config names.
func (p *problem) run(ctx context.Context, o evolve.Options[space.Genome]) (*evolve.Outcome[space.Genome], error) {
	sp := p.space
	e := evolve.Problem[space.Genome]{
		Random: sp.Random, Crossover: sp.Crossover, Mutate: sp.Mutate, Neighbour: sp.Neighbour, Key: space.Genome.String,
		Evaluate: func(ctx context.Context, batch []space.Genome) ([]evolve.Result, error) {
			return p.evaluate(ctx, batch, nil)
		},
	}
	if p.search.Screen {
		e.Screen = p.evaluate
	}
	if limits(p.cfg) != "" {
		e.Repair = p.repair(sp.Shrink)
	}
	start := starts(sp, p.search.Population/2)
	switch p.search.Mode {
	case "random":
		return evolve.Random(ctx, e, o)
	case "local":
		o.Start = start
		return evolve.Local(ctx, e, o)
	case "regularised":
		o.Start = start
		return evolve.Regularised(ctx, e, o)
	case "staged":
		return p.staged(ctx, e, o, start)
	}
	o.Start = start
	return evolve.Run(ctx, e, o)
}

// evaluate scores a batch, and, with hopeless, no further than it pays: what
// breaks a constraint or cannot enter the front is estimated. It is called from
// goroutines of evolve's: a panic becomes its error, a *relay.Panic.
func (p *problem) evaluate(ctx context.Context, batch []space.Genome, hopeless func(int, []float64) bool) (out []evolve.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, relay.Of(v)
		}
	}()
	var enough func(int, fitness.Score) bool
	if hopeless != nil {
		enough = func(i int, bound fitness.Score) bool {
			return violation(p.cfg, bound) > 0 || hopeless(i, p.minimised(bound))
		}
	}
	list, err := p.scorer.Screen(ctx, batch, enough)
	if err != nil {
		return nil, err
	}
	out = make([]evolve.Result, len(list))
	for i, score := range list {
		if score.Err != "" {
			out[i] = evolve.Result{Err: score.Err}
			continue
		}
		out[i] = evolve.Result{F: p.minimised(score), CV: violation(p.cfg, score), Estimated: score.Estimated, Payload: score}
	}
	return out, nil
}

// evaluation is what the database keeps of an entry, whose payload is its score.
func evaluation(e evolve.Entry[space.Genome]) rundir.Evaluation {
	score, scored := e.Result.Payload.(fitness.Score)
	if e.Result.Err != "" || !scored { // what a failed evaluation scored is no score
		return rundir.Evaluation{Index: e.Index, Point: rundir.Point{ID: e.Genome.ID(), Genome: e.Genome.String()}, Err: e.Result.Err, Parents: e.Parents}
	}
	return rundir.Evaluation{Index: e.Index, Point: pointOf(e.Genome, score), Violation: e.Result.CV, Estimated: e.Result.Estimated, Parents: e.Parents}
}

func pointOf(g space.Genome, s fitness.Score) rundir.Point {
	return rundir.Point{ID: g.ID(), Genome: g.String(), Values: s.Values()}
}

// minimised puts a score into the order and sign of the config's objectives.
func (p *problem) minimised(s fitness.Score) []float64 {
	v := s.Values()
	return p.aims.Minimised(&v)
}

const megabyte = 1e6

// violation is by how much a score breaks the constraints, as a share of each
// bound; 0 is feasible.
func violation(c *configs.Config, of fitness.Score) float64 {
	s := &c.Search
	v := overBudgets(c.Devices, of.Others)
	if s.BudgetMS > 0 {
		v += math.Max(0, of.LatencyMS/s.BudgetMS-1)
	}
	if s.MaxParams > 0 {
		v += math.Max(0, float64(of.Params)/float64(s.MaxParams)-1)
	}
	if s.MaxMemoryMB > 0 {
		v += math.Max(0, float64(of.MemoryBytes)/(s.MaxMemoryMB*megabyte)-1)
	}
	return v
}

// limits names the constraints, "" when there are none.
func limits(c *configs.Config) string {
	s := &c.Search
	var list []string
	if s.BudgetMS > 0 {
		list = append(list, fmt.Sprintf("budget_ms %v", s.BudgetMS))
	}
	for _, t := range c.Devices {
		if t.BudgetMS > 0 {
			list = append(list, fmt.Sprintf("%s's budget_ms %v", t.Name, t.BudgetMS))
		}
	}
	if s.MaxParams > 0 {
		list = append(list, fmt.Sprintf("max_params %d", s.MaxParams))
	}
	if s.MaxMemoryMB > 0 {
		list = append(list, fmt.Sprintf("max_memory_mb %v", s.MaxMemoryMB))
	}
	return strings.Join(list, ", ")
}

// repairs bounds how many changes a repair tries, and far is the violation
// above which it changes more than one layer at a time.
const (
	repairs = 8
	far     = 0.1
)

// repair makes a genome that breaks a constraint cheaper, by one change after
// the other, until none is broken or it has tried enough. It looks at costs only.
func (p *problem) repair(shrink func(g space.Genome, far bool, rng *rand.Rand) space.Genome) func(space.Genome, *rand.Rand) space.Genome {
	missed := func(g space.Genome) float64 {
		cost, err := p.scorer.Cost(g)
		if err != nil {
			return math.Inf(1) // scoring it will say why
		}
		return violation(p.cfg, cost)
	}
	return func(g space.Genome, rng *rand.Rand) space.Genome {
		was := missed(g)
		for try := 0; try < repairs && was > 0; try++ {
			next := shrink(g, was > far, rng)
			if now := missed(next); now < was {
				g, was = next, now
			}
		}
		return g
	}
}
