// Command training times a training step of evosr beside PyTorch's.
//
// Both start from the same file of weights and train the same dense network on
// the same patches with the same number of threads; the losses of their first
// step must agree. Then they take turns, some steps each, and what counts is
// the median of the ratios of a round, with its quartiles. PyTorch may lay its
// tensors out as it runs fastest.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"evosr/space"
	"evosr/supernet"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	Width, Slots, Scale, Batch, Patch, Threads int
	Expansion                                  float64
	rounds, steps                              int
	python, scripts                            string
}

func parse(args []string) (options, error) {
	f := flag.NewFlagSet("training", flag.ContinueOnError)
	var o options
	f.IntVar(&o.Width, "width", 24, "trunk channels")
	f.IntVar(&o.Slots, "slots", 16, "wide blocks")
	f.Float64Var(&o.Expansion, "expansion", 6, "of the wide blocks")
	f.IntVar(&o.Scale, "scale", 2, "enlargement")
	f.IntVar(&o.Batch, "batch", 16, "patches a step")
	f.IntVar(&o.Patch, "patch", 48, "side of a patch, pixels of low resolution")
	f.IntVar(&o.Threads, "threads", 2, "threads of both")
	f.IntVar(&o.rounds, "rounds", 12, "turns of each")
	f.IntVar(&o.steps, "steps", 3, "steps of PyTorch a turn; evosr makes as many as take about as long")
	f.StringVar(&o.python, "python", "python3", "Python with PyTorch")
	f.StringVar(&o.scripts, "scripts", "torch", "folder of step.py")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.steps < 1 {
		return o, fmt.Errorf("training: %q, want flags only, rounds and steps of at least 1", args)
	}
	return o, nil
}

// fixed hands out the same patches over and over: what is timed is the step.
type fixed struct {
	lr, hr []float32
	n      int
}

func (f *fixed) Patch(_ *rand.Rand, _ int, lr, hr []float32) {
	copy(lr, f.lr[f.n*len(lr):])
	copy(hr, f.hr[f.n*len(hr):])
	if f.n++; f.n*len(lr) == len(f.lr) {
		f.n = 0
	}
}

// patches are smooth pictures with noise, as large a loss as photographs have.
func patches(o options) *fixed {
	rng := rand.New(rand.NewPCG(1, 2))
	low := o.Patch * o.Patch
	f := &fixed{lr: make([]float32, o.Batch*low), hr: make([]float32, o.Batch*low*o.Scale*o.Scale)}
	for i := range f.lr {
		f.lr[i] = 0.4 + 0.2*float32(math.Sin(float64(i%o.Patch)/5+float64(i/low))) + 0.05*rng.Float32()
	}
	side := o.Patch * o.Scale
	for i := range f.hr {
		p, y, x := i/(side*side), i/side%side, i%side
		f.hr[i] = f.lr[p*low+y/o.Scale*o.Patch+x/o.Scale] + 0.05*rng.Float32()
	}
	return f
}

