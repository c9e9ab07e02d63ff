// Command evosr finds, trains and runs super-resolution networks that fit a
// device. This package is flags, streams and exit codes; the work is done in
// the rooms below.
//
// Data goes to standard output, talk to standard error. Exit codes: 0 done, 2
// usage or config, 3 infeasible, 4 data (pictures, files, disks), 5 interrupted
// and resumable, 6 integrity, 70 a bug of ours. Output files appear whole or not
// at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8/cwriter"

	"evosr/internal/relay"
	"evosr/runner"
)

// app is what all commands share.
type app struct {
	in          io.Reader
	out, err    io.Writer
	terminal    bool // err is one
	outTerminal bool // out is one
	color       bool
	json        bool
	started     bool // a command has its arguments and runs: errors before are usage
}

func main() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	a.terminal = cwriter.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	a.outTerminal = cwriter.IsTerminal(int(os.Stdout.Fd()))
	a.color = a.terminal && os.Getenv("NO_COLOR") == ""
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	os.Exit(a.execute(ctx, os.Args[1:]))
}

// execute runs one command line and returns its exit code.
func (a *app) execute(ctx context.Context, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			a.confess(r, debug.Stack())
			code = exitBug
		}
	}()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code = codeOf(err)
	if !a.started {
		code, err = exitUsage, suggested(cmd, err)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		code = exitInterrupted
	}
	text := sentence(err)
	if code == exitUsage && !a.started {
		text += fmt.Sprintf("; see %s --help", cmd.CommandPath())
	}
	fmt.Fprintf(a.err, "%s %s\n", a.paint("31;1", "evosr:"), text)
	return code
}

// confess says that a panic is ours and keeps what is needed to find it.
func (a *app) confess(what any, stack []byte) {
	if p, ok := what.(*relay.Panic); ok {
		stack = p.Stack // where it happened, not where it was waited for
	}
	where := "the text below"
	if f, err := os.CreateTemp("", "evosr-crash-*.txt"); err == nil {
		fmt.Fprintf(f, "evosr %s %s/%s %s\narguments: %q\n%v\n\n%s", runner.Version, runtime.GOOS, runtime.GOARCH, runtime.Version(), os.Args[1:], what, stack)
		if f.Close() == nil {
			where = f.Name()
		}
	}
	fmt.Fprintf(a.err, "%s a bug in evosr: %v; please report it with %s and the command you typed\n", a.paint("31;1", "evosr:"), what, where)
	if where == "the text below" {
		a.err.Write(stack)
	}
}

// paint colours text on a terminal.
func (a *app) paint(code, text string) string {
	if !a.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// say talks to the user.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "evosr",
		Short: "Evolves super-resolution networks that fit your device",
		Long: "evosr evolves super-resolution networks that fit a device and a time budget,\n" +
			"and runs them.\n\n" +
			"MODEL is an ONNX file, a program file (.evosr), a winner of a run as DIR@WINNER, a name of\n" +
			"evosr models, or bicubic.\n\n" +
			"Exit codes: 0 done, 2 usage or config, 3 infeasible, 4 data, 5 interrupted and\n" +
			"resumable, 6 integrity, 70 a bug of ours.",
		Version:            runner.Version,
		SilenceErrors:      true,
		DisableSuggestions: true, // ours are in one line
		SilenceUsage:       true,
	}
	root.SetVersionTemplate("evosr {{.Version}}\n")
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
	root.AddCommand(a.initCmd(), a.doctorCmd(), a.dataCmd(), a.profileCmd(), a.planCmd(), a.trainCmd(), a.runCmd(), a.statusCmd(), a.compareCmd(),
		a.reportCmd(), a.serveCmd(), a.exportCmd(), a.upscaleCmd(), a.benchCmd(), a.evalCmd(), a.pruneCmd(), a.convertCmd(), a.verifyCmd(), a.childCmd(), a.supernetCmd(), a.modelsCmd(), a.versionCmd())
	root.AddCommand(a.extra()...)
	a.mark(root)
	return root
}

// mark makes every command note that it runs: what fails before is usage.
func (a *app) mark(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.started = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		a.mark(sub)
	}
}

// jsonFlag adds --json.
func (a *app) jsonFlag(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.json, "json", false, "print JSON on standard output")
	return c
}
