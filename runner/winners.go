package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"evosr/fitness"
	"evosr/internal/whole"
	"evosr/network"
	"evosr/onnx"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// winners finishes the chosen points of the front, one after the other; each
// stands on its own, so that a resumed run makes only those that are missing.
func (r *run) winners(ctx context.Context) error {
	chosen, err := r.chosen()
	if err != nil {
		return err
	}
	before, err := r.efforts(chosen)
	if err != nil {
		return err
	}
	var j *joinery
	for i, c := range chosen {
		if c.Card != "" {
			sound, err := r.sound(c)
			if err != nil {
				return err
			}
			if sound {
				continue
			}
			if err := r.store.SetCard(c.ID, ""); err != nil {
				return err
			}
			if err := r.store.Event(rundir.StageWinners, "%s: its files are not those of its card; it is made again", c.ID); err != nil {
				return err
			}
		}
		if j == nil {
			if j, err = r.newJoinery(ctx); err != nil {
				return err
			}
		}
		tell := func(what string, part float64) {
			r.report.tell(rundir.StageWinners, fmt.Sprintf("%s: %s", c.ID, what), before[i]+part*(before[i+1]-before[i]), before[len(chosen)], 0)
		}
		card, err := j.finish(ctx, c, tell)
		if err != nil {
			return err
		}
		if err := r.store.SetCard(c.ID, card); err != nil {
			return err
		}
		if err := r.store.Event(rundir.StageWinners, "%s finished: %s", c.ID, c.Reason); err != nil {
			return err
		}
	}
	r.report.tell(rundir.StageWinners, "done", before[len(chosen)], before[len(chosen)], 0)
	return r.store.SetMeta(rundir.MetaWinnersReady, "yes")
}

// efforts gives for each winner, and for the end, which part of the work comes before
// it, in winners of mean size: what it takes grows with its multiplications.
func (r *run) efforts(chosen []rundir.Choice) ([]float64, error) {
	front, err := r.store.Front()
	if err != nil {
		return nil, err
	}
	const always = 0.2 // of the largest one's effort: what every one takes, whatever its size
	macs, most := map[string]float64{}, 1.0
	for _, e := range front {
		macs[e.ID] = float64(e.MACs)
	}
	for _, c := range chosen {
		most = max(most, macs[c.ID])
	}
	before := []float64{0}
	for i, c := range chosen {
		before = append(before, before[i]+always*most+macs[c.ID])
	}
	all := before[len(chosen)]
	for i := range before {
		before[i] *= float64(len(chosen)) / max(all, 1)
	}
	return before, nil
}

// chosen gives the winners, choosing them when the front is new.
func (r *run) chosen() ([]rundir.Choice, error) {
	list, err := r.store.Winners()
	if err != nil || len(list) > 0 {
		return list, err
	}
	front, err := r.store.Front()
	if err != nil {
		return nil, err
	}
	points := make([]rundir.Point, len(front))
	for i, e := range front {
		points[i] = e.Point
	}
	for _, b := range r.cfg.Winners.BudgetsMS {
		if fastest := points[0].LatencyMS; fastest > b { // they are sorted by latency
			if err := r.store.Event(rundir.StageWinners, "no winner under %.4g ms: the fastest of the front is predicted to take %.4g ms", b, fastest); err != nil {
				return nil, err
			}
		}
	}
	points, budgets, err := r.onBudget(points)
	if err != nil {
		return nil, err
	}
	list = choose(points, r.quality(), budgets, r.cfg.Winners.Count)
	return list, r.store.SetWinners(list)
}

// quality is what the config maximises.
func (r *run) quality() func(rundir.Point) float64 {
	o, _ := r.aims.Quality() // a config without one is refused
	return func(p rundir.Point) float64 { return o.Of(&p.Values) }
}

// sound says whether a finished winner's files are what its card says.
func (r *run) sound(c rundir.Choice) (bool, error) {
	var card rundir.Card
	if err := json.Unmarshal([]byte(c.Card), &card); err != nil {
		return false, fmt.Errorf("%w: card of %s: %w", rundir.ErrIntegrity, c.ID, err)
	}
	dir := filepath.Join(r.dir, rundir.DirWinners, c.ID)
	for name, want := range card.Files {
		if got, err := rundir.HashFile(filepath.Join(dir, name)); err != nil || got != want {
			return false, nil
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileCard))
	return err == nil && string(text) == c.Card, nil
}

