package runner

import (
	"time"

	"evosr/configs"
)

// Estimate is what Plan says about a config before it is run.
type Estimate struct {
	Genomes     string  `json:"genomes"`       // exact number, decimal
	Log10       float64 `json:"log10_genomes"` //
	Smallest    Extreme `json:"smallest"`
	Largest     Extreme `json:"largest"`
	Fastest     Extreme `json:"fastest"`     // equals Smallest without a profile
	Profile     string  `json:"profile"`     // where predictions come from, or ""
	Satisfiable string  `json:"satisfiable"` // "yes", "no" or "unknown"
	Why         string  `json:"why"`

	Time []StageTime `json:"time"`
	Disk int64       `json:"disk_bytes"`
}

// Extreme is one end of the space.
type Extreme struct {
	Genome    string  `json:"genome"`
	Params    int     `json:"params"`
	MACs      int     `json:"macs"`       // one frame
	LatencyMS float64 `json:"latency_ms"` // predicted; 0 without a profile
}

// StageTime is the estimated time of a stage.
type StageTime struct {
	Stage string        `json:"stage"`
	Time  time.Duration `json:"ns"`
}

// Plan sizes a config's space and estimates its run. It writes nothing.
func Plan(cfg *configs.Config) (*Estimate, error) { panic("runner: being written") }
