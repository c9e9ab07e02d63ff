package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/doctor"
	"evosr/runner"
)

func (a *app) doctorCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Is this machine fit: CPU, kernels, threads, memory, disk, clock noise",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := doctor.Examine(".", runner.Version)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printDoctor(r)
			}
			if err == nil && !r.Fit {
				return &coded{exitInfeasible, fmt.Errorf("this machine is not fit: %s", strings.Join(r.Faults, "; "))}
			}
			return err
		},
	}
	return a.jsonFlag(c)
}

func (a *app) printDoctor(r *doctor.Report) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("evosr", "%s, %s", r.Version, r.Go)
	row("CPU", "%s", r.CPU)
	row("kernels", "%s of %s", r.Kernels, strings.Join(r.Available, ", "))
	row("threads", "%d of %d cores", r.Threads, r.Cores)
	row("peak", "%.0f GFLOP/s a core, memory %.0f GB/s a core", r.PeakGFLOPS, r.MemoryGBs)
	if r.MemoryTotal > 0 {
		row("memory", "%s, %s available", doctor.Size(r.MemoryTotal), doctor.Size(r.MemoryFree))
	} else {
		row("memory", "unknown on this system")
	}
	if r.DiskFree > 0 {
		row("disk", "%s free here", doctor.Size(r.DiskFree))
	}
	row("clock noise", "%.0f %% between the 10th and 90th percentile of equal frames", 100*r.ClockNoise)
	row("agreement", "kernel sets differ by at most %.1g", r.Agreement)
	for _, t := range r.Warnings {
		row("warning", "%s", t)
	}
	for _, t := range r.Faults {
		row("fault", "%s", t)
	}
	if r.Fit {
		row("verdict", "fit")
	} else {
		row("verdict", "not fit")
	}
	return w.Flush()
}
