package sparse

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"

	"evosr/internal/kernel"
	"evosr/network"
)

// Version names the runtime's behaviour in time: it changes whenever kernels,
// cost tables or the schedule change so that measured times no longer hold.
const Version = "5"

// Bounds of what may be asked for.
const (
	MaxThreads      = 256
	defaultMaxBytes = 4 << 30 // activations of one picture
)

// Options say for what a network is compiled.
type Options struct {
	Kernels  string // instruction set, as Program.Kernels names it: "avx512", "avx2", "neon", "go"; "" for the fastest of this processor
	Threads  int    // 0 for GOMAXPROCS, at most MaxThreads
	MaxBytes int64  // memory for the activations of one picture; 0 for 4 GiB
}

// compiled is what clones share: everything that does not change after
// Compile, and the plans.
type compiled struct {
	graph       *network.Graph     // what was compiled, dead channels removed
	net         *lowered           // what runs
	passes      []Pass             // what was done
	info        []LayerInfo        // of net's layers
	cuts        []cut              // of net's layers
	chained     []bool             // of net's layers: the next one computes it, too; nil: none
	transformed []*kernel.Winograd // of net's layers, nil where lists are faster
	half        bool               // weights were rounded to float16, and are written so
	params      int                // of the network as it was given
	kept, dense int                // MACs of the network as it was given
	set         *kernel.Set
	threads     int
	maxBytes    int64

	mu    sync.Mutex
	plans []*plan // the last sizes, newest last
}

// Program is a compiled network. It serves one goroutine at a time.
type Program struct {
	c           *compiled
	meta        map[string]string
	busy        atomic.Bool
	crew        *crew
	frame       *frame           // of the last size, nil before the first
	work, timed func(worker int) // one frame on one thread
}

// ErrInUse says that two goroutines ran one Program, or one ran a closed one.
var ErrInUse = errors.New("sparse: program: in use by another goroutine or closed, want a Clone for each")

// set is the kernels that o names.
func (o *Options) set() (*kernel.Set, error) {
	if o.Kernels == "" {
		return kernel.Best(), nil
	}
	var have []string
	for _, s := range kernel.Sets() {
		if s.Name == o.Kernels {
			return s, nil
		}
		have = append(have, s.Name)
	}
	return nil, fmt.Errorf("sparse: kernels: %q, want one of %q on this processor, or \"\" for the fastest", o.Kernels, have)
}

