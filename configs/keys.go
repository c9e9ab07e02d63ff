package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"evosr/fitness"
	"evosr/network"
	"evosr/space"
)

// A key is one entry of a config file. The table of keys is the only place that
// names them: defaults, the strict reader, the writer, the JSON Schema and the
// comparison of two configs all follow it.
type key struct {
	section string // "" for the top level
	name    string
	value   string           // default, as YAML
	lo, hi  float64          // range of a number, or of every number of a list
	words   []string         // what a string may be; nil for any
	free    bool             // does not change a run's result
	field   func(*draft) any // pointer to the value; its type says how it is read
	doc     string
}

func (k *key) path() string {
	if k.section == "" {
		return k.name
	}
	return k.section + "." + k.name
}

// draft is a Config while it is read or written. In a file the slots are either
// a number of like ones or a list.
type draft struct {
	Config
	count int          // slots that are all as alike says; 0 when each counts
	alike space.Slot   // also what an entry of the list holds by default
	each  []space.Slot // the slots, each on its own
}

// The types of values that Go's own types do not tell apart.
type (
	location string // a path, relative to the config file
	ratios   []int  // pruned parts in (0, 0.95], kept as whole percents
	slotList draft  // a number, or a list of slots
	targets  []Target
	aims     []string // objectives
	wholes   []int    // whole numbers
	reals    []float64
	once     []float64 // of a kind of block without expansions: whether it is allowed
)

const maxList = 64 // entries of a list

// objectives names those that are maximised, or the others.
func objectives(maximised bool) (list []string) {
	for _, o := range fitness.AllObjectives() {
		if o.Maximised == maximised {
			list = append(list, o.Name)
		}
	}
	return list
}

// wordsOf is how a config writes the rows of a table.
func wordsOf[T fmt.Stringer](rows []T) []string {
	var list []string
	for _, r := range rows {
		list = append(list, r.String())
	}
	return list
}

// blockKeys are the keys of the kinds of blocks.
func blockKeys() []key {
	var list []key
	for _, kind := range space.Widest() {
		k := key{section: "space", name: kind.String(), value: strconv.FormatBool(len(kind.Usual()) > 0), doc: fmt.Sprintf("a slot may hold %s", kind.Doc()),
			field: func(d *draft) any { return (*once)(&d.alike.Blocks[kind]) }}
		if kind.Expands() {
			k.value, k.lo, k.hi = flow(kind.Usual(), decimal), 0.5, space.MaxExpansion
			k.field = func(d *draft) any { return (*reals)(&d.alike.Blocks[kind]) }
			k.doc = fmt.Sprintf("expansions of a %v block (%s): hidden channels / trunk width", kind, kind.Doc())
		}
		list = append(list, k)
	}
	return list
}

