// Command bench times evosr's runtime next to others on the same ONNX files, in
// one run, and prints one table.
//
// Every network is built with seeded random weights, pruned by magnitude where
// a row says so, and written once as an ONNX file; all runtimes read those bytes
// and the same picture. Before anything is timed, their outputs must agree to
// 1e-3. Then they take turns in short groups of frames; what counts is the
// median of the ratios of the same round, with its quartiles. In the same table
// stand the machine's limits: multiply-adds on registers and a memory copy.
//
// It is a module of its own, because the rivals are reached through cgo and
// other processes: the product never imports it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	networks []subject
	variants []variant
	threads  []int
	sizes    []size
	budget   time.Duration // of a network at the first size
	larger   time.Duration // at each of the others
	patience time.Duration
	rivals   []opener
	places   places
	json     string
	files    string
}

func parse(args []string, talk io.Writer) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(talk)
	all := func(names []string) string { return strings.Join(names, ",") }
	networkNames, variantNames, rivalNames := names(networks(), networkName), names(variants(), variantName), names(openers(), openerName)
	quick := f.Bool("quick", false, "three networks, dense and block4@75, one size, under two minutes")
	nets := f.String("nets", all(networkNames), "networks")
	pruned := f.String("pruned", all(variantNames), "ways to prune")
	threads := f.String("threads", "1,2", "numbers of threads")
	pictures := f.String("sizes", "320x180,640x360,1280x720", "input pictures, pixels; after the first only dense and block4@75, on the most threads")
	seconds := f.Float64("seconds", 45, "timed part of one network at the first size")
	larger := f.Float64("larger", 6, "timed part of one network at each other size")
	patience := f.Float64("patience", 90, "more seconds, over all networks, while other programs disturb")
	rivals := f.String("rivals", all(rivalNames), "runtimes beside ours, or none")
	library := f.String("onnxruntime", onnxRuntimeLibrary(), "ONNX Runtime's shared library")
	python := f.String("python", "/usr/bin/python3", "a Python that has PyTorch")
	json := f.String("json", "", "write JSON to this file too; - writes it to stdout in place of the table")
	files := f.String("files", "", "write the networks' ONNX files into this folder and stop")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		for name, value := range quickly() {
			if !given[name] {
				if err := f.Set(name, value); err != nil {
					return options{}, err
				}
			}
		}
	}
	o := options{
		places: places{library: *library, python: *python}, json: *json, files: *files,
		budget: toDuration(*seconds), larger: toDuration(*larger), patience: toDuration(*patience),
	}
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
	if *rivals != "none" {
		if o.rivals, err = pick(openers(), openerName, *rivals); err != nil {
			bad("rivals", *rivals, "none or some of "+all(rivalNames))
		}
	}
	for _, text := range strings.Split(*threads, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > runtime.NumCPU() || slices.Contains(o.threads, n) {
			bad("threads", *threads, fmt.Sprintf("different numbers from 1 to %d", runtime.NumCPU()))
			break
		}
		o.threads = append(o.threads, n)
	}
	for _, text := range strings.Split(*pictures, ",") {
		var s size
		if n, err := fmt.Sscanf(text, "%dx%d", &s.w, &s.h); n != 2 || err != nil || text != s.String() ||
			min(s.w, s.h) < 8 || max(s.w, s.h) > 4096 || slices.Contains(o.sizes, s) {
			bad("sizes", *pictures, "different WIDTHxHEIGHT, 8 to 4096 pixels a side")
			break
		}
		o.sizes = append(o.sizes, s)
	}
	for _, v := range []struct {
		name  string
		value float64
	}{{"seconds", *seconds}, {"larger", *larger}, {"patience", *patience}} {
		if !(v.value >= 0 && v.value <= 3600) {
			bad(v.name, fmt.Sprint(v.value), "0 to 3600")
		}
	}
	return o, errors.Join(errs...)
}

// quickly is what -quick sets where a flag is not given.
func quickly() map[string]string {
	return map[string]string{
		"nets": "wdsr-16x8,fsrcnn,ecbsr-m4c16", "pruned": "dense,block4@75", "sizes": "320x180", "seconds": "20", "patience": "20",
	}
}

func toDuration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func networkName(n subject) string { return n.name }
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

// tasks are the parts of a run: all networks in every way at the first size,
// then at each larger one what fits into the time.
func (o *options) tasks() (list []task) {
	for i, s := range o.sizes {
		variants, threads, budget := o.variants, o.threads, o.budget
		p := pace{warm: 8 * time.Millisecond, group: 30 * time.Millisecond, least: 2}
		if i > 0 {
			variants = slices.DeleteFunc(slices.Clone(variants), func(v variant) bool { return !v.dense() && v.name != "block4@75" })
			threads, budget = []int{slices.Max(threads)}, o.larger
			p.least = 1 // frames are long
		}
		if len(variants) == 0 {
			continue
		}
		for j := range o.networks {
			list = append(list, task{&o.networks[j], s, variants, threads, budget, p})
		}
	}
	return list
}

func run(args []string, out, talk io.Writer) (err error) {
	o, err := parse(args, talk)
	if err != nil {
		return err
	}
	if o.files != "" {
		return writeFiles(o, talk)
	}
	b := &bench{
		ours: ours{kernel.Best()}, patience: o.patience, peak: map[int]float64{},
	}
	r := report{Machine: thisMachine(), Rivals: []string{}}
	r.Machine.Kernels = b.ours.kernels.Name
	r.Machine.Command = strings.Join(append([]string{"bench"}, args...), " ")
	list, absent := openRivals(o.rivals, o.places)
	b.rivals, r.Absent = list, append([]string{}, absent...)
	defer func() { err = errors.Join(err, closeRivals(b.rivals)) }()
	for _, v := range b.rivals {
		r.Rivals = append(r.Rivals, v.name())
	}
	for _, t := range o.threads {
		b.peak[t] = peakGFLOPS(b.ours.kernels, t, 200*time.Millisecond)
		r.Machine.MemoryGBs[t] = memoryGBs(t, 200*time.Millisecond)
	}
	tasks := o.tasks()
	begin := time.Now()
	for i, t := range tasks {
		fmt.Fprintf(talk, "%3.0f s: %s at %v, %d of %d\n", time.Since(begin).Seconds(), t.subject.name, t.size, i+1, len(tasks))
		result, err := b.measure(t)
		if err != nil {
			return err
		}
		r.Results = append(r.Results, result)
	}
	r.finish(b.peak, time.Since(begin))
	return r.write(o.json, out)
}

// writeFiles writes every file of the first size.
func writeFiles(o options, talk io.Writer) error {
	if err := os.MkdirAll(o.files, 0o777); err != nil {
		return err
	}
	for i := range o.networks {
		for _, v := range o.variants {
			n := &o.networks[i]
			data, err := n.file(v, o.sizes[0])
			if err != nil {
				return err
			}
			path := filepath.Join(o.files, n.name+"-"+strings.ReplaceAll(v.name, "@", "-")+".onnx")
			if err := os.WriteFile(path, data, 0o666); err != nil {
				return err
			}
			fmt.Fprintf(talk, "%s: %d bytes\n", path, len(data))
		}
	}
	return nil
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
