package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"evosr/fitness"
	"evosr/space"
)

// problem is what is wrong with values that are each legal on their own.
type problem struct {
	paths []string // where it shows first, then what else is involved
	text  string
}

const (
	maxPixels     = 1 << 29 // of all procedural pictures: 2 GiB as float32
	maxBatch      = 1 << 26 // pixels of high resolution in a training step: about 1 GiB
	maxPartitions = 10      // of the space, with weights of their own
	maxFrame      = 1 << 24 // pixels of the latency objective's input
)

// problems holds the resolved config against the rules that involve more than
// one key.
func (c *Config) problems() []problem {
	var list []problem
	bad := func(paths string, format string, args ...any) {
		list = append(list, problem{strings.Fields(paths), fmt.Sprintf(format, args...)})
	}
	list = append(list, c.spaceProblems()...)

	t, d := &c.Train, &c.Data
	switch {
	case t.From == Procedural || strings.HasPrefix(t.From, builtin):
		bad("train.from", "%s, want %s, %[2]s:x2 to %[2]s:x4, a file of weights, or nothing", quote(t.From), Pretrained)
	case t.From == "" && t.Steps == 0:
		bad("train.steps train.from", "0 without weights to start from, want at least 1, or train.from")
	}
	if t.LargestPruned > t.Subnets {
		bad("train.largest_pruned train.subnets", "%d, want at most the random subnets, %d", t.LargestPruned, t.Subnets)
	}
	if t.SubnetBatch > t.Batch {
		bad("train.subnet_batch train.batch", "%d, want at most the patches of a step, %d", t.SubnetBatch, t.Batch)
	}
	list = append(list, t.Partitions.problems()...)
	if side := t.Patch * c.Space.Scale; d.Train == Procedural && side > d.Size {
		bad("train.patch data.size scale", "%d pixels at scale %d need pictures of at least %d, but data.size is %d", t.Patch, c.Space.Scale, side, d.Size)
	}
	if side := t.Patch * c.Space.Scale; t.Batch*side*side > maxBatch {
		bad("train.batch train.patch scale", "%d patches of %d pixels at scale %d make %d megapixels a step, want at most %d", t.Batch, t.Patch, c.Space.Scale, t.Batch*side*side>>20, maxBatch>>20)
	}
	if d.Train == Procedural && d.Pictures*d.Size*d.Size > maxPixels {
		bad("data.pictures data.size", "%d pictures of %dx%d hold %d megapixels, want at most %d", d.Pictures, d.Size, d.Size, d.Pictures*d.Size*d.Size>>20, maxPixels>>20)
	}
	if d.Validation == Procedural && d.ValidationSize > d.Size {
		bad("data.validation_size data.size", "%d, want at most data.size, %d", d.ValidationSize, d.Size)
	}
	if d.ValidationCrops*d.ValidationSize*d.ValidationSize > maxPixels {
		bad("data.validation_crops data.validation_size", "%d crops of %dx%d, want at most %d megapixels in all", d.ValidationCrops, d.ValidationSize, d.ValidationSize, maxPixels>>20)
	}
	for _, pv := range [][2]string{{"data.train", d.Train}, {"data.validation", d.Validation}} {
		if pv[1] == "" || carried(pv[1]) || strings.HasPrefix(pv[1], builtin) {
			bad(pv[0], "%s, want a folder or %s", quote(pv[1]), Procedural)
		}
	}
	if p := c.Device.Profile; p == Procedural || carried(p) {
		bad("device.profile", "%s, want a profile file, or \"\" to measure this machine", p)
	} else if name, ok := strings.CutPrefix(p, builtin); ok && !slices.Contains(builtinProfiles(), name) {
		bad("device.profile", "%s, want %s", quote(p), builtin+strings.Join(builtinProfiles(), " or "+builtin))
	}
	if px := c.Device.Width * c.Device.Height; px > maxFrame {
		bad("device.width device.height", "%dx%d pixels, want at most %d megapixels", c.Device.Width, c.Device.Height, maxFrame>>20)
	}

	list = append(list, c.deviceProblems()...)

	s := &c.Search
	if s.Population > s.Evaluations {
		bad("search.population search.evaluations", "%d members, want at most the %d evaluations", s.Population, s.Evaluations)
	}
	if s.Lag > s.Population {
		bad("search.lag search.population", "%d, want at most the population, %d", s.Lag, s.Population)
	}
	if s.Quality() == "" {
		bad("search.objectives", "nothing of the picture among them, want %s", oneOf(objectives(true)))
	}
	if s.Cost() == "" && s.BudgetMS == 0 && !slices.ContainsFunc(c.Devices, func(t Target) bool { return t.BudgetMS > 0 }) && s.MaxParams == 0 && s.MaxMemoryMB == 0 {
		bad("search.objectives", "no cost to trade quality against, want %s, or a budget", oneOf(objectives(false)))
	}
	if s.Mode == "staged" && len(c.Space.Percents) == 0 {
		bad("search.mode space.ratios", "staged without ratios, want some to search in its second part")
	}
	for i, b := range c.Winners.BudgetsMS {
		if b == 0 {
			bad("winners.budgets_ms", "0, want a latency above 0 milliseconds")
		} else if slices.Contains(c.Winners.BudgetsMS[:i], b) {
			bad("winners.budgets_ms", "%v stands in the list twice", b)
		}
	}
	return list
}

// Quality is the objective that winners are chosen by: the first of the
// picture's, or "".
func (s *Search) Quality() string { return s.first(true) }

// Cost is the first objective that is a cost, or "".
func (s *Search) Cost() string { return s.first(false) }

func (s *Search) first(maximised bool) string {
	i := slices.IndexFunc(s.Objectives, func(name string) bool {
		o, err := fitness.ObjectiveOf(name)
		return err == nil && o.Maximised == maximised
	})
	if i < 0 {
		return ""
	}
	return s.Objectives[i]
}

// spaceProblems turns what space.Validate says into problems with the names
// that a config uses.
func (c *Config) spaceProblems() []problem {
	err := c.Space.Validate()
	if err == nil {
		return nil
	}
	all := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		all = j.Unwrap()
	}
	paths := map[string]string{"scale": "scale", "colors": "colors", "widths": "space.widths", "schemes": "space.schemes", "percents": "space.ratios"}
	var list []problem
	told := map[[2]string]bool{} // slots that are alike have the same faults
	for _, e := range all {
		var f *space.Fault
		if !errors.As(e, &f) {
			panic(fmt.Sprintf("configs: space: %v is no fault of a space", e))
		}
		if told[[2]string{f.Part, f.Text}] {
			continue
		}
		told[[2]string{f.Part, f.Text}] = true
		if path := paths[f.Part]; path != "" {
			list = append(list, problem{[]string{path}, f.Text})
		} else { // a slot's lists may be the section's
			list = append(list, problem{append([]string{"space.slots"}, slotPaths()...), f.Place() + ": " + f.Text})
		}
	}
	return list
}

// Validate holds a config that was made or changed by a program against the
// rules of the file format. All faults are joined.
func (c *Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, fmt.Errorf("configs: %s: %s", p.paths[0], p.text))
	}
	if len(errs) == 0 { // ranges and types, by the strict reader
		if _, err := Parse("config", c.YAML()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// slotPaths are the keys that say what every slot may hold.
func slotPaths() []string {
	var list []string
	for _, name := range slotKeys() {
		list = append(list, "space."+name)
	}
	return list
}