// joinery is what all winners share.
type joinery struct {
	*run
	scorer  *fitness.Scorer
	source  supernet.Source // nil without fine-tuning
	refit   func(*network.Graph) (*network.Graph, error)
	outputs *supernet.TeacherOutputs // for all winners; nil where none are wanted
	genomes map[string]rundir.Evaluation
	dense   fitness.Quality // of the largest subnet
	bicubic fitness.Quality
}

func (r *run) newJoinery(ctx context.Context) (*joinery, error) {
	j := &joinery{run: r, genomes: map[string]rundir.Evaluation{}}
	var err error
	if j.scorer, err = r.scorer(nil); err != nil {
		return nil, err
	}
	front, err := r.store.Front()
	if err != nil {
		return nil, err
	}
	for _, e := range front {
		j.genomes[e.ID] = e
	}
	largest, err := r.net.Extract(r.cfg.Space.Largest())
	if err != nil {
		return nil, err
	}
	score, err := j.scorer.Subnet(largest)
	if err != nil {
		return nil, err
	}
	j.dense = score.Quality
	bicubic, err := fitness.Evaluate(ctx, nil, r.pictures.Validation, r.cfg.Space.Scale)
	if err != nil {
		return nil, err
	}
	j.bicubic = bicubic.Mean
	var set supernet.Source
	if r.cfg.Winners.Finetune > 0 || r.cfg.Search.Refit > 0 {
		if set, err = r.dataset(ctx, rundir.StageWinners); err != nil {
			return nil, err
		}
	}
	if j.refit, err = refitOf(r.cfg, set); err != nil {
		return nil, err
	}
	if r.cfg.Winners.Finetune > 0 {
		j.source = set
		if c := &r.cfg.Train; c.Distill > 0 {
			teacher, err := j.teacher(largest)
			if err != nil {
				return nil, err
			}
			j.outputs, err = supernet.Teach(ctx, teacher, j.source, supernet.TeachOptions{
				Count: supernet.TeacherOutputsFor(r.cfg.Winners.Finetune, c.Batch), Patch: c.Patch, Seed: rundir.Stream(r.cfg.Seed, "lessons")})
			if err != nil {
				return nil, err
			}
		}
	}
	return j, nil
}

// teacher is what winners are taught by: the largest subnet, or, where the
// weights come from a larger space of the same scale, the best network of that if
// it is better.
func (j *joinery) teacher(largest *network.Graph) (*network.Graph, error) {
	if j.cfg.Train.From == "" {
		return largest, nil
	}
	all, part, notes, err := named(j.cfg)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(j.sameFrom(rundir.MetaFrom, part), j.sameFrom(rundir.MetaTeacher, all)); err != nil {
		return nil, err
	}
	if all.Space.Scale != part.Space.Scale {
		return largest, nil
	}
	best, err := all.Best(notes)
	if err != nil {
		return nil, fmt.Errorf("%w: train.from: %s: its best network: %w", rundir.ErrUsage, j.cfg.Train.From, err)
	}
	score, err := j.scorer.Subnet(best)
	if err != nil {
		return nil, err
	}
	if score.PSNR <= j.dense.PSNR {
		return largest, nil
	}
	return best, j.store.Event(rundir.StageWinners, "taught by the best network of %s, %.2f dB; the largest of this space has %.2f dB", j.cfg.Train.From, score.PSNR, j.dense.PSNR)
}

// finish makes winners/<id> whole and gives its card.
func (j *joinery) finish(ctx context.Context, c rundir.Choice, tell func(what string, part float64)) (string, error) {
	point, ok := j.genomes[c.ID]
	if !ok {
		return "", fmt.Errorf("%w: winner %s is not on the front", rundir.ErrIntegrity, c.ID)
	}
	g, err := space.ParseGenome(point.Genome)
	if err != nil {
		return "", fmt.Errorf("%w: winner %s: %w", rundir.ErrIntegrity, c.ID, err)
	}
	net, err := j.net.Extract(g)
	if err != nil {
		return "", err
	}
	if net, err = j.refit(net); err != nil {
		return "", err
	}
	inherited, err := j.scorer.Subnet(net)
	if err != nil {
		return "", err
	}
	tuned, score, err := j.tune(ctx, c.ID, net, inherited, tell)
	if err != nil {
		return "", err
	}
	prog, err := sparse.Compile(tuned, sparse.Options{Threads: j.profile.Threads})
	if err != nil {
		return "", err
	}
	defer prog.Close()
	card := &rundir.Card{
		ID: c.ID, Genome: point.Genome, Reason: c.Reason, Scale: tuned.Scale, Colors: tuned.Colors, Version: Version, Config: j.cfg.Hash(),
		Metric: fitness.Definition, Inherited: inherited.Quality, Finetuned: score.Quality, Dense: j.dense, Bicubic: j.bicubic,
		Params: score.Params, MACs: score.MACs, Files: map[string]string{},
	}
	tell("measuring", 0.9)
	if err := j.time(card, tuned, prog, score); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	tell("exporting", 0.97)
	return j.export(card, prog)
}

