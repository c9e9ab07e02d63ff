package deviceprofile

import (
	"cmp"
	"slices"
)

// keptSamples is how many layers a profile shows of those it was fitted to.
const keptSamples = 64

// learn fits the models to timed networks, and the interval by letting every
// quarter of them be predicted by the others.
func (p *Profile) learn(nets []*timed) {
	const folds = 4
	var ratios []float64
	predicted := make([]float64, len(nets))
	for fold := range folds {
		var train []*timed
		for i, t := range nets {
			if i%folds != fold {
				train = append(train, t)
			}
		}
		q := Profile{Low: 1, High: 1, Threads: p.Threads}
		q.fit(train, p.Width, p.Height)
		for i, t := range nets {
			if i%folds == fold {
				predicted[i], _, _ = q.Predict(t.layers, p.Width, p.Height, 0)
				ratios = append(ratios, typical(t.frames)/1e6/predicted[i])
			}
		}
	}
	slices.Sort(ratios)
	p.fit(nets, p.Width, p.Height)
	p.Low = round(min(1, ratios[len(ratios)*5/100]), 4)
	p.High = round(max(1, ratios[len(ratios)-1-len(ratios)*5/100]), 4)

	p.Nets, p.Samples = nil, nil
	var all []LayerSample
	for i, t := range nets {
		p.Nets = append(p.Nets, NetSample{Genome: t.genome.String(), MS: round(typical(t.frames)/1e6, 4), PredictedMS: round(predicted[i], 4),
			MedianMS: round(quantile(t.frames, 0.5)/1e6, 4), Runs: len(t.frames)})
		for j, l := range t.layers {
			d := t.byLayer[j]
			all = append(all, LayerSample{Kernel: l.Kernel, In: l.In, Out: l.Out, Blocks: slices.Clone(l.Blocks[:]), Taps: slices.Clone(l.BlockTaps[:]),
				Residual: l.Residual, NS: round(typical(d), 4), MedianNS: round(quantile(d, 0.5), 4), Runs: len(d)})
		}
	}
	slices.SortStableFunc(all, func(a, b LayerSample) int { return cmp.Compare(a.NS, b.NS) })
	n := min(keptSamples, len(all))
	for i := range n {
		p.Samples = append(p.Samples, all[i*len(all)/n])
	}
}

// fit sets the coefficients: first those of layers from all layers' times, then
// those of the frame from what the layers are predicted to take.
func (p *Profile) fit(nets []*timed, w, h int) {
	var rows, frames [][]float64
	var want, wantFrames []float64
	for _, t := range nets {
		for i, f := range features(t.layers, w, h, p.Threads) {
			if ns := typical(t.byLayer[i]); ns > 0 {
				rows, want = append(rows, f), append(want, ns)
			}
		}
	}
	x := nonNegative(rows, want)
	for i := range x {
		x[i] = round(x[i], 6)
	}
	p.Layer = layerCost(x)
	for _, t := range nets {
		sum := 0.0
		for _, f := range features(t.layers, w, h, p.Threads) {
			sum += dot(x, f)
		}
		frames, wantFrames = append(frames, frameFeatures(sum, t.layers, w, h)), append(wantFrames, typical(t.frames))
	}
	y := nonNegative(frames, wantFrames)
	for i := range y {
		y[i] = round(y[i], 6)
	}
	p.Frame = frameCost(y)
}
