package runner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"evosr/configs"
	"evosr/evolve"
	"evosr/fitness"
	"evosr/internal/stat"
	"evosr/rundir"
)

// Comparison holds searches against each other: the hypervolume of each as a
// share of what all of the same pictures, supernet and profile found together.
type Comparison struct {
	Objectives  []string         `json:"objectives"`
	Evaluations int              `json:"evaluations"` // of each run that count
	Runs        []ComparedRun    `json:"runs"`
	Groups      []ComparedGroup  `json:"groups"`
	Tests       []ComparisonTest `json:"tests"` // of every two groups
	Warnings    []string         `json:"warnings"`
}

// ComparedRun is one search.
type ComparedRun struct {
	Dir         string     `json:"dir"`
	Group       string     `json:"group"`
	Seed        uint64     `json:"seed"`
	SearchSeed  uint64     `json:"search_seed"`
	Evaluations int        `json:"evaluations"` // made
	Points      int        `json:"points"`      // of the front after those that count
	Hypervolume float64    `json:"hypervolume"`
	Ratio       float64    `json:"ratio"` // hypervolume / that of all runs together
	After       [2]float64 `json:"after"` // ratio after a quarter and a half of the evaluations
	End         string     `json:"end"`   // why the search ended, "" while it goes on

	setting [2]uint64 // the seeds, which pair runs of two groups
	world   string    // what hypervolumes must share to compare
	all     []rundir.Evaluation
	search  *configs.Search
	aims    fitness.Objectives
	ref     []float64
}

// ComparedGroup is the runs of one mode and config, whatever their seeds.
type ComparedGroup struct {
	Name   string  `json:"name"`
	Runs   int     `json:"runs"`
	Mean   float64 `json:"mean_ratio"`
	Median float64 `json:"median_ratio"`
	Min    float64 `json:"min_ratio"`
	Max    float64 `json:"max_ratio"`
}

// ComparisonTest says how surely one group is better than another. With the same
// seeds in both it is Wilcoxon's signed-rank test of the pairs, else the rank-sum
// test of Mann and Whitney; both are exact for as few runs as there usually are.
type ComparisonTest struct {
	A      string  `json:"a"`
	B      string  `json:"b"`
	Test   string  `json:"test"`       // "signed-rank" or "rank-sum"
	Wins   int     `json:"wins"`       // pairs in which A is above B, or of all combinations
	Pairs  int     `json:"pairs"`      //
	Gain   float64 `json:"mean_gain"`  // mean ratio of A minus that of B
	Above  float64 `json:"above"`      // share of all combinations in which A is above B; 0.5: no difference
	P      float64 `json:"p_two_side"` // of no difference
	Lowest float64 `json:"p_lowest"`   // the least p that so many runs can give
}

// Compare reads run directories, at least two, with the same objectives. Only
// the first evaluations of each run count: as many as the shortest has, or as
// asked for, where that is less and not 0. Runs may be unfinished. What cannot be
// compared is a *rundir.UsageError.
func Compare(dirs []string, evaluations int) (*Comparison, error) {
	if len(dirs) < 2 {
		return nil, rundir.Usagef("%d run directories, want at least 2", len(dirs))
	}
	c := &Comparison{Warnings: []string{}, Evaluations: math.MaxInt}
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			return nil, rundir.Usagef("%s is given twice", dir)
		}
		r, err := comparedRun(dir)
		if err != nil {
			return nil, err
		}
		c.Runs = append(c.Runs, *r)
		c.Evaluations = min(c.Evaluations, len(r.all))
		if c.Objectives == nil {
			c.Objectives = r.search.Objectives
		}
		if !slices.Equal(c.Objectives, r.search.Objectives) {
			return nil, rundir.Usagef("%s has the objectives %v, %s has %v: their hypervolumes do not compare", dirs[0], c.Objectives, dir, r.search.Objectives)
		}
	}
	if evaluations > 0 {
		c.Evaluations = min(c.Evaluations, evaluations)
	}
	if c.Evaluations == 0 {
		return nil, rundir.Usagef("a run has no evaluation yet")
	}
	c.name()
	if err := c.measure(); err != nil {
		return nil, err
	}
	c.group()
	return c, nil
}

