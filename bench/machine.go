package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is where and when a table was measured.
type machine struct {
	CPU        string          `json:"cpu"`
	Cores      int             `json:"cores"`
	Kernels    string          `json:"kernels"`
	Go         string          `json:"go"`
	Date       string          `json:"date"` // UTC, RFC 3339
	Command    string          `json:"command"`
	LoadBefore string          `json:"load_before"` // averages of 1, 5 and 15 minutes
	LoadAfter  string          `json:"load_after"`
	PeakGFLOPS map[int]float64 `json:"peak_gflops"` // by threads: multiply-adds on registers
	MemoryGBs  map[int]float64 `json:"memory_gbs"`  // by threads: a copy, each byte read or written counted once
}

func thisMachine() machine {
	return machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Date: time.Now().UTC().Format(time.RFC3339), LoadBefore: loadAverage(),
		PeakGFLOPS: map[int]float64{}, MemoryGBs: map[int]float64{},
	}
}

// cpuModel is the processor's name with family and model, as far as the
// system says.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	known := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && known[strings.TrimSpace(key)] == "" {
			known[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	if known["model name"] == "" {
		return runtime.GOARCH
	}
	return known["model name"] + " (family " + known["cpu family"] + ", model " + known["model"] + ")"
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// family is this process with those that run rivals for it.
type family struct{ children func() []int }

// cpu is the processor time of all of them so far.
func (f family) cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	sum := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	for _, pid := range f.children() {
		sum += processCPU(pid)
	}
	return sum
}

// meter tells how busy others keep the machine.
type meter struct {
	f         family
	begin     time.Time
	all, mine time.Duration
	ok        bool
}

func newMeter(f family) meter {
	all, ok := machineCPU()
	return meter{f, time.Now(), all, f.cpu(), ok}
}

// others is how many cores other programs (and what the hypervisor took away)
// kept busy on average since the meter was made; all of them when the system
// does not say. It is right to about a tick (10 ms) in the time between.
func (m meter) others() float64 {
	all, ok := machineCPU()
	if !ok || !m.ok {
		return float64(runtime.NumCPU())
	}
	return max(0, ((all-m.all)-(m.f.cpu()-m.mine)).Seconds()/time.Since(m.begin).Seconds())
}

// machineCPU is the time that all cores together were not idle.
func machineCPU() (time.Duration, bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	// cpu user nice system idle iowait irq softirq steal ..., in ticks of 10 ms
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, false
	}
	var ticks int64
	for i, f := range fields[1:9] {
		if i == 3 || i == 4 {
			continue
		}
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, false
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, true
}
