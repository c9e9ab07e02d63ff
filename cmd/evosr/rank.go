package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/runner"
	"evosr/supernet"
)

// substitute predicts latencies where a supernet comes without a profile: they
// only spread the draw.
const substitute = "builtin:smoke"

func (a *app) supernetRankCmd() *cobra.Command {
	var config, journal string
	var genomes, short, long int
	c := &cobra.Command{
		Use:   "rank SUPERNET",
		Short: "Whether inherited weights put networks in the right order",
		Long: "Draws networks over the whole range of latencies, scores each with inherited weights and\n" +
			"after a short and a long fine-tuning of its own, and prints how well the first order\n" +
			"agrees with the others (Kendall's tau-b, Spearman), with the weights as they are and\n" +
			"with the last layer refitted as in a search, beside counting parameters and\n" +
			"multiplications. Results are kept in a journal as they are done; the same command goes on\n" +
			"from it.\n\n" +
			"A run brings its pictures and settings; for another SUPERNET they are those of --config.",
		Example: "  evosr supernet rank runs/quickstart\n" +
			"  evosr supernet rank pretrained:x2 --config my.yaml --long 8000 --json",
		Args: arguments("SUPERNET"),
		RunE: func(c *cobra.Command, args []string) error {
			net, _, err := openSupernet(args[0])
			if err != nil {
				return err
			}
			cfg, profile, from, err := rankedOn(args[0], config, net)
			if err != nil {
				return err
			}
			if short == 0 {
				short = max(1, cfg.Winners.Finetune)
			}
			if long == 0 {
				long = 10 * short
			}
			if journal == "" {
				journal = journalOf(args[0])
			}
			m := a.meter()
			defer m.close()
			r, err := runner.Rank(c.Context(), net, cfg, profile, runner.RankOptions{Genomes: genomes, Short: short, Long: long, Journal: journal,
				Report: func(p runner.Progress) { m.set(beatOf(p)) }})
			m.close()
			if err != nil {
				return err
			}
			r.Profile = from
			if r.Spread < 6 {
				a.say("the slowest network takes only %.1f times as long as the fastest: the order says little about a wider space", r.Spread)
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.printRanking(r)
		},
	}
	numberFlag(c, &genomes, "genomes", 2, 1000, 24, "networks")
	numberFlag(c, &short, "short", 1, 100_000_000, 0, "steps of the short fine-tuning (default winners.finetune)")
	numberFlag(c, &long, "long", 1, 100_000_000, 0, "steps of the long one (default ten times the short)")
	c.Flags().Lookup("short").DefValue = ""
	c.Flags().Lookup("long").DefValue = ""
	c.Flags().StringVar(&config, "config", "", "config whose pictures, training settings and device count (default the run's, or quickstart)")
	c.Flags().StringVar(&journal, "journal", "", "file of results (default rank.jsonl in the run directory, or SUPERNET.rank.jsonl)")
	return a.jsonFlag(c)
}

// rankedOn gives the config and the profile that go with a supernet, and where
// the profile is from.
func rankedOn(name, config string, net *supernet.Supernet) (*configs.Config, *deviceprofile.Profile, string, error) {
	cfg, own, err := configOf(name, config, net)
	if err != nil {
		return nil, nil, "", err
	}
	if own != nil {
		return cfg, own, name, nil
	}
	from := cfg.Device.Profile
	if from == "" {
		from = substitute
	}
	p, err := configs.LoadProfile(from)
	if err != nil {
		return nil, nil, "", usagef("%w", err)
	}
	return cfg, p, from, nil
}

// configOf gives the config that goes with a supernet: that of its run, with the
// profile of that if there is one, or the one that the user names, for the
// supernet's scale.
func configOf(name, config string, net *supernet.Supernet) (*configs.Config, *deviceprofile.Profile, error) {
	if info, err := os.Stat(name); config == "" && err == nil && info.IsDir() {
		d, err := openRun(name)
		if err != nil {
			return nil, nil, err
		}
		defer d.Close()
		p, err := d.Profile()
		if err != nil {
			p = nil // not measured yet
		}
		return d.Config(), p, nil
	}
	if config == "" {
		config = "quickstart"
	}
	cfg, err := loadConfig(config)
	if err != nil {
		return nil, nil, err
	}
	cfg.Space.Scale = net.Space.Scale
	return cfg, nil, nil
}

// journalOf is where results of a supernet go unless told otherwise.
func journalOf(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, "rank.jsonl")
	}
	return strings.ReplaceAll(name, ":", "-") + ".rank.jsonl"
}

func (a *app) printRanking(r *runner.Ranking) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "ms\tparameters\tM multiplications\tinherited dB\trefitted\tafter %d\tafter %d\t\n", r.ShortSteps, r.LongSteps)
	for _, n := range r.Networks {
		fmt.Fprintf(w, "%.3g\t%d\t%.4f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", n.LatencyMS, n.Params, float64(n.MACs)/1e6, n.Inherited, n.Refitted, n.Short, n.Long)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\n%d networks, the slowest %.1f times the fastest (%s)\n\n", len(r.Networks), r.Spread, r.Profile)
	fmt.Fprintf(w, "against the order after\t%d steps\t\t%d steps\t\t\n", r.ShortSteps, r.LongSteps)
	fmt.Fprintf(w, "\ttau\tSpearman\ttau\tSpearman\t\n")
	for _, row := range [][2]string{{"inherited weights", "inherited"}, {"last layer refitted", "refitted"}, {"parameters", "params"}, {"multiplications", "macs"}} {
		s, l := r.Short[row[1]], r.Long[row[1]]
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t\n", row[0], s.Kendall, s.Spearman, l.Kendall, l.Spearman)
	}
	return w.Flush()
}
