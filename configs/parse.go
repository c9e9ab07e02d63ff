package configs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"evosr/fitness"
	"evosr/internal/spell"
	"evosr/network"
	"evosr/space"
)

// Parse reads a config. name is the file's path: it stands in faults, and
// relative paths are relative to its folder. The error is a *Faults with every
// fault of the text.
func Parse(name string, text []byte) (*Config, error) {
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("configs: folder of %s: %w", name, err)
	}
	d, err := defaults()
	if err != nil {
		return nil, err
	}
	c := newCollector(name, text)
	root := document(c, text, maxConfig)
	if len(c.list) > 0 {
		return nil, c.err()
	}
	w := walkerOf(c)
	w.folder = folder
	w.file(d, root)
	d.settle()
	for _, p := range d.problems() {
		if !slices.ContainsFunc(p.paths, func(path string) bool { return w.bad[path] }) {
			n := w.node(p.paths)
			c.add(n.Line, n.Column, "%s: %s", p.paths[0], p.text)
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return &d.Config, nil
}

// Load reads the config file at path. Where no such file exists, the path of a
// preset, such as configs/quickstart.yaml, gives the embedded one.
func Load(path string) (*Config, error) {
	text, err := readBounded(path, maxConfig)
	if os.IsNotExist(err) {
		if preset, ok := presetOf(path); ok {
			return Parse(path, preset)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("configs: %w", err)
	}
	return Parse(path, text)
}

// defaults reads the table's own values, so that they pass through the same
// reader as a user's.
func defaults() (*draft, error) {
	d := &draft{}
	for _, k := range keys() {
		c := newCollector(k.path(), []byte(k.value))
		root := document(c, []byte(k.value), maxConfig)
		if root != nil {
			w := &walker{collector: c, at: map[string]*yaml.Node{}, bad: map[string]bool{}}
			w.value(d, &k, root)
		}
		if err := c.err(); err != nil {
			return nil, fmt.Errorf("configs: table of keys: %w", err)
		}
	}
	return d, nil
}

// walker holds the typed walk over a file's nodes.
type walker struct {
	*collector
	folder string
	keys   []key
	at     map[string]*yaml.Node // values by path
	bad    map[string]bool       // paths with a fault
}

func walkerOf(c *collector) *walker {
	return &walker{collector: c, keys: keys(), at: map[string]*yaml.Node{}, bad: map[string]bool{}}
}

// node is where the first of the paths stands in the file, or its section, or
// the file's start.
func (w *walker) node(paths []string) *yaml.Node {
	for _, p := range paths {
		if n := w.at[p]; n != nil {
			return n
		}
	}
	for _, p := range paths {
		for i, r := range p {
			if n := w.at[p[:i]]; r == '.' && n != nil {
				return n
			}
		}
	}
	return &yaml.Node{Line: 1, Column: 1}
}

func (w *walker) fault(path string, n *yaml.Node, format string, args ...any) {
	w.bad[path] = true
	w.add(n.Line, n.Column, "%s: %s", path, fmt.Sprintf(format, args...))
}

func (w *walker) file(d *draft, root *yaml.Node) {
	if root == nil || root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		w.add(root.Line, root.Column, "%s, want a mapping of keys to values", kindOf(root))
		return
	}
	bySection := map[string][]string{}
	for _, k := range w.keys {
		bySection[k.section] = append(bySection[k.section], k.name)
	}
	top := slices.Clone(bySection[""])
	for _, s := range sections()[1:] {
		top = append(top, s[0])
	}
	entries := w.mapping("", root, top)
	for _, s := range sections() {
		here := entries
		if s[0] != "" {
			n := entries[s[0]]
			if n == nil {
				continue
			}
			w.at[s[0]] = n
			if n.Kind != yaml.MappingNode {
				w.fault(s[0], n, "%s, want a mapping of keys to values; leave the section out for its defaults", kindOf(n))
				continue
			}
			here = w.mapping(s[0], n, bySection[s[0]])
		}
		for i := range w.keys {
			if k := &w.keys[i]; k.section == s[0] && here[k.name] != nil {
				w.at[k.path()] = here[k.name]
				w.value(d, k, here[k.name])
			}
		}
	}
}

// mapping gives the values of a mapping by key, after a fault for every key
// that is unknown or stands there twice.
func (w *walker) mapping(section string, n *yaml.Node, known []string) map[string]*yaml.Node {
	prefix := ""
	if section != "" {
		prefix = section + "."
	}
	entries := map[string]*yaml.Node{}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			w.add(k.Line, k.Column, "%s as a key, want a word", kindOf(k))
		case first[k.Value] > 0:
			w.fault(prefix+k.Value, k, "the key stands here twice, first in line %d", first[k.Value])
		case !slices.Contains(known, k.Value):
			first[k.Value] = k.Line
			w.fault(prefix+k.Value, k, "unknown key%s", w.hint(section, k.Value, known))
		default:
			first[k.Value] = k.Line
			entries[k.Value] = v
		}
	}
	return entries
}

func (w *walker) hint(section, name string, known []string) string {
	if len(w.list) >= maxFaults {
		return "" // not shown
	}
	if now := formerKeys[section+"."+name]; now != "" {
		return ": it is now " + now
	}
	if near := spell.Likely(name, known); near != "" {
		return fmt.Sprintf(": did you mean %s?", near)
	}
	for _, k := range w.keys {
		if k.name == name && k.section != section {
			return fmt.Sprintf(": did you mean %s?", k.path())
		}
	}
	if len(known) > 12 {
		return ""
	}
	return fmt.Sprintf(", want %s", oneOf(known))
}

