package supernet

import (
	"encoding/json"
	"fmt"
	"slices"
)

const formatTraining = "training/7"

// progress is the part of a checkpoint that is not tensors.
type progress struct {
	Options  fingerprint `json:"options"`
	Step     int         `json:"step"`
	Updates  int         `json:"updates"`
	Good     int         `json:"good_updates"` // of the weights that a bad step goes back to
	Moves    []int       `json:"moves"`        // updates of each tensor
	GoodOnes []int       `json:"good_moves"`
	Factor   float64     `json:"factor"`
	Refusals int         `json:"refusals"`
	Calm     int         `json:"calm"`
	Losses   []float64   `json:"losses"`
	Norms    []float64   `json:"norms"`
}

// fingerprint is the options that a run cannot change half-way: threads and
// kernels are not among them.
type fingerprint struct {
	Steps      int     `json:"steps"`
	Batch      int     `json:"batch"`
	Patch      int     `json:"patch"`
	Subnets    int     `json:"subnets"`
	Pruned     int     `json:"pruned,omitempty"`
	Part       int     `json:"subnet_batch,omitempty"`
	Weight     float64 `json:"subnet_weight,omitempty"`
	Partitions string  `json:"parts,omitempty"` // comparable
	Elastic    bool    `json:"elastic,omitempty"`
	Rate       float64 `json:"rate"`
	Distill    float64 `json:"distill"`
	Seed       uint64  `json:"seed"`
}

func (o *Options) parts() string {
	if len(o.Partitions) == 0 {
		return ""
	}
	return fmt.Sprint(o.Partitions)
}

func (o *Options) fingerprint() fingerprint {
	return fingerprint{o.Steps, o.Batch, o.Patch, o.Subnets, o.LargestPruned, o.SubnetBatch, o.SubnetWeight, o.parts(), o.Elastic, o.Rate, o.Distill, o.Seed}
}

// Save writes everything that the next steps depend on, atomically: also the
// weights that a bad step rolls back to, which follow from the steps alone and
// not from when a training was saved. It changes nothing.
func (t *Trainer) Save(path string) error {
	o := &t.engine.opt
	text, err := json.Marshal(progress{
		Options: t.o.fingerprint(), Step: t.step, Updates: o.updates, Good: o.good.updates, Moves: o.moves, GoodOnes: o.good.moves, Factor: t.factor, Refusals: t.refusals, Calm: t.calm,
		Losses: o.losses, Norms: o.norms,
	})
	if err != nil {
		return fmt.Errorf("supernet: save %s: %w", path, err)
	}
	var tensors []stored
	for _, part := range o.parts() {
		tensors = append(tensors, o.bank.stored(part.name, part.data)...)
	}
	return writeTensors(path, tensors, map[string]string{
		metaFormat: formatTraining, metaSpace: string(spaceText(t.net.Space, t.net.Partitions)), metaTraining: string(text),
	})
}

type part struct {
	name string
	data []float32
}

// parts lists what a step changes, by the prefix of its tensors in a file.
func (o *optimizer) parts() []part {
	return append(o.state.parts(""), o.good.parts("good/")...)
}

func (s *state) parts(prefix string) []part {
	return []part{{prefix + "weights/", s.weights}, {prefix + "m/", s.m}, {prefix + "v/", s.v}, {prefix + "average/", s.average}}
}

// Restore continues where the trainer that saved the file was. A file of
// another space or other options is refused and leaves the trainer as it was.
func (t *Trainer) Restore(path string) error {
	tensors, meta, err := readTensors(path)
	if err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("supernet: restore %s: "+format, append([]any{path}, args...)...)
	}
	if got := meta[metaFormat]; got != formatTraining {
		return bad("format: %q, want %q", got, formatTraining)
	}
	if got, want := meta[metaSpace], string(spaceText(t.net.Space, t.net.Partitions)); got != want {
		return bad("space: %s, want %s", got, want)
	}
	var p progress
	if err := json.Unmarshal([]byte(meta[metaTraining]), &p); err != nil {
		return bad("training: %w", err)
	}
	if want := t.o.fingerprint(); p.Options != want {
		return bad("options: %+v, want %+v", p.Options, want)
	}
	if p.Step < 0 || p.Step > t.steps || p.Updates < 0 || p.Updates > p.Step || p.Good < 0 || p.Good > p.Updates || !(p.Factor >= leastFactor && p.Factor <= 1) || p.Calm < 0 ||
		p.Refusals < 0 || p.Refusals >= maxRefusals || len(p.Losses) > history || len(p.Norms) != len(p.Losses) {
		return bad("training: step %d of %d with %d updates, rate factor %v, %d refusals is no state of a training", p.Step, t.steps, p.Updates, p.Factor, p.Refusals)
	}
	o := &t.engine.opt
	for _, moves := range [][]int{p.Moves, p.GoodOnes} {
		if len(moves) != len(o.moves) || slices.ContainsFunc(moves, func(n int) bool { return n < 0 || n > p.Updates }) {
			return bad("training: %v is no number of updates for each of %d tensors", moves, len(o.moves))
		}
	}
	for _, part := range o.parts() {
		if err := fits(o.bank.tensors, part.name, tensors); err != nil {
			return bad("%w", err)
		}
	}
	for _, part := range o.parts() {
		o.bank.fill(part.name, tensors, part.data)
	}
	o.updates, o.good.updates = p.Updates, p.Good
	copy(o.moves, p.Moves)
	copy(o.good.moves, p.GoodOnes)
	o.losses = append(o.losses[:0], p.Losses...)
	o.norms = append(o.norms[:0], p.Norms...)
	t.step, t.factor, t.refusals, t.calm = p.Step, p.Factor, p.Refusals, p.Calm
	t.watched = 0
	t.feed.drop()
	return nil
}
