package deviceprofile

import (
	"os"
	"runtime"
	"strings"
)

// cpuModel names the processor as the system does: the model name with family,
// model and stepping on x86, implementer and part on arm64, else the board's
// name or the architecture.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if s := parseCPU(string(text)); s != "" {
		return s
	}
	if text, err := os.ReadFile("/sys/firmware/devicetree/base/model"); err == nil {
		if s := strings.Trim(string(text), "\x00 \n"); s != "" {
			return s
		}
	}
	return runtime.GOARCH
}

func parseCPU(info string) string {
	first := map[string]string{}
	for line := range strings.SplitSeq(info, "\n") {
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if _, seen := first[key]; ok && !seen {
			first[key] = value
		}
	}
	join := func(head string, keys ...string) string {
		for _, k := range keys {
			if v := first[k]; v != "" {
				head += ", " + k + " " + v
			}
		}
		return strings.TrimPrefix(head, ", ")
	}
	if name := first["model name"]; name != "" {
		return join(strings.Join(strings.Fields(name), " "), "cpu family", "model", "stepping")
	}
	return join("", "CPU implementer", "CPU part", "CPU variant")
}

// governor is how the system sets the processor's frequency, "unknown" where it
// does not say, as in most virtual machines.
func governor() string {
	text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	if s := strings.TrimSpace(string(text)); err == nil && s != "" {
		return s
	}
	return "unknown"
}
