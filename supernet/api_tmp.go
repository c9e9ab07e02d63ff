package supernet

import (
	"context"
	"math/rand/v2"

	"evosr/internal/kernel"
	"evosr/space"
)

// Supernet is the shared weights of every network of a space.
type Supernet struct {
	Space *space.Space
}

// Source hands out training patches: lr is Colors planes of size x size values
// code/255, hr the same place Scale times as large.
type Source interface {
	Patch(rng *rand.Rand, size int, lr, hr []float32)
}

// Options says how a supernet is trained.
type Options struct {
	Steps   int     // in all
	Batch   int     // patches a step
	Patch   int     // side of a patch, low-resolution pixels
	Subnets int     // random subnets a step, beside the largest and the smallest
	Rate    float64 // peak learning rate of Adam
	Distill float64 // share of a subnet's loss against the largest one's output, in [0, 1]
	Seed    uint64
	Threads int         // 0 means GOMAXPROCS; never changes the result
	Kernels *kernel.Set // nil means the best of this processor
}

// FineTuneOptions says how one network is fine-tuned.
type FineTuneOptions struct {
	Steps, Batch, Patch, Threads int
	Rate, Distill                float64
	Seed                         uint64
	Kernels                      *kernel.Set
}

// Stats is what one step did.
type Stats struct {
	Step       int     // steps done, this one included
	Loss       float64 // mean absolute error of the largest subnet on this step's patches, in values of [0, 1]
	Rate       float64 // learning rate of this step
	RolledBack bool    // the step was refused: weights are those of the last good snapshot, the rate is halved
}

type Trainer struct{}

func New(sp *space.Space, seed uint64) *Supernet                      { panic("soon") }
func (s *Supernet) Extract(g space.Genome) (*space.Subnet, error)     { panic("soon") }
func (s *Supernet) Save(path string, meta map[string]string) error    { panic("soon") }
func Load(path string) (*Supernet, map[string]string, error)          { panic("soon") }
func (s *Supernet) Hash() string                                      { panic("soon") }
func NewTrainer(s *Supernet, src Source, o Options) (*Trainer, error) { panic("soon") }
func (t *Trainer) Step() (Stats, error)                               { panic("soon") }
func (t *Trainer) StepIndex() int                                     { panic("soon") }
func (t *Trainer) Averaged() *Supernet                                { panic("soon") }
func (t *Trainer) Save(path string) error                             { panic("soon") }
func (t *Trainer) Restore(path string) error                          { panic("soon") }
func Reference(net *space.Subnet, src []float32, w, h int) []float32  { panic("soon") }
func FineTune(ctx context.Context, net, teacher *space.Subnet, src Source, validate func(*space.Subnet) (float64, error), o FineTuneOptions) (*space.Subnet, error) {
	panic("soon")
}
