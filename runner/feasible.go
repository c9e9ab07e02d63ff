package runner

import (
	"fmt"
	"runtime"
	"slices"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/network"
	"evosr/rundir"
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
	others  []fitness.Device
}

func newGauge(cfg *configs.Config, profile *deviceprofile.Profile, others []fitness.Device) *gauge {
	return &gauge{cfg, supernet.New(&cfg.Space, rundir.Stream(cfg.Seed, "supernet")), profile, others}
}

func (m *gauge) of(g space.Genome) (Extreme, error) { return m.look(g, true) }

// look is of; memory, which takes as long as all else, is left at 0 where it is
// not wanted.
func (m *gauge) look(g space.Genome, memory bool) (Extreme, error) {
	net, err := m.net.Extract(g)
	if err != nil {
		return Extreme{}, err
	}
	prog, err := sparse.Compile(net, sparse.Options{Threads: m.threads()})
	if err != nil {
		return Extreme{}, err
	}
	defer prog.Close()
	w, h := m.cfg.Device.Width, m.cfg.Device.Height
	kept, _ := prog.MACs()
	e := Extreme{Genome: g.String(), Params: net.Params(), MACs: kept * w * h}
	if memory {
		if e.MemoryBytes, err = prog.MemoryBytes(w, h); err != nil {
			return Extreme{}, err
		}
	}
	if m.profile != nil {
		first := fitness.Device{Profile: m.profile, Width: w, Height: h}
		l, err := first.Predict(net, prog)
		if err != nil {
			return Extreme{}, err
		}
		e.LatencyMS = l.MS
	}
	for i := range m.others {
		l, err := m.others[i].Predict(net, prog)
		if err != nil {
			return Extreme{}, err
		}
		e.Others = append(e.Others, l)
	}
	return e, nil
}

// threads is how many the upscaler that is searched for has.
func (m *gauge) threads() int {
	switch {
	case m.profile != nil && m.profile.Threads > 0:
		return m.profile.Threads
	case m.cfg.Threads > 0:
		return m.cfg.Threads
	}
	return min(runtime.GOMAXPROCS(0), sparse.MaxThreads)
}

// cost orders genomes: predicted latency, or multiplications without a profile.
func (m *gauge) cost(e Extreme) float64 {
	if m.profile != nil {
		return e.LatencyMS
	}
	return float64(e.MACs)
}

// broken is by how much an extreme breaks the constraints that can be judged.
func (m *gauge) broken(e Extreme) float64 {
	c := *m.cfg
	if m.profile == nil {
		c.Search.BudgetMS = 0
	}
	return violation(&c, fitness.Score{LatencyMS: e.LatencyMS, Params: e.Params, MemoryBytes: e.MemoryBytes, Others: e.Others})
}

// fastest looks for the genome of least cost, nearest for the one that breaks
// the constraints least, and of those for the one of least cost.
func (m *gauge) fastest() (Extreme, error) {
	return m.least(func(e Extreme) [2]float64 { return [2]float64{m.cost(e)} })
}

func (m *gauge) nearest() (Extreme, error) {
	return m.least(func(e Extreme) [2]float64 { return [2]float64{m.broken(e), m.cost(e)} })
}

// least looks for the genome that is lowest by: first every scheme over the
// smallest blocks, then one layer after the other, as long as one improves it.
func (m *gauge) least(by func(Extreme) [2]float64) (Extreme, error) {
	sp := &m.cfg.Space
	memory := m.cfg.Search.MaxMemoryMB > 0
	best := sp.Smallest()
	first, err := m.look(best, memory)
	if err != nil {
		return first, err
	}
	lowest := by(first)
	try := func(g space.Genome) error {
		if sp.Check(g) != nil {
			return nil // the space has no such genome
		}
		e, err := m.look(g, memory)
		if err != nil {
			return err
		}
		if value := by(e); slices.Compare(value[:], lowest[:]) < 0 {
			best, lowest = g, value
		}
		return nil
	}
	options := []network.Prune{{}}
	if n := len(sp.Percents); n > 0 {
		for _, s := range sp.Schemes {
			if s != network.Dense {
				options = append(options, network.Prune{Scheme: s, Percent: sp.Percents[n-1]})
			}
		}
	}
	for _, p := range options {
		if err := try(sp.Uniform(best, p)); err != nil {
			return first, err
		}
	}
	for range 4 { // rounds; the first finds nearly everything
		before := lowest
		for k := range best.Prunings() {
			for _, p := range options {
				g := best.Clone()
				*g.Prunings()[k] = p
				if err := try(g); err != nil {
					return first, err
				}
			}
		}
		if lowest == before {
			break
		}
	}
	return m.of(best)
}

// slack is by how much the latency budget must be missed before anything is
// trained for a run to end; a closer one is left to the search, which knows the
// masks.
const slack = 1.05

// satisfiable ends a run whose constraints nothing in the space can meet.
func satisfiable(cfg *configs.Config, profile *deviceprofile.Profile, others []fitness.Device) error {
	if limits(cfg) == "" {
		return nil
	}
	loose := *cfg
	loose.Search.BudgetMS *= slack
	loose.Devices = slices.Clone(cfg.Devices)
	for i := range loose.Devices {
		loose.Devices[i].BudgetMS *= slack
	}
	m := newGauge(&loose, profile, others)
	nearest, err := m.nearest()
	if err != nil {
		return err
	}
	if m.broken(nearest) > 0 {
		return fmt.Errorf("%w: %s", ErrInfeasible, unmet(cfg, nearest))
	}
	return nil
}

// unmet says what cannot be met, and what comes nearest to it.
func unmet(c *configs.Config, nearest Extreme) string {
	ms := "" // not known without a profile
	if nearest.LatencyMS > 0 {
		ms = fmt.Sprintf("%.3g ms, ", nearest.LatencyMS)
	}
	for _, l := range nearest.Others {
		ms += fmt.Sprintf("%.3g ms on %s, ", l.MS, l.Device)
	}
	return fmt.Sprintf("no genome keeps within %s; the nearest takes %s%.3g MB a frame and has %d parameters (%s)",
		limits(c), ms, float64(nearest.MemoryBytes)/megabyte, nearest.Params, nearest.Genome)
}
