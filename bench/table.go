package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

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
	fmt.Fprintf(w, "command: %s; %.0f s\n", m.Command, r.Seconds)
	fmt.Fprintf(w, "load averages before: %s; after: %s\n", m.LoadBefore, m.LoadAfter)
	for _, t := range threadCounts(m.PeakGFLOPS) {
		fmt.Fprintf(w, "the machine on %s: %.0f GFLOP/s multiply-adds on registers, %.1f GB/s memory copy\n", plural(t, "thread"), m.PeakGFLOPS[t], m.MemoryGBs[t])
	}
	fmt.Fprint(w, `one frame; medians over rounds (quartiles); times: as fast as that, in the same round
of peak: the multiplications of the kept weights, direct ones, at that rate; Winograd's algorithm needs fewer and can pass 100 %
= a rival's time on the dense file, as it makes no use of zeros
every slope of a PReLU is the same, so that oneDNN, MNN and ncnn run it as a leaky ReLU, which they have fast code for
`)
	fmt.Fprintf(w, "rivals: %s\n", strings.Join(r.Rivals, ", "))
	for _, a := range r.Absent {
		fmt.Fprintf(w, "left out: %s\n", a)
	}
	for i := range r.Results {
		r.Results[i].write(w, r.Rivals)
	}
	for _, s := range r.sizes() {
		r.writeMeans(w, s)
	}
	return w.err
}

func (n *result) write(w io.Writer, rivals []string) {
	fmt.Fprintf(w, "\n%s at %dx%d: %s\n", n.Name, n.Width, n.Height, n.What)
	if n.Weights > 0 {
		fmt.Fprintf(w, "%d weights and biases, ", n.Weights)
	}
	fmt.Fprintf(w, "%.2f GMAC dense; %d of %d rounds count, in which other programs kept %.2f cores busy\n",
		float64(n.Rows[0].DenseMACs)/1e9, n.Rounds, n.Made, n.Others)
	if !n.Quiet {
		fmt.Fprintln(w, "NOT QUIET: other programs disturbed these rounds; measure again")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pruned\tthreads\tGMAC\tms\tGFLOP/s\tof peak\ttimes own dense\t\ttimes 1 thread\t")
	for _, name := range rivals {
		fmt.Fprintf(t, "%s ms\ttimes\t\t", short(name))
	}
	fmt.Fprintln(t, "differ\t")
	for _, r := range n.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.0f\t%.0f %%\t%s\t%s\t", r.Variant, r.Threads, float64(r.MACs)/1e9, r.MS.Median,
			r.GFLOPS, 100*r.PeakShare, r.OverDense.cells(), r.OverOneThread.median())
		worst := 0.0
		for _, name := range rivals {
			v := r.rival(name)
			if v == nil {
				fmt.Fprint(t, "-\t-\t\t")
				continue
			}
			mark := ""
			if v.DenseFile {
				mark = "="
			}
			fmt.Fprintf(t, "%s%.2f\t%s\t", mark, v.MS.Median, v.Speedup.cells())
			worst = max(worst, v.Difference)
		}
		fmt.Fprintf(t, "%.1g\t\n", worst)
	}
	t.Flush() // w keeps the error
}

// rival is the result of one, nil when it has none.
func (r *row) rival(name string) *rivalResult {
	for i := range r.Rivals {
		if r.Rivals[i].Name == name {
			return &r.Rivals[i]
		}
	}
	return nil
}

// short is a name without its version.
func short(name string) string {
	if i := strings.LastIndexByte(name, ' '); i > 0 {
		return name[:i]
	}
	return name
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

// sizes are those of the results, in their order.
func (r *report) sizes() (list []size) {
	for _, n := range r.Results {
		if s := (size{n.Width, n.Height}); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// writeMeans sums one size up: every variant on every number of threads, over
// the networks that are no extra ones.
func (r *report) writeMeans(w io.Writer, s size) {
	var nets []*result
	for i := range r.Results {
		if n := &r.Results[i]; !n.Extra && (size{n.Width, n.Height}) == s {
			nets = append(nets, n)
		}
	}
	if len(nets) == 0 {
		return
	}
	fmt.Fprintf(w, "\nover %s at %v, geometric mean of the medians (least):\n", plural(len(nets), "network"), s)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pruned\tthreads\ttimes own dense\ttimes 1 thread\t")
	for _, name := range r.Rivals {
		fmt.Fprintf(t, "times %s\t", short(name))
	}
	fmt.Fprintln(t, "times the best\t")
	for i, first := range nets[0].Rows {
		mean := func(of func(*row) *spread) string {
			var medians []float64
			for _, n := range nets {
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
		for _, name := range r.Rivals {
			fmt.Fprintf(t, "%s\t", mean(func(r *row) *spread {
				if v := r.rival(name); v != nil {
					return &v.Speedup
				}
				return nil
			}))
		}
		fmt.Fprintf(t, "%s\t\n", mean(func(r *row) *spread { return r.Best }))
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
