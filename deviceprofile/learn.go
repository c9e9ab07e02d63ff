package deviceprofile

import (
	"cmp"
	"slices"

	"evosr/internal/stat"
)

// keptSamples is how many layers a profile shows of those it was fitted to.
const keptSamples = 64

// folds is into how many parts networks are cut for cross-validation.
const folds = 4

// learn fits the models to timed networks, and the interval by letting every
// quarter of them be predicted by the others.
func (p *Profile) learn(nets []*timed) {
	_, predicted := p.committee(nets)
	var ratios []float64
	for i, t := range nets {
		ratios = append(ratios, t.typical()/predicted[i])
	}
	slices.Sort(ratios)
	p.fit(nets)
	p.Low = round(min(1, ratios[len(ratios)*5/100]), 4)
	p.High = round(max(1, ratios[len(ratios)-1-len(ratios)*5/100]), 4)

	p.Nets, p.Samples = nil, []LayerSample{}
	var all []LayerSample
	for i, t := range nets {
		quiet := t.quietFrames()
		s := NetSample{Genome: t.genome.String(), MS: round(t.typical()/1e6, 4), PredictedMS: round(predicted[i]/1e6, 4),
			P10MS: round(stat.Quantile(t.frames, 0.1)/1e6, 4), P90MS: round(stat.Quantile(t.frames, 0.9)/1e6, 4), Runs: len(t.frames), Quiet: count(quiet)}
		if t.w != p.Width || t.h != p.Height {
			s.Width, s.Height = t.w, t.h
		}
		p.Nets = append(p.Nets, s)
		for j, d := range t.byLayer {
			if t.w != p.Width || t.h != p.Height {
				continue
			}
			l := &t.layers[j]
			if l.Chained {
				continue // its time is the next one's
			}
			all = append(all, LayerSample{Kernel: l.Kernel, In: l.In, Out: l.Out, Blocks: slices.Clone(l.Blocks[:]), Taps: slices.Clone(l.BlockTaps[:]),
				Residual: l.Residual, NS: round(typical(d, quiet), 4), P10NS: round(stat.Quantile(d, 0.1), 4), P90NS: round(stat.Quantile(d, 0.9), 4), Runs: len(d)})
		}
	}
	slices.SortStableFunc(all, func(a, b LayerSample) int { return cmp.Compare(a.NS, b.NS) })
	n := min(keptSamples, len(all))
	for i := range n {
		p.Samples = append(p.Samples, all[i*len(all)/n])
	}
}

// committee fits a model to all but each part of the networks, and gives what
// those that did not see a network predict for it, nanoseconds.
func (p *Profile) committee(nets []*timed) (members []Profile, predicted []float64) {
	predicted = make([]float64, len(nets))
	for fold := range folds {
		var train []*timed
		for i, t := range nets {
			if i%folds != fold {
				train = append(train, t)
			}
		}
		q := Profile{Runtime: p.Runtime, Threads: p.Threads}
		q.fit(train)
		m := q.model()
		for i, t := range nets {
			if i%folds == fold {
				predicted[i] = max(m.frame(q.table().features(t.layers, t.w, t.h, p.Threads), t.layers, t.w, t.h), 1)
			}
		}
		members = append(members, q)
	}
	return members, predicted
}

// leastCalm is how many networks with enough undisturbed frames tell what a
// frame takes beside its layers.
const leastCalm = 8

// fit sets the coefficients. Where layers were timed, first theirs from all
// layers' times, then those of the frame from what the layers are predicted to
// take; otherwise all of them at once from the frames. A layer is short, and most
// of its times are undisturbed even on a busy machine; a frame on several threads
// hardly ever is. Where too few were, a frame is predicted to take what its layers
// take.
func (p *Profile) fit(nets []*timed) {
	if p.External() {
		p.fitWhole(nets)
		return
	}
	table := p.table()
	var rows, frames [][]float64
	var want, wantFrames []float64
	for _, t := range nets {
		quiet := t.quietFrames()
		for i, f := range table.features(t.layers, t.w, t.h, p.Threads) {
			if ns := typical(t.byLayer[i], quiet); ns > 0 {
				rows, want = append(rows, f), append(want, ns)
			}
		}
	}
	m := model{layer: stat.NonNegative(rows, want)}
	for _, t := range nets {
		if !t.calm() {
			continue
		}
		sum := 0.0
		for _, f := range table.features(t.layers, t.w, t.h, p.Threads) {
			sum += stat.Dot(m.layer, f)
		}
		frames, wantFrames = append(frames, frameFeatures(sum, t.layers, t.w, t.h)), append(wantFrames, t.typical())
	}
	m.whole = []float64{1, 0, 0, 0}
	if len(frames) >= leastCalm {
		m.whole = stat.NonNegative(frames, wantFrames)
	}
	p.set(m, rows)
}

// fitWhole fits sums over layers to whole frames.
func (p *Profile) fitWhole(nets []*timed) {
	table := p.table()
	n := len(table.layer)
	var rows [][]float64
	var want []float64
	for _, t := range nets {
		row := make([]float64, n)
		for _, f := range table.features(t.layers, t.w, t.h, p.Threads) {
			for j, v := range f {
				row[j] += v
			}
		}
		rows = append(rows, append(row, frameFeatures(0, t.layers, t.w, t.h)[1:]...))
		want = append(want, t.typical())
	}
	x := stat.NonNegative(rows, want)
	p.set(model{layer: x[:n], whole: append([]float64{1}, x[n:]...)}, rows)
}
