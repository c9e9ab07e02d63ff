package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Partitions divide the networks of a space by what they cost, each partition
// with weights of its own. They have numbers from 1: the largest networks' first,
// and behind all of these those of Pruned, in its order.
type Partitions struct {
	Borders []float64 // between them, descending shares of the largest network's multiplications; none: as Train.From has
	Pruned  []int     // ascending, those whose networks with a quarter or more pruned are a partition for themselves; none: as From has, or none where there are Borders
	Train   []int     // those of all that are trained; none: all
}

// partitionKeys are the keys of train.partitions.
func partitionKeys() []key {
	entry := func(name, doc string, lo, hi float64, field func(*Partitions) any) key {
		return key{section: "train.partitions", name: name, value: "[]", lo: lo, hi: hi, doc: doc, field: func(d *draft) any { return field(&d.Train.Partitions) }}
	}
	return []key{
		entry("borders", "descending shares of the largest network's multiplications; empty: as from has", 0.001, 0.999,
			func(p *Partitions) any { return (*reals)(&p.Borders) }),
		entry("pruned", "partitions, from 1, whose networks with a quarter or more pruned are one for themselves, behind the others", 1, maxPartitions,
			func(p *Partitions) any { return (*wholes)(&p.Pruned) }),
		entry("train", "those of all that are trained; empty: all", 1, maxPartitions,
			func(p *Partitions) any { return (*wholes)(&p.Train) }),
	}
}

// formerKeys are keys of before, and what stands for each now.
var formerKeys = map[string]string{
	"train.splits": "train.partitions: {borders: [...]}",
	"train.apart":  "train.partitions: {pruned: [...]}",
	"train.parts":  "train.partitions: {train: [...]}",
}

var formerLine = regexp.MustCompile(`(?m)^  (splits|apart|parts): (\[[^\]\n]*\]).*\n`)

// ParseStored is Parse for what YAML wrote into a run directory, also by a version
// whose keys had other names.
func ParseStored(name string, text []byte) (*Config, error) {
	now := map[string]string{"splits": "borders", "apart": "pruned", "parts": "train"}
	var entries []string
	for _, m := range formerLine.FindAllSubmatch(text, -1) {
		entries = append(entries, now[string(m[1])]+": "+string(m[2]))
	}
	if at := formerLine.FindIndex(text); at != nil {
		line := "  partitions: {" + strings.Join(entries, ", ") + "}\n"
		text = slices.Concat(text[:at[0]], []byte(line), formerLine.ReplaceAll(text[at[0]:], nil))
	}
	return Parse(name, text)
}

// partitions reads the mapping of train.partitions.
func (w *walker) partitions(to *Partitions, k *key, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		w.fault(k.path(), n, "%s, want a mapping such as {borders: [0.5, 0.2], pruned: [2]}", kindOf(n))
		return
	}
	known := []string{}
	for _, e := range partitionKeys() {
		known = append(known, e.name)
	}
	one := draft{}
	entries := w.mapping(k.path(), n, known)
	for _, e := range partitionKeys() {
		if v := entries[e.name]; v != nil {
			w.at[e.path()] = v
			w.value(&one, &e, v)
		}
	}
	*to = one.Train.Partitions
}

// problems holds the partitions against each other.
func (p *Partitions) problems() (list []problem) {
	bad := func(key, format string, args ...any) {
		list = append(list, problem{[]string{"train.partitions." + key, "train.partitions"}, fmt.Sprintf(format, args...)})
	}
	if n := len(p.Borders) + 1 + len(p.Pruned); n > maxPartitions {
		bad("borders", "%d partitions, want at most %d", n, maxPartitions)
	}
	for i := 1; i < len(p.Borders); i++ {
		if p.Borders[i] >= p.Borders[i-1] {
			bad("borders", "%v after %v, want descending", p.Borders[i], p.Borders[i-1])
		}
	}
	for i := 1; i < len(p.Pruned); i++ {
		if p.Pruned[i] <= p.Pruned[i-1] {
			bad("pruned", "%v after %v, want ascending", p.Pruned[i], p.Pruned[i-1])
		}
	}
	return list
}

// text writes what is not as it is by default.
func (p *Partitions) text() string {
	d := draft{}
	d.Train.Partitions = *p
	var parts []string
	for _, k := range partitionKeys() {
		if v := valueText(k.field(&d)); v != k.value {
			parts = append(parts, k.name+": "+v)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// schema is that of the mapping.
func (p *Partitions) schema(m map[string]any) {
	props := map[string]any{}
	d := draft{}
	d.Train.Partitions = *p
	for _, k := range partitionKeys() {
		props[k.name] = k.schema(&d)
	}
	m["type"], m["additionalProperties"], m["properties"], m["default"] = "object", false, props, map[string]any{}
}
