package report

import (
	"math"

	"evosr/fitness"
	"evosr/rundir"
)

// charts is the data of the page's drawings; page.js reads it as JSON.
type charts struct {
	X           axis            `json:"x"`
	Y           axis            `json:"y"`
	Evaluations []evaluationDot `json:"evaluations"`
	Front       []dot           `json:"front"`
	Winners     []winnerDot     `json:"winners"`
	Bicubic     float64         `json:"bicubic"` // on the y axis; 0 when unknown
	Dense       *dot            `json:"dense"`
	DenseFront  []dot           `json:"dense_front"` // of the networks that prune nothing
	Peers       []peer          `json:"peers"`       // published networks
	Hypervolume [][2]float64    `json:"hypervolume"` // evaluations, share of the last value
	HVTotal     float64         `json:"hypervolume_total"`
	Repeat      string          `json:"repeat"` // command that makes the run again
	Run         string          `json:"run"`    // its directory, for commands
	Loss        [][2]float64    `json:"loss"`   // step, L1 in 8-bit levels

	Validation       [][2]float64 `json:"validation"` // step, PSNR of the largest network while it was trained
	ValidationPruned [][2]float64 `json:"validation_pruned"`

	LayerSteps []int        `json:"layer_steps"`
	Layers     []layerLines `json:"layers"` // of the largest network while it was trained
}

// axis is an objective as drawn.
type axis struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Unit string `json:"unit"`
	Log  bool   `json:"log,omitempty"` // drawn by powers of two

	Digits    int `json:"digits"` // after the point
	objective fitness.Objective
}

type dot struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	ID     string  `json:"id"`
	Params int     `json:"params"`
	MACs   int     `json:"macs"`
}

type evaluationDot struct {
	dot
	Index  int    `json:"i"`
	Genome string `json:"g"`
	Bad    bool   `json:"bad,omitempty"` // violates a constraint
}

type winnerDot struct {
	dot           // as searched: inherited weights, predicted
	Letter string `json:"letter"`
	Reason string `json:"reason"`
	// The finished winner on the same axes; equal to X and Y where an axis does
	// not change.
	DoneX     float64 `json:"done_x"`
	DoneY     float64 `json:"done_y"`
	Predicted float64 `json:"predicted"` // milliseconds
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Median    float64 `json:"median"`
	P90       float64 `json:"p90"`
}

func axisOf(o fitness.Objective) axis {
	return axis{Key: o.Name, Name: o.Label, Unit: o.Unit, Digits: o.Shown, objective: o}
}

// axes are the search's first cost and first quality, or latency and PSNR.
func axes(aims fitness.Objectives) (x, y axis) {
	of := func(o fitness.Objective, ok bool, or string) axis {
		if !ok {
			o, _ = fitness.ObjectiveOf(or) // a row of the table
		}
		return axisOf(o)
	}
	cost, hasCost := aims.Cost()
	quality, hasQuality := aims.Quality()
	return of(cost, hasCost, fitness.NameLatency), of(quality, hasQuality, fitness.NamePSNR)
}

// on reads what a network is judged by on an axis.
func (a *axis) on(v fitness.Values) float64 { return a.objective.Of(&v) }

func newCharts(m *material) charts {
	var c charts
	c.X, c.Y = axes(m.aims)
	at := func(p rundir.Point) dot {
		return dot{finite(c.X.on(p.Values)), finite(c.Y.on(p.Values)), p.ID, p.Params, p.MACs}
	}
	for _, e := range m.evaluations {
		if e.Err == "" {
			c.Evaluations = append(c.Evaluations, evaluationDot{at(e.Point), e.Index, e.Genome, e.Violation > 0})
		}
	}
	for _, p := range m.front {
		c.Front = append(c.Front, at(p))
	}
	for _, p := range denseFront(m) {
		c.DenseFront = append(c.DenseFront, at(p))
	}
	if c.X.Key == fitness.NameLatency && c.Y.Key == fitness.NamePSNR {
		c.Peers = m.peers
	}
	c.Repeat, c.Run = repeat(m), quoted(m.dir)
	for i, w := range m.winners {
		p := rundir.Point{ID: w.ID, Values: fitness.Values{PSNR: w.Inherited.PSNR, SSIM: w.Inherited.SSIM, LatencyMS: w.Latency.PredictedMS, Params: w.Params, MACs: w.MACs}}
		for _, f := range m.front {
			if f.ID == w.ID {
				p = f
			}
		}
		done := p
		done.PSNR, done.SSIM, done.LatencyMS = w.Finetuned.PSNR, w.Finetuned.SSIM, w.Latency.MedianMS
		l := w.Latency
		c.Winners = append(c.Winners, winnerDot{
			dot: at(p), Letter: rundir.Letter(i), Reason: w.Reason, DoneX: finite(c.X.on(done.Values)), DoneY: finite(c.Y.on(done.Values)),
			Predicted: finite(l.PredictedMS), Low: finite(l.LowMS), High: finite(l.HighMS), Median: finite(l.MedianMS), P90: finite(l.P90MS),
		})
		c.Bicubic = finite(c.Y.on(fitness.Values{PSNR: w.Bicubic.PSNR, SSIM: w.Bicubic.SSIM}))
	}
	if d := m.dense; d != nil && c.X.Key == fitness.NameLatency {
		if y := c.Y.on(fitness.Values{PSNR: d.PSNR, SSIM: d.SSIM}); y > 0 {
			c.Dense = &dot{X: finite(d.LatencyMS), Y: finite(y)}
		}
	}
	c.X.Log = c.wide()
	c.Hypervolume, c.HVTotal = hypervolumeCurve(m.evaluations, m.aims)
	for _, t := range m.training {
		c.Loss = append(c.Loss, [2]float64{float64(t.Step), finite(255 * t.Loss)})
	}
	c.ValidationPruned = [][2]float64{}
	for _, q := range m.quality {
		c.Validation = append(c.Validation, [2]float64{float64(q.Step), finite(q.PSNR)})
		if q.PrunedPSNR > 0 {
			c.ValidationPruned = append(c.ValidationPruned, [2]float64{float64(q.Step), finite(q.PrunedPSNR)})
		}
	}
	c.LayerSteps, c.Layers = linesOf(m.layers)
	return c
}

// wide says whether costs spread over more than a factor of eight, so that a
// linear axis would press the front against its left end.
func (c *charts) wide() bool {
	lo, hi := math.Inf(1), 0.0
	for _, e := range c.Evaluations {
		lo, hi = min(lo, e.X), max(hi, e.X)
	}
	return lo > 0 && hi > 8*lo
}

// finite keeps JSON possible: what is not a number is drawn at 0.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
