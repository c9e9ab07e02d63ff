package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"evosr/network"
	"evosr/space"
)

// YAML writes the resolved config, each key with its meaning. Parse reads it
// back to an equal Config.
func (c *Config) YAML() []byte {
	var b strings.Builder
	d := draftOf(c)
	for _, s := range sections() {
		indent := ""
		if s[0] != "" {
			indent = "  "
			fmt.Fprintf(&b, "\n# %s\n%s:\n", s[1], s[0])
		} else {
			fmt.Fprintf(&b, "# %s\n", s[1])
		}
		for _, k := range keys() {
			if k.section != s[0] || d.count == 0 && k.section == "space" && isSlotKey(k.name) {
				continue // a list of slots says these for every slot
			}
			line := indent + k.name + ": " + valueText(k.field(d))
			if strings.Contains(line, "\n") {
				fmt.Fprintf(&b, "%s# %s\n%s\n", indent, k.doc, line)
				continue
			}
			fmt.Fprintf(&b, "%-44s # %s\n", line, k.doc)
		}
	}
	return []byte(b.String())
}

func isSlotKey(name string) bool {
	for _, k := range slotKeys() {
		if k == name {
			return true
		}
	}
	return false
}

// valueText writes the value behind a key's field.
func valueText(field any) string {
	switch p := field.(type) {
	case *int:
		return strconv.Itoa(*p)
	case *uint64:
		return strconv.FormatUint(*p, 10)
	case *float64:
		return decimal(*p)
	case *bool:
		return strconv.FormatBool(*p)
	case *string:
		return word(*p)
	case *location:
		return word(string(*p))
	case *targets:
		return targetText(*p, true)
	case *aims:
		return flow(*p, word)
	case *[]string:
		return flow(*p, word)
	case *wholes:
		return flow(*p, strconv.Itoa)
	case *reals:
		return flow(*p, decimal)
	case *once:
		return strconv.FormatBool(len(*p) > 0)
	case *ratios:
		return flow(*p, percentText)
	case *[]network.Scheme:
		return flow(*p, network.Scheme.String)
	case *[]space.Activation:
		return flow(*p, space.Activation.String)
	case *Partitions:
		return p.text()
	case *slotList:
		if p.count > 0 {
			return strconv.Itoa(p.count)
		}
		var b strings.Builder
		for _, s := range p.each {
			fmt.Fprintf(&b, "\n    - {skip: %v", s.Skip)
			for _, k := range slotFields(&s) {
				if !later(k.name, k.field) {
					b.WriteString(", " + k.name + ": " + valueText(k.field))
				}
			}
			b.WriteByte('}')
		}
		return b.String()
	}
	panic(fmt.Sprintf("configs: a key has a field of unknown type %T", field))
}

// slotField is a key of a slot with its value.
type slotField struct {
	name  string
	field any
}

// slotFields are the keys of a slot but skip, in their order.
func slotFields(s *space.Slot) []slotField {
	d := &draft{alike: *s}
	var list []slotField
	for _, k := range keys() {
		if k.section == "space" && k.name != "skip" && isSlotKey(k.name) {
			list = append(list, slotField{k.name, k.field(d)})
		}
	}
	return list
}

// first are the keys of a slot that were there from the beginning.
var first = []string{"skip", "wide", "plain", "lean"}

// later says whether a key of a slot came after the first ones and has a value
// that leaves a space as it was without it: activations of ReLU alone, a kind of
// block that is not allowed. Then neither the entries of a list of slots nor the
// hash tell of it.
func later(name string, field any) bool {
	if !isSlotKey(name) || slices.Contains(first, name) {
		return false
	}
	switch p := field.(type) {
	case *[]space.Activation:
		s := space.Slot{Activations: *p}
		return slices.Equal(s.Choices(), []space.Activation{space.ReLU})
	case *reals:
		return len(*p) == 0
	case *once:
		return len(*p) == 0
	}
	return false
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func flow[T any](list []T, one func(T) string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(one(v))
	}
	b.WriteByte(']')
	return b.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)

// word writes a text bare where no YAML reader can take it for something else.
func word(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return strconv.Quote(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// Hash is the content hash of everything in the config that decides a run's
// result, 16 hexadecimal digits. Where folders lie is not part of it; what is
// in them has a hash of its own.
func (c *Config) Hash() string {
	var b strings.Builder
	d := draftOf(c)
	for _, k := range keys() {
		if k.section == "space" && later(k.name, k.field(d)) {
			continue
		}
		if !k.free {
			fmt.Fprintf(&b, "%s=%s\n", k.path(), essence(k.field(d)))
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

func essence(field any) string {
	if p, ok := field.(*location); ok && *p != "" && *p != Procedural && !carried(string(*p)) {
		return "a path"
	}
	if p, ok := field.(*targets); ok {
		return targetText(*p, false)
	}
	return valueText(field)
}

// Differences names the keys whose values would give another run, one line for
// each, with both values. Keys such as train.checkpoint change nothing and are
// not named.
func Differences(was, now *Config) []string {
	var list []string
	a, b := draftOf(was), draftOf(now)
	for _, k := range keys() {
		x, y := essence(k.field(a)), essence(k.field(b))
		if !k.free && x != y {
			list = append(list, fmt.Sprintf("%s was %s, is %s", k.path(), strings.Join(strings.Fields(x), " "), strings.Join(strings.Fields(y), " ")))
		}
	}
	return list
}
