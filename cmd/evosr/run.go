package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"evosr/configs"
	"evosr/report"
	"evosr/rundir"
	"evosr/runner"
)

// loadConfig reads the config at a path, or the embedded preset of that name.
func loadConfig(name string) (*configs.Config, error) {
	cfg, err := configs.Load(name)
	if errors.Is(err, os.ErrNotExist) && slices.Contains(configs.Presets(), name) {
		text, err := configs.Preset(name)
		if err != nil {
			return nil, err
		}
		return configs.Parse(name+".yaml", text)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("config %s: no such file, nor a preset (%s)%s", name, strings.Join(configs.Presets(), ", "), among(name, configs.Presets()))
	}
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	return cfg, nil
}

// runDir is where a run goes unless told otherwise.
func runDir(config string) string {
	base := filepath.Base(config)
	return filepath.Join("runs", strings.TrimSuffix(base, filepath.Ext(base)))
}

// runFlags are what run and train take alike.
type runFlags struct {
	dir  string
	seed uint64
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", "", "run directory (default runs/<config's name>)")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "instead of the config's seed")
}

// load reads the config of that name and settles the seed and the directory.
func (f *runFlags) load(c *cobra.Command, name string) (*configs.Config, error) {
	cfg, err := loadConfig(name)
	if err != nil {
		return nil, err
	}
	if c.Flags().Changed("seed") {
		cfg.Seed = f.seed
	}
	if f.dir == "" {
		f.dir = runDir(name)
	}
	return cfg, nil
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	var workers int
	var stale, live bool
	listen := ""
	c := &cobra.Command{
		Use:   "run CONFIG",
		Short: "Train, search, finish winners, report; the same command resumes",
		Example: "  evosr run quickstart\n" +
			"  evosr run my.yaml --dir runs/mine --seed 2\n" +
			"  evosr run my.yaml --serve",
		Long: "Carries out CONFIG, a file or the name of a preset (" + strings.Join(configs.Presets(), ", ") + "), in a run\n" +
			"directory. Stopped at any moment, the same command continues to the same result.",
		Args: arguments("CONFIG"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			cfg, err := f.load(c, args[0])
			if err != nil {
				return err
			}
			if stale {
				cfg.Device.AllowStale = true
			}
			if live {
				stop, err := a.beside(c.Context(), f.dir, listen)
				if err != nil {
					return err
				}
				defer func() {
					if e := stop(); err == nil {
						err = e
					}
				}()
			}
			m := a.meter()
			defer m.close()
			err = runner.Run(c.Context(), cfg, f.dir, runner.Options{Workers: workers, Report: func(p runner.Progress) { m.set(beatOf(p)) }, Warn: m.warn})
			m.close()
			if err != nil {
				return locate(args[0], err)
			}
			page, err := report.Write(f.dir)
			if err != nil {
				return err
			}
			return a.printRun(f.dir, page)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&stale, "allow-stale", false, "accept a profile of another machine or version, or one whose speed this machine has lost")
	c.Flags().BoolVar(&live, "serve", false, "show the run in a browser while it goes on: the address is the first line on standard output")
	listenFlag(c, "serve-listen", &listen)
	numberFlag(c, &workers, "workers", 1, 1024, 0, "networks scored at a time (default every core); changes no result")
	c.Flags().Lookup("workers").DefValue = ""
	return a.jsonFlag(c)
}

// beatOf puts a run's progress into words.
func beatOf(p runner.Progress) beat {
	b := beat{stage: p.Stage, message: p.Message, done: p.Done, total: p.Total, rate: p.Rate, left: p.Left}
	switch p.Stage {
	case rundir.StageSupernet:
		b.unit = "steps"
	case rundir.StageSearch:
		b.unit = "evaluations"
		if p.Hypervolume > 0 {
			b.extra = fmt.Sprintf("hypervolume %.4g", p.Hypervolume)
		}
	}
	return b
}

// winnerJSON is a winner in the output of run and status.
type winnerJSON struct {
	ID        string  `json:"id"`
	Reason    string  `json:"reason"`
	PSNR      float64 `json:"psnr_db"`
	SSIM      float64 `json:"ssim"`
	Bicubic   float64 `json:"bicubic_psnr_db"`
	LatencyMS float64 `json:"latency_ms"` // measured
	Predicted float64 `json:"predicted_ms"`
	Params    int     `json:"params"`
	Program   string  `json:"program"`
	ONNX      string  `json:"onnx"`
}

func winners(d *rundir.Dir) ([]winnerJSON, error) {
	cards, err := d.Winners()
	list := []winnerJSON{}
	for _, c := range cards {
		list = append(list, winnerJSON{c.ID, c.Reason, c.Finetuned.PSNR, c.Finetuned.SSIM, c.Bicubic.PSNR, c.Latency.MedianMS, c.Latency.PredictedMS, c.Params,
			d.File(c.ID, rundir.FileProgram), d.File(c.ID, rundir.FileONNX)})
	}
	return list, err
}

func (a *app) printRun(dir, page string) error {
	d, err := rundir.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	list, err := winners(d)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Dir     string       `json:"dir"`
			Report  string       `json:"report"`
			Winners []winnerJSON `json:"winners"`
		}{dir, page, list})
	}
	if err := a.printWinners(list); err != nil {
		return err
	}
	if _, err = fmt.Fprintf(a.out, "\nreport   %s\n", page); err != nil || len(list) == 0 {
		return err
	}
	a.say("next: evosr upscale -m %s@%s IN.png OUT.png; evosr serve %s", dir, best(list), dir)
	return nil
}

