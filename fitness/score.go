package fitness

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"evosr/deviceprofile"
	"evosr/imaging"
	"evosr/internal/kernel"
	"evosr/internal/relay"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// Score is what the search sees of a genome: quality on the validation
// pictures with inherited weights, tuned or not, predicted latency on the device.
type Score struct {
	Quality
	Estimated   bool    `json:"estimated,omitempty"` // Quality is of some of the pictures, put on the scale of all
	LatencyMS   float64 `json:"latency_ms"`          // predicted, one frame
	LowMS       float64 `json:"low_ms"`              // interval of the prediction
	HighMS      float64 `json:"high_ms"`
	Params      int     `json:"params"`       // kept weights and biases
	MACs        int     `json:"macs"`         // executed multiplications, one frame
	MemoryBytes int64   `json:"memory_bytes"` // that the runtime takes for one frame; 0 when not asked for
	Err         string  `json:"error,omitempty"`

	Others []Latency `json:"others,omitempty"` // on further devices, in the order of ScorerOptions.Others
}

// ScorerOptions say for which frames latency is predicted and how scoring is
// spread.
type ScorerOptions struct {
	Width, Height int    // input frame, pixels
	Workers       int    // genomes at a time; 0 means GOMAXPROCS
	Kernels       string // as in sparse.Options
	Memory        bool   // scores tell of it
	Cache         Cache  // nil for none
	Others        []Device

	// Tune improves a genome's network before its quality is measured, nil for
	// none: weights may change, shapes and masks must not. Equal genomes must
	// give equal networks. Tuned says how, for the cache. Calls come from several
	// goroutines; one that ends because ctx does says nothing of its genome.
	Tune  func(ctx context.Context, g space.Genome, net *network.Graph) (*network.Graph, error)
	Tuned string
}

// Scorer scores genomes of one supernet on fixed validation pictures. It is
// safe for concurrent use and measures nothing twice.
type Scorer struct {
	net     *supernet.Supernet
	pairs   []imaging.Pair
	truths  []*Truth
	profile *deviceprofile.Profile
	o       ScorerOptions
	content string // hash of everything that a score depends on but the genome
	all     []int  // indices of the pictures
	steps   []step // of Screen; none before Calibrate

	mu    sync.Mutex
	known map[string]record // by genome text: all else is fixed for a Scorer
}

