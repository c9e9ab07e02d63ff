package runner

import (
	"fmt"

	"evosr/deviceprofile"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
)

// How often a winner is timed until the machine was quiet, and what share of its
// frames must have been undisturbed for that.
const (
	timings     = 5
	quietTiming = 0.5
)

// quietest times a program, again when others disturbed it; what counts is the
// quietest of all attempts.
func quietest(prog *sparse.Program, w, h, runs int) (frame sparse.Timing, layers []sparse.Timing, err error) {
	for range timings {
		f, l, err := prog.Time(w, h, runs)
		if err != nil {
			return f, l, err
		}
		if layers == nil || f.Quiet > frame.Quiet {
			frame, layers = f, l
		}
		if frame.Quiet >= quietTiming {
			break
		}
	}
	return frame, layers, nil
}

// milliseconds is the median of undisturbed frames, or of all where there was
// none.
func milliseconds(t sparse.Timing) float64 {
	if t.QuietMedian > 0 {
		return t.QuietMedian.Seconds() * 1000
	}
	return t.Median.Seconds() * 1000
}

// latencyOf times prog on this machine and puts what was predicted beside it.
func latencyOf(prog *sparse.Program, w, h, runs int) (rundir.Latency, []sparse.Timing, error) {
	frame, layers, err := quietest(prog, w, h, runs)
	if err != nil {
		return rundir.Latency{}, nil, err
	}
	return rundir.Latency{
		Width: w, Height: h, Threads: prog.Threads(), Kernels: prog.Kernels(), Runs: runs,
		MedianMS: milliseconds(frame), P90MS: frame.P90.Seconds() * 1000, QuietShare: frame.Quiet,
	}, layers, nil
}

// overBudget is by how much a winner's measured time may exceed a budget that
// its prediction keeps. It leaves room for the measurement on the card, which
// comes later.
const overBudget = 1.05

// keeping is a budget and the predicted latency up to which networks keep it as
// measured.
type keeping struct{ BudgetMS, UpToMS float64 }

// asPredicted takes predictions at their word.
func asPredicted(budgetsMS []float64) []keeping {
	var list []keeping
	for _, b := range budgetsMS {
		list = append(list, keeping{b, b})
	}
	return list
}

// held finds up to where the networks of a line, which ascends, keep a budget
// when they are measured: from the slowest that should, down to the first that
// does, at most a few. time gives a network's milliseconds, and whether the
// machine was quiet enough to say. Where nothing could be said, the prediction
// stands.
func held(line []rundir.Point, budgetMS float64, time func(rundir.Point) (ms float64, quiet bool, err error), tell func(format string, args ...any) error) (keeping, error) {
	const most = 6
	k := keeping{budgetMS, budgetMS}
	for range most {
		at := -1
		for i, p := range line {
			if p.LatencyMS <= k.UpToMS {
				at = i
			}
		}
		if at < 0 {
			return k, nil
		}
		p := line[at]
		ms, quiet, err := time(p)
		if err != nil {
			return k, err
		}
		if !quiet {
			return k, tell("%s could not be held against %.4g ms: the machine was not quiet", p.ID, budgetMS)
		}
		if ms <= overBudget*budgetMS {
			return k, nil
		}
		if err := tell("%s was predicted to take %.4g ms and takes %.4g ms: not under %.4g ms", p.ID, p.LatencyMS, ms, budgetMS); err != nil {
			return k, err
		}
		// The next one is faster, and by as much as this one was underestimated.
		k.UpToMS = min(p.LatencyMS*budgetMS/ms, p.LatencyMS*(1-1e-9))
	}
	return k, nil
}

// onBudget holds the front against the config's budgets by measuring the
// networks nearest to them. A profile of another machine is taken at its word.
func (r *run) onBudget(points []rundir.Point) (left []rundir.Point, budgets []keeping, err error) {
	stale, err := r.stale()
	if err != nil {
		return nil, nil, err
	}
	list := r.cfg.Winners.BudgetsMS
	if stale != "" {
		return points, asPredicted(list), nil
	}
	tell := func(format string, args ...any) error { return r.store.Event(rundir.StageWinners, format, args...) }
	known := map[string]rundir.Latency{}
	time := func(p rundir.Point) (float64, bool, error) {
		l, ok := known[p.ID]
		if !ok {
			if l, err = r.timePoint(p); err != nil {
				return 0, false, err
			}
			known[p.ID] = l
		}
		return l.MedianMS, l.QuietShare >= quietTiming, nil
	}
	if b := r.cfg.Search.BudgetMS; b > 0 {
		k, err := held(staircase(points, r.quality()), b, time, tell)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range points {
			if p.LatencyMS <= k.UpToMS {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			left = points[:1] // the fastest is what there is
		}
		points = left
	}
	for _, b := range list {
		k, err := held(staircase(points, r.quality()), b, time, tell)
		if err != nil {
			return nil, nil, err
		}
		budgets = append(budgets, k)
	}
	return points, budgets, nil
}

// timePoint measures a point of the front with inherited weights; fine-tuning
// does not change its time.
func (r *run) timePoint(p rundir.Point) (rundir.Latency, error) {
	g, err := space.ParseGenome(p.Genome)
	if err != nil {
		return rundir.Latency{}, fmt.Errorf("%w: %s: %w", rundir.ErrIntegrity, p.ID, err)
	}
	net, err := r.net.Extract(g)
	if err != nil {
		return rundir.Latency{}, err
	}
	prog, err := sparse.Compile(net, sparse.Options{Threads: r.profile.Threads})
	if err != nil {
		return rundir.Latency{}, err
	}
	defer prog.Close()
	l, _, err := latencyOf(prog, r.cfg.Device.Width, r.cfg.Device.Height, r.cfg.Winners.MeasureRuns)
	return l, err
}

// elsewhere is a winner's latency on the further devices: predicted, and
// measured where the device is this machine.
func (r *run) elsewhere(net *network.Graph, prog *sparse.Program) ([]rundir.DeviceLatency, error) {
	var list []rundir.DeviceLatency
	for i := range r.others {
		d, t := &r.others[i], &r.cfg.Devices[i]
		said, err := d.Predict(net, prog)
		if err != nil {
			return nil, err
		}
		one := rundir.DeviceLatency{Device: d.Name, BudgetMS: t.BudgetMS, Latency: rundir.Latency{Width: d.Width, Height: d.Height, Threads: d.Profile.Threads, Kernels: d.Profile.Kernels}}
		if err := d.Profile.Here(); err != nil {
			one.Stale = err.Error()
		} else if one.Latency, err = timeOn(d.Profile, net, d.Width, d.Height, r.cfg.Winners.MeasureRuns); err != nil {
			return nil, err
		}
		one.Predict(said.MS, said.LowMS, said.HighMS)
		list = append(list, one)
	}
	return list, nil
}

// timeOn measures a network on this machine as a profile of it says.
func timeOn(p *deviceprofile.Profile, net *network.Graph, w, h, runs int) (rundir.Latency, error) {
	prog, err := sparse.Compile(net, sparse.Options{Threads: p.Threads})
	if err != nil {
		return rundir.Latency{}, err
	}
	defer prog.Close()
	l, _, err := latencyOf(prog, w, h, runs)
	return l, err
}
