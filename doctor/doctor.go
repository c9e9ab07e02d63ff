// Package doctor says whether a machine is fit: processor, kernels, threads,
// memory, disk and how steady its clock is.
package doctor

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
)

// What a run needs at least; below it the doctor says so.
const (
	needMemory = 512 << 20 // bytes
	needDisk   = 256 << 20
	noisySpec  = 0.25 // (p90 - p10) / median of equal frames
)

// Report is what Examine found. It is the JSON of evosr doctor, a promise to scripts.
type Report struct {
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

// Examine looks at this machine, and at the disk of dir, in about two seconds.
// version is evosr's.
func Examine(dir, version string) (*Report, error) {
	best := kernel.Best()
	r := &Report{
		Version: version, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuName(),
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
		fault("%s of memory available, want %s", Size(r.MemoryFree), Size(needMemory))
	}
	if r.DiskFree > 0 && r.DiskFree < needDisk {
		fault("%s free on this folder's disk, want %s", Size(r.DiskFree), Size(needDisk))
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

// writable says why nothing can be written to a folder, or nil.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".evosr-*")
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err // the name of a temporary file tells nothing
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Size writes a number of bytes for people.
func Size(n int64) string {
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
