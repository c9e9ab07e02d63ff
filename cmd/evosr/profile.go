package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evosr/configs"
	"evosr/deviceprofile"
)

func (a *app) profileCmd() *cobra.Command {
	var out, config, command, script string
	var quick bool
	var threads, seconds int
	var frame size
	c := &cobra.Command{
		Use:   "profile",
		Short: "Measure this device, at most 5 minutes",
		Long: "Times networks on this machine, each several times and in turn, and writes a\n" +
			"device profile, which `device: profile:` of a config names. Let nothing else run\n" +
			"meanwhile: where others disturbed it, the profile says so.\n\n" +
			"With --runner another runtime is measured, by a command that prints milliseconds\n" +
			"and nothing else. {model}, {width}, {height} and {threads} in it stand for an ONNX\n" +
			"file, its input and the threads to use. A command without {model} is started\n" +
			"once: it reads lines MODEL WIDTH HEIGHT THREADS and answers each by a line of\n" +
			"milliseconds. --write-runner writes one that ships.",
		Example: "  evosr profile -o device.yaml\n" +
			"  evosr profile --quick --config my.yaml -o device.yaml\n" +
			"  evosr profile --write-runner ort -o ort.mjs\n" +
			"  evosr profile --runner 'node ort.mjs' --threads 2 -o ort.yaml",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if script != "" {
				return a.writeRunner(script, out)
			}
			o := deviceprofile.MeasureOptions{Threads: threads, Quick: quick, Width: frame.w, Height: frame.h, Seconds: float64(seconds), Runner: runnerOf(command)}
			if config != "" {
				cfg, err := loadConfig(config)
				if err != nil {
					return err
				}
				o.Space = &cfg.Space
				if frame == (size{}) {
					o.Width, o.Height = cfg.Device.Width, cfg.Device.Height
				}
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
				if o.Runner != nil && c.Context().Err() == nil {
					return dataf("%w", err)
				}
				return err
			}
			return a.giveProfile(p, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write (default standard output)")
	c.Flags().BoolVar(&quick, "quick", false, "at most 30 seconds, less exact")
	numberFlag(c, &seconds, "seconds", 1, 300, 0, "stop earlier, less exact still")
	c.Flags().Lookup("seconds").DefValue = ""
	c.Flags().StringVar(&config, "config", "", "measure networks of this config's space (default a general one)")
	c.Flags().Var(&frame, "size", "input picture, pixels (default the config's, or 320x180)")
	c.Flags().Lookup("size").DefValue = ""
	c.Flags().StringVar(&command, "runner", "", "command that times ONNX files in another runtime")
	c.Flags().StringVar(&script, "write-runner", "", "write a runner that ships and measure nothing: "+strings.Join(runnerNames(), ", "))
	threadsFlag(c, &threads)
	c.AddCommand(a.profileCheckCmd())
	return a.jsonFlag(c)
}

// runnerOf is the runner of a command, nil of none.
func runnerOf(command string) *deviceprofile.Runner {
	if command == "" {
		return nil
	}
	return &deviceprofile.Runner{Command: command}
}

func runnerNames() []string { return slices.Sorted(maps.Keys(deviceprofile.Runners())) }

// writeRunner writes a script that ships to a new file, or to standard output.
func (a *app) writeRunner(name, out string) error {
	text, ok := deviceprofile.Runners()[name]
	if !ok {
		return usagef("--write-runner %q, want one of %s", name, strings.Join(runnerNames(), ", "))
	}
	if out == "" {
		_, err := io.WriteString(a.out, text)
		return err
	}
	return writeNew(out, []byte(text))
}

// giveProfile writes a measured profile where it is wanted and says on standard
// error what must be known of it.
func (a *app) giveProfile(p *deviceprofile.Profile, out string) error {
	text, err := configs.ProfileYAML(p)
	if err != nil {
		return err
	}
	if !p.Quiet {
		a.say("not quiet: %s; measure again when nothing else runs", p.Trouble)
	}
	if out != "" {
		if err := writeWhole(out, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
			return err
		}
		what := p.Kernels + " kernels"
		if p.External() {
			what = "times by " + p.Runtime
		}
		a.say("%s: %s, %s, %s; networks that it did not see were %+.0f %% to %+.0f %% off its predictions", out, p.CPU, what, plural(p.Threads, "thread"), 100*(p.Low-1), 100*(p.High-1))
		return nil
	}
	if a.json {
		return a.printJSON(p)
	}
	_, err = fmt.Fprint(a.out, string(text))
	return err
}
