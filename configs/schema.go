package configs

import (
	"encoding/json"
	"fmt"
	"strings"

	"evosr/fitness"
	"evosr/network"
	"evosr/space"
)

// Schema gives the JSON Schema (draft 2020-12) of a config file, for editors.
func Schema() ([]byte, error) {
	d, err := defaults()
	if err != nil {
		return nil, err
	}
	top := map[string]any{}
	for _, s := range sections() {
		props := top
		if s[0] != "" {
			props = map[string]any{}
			top[s[0]] = map[string]any{"type": "object", "description": s[1], "additionalProperties": false, "properties": props}
		}
		for _, k := range keys() {
			if k.section == s[0] {
				props[k.name] = k.schema(d)
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "evosr config",
		"description":          sections()[0][1],
		"type":                 "object",
		"additionalProperties": false,
		"properties":           top,
	}, "", "  ")
	return append(text, '\n'), err
}

func (k *key) schema(d *draft) map[string]any {
	m := map[string]any{"description": k.doc}
	number := func(kind string) map[string]any {
		return map[string]any{"type": kind, "minimum": k.lo, "maximum": k.hi}
	}
	list := func(item map[string]any) {
		m["type"], m["items"], m["maxItems"], m["uniqueItems"] = "array", item, maxList, true
	}
	word := func() map[string]any {
		w := map[string]any{"type": "string"}
		if k.words != nil {
			w["enum"] = k.words
		}
		return w
	}
	put := func(with map[string]any) {
		for name, v := range with {
			m[name] = v
		}
	}
	switch p := k.field(d).(type) {
	case *int:
		put(number("integer"))
		m["default"] = *p
	case *uint64:
		m["type"], m["minimum"], m["default"] = "integer", 0, *p
	case *float64:
		put(number("number"))
		m["default"] = *p
	case *bool:
		m["type"], m["default"] = "boolean", *p
	case *string:
		put(word())
		m["default"] = *p
	case *location:
		put(word())
		m["default"] = string(*p)
	case *targets:
		props := map[string]any{}
		one := draft{}
		one.Devices = make([]Target, 1)
		for _, other := range targetKeys() {
			s := other.schema(&one)
			delete(s, "default")
			props[other.name] = s
		}
		m["type"], m["maxItems"], m["default"] = "array", k.hi, []any{}
		m["items"] = map[string]any{"type": "object", "additionalProperties": false, "properties": props, "required": []string{"name", "profile"}}
	case *aims:
		list(map[string]any{"anyOf": []any{word(), map[string]any{"type": "string", "pattern": "^" + fitness.LatencyOn}}})
		m["default"] = *p
	case *[]string:
		list(word())
		m["default"] = *p
	case *wholes:
		list(number("integer"))
		m["default"] = *p
	case *reals:
		list(number("number"))
		m["default"] = *p
	case *once:
		m["type"], m["default"] = "boolean", len(*p) > 0
	case *ratios:
		list(number("number"))
		m["default"] = json.RawMessage(flow(*p, percentText))
	case *[]network.Scheme:
		list(word())
		m["default"] = strings.Split(strings.Trim(flow(*p, network.Scheme.String), "[]"), ", ")
	case *[]space.Activation:
		list(word())
		m["default"] = strings.Split(strings.Trim(flow(*p, space.Activation.String), "[]"), ", ")
	case *Partitions:
		p.schema(m)
	case *slotList:
		props := map[string]any{}
		for _, other := range keys() {
			if other.section == k.section && isSlotKey(other.name) {
				s := other.schema(d)
				delete(s, "default")
				props[other.name] = s
			}
		}
		one := map[string]any{"type": "object", "additionalProperties": false, "properties": props}
		m["oneOf"] = []any{number("integer"), map[string]any{"type": "array", "items": one, "minItems": k.lo, "maxItems": k.hi}}
		m["default"] = p.count
	default:
		panic(fmt.Sprintf("configs: key %s has a field of unknown type %T", k.path(), p))
	}
	return m
}
