package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"evosr/rundir"
	"evosr/runner"
	"evosr/serve"
)

func (a *app) serveCmd() *cobra.Command {
	listen := ""
	c := &cobra.Command{
		Use:   "serve [DIR...]",
		Short: "Show runs in a browser while they go on",
		Long: "Serves the report's page of run directories, kept up to date: the front as it grows,\n" +
			"training curves, time left, winners to try on a picture of yours, and several runs over\n" +
			"each other. Without DIR it takes all runs below runs/.\n\n" +
			"The first line on standard output is the address with its token, which changes with\n" +
			"every start; without it nothing is shown. Only this machine can reach the server unless\n" +
			"--listen says otherwise, and then what passes is not encrypted. Ctrl-C ends it.",
		Example: "  evosr serve runs/quickstart\n" +
			"  evosr serve --listen 127.0.0.1:8080 runs/a runs/b",
		RunE: func(c *cobra.Command, args []string) error {
			dirs, err := served(args)
			if err != nil {
				return err
			}
			s, err := a.server(dirs, listen)
			if err != nil {
				return err
			}
			return s.Serve(c.Context())
		},
	}
	listenFlag(c, "listen", &listen)
	return a.jsonFlag(c)
}

func listenFlag(c *cobra.Command, name string, to *string) {
	c.Flags().StringVar(to, name, serve.DefaultListen, "HOST:PORT of this machine; port 0 is a free one")
}

// served are the run directories that a user named, or those below runs/.
func served(args []string) ([]string, error) {
	if len(args) > 0 {
		for _, dir := range args {
			d, err := openRun(dir)
			if err != nil {
				return nil, err
			}
			if err := d.Close(); err != nil {
				return nil, err
			}
		}
		return args, nil
	}
	found, err := filepath.Glob(filepath.Join("runs", "*", rundir.FileStore))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, usagef("there is no run below runs/: name a run directory, or begin one with evosr run quickstart")
	}
	var dirs []string
	for _, path := range found {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs, nil
}

// server listens and prints the address.
func (a *app) server(dirs []string, listen string) (*serve.Server, error) {
	s, err := serve.New(serve.Options{Dirs: dirs, Listen: listen, Compare: func(dirs []string) ([]byte, error) {
		c, err := runner.Compare(dirs, 0)
		if err != nil {
			return nil, unstarted(err)
		}
		return json.Marshal(c)
	}})
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	if s.Open() {
		a.say("%s other machines can reach this address; what passes is not encrypted", a.paint("33;1", "warning:"))
	}
	if a.json {
		return s, json.NewEncoder(a.out).Encode(map[string]any{"url": s.URL(), "runs": dirs})
	}
	_, err = fmt.Fprintln(a.out, s.URL())
	return s, err
}

// beside serves dir while a run works in it. The function that it returns ends that
// and gives the error of serving.
func (a *app) beside(ctx context.Context, dir, listen string) (stop func() error, err error) {
	json := a.json
	a.json = false // the address is the first line; the run's document follows
	s, err := a.server([]string{dir}, listen)
	a.json = json
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	return func() error {
		s.Settle()
		cancel()
		return <-done
	}, nil
}
