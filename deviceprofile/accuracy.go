package deviceprofile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"evosr/internal/stat"
	"evosr/space"
)

// Report is how well predictions agree with measurements of networks that the
// profile never saw.
type Report struct {
	Profile Score
	MACs    Score   // a line through MACs alone, fitted to these very networks
	Nets    []Net   // in the order in which they were drawn
	Noise   float64 // as in Profile, as the rest
	Quiet   bool
	Trouble string

	QuietShare float64
}

// Score is how well a list of predictions agrees with measurements.
type Score struct {
	Within5, Within10 float64 // share of networks predicted within 5 and 10 %
	RMSPE             float64 // root mean square of (predicted-measured)/measured
	KendallTau        float64 // of the order, -1 to 1
	Bias              float64 // median of (predicted-measured)/measured: a machine that became faster or slower
}

// Net is one network of a Report.
type Net struct {
	Genome        string
	PredictedMS   float64
	LowMS, HighMS float64 // the interval of the prediction
	MeasuredMS    float64 // median of its undisturbed frames
	MACs          int     // per input pixel: of kept weights, or of all where a runner times
	MACsMS        float64 // what the line through MACs says
	QuietShare    float64 // of its frames
}

// Error is (predicted - measured) / measured.
func (n *Net) Error() float64 { return n.PredictedMS/n.MeasuredMS - 1 }

// AccuracyOptions say which networks to hold a profile against.
type AccuracyOptions struct {
	Nets          int          // 2 to 1000
	Seed          uint64       // equal seeds draw equal networks
	Space         *space.Space // to draw from; nil for the one of Measure
	Width, Height int          // input picture, pixels; 0 for the profile's
	Runner        *Runner      // what times; needed where the profile is a runner's, and only there
	Progress      func(done float64, what string)
}

// Accuracy predicts random networks that the profile was not fitted to, measures
// them in turn on the profile's number of threads, and compares. Whether the
// profile is of this machine is for Check to say, and of a runner's profile only
// its user knows. A small space may have fewer networks than are asked for.
func Accuracy(ctx context.Context, p *Profile, o AccuracyOptions) (*Report, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if o.Nets < 2 || o.Nets > 1000 {
		return nil, fmt.Errorf("deviceprofile: accuracy: %d networks, want 2 to 1000", o.Nets)
	}
	if p.External() != (o.Runner != nil) {
		return nil, fmt.Errorf("deviceprofile: accuracy: a profile of %s, want a runner where it is a runner's and none where it is evosr's", p.Runtime)
	}
	sp, w, h := o.Space, o.Width, o.Height
	if sp == nil {
		sp = general()
	}
	if w == 0 && h == 0 {
		w, h = p.Width, p.Height
	}
	if err := sp.Validate(); err != nil {
		return nil, fmt.Errorf("deviceprofile: %w", err)
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x756e7365656e)) // other networks than Measure draws
	seen := map[string]bool{}
	for _, s := range p.Nets {
		seen[s.Genome] = true
	}
	draw := func(int, []*timed) (space.Genome, int, int) {
		g := sp.Random(rng)
		for range 100 {
			if !seen[g.String()] {
				break
			}
			g = sp.Random(rng)
		}
		return g, w, h
	}
	b := &bench{clock: own{p.Threads}, w: w, h: h, least: o.Nets, progress: o.Progress}
	each := 700 * time.Millisecond
	if o.Runner != nil {
		watch, err := o.Runner.start(p.Threads)
		if err != nil {
			return nil, err
		}
		defer watch.stop()
		b.clock, each = watch, 2*time.Second
	}
	if err := b.run(ctx, sp, o.Nets, draw, time.Duration(o.Nets)*each); err != nil {
		return nil, err
	}
	r := &Report{Noise: b.noise(), QuietShare: b.quietShare(), Trouble: b.trouble()}
	r.Quiet = r.Trouble == ""
	var macs [][]float64
	var predicted, measured, line []float64
	for _, t := range b.nets {
		ms, low, high := p.Predict(t.layers, w, h, sp.Scale)
		was := t.typical() / 1e6
		r.Nets = append(r.Nets, Net{Genome: t.genome.String(), PredictedMS: ms, LowMS: low, HighMS: high, MeasuredMS: was, MACs: t.macs, QuietShare: t.quiet()})
		predicted, measured = append(predicted, ms), append(measured, was)
		macs = append(macs, []float64{float64(t.macs), 1})
	}
	x := stat.NonNegative(macs, measured)
	for i := range macs {
		r.Nets[i].MACsMS = stat.Dot(x, macs[i])
		line = append(line, r.Nets[i].MACsMS)
	}
	r.Profile, r.MACs = score(predicted, measured), score(line, measured)
	return r, nil
}

func score(predicted, measured []float64) Score {
	var s Score
	var squares float64
	var errs []float64
	for i, m := range measured {
		e := math.Abs(predicted[i]-m) / m
		squares += e * e
		errs = append(errs, predicted[i]/m-1)
		if e <= 0.05 {
			s.Within5++
		}
		if e <= 0.1 {
			s.Within10++
		}
	}
	n := float64(len(measured))
	s.Within5, s.Within10, s.RMSPE = s.Within5/n, s.Within10/n, math.Sqrt(squares/n)
	s.KendallTau = stat.Kendall(predicted, measured)
	s.Bias = stat.Median(errs)
	return s
}
