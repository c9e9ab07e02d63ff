package runner

import (
	"context"
	"errors"
	"time"

	"evosr/configs"
)

// What a run can end with, beside nil. Each has an exit code in cmd/evosr.
var (
	ErrUsage       = errors.New("runner: the run cannot start")                      // 2
	ErrInfeasible  = errors.New("runner: nothing in the space meets the budget")     // 3
	ErrData        = errors.New("runner: the pictures cannot be used")               // 4
	ErrInterrupted = errors.New("runner: interrupted; the same command continues")   // 5
	ErrIntegrity   = errors.New("runner: the run directory does not fit the config") // 6
)

// Options say how a run is carried out; nothing in them changes its result.
type Options struct {
	Workers int            // genomes scored at a time; 0 means GOMAXPROCS
	Report  func(Progress) // called from one goroutine at a time; may be nil
}

// Stages of a run, in their order.
const (
	StageData     = "data"
	StageProfile  = "profile"
	StageSupernet = "supernet"
	StageSearch   = "search"
	StageWinners  = "winners"
)

// Progress is where a run is.
type Progress struct {
	Stage       string
	Message     string  // what is being done, one short phrase
	Done, Total float64 // of the stage, in steps, evaluations or parts
	Rate        float64 // Done per second
	Hypervolume float64 // of the front so far; search only
	Left        time.Duration
}

// Run carries cfg out in dir. The same call resumes.
func Run(ctx context.Context, cfg *configs.Config, dir string, o Options) error {
	panic("runner: being written")
}
