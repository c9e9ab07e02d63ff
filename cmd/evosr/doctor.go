package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/runner"
	"evosr/space"
	"evosr/sparse"
)

// What a run needs at least; below it the doctor says so.
const (
	needMemory = 512 << 20 // bytes
	needDisk   = 256 << 20
	noisySpec  = 0.25 // (p90 - p10) / median of equal frames
)

type doctorReport struct {
	Version     string   `json:"version"`
	Go          string   `json:"go"`
	CPU         string   `json:"cpu"`
	Kernels     string   `json:"kernels"`   // used
	Available   []string `json:"available"` // kernel sets of this processor, fastest first
	Cores       int      `json:"cores"`
	Threads     int      `json:"threads"` // used unless told otherwise
	PeakGFLOPS  float64  `json:"peak_gflops"`
	MemoryGBs   float64  `json:"memory_gb_per_s"`
	MemoryTotal int64    `json:"memory_bytes"`      // 0 when unknown
	MemoryFree  int64    `json:"memory_free_bytes"` // 0 when unknown
	DiskFree    int64    `json:"disk_free_bytes"`   // of the current folder; 0 when unknown
	ClockNoise  float64  `json:"clock_noise"`       // (p90 - p10) / median of equal frames
	Agreement   float64  `json:"kernels_differ_by"` // largest difference to the portable kernels
	Warnings    []string `json:"warnings"`
	Faults      []string `json:"faults"`
	Fit         bool     `json:"fit"`
}

func (a *app) doctorCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Is this machine fit: CPU, kernels, threads, memory, disk, clock noise",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := examine(".")
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printDoctor(r)
			}
			if err == nil && !r.Fit {
				return &coded{exitInfeasible, fmt.Errorf("this machine is not fit: %s", strings.Join(r.Faults, "; "))}
			}
			return err
		},
	}
	return a.jsonFlag(c)
}

// examine takes about two seconds.
func examine(dir string) (*doctorReport, error) {
	best := kernel.Best()
	r := &doctorReport{
		Version: runner.Version, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuName(),
		Kernels: best.Name, Cores: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		PeakGFLOPS: best.PeakGFLOPS(300 * time.Millisecond), MemoryGBs: kernel.MemoryGBs(256<<20, 300*time.Millisecond),
		DiskFree: diskFree(dir), Warnings: []string{}, Faults: []string{},
	}
	for _, s := range kernel.Sets() {
		r.Available = append(r.Available, s.Name)
	}
	r.MemoryTotal, r.MemoryFree = memory()
	var err error
	if r.ClockNoise, r.Agreement, err = trial(); err != nil {
		return nil, err
	}
	warn := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	if r.Kernels == "go" {
		warn("only portable kernels: this processor or build has no vector kernels, everything is many times slower")
	}
	if r.ClockNoise > noisySpec {
		warn("equal work takes times that spread by %.0f %%: measure profiles when the machine is quiet", 100*r.ClockNoise)
	}
	if g := governor(); g != "" && g != "performance" {
		warn("frequency governor is %s: timings depend on what ran before", g)
	}
	if r.Agreement > 1e-4 {
		fault("the %s kernels differ from the portable ones by %g on the same network", r.Kernels, r.Agreement)
	}
	if r.MemoryFree > 0 && r.MemoryFree < needMemory {
		fault("%s of memory available, want %s", bytesText(r.MemoryFree), bytesText(needMemory))
	}
	if r.DiskFree > 0 && r.DiskFree < needDisk {
		fault("%s free on this folder's disk, want %s", bytesText(r.DiskFree), bytesText(needDisk))
	}
	if err := writable(dir); err != nil {
		warn("nothing can be written to this folder: %v", err)
	}
	r.Fit = len(r.Faults) == 0
	return r, nil
}

// trial runs one small pruned network with every kernel set: noise is the
// spread of the best one's frame times, differ the largest difference of an
// output value to the portable kernels'.
func trial() (noise, differ float64, err error) {
	const w, h = 96, 54
	net := trialNet()
	rng := rand.New(rand.NewPCG(1, 2))
	src := make([]float32, w*h)
	for i := range src {
		src[i] = rng.Float32()
	}
	var first []float32
	for i, set := range slices.Backward(kernel.Sets()) { // the portable ones first
		p, err := sparse.Compile(net, sparse.Options{Kernels: set.Name, Threads: 1})
		if err != nil {
			return 0, 0, err
		}
		defer p.Close()
		dst := make([]float32, w*h*net.Scale*net.Scale)
		if err := p.Upscale(dst, src, w, h); err != nil {
			return 0, 0, err
		}
		if first == nil {
			first = dst
		}
		for j, v := range dst {
			if d := math.Abs(float64(v - first[j])); !(d <= differ) {
				differ = d
			}
		}
		if i == 0 { // the fastest
			frames, _, err := p.Samples(w, h, 200)
			if err != nil {
				return 0, 0, err
			}
			slices.Sort(frames)
			n := len(frames)
			noise = float64(frames[n*9/10]-frames[n/10]) / float64(max(frames[n/2], 1))
		}
	}
	return noise, differ, nil
}

// trialNet has layers of every kind, with weights that are always the same.
func trialNet() *network.Graph {
	sp := &space.Space{
		Scale: 2, Colors: 1, Widths: []int{16}, Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {2}}}, {Blocks: space.Blocks{space.Plain: {1}}}, {Blocks: space.Blocks{space.Lean: space.Once()}}},
		Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
	}
	net := sp.Shape(sp.Smallest())
	rng := rand.New(rand.NewPCG(3, 4))
	net.Fill(func(n *network.Node, fan int) float32 { return (rng.Float32() - 0.5) / float32(fan/n.Kernel) })
	return net
}

func (a *app) printDoctor(r *doctorReport) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("evosr", "%s, %s", r.Version, r.Go)
	row("CPU", "%s", r.CPU)
	row("kernels", "%s of %s", r.Kernels, strings.Join(r.Available, ", "))
	row("threads", "%d of %d cores", r.Threads, r.Cores)
	row("peak", "%.0f GFLOP/s a core, memory %.0f GB/s a core", r.PeakGFLOPS, r.MemoryGBs)
	if r.MemoryTotal > 0 {
		row("memory", "%s, %s available", bytesText(r.MemoryTotal), bytesText(r.MemoryFree))
	} else {
		row("memory", "unknown on this system")
	}
	if r.DiskFree > 0 {
		row("disk", "%s free here", bytesText(r.DiskFree))
	}
	row("clock noise", "%.0f %% between the 10th and 90th percentile of equal frames", 100*r.ClockNoise)
	row("agreement", "kernel sets differ by at most %.1g", r.Agreement)
	for _, t := range r.Warnings {
		row("warning", "%s", t)
	}
	for _, t := range r.Faults {
		row("fault", "%s", t)
	}
	if r.Fit {
		row("verdict", "fit")
	} else {
		row("verdict", "not fit")
	}
	return w.Flush()
}

func bytesText(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// field gives the value of the first line "name : value" of a text file.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func cpuName() string {
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return "unknown " + runtime.GOARCH
}

func governor() string {
	text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// memory gives bytes, or zeros where the system does not say.
func memory() (total, free int64) {
	kib := func(name string) int64 {
		var n int64
		if _, err := fmt.Sscanf(field("/proc/meminfo", name), "%d", &n); err != nil {
			return 0
		}
		return n << 10
	}
	return kib("MemTotal"), kib("MemAvailable")
}
