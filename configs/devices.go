package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"evosr/fitness"
)

// targetKeys are the keys of an entry of devices. Width and height are those of
// device unless both are given.
func targetKeys() []key {
	entry := func(name, doc string, lo, hi float64, field func(*Target) any) key {
		return key{section: "devices", name: name, lo: lo, hi: hi, doc: doc, field: func(d *draft) any { return field(&d.Devices[0]) }}
	}
	return []key{
		entry("name", "of the device, in objectives and reports", 0, 0, func(t *Target) any { return &t.Name }),
		entry("profile", "device profile", 0, 0, func(t *Target) any { return (*location)(&t.Profile) }),
		entry("width", "input picture, pixels", 8, 16384, func(t *Target) any { return &t.Width }),
		entry("height", "input picture, pixels", 8, 16384, func(t *Target) any { return &t.Height }),
		entry("budget_ms", "predicted latency that no genome may exceed, milliseconds; 0: none", 0, 1e9, func(t *Target) any { return &t.BudgetMS }),
	}
}

// targets reads the list of further devices.
func (w *walker) targets(to *targets, k *key, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		w.fault(k.path(), n, "%s, want a list of devices", kindOf(n))
		return
	}
	if len(n.Content) > int(k.hi) {
		w.fault(k.path(), n, "a list of %d devices, want at most %v", len(n.Content), k.hi)
		return
	}
	keys := targetKeys()
	var known []string
	for _, e := range keys {
		known = append(known, e.name)
	}
	before := len(w.list) + w.more
	var list targets
	for i, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			w.fault(k.path(), item, "%s, want a device such as {name: phone, profile: phone.yaml}", kindOf(item))
			continue
		}
		one := draft{}
		one.Devices = make([]Target, 1)
		path := fmt.Sprintf("%s[%d]", k.path(), i)
		entries := w.mapping(k.path(), item, known)
		for _, e := range keys {
			if v := entries[e.name]; v != nil {
				e.section = path
				w.value(&one, &e, v)
			}
		}
		if (entries["width"] == nil) != (entries["height"] == nil) {
			w.fault(path, item, "one side of the picture, want width and height or neither")
		}
		w.at[path] = item
		list = append(list, one.Devices[0])
	}
	if len(w.list)+w.more == before {
		*to = list
	} else {
		w.bad[k.path()] = true
	}
}

var deviceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// deviceProblems holds the further devices, and the objectives that name them,
// against each other.
func (c *Config) deviceProblems() []problem {
	var list []problem
	var names []string
	for i, t := range c.Devices {
		path := fmt.Sprintf("devices[%d]", i)
		bad := func(format string, args ...any) {
			list = append(list, problem{[]string{path, "devices"}, fmt.Sprintf(format, args...)})
		}
		switch {
		case !deviceName.MatchString(t.Name):
			bad("name %s, want small letters, digits, - and _, at most 32", quote(t.Name))
		case slices.Contains(names, t.Name):
			bad("name %s stands in the list twice", t.Name)
		}
		names = append(names, t.Name)
		if t.Profile == "" || t.Profile == Procedural || carried(t.Profile) {
			bad("profile %s, want a profile file", quote(t.Profile))
		} else if name, ok := strings.CutPrefix(t.Profile, builtin); ok && !slices.Contains(builtinProfiles(), name) {
			bad("profile %s, want %s", quote(t.Profile), builtin+strings.Join(builtinProfiles(), " or "+builtin))
		}
		if px := t.Width * t.Height; px > maxFrame {
			bad("%dx%d pixels, want at most %d megapixels", t.Width, t.Height, maxFrame>>20)
		}
	}
	for _, o := range c.Search.Objectives {
		if name, ok := strings.CutPrefix(o, fitness.LatencyOn); ok && !slices.Contains(names, name) {
			want := "devices has none"
			if len(names) > 0 {
				want = "want " + oneOf(names)
			}
			list = append(list, problem{[]string{"search.objectives"}, fmt.Sprintf("%s: no such device, %s", o, want)})
		}
	}
	return list
}

// targetText writes the further devices; with where, their profiles' places,
// which change no result.
func targetText(list targets, where bool) string {
	if len(list) == 0 {
		return "[]"
	}
	var b strings.Builder
	for _, t := range list {
		fmt.Fprintf(&b, "\n  - {name: %s, ", word(t.Name))
		if where {
			fmt.Fprintf(&b, "profile: %s, ", word(t.Profile))
		}
		fmt.Fprintf(&b, "width: %d, height: %d, budget_ms: %s}", t.Width, t.Height, decimal(t.BudgetMS))
	}
	return b.String()
}