// best is the letter of the winner with the best picture.
func best(list []winnerJSON) string {
	i := 0
	for j := range list {
		if list[j].PSNR > list[i].PSNR {
			i = j
		}
	}
	return rundir.Letter(i)
}

func (a *app) printWinners(list []winnerJSON) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\twinner\tPSNR dB\tover bicubic\tms\tpredicted\tparameters\twhy\n")
	for i, c := range list {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%+.2f\t%.3g\t%.3g\t%d\t%s\n", rundir.Letter(i), c.ID, c.PSNR, c.PSNR-c.Bicubic, c.LatencyMS, c.Predicted, c.Params, c.Reason)
	}
	return w.Flush()
}

func (a *app) planCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan CONFIG",
		Short: "Check a config, size its space, estimate time and disk",
		Args:  arguments("CONFIG"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			e, err := runner.Plan(c.Context(), cfg)
			if err != nil {
				return locate(args[0], err)
			}
			if a.json {
				err = a.printJSON(e)
			} else {
				err = a.printPlan(args[0], e)
			}
			if err == nil && e.Satisfiable == "no" {
				return fmt.Errorf("%w: %s", runner.ErrInfeasible, e.Why)
			}
			return err
		},
	}
	return a.jsonFlag(c)
}

func (a *app) printPlan(name string, e *runner.Estimate) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "%s\tvalid\n", name)
	fmt.Fprintf(w, "networks\t%s (10^%.1f)\n", shorten(e.Genomes), e.Log10)
	list := []struct {
		name string
		e    runner.Extreme
	}{{"smallest", e.Smallest}, {"centre", e.Centre}, {"largest", e.Largest}, {"fastest", e.Fastest}}
	if e.Nearest.Genome != e.Fastest.Genome {
		list = append(list, list[3])
		list[4].name, list[4].e = "nearest", e.Nearest
	}
	for _, x := range list {
		latency := ""
		if x.e.LatencyMS > 0 {
			latency = fmt.Sprintf(", %.3g ms predicted", x.e.LatencyMS)
		}
		for _, l := range x.e.Others {
			latency += fmt.Sprintf(", %.3g ms on %s", l.MS, l.Device)
		}
		fmt.Fprintf(w, "%s\t%d parameters, %.1f M multiplications and %.3g MB a frame%s\n", x.name, x.e.Params, float64(x.e.MACs)/1e6, float64(x.e.MemoryBytes)/1e6, latency)
	}
	if e.Profile != "" {
		fmt.Fprintf(w, "profile\t%s\n", e.Profile)
	}
	fmt.Fprintf(w, "satisfiable\t%s\n", strings.TrimSuffix(e.Satisfiable+", "+e.Why, ", "))
	for _, s := range e.Time {
		fmt.Fprintf(w, "%s\tabout %s\n", s.Stage, time.Duration(s.Seconds*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(w, "in all\tabout %s\n", e.Total().Round(time.Second))
	fmt.Fprintf(w, "disk\tabout %.1f MB\n", float64(e.Disk)/1e6)
	if err := w.Flush(); err != nil {
		return err
	}
	if e.Busy() {
		a.say("the machine was busy: %.0f %% of the time of these trials was spent waiting for a core; it is faster when it is quiet", 100*e.Waited)
	}
	if e.Satisfiable != "no" {
		a.say("next: evosr run %s", name)
	}
	return nil
}

// shorten keeps a huge number readable.
func shorten(digits string) string {
	if len(digits) > 15 {
		return digits[:6] + "... with " + fmt.Sprint(len(digits)) + " digits"
	}
	return digits
}
