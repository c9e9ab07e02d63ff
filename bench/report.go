package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// report is the JSON of a whole run.
type report struct {
	Machine  machine  `json:"machine"`
	Width    int      `json:"width"` // of the input, pixels
	Height   int      `json:"height"`
	Rivals   []string `json:"rivals"`
	Networks []result `json:"networks"`
	Absent   []string `json:"absent"` // networks that the runtime cannot load yet
}

// result is one network.
type result struct {
	Name    string  `json:"name"`
	What    string  `json:"what"`
	Rounds  int     `json:"rounds"`       // that count
	Made    int     `json:"rounds_made"`  // with those that others disturbed
	Quiet   bool    `json:"quiet"`        // other programs kept at most 0.1 cores busy in every round that counts
	Others  float64 `json:"others_cores"` // that they did, on average
	Weights int     `json:"weights"`      // and biases of the dense network
	Rows    []row   `json:"rows"`
}

// row is one file at one number of threads. Ratios are of the same round; a
// spread is the median and the quartiles over rounds.
type row struct {
	Variant       string        `json:"variant"`
	Threads       int           `json:"threads"`
	MACs          int           `json:"macs"` // of kept weights in layers that run, one frame
	DenseMACs     int           `json:"dense_macs"`
	MS            spread        `json:"ms"` // ours, one frame
	GFLOPS        float64       `json:"gflops"`
	PeakShare     float64       `json:"peak_share"`                // GFLOPS / the machine's at as many threads
	OverDense     *spread       `json:"over_dense,omitempty"`      // our dense time / ours
	OverOneThread *spread       `json:"over_one_thread,omitempty"` // our time on one thread / ours
	Rivals        []rivalResult `json:"rivals"`
}

type rivalResult struct {
	Name       string  `json:"name"`
	MS         spread  `json:"ms"`
	Speedup    spread  `json:"speedup"`    // the rival's time / ours
	Difference float64 `json:"difference"` // largest one of two values of the pictures
}

// summary makes rows of timed cells. Shares of the peak are for finish.
func (b *bench) summary(n *network, cells []cell, t tally) result {
	pixels := b.size.w * b.size.h
	out := result{Name: n.name, What: n.what, Rounds: t.counted, Made: t.made, Quiet: t.quiet == t.counted, Others: t.others}
	find := func(variant string, threads int) *cell {
		i := slices.IndexFunc(cells, func(c cell) bool { return c.variant.name == variant && c.threads == threads })
		if i < 0 {
			return nil
		}
		return &cells[i]
	}
	dense := variants()[0].name
	for i := range cells {
		c := &cells[i]
		if c.variant.name == dense {
			out.Weights = c.params
		}
		r := row{
			Variant: c.variant.name, Threads: c.threads, MACs: c.kept * pixels, DenseMACs: c.dense * pixels,
			MS: spreadOf(c.ours.times), Rivals: []rivalResult{},
		}
		r.GFLOPS = 2 * float64(r.MACs) / r.MS.Median / 1e6
		if d := find(dense, c.threads); d != nil && d != c {
			s := speedup(d.ours.times, c.ours.times)
			r.OverDense = &s
		}
		if one := find(c.variant.name, 1); one != nil && one != c {
			s := speedup(one.ours.times, c.ours.times)
			r.OverOneThread = &s
		}
		for j, l := range c.rivals {
			r.Rivals = append(r.Rivals, rivalResult{
				Name: b.rivals[j].name(), MS: spreadOf(l.times), Speedup: speedup(l.times, c.ours.times), Difference: c.differences[j],
			})
		}
		out.Rows = append(out.Rows, r)
	}
	return out
}