// finish runs the passes that depend on the device, for kernels of which only the
// name counts until a picture is run.
func finish(c *compiled, set *kernel.Set, o Options) (*Program, error) {
	if o.Threads == 0 {
		o.Threads = min(runtime.GOMAXPROCS(0), MaxThreads)
	}
	if o.Threads < 1 || o.Threads > MaxThreads {
		return nil, fmt.Errorf("sparse: threads: %d, want 1 to %d, or 0 for every core", o.Threads, MaxThreads)
	}
	if o.MaxBytes < 0 {
		return nil, fmt.Errorf("sparse: memory: %d bytes, want more than 0, or 0 for the default", o.MaxBytes)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	c.set, c.threads, c.maxBytes = set, o.Threads, o.MaxBytes
	table := tableFor(c.set.Name)
	if !c.net.planes && !c.net.mixed {
		layers, dummies := c.net.order(&table)
		c.pass("order", "%d layers' channels that keep weights in the same places were put side by side, with %d dummies", layers, dummies)
	}
	for i := range c.net.layers {
		info, k := table.describe(&c.net.layers[i])
		c.net.perPixel(i, &info)
		c.info, c.cuts = append(c.info, info), append(c.cuts, k)
	}
	if !c.net.planes {
		c.chain()
		const side = 960 // divides by all usual strides
		whole := &plan{w: side, h: side, layers: c.steps()}
		if err := whole.size(c.net); err != nil {
			return nil, err
		}
		whole.band(c.net, 1)
		whole.assign(c.net, 1)
		resident := 0
		for i, s := range whole.layers {
			if !s.local {
				resident += c.info[i].Out * s.mirror
			}
		}
		for i, s := range whole.layers {
			c.info[i].Local, c.info[i].Resident = s.local, resident
		}
	}
	c.chosen()
	return newProgram(c, map[string]string{}), nil
}

func newProgram(c *compiled, meta map[string]string) *Program {
	p := &Program{c: c, meta: meta, crew: newCrew(c.threads)}
	// A Program that was forgotten must not keep its threads for ever.
	runtime.AddCleanup(p, func(c *crew) { c.stop() }, p.crew)
	return p
}

// Clone returns a Program over the same weights and plans with memory and
// threads of its own, for another goroutine.
func (p *Program) Clone() *Program { return newProgram(p.c, maps.Clone(p.meta)) }

// Close stops the threads and frees the memory. Later runs return ErrInUse.
func (p *Program) Close() {
	if !p.busy.CompareAndSwap(false, true) {
		return // running, or closed before
	}
	p.crew.stop()
	p.frame = nil
}

// Scale is output pixels / input pixels along one side.
func (p *Program) Scale() int { return p.c.net.scale }

// Colors is the number of planes, 1 or 3.
func (p *Program) Colors() int { return p.c.net.colors }

// Threads is the number of goroutines that a run uses, the caller's included.
func (p *Program) Threads() int { return p.c.threads }

// Kernels names the instruction set of the kernels in use.
func (p *Program) Kernels() string { return p.c.set.Name }

// Params counts the kept weights and the biases of the network.
func (p *Program) Params() int { return p.c.params }

// MACs counts multiplications of the network per low-resolution pixel: those of
// kept weights, and those of all weights.
func (p *Program) MACs() (kept, dense int) { return p.c.kept, p.c.dense }

// Graph returns the network that was compiled, dead channels removed. Do not
// change it.
func (p *Program) Graph() *network.Graph { return p.c.graph }

// Reach bounds how many rows away a pixel of the input changes the output, in
// rows of the input, or is -1 where a change may reach everywhere.
func (p *Program) Reach() int { return p.c.net.reach() }

// MemoryBytes is what a run of a w x h picture holds beside the pictures that
// the caller has: activations, scratch memory and lists of weights.
func (p *Program) MemoryBytes(w, h int) (int64, error) {
	plan, err := p.c.planFor(w, h)
	if err != nil {
		return 0, err
	}
	return plan.bytes + plan.listBytes(), nil
}

// Meta is a copy of what is known about the network beside its weights.
func (p *Program) Meta() map[string]string { return maps.Clone(p.meta) }

// SetMeta replaces the metadata that Encode writes.
func (p *Program) SetMeta(meta map[string]string) {
	p.meta = maps.Clone(meta)
	if p.meta == nil {
		p.meta = map[string]string{}
	}
}

// LayerInfo says what became of one layer of the network.
type LayerInfo struct {
	Name            string
	Op              string  // "conv" or what else it does, as network.Op has it
	Act             string  // activation, "none" for none
	In, Out, Kernel int     // as compiled: channels, side of the filter
	Method          string  // MethodLists or MethodWinograd, for pictures that are not too narrow; "" where it is no convolution
	B               int     // output channels that most micro-kernels compute together
	Scheme          string  // as pruned, e.g. "block4"
	Density         float64 // kept weights / all weights of the network's layer
	Blocks          [4]int  // micro-kernels of 1, 2, 4 and 8 output channels
	BlockTaps       [4]int  // list entries summed over them
	Grouped         int     // of Blocks[2]: those whose entries have weights only for the channels that keep them; they are counted by channels fed, three as four
	Taps            int     // list entries, all blocks
	MACs            int     // multiplications per pixel that run, fill-up zeros included; Winograd's are of transformed values
	DenseMACs       int     // multiplications per pixel of the network's layer unpruned
	ReLU, Residual  bool
	Level           int     // rows of the picture for one of the output's, about: behind pools and strides
	Local           bool    // the output is not kept beyond a band of rows
	Chained         bool    // the next layer computes this one in strips that stay in the first-level cache; its time is the next layer's
	Resident        int     // rows of single channels that the whole program keeps beyond a band
	Speedup         float64 // estimated time of the layer unpruned / as compiled
	Pays            bool    // pruning makes this layer at least 5 % faster, by the same estimate
	Cost            float64 // estimated time of the layer for one pixel, in that of one multiply-add at the peak rate; 0 where it is no convolution
}

// Layers describes the compiled layers in the order in which they run. Layers
// that elimination removed are not there.
func (p *Program) Layers() []LayerInfo { return append([]LayerInfo(nil), p.c.info...) }
