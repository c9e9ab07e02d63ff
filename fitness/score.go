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
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// Score is what the search sees of a genome: quality on the validation
// pictures with inherited weights, predicted latency on the device.
type Score struct {
	Quality
	LatencyMS float64 `json:"latency_ms"` // predicted, one frame
	LowMS     float64 `json:"low_ms"`     // interval of the prediction
	HighMS    float64 `json:"high_ms"`
	Params    int     `json:"params"` // kept weights and biases
	MACs      int     `json:"macs"`   // executed multiplications, one frame
	Err       string  `json:"error,omitempty"`
}

// ScorerOptions says for which frames latency is predicted and how scoring is
// spread.
type ScorerOptions struct {
	Width, Height int // input frame, pixels
	Workers       int // genomes at a time; 0 means GOMAXPROCS
	Kernels       *kernel.Set
}

// Scorer scores genomes of one supernet on fixed validation pictures. It is
// safe for concurrent use and scores no genome twice.
type Scorer struct {
	net     *supernet.Supernet
	pairs   []imaging.Pair
	truths  []*Truth
	profile *deviceprofile.Profile
	o       ScorerOptions

	mu    sync.Mutex
	known map[string]Score // by genome text: all else is fixed for a Scorer
}

// NewScorer prepares the validation pictures. Their scale must be that of net.
func NewScorer(net *supernet.Supernet, val []imaging.Pair, profile *deviceprofile.Profile, o ScorerOptions) (*Scorer, error) {
	if len(val) == 0 {
		return nil, fmt.Errorf("fitness: scorer: no validation pictures")
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &Scorer{net: net, pairs: val, profile: profile, o: o, known: map[string]Score{}}
	scale := net.Space.Scale
	for _, p := range val {
		if p.HR.W != p.LR.W*scale || p.HR.H != p.LR.H*scale {
			return nil, fmt.Errorf("fitness: scorer: %s: %dx%d for %dx%d, want scale %d", p.Name, p.HR.W, p.HR.H, p.LR.W, p.LR.H, scale)
		}
		t, err := NewTruth(p.HR, scale)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		s.truths = append(s.truths, t)
	}
	return s, nil
}

// Score scores a batch, in its order. What goes wrong with one genome stands
// in its Score.Err; an error is returned only when ctx ends. A panic is a bug of
// ours and no score: it is raised here, as a *relay.Panic, whichever worker met
// it.
func (s *Scorer) Score(ctx context.Context, batch []space.Genome) ([]Score, error) {
	out := make([]Score, len(batch))
	next := make(chan int)
	var wg sync.WaitGroup
	var lost relay.Catcher
	score := func(i int) {
		defer lost.Catch()
		out[i] = s.one(batch[i])
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
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Scorer) one(g space.Genome) Score {
	key := g.String()
	s.mu.Lock()
	known, ok := s.known[key]
	s.mu.Unlock()
	if ok {
		return known
	}
	score, err := s.fresh(g)
	if err != nil {
		score = Score{Err: err.Error()}
	}
	s.mu.Lock()
	s.known[key] = score
	s.mu.Unlock()
	return score
}

func (s *Scorer) fresh(g space.Genome) (Score, error) {
	net, err := s.net.Extract(g)
	if err != nil {
		return Score{}, err
	}
	return s.Subnet(net)
}

// Subnet scores a network that need not come from the supernet's weights, such
// as a fine-tuned winner.
func (s *Scorer) Subnet(net *space.Subnet) (Score, error) {
	prog, err := sparse.Compile(net, sparse.Options{Kernels: s.o.Kernels, Threads: 1})
	if err != nil {
		return Score{}, err
	}
	defer prog.Close()
	score := s.Cost(prog, net)
	var scratch Scratch
	var sr *imaging.Plane
	for i, p := range s.pairs {
		if sr == nil || sr.W != p.HR.W || sr.H != p.HR.H {
			sr = imaging.NewPlane(p.HR.W, p.HR.H)
		}
		if err := prog.Upscale(sr.Pix, p.LR.Pix, p.LR.W, p.LR.H); err != nil {
			return Score{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		q, err := s.truths[i].Compare(sr, &scratch)
		if err != nil {
			return Score{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		score.Quality.add(q)
	}
	score.Quality = score.over(float64(len(s.pairs)))
	if math.IsNaN(score.PSNR) || math.IsNaN(score.SSIM) {
		return Score{}, fmt.Errorf("fitness: score: the network's output is not a number")
	}
	return score, nil
}

// Cost is the part of a Score that needs no pictures.
func (s *Scorer) Cost(prog *sparse.Program, net *space.Subnet) Score {
	w, h := s.o.Width, s.o.Height
	ms, low, high := s.profile.Predict(prog.Layers(), w, h, net.Scale)
	kept, _ := prog.MACs()
	return Score{LatencyMS: ms, LowMS: low, HighMS: high, Params: net.Params(), MACs: kept * w * h}
}
