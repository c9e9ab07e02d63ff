package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"evosr/configs"
	"evosr/internal/whole"
	"evosr/rundir"
	"evosr/runner"
)

// Exit codes are a promise to scripts.
const (
	exitDone        = 0
	exitUsage       = 2
	exitInfeasible  = 3
	exitData        = 4
	exitInterrupted = 5
	exitIntegrity   = 6
	exitBug         = 70
)

// coded is an error that knows its exit code.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

func usagef(format string, args ...any) error { return &coded{exitUsage, fmt.Errorf(format, args...)} }
func dataf(format string, args ...any) error  { return &coded{exitData, fmt.Errorf(format, args...)} }
func integrityf(format string, args ...any) error {
	return &coded{exitIntegrity, fmt.Errorf(format, args...)}
}

// codeOf sorts an error. What nobody sorted comes from outside: a file, a disk,
// a picture.
func codeOf(err error) int {
	var c *coded
	var f *configs.Faults
	switch {
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, runner.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, runner.ErrInfeasible):
		return exitInfeasible
	case errors.Is(err, rundir.ErrIntegrity):
		return exitIntegrity
	case errors.As(err, &f), errors.Is(err, rundir.ErrUsage):
		return exitUsage
	}
	return exitData
}

// located is an error whose causes stand in a config.
type located struct {
	error
	faults *configs.Faults
}

func (l *located) Unwrap() error { return l.error }

// locate finds the causes of err in the config that a command was given.
func locate(config string, err error) error {
	if faults := configs.Locate(config, err); faults != nil {
		return &located{err, faults}
	}
	return err
}

// sentence is what a user reads: a config's faults with their lines.
func sentence(err error) string {
	var l *located
	if errors.As(err, &l) {
		head := rundir.ErrUsage
		if errors.Is(err, rundir.ErrData) {
			head = rundir.ErrData
		}
		return head.Error() + "\n" + l.faults.Long()
	}
	var f *configs.Faults
	if errors.As(err, &f) {
		return f.List[0].File + " is not valid\n" + f.Long()
	}
	if errors.Is(err, context.Canceled) && !errors.Is(err, runner.ErrInterrupted) {
		return "interrupted"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// printJSON writes v as one indented document.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeWhole makes path by write, whole or not at all. A link is followed, and
// what is neither a file nor a folder (a pipe, a device) is written to as it
// stands: nothing may take its place.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return usagef("%s is a folder, want a file's name", path)
		case !info.Mode().IsRegular():
			return writeInto(path, write)
		}
		if f, err := os.OpenFile(path, os.O_WRONLY, 0); err != nil { // a rename would not ask
			return dataf("%s cannot be written: %w", path, reason(err))
		} else if err := f.Close(); err != nil {
			return err
		}
		mode = info.Mode().Perm()
	} else if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return dataf("%s cannot be written: there is no folder %s", path, filepath.Dir(path))
	}
	err = whole.Write(path, mode, write)
	if _, ours := errors.AsType[*coded](err); err != nil && !ours && reason(err) != err {
		return dataf("%s cannot be written: %w", path, reason(err)) // a full disk names the temporary file
	}
	return err
}

// writeInto writes to a pipe or a device.
func writeInto(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return dataf("%s cannot be written: %w", path, reason(err))
	}
	return joined(write(f), f.Close())
}

// reason leaves out the name of a temporary file, which tells a user nothing.
func reason(err error) error {
	var p *os.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