// NewScorer prepares the validation pictures. Their scale must be that of net.
func NewScorer(net *supernet.Supernet, val []imaging.Pair, profile *deviceprofile.Profile, o ScorerOptions) (*Scorer, error) {
	if len(val) == 0 {
		return nil, fmt.Errorf("fitness: scorer: no validation pictures")
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Kernels == "" {
		o.Kernels = kernel.Best().Name
	}
	if _, err := kernel.ByName(o.Kernels); err != nil {
		return nil, fmt.Errorf("fitness: scorer: %w", err)
	}
	s := &Scorer{net: net, pairs: val, profile: profile, o: o, known: map[string]record{}}
	scale := net.Space.Scale
	for i, p := range val {
		if p.HR.W != p.LR.W*scale || p.HR.H != p.LR.H*scale {
			return nil, fmt.Errorf("fitness: scorer: %s: %dx%d for %dx%d, want scale %d", p.Name, p.HR.W, p.HR.H, p.LR.W, p.LR.H, scale)
		}
		t, err := NewTruth(p.HR, scale)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		s.truths, s.all = append(s.truths, t), append(s.all, i)
	}
	var err error
	s.content, err = s.contentHash()
	return s, err
}

// Score scores a batch, in its order. What goes wrong with one genome stands
// in its Score.Err; an error is returned only when ctx ends or the cache fails.
// A panic is a bug of ours and no score: it is raised here, as a *relay.Panic,
// whichever worker met it.
func (s *Scorer) Score(ctx context.Context, batch []space.Genome) ([]Score, error) {
	return s.Screen(ctx, batch, nil)
}

// Screen is Score in steps: after a few pictures enough(i, bound) may say that
// genome i need not be measured on the others. bound has the costs of the
// genome, which are exact, and a quality that it does not surpass, as far as
// Calibrate could tell. The Score is then Estimated. enough is called from
// several goroutines.
func (s *Scorer) Screen(ctx context.Context, batch []space.Genome, enough func(i int, bound Score) bool) ([]Score, error) {
	out := make([]Score, len(batch))
	errs := make([]error, len(batch))
	next := make(chan int)
	var wg sync.WaitGroup
	var lost relay.Catcher
	score := func(i int) {
		defer lost.Catch()
		var stop func(Score) bool
		if enough != nil {
			stop = func(bound Score) bool { return enough(i, bound) }
		}
		out[i], errs[i] = s.one(ctx, batch[i], stop)
	}
	for range min(s.o.Workers, len(batch)) {
		wg.Go(func() {
			for i := range next {
				score(i)
			}
		})
	}
	var err error
	for i := range batch {
		if err = ctx.Err(); err != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	lost.Raise()
	for _, e := range errs {
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// one scores a genome, measuring what is not known of it.
func (s *Scorer) one(ctx context.Context, g space.Genome, enough func(Score) bool) (Score, error) {
	key := g.String()
	r, err := s.recall(key)
	if err != nil || r.Err != "" {
		return Score{Err: r.Err}, err
	}
	job := &job{scorer: s, record: r, genome: g}
	score, failed := job.climb(ctx, enough)
	switch {
	case failed != nil && ctx.Err() != nil: // it may have been stopped: no fault of the genome's
		job.close()
		return Score{}, ctx.Err()
	case failed != nil:
		job.record = record{Err: failed.Error()}
		score = Score{Err: job.record.Err}
	}
	job.close()
	if job.fresh || failed != nil {
		err = s.keep(key, job.record)
	}
	return score, err
}

// Subnet scores a network that need not come from the supernet's weights, such
// as a fine-tuned winner.
func (s *Scorer) Subnet(net *network.Graph) (Score, error) {
	job := &job{scorer: s, subnet: net, given: true}
	defer job.close()
	return job.climb(context.Background(), nil) // not tuned: nothing that a context would stop
}

// Cost is the part of a genome's Score that needs no pictures.
func (s *Scorer) Cost(g space.Genome) (Score, error) {
	s.mu.Lock()
	r, ok := s.known[g.String()]
	s.mu.Unlock()
	if ok && r.Err == "" {
		return r.Cost, nil
	}
	job := &job{scorer: s, genome: g}
	defer job.close()
	err := job.compile()
	return job.record.Cost, err
}

// job is one network while it is measured.
type job struct {
	scorer *Scorer
	genome space.Genome
	subnet *network.Graph // nil to extract the genome's
	record record
	fresh  bool // something was measured
	given  bool // the subnet is no genome's: it is not tuned

	prog    *sparse.Program
	scratch Scratch
	sr      *imaging.Plane
}

// climb measures up to the step that is enough, or everything.
func (j *job) climb(ctx context.Context, enough func(Score) bool) (Score, error) {
	s := j.scorer
	if enough != nil {
		for _, step := range s.steps {
			if err := j.measure(ctx, step.pictures); err != nil {
				return Score{}, err
			}
			estimate, bound := step.of(&j.record)
			if enough(bound) {
				return estimate, nil
			}
		}
	}
	if err := j.measure(ctx, s.all); err != nil {
		return Score{}, err
	}
	score := j.record.Cost
	score.Quality = j.record.mean(s.all)
	return score, nil
}

// compile makes the program that is measured, and knows its costs.
func (j *job) compile() error {
	s := j.scorer
	if j.subnet == nil {
		var err error
		if j.subnet, err = s.net.Extract(j.genome); err != nil {
			return err
		}
	}
	var err error
	if j.prog, err = sparse.Compile(j.subnet, sparse.Options{Kernels: s.o.Kernels, Threads: 1}); err != nil {
		return err
	}
	w, h := s.o.Width, s.o.Height
	c := &j.record.Cost
	first := Device{Profile: s.profile, Width: w, Height: h}
	l, err := first.Predict(j.subnet, j.prog)
	if err != nil {
		return err
	}
	c.LatencyMS, c.LowMS, c.HighMS, c.Others = l.MS, l.LowMS, l.HighMS, nil
	for i := range s.o.Others {
		if l, err = s.o.Others[i].Predict(j.subnet, j.prog); err != nil {
			return err
		}
		c.Others = append(c.Others, l)
	}
	kept, _ := j.prog.MACs()
	c.Params, c.MACs = j.subnet.Params(), kept*w*h
	if s.o.Memory {
		c.MemoryBytes, err = s.memory(j.subnet)
	}
	return err
}

// tune has the network improved whose costs are known.
func (j *job) tune(ctx context.Context) error {
	s := j.scorer
	if s.o.Tune == nil || j.given {
		return nil
	}
	better, err := s.o.Tune(ctx, j.genome, j.subnet)
	if err != nil {
		return err
	}
	prog, err := sparse.Compile(better, sparse.Options{Kernels: s.o.Kernels, Threads: 1})
	if err != nil {
		return err
	}
	j.prog.Close()
	j.prog, j.subnet = prog, better
	return nil
}

// memory is what a frame takes with as many threads as the profile has.
func (s *Scorer) memory(net *network.Graph) (int64, error) {
	prog, err := sparse.Compile(net, sparse.Options{Kernels: s.o.Kernels, Threads: s.profile.Threads})
	if err != nil {
		return 0, err
	}
	defer prog.Close()
	return prog.MemoryBytes(s.o.Width, s.o.Height)
}

// measure upscales those of the pictures that are not known.
func (j *job) measure(ctx context.Context, pictures []int) error {
	s := j.scorer
	for _, at := range pictures {
		if _, known := j.record.of(at); known {
			continue
		}
		if j.prog == nil {
			if err := j.compile(); err != nil {
				return err
			}
			if err := j.tune(ctx); err != nil {
				return err
			}
		}
		p := s.pairs[at]
		if j.sr == nil || j.sr.W != p.HR.W || j.sr.H != p.HR.H {
			j.sr = imaging.NewPlane(p.HR.W, p.HR.H)
		}
		if err := j.prog.Upscale(j.sr.Pix, p.LR.Pix, p.LR.W, p.LR.H); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		q, err := s.truths[at].Compare(j.sr, &j.scratch)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if math.IsNaN(q.PSNR) || math.IsNaN(q.SSIM) {
			return fmt.Errorf("fitness: score: the network's output is not a number")
		}
		j.record.Parts = append(j.record.Parts, part{at, q})
		j.fresh = true
	}
	return nil
}

func (j *job) close() {
	if j.prog != nil {
		j.prog.Close()
	}
}