func run(args []string, out io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	sp := &space.Space{Scale: o.Scale, Colors: 1, Widths: []int{o.Width}, Slots: slices.Repeat([]space.Slot{{Blocks: space.Blocks{space.Wide: {o.Expansion}}}}, o.Slots)}
	if err := sp.Validate(); err != nil {
		return err
	}
	net := supernet.New(sp, 1)
	src := patches(o)
	dir, err := os.MkdirTemp("", "evosr-training-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	torch, err := start(o, dir, net, src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, torch.close()) }()

	rounds := 1 << 20
	t, err := supernet.NewTrainer(net, src, supernet.Options{Steps: rounds, Batch: o.Batch, Patch: o.Patch, Rate: 1e-3, Seed: 1, Threads: o.Threads})
	if err != nil {
		return err
	}
	first, err := t.Step()
	if err != nil {
		return err
	}
	if d := math.Abs(first.Loss - torch.Loss); !(d < 1e-4*first.Loss) {
		return fmt.Errorf("training: the losses of the first step are %v and PyTorch's %v, want the same", first.Loss, torch.Loss)
	}
	ours := func(steps int) (float64, error) {
		begun := time.Now()
		for range steps {
			if _, err := t.Step(); err != nil {
				return 0, err
			}
		}
		return time.Since(begun).Seconds() / float64(steps), nil
	}
	steps := o.steps
	var mine, theirs, ratios []float64
	for round := -1; round < o.rounds; round++ {
		a, err := ours(steps)
		if err != nil {
			return err
		}
		b, err := torch.time(o.steps)
		if err != nil {
			return err
		}
		if round < 0 { // warm-up
			steps = max(1, int(math.Round(float64(o.steps)*b/a)))
			continue
		}
		mine, theirs, ratios = append(mine, a), append(theirs, b), append(ratios, b/a)
	}
	sub, err := net.Extract(sp.Largest())
	if err != nil {
		return err
	}
	_, macs := sub.MACs()
	// Forward, gradient of the input, gradient of the weights.
	flop := 3 * 2 * float64(macs) * float64(o.Batch*o.Patch*o.Patch)
	fmt.Fprintf(out, "%d wide blocks of %d channels, expansion %v, x%d: %d parameters; batch %d of %dx%d; %d threads; PyTorch %s, %s\n",
		o.Slots, o.Width, o.Expansion, o.Scale, sub.Params(), o.Batch, o.Patch, o.Patch, o.Threads, torch.Version, torch.Format)
	for _, r := range []struct {
		name string
		list []float64
	}{{"evosr", mine}, {"PyTorch", theirs}} {
		m := quantile(r.list, 0.5)
		fmt.Fprintf(out, "%-8s %8.1f ms a step, %6.1f patches/s, %6.1f GFLOP/s\n", r.name, 1000*m, float64(o.Batch)/m, flop/m/1e9)
	}
	_, err = fmt.Fprintf(out, "evosr is %.2f times as fast (quartiles %.2f and %.2f of %d rounds)\n", quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75), len(ratios))
	return err
}

func quantile(list []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[int(q*float64(len(s)-1)+0.5)]
}

// rival is step.py at work.
type rival struct {
	Version, Format string
	Loss            float64
	in              io.WriteCloser
	out             *bufio.Scanner
	cmd             *exec.Cmd
}

func start(o options, dir string, net *supernet.Supernet, src *fixed) (*rival, error) {
	file := filepath.Join(dir, "net.safetensors")
	if err := net.Save(file, nil); err != nil {
		return nil, err
	}
	raw := func(name string, values []float32) (string, error) {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		path := filepath.Join(dir, name)
		return path, os.WriteFile(path, b, 0o600)
	}
	lr, err := raw("lr", src.lr)
	if err != nil {
		return nil, err
	}
	hr, err := raw("hr", src.hr)
	if err != nil {
		return nil, err
	}
	slots := [][2]any{}
	for range o.Slots {
		slots = append(slots, [2]any{"wide", o.Expansion})
	}
	text, err := json.Marshal(map[string]any{"file": file, "width": o.Width, "slots": slots, "lr": lr, "hr": hr, "batch": o.Batch, "patch": o.Patch, "threads": o.Threads})
	if err != nil {
		return nil, err
	}
	r := &rival{cmd: exec.Command(o.python, filepath.Join(o.scripts, "step.py"), string(text))}
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	pipe, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewScanner(pipe)
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("training: %w: want a Python with PyTorch (Debian: python3-torch), or -python", err)
	}
	line, err := r.answer()
	if err == nil {
		err = json.Unmarshal([]byte(line), r)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("training: PyTorch did not start: %w", err), r.close())
	}
	return r, nil
}

func (r *rival) answer() (string, error) {
	if !r.out.Scan() {
		return "", errors.Join(io.ErrUnexpectedEOF, r.out.Err())
	}
	return r.out.Text(), nil
}

// time has it make some steps and gives the seconds of one.
func (r *rival) time(steps int) (float64, error) {
	if _, err := fmt.Fprintln(r.in, steps); err != nil {
		return 0, err
	}
	line, err := r.answer()
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	return s / float64(steps), err
}

func (r *rival) close() error { return errors.Join(r.in.Close(), r.cmd.Wait()) }
