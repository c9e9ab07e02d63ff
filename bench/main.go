// Command bench times evosr's runtime next to others on the same ONNX files, in
// one process, and prints one table.
//
// Every network is built with seeded random weights, pruned by magnitude where
// a row says so, and written once by evosr/onnx; all runtimes read those bytes
// and the same picture. Before anything is timed, their outputs must agree to
// 1e-4. Then they take turns in short groups of frames; what counts is the
// median of the ratios of the same round, with its quartiles. In the same table
// stand the machine's limits: multiply-adds on registers and a memory copy.
//
// It is a module of its own, because the rival is reached through cgo: the
// product never imports it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"evosr/internal/kernel"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	networks []network
	variants []variant
	threads  []int
	size     size
	budget   time.Duration
	patience time.Duration
	rivals   bool
	library  string
	json     string
}

func parse(args []string, talk io.Writer) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(talk)
	all := func(names []string) string { return strings.Join(names, ",") }
	networkNames, variantNames := names(networks(), networkName), names(variants(), variantName)
	quick := f.Bool("quick", false, "two networks, dense and block4@75, half a minute")
	nets := f.String("nets", all(networkNames), "networks")
	pruned := f.String("pruned", all(variantNames), "ways to prune")
	threads := f.String("threads", "1,2", "numbers of threads")
	picture := f.String("size", "320x180", "input picture, pixels")
	seconds := f.Float64("seconds", 40, "timed part of one network")
	patience := f.Float64("patience", 30, "more seconds for a network while other programs disturb")
	rivals := f.Bool("rivals", true, "time ONNX Runtime too")
	library := f.String("onnxruntime", onnxRuntimeLibrary(), "ONNX Runtime's shared library")
	json := f.String("json", "", "write JSON to this file too; - writes it to stdout in place of the table")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		for name, set := range map[string]func(){
			"nets":    func() { *nets = "wdsr-16x8,searched-125k" },
			"pruned":  func() { *pruned = "dense,block4@75" },
			"seconds": func() { *seconds = 10 },
		} {
			if !given[name] {
				set()
			}
		}
	}
	o := options{rivals: *rivals, library: *library, json: *json, budget: toDuration(*seconds), patience: toDuration(*patience)}
	var errs []error
	bad := func(what, got, want string) {
		errs = append(errs, fmt.Errorf("bench: -%s: %q, want %s", what, got, want))
	}
	if f.NArg() > 0 {
		errs = append(errs, fmt.Errorf("bench: arguments: %q, want none", f.Args()))
	}
	var err error
	if o.networks, err = pick(networks(), networkName, *nets); err != nil {
		bad("nets", *nets, "some of "+all(networkNames))
	}
	if o.variants, err = pick(variants(), variantName, *pruned); err != nil {
		bad("pruned", *pruned, "some of "+all(variantNames))
	}
	for _, text := range strings.Split(*threads, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > runtime.NumCPU() || slices.Contains(o.threads, n) {
			bad("threads", *threads, fmt.Sprintf("different numbers from 1 to %d", runtime.NumCPU()))
			break
		}
		o.threads = append(o.threads, n)
	}
	if n, err := fmt.Sscanf(*picture, "%dx%d", &o.size.w, &o.size.h); n != 2 || err != nil || *picture != o.size.String() ||
		min(o.size.w, o.size.h) < 8 || max(o.size.w, o.size.h) > 4096 {
		bad("size", *picture, "WIDTHxHEIGHT, 8 to 4096 pixels a side")
	}
	if !(*seconds > 0 && *seconds <= 3600) {
		bad("seconds", fmt.Sprint(*seconds), "more than 0, at most 3600")
	}
	if !(*patience >= 0 && *patience <= 3600) {
		bad("patience", fmt.Sprint(*patience), "0 to 3600")
	}
	return o, errors.Join(errs...)
}

func toDuration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func networkName(n network) string { return n.name }
func variantName(v variant) string { return v.name }

func names[T any](list []T, name func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, name(x))
	}
	return out
}

// pick chooses items by comma-separated names, in the order of the list.
func pick[T any](list []T, name func(T) string, wanted string) (out []T, err error) {
	want := strings.Split(wanted, ",")
	for _, x := range list {
		if slices.Contains(want, name(x)) {
			out = append(out, x)
		}
	}
	if len(out) != len(want) {
		return nil, fmt.Errorf("bench: unknown or repeated names in %q", wanted)
	}
	return out, nil
}

func run(args []string, out, talk io.Writer) (err error) {
	o, err := parse(args, talk)
	if err != nil {
		return err
	}
	b := &bench{
		ours: ours{kernel.Best()}, size: o.size, threads: o.threads, variants: o.variants,
		budget: o.budget, patience: o.patience, group: 30 * time.Millisecond, peak: map[int]float64{},
	}
	r := report{Machine: thisMachine(), Width: o.size.w, Height: o.size.h, Rivals: []string{}, Absent: absent()}
	r.Machine.Kernels = b.ours.kernels.Name
	r.Machine.Command = strings.Join(append([]string{"bench"}, args...), " ")
	if o.rivals {
		ort, err := openONNXRuntime(o.library)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ort.close()) }()
		b.rivals = append(b.rivals, ort)
		r.Rivals = append(r.Rivals, ort.name())
	}
	for _, t := range o.threads {
		r.Machine.MemoryGBs[t] = memoryGBs(t, 200*time.Millisecond)
	}
	for i := range o.networks {
		fmt.Fprintf(talk, "%s: %d of %d\n", o.networks[i].name, i+1, len(o.networks))
		result, err := b.measure(&o.networks[i])
		if err != nil {
			return err
		}
		r.Networks = append(r.Networks, result)
	}
	r.finish(b.peak)
	return r.write(o.json, out)
}

// write prints the table and writes the JSON where it is wanted.
func (r *report) write(path string, out io.Writer) error {
	if path == "-" {
		return r.writeJSON(out)
	}
	if err := r.writeTable(out); err != nil {
		return err
	}
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(r.writeJSON(f), f.Close())
}
