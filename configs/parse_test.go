package configs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"evosr/network"
	"evosr/space"
)

// TestQuickstartSaysDefaults: what stands in quickstart.yaml is a key's default,
// or its line says what that is.
func TestQuickstartSaysDefaults(t *testing.T) {
	empty, err := Parse("x.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Preset("quickstart")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`(?m)^(  [a-z_]+:).*\(by default: ([^)]*)\)$`)
	if n := len(said.FindAll(text, -1)); n != 6 {
		t.Errorf("quickstart.yaml says %d defaults, want 6", n)
	}
	byDefault := said.ReplaceAllFunc(text, func(line []byte) []byte {
		m := said.FindSubmatch(line)
		value, _, _ := bytes.Cut(m[2], []byte(", none"))
		return slices.Concat(m[1], []byte(" "), value)
	})
	quick, err := Parse("x.yaml", byDefault)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(empty, quick) {
		t.Errorf("quickstart.yaml is not what the table of keys has by default:\n%v", Differences(empty, quick))
	}
	if _, err := Parse("x.yaml", text); err != nil {
		t.Error(err)
	}
	for _, k := range keys() {
		if !strings.Contains(string(text), k.name+":") {
			t.Errorf("quickstart.yaml does not show %s", k.path())
		}
	}
	for _, blank := range []string{"\n", "# nothing\n", "---\n", "{}", "null"} {
		if got, err := Parse("x.yaml", []byte(blank)); err != nil || !reflect.DeepEqual(got, empty) {
			t.Errorf("Parse(%q): %v, want the defaults", blank, err)
		}
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	c, err := Parse("a/b.yaml", []byte(`
seed: 18446744073709551615
threads: 3
scale: 4
data: {train: pics, validation: /abs/../val, pictures: 5, size: 300, validation_crops: 3, validation_size: 60, max_megapixels: 2}
space:
  widths: [8, 16]
  wide: [1.5, 2]
  plain: []
  lean: false
  activations: [prelu, relu]
  slots:
    - {skip: false, plain: [1], activations: [silu]}
    - {}
  schemes: [pattern]
  ratios: [0.29, 0.57, 95e-2]
train: {from: w.safetensors, steps: 7, batch: 2, patch: 9, rate: 1e-3, subnets: 4, subnet_weight: 0.25, largest_pruned: 2, partitions: {borders: [0.5, 2e-1], pruned: [1, 3], train: [3]}, distill: 0, checkpoint: 1}
device: {profile: ../p.yaml, width: 64, height: 48, allow_stale: true}
search: {mode: random, population: 5, evaluations: 9, objectives: [ssim, params, macs], budget_ms: 2.5, max_params: 99, lag: 2, finetune: 6, refit: 12,
  seed: 8, max_memory_mb: 1.5, stall: 70, max_minutes: 0.5, screen: false}
winners: {count: 2, budgets_ms: [1, 2.5], finetune: 0, measure_runs: 4}
`))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Seed: 1<<64 - 1, Threads: 3,
		Data: Data{Train: filepath.Join(here, "a", "pics"), Validation: "/val", Pictures: 5, Size: 300, ValidationCrops: 3, ValidationSize: 60, MaxMegapixels: 2},
		Space: space.Space{Scale: 4, Colors: 1, Widths: []int{8, 16},
			Slots: []space.Slot{
				{Blocks: space.Blocks{space.Wide: {1.5, 2}, space.Plain: {1}}, Activations: []space.Activation{space.SiLU}},
				{Skip: true, Blocks: space.Blocks{space.Wide: {1.5, 2}, space.Plain: {}}, Activations: []space.Activation{space.PReLU, space.ReLU}},
			},
			Schemes: []network.Scheme{network.Pattern}, Percents: []int{29, 57, 95}},
		Train:  Train{From: filepath.Join(here, "a", "w.safetensors"), Steps: 7, Batch: 2, Patch: 9, Rate: 1e-3, Subnets: 4, LargestPruned: 2, SubnetWeight: 0.25, Partitions: Partitions{Borders: []float64{0.5, 0.2}, Pruned: []int{1, 3}, Train: []int{3}}, Checkpoint: 1},
		Device: Device{Profile: filepath.Join(here, "p.yaml"), Width: 64, Height: 48, AllowStale: true},
		Search: Search{Mode: "random", Population: 5, Evaluations: 9, Objectives: []string{"ssim", "params", "macs"}, BudgetMS: 2.5, MaxParams: 99, Lag: 2, Refit: 12, Finetune: 6,
			Seed: 8, MaxMemoryMB: 1.5, Stall: 70, MaxMinutes: 0.5},
		Winners: Winners{Count: 2, BudgetsMS: []float64{1, 2.5}, MeasureRuns: 4},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	again, err := Parse("elsewhere/config.yaml", c.YAML())
	if err != nil {
		t.Fatalf("%v\n%s", err, c.YAML())
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("YAML reads back differently: %v\n%s", Differences(c, again), c.YAML())
	}
}

// TestPresetsRoundTrip holds every preset against itself after a round trip.
func TestPresetsRoundTrip(t *testing.T) {
	for _, name := range Presets() {
		c, err := Load(filepath.Join("nowhere", "configs", name+".yaml"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, err := Parse("config.yaml", c.YAML())
		if err != nil || !reflect.DeepEqual(c, again) || c.Hash() != again.Hash() {
			t.Errorf("%s: reads back differently (%v):\n%s", name, err, c.YAML())
		}
	}
	if _, err := Load(filepath.Join("nowhere", "configs", "other.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is neither there nor a preset: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder as config: %v", err)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // line:col: and what the message holds
	}{
		{"unknown key", "sed: 1", []string{`1:1: sed: unknown key: did you mean seed?`}},
		{"swapped letters", "trian: {steps: 1}", []string{`1:1: trian: unknown key: did you mean train?`}},
		{"unknown in a section", "train:\n  step: 5", []string{`2:3: train.step: unknown key: did you mean steps?`}},
		{"in the wrong section", "width: 5", []string{`1:1: width: unknown key: did you mean device.width?`}},
		{"far from all", "device:\n  zzzzzzz: 5", []string{`2:3: device.zzzzzzz: unknown key, want profile, width, height or allow_stale`}},
		{"twice", "seed: 1\nseed: 2", []string{`2:1: seed: the key stands here twice, first in line 1`}},
		{"section twice", "train: {steps: 5}\ntrain: {batch: 5}", []string{`2:1: train: the key stands here twice, first in line 1`}},
		{"a fraction", "train:\n  steps: 1.5", []string{`2:10: train.steps: 1.5, want a whole number from 0 to 100000000`}},
		{"an exponent", "train: {steps: 1e3}", []string{`1:16: train.steps: 1e3, want a whole number from 0 to 100000000: write 1000`}},
		{"octal", "threads: 010", []string{`1:10: threads: 010, want a whole number`}},
		{"hexadecimal", "threads: 0x10", []string{`1:10: threads: 0x10, want a whole number`}},
		{"underscores", "seed: 1_000", []string{`1:7: seed: 1_000, want a whole number`}},
		{"quoted number", `threads: "2"`, []string{`1:10: threads: the text "2", want a whole number`}},
		{"yes", "device: {allow_stale: yes}", []string{`device.allow_stale: yes, want true or false: write true`}},
		{"True", "device: {allow_stale: True}", []string{`True, want true or false: write true`}},
		{"number as text", "data: {train: 12}", []string{`1:15: data.train: 12, want a text: write it in quotes, "12"`}},
		{"nothing", "train:\n  steps:\nseed: 1", []string{`train.steps: nothing, want a whole number`}},
		{"null section", "train: null", []string{`1:8: train: nothing, want a mapping`}},
		{"list for number", "seed: [1]", []string{`1:7: seed: a list, want a whole number`}},
		{"number for list", "space: {widths: 8}", []string{`1:17: space.widths: 8, want a list`}},
		{"list at the top", "- 1", []string{`1:1: a list, want a mapping of keys`}},
		{"out of range", "scale: 5", []string{`1:8: scale: 5, want a whole number from 2 to 4`}},
		{"huge", "train: {steps: 99999999999999999999999}", []string{`want a whole number from 0`}},
		{"no digit first", "train: {rate: .5}", []string{`train.rate: .5, want a number`}},
		{"not finite", "train: {rate: .nan}", []string{`train.rate: .nan, want a number`}},
		{"infinite by exponent", "train: {rate: 1e999}", []string{`train.rate: 1e999, want a number from`}},
		{"ratio 1.5", "space: {ratios: [0.5, 1.5]}", []string{`1:23: space.ratios: 1.5, want a number from 0.01 to 0.95, the pruned part`}},
		{"a third", "space: {ratios: [0.333]}", []string{`space.ratios: 0.333, want whole percents: write 0.33`}},
		{"ratios not ascending", "space: {ratios: [0.5, 0.25]}", []string{`1:17: space.ratios: 25 after 50, want ascending`}},
		{"same ratio", "space: {ratios: [0.5, 0.50]}", []string{`1:23: space.ratios: 0.50 stands in the list twice`}},
		{"width", "space:\n  widths: [8, 10]", []string{`2:11: space.widths: 10, want a multiple of 4`}},
		{"unknown scheme", "space: {schemes: [blok4]}", []string{`space.schemes: "blok4", want dense, filter, block2, block4, block8, pattern or unstructured: did you mean block4?`}},
		{"no block", "space: {skip: false, lean: false, wide: [], plain: []}", []string{`space.slots: slot 1: no kind of block is allowed`}},
		{"slots", "space:\n  slots:\n    - {wide: [99]}\n    - 3\n    - {wyde: [1]}", []string{`3:15: space.slots.wide: 99, want a number`, `4:7: space.slots: 3, want a slot`, `5:8: space.slots.wyde: unknown key: did you mean wide?`}},
		{"slots a word", "space: {slots: many}", []string{`space.slots: many, want a whole number from 1 to 16, or a list of slots`}},
		{"patch and picture", "train:\n  patch: 200", []string{`2:10: train.patch: 200 pixels at scale 2 need pictures of at least 400, but data.size is 256`}},
		{"crop and picture", "data:\n  size: 100", []string{`2:9: data.validation_size: 128, want at most data.size, 100`}},
		{"no steps from nothing", "train: {steps: 0}", []string{`1:16: train.steps: 0 without weights to start from, want at least 1, or train.from`}},
		{"weights that are drawn", "train: {from: procedural}", []string{`1:15: train.from: "procedural", want pretrained, pretrained:x2 to pretrained:x4, a file of weights, or nothing`}},
		{"pruned networks", "train: {subnets: 1, largest_pruned: 2}", []string{`1:37: train.largest_pruned: 2, want at most the random subnets, 1`}},
		{"pictures that are weights", "data: {train: pretrained}", []string{`1:15: data.train: "pretrained", want a folder or procedural`}},
		{"population", "search:\n  evaluations: 10\n  population: 20", []string{`3:15: search.population: 20 members, want at most the 10 evaluations`}},
		{"lag", "search: {lag: 40}", []string{`search.lag: 40, want at most the population, 32`}},
		{"no quality", "search: {objectives: [latency_ms, params]}", []string{`search.objectives: nothing of the picture among them`}},
		{"no cost", "search: {objectives: [psnr_db, ssim]}", []string{`search.objectives: no cost to trade quality against`}},
		{"objective twice", "search: {objectives: [psnr_db, latency_ms, latency_ms]}", []string{`latency_ms stands in the list twice`}},
		{"negative budget", "search: {budget_ms: -1}", []string{`search.budget_ms: -1, want a number from 0`}},
		{"zero winners' budget", "winners: {budgets_ms: [0]}", []string{`winners.budgets_ms: 0, want a latency above 0`}},
		{"mode", "search: {mode: stagd}", []string{`search.mode: "stagd", want joint, staged, local, regularised or random`}},
		{"splits not descending", "train: {partitions: {borders: [0.2, 0.5]}}", []string{`1:31: train.partitions.borders: 0.5 after 0.2, want descending`}},
		{"split at all", "train: {partitions: {borders: [1]}}", []string{`train.partitions.borders: 1, want a number from 0.001 to 0.999`}},
		{"too many splits", "train: {partitions: {borders: [0.9, 0.85, 0.8, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3, 0.2]}}", []string{`train.partitions.borders: 11 partitions, want at most 10`}},
		{"too many parts", "train: {partitions: {borders: [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], pruned: [1, 2]}}", []string{`1:31: train.partitions.borders: 11 partitions, want at most 10`}},
		{"apart not ascending", "train: {partitions: {pruned: [3, 2]}}", []string{`1:30: train.partitions.pruned: 2 after 3, want ascending`}},
		{"a key of before", "train: {splits: [0.5]}", []string{`1:9: train.splits: unknown key: it is now train.partitions: {borders: [...]}`}},
		{"partitions as a list", "train: {partitions: [0.5]}", []string{`train.partitions: a list, want a mapping such as`}},
		{"a key that partitions have not", "train: {partitions: {border: [0.5]}}", []string{`1:22: train.partitions.border: unknown key: did you mean borders?`}},
		{"staged without ratios", "search: {mode: staged}\nspace: {ratios: []}", []string{`1:16: search.mode: staged without ratios`}},
		{"colors", "colors: 3", []string{`colors: 3, want 1`}},
		{"memory", "data: {pictures: 60000, size: 4096}", []string{`data.pictures: 60000 pictures of 4096x4096`}},
		{"memory of a step", "scale: 4\ntrain: {batch: 512, patch: 128}\ndata: {size: 512}", []string{`2:16: train.batch: 512 patches of 128 pixels at scale 4 make 128 megapixels a step, want at most 64`}},
		{"empty folder", `data: {train: ""}`, []string{`data.train: "", want a folder or procedural`}},
		{"unknown builtin", `device: {profile: "builtin:phone"}`, []string{`device.profile: "builtin:phone", want builtin:smoke`}},
		{"anchor", "seed: &a 1", []string{`1:7: anchors and aliases are not allowed`}},
		{"alias bomb", "a: &a [x]\nb: &b [*a, *a]", []string{`1:4: anchors`, `2:4: anchors`}},
		{"tag", "seed: !!int \"1\"", []string{`the tag "!!int" is not allowed`}},
		{"second document", "seed: 1\n---\nseed: 2", []string{`a second document`}},
		{"tab", "train:\n\tsteps: 1", []string{`a tab, want spaces`}},
		{"broken", "seed: [1", []string{`a bracket that is not closed`}},
		{"control character", "seed: 1\nthreads: \x01", []string{`2:10: a control character`}},
		{"not UTF-8", "seed: \xff", []string{`1:7: a byte that is not UTF-8`}},
		{"deep brackets", "seed: " + strings.Repeat("[", 5000), []string{`nested too deep`}},
		{"deep dashes", strings.Repeat("- ", 5000), []string{`nested too deep`}},
		{"too long", strings.Repeat("#", maxConfig+1), []string{`1:1: the file has 1048577 bytes, want at most 1048576`}},
		{"mapping as key", "{a: 1}: 2", []string{`a mapping as a key, want a word`}},
		{"all at once", "sed: 1\nscale: 7\ntrain:\n  steps: 1.5\n  bach: 4\nspace:\n  ratios: [1.5]\n",
			[]string{`1:1: sed`, `2:8: scale: 7`, `4:10: train.steps: 1.5`, `5:3: train.bach: unknown key: did you mean batch?`, `7:12: space.ratios: 1.5`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("my.yaml", []byte(tt.text))
			var faults *Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error is %v, want *Faults", err)
			}
			if len(faults.List) != len(tt.want) {
				t.Fatalf("%d faults, want %d:\n%v", len(faults.List), len(tt.want), err)
			}
			for i, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "my.yaml:") || !strings.Contains(line, tt.want[i]) {
					t.Errorf("fault %d is\n  %s\nwant it to hold\n  %s", i+1, line, tt.want[i])
				}
			}
		})
	}
}

func TestLongShowsACaret(t *testing.T) {
	_, err := Parse("my.yaml", []byte("train:\n  rate: fast\t# soon"))
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := "my.yaml:2:9: train.rate: fast, want a number from 1e-08 to 1\n      rate: fast\t# soon\n            ^"
	if got := faults.Long(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestHostileTextsAreQuick holds texts that cost YAML readers seconds, or a
// terminal its last page, to a bounded time and a bounded answer.
func TestHostileTextsAreQuick(t *testing.T) {
	var flat strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&flat, "key%05d: 1\n", i)
	}
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	many := func(s string) string { return strings.Repeat(s, maxConfig/len(s)) }
	for name, text := range map[string]string{
		"40,000 keys": flat.String(), "aliases": bomb.String(), "comments": many("#\n"), "brackets": many("["), "pairs": many("[]"),
		"dashes": many("- "), "dashed lines": many("-\n"), "questions": many("? "), "documents": many("---\n"), "quotes": many(`"`), "braces": many("{a: "), "closed braces": many("{a: 1} "),
		"tags": many("!!int "), "anchors": many("&a "), "folds": "a: >\n" + many(" a\n"), "spaces": many(" "), "lines": many("\n"), "colons": many("a: "), "indents": staircase(700),
		"long list": "space: {widths: [" + many("8,") + "]}", "long key": many("k") + ": 1", "commented list": many("- a # b\n"), "merge": many("<<: {}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse("x.yaml", []byte(text))
			if took := time.Since(start); took > 5*time.Second { // under a second on a quiet machine
				t.Errorf("took %v", took)
			}
			if err != nil && len(err.Error()) > 1<<16 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

func TestHashIgnoresWhatChangesNothing(t *testing.T) {
	parse := func(text string) *Config {
		c, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	base := parse("")
	for _, same := range []string{"train: {checkpoint: 7}", "device: {allow_stale: true}", "data: {max_megapixels: 3}"} {
		if c := parse(same); c.Hash() != base.Hash() || len(Differences(base, c)) != 0 {
			t.Errorf("%s changes the hash", same)
		}
	}
	if a, b := parse("data: {train: a}"), parse("data: {train: b}"); a.Hash() != b.Hash() || a.Hash() == base.Hash() {
		t.Error("a folder's place must not count, that it is a folder must")
	}
	c := parse("seed: 2\nspace: {slots: 5}")
	got := Differences(base, c)
	want := []string{"seed was 1, is 2", "space.slots was 6, is 5"}
	if !reflect.DeepEqual(got, want) || c.Hash() == base.Hash() {
		t.Errorf("Differences = %v, want %v", got, want)
	}
}

// TestSchemaIsCurrent holds the committed schema to the table. EVOSR_WRITE=1
// writes it.
func TestSchemaIsCurrent(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("EVOSR_WRITE") != "" {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("schema.json")
	if err != nil || string(got) != string(want) {
		t.Errorf("schema.json is not what the table of keys gives (%v); EVOSR_WRITE=1 go test ./configs writes it", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Presets() {
		text, err := Preset(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("space: {slots: [{wide: [1]}, {}]}\ntrain: {steps: 1e3}\n"))
	f.Add([]byte("a: &a [*a]\n--- !!x\n? {}: []"))
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		c, err := Parse("x.yaml", text)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		again, err := Parse("y.yaml", c.YAML())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("reads back differently (%v):\n%s", err, c.YAML())
		}
	})
}

func TestPretrainedScale(t *testing.T) {
	for from, want := range map[string]int{"pretrained": 3, "pretrained:x2": 2, "pretrained:x4": 4, "pretrained:x5": 0, "pretrained:4": 0, "/pretrained": 0, "": 0} {
		if got, ok := PretrainedScale(from, 3); got != want || ok != (want > 0) {
			t.Errorf("%q names scale %d, %v, want %d", from, got, ok, want)
		}
	}
	c, err := Parse("a.yaml", []byte("train: {from: pretrained:x2}\nscale: 4\n"))
	if err != nil || c.Train.From != "pretrained:x2" {
		t.Errorf("from %v, %v", c, err)
	}
	if _, err := Parse("a.yaml", []byte("train: {subnet_batch: 9, batch: 8}\n")); err == nil {
		t.Error("more patches for a subnet than a step has: no error")
	}
}

// TestParseStored: the config of a run directory that an earlier version wrote is
// read with the keys of today.
func TestParseStored(t *testing.T) {
	const text = "train:\n  rate: 0.002 # peak\n  splits: [0.7, 0.3] # borders\n  apart: [2]   # pruned\n  parts: [] # all\n  distill: 0.25\n"
	got, err := ParseStored("config.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse("config.yaml", []byte("train: {rate: 0.002, partitions: {borders: [0.7, 0.3], pruned: [2]}, distill: 0.25}"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != want.Hash() {
		t.Errorf("differs in %v", Differences(want, got))
	}
	if again, err := ParseStored("config.yaml", want.YAML()); err != nil || again.Hash() != want.Hash() {
		t.Errorf("what is written now: %v", err)
	}
}
