package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/configs"
	"evosr/deviceprofile"
)

// checkResult is the JSON of profile check. Shares and errors are fractions.
type checkResult struct {
	Profile    string     `json:"profile"` // file, or "" when it was measured for the check
	Runtime    string     `json:"runtime"` // "evosr", or the command of a runner
	Stale      string     `json:"stale"`   // why the profile is not of this machine, or ""
	CPU        string     `json:"cpu"`     // of the profile
	Kernels    string     `json:"kernels"`
	Threads    int        `json:"threads"`
	Width      int        `json:"width"` // of the input
	Height     int        `json:"height"`
	Seed       int        `json:"seed"`
	Quiet      bool       `json:"quiet"`       // hardly anything else used the machine during the check
	QuietShare float64    `json:"quiet_share"` // undisturbed frames of the median network
	Noise      float64    `json:"noise"`       // median time / lowest decile - 1, of the median network
	Trouble    string     `json:"trouble"`     // why it was not quiet, or ""
	Predictor  checkScore `json:"predictor"`
	MACsAlone  checkScore `json:"macs_alone"` // a line through MACs, fitted to these very networks
	Nets       []checkNet `json:"nets"`       // worst first
}

type checkScore struct {
	Within5    float64 `json:"within_5"`
	Within10   float64 `json:"within_10"`
	RMSPE      float64 `json:"rmspe"`
	KendallTau float64 `json:"kendall_tau"`
	Bias       float64 `json:"bias"` // median of the errors
}

type checkNet struct {
	Genome      string  `json:"genome"`
	PredictedMS float64 `json:"predicted_ms"`
	LowMS       float64 `json:"low_ms"`
	HighMS      float64 `json:"high_ms"`
	MeasuredMS  float64 `json:"measured_ms"` // median of its undisturbed frames
	Error       float64 `json:"error"`       // (predicted - measured) / measured
	MACs        int     `json:"macs"`        // of kept weights, or of all where a runner times; one frame
	MACsMS      float64 `json:"macs_ms"`
	QuietShare  float64 `json:"quiet_share"` // of its frames
}

func (a *app) profileCheckCmd() *cobra.Command {
	var frame size
	var nets, threads, seed int
	var stale bool
	var config, command string
	c := &cobra.Command{
		Use:   "check [PROFILE]",
		Short: "Hold a device profile against networks that it never saw",
		Long: "Predicts and measures random networks, in turn, that the profile was not fitted\n" +
			"to, and shows how well the two agree, beside what multiplications alone would\n" +
			"say. Without PROFILE this device is measured first, quickly. Let nothing else\n" +
			"run meanwhile. A profile of another runtime needs its --runner again: a profile\n" +
			"never runs a command. However large the errors are, the exit code is 0.",
		Example: "  evosr profile check device.yaml\n  evosr profile check --nets 20 --threads 1\n" +
			"  evosr profile check ort.yaml --runner 'node ort.mjs'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o := deviceprofile.AccuracyOptions{Nets: nets, Seed: uint64(seed), Width: frame.w, Height: frame.h, Runner: runnerOf(command)}
			if config != "" {
				cfg, err := loadConfig(config)
				if err != nil {
					return err
				}
				o.Space = &cfg.Space
				if frame == (size{}) && len(args) == 0 {
					o.Width, o.Height = cfg.Device.Width, cfg.Device.Height
				}
			}
			m := a.meter()
			defer m.close()
			tell := func(stage string) func(float64, string) {
				return func(done float64, what string) { m.set(beat{stage: stage, message: what, done: done, total: 1}) }
			}
			r := &checkResult{Seed: seed}
			var p *deviceprofile.Profile
			var err error
			if len(args) == 1 {
				r.Profile = args[0]
				p, r.Stale, err = givenProfile(args[0], threads, stale, o.Runner)
			} else {
				p, err = deviceprofile.Measure(c.Context(), deviceprofile.MeasureOptions{
					Threads: threads, Quick: true, Space: o.Space, Width: o.Width, Height: o.Height, Runner: o.Runner, Progress: tell("profile"),
				})
			}
			if err != nil {
				return err
			}
			o.Progress = tell("check")
			report, err := deviceprofile.Accuracy(c.Context(), p, o)
			m.close()
			if err != nil {
				return err
			}
			if o.Width == 0 {
				o.Width, o.Height = p.Width, p.Height
			}
			r.Width, r.Height = o.Width, o.Height
			r.fill(p, report)
			if len(report.Nets) < nets {
				a.say("the space has only %d networks that were not measured for the profile", len(report.Nets))
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.printCheck(r)
		},
	}
	numberFlag(c, &nets, "nets", 2, 1000, 40, "random networks")
	numberFlag(c, &seed, "seed", 0, math.MaxInt32, 1, "other networks for another seed")
	threadsFlag(c, &threads)
	c.Flags().Lookup("threads").Usage = "threads (default the profile's, or every core)"
	c.Flags().Var(&frame, "size", "input picture, pixels (default the profile's, or 320x180)")
	c.Flags().Lookup("size").DefValue = ""
	c.Flags().StringVar(&config, "config", "", "networks of this config's space (default a general one)")
	c.Flags().StringVar(&command, "runner", "", "command that times ONNX files, as of evosr profile")
	c.Flags().BoolVar(&stale, "allow-stale", false, "accept a profile of another machine or version")
	return a.jsonFlag(c)
}

