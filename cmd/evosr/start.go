package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"evosr/configs"
	"evosr/deviceprofile"
)

func (a *app) initCmd() *cobra.Command {
	preset := ""
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented config to start from",
		Long: "Writes a preset with its comments into DIR (default the current folder), under the\n" +
			"preset's name, or under a name of your own that ends in .yaml. A file that is there\n" +
			"already stays as it is.",
		Example: "  evosr init                          # quickstart.yaml\n" +
			"  evosr init --preset mobile my.yaml  # my.yaml",
		Args: arguments("[DIR]"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := configs.Preset(preset)
			if err != nil {
				return usagef("--preset %q, want one of %s", preset, strings.Join(configs.Presets(), ", "))
			}
			dir, name := ".", preset+".yaml"
			if len(args) == 1 {
				dir = args[0]
				if ext := filepath.Ext(dir); ext == ".yaml" || ext == ".yml" {
					dir, name = filepath.Split(dir)
				}
			}
			if err := os.MkdirAll(filepath.Clean(dir), 0o755); err != nil {
				return dataf("%s: %w", dir, reason(err))
			}
			path := filepath.Join(dir, name)
			if err := writeNew(path, text); err != nil {
				return err
			}
			a.say("next: evosr plan %s; evosr run %s", path, path)
			_, err = fmt.Fprintln(a.out, path)
			return err
		},
	}
	c.Flags().StringVar(&preset, "preset", "quickstart", "one of "+strings.Join(configs.Presets(), ", "))
	return c
}

// writeNew makes a file that was not there before.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return usagef("%s is there already and stays as it is", path)
	}
	if err != nil {
		return dataf("%s: %w", path, reason(err))
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return errors.Join(dataf("%s: %w", path, reason(err)), os.Remove(path))
	}
	return nil
}

func (a *app) profileCmd() *cobra.Command {
	var out, config string
	var quick bool
	var threads int
	c := &cobra.Command{
		Use:   "profile",
		Short: "Measure this device, at most 5 minutes",
		Long: "Times the runtime's kernels on this machine and writes a device profile, which\n" +
			"`device: profile:` of a config names. Let nothing else run meanwhile.",
		Example: "  evosr profile -o device.yaml\n" +
			"  evosr profile --quick --config my.yaml -o device.yaml",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o := deviceprofile.MeasureOptions{Threads: threads, Quick: quick}
			if config != "" {
				cfg, err := loadConfig(config)
				if err != nil {
					return err
				}
				o.Space, o.Width, o.Height = &cfg.Space, cfg.Device.Width, cfg.Device.Height
				if threads == 0 {
					o.Threads = cfg.Threads
				}
			}
			m := a.meter()
			defer m.close()
			o.Progress = func(done float64, what string) { m.set(beat{stage: "profile", message: what, done: done, total: 1}) }
			p, err := deviceprofile.Measure(c.Context(), o)
			m.close()
			if err != nil {
				return err
			}
			text, err := configs.ProfileYAML(p)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeWhole(out, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
					return err
				}
				a.say("%s: %s, %s kernels, %d threads", out, p.CPU, p.Kernels, p.Threads)
				return nil
			}
			if a.json {
				return a.printJSON(p)
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "profile to write (default standard output)")
	c.Flags().BoolVar(&quick, "quick", false, "at most 30 seconds, less exact")
	c.Flags().StringVar(&config, "config", "", "measure the layers of this config's space (default a general one)")
	threadsFlag(c, &threads)
	c.AddCommand(a.profileCheckCmd())
	return a.jsonFlag(c)
}
