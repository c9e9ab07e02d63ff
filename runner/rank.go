package runner

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// StageRank is the one stage of Rank.
const StageRank = "rank"

// RankOptions say how the order that inherited weights give to networks is
// tried.
type RankOptions struct {
	Genomes     int    // networks, spread over the range of latencies
	Short, Long int    // steps of the fine-tunings that stand for the truth
	Journal     string // file that results are appended to as they are done, and continued from
	Report      func(Progress)
}

// Ranked is one network of a Ranking.
type Ranked struct {
	Genome    string  `json:"genome"`
	LatencyMS float64 `json:"latency_ms"` // predicted
	Params    int     `json:"params"`     // kept weights and biases
	MACs      int     `json:"macs"`       // kept multiplications, one pixel of low resolution
	Inherited float64 `json:"inherited_psnr_db"`
	Refitted  float64 `json:"refitted_psnr_db"` // as search.refit says: what a search sees
	Short     float64 `json:"short_psnr_db"`    // after a fine-tuning of Short steps, masks fixed
	Long      float64 `json:"long_psnr_db"`
}

// Correlation is how well one number orders networks as another does.
type Correlation struct {
	Kendall  float64 `json:"kendall_tau"` // tau-b
	Spearman float64 `json:"spearman"`
}

// Ranking is what Rank found.
type Ranking struct {
	Networks   []Ranked `json:"networks"` // fastest first
	ShortSteps int      `json:"short_steps"`
	LongSteps  int      `json:"long_steps"`
	Spread     float64  `json:"spread"` // latency of the slowest / of the fastest
	Profile    string   `json:"profile"`

	// Against the PSNR after the fine-tunings, by what orders the networks:
	// "inherited", "refitted", "params" or "macs".
	Short map[string]Correlation `json:"short"`
	Long  map[string]Correlation `json:"long"`
}

// Rank draws networks of a supernet over the whole range of latencies and holds
// the order that inherited weights give them, as they are and refitted, on the
// validation crops of cfg, against the order after each was fine-tuned alone,
// without a teacher, from the weights as they are. Latency only spreads the draw:
// a profile of another machine will do.
func Rank(ctx context.Context, net *supernet.Supernet, cfg *configs.Config, profile *deviceprofile.Profile, o RankOptions) (*Ranking, error) {
	if o.Genomes < 2 || o.Short < 1 || o.Long < o.Short {
		return nil, fmt.Errorf("%w: rank: %d networks, %d and %d steps, want at least 2 and rising steps", rundir.ErrUsage, o.Genomes, o.Short, o.Long)
	}
	sized := *cfg
	sized.Space = *net.Space
	k := &ranking{run: run{cfg: &sized, net: net, profile: profile, report: reporter{to: o.Report}}, o: o}
	list, err := k.drawn(ctx)
	if err != nil {
		return nil, err
	}
	if err := k.prepare(ctx); err != nil {
		return nil, err
	}
	for _, x := range list { // so that the time left is that of the others
		for _, steps := range []int{o.Short, o.Long} {
			if _, ok := k.known[entry(x.Genome, steps)]; ok {
				k.done += steps
			}
		}
	}
	for i := range list {
		if err := k.network(ctx, &list[i], i); err != nil {
			return nil, err
		}
	}
	k.report.tell(StageRank, "done", float64(k.total()), float64(k.total()), 0)
	r := &Ranking{Networks: list, ShortSteps: o.Short, LongSteps: o.Long, Spread: list[len(list)-1].LatencyMS / list[0].LatencyMS}
	r.Short, r.Long = correlations(list, func(x Ranked) float64 { return x.Short }), correlations(list, func(x Ranked) float64 { return x.Long })
	return r, nil
}

// ranking is one call of Rank.
type ranking struct {
	run
	o     RankOptions
	probe *probe
	set   supernet.Source
	refit func(*network.Graph) (*network.Graph, error)
	key   string             // of everything but the network and the steps
	known map[string]float64 // PSNR by genome and steps
	done  int                // steps, those of the journal included
}

// drawsEach is how many genomes are drawn for each that is taken.
const drawsEach = 20

// drawn picks, out of many random genomes, those whose latencies are nearest to
// an even spread of their logarithm, fastest first.
func (k *ranking) drawn(ctx context.Context) ([]Ranked, error) {
	rng := rand.New(rand.NewPCG(rundir.Stream(k.cfg.Seed, "rank"), 0))
	var all []Ranked
	seen := map[string]bool{}
	for range drawsEach * k.o.Genomes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g := k.net.Space.Random(rng)
		if seen[g.String()] {
			continue
		}
		seen[g.String()] = true
		x, err := k.cost(g)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	if len(all) < k.o.Genomes {
		return nil, fmt.Errorf("%w: rank: %d networks were drawn from the space, want %d", rundir.ErrUsage, len(all), k.o.Genomes)
	}
	slices.SortStableFunc(all, func(a, b Ranked) int { return cmp.Compare(a.LatencyMS, b.LatencyMS) })
	return spread(all, k.o.Genomes), nil
}

// spread takes n of a list that is sorted by latency.
func spread(all []Ranked, n int) []Ranked {
	low, high := math.Log(all[0].LatencyMS), math.Log(all[len(all)-1].LatencyMS)
	var list []Ranked
	from := 0
	for i := range n {
		target := low + (high-low)*float64(i)/float64(n-1)
		best := from
		// As many must stay as are still to be taken.
		for j := from; j <= len(all)-(n-i); j++ {
			if math.Abs(math.Log(all[j].LatencyMS)-target) < math.Abs(math.Log(all[best].LatencyMS)-target) {
				best = j
			}
		}
		list = append(list, all[best])
		from = best + 1
	}
	return list
}