// keys is the table, in the order in which a config is written.
func keys() []key {
	return slices.Concat([]key{
		{name: "seed", value: "1", field: func(d *draft) any { return &d.Seed },
			doc: "every random number of the run follows from it"},
		{name: "threads", value: "0", lo: 0, hi: 256, field: func(d *draft) any { return &d.Threads },
			doc: "threads of the upscaler that is searched for; 0: every core of this machine"},
		{name: "scale", value: "2", lo: 2, hi: 4, field: func(d *draft) any { return &d.Space.Scale },
			doc: "enlargement: 2, 3 or 4"},
		{name: "colors", value: "1", lo: 1, hi: 1, field: func(d *draft) any { return &d.Space.Colors },
			doc: "planes the network sees; 1: luma (colour is upscaled beside it)"},
		{name: "devices", value: "[]", lo: 0, hi: 8, field: func(d *draft) any { return (*targets)(&d.Devices) },
			doc: "further devices: {name, profile, width, height, budget_ms}; objective latency_ms:NAME"},

		{section: "data", name: "train", value: Procedural, field: func(d *draft) any { return (*location)(&d.Data.Train) },
			doc: "folder of training pictures, or procedural"},
		{section: "data", name: "validation", value: Procedural, field: func(d *draft) any { return (*location)(&d.Data.Validation) },
			doc: "folder of pictures that score genomes, or procedural"},
		{section: "data", name: "pictures", value: "96", lo: 1, hi: 65536, field: func(d *draft) any { return &d.Data.Pictures },
			doc: "procedural training pictures"},
		{section: "data", name: "size", value: "256", lo: 32, hi: 4096, field: func(d *draft) any { return &d.Data.Size },
			doc: "side of a procedural picture, pixels of high resolution"},
		{section: "data", name: "validation_crops", value: "8", lo: 1, hi: 1024, field: func(d *draft) any { return &d.Data.ValidationCrops },
			doc: "crops that score a genome"},
		{section: "data", name: "validation_size", value: "128", lo: 32, hi: 4096, field: func(d *draft) any { return &d.Data.ValidationSize },
			doc: "side of such a crop, pixels of high resolution"},
		{section: "data", name: "max_megapixels", value: "64", lo: 1, hi: 1024, free: true, field: func(d *draft) any { return &d.Data.MaxMegapixels },
			doc: "larger picture files are refused, megapixels"},

		{section: "space", name: "widths", value: "[8, 12, 16]", lo: 4, hi: space.MaxWidth, field: func(d *draft) any { return (*wholes)(&d.Space.Widths) },
			doc: "trunk channels to choose from, ascending multiples of 4"},
		{section: "space", name: "skip", value: "true", field: func(d *draft) any { return &d.alike.Skip },
			doc: "a slot may be left out"},
	}, blockKeys(), []key{
		{section: "space", name: "activations", value: "[relu]", words: wordsOf(space.Activations()), field: func(d *draft) any { return &d.alike.Activations },
			doc: "of a block, those of the largest and the smallest network first: relu, leaky (slope 0.1), prelu (learned slopes), silu"},
		{section: "space", name: "slots", value: "6", lo: 1, hi: space.MaxSlots, field: func(d *draft) any { return (*slotList)(d) },
			doc: "slots of the trunk: a number, or a list of {" + strings.Join(slotKeys(), ", ") + "}"},
		{section: "space", name: "schemes", value: "[filter, block4, block8, unstructured]", words: wordsOf(network.Schemes()), field: func(d *draft) any { return &d.Space.Schemes },
			doc: "how a convolution may be pruned; dense is always allowed"},
		{section: "space", name: "ratios", value: "[0.25, 0.5, 0.75, 0.85]", lo: 0.01, hi: network.MaxPercent / 100., field: func(d *draft) any { return (*ratios)(&d.Space.Percents) },
			doc: "pruned weights / all weights to choose from, ascending, whole percents"},

		{section: "train", name: "from", value: `""`, field: func(d *draft) any { return (*location)(&d.Train.From) },
			doc: "weights to start from: pretrained (or pretrained:x2, of another scale), or a file of a space that holds this one; empty: none"},
		{section: "train", name: "steps", value: "8000", lo: 0, hi: 100e6, field: func(d *draft) any { return &d.Train.Steps },
			doc: "training steps of the supernet; 0: the weights of from as they are"},
		{section: "train", name: "batch", value: "8", lo: 1, hi: 1024, field: func(d *draft) any { return &d.Train.Batch },
			doc: "patches a step"},
		{section: "train", name: "patch", value: "32", lo: 8, hi: 256, field: func(d *draft) any { return &d.Train.Patch },
			doc: "side of a patch, pixels of low resolution"},
		{section: "train", name: "rate", value: "0.0015", lo: 1e-8, hi: 1, field: func(d *draft) any { return &d.Train.Rate },
			doc: "peak learning rate"},
		{section: "train", name: "subnets", value: "3", lo: 0, hi: 64, field: func(d *draft) any { return &d.Train.Subnets },
			doc: "random subnets a step beside the largest and the smallest"},
		{section: "train", name: "subnet_batch", value: "0", lo: 0, hi: 1024, field: func(d *draft) any { return &d.Train.SubnetBatch },
			doc: "patches that each network but the largest is trained on; 0: all of a step"},
		{section: "train", name: "subnet_weight", value: "1", lo: 0.001, hi: 1, field: func(d *draft) any { return &d.Train.SubnetWeight },
			doc: "of the loss of each network but the largest, whose own counts 1"},
		{section: "train", name: "largest_pruned", value: "0", lo: 0, hi: 64, field: func(d *draft) any { return &d.Train.LargestPruned },
			doc: "of these, how many are the largest network with random prunings"},
		{section: "train", name: "partitions", value: "{}", field: func(d *draft) any { return &d.Train.Partitions },
			doc: "of the space by cost, with weights of their own: {borders, pruned, train}; empty: as from has"},
		{section: "train", name: "distill", value: "0.5", lo: 0, hi: 1, field: func(d *draft) any { return &d.Train.Distill },
			doc: "share of the loss taken against the largest subnet's output"},
		{section: "train", name: "checkpoint", value: "200", lo: 1, hi: 100e6, free: true, field: func(d *draft) any { return &d.Train.Checkpoint },
			doc: "steps between checkpoints"},

		{section: "device", name: "profile", value: `""`, free: true, field: func(d *draft) any { return (*location)(&d.Device.Profile) },
			doc: "device profile to search for; empty: measure this machine"},
		{section: "device", name: "width", value: "320", lo: 8, hi: 16384, field: func(d *draft) any { return &d.Device.Width },
			doc: "input picture of the latency objective, pixels"},
		{section: "device", name: "height", value: "180", lo: 8, hi: 16384, field: func(d *draft) any { return &d.Device.Height },
			doc: "input picture of the latency objective, pixels"},
		{section: "device", name: "allow_stale", value: "false", free: true, field: func(d *draft) any { return &d.Device.AllowStale },
			doc: "accept a profile of another machine or version"},

		{section: "search", name: "mode", value: "joint", words: []string{"joint", "staged", "local", "regularised", "random"}, field: func(d *draft) any { return &d.Search.Mode },
			doc: "joint: architecture and pruning at once (NSGA-II); staged: the ratios last; local, regularised, random: baselines"},
		{section: "search", name: "seed", value: "0", field: func(d *draft) any { return &d.Search.Seed },
			doc: "random numbers of the search alone, to repeat it on the same supernet and pictures; 0: those of seed"},
		{section: "search", name: "population", value: "32", lo: 4, hi: 4096, field: func(d *draft) any { return &d.Search.Population },
			doc: "members of the population"},
		{section: "search", name: "evaluations", value: "800", lo: 4, hi: 10e6, field: func(d *draft) any { return &d.Search.Evaluations },
			doc: "genomes scored in all"},
		{section: "search", name: "objectives", value: "[psnr_db, latency_ms]", words: slices.Concat(objectives(true), objectives(false)), field: func(d *draft) any { return (*aims)(&d.Search.Objectives) },
			doc: "any of psnr_db, ssim, latency_ms, latency_ms:DEVICE, params, macs: a quality, and a cost unless there is a budget"},
		{section: "search", name: "budget_ms", value: "0", lo: 0, hi: 1e9, field: func(d *draft) any { return &d.Search.BudgetMS },
			doc: "predicted latency that no genome may exceed, milliseconds; 0: none"},
		{section: "search", name: "max_params", value: "0", lo: 0, hi: 1e9, field: func(d *draft) any { return &d.Search.MaxParams },
			doc: "weights and biases that no genome may exceed; 0: none"},
		{section: "search", name: "max_memory_mb", value: "0", lo: 0, hi: 1e6, field: func(d *draft) any { return &d.Search.MaxMemoryMB },
			doc: "memory of one frame that no genome may exceed, megabytes; 0: none"},
		{section: "search", name: "stall", value: "0", lo: 0, hi: 10e6, field: func(d *draft) any { return &d.Search.Stall },
			doc: "end when so many evaluations in a row brought no hypervolume (0.01 %); 0: never"},
		{section: "search", name: "max_minutes", value: "0", lo: 0, hi: 1e6, field: func(d *draft) any { return &d.Search.MaxMinutes },
			doc: "end the search after so many minutes of it; the front then depends on the clock; 0: never"},
		{section: "search", name: "screen", value: "true", field: func(d *draft) any { return &d.Search.Screen },
			doc: "score on a few crops first, and on all only what may still enter the front"},
		{section: "search", name: "refit", value: "64", lo: 0, hi: 4096, field: func(d *draft) any { return &d.Search.Refit },
			doc: "training patches that a network's last layer is refitted to, in closed form, before it is scored; 0: inherited weights as they are"},
		{section: "search", name: "finetune", value: "0", lo: 0, hi: 1e6, field: func(d *draft) any { return &d.Search.Finetune },
			doc: "steps that a network is trained alone before it is scored; 0: none, which does where weights rank truly (evosr supernet rank)"},
		{section: "search", name: "lag", value: "8", lo: 1, hi: 1024, field: func(d *draft) any { return &d.Search.Lag },
			doc: "child i is bred from the results before i-lag, so that workers need not wait"},

		{section: "winners", name: "count", value: "5", lo: 1, hi: 64, field: func(d *draft) any { return &d.Winners.Count },
			doc: "points of the front that are finished: the knee, the best under each budget, and a spread"},
		{section: "winners", name: "budgets_ms", value: "[]", lo: 0, hi: 1e9, field: func(d *draft) any { return (*reals)(&d.Winners.BudgetsMS) },
			doc: "the best under each of these predicted latencies is a winner, milliseconds"},
		{section: "winners", name: "finetune", value: "1500", lo: 0, hi: 100e6, field: func(d *draft) any { return &d.Winners.Finetune },
			doc: "fine-tuning steps of a winner, masks fixed; 0: inherited weights"},
		{section: "winners", name: "measure_runs", value: "30", lo: 3, hi: 10000, field: func(d *draft) any { return &d.Winners.MeasureRuns },
			doc: "timed frames of a winner"},
	})
}

