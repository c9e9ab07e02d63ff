package runner

import (
	"fmt"
	"math"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// gauge predicts genomes before anything is trained. Masks follow the weights,
// so that an untrained supernet's predictions are a little off; a run judges
// by them only what is far from any budget.
type gauge struct {
	cfg     *configs.Config
	net     *supernet.Supernet
	profile *deviceprofile.Profile // nil: no latency
}

func newGauge(cfg *configs.Config, profile *deviceprofile.Profile) *gauge {
	return &gauge{cfg, supernet.New(&cfg.Space, stream(cfg.Seed, "supernet")), profile}
}

func (m *gauge) of(g space.Genome) (Extreme, error) {
	net, err := m.net.Extract(g)
	if err != nil {
		return Extreme{}, err
	}
	prog, err := sparse.Compile(net, sparse.Options{Threads: 1})
	if err != nil {
		return Extreme{}, err
	}
	defer prog.Close()
	w, h := m.cfg.Device.Width, m.cfg.Device.Height
	kept, _ := prog.MACs()
	e := Extreme{Genome: g.String(), Params: net.Params(), MACs: kept * w * h}
	if m.profile != nil {
		e.LatencyMS, _, _ = m.profile.Predict(prog.Layers(), w, h, net.Scale)
	}
	return e, nil
}

// cost orders genomes: predicted latency, or multiplications without a profile.
func (m *gauge) cost(e Extreme) float64 {
	if m.profile != nil {
		return e.LatencyMS
	}
	return float64(e.MACs)
}

// fastest looks for the genome of least predicted latency, or of least
// multiplications without a profile: first every scheme over the smallest
// blocks, then one layer after the other, as long as one gets faster.
func (m *gauge) fastest() (Extreme, error) {
	sp := &m.cfg.Space
	best := sp.Smallest()
	found, err := m.of(best)
	if err != nil {
		return found, err
	}
	try := func(g space.Genome) error {
		if sp.Check(g) != nil {
			return nil // the space has no such genome
		}
		e, err := m.of(g)
		if err == nil && m.cost(e) < m.cost(found) {
			best, found = g, e
		}
		return err
	}
	options := []space.Prune{{}}
	if n := len(sp.Percents); n > 0 {
		for _, s := range sp.Schemes {
			if s != space.Dense {
				options = append(options, space.Prune{Scheme: s, Percent: sp.Percents[n-1]})
			}
		}
	}
	for _, p := range options {
		if err := try(uniform(sp, best, p)); err != nil {
			return found, err
		}
	}
	for range 4 { // rounds; the first finds nearly everything
		before := m.cost(found)
		for _, place := range prunings(best) {
			for _, p := range options {
				g := best.Clone()
				*place(&g) = p
				if err := try(g); err != nil {
					return found, err
				}
			}
		}
		if m.cost(found) == before {
			break
		}
	}
	return found, nil
}

// prunings gives access to every pruning of a genome, its clones included.
func prunings(g space.Genome) []func(*space.Genome) *space.Prune {
	list := []func(*space.Genome) *space.Prune{
		func(g *space.Genome) *space.Prune { return &g.Head },
		func(g *space.Genome) *space.Prune { return &g.Tail },
	}
	for i, s := range g.Slots {
		for j := range s.Kind.Convs() {
			list = append(list, func(g *space.Genome) *space.Prune { return &g.Slots[i].Prune[j] })
		}
	}
	return list
}

// uniform prunes every convolution by p where the space allows it, and leaves
// it dense elsewhere.
func uniform(sp *space.Space, g space.Genome, p space.Prune) space.Genome {
	g = g.Clone()
	for _, place := range prunings(g) {
		*place(&g) = space.Prune{}
	}
	for _, place := range prunings(g) {
		*place(&g) = p
		if sp.Check(g) != nil {
			*place(&g) = space.Prune{}
		}
	}
	return g
}

// slack is by how much a budget must be missed before anything is trained for
// a run to end; a closer one is left to the search, which knows the masks.
const slack = 1.05

// satisfiable ends a run whose constraints nothing in the space can meet.
func satisfiable(cfg *configs.Config, profile *deviceprofile.Profile) error {
	s := &cfg.Search
	if s.BudgetMS == 0 && s.MaxParams == 0 {
		return nil
	}
	m := newGauge(cfg, profile)
	fastest, err := m.fastest()
	if err != nil {
		return err
	}
	smallest, err := m.of(cfg.Space.Smallest())
	if err != nil {
		return err
	}
	if why := unmet(s, slack, fastest, smallest); why != "" {
		return fmt.Errorf("%w: %s", ErrInfeasible, why)
	}
	return nil
}

// unmet says which constraint cannot be met, or ""; a latency may be slack times
// its budget.
func unmet(s *configs.Search, slack float64, fastest, smallest Extreme) string {
	switch {
	case s.BudgetMS > 0 && fastest.LatencyMS > slack*s.BudgetMS:
		return fmt.Sprintf("the fastest genome is predicted to take %.3g ms, the budget is %.3g ms (%s)", fastest.LatencyMS, s.BudgetMS, fastest.Genome)
	case s.MaxParams > 0 && smallest.Params > s.MaxParams:
		return fmt.Sprintf("the smallest genome has %d parameters, max_params is %d (%s)", smallest.Params, s.MaxParams, smallest.Genome)
	}
	return ""
}

// violation is by how much a score breaks the constraints, as a share of each
// bound; 0 is feasible.
func violation(s *configs.Search, latencyMS float64, params int) float64 {
	v := 0.0
	if s.BudgetMS > 0 {
		v += math.Max(0, latencyMS/s.BudgetMS-1)
	}
	if s.MaxParams > 0 {
		v += math.Max(0, float64(params)/float64(s.MaxParams)-1)
	}
	return v
}
