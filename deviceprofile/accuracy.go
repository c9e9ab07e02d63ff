package deviceprofile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"evosr/space"
)

// Report is how well predictions agree with measurements of networks that the
// profile never saw.
type Report struct {
	Profile Score
	MACs    Score   // a line through MACs alone, fitted to these very networks
	Nets    []Net   // in the order in which they were drawn
	Noise   float64 // as in Profile
	Quiet   bool    // as in Profile
}

// Score is how well a list of predictions agrees with measurements.
type Score struct {
	Within5, Within10 float64 // share of networks predicted within 5 and 10 %
	RMSPE             float64 // root mean square of (predicted-measured)/measured
	KendallTau        float64 // of the order, -1 to 1
}

// Net is one network of a Report.
type Net struct {
	Genome        string
	PredictedMS   float64
	LowMS, HighMS float64 // the interval of the prediction
	MeasuredMS    float64 // lowest decile of its frames
	MACs          int     // per input pixel, of kept weights
	MACsMS        float64 // what the line through MACs says
}

// Accuracy predicts n random networks of sp, measures them as the profile was
// measured, and compares.
func Accuracy(ctx context.Context, p *Profile, sp *space.Space, n int, seed uint64) (*Report, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if n < 2 || n > 1000 {
		return nil, fmt.Errorf("deviceprofile: accuracy: %d networks, want 2 to 1000", n)
	}
	if err := sp.Validate(); err != nil {
		return nil, fmt.Errorf("deviceprofile: %w", err)
	}
	rng := rand.New(rand.NewPCG(seed, 0x756e7365656e)) // other networks than Measure draws
	seen := map[string]bool{}
	for _, s := range p.Nets {
		seen[s.Genome] = true
	}
	draw := func(int) space.Genome {
		g := sp.Random(rng)
		for range 100 {
			if !seen[g.String()] {
				break
			}
			g = sp.Random(rng)
		}
		return g
	}
	b := &bench{w: p.Width, h: p.Height, threads: p.Threads}
	if err := b.run(ctx, sp, n, draw, time.Duration(n)*700*time.Millisecond); err != nil {
		return nil, err
	}
	r := &Report{Noise: b.noise()}
	r.Quiet = r.Noise <= quietNoise
	var macs [][]float64
	var predicted, measured, line []float64
	for _, t := range b.nets {
		ms, low, high := p.Predict(t.layers, p.Width, p.Height, sp.Scale)
		was := typical(t.frames) / 1e6
		r.Nets = append(r.Nets, Net{Genome: t.genome.String(), PredictedMS: ms, LowMS: low, HighMS: high, MeasuredMS: was, MACs: t.macs})
		predicted, measured = append(predicted, ms), append(measured, was)
		macs = append(macs, []float64{float64(t.macs), 1})
	}
	x := nonNegative(macs, measured)
	for i := range macs {
		r.Nets[i].MACsMS = dot(x, macs[i])
		line = append(line, r.Nets[i].MACsMS)
	}
	r.Profile, r.MACs = score(predicted, measured), score(line, measured)
	return r, nil
}

func score(predicted, measured []float64) Score {
	var s Score
	var squares float64
	for i, m := range measured {
		e := math.Abs(predicted[i]-m) / m
		squares += e * e
		if e <= 0.05 {
			s.Within5++
		}
		if e <= 0.1 {
			s.Within10++
		}
	}
	n := float64(len(measured))
	s.Within5, s.Within10, s.RMSPE = s.Within5/n, s.Within10/n, math.Sqrt(squares/n)
	s.KendallTau = kendall(predicted, measured)
	return s
}

// kendall is Kendall's tau-a: concordant less discordant pairs, of all pairs.
func kendall(a, b []float64) float64 {
	sum, pairs := 0, 0
	for i := range a {
		for j := range i {
			pairs++
			switch d := (a[i] - a[j]) * (b[i] - b[j]); {
			case d > 0:
				sum++
			case d < 0:
				sum--
			}
		}
	}
	return float64(sum) / float64(max(pairs, 1))
}