func (k *ranking) cost(g space.Genome) (Ranked, error) {
	sub, err := k.net.Extract(g)
	if err != nil {
		return Ranked{}, err
	}
	prog, err := sparse.Compile(sub, sparse.Options{Threads: 1})
	if err != nil {
		return Ranked{}, err
	}
	defer prog.Close()
	macs, _ := sub.MACs()
	ms, _, _ := k.profile.Predict(prog.Layers(), k.cfg.Device.Width, k.cfg.Device.Height, sub.Scale)
	return Ranked{Genome: g.String(), LatencyMS: ms, Params: sub.Params(), MACs: macs}, nil
}

// prepare gets the pictures and what the journal knows.
func (k *ranking) prepare(ctx context.Context) error {
	tell := func(what string) func(done, total int) {
		return func(done, total int) { k.report.tell(rundir.StageData, what, float64(done), float64(total), 0) }
	}
	p, err := rundir.LoadPictures(ctx, k.cfg, func(what string, done, total int) { tell(what)(done, total) })
	if err != nil {
		return err
	}
	if p.Validation == nil {
		if err := p.DrawValidation(ctx, k.cfg, tell("drawing validation pictures")); err != nil {
			return err
		}
	}
	k.pictures = p
	if p.TrainHash == "" {
		if err := k.drawTrain(ctx, rundir.StageData); err != nil {
			return err
		}
	}
	if k.set, err = k.deal(ctx, rundir.StageData); err != nil {
		return err
	}
	if k.refit, err = refitOf(k.cfg, k.set); err != nil {
		return err
	}
	k.probe = newProbe(k.net.Space, p.Validation)
	c := &k.cfg.Train
	k.key = fmt.Sprintf("%.16s %.16s %.16s batch %d patch %d rate %v seed %d", k.net.Hash(), p.TrainHash, p.ValidationHash, c.Batch, c.Patch, c.Rate, k.cfg.Seed)
	return k.remember()
}

// measured is a line of the journal.
type measured struct {
	Key    string  `json:"key"`
	Genome string  `json:"genome"`
	Steps  int     `json:"steps"`
	PSNR   float64 `json:"psnr_db"`
}

// maxLine bounds a line of a journal, bytes.
const maxLine = 1 << 16

// remember reads the journal. Lines of other supernets, pictures or settings
// are passed over, and so is one that a kill cut.
func (k *ranking) remember() error {
	k.known = map[string]float64{}
	f, err := os.Open(k.o.Journal)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: journal: %w", rundir.ErrUsage, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var m measured
		if json.Unmarshal(lines.Bytes(), &m) == nil && m.Key == k.key {
			k.known[entry(m.Genome, m.Steps)] = m.PSNR
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: journal %s: %w", rundir.ErrUsage, k.o.Journal, err)
	}
	return nil
}

func entry(genome string, steps int) string { return fmt.Sprint(steps, " ", genome) }

// record adds a line to the journal.
func (k *ranking) record(m measured) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(k.o.Journal, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("%w: journal: %w", rundir.ErrUsage, err)
	}
	// What a kill left of a line is ended.
	if end, err := f.Seek(-1, io.SeekEnd); err == nil {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end); err == nil && last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	_, err = io.Copy(f, bytes.NewReader(append(text, '\n')))
	return errors.Join(err, f.Sync(), f.Close())
}

func (k *ranking) total() int { return k.o.Genomes * (k.o.Short + k.o.Long) }

// network scores one network in its three states.
func (k *ranking) network(ctx context.Context, x *Ranked, i int) error {
	g, err := space.ParseGenome(x.Genome)
	if err != nil {
		return err
	}
	net, err := k.net.Extract(g)
	if err != nil {
		return err
	}
	if x.Inherited, err = k.probe.subnet(net); err != nil {
		return err
	}
	if net, err = k.refit(net); err != nil {
		return err
	}
	if x.Refitted, err = k.probe.subnet(net); err != nil {
		return err
	}
	for _, part := range []struct {
		steps int
		psnr  *float64
	}{{k.o.Short, &x.Short}, {k.o.Long, &x.Long}} {
		tell := func(steps int) {
			k.report.tell(StageRank, fmt.Sprintf("network %d of %d", i+1, k.o.Genomes), float64(k.done+steps), float64(k.total()), 0)
		}
		known, ok := k.known[entry(x.Genome, part.steps)]
		if ok {
			*part.psnr = known
			continue
		}
		if *part.psnr, err = k.tuned(ctx, g, part.steps, tell); err != nil {
			return err
		}
		if err := k.record(measured{k.key, x.Genome, part.steps, *part.psnr}); err != nil {
			return err
		}
		k.done += part.steps
	}
	return nil
}

// tuned is a network's PSNR after it was trained alone from its inherited
// weights.
func (k *ranking) tuned(ctx context.Context, g space.Genome, steps int, tell func(steps int)) (float64, error) {
	sub, err := k.net.Extract(g)
	if err != nil {
		return 0, err
	}
	c := &k.cfg.Train
	better, err := supernet.FineTune(ctx, sub, nil, k.set, nil, supernet.FineTuneOptions{
		Steps: steps, Batch: c.Batch, Patch: c.Patch, Rate: c.Rate, Seed: rundir.Stream(k.cfg.Seed, "rank "+g.ID()), Progress: tell,
	})
	if err != nil {
		return 0, err
	}
	return k.probe.subnet(better)
}