// sections names the mappings of a config file and what each is about.
func sections() [][2]string {
	return [][2]string{
		{"", "evosr: one experiment. Every key may be left out."},
		{"data", "Which pictures are trained on and scored on."},
		{"space", "What the search may choose from."},
		{"train", "Training of the weight-shared supernet."},
		{"device", "What the winners must run on."},
		{"search", "Evolution of architecture and pruning."},
		{"winners", "What is done with the best of the front."},
	}
}

// settle turns the slots as written into the slots of the space.
func (d *draft) settle() {
	if d.count > 0 {
		d.Space.Slots = slices.Repeat([]space.Slot{d.alike}, d.count)
		for i, s := range d.Space.Slots { // no two slots share a list
			d.Space.Slots[i] = s.Clone()
		}
	} else {
		d.Space.Slots = d.each
	}
	for i := range d.Devices {
		if t := &d.Devices[i]; t.Width == 0 {
			t.Width, t.Height = d.Device.Width, d.Device.Height
		}
	}
}

// draftOf is the inverse of settle.
func draftOf(c *Config) *draft {
	d := &draft{Config: *c, each: c.Space.Slots}
	if n := len(d.each); n > 0 && !slices.ContainsFunc(d.each, func(s space.Slot) bool { return !s.Same(d.each[0]) }) {
		d.count, d.alike, d.each = n, d.each[0], nil
	}
	return d
}