// finish adds what is known only at the end of a run.
func (r *report) finish(peak map[int]float64) {
	r.Machine.PeakGFLOPS = peak
	r.Machine.LoadAfter = loadAverage()
	for i := range r.Networks {
		for j := range r.Networks[i].Rows {
			row := &r.Networks[i].Rows[j]
			row.PeakShare = row.GFLOPS / peak[row.Threads]
		}
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// errWriter keeps the first error of many writes.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) Write(b []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.w.Write(b)
	e.err = err
	return n, err
}

func (r *report) writeTable(out io.Writer) error {
	w := &errWriter{w: out}
	m := &r.Machine
	fmt.Fprintf(w, "%s, %d cores, %s kernels, %s; %s\n", m.CPU, m.Cores, m.Kernels, m.Go, m.Date)
	fmt.Fprintf(w, "command: %s\n", m.Command)
	fmt.Fprintf(w, "load averages before: %s; after: %s\n", m.LoadBefore, m.LoadAfter)
	for _, t := range threadCounts(m.PeakGFLOPS) {
		fmt.Fprintf(w, "the machine on %s: %.0f GFLOP/s multiply-adds on registers, %.1f GB/s memory copy\n", plural(t, "thread"), m.PeakGFLOPS[t], m.MemoryGBs[t])
	}
	fmt.Fprintf(w, "%dx%d pixels in, one frame; medians over rounds (quartiles), ratios of the same round\n", r.Width, r.Height)
	for i := range r.Networks {
		r.Networks[i].write(w, r.Rivals)
	}
	fmt.Fprintf(w, "\nnot in the table, as the runtime does not load them yet:\n")
	for _, a := range r.Absent {
		fmt.Fprintf(w, "  %s\n", a)
	}
	r.writeMeans(w)
	return w.err
}

func (n *result) write(w io.Writer, rivals []string) {
	fmt.Fprintf(w, "\n%s: %s\n", n.Name, n.What)
	fmt.Fprintf(w, "%d weights and biases, %.2f GMAC dense; %d of %d rounds count, in which other programs kept %.2f cores busy\n",
		n.Weights, float64(n.Rows[0].DenseMACs)/1e9, n.Rounds, n.Made, n.Others)
	if !n.Quiet {
		fmt.Fprintln(w, "NOT QUIET: other programs disturbed these rounds; measure again")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pruned\tthreads\tGMAC\tms\tGFLOP/s\tof peak\ttimes own dense\t\ttimes 1 thread\t")
	for _, name := range rivals {
		fmt.Fprintf(t, "%s ms\ttimes as fast\t\tdifference\t", name)
	}
	fmt.Fprintln(t)
	for _, r := range n.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.0f\t%.0f %%\t%s\t%s\t", r.Variant, r.Threads, float64(r.MACs)/1e9, r.MS.Median,
			r.GFLOPS, 100*r.PeakShare, r.OverDense.cells(), r.OverOneThread.median())
		for _, v := range r.Rivals {
			fmt.Fprintf(t, "%.2f\t%s\t%.1g\t", v.MS.Median, v.Speedup.cells(), v.Difference)
		}
		fmt.Fprintln(t)
	}
	t.Flush() // w keeps the error
}

// cells are two columns of the table: the median, the quartiles.
func (s *spread) cells() string {
	if s == nil {
		return "-\t"
	}
	return fmt.Sprintf("%.2f\t(%.2f-%.2f)", s.Median, s.Q1, s.Q3)
}

func (s *spread) median() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", s.Median)
}

// writeMeans sums a run up: every variant on every number of threads, over all
// networks.
func (r *report) writeMeans(w io.Writer) {
	if len(r.Networks) == 0 {
		return
	}
	fmt.Fprintf(w, "\nover %s, geometric mean of the medians (least):\n", plural(len(r.Networks), "network"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pruned\tthreads\ttimes own dense\ttimes 1 thread\t")
	for _, name := range r.Rivals {
		fmt.Fprintf(t, "times %s\t", name)
	}
	fmt.Fprintln(t)
	for i, first := range r.Networks[0].Rows {
		mean := func(of func(*row) *spread) string {
			var medians []float64
			for _, n := range r.Networks {
				if s := of(&n.Rows[i]); s != nil {
					medians = append(medians, s.Median)
				}
			}
			if len(medians) == 0 {
				return "-"
			}
			return fmt.Sprintf("%.2f (%.2f)", geometricMean(medians), slices.Min(medians))
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t", first.Variant, first.Threads,
			mean(func(r *row) *spread { return r.OverDense }), mean(func(r *row) *spread { return r.OverOneThread }))
		for j := range r.Rivals {
			fmt.Fprintf(t, "%s\t", mean(func(r *row) *spread { return &r.Rivals[j].Speedup }))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

func threadCounts(m map[int]float64) []int {
	var list []int
	for t := range m {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
