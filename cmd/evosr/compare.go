package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/runner"
)

func (a *app) compareCmd() *cobra.Command {
	var evaluations int
	c := &cobra.Command{
		Use:   "compare DIR DIR...",
		Short: "Hold searches against each other: hypervolume ratios and rank tests",
		Long: "Compares the searches of run directories after equally many evaluations. Runs of one mode\n" +
			"and config are repeats of a group, whatever their seeds. A ratio is a run's hypervolume\n" +
			"over that of all runs together. Groups with the same seeds are compared pair by pair\n" +
			"(Wilcoxon), others by ranks (Mann and Whitney); both tests are exact.",
		Example: "  evosr compare runs/joint-* runs/random-*",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := runner.Compare(args, evaluations)
			if err != nil {
				return unstarted(err)
			}
			for _, w := range r.Warnings {
				a.say("warning: %s", w)
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.printComparison(r)
		},
	}
	numberFlag(c, &evaluations, "evaluations", 1, 10e6, 0, "of each run that count (default those of the shortest)")
	c.Flags().Lookup("evaluations").DefValue = ""
	return a.jsonFlag(c)
}

func (a *app) printComparison(c *runner.Comparison) error {
	fmt.Fprintf(a.out, "%s after %d evaluations each\n\n", strings.Join(c.Objectives, ", "), c.Evaluations)
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "run\tgroup\tseed\tpoints\tratio\tat a quarter\tat half\tended by\n")
	for i := range c.Runs {
		r := &c.Runs[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%.4f\t%.4f\t%.4f\t%s\n", r.Dir, r.Group, r.Seeds(), r.Points, r.Ratio, r.After[0], r.After[1], r.End)
	}
	fmt.Fprintf(w, "\ngroup\truns\tmean ratio\tmedian\tleast\tmost\n")
	for _, g := range c.Groups {
		fmt.Fprintf(w, "%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\n", g.Name, g.Runs, g.Mean, g.Median, g.Min, g.Max)
	}
	if len(c.Tests) > 0 {
		fmt.Fprintf(w, "\n\twins\tgain\tabove\tp\tleast possible p\ttest\n")
	}
	for _, t := range c.Tests {
		fmt.Fprintf(w, "%s over %s\t%d of %d\t%+.4f\t%.2f\t%.3g\t%.3g\t%s\n", t.A, t.B, t.Wins, t.Pairs, t.Gain, t.Above, t.P, t.Lowest, t.Test)
	}
	return w.Flush()
}