// tune fine-tunes a winner from net, which scores from, distilling from the
// teacher; its score is that of the weights that ship.
func (j *joinery) tune(ctx context.Context, id string, net *network.Graph, from fitness.Score, tell func(string, float64)) (*network.Graph, fitness.Score, error) {
	if j.source == nil {
		return net, from, nil
	}
	c := &j.cfg.Train
	steps := j.cfg.Winners.Finetune
	quality := j.quality()
	validate := func(s *network.Graph) (float64, error) {
		score, err := j.scorer.Subnet(s)
		return quality(rundir.Point{Values: score.Values()}), err
	}
	tuned, err := supernet.FineTune(ctx, net, j.outputs, j.source, validate, supernet.FineTuneOptions{
		Steps: steps, Batch: c.Batch, Patch: c.Patch, Rate: c.Rate, Distill: c.Distill, Seed: rundir.Stream(j.cfg.Seed, "fine-tuning "+id),
		Progress: func(done int) { tell("fine-tuning", 0.9*float64(done)/float64(steps)) },
	})
	if err != nil {
		return nil, fitness.Score{}, err
	}
	score, err := j.scorer.Subnet(tuned)
	return tuned, score, err
}

// time measures a winner on this machine and writes what it found on the card.
func (j *joinery) time(card *rundir.Card, net *network.Graph, prog *sparse.Program, score fitness.Score) error {
	w, h, runs := j.cfg.Device.Width, j.cfg.Device.Height, j.cfg.Winners.MeasureRuns
	latency, layers, err := latencyOf(prog, w, h, runs)
	if err != nil {
		return err
	}
	_, dense := prog.MACs()
	card.DenseMACs = dense * w * h
	card.Latency = latency
	card.Latency.Predict(score.LatencyMS, score.LowMS, score.HighMS)
	if card.Latency.Stale, err = j.stale(); err != nil {
		return err
	}
	for i, info := range prog.Layers() {
		card.Layers = append(card.Layers, rundir.CardLayer{LayerInfo: info, MedianMS: milliseconds(layers[i]), P90MS: layers[i].P90.Seconds() * 1000})
	}
	card.Devices, err = j.elsewhere(net, prog)
	return err
}

// export writes model, program and card into a folder of its own, which gets
// its name when all are there.
func (j *joinery) export(card *rundir.Card, prog *sparse.Program) (text string, err error) {
	parent := filepath.Join(j.dir, rundir.DirWinners)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, ".tmp-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	meta := j.meta(card)
	prog.SetMeta(meta)
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{rundir.FileONNX, func(w io.Writer) error { return onnx.Export(w, prog.Graph(), onnx.ExportOptions{Meta: meta}) }},
		{rundir.FileProgram, func(w io.Writer) error { return sparse.Encode(w, prog) }},
	} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return "", err
		}
		path := filepath.Join(dir, f.name)
		if err := whole.WriteBytes(path, b.Bytes()); err != nil {
			return "", err
		}
		if card.Files[f.name], err = rundir.HashFile(path); err != nil {
			return "", err
		}
	}
	out, err := json.MarshalIndent(card, "", "  ")
	if err != nil {
		return "", err
	}
	out = append(out, '\n')
	if err := whole.WriteBytes(filepath.Join(dir, rundir.FileCard), out); err != nil {
		return "", err
	}
	final := filepath.Join(parent, card.ID)
	if err := os.RemoveAll(final); err != nil { // of a card that the database does not know
		return "", err
	}
	return string(out), os.Rename(dir, final)
}

// meta is what a winner's files say about it.
func (j *joinery) meta(card *rundir.Card) map[string]string {
	fixed := func(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
	return map[string]string{
		"evosr_version":   Version,
		"config_hash":     card.Config,
		"id":              card.ID,
		"genome":          card.Genome,
		"scale":           strconv.Itoa(card.Scale),
		"metric":          card.Metric,
		"psnr_db":         fixed(card.Finetuned.PSNR, 4),
		"ssim":            fixed(card.Finetuned.SSIM, 6),
		"bicubic_psnr_db": fixed(card.Bicubic.PSNR, 4),
		"params":          strconv.Itoa(card.Params),
		"supernet_hash":   j.net.Hash(),
		"validation_hash": j.pictures.ValidationHash,
	}
}
