package main

import (
	"encoding/json"
	"io"
	"time"
)

// report is the JSON of a whole run.
type report struct {
	Machine machine  `json:"machine"`
	Seconds float64  `json:"seconds"` // that it took
	Rivals  []string `json:"rivals"`
	Absent  []string `json:"absent"` // rivals that are not installed, and how to get them
	Results []result `json:"results"`
}

// result is one network at one size.
type result struct {
	Name    string  `json:"name"`
	What    string  `json:"what"`
	Extra   bool    `json:"extra"` // not in the means
	Width   int     `json:"width"` // of the input, pixels
	Height  int     `json:"height"`
	Rounds  int     `json:"rounds"`       // that count
	Made    int     `json:"rounds_made"`  // with those that others disturbed
	Quiet   bool    `json:"quiet"`        // other programs kept at most 0.1 cores busy in every round that counts
	Others  float64 `json:"others_cores"` // that they did, on average
	Weights int     `json:"weights"`      // and biases of the dense network, 0 when it was not measured
	Rows    []row   `json:"rows"`
}

// row is one file at one number of threads. Ratios are of the same round; a
// spread is the median and the quartiles over rounds.
type row struct {
	Variant       string        `json:"variant"`
	Threads       int           `json:"threads"`
	MACs          int           `json:"macs"` // of kept weights, one frame
	DenseMACs     int           `json:"dense_macs"`
	MS            spread        `json:"ms"` // ours, one frame
	GFLOPS        float64       `json:"gflops"`
	PeakShare     float64       `json:"peak_share"`                // GFLOPS / the machine's at as many threads
	OverDense     *spread       `json:"over_dense,omitempty"`      // our dense time / ours
	OverOneThread *spread       `json:"over_one_thread,omitempty"` // our time on one thread / ours
	Best          *spread       `json:"over_best_rival,omitempty"` // the time of the rival with the least median / ours
	Rivals        []rivalResult `json:"rivals"`
}

type rivalResult struct {
	Name       string  `json:"name"`
	DenseFile  bool    `json:"dense_file"` // timed on the dense file: this runtime makes no use of zeros
	MS         spread  `json:"ms"`
	Speedup    spread  `json:"speedup"`    // the rival's time / ours
	Difference float64 `json:"difference"` // largest one of two values of the pictures
}

// summary makes rows of timed cells. Shares of the peak are for finish.
func (b *bench) summary(task task, cells []cell, t tally) result {
	n := task.subject
	pixels := task.size.w * task.size.h
	out := result{
		Name: n.name, What: n.what, Extra: n.extra, Width: task.size.w, Height: task.size.h,
		Rounds: t.counted, Made: t.made, Quiet: t.quiet == t.counted, Others: t.others,
	}
	dense := variants()[0].name
	for i := range cells {
		c := &cells[i]
		if c.variant.dense() {
			out.Weights = c.params
		}
		r := row{
			Variant: c.variant.name, Threads: c.threads, MACs: c.kept * pixels, DenseMACs: c.dense * pixels,
			MS: spreadOf(c.ours.times), Rivals: []rivalResult{},
		}
		r.GFLOPS = 2 * float64(r.MACs) / r.MS.Median / 1e6
		over := func(other *cell) *spread {
			if other == nil || other == c {
				return nil
			}
			s := speedup(other.ours.times, c.ours.times)
			return &s
		}
		r.OverDense, r.OverOneThread = over(find(cells, dense, c.threads)), over(find(cells, c.variant.name, 1))
		best := 0.0
		for j := range c.rivals {
			l := timed(cells, c, j)
			if l == nil {
				continue
			}
			v := rivalResult{
				Name: b.rivals[j].name(), DenseFile: l != &c.rivals[j],
				MS: spreadOf(l.times), Speedup: speedup(l.times, c.ours.times), Difference: c.differences[j],
			}
			r.Rivals = append(r.Rivals, v)
			if r.Best == nil || v.MS.Median < best {
				best, r.Best = v.MS.Median, &v.Speedup
			}
		}
		out.Rows = append(out.Rows, r)
	}
	return out
}

// find is the cell of a variant on a number of threads, nil when there is none.
func find(cells []cell, variant string, threads int) *cell {
	for i := range cells {
		if cells[i].variant.name == variant && cells[i].threads == threads {
			return &cells[i]
		}
	}
	return nil
}

// timed is where rival j's times for a row are: in its own lane, or in that of
// the dense file where it times no other. It is nil when there are none.
func timed(cells []cell, c *cell, j int) *lane {
	if c.rivals[j].session != nil {
		return &c.rivals[j]
	}
	if d := find(cells, variants()[0].name, c.threads); d != nil {
		return &d.rivals[j]
	}
	return nil
}

// finish adds what is known only at the end of a run.
func (r *report) finish(peak map[int]float64, took time.Duration) {
	r.Machine.PeakGFLOPS = peak
	r.Machine.LoadAfter = loadAverage()
	r.Seconds = took.Seconds()
	for i := range r.Results {
		for j := range r.Results[i].Rows {
			row := &r.Results[i].Rows[j]
			row.PeakShare = row.GFLOPS / peak[row.Threads]
		}
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