func comparedRun(dir string) (*ComparedRun, error) {
	d, err := rundir.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	cfg := d.Config()
	r := &ComparedRun{Dir: dir, Seed: cfg.Seed, SearchSeed: cfg.Search.Seed, setting: [2]uint64{cfg.Seed, cfg.Search.Seed}, search: &cfg.Search}
	if r.aims, err = fitness.ParseObjectives(cfg.Search.Objectives); err != nil {
		return nil, err
	}
	if r.all, err = d.Evaluations(); err != nil {
		return nil, err
	}
	r.Evaluations = len(r.all)
	if r.End, _, err = d.SearchEnd(); err != nil {
		return nil, err
	}
	keys := []string{rundir.MetaValidation, rundir.MetaSupernet, rundir.MetaProfile}
	for _, t := range cfg.Devices {
		keys = append(keys, rundir.FurtherProfile(t.Name))
	}
	for _, key := range keys {
		fact, err := d.Meta(key)
		if err != nil {
			return nil, err
		}
		r.world += fact + "\n"
	}
	r.world += fmt.Sprintf("%dx%d", cfg.Device.Width, cfg.Device.Height)
	text, err := d.Meta(rundir.MetaReference)
	if err != nil {
		return nil, err
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &r.ref); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", rundir.ErrIntegrity, rundir.FileStore, err)
		}
	}
	// What the group is called by, beside the mode: everything but the seeds.
	same := *cfg
	same.Seed, same.Search.Seed, same.Search.Mode = 0, 0, "joint"
	r.Group = cfg.Search.Mode + " " + same.Hash()
	return r, nil
}

// name shortens the groups' names: the mode alone where all configs are alike.
func (c *Comparison) name() {
	mode := func(g string) string { return g[:len(g)-17] } // a blank and 16 digits
	hashes := map[string]bool{}
	for _, r := range c.Runs {
		hashes[r.Group[len(r.Group)-16:]] = true
	}
	for i := range c.Runs {
		g := &c.Runs[i].Group
		if len(hashes) == 1 {
			*g = mode(*g)
		} else {
			*g = mode(*g) + " " + (*g)[len(*g)-16:][:4]
		}
	}
	if len(hashes) > 1 {
		c.warn("the configs differ in more than mode and seeds: groups carry the beginning of the config's hash")
	}
}

func (c *Comparison) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// measure gives every run its hypervolumes.
func (c *Comparison) measure() error {
	worlds := map[string][]*ComparedRun{}
	for i := range c.Runs {
		r := &c.Runs[i]
		worlds[r.world] = append(worlds[r.world], r)
	}
	if len(worlds) > 1 {
		c.warn("the runs have %d different combinations of validation crops, supernet and profile: a ratio is to what the runs of the same one found", len(worlds))
	}
	for _, runs := range worlds {
		var union [][]float64
		fronts := make([][][]float64, len(runs))
		for i, r := range runs {
			fronts[i] = r.front(c.Evaluations)
			r.Points = len(fronts[i])
			union = append(union, fronts[i]...)
		}
		if len(union) == 0 {
			return rundir.Usagef("none of %s and %d others has a feasible network", runs[0].Dir, len(runs)-1)
		}
		if len(runs) == 1 {
			c.warn("%s stands alone: no other run has its validation crops, supernet and profile", runs[0].Dir)
		}
		ref := runs[0].ref
		for _, r := range runs[1:] {
			if !slices.Equal(r.ref, ref) {
				ref = nil
			}
		}
		if ref == nil {
			ref = beyond(union)
		}
		whole := evolve.Hypervolume(union, ref)
		for i, r := range runs {
			r.Hypervolume = evolve.Hypervolume(fronts[i], ref)
			if whole > 0 {
				r.Ratio = r.Hypervolume / whole
				for k, n := range []int{c.Evaluations / 4, c.Evaluations / 2} {
					r.After[k] = evolve.Hypervolume(r.front(n), ref) / whole
				}
			}
		}
	}
	return nil
}

