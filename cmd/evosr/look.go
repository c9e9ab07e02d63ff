package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/report"
	"evosr/rundir"
)

// openRun opens a run directory that a user named.
func openRun(dir string) (*rundir.Dir, error) {
	d, err := rundir.Open(dir)
	return d, unstarted(err)
}

// unstarted leaves out that a run cannot start where none is to be started.
func unstarted(err error) error {
	if u, ok := errors.AsType[*rundir.UsageError](err); ok {
		return usagef("%s", u.Text)
	}
	return err
}

func (a *app) statusCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "status DIR",
		Short: "How far a run is",
		Args:  arguments("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := openRun(args[0])
			if err != nil {
				return err
			}
			defer d.Close()
			s, err := d.Status()
			if err != nil {
				return err
			}
			list, err := winners(d)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Stage       string       `json:"stage"`
					Running     bool         `json:"running"`
					TrainStep   int          `json:"train_step"`
					TrainSteps  int          `json:"train_steps"`
					Evaluations int          `json:"evaluations"`
					Budget      int          `json:"budget"`
					SearchEnd   string       `json:"search_end"`
					Winners     []winnerJSON `json:"winners"`
					WinnersWant int          `json:"winners_want"`
				}{s.Stage, s.Running, s.TrainStep, s.TrainSteps, s.Evaluations, s.Budget, s.SearchEnd, list, s.WinnersWant})
			}
			return a.printStatus(s, list)
		},
	}
	return a.jsonFlag(c)
}

func (a *app) printStatus(s rundir.Status, list []winnerJSON) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	state := "stopped"
	switch {
	case s.Stage == rundir.StageDone:
		state = "done"
	case s.Running:
		state = "running"
	}
	fmt.Fprintf(w, "state\t%s\n", state)
	if s.Stage != rundir.StageDone {
		fmt.Fprintf(w, "stage\t%s\n", s.Stage)
	}
	fmt.Fprintf(w, "supernet\t%d of %d steps\n", s.TrainStep, s.TrainSteps)
	end := ""
	if s.SearchEnd != "" {
		end = ", ended: " + s.SearchEnd
	}
	fmt.Fprintf(w, "search\t%d of %d networks scored%s\n", s.Evaluations, s.Budget, end)
	if s.WinnersWant > 0 {
		fmt.Fprintf(w, "winners\t%d of %d finished\n", s.Winners, s.WinnersWant)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if s.Stage != rundir.StageDone && !s.Running {
		a.say("next: the command that began the run continues it")
	}
	if len(list) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.printWinners(list)
}

func (a *app) reportCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "Write a run's report.html, evaluations.csv and front.svg again",
		Args:  arguments("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := openRun(args[0])
			if err != nil {
				return err
			}
			if err := d.Close(); err != nil {
				return err
			}
			page, err := report.Write(args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"report": page})
			}
			_, err = fmt.Fprintln(a.out, page)
			return err
		},
	}
	return a.jsonFlag(c)
}

// findWinner takes a winner's name; see rundir.Pick.
func findWinner(d *rundir.Dir, name string) (*rundir.Card, error) {
	cards, err := d.Winners()
	if err != nil {
		return nil, err
	}
	if len(cards) == 0 {
		return nil, usagef("this run has no winner yet: evosr status %s says how far it is", d.Path)
	}
	c, err := rundir.Pick(cards, name)
	if err != nil {
		return nil, usagef("%s: %w", d.Path, err)
	}
	return c, nil
}
