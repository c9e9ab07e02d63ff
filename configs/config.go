package configs

import (
	"fmt"

	"evosr/space"
)

// Config is one experiment, resolved: every default is filled in.
type Config struct {
	Seed    uint64
	Threads int // of the runtime that is searched for; 0 means every core of this machine

	Data    Data
	Space   space.Space
	Train   Train
	Device  Device
	Devices []Target // further ones
	Search  Search
	Winners Winners
}

// Procedural stands in place of a folder for pictures that evosr draws itself.
const Procedural = "procedural"

// Pretrained stands in place of a file for the weights that evosr carries for
// the config's scale, and Pretrained + ":xN" for those of scale N.
const Pretrained = "pretrained"

// PretrainedScale is the scale of the carried weights that from names; ok is
// false where it names none. own is the config's scale.
func PretrainedScale(from string, own int) (scale int, ok bool) {
	if from == Pretrained {
		return own, true
	}
	for scale := 2; scale <= 4; scale++ {
		if from == fmt.Sprintf("%s:x%d", Pretrained, scale) {
			return scale, true
		}
	}
	return 0, false
}

// carried says whether a value names weights that evosr carries.
func carried(value string) bool {
	_, ok := PretrainedScale(value, 0)
	return ok
}

// Data says which pictures are trained on and scored on.
type Data struct {
	Train           string // folder of pictures (absolute), or Procedural
	Validation      string // folder of pictures (absolute), or Procedural
	Pictures        int    // procedural training pictures
	Size            int    // side of a procedural picture, pixels of high resolution
	ValidationCrops int    // crops that score a genome
	ValidationSize  int    // side of a validation crop, pixels of high resolution
	MaxMegapixels   int    // larger files are refused
}

// Train is the training of the supernet.
type Train struct {
	From          string  // weights to start from: a file (absolute), carried ones (PretrainedScale), or "" for none
	Steps         int     // 0 takes the weights of From as they are
	Batch         int     // patches a step
	Patch         int     // side of a patch, pixels of low resolution
	Rate          float64 // peak learning rate
	Subnets       int     // random subnets a step beside the largest and the smallest
	LargestPruned int     // of Subnets, those that are the largest network with random prunings
	SubnetBatch   int     // patches of a step that each network but the largest is trained on; 0: all
	SubnetWeight  float64 // of the loss of each network but the largest, whose own counts 1, in (0, 1]
	Partitions    Partitions
	Distill       float64 // share of the loss against the largest subnet's output, in [0, 1]
	Checkpoint    int     // steps between checkpoints
}

// Device is what the winners must run on.
type Device struct {
	Profile       string // profile file (absolute) or "builtin:smoke"; "" measures this machine
	Width, Height int    // input picture of the latency objective, pixels
	AllowStale    bool   // accept a profile of another machine or version
}

// Target is a further device: every network is predicted on it, too. It need
// not be the machine that searches.
type Target struct {
	Name          string  // its objective is fitness.LatencyOn and this
	Profile       string  // profile file (absolute)
	Width, Height int     // input picture, pixels
	BudgetMS      float64 // predicted latency no genome may exceed; 0 for none
}

// Search is the evolutionary search.
type Search struct {
	Mode        string // "joint", "staged", "local", "regularised" or "random"
	Seed        uint64 // of the search alone; 0 for Config.Seed
	Population  int
	Evaluations int      // budget
	Objectives  []string // names of fitness.Objectives
	BudgetMS    float64  // predicted latency no genome may exceed; 0 for none
	MaxParams   int      // kept weights and biases no genome may exceed; 0 for none
	MaxMemoryMB float64  // of one frame no genome may exceed, in 10^6 bytes; 0 for none
	Stall       int      // evaluations without growing hypervolume that end the search; 0 for never
	MaxMinutes  float64  // of searching; 0 for no end
	Screen      bool     // score on a few crops first
	Refit       int      // patches that a network's last layer is refitted to before it is scored; 0 for inherited weights
	Finetune    int      // steps that a network is trained alone before it is scored; 0 for none
	Lag         int      // child i is bred from results before i-Lag
}

// Winners says how many points of the front are finished and how.
type Winners struct {
	Count       int       // the knee and the best of evenly spread latencies
	BudgetsMS   []float64 // the best under each of these is a winner, too
	Finetune    int       // steps; 0 keeps the inherited weights
	MeasureRuns int       // timed frames of a winner
}