// value reads one key's value into d, or leaves what was there and says why.
func (w *walker) value(d *draft, k *key, n *yaml.Node) {
	path := k.path()
	var err error
	switch p := k.field(d).(type) {
	case *int:
		var f float64
		if f, err = number(n, k.lo, k.hi, true); err == nil {
			*p = int(f)
		}
	case *uint64:
		*p, err = keep(*p)(unsigned(n))
	case *float64:
		*p, err = keep(*p)(number(n, k.lo, k.hi, false))
	case *bool:
		*p, err = keep(*p)(boolean(n))
	case *string:
		*p, err = keep(*p)(text(n, k.words))
	case *location:
		var s string
		if s, err = text(n, nil); err == nil {
			s, err = place(s, w.folder)
		}
		if err == nil {
			*p = location(s)
		}
	case *targets:
		w.targets(p, k, n)
	case *aims:
		listOf(w, path, n, (*[]string)(p), func(n *yaml.Node) (string, error) {
			if s, err := text(n, nil); err == nil && strings.HasPrefix(s, fitness.LatencyOn) {
				return s, nil // whether there is such a device is for problems to say
			}
			return text(n, k.words)
		})
	case *[]string:
		listOf(w, path, n, p, func(n *yaml.Node) (string, error) { return text(n, k.words) })
	case *wholes:
		listOf(w, path, n, (*[]int)(p), func(n *yaml.Node) (int, error) {
			f, err := number(n, k.lo, k.hi, true)
			return int(f), err
		})
	case *reals:
		listOf(w, path, n, (*[]float64)(p), func(n *yaml.Node) (float64, error) { return number(n, k.lo, k.hi, false) })
	case *once:
		var has bool
		if has, err = boolean(n); err == nil {
			if *p = nil; has {
				*p = space.Once()
			}
		}
	case *ratios:
		listOf(w, path, n, (*[]int)(p), func(n *yaml.Node) (int, error) { return percent(n, k.lo, k.hi) })
	case *[]network.Scheme:
		listOf(w, path, n, p, func(n *yaml.Node) (network.Scheme, error) {
			s, err := text(n, k.words)
			if err != nil {
				return 0, err
			}
			return network.ParseScheme(s)
		})
	case *[]space.Activation:
		listOf(w, path, n, p, func(n *yaml.Node) (space.Activation, error) {
			s, err := text(n, k.words)
			if err != nil {
				return 0, err
			}
			return space.ParseActivation(s)
		})
	case *slotList:
		w.slots((*draft)(p), k, n)
	case *Partitions:
		w.partitions(p, k, n)
	default:
		panic(fmt.Sprintf("configs: key %s has a field of unknown type %T", path, p))
	}
	if err != nil {
		w.fault(path, n, "%s", err)
	}
}

// keep gives back the old value where a new one could not be read.
func keep[T any](old T) func(T, error) (T, error) {
	return func(v T, err error) (T, error) {
		if err != nil {
			return old, err
		}
		return v, nil
	}
}

// listOf reads every entry of a list, with a fault of its own for each bad one.
func listOf[T comparable](w *walker, path string, n *yaml.Node, dst *[]T, read func(*yaml.Node) (T, error)) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Value != "" && n.ShortTag() != "!!null" {
			hint = fmt.Sprintf(": write [%s]", short40(n.Value))
		}
		w.fault(path, n, "%s, want a list such as [a, b]%s", kindOf(n), hint)
		return
	}
	if len(n.Content) > maxList {
		w.fault(path, n, "a list of %d, want at most %d", len(n.Content), maxList)
		return
	}
	list := make([]T, 0, len(n.Content))
	ok := true
	for _, item := range n.Content {
		v, err := read(item)
		switch {
		case err != nil:
			w.fault(path, item, "%s", err)
			ok = false
		case slices.Contains(list, v):
			w.fault(path, item, "%s stands in the list twice", kindOf(item))
			ok = false
		}
		list = append(list, v)
	}
	if ok {
		*dst = list
	}
}

// slots reads a number of like slots, or a list in which a slot's missing keys
// are those of the section. It follows what a slot holds in the table.
func (w *walker) slots(d *draft, k *key, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		f, err := number(n, k.lo, k.hi, true)
		if err != nil {
			w.fault(k.path(), n, "%s, or a list of slots", err)
			return
		}
		d.count, d.each = int(f), nil
		return
	}
	if len(n.Content) < int(k.lo) || len(n.Content) > int(k.hi) {
		w.fault(k.path(), n, "a list of %d slots, want %v to %v", len(n.Content), k.lo, k.hi)
		return
	}
	byName := map[string]key{}
	for _, k := range w.keys {
		if _, ours := k.field(d).(*slotList); k.section == "space" && !ours && slices.Contains(slotKeys(), k.name) {
			byName[k.name] = k
		}
	}
	before := len(w.list) + w.more
	each := make([]space.Slot, 0, len(n.Content))
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			w.fault(k.path(), item, "%s, want a slot such as {skip: true, wide: [2, 4]}", kindOf(item))
			continue
		}
		one := draft{alike: d.alike}
		for name, v := range ordered(w.mapping(k.path(), item, slotKeys())) {
			sk := byName[name]
			sk.section = k.path()
			w.value(&one, &sk, v)
		}
		each = append(each, one.alike)
	}
	if len(w.list)+w.more == before {
		d.count, d.each = 0, each
	} else {
		w.bad[k.path()] = true
	}
}

// slotKeys names what an entry of the list of slots may say.
func slotKeys() []string {
	return slices.Concat([]string{"skip"}, wordsOf(space.Widest()), []string{"activations"})
}

// ordered ranges over a mapping in the order of its keys, so that faults do not
// depend on chance.
func ordered(m map[string]*yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
