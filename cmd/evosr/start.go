package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"evosr/configs"
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