// givenProfile loads a profile for a check on this machine.
func givenProfile(name string, threads int, allowStale bool, with *deviceprofile.Runner) (p *deviceprofile.Profile, stale string, err error) {
	p, err = configs.LoadProfile(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "", dataf("profile %s: %w", name, os.ErrNotExist)
	case err != nil:
		return nil, "", err
	}
	if threads != 0 && threads != p.Threads {
		return nil, "", usagef("profile %s: measured with %d threads, want --threads %d or none", name, p.Threads, p.Threads)
	}
	switch {
	case p.External() && with == nil:
		return nil, "", usagef("profile %s: its times are those of another runtime, want --runner with a command that times it, such as %q", name, p.Runtime)
	case !p.External() && with != nil:
		return nil, "", usagef("profile %s: its times are those of evosr's runtime, want no --runner", name)
	}
	if err := p.Check(); err != nil {
		if !allowStale {
			return nil, "", usagef("profile %s: %w, or give --allow-stale", name, err)
		}
		stale = err.Error()
	}
	return p, stale, nil
}

// fill takes over what was found. Its size must be set.
func (r *checkResult) fill(p *deviceprofile.Profile, report *deviceprofile.Report) {
	r.Runtime, r.CPU, r.Kernels, r.Threads = p.Runtime, p.CPU, p.Kernels, p.Threads
	r.Trouble, r.Quiet, r.QuietShare, r.Noise = report.Trouble, report.Quiet, report.QuietShare, report.Noise
	r.Predictor, r.MACsAlone = checkScore(report.Profile), checkScore(report.MACs)
	for _, n := range report.Nets {
		r.Nets = append(r.Nets, checkNet{
			Genome: n.Genome, PredictedMS: n.PredictedMS, LowMS: n.LowMS, HighMS: n.HighMS, MeasuredMS: n.MeasuredMS,
			Error: n.Error(), MACs: n.MACs * r.Width * r.Height, MACsMS: n.MACsMS, QuietShare: n.QuietShare,
		})
	}
	slices.SortStableFunc(r.Nets, func(a, b checkNet) int { return cmp.Compare(math.Abs(b.Error), math.Abs(a.Error)) })
}

func (a *app) printCheck(r *checkResult) error {
	const worst = 5
	name := r.Profile
	if name == "" {
		name = "measured now, quickly"
	}
	what := r.Kernels + " kernels"
	if r.Runtime != deviceprofile.Evosr {
		what = "times by " + r.Runtime
	}
	fmt.Fprintf(a.out, "profile: %s; %s, %s, %s\n", name, r.CPU, what, plural(r.Threads, "thread"))
	if r.Stale != "" {
		fmt.Fprintf(a.out, "stale: %s\n", r.Stale)
	}
	fmt.Fprintf(a.out, "%d networks that it never saw, %dx%d pixels in, seed %d\n\n", len(r.Nets), r.Width, r.Height, r.Seed)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\twithin 5%%\twithin 10%%\tRMSPE\tKendall tau\tmedian error\t\n")
	for _, row := range []struct {
		name string
		checkScore
	}{{"profile", r.Predictor}, {"MACs alone*", r.MACsAlone}} {
		fmt.Fprintf(w, "%s\t%.0f%%\t%.0f%%\t%.1f%%\t%.3f\t%+.1f%%\t\n", row.name, 100*row.Within5, 100*row.Within10, 100*row.RMSPE, row.KendallTau, 100*row.Bias)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "* a line fitted to these very networks, which the profile did not see\n\n%s\n\nworst:\n", r.machine())
	fmt.Fprintf(w, "error\tpredicted ms\tinterval\tmeasured ms\tquiet\t  genome\n")
	for _, n := range r.Nets[:min(worst, len(r.Nets))] {
		fmt.Fprintf(w, "%+.1f%%\t%.3f\t%.3f-%.3f\t%.3f\t%.0f%%\t  %s\n", 100*n.Error, n.PredictedMS, n.LowMS, n.HighMS, n.MeasuredMS, 100*n.QuietShare, n.Genome)
	}
	return w.Flush()
}

// machine says what the machine did meanwhile, and what that means.
func (r *checkResult) machine() string {
	text := fmt.Sprintf("undisturbed frames %.0f%%, medians %.1f%% above the fastest", 100*r.QuietShare, 100*r.Noise)
	if r.Quiet {
		return "machine: quiet; " + text
	}
	return "machine: not quiet; " + text + "\n" + r.Trouble + "\nErrors may be the measurement's rather than the profile's: repeat when nothing else runs."
}
