package sparse

import (
	"io"
	"time"

	"evosr/internal/kernel"
	"evosr/space"
)

// Version names the runtime's behaviour in time: it changes whenever kernels,
// cost tables or the schedule change so that measured times no longer hold.
const Version = "1"

// Options say for what a subnet is compiled.
type Options struct {
	Kernels  *kernel.Set // nil for the fastest of this processor
	Threads  int         // 0 for GOMAXPROCS
	MaxBytes int64       // memory for activations of one picture; 0 for 4 GiB
}

// Program is a compiled subnet. It serves one goroutine at a time.
type Program struct{}

// Compile prepares net for this CPU. net is copied where it must be kept.
func Compile(net *space.Subnet, o Options) (*Program, error) { panic("soon") }

// Upscale reads Colors planes of w x h values from src and writes Colors planes
// of (w*Scale) x (h*Scale) values to dst, rows without padding. It allocates
// only on the first call of a size.
func (p *Program) Upscale(dst, src []float32, w, h int) error { panic("soon") }

// Clone returns a Program over the same weights and plans with memory and
// threads of its own, for another goroutine.
func (p *Program) Clone() *Program { panic("soon") }

// Close stops the threads. The Program must not be used after it.
func (p *Program) Close() { panic("soon") }

// Scale is output pixels / input pixels along one side.
func (p *Program) Scale() int { panic("soon") }

// Colors is the number of planes, 1 or 3.
func (p *Program) Colors() int { panic("soon") }

// Threads is the number of goroutines that a run uses, the caller's included.
func (p *Program) Threads() int { panic("soon") }

// Kernels names the instruction set of the kernels in use.
func (p *Program) Kernels() string { panic("soon") }

// Params counts the kept weights and the biases of the subnet.
func (p *Program) Params() int { panic("soon") }

// MACs counts multiplications of the subnet per low-resolution pixel: those of
// kept weights, and those of all weights.
func (p *Program) MACs() (kept, dense int) { panic("soon") }

// Subnet returns the network that runs, dead channels removed. Do not change it.
func (p *Program) Subnet() *space.Subnet { panic("soon") }

// Meta is a copy of what is known about the network beside its weights.
func (p *Program) Meta() map[string]string { panic("soon") }

// SetMeta replaces the metadata that Encode writes.
func (p *Program) SetMeta(meta map[string]string) { panic("soon") }

// LayerInfo says what became of one layer of the subnet.
type LayerInfo struct {
	Name            string
	In, Out, Kernel int     // as compiled: channels, side of the filter
	B               int     // output channels that a micro-kernel computes together
	Scheme          string  // as pruned, e.g. "block4"
	Density         float64 // kept weights / all weights of the subnet's layer
	Blocks          [4]int  // micro-kernels of 1, 2, 4 and 8 output channels
	BlockTaps       [4]int  // list entries summed over them
	Taps            int     // list entries, all blocks
	MACs            int     // multiplications per pixel that run, fill-up zeros included
	DenseMACs       int     // multiplications per pixel of the subnet's layer unpruned
	ReLU, Residual  bool
	Speedup         float64 // estimated time of the layer unpruned / as compiled
	Pays            bool    // pruning makes this layer at least 5 % faster, by the same estimate
}

// Layers describes the compiled layers in the order in which they run. Layers
// that elimination removed are not there.
func (p *Program) Layers() []LayerInfo { panic("soon") }

// Timing sums up repeated measurements of one thing.
type Timing struct{ Median, P90 time.Duration }

// Time runs a w x h picture runs times after a warm-up. frame is wall time; a
// layer's time is the mean over threads of what they spent in it, so that
// layers sum up to the frame less waiting, copying and shuffling.
func (p *Program) Time(w, h, runs int) (frame Timing, layers []Timing, err error) { panic("soon") }

// Encode writes p as a program file.
func Encode(w io.Writer, p *Program) error { panic("soon") }

// Decode reads a program file and compiles it with default Options.
func Decode(r io.Reader) (*Program, error) { panic("soon") }

// DecodeFor is Decode with Options.
func DecodeFor(r io.Reader, o Options) (*Program, error) { panic("soon") }
