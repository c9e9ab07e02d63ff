package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// benchResult is the JSON of bench, a promise to scripts.
type benchResult struct {
	Model     string       `json:"model"`
	Width     int          `json:"width"` // of the input
	Height    int          `json:"height"`
	Scale     int          `json:"scale"`
	Threads   int          `json:"threads"`
	Kernels   string       `json:"kernels"`
	MedianMS  float64      `json:"median_ms"`
	P90MS     float64      `json:"p90_ms"`
	MACs      int          `json:"macs"` // of kept weights, one frame
	DenseMACs int          `json:"dense_macs"`
	GFLOPS    float64      `json:"gflops"` // 2 macs / median
	Alone     float64      `json:"alone"`  // share of frames that ran on one thread, as other programs held cores
	Layers    []benchLayer `json:"layers"`
	Explain   *explanation `json:"explain,omitempty"` // with --explain
}

type benchLayer struct {
	Name      string  `json:"name"`
	In        int     `json:"in"`
	Out       int     `json:"out"`
	Kernel    int     `json:"kernel"`
	Tile      int     `json:"b"`
	Scheme    string  `json:"scheme"`
	Density   float64 `json:"density"`
	MACs      int     `json:"macs"` // that run, one frame
	DenseMACs int     `json:"dense_macs"`
	MedianMS  float64 `json:"median_ms"`
	P90MS     float64 `json:"p90_ms"`
	Pays      bool    `json:"pays"`              // pruning makes the layer faster
	Chained   bool    `json:"chained,omitempty"` // computed together with the next layer, whose times are both's

	explained
}

func (a *app) benchCmd() *cobra.Command {
	frame := size{320, 180}
	var model modelOptions
	var runs int
	var explain bool
	c := &cobra.Command{
		Use:   "bench MODEL",
		Short: "Latency of a network in evosr's runtime, layer by layer",
		Long: "Times whole frames and every layer on this machine. --size is the input's: a x2\n" +
			"network makes 640x360 of 320x180.\n\n" +
			"--explain tells what every pass of the compiler did, and for every layer which kernel\n" +
			"computes it, the time that the cost table predicts at this machine's measured peak, the\n" +
			"rate that it reaches, and by how much pruning makes it faster.",
		Example: "  evosr bench model.evosr --size 640x360 --threads 1\n  evosr bench model.onnx --explain",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == bicubic {
				return usagef("bicubic has no layers to measure: give an ONNX file or a program file")
			}
			u, err := openModel(args[0], model)
			if err != nil {
				return err
			}
			defer u.Close()
			r, err := measure(u, args[0], frame, runs)
			if err != nil {
				return err
			}
			if explain {
				if err := r.explain(u.Program()); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.printBench(r)
		},
	}
	c.Flags().Var(&frame, "size", "input picture, pixels")
	modelFlags(c, &model)
	c.Flags().BoolVar(&explain, "explain", false, "what the compiler did, and why each layer takes its time")
	numberFlag(c, &runs, "runs", 1, 100000, 50, "timed frames, after a warm-up")
	return a.jsonFlag(c)
}

func measure(u *model, name string, s size, runs int) (*benchResult, error) {
	p := u.Program()
	frame, layers, err := p.Time(s.w, s.h, runs)
	if err != nil {
		return nil, dataf("bench: %w", err)
	}
	kept, dense := p.MACs()
	pixels := s.w * s.h
	r := &benchResult{
		Model: name, Width: s.w, Height: s.h, Scale: p.Scale(), Threads: p.Threads(), Kernels: p.Kernels(),
		MedianMS: ms(frame.Median), P90MS: ms(frame.P90), MACs: kept * pixels, DenseMACs: dense * pixels, Alone: frame.Alone,
		Layers: []benchLayer{},
	}
	if frame.Median > 0 {
		r.GFLOPS = 2 * float64(r.MACs) / frame.Median.Seconds() / 1e9
	}
	for i, l := range p.Layers() {
		r.Layers = append(r.Layers, benchLayer{
			Name: l.Name, In: l.In, Out: l.Out, Kernel: l.Kernel, Tile: l.B, Scheme: l.Scheme, Density: l.Density,
			MACs: l.MACs * pixels, DenseMACs: l.DenseMACs * pixels, MedianMS: ms(layers[i].Median), P90MS: ms(layers[i].P90), Pays: l.Pays, Chained: l.Chained,
		})
	}
	return r, nil
}

// withNext stands for the time of a chained layer.
const withNext = "with the next"

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func (a *app) printBench(r *benchResult) error {
	if r.Explain != nil {
		return a.printExplained(r)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "layer\tchannels\tfilter\tscheme\tkept\ttile b\tms\tp90\tpruning pays\t\n")
	for _, l := range r.Layers {
		pays := "no"
		switch {
		case l.Density >= 1:
			pays = "-"
		case l.Pays:
			pays = "yes"
		}
		median, p90 := fmt.Sprintf("%.3f", l.MedianMS), fmt.Sprintf("%.3f", l.P90MS)
		if l.Chained {
			median, p90 = withNext, ""
		}
		fmt.Fprintf(w, "%s\t%d-%d\t%dx%d\t%s\t%.0f%%\t%d\t%s\t%s\t%s\t\n", l.Name, l.In, l.Out, l.Kernel, l.Kernel, l.Scheme, 100*l.Density, l.Tile, median, p90, pays)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.printFrame(r)
}

// printFrame is the last lines of bench: the whole frame.
func (a *app) printFrame(r *benchResult) error {
	if r.Alone > 0 {
		a.say("%.0f %% of the frames ran on one thread, because other programs held cores: measure again on a quiet machine", 100*r.Alone)
	}
	_, err := fmt.Fprintf(a.out, "\n%dx%d to %dx%d, %s, %s: median %.3f ms, p90 %.3f ms, %.1f frames/s\n%.1f M of %.1f M multiplications a frame, %.1f GFLOP/s\n",
		r.Width, r.Height, r.Width*r.Scale, r.Height*r.Scale, plural(r.Threads, "thread"), r.Kernels, r.MedianMS, r.P90MS, 1000/r.MedianMS,
		float64(r.MACs)/1e6, float64(r.DenseMACs)/1e6, r.GFLOPS)
	return err
}
