package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"evosr/internal/kernel"
	"evosr/sparse"
)

// explanation is what bench --explain adds for the whole network.
type explanation struct {
	PeakGFLOPS float64       `json:"peak_gflops"` // multiply-adds on registers, of one core times threads
	Passes     []explainPass `json:"passes"`
	Memory     int64         `json:"memory_bytes"` // beside the pictures
}

type explainPass struct {
	Name string `json:"name"`
	Note string `json:"note"`
}

// explained is what it adds for a layer.
type explained struct {
	Op          string  `json:"op,omitempty"`
	Act         string  `json:"act,omitempty"`
	Method      string  `json:"method,omitempty"` // "lists", "winograd"; none where it is no convolution
	PredictedMS float64 `json:"predicted_ms,omitempty"`
	GFLOPS      float64 `json:"gflops,omitempty"` // of what runs
	PeakShare   float64 `json:"peak_share,omitempty"`
	Speedup     float64 `json:"estimated_speedup,omitempty"` // over the same layer unpruned
	Verdict     string  `json:"verdict,omitempty"`
}

// explain fills in what the program and the machine's peak tell about r.
func (r *benchResult) explain(p *sparse.Program) error {
	set, err := kernel.ByName(r.Kernels)
	if err != nil {
		return err
	}
	memory, err := p.MemoryBytes(r.Width, r.Height)
	if err != nil {
		return dataf("bench: %w", err)
	}
	r.Explain = &explanation{PeakGFLOPS: set.PeakGFLOPS(200*time.Millisecond) * float64(r.Threads), Memory: memory}
	for _, pass := range p.Passes() {
		r.Explain.Passes = append(r.Explain.Passes, explainPass(pass))
	}
	pixels := float64(r.Width * r.Height)
	chained := sparse.LayerInfo{} // what the layer before adds to this one's time
	for i, l := range p.Layers() {
		to := &r.Layers[i]
		to.Op, to.Act, to.Method = l.Op, l.Act, l.Method
		if l.Method == "" {
			to.Verdict = "no convolution"
			continue
		}
		to.Speedup = l.Speedup
		to.Verdict = verdict(&l)
		if l.Chained {
			chained = l
			continue
		}
		to.PredictedMS = 2 * (l.Cost + chained.Cost) * pixels / r.Explain.PeakGFLOPS / 1e6
		if to.MedianMS > 0 {
			to.GFLOPS = 2 * float64(l.MACs+chained.MACs) * pixels / to.MedianMS / 1e6
			to.PeakShare = to.GFLOPS / r.Explain.PeakGFLOPS
		}
		chained = sparse.LayerInfo{}
	}
	return nil
}

// verdict says what pruning is worth in a layer, and where it runs dense
// nevertheless.
func verdict(l *sparse.LayerInfo) string {
	switch {
	case l.Density >= 1:
		return "dense"
	case l.Method == sparse.MethodWinograd && l.Pays:
		return fmt.Sprintf("runs dense, of fewer channels: %.1f times", l.Speedup)
	case l.Method == sparse.MethodWinograd:
		return "runs dense: that is faster than its kept weights"
	case l.Pays:
		return fmt.Sprintf("pays: %.1f times", l.Speedup)
	case l.MACs >= l.In*l.Out*l.Kernel*l.Kernel:
		return "runs dense: its kept weights share no blocks"
	}
	return fmt.Sprintf("does not pay: %.2f times", l.Speedup)
}

func (a *app) printExplained(r *benchResult) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "pass\twhat it did")
	for _, pass := range r.Explain.Passes {
		fmt.Fprintf(w, "%s\t%s\n", pass.Name, pass.Note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	w = tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "layer\tchannels\tfilter\tscheme\tkept\tkernel\tms\tpredicted\tGFLOP/s\tof peak\tpruning\t\n")
	for i := range r.Layers {
		l := &r.Layers[i]
		channels := fmt.Sprintf("%d-%d", l.In, l.Out)
		if l.Method == "" {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t%s\t%.3f\t\t\t\t\t\n", l.Name, channels, withAct(l.Op, l.Act), l.MedianMS)
			continue
		}
		kernel := l.Method
		if l.Method == sparse.MethodLists {
			kernel = fmt.Sprintf("lists of %d", l.Tile)
		}
		if l.Chained {
			fmt.Fprintf(w, "%s\t%s\t%dx%d\t%s\t%.0f%%\t%s\t%s\t\t\t\t%s\t\n", l.Name, channels, l.Kernel, l.Kernel, l.Scheme, 100*l.Density,
				withAct(kernel, l.Act), withNext, l.Verdict)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%dx%d\t%s\t%.0f%%\t%s\t%.3f\t%.3f\t%.0f\t%.0f%%\t%s\t\n", l.Name, channels, l.Kernel, l.Kernel, l.Scheme, 100*l.Density,
			withAct(kernel, l.Act), l.MedianMS, l.PredictedMS, l.GFLOPS, 100*l.PeakShare, l.Verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := a.printFrame(r); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "peak %.0f GFLOP/s on %s, measured now; %.1f MB beside the pictures\n", r.Explain.PeakGFLOPS, plural(r.Threads, "thread"), float64(r.Explain.Memory)/1e6)
	return err
}

// withAct names what is done and the activation after it.
func withAct(what, act string) string {
	if act == "" || act == "none" {
		return what
	}
	return what + "+" + act
}
