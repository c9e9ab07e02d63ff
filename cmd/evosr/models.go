package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/runner"
	"evosr/supernet"
)

// modelJSON is a network that the binary carries.
type modelJSON struct {
	Model  string  `json:"model"`
	Scale  int     `json:"scale"`
	Params int     `json:"params"`
	MACs   int     `json:"macs"` // a pixel of low resolution
	Set5   float64 `json:"set5_db"`
	Set14  float64 `json:"set14_db"`
	Format string  `json:"format"`
}

func (a *app) modelsCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "models",
		Short: "The networks that the binary carries",
		Long: "Lists the networks that the binary carries. Every name is a MODEL for any command:\n" +
			"evosr upscale -m pretrained:x2 in.png out.png",
		Args: arguments(),
		RunE: func(c *cobra.Command, args []string) error {
			list := []modelJSON{}
			for _, m := range supernet.Models() {
				net, meta, err := pretrainedNet(m.Name)
				if err != nil {
					return err
				}
				best, err := net.Best(meta)
				if err != nil {
					return err
				}
				macs, _ := best.MACs()
				list = append(list, modelJSON{m.Name, m.Scale, best.Params(), macs, m.Set5, m.Set14, "float32"})
			}
			if a.json {
				return a.printJSON(list)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
			fmt.Fprintf(w, "model\tscale\tparameters\tMACs a pixel\tSet5 dB\tSet14 dB\tformat\n")
			for _, m := range list {
				fmt.Fprintf(w, "%s\tx%d\t%d\t%d\t%.2f\t%.2f\t%s\n", m.Model, m.Scale, m.Params, m.MACs, m.Set5, m.Set14, m.Format)
			}
			return w.Flush()
		},
	}
	return a.jsonFlag(c)
}

func (a *app) versionCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "The version of evosr, and what it was built with",
		Args:  arguments(),
		RunE: func(c *cobra.Command, args []string) error {
			commit, modified := built()
			if a.json {
				return a.printJSON(map[string]any{"version": runner.Version, "commit": commit, "modified": modified,
					"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.out, "evosr %s\n", runner.Version)
			return err
		},
	}
	return a.jsonFlag(c)
}

// built is the commit that the binary was built from, "" where the build did
// not know it, and whether the checkout differed from it.
func built() (commit string, modified bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	return commit, modified
}
