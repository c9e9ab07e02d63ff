package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/rundir"
	"evosr/runner"
	"evosr/supernet"
)

// trainingJSON is the output of train.
type trainingJSON struct {
	Dir      string         `json:"dir"`
	Supernet string         `json:"supernet"`
	Steps    int            `json:"steps"`
	Curve    []trainingStep `json:"validation"`
	Looks    []layersStep   `json:"layers"`   // of the largest network, at the steps of the validation
	Warnings []string       `json:"warnings"` // of the layers at the end
}

type layersStep struct {
	Step   int                   `json:"step"`
	Layers []supernet.LayerState `json:"layers"`
}

type trainingStep struct {
	Step   int     `json:"step"`
	PSNR   float64 `json:"psnr_db"`
	Pruned float64 `json:"half_pruned_psnr_db,omitempty"`
}

func (a *app) trainCmd() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "train CONFIG",
		Short: "Train a supernet, the first part of a run; the same command resumes",
		Long: "Carries out the part of CONFIG that trains the supernet, in a run directory, and needs no\n" +
			"device profile. evosr run CONFIG with the same directory goes on from there; train.from of\n" +
			"another config, and evosr supernet, take the weights from it.",
		Example: "  evosr train my.yaml --dir runs/mine\n" +
			"  evosr supernet export runs/mine -o mine.safetensors",
		Args: arguments("CONFIG"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.load(c, args[0])
			if err != nil {
				return err
			}
			m := a.meter()
			defer m.close()
			err = runner.Train(c.Context(), cfg, f.dir, runner.Options{Report: func(p runner.Progress) { m.set(beatOf(p)) }, Warn: m.warn})
			m.close()
			if err != nil {
				return locate(args[0], err)
			}
			return a.printTraining(f.dir)
		},
	}
	f.add(c)
	return a.jsonFlag(c)
}

func (a *app) printTraining(dir string) error {
	d, err := rundir.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	curve, err := d.Quality()
	if err != nil {
		return err
	}
	looks, err := d.Layers()
	if err != nil {
		return err
	}
	t := trainingJSON{Dir: dir, Supernet: d.Supernet(), Steps: d.Config().Train.Steps, Curve: []trainingStep{}, Looks: []layersStep{}, Warnings: []string{}}
	for _, p := range looks {
		t.Looks = append(t.Looks, layersStep{p.Step, p.Layers})
		t.Warnings = warningsOf(p.Layers)
	}
	for _, q := range curve {
		t.Curve = append(t.Curve, trainingStep{q.Step, q.PSNR, q.PrunedPSNR})
	}
	if a.json {
		return a.printJSON(t)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "supernet\t%s\n", t.Supernet)
	fmt.Fprintf(w, "steps\t%d\n", t.Steps)
	if n := len(t.Curve); n > 0 {
		fmt.Fprintf(w, "largest network\t%.2f dB on the validation crops\n", t.Curve[n-1].PSNR)
		if p := t.Curve[n-1].Pruned; p > 0 {
			fmt.Fprintf(w, "half pruned\t%.2f dB\n", p)
		}
	}
	if err := w.Flush(); err != nil || len(looks) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	return a.printLayers(looks[len(looks)-1].Layers, true)
}