// front gives the objectives of what the first n evaluations leave undominated.
func (r *ComparedRun) front(n int) [][]float64 {
	var f [][]float64
	for _, e := range r.all[:min(n, len(r.all))] {
		if e.Err == "" && e.Violation == 0 && !e.Estimated {
			f = append(f, r.aims.Minimised(&e.Values))
		}
	}
	var front [][]float64
	for _, i := range evolve.Nondominated(f) {
		front = append(front, f[i])
	}
	return front
}

// beyond is a reference for fronts that were searched with different ones: their
// worst values and a tenth of their range.
func beyond(f [][]float64) []float64 {
	ref := make([]float64, len(f[0]))
	for k := range ref {
		low, high := math.Inf(1), math.Inf(-1)
		for _, row := range f {
			low, high = min(low, row[k]), max(high, row[k])
		}
		ref[k] = high + max((high-low)/10, 1e-9*math.Abs(high))
	}
	return ref
}

// group sums the runs up and tests every two groups.
func (c *Comparison) group() {
	by := map[string][]*ComparedRun{}
	var names []string
	for i := range c.Runs {
		r := &c.Runs[i]
		if by[r.Group] == nil {
			names = append(names, r.Group)
		}
		by[r.Group] = append(by[r.Group], r)
	}
	c.Groups, c.Tests = []ComparedGroup{}, []ComparisonTest{}
	for _, name := range names {
		runs := by[name]
		slices.SortFunc(runs, func(a, b *ComparedRun) int { return slices.Compare(a.setting[:], b.setting[:]) })
		g := ComparedGroup{Name: name, Runs: len(runs)}
		values := ratiosOf(runs)
		for _, v := range values {
			g.Mean += v / float64(len(values))
		}
		slices.Sort(values)
		g.Min, g.Max = values[0], values[len(values)-1]
		g.Median = (values[(len(values)-1)/2] + values[len(values)/2]) / 2
		c.Groups = append(c.Groups, g)
	}
	slices.SortStableFunc(c.Groups, func(a, b ComparedGroup) int { return cmp.Compare(b.Mean, a.Mean) })
	for i, a := range c.Groups {
		for _, b := range c.Groups[i+1:] {
			t := test(by[a.Name], by[b.Name])
			t.A, t.B, t.Gain = a.Name, b.Name, a.Mean-b.Mean
			c.Tests = append(c.Tests, t)
		}
	}
}

func ratiosOf(runs []*ComparedRun) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = r.Ratio
	}
	return values
}

// test compares two groups, each sorted by its seeds.
func test(a, b []*ComparedRun) (t ComparisonTest) {
	x, y := ratiosOf(a), ratiosOf(b)
	paired := slices.EqualFunc(a, b, func(a, b *ComparedRun) bool { return a.setting == b.setting && a.world == b.world })
	for i := range a { // the same seed twice pairs nothing
		paired = paired && (i == 0 || a[i].setting != a[i-1].setting)
	}
	var p float64
	t.Above, p = stat.MannWhitney(x, y)
	if paired {
		t.Test, t.Pairs = "signed-rank", len(x)
		d := make([]float64, len(x))
		for i := range x {
			d[i] = x[i] - y[i]
			if d[i] > 0 {
				t.Wins++
			}
		}
		t.P, t.Lowest = stat.SignedRank(d), math.Pow(2, 1-float64(len(x)))
		return t
	}
	t.Test, t.Pairs, t.P = "rank-sum", len(x)*len(y), p
	for _, u := range x {
		for _, v := range y {
			if u > v {
				t.Wins++
			}
		}
	}
	t.Lowest = 2
	for i := range len(x) { // 2 / (len(x)+len(y) over len(x))
		t.Lowest *= float64(i+1) / float64(len(y)+i+1)
	}
	t.Lowest = min(1, t.Lowest)
	return t
}

// Seeds names a run's repeat: the seed, and that of the search where it has its
// own.
func (r *ComparedRun) Seeds() string {
	if r.SearchSeed == 0 {
		return strconv.FormatUint(r.Seed, 10)
	}
	return fmt.Sprintf("%d/%d", r.Seed, r.SearchSeed)
}
