package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"evosr/deviceprofile"
)

// LoadProfile reads a device profile, strictly; "builtin:smoke" is the embedded
// one of the smoke config. Whether it describes this machine is for
// Profile.Check to say.
func LoadProfile(path string) (*deviceprofile.Profile, error) {
	if name, ok := strings.CutPrefix(path, builtin); ok {
		text, err := embedded.ReadFile(name + "-profile.yaml")
		if err != nil {
			return nil, fmt.Errorf("configs: profile: %q, want %s%s", path, builtin, strings.Join(builtinProfiles(), " or "+builtin))
		}
		return ParseProfile(path, text)
	}
	text, err := readBounded(path, maxProfile)
	if err != nil {
		return nil, fmt.Errorf("configs: profile: %w", err)
	}
	return ParseProfile(path, text)
}

// ParseProfile reads a device profile's text; name stands in faults.
func ParseProfile(name string, text []byte) (*deviceprofile.Profile, error) {
	c := newCollector(name, text)
	root := document(c, text, maxProfile)
	if root == nil && len(c.list) == 0 {
		c.add(1, 1, "an empty file, want a device profile")
	}
	p := new(deviceprofile.Profile)
	if root != nil {
		w := &walker{collector: c, bad: map[string]bool{}}
		w.plain("", root, reflect.ValueOf(p).Elem())
		if err := p.Validate(); err != nil && len(c.list) == 0 {
			var fault *deviceprofile.Fault
			if !errors.As(err, &fault) {
				return nil, err
			}
			c.add(root.Line, root.Column, "%s", fault.Text)
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// ProfileYAML writes a profile as ParseProfile reads it.
func ProfileYAML(p *deviceprofile.Profile) ([]byte, error) {
	text, err := yaml.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("configs: profile: %w", err)
	}
	if _, err := ParseProfile("profile.yaml", text); err != nil {
		return nil, fmt.Errorf("configs: profile: would not read back: %w", err)
	}
	return text, nil
}

// plain reads plain data by its yaml tags as strictly as a config is read:
// every key of a mapping must be a field and no field may be missing.
func (w *walker) plain(path string, n *yaml.Node, v reflect.Value) {
	var err error
	switch v.Kind() {
	case reflect.Struct:
		w.fields(path, n, v)
	case reflect.Slice, reflect.Array:
		if n.Kind != yaml.SequenceNode {
			err = fmt.Errorf("%s, want a list", kindOf(n))
			break
		}
		if v.Kind() == reflect.Slice {
			v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		} else if v.Len() != len(n.Content) {
			err = fmt.Errorf("a list of %d, want %d", len(n.Content), v.Len())
			break
		}
		for i, item := range n.Content {
			w.plain(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
		}
	case reflect.Map:
		if n.Kind != yaml.MappingNode || v.Type().Key().Kind() != reflect.String {
			err = fmt.Errorf("%s, want a mapping", kindOf(n))
			break
		}
		v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, nameErr := text(n.Content[i], nil)
			key := reflect.ValueOf(name).Convert(v.Type().Key())
			if nameErr != nil || v.MapIndex(key).IsValid() {
				w.fault(path, n.Content[i], "%s as a key, want every word once", kindOf(n.Content[i]))
				continue
			}
			item := reflect.New(v.Type().Elem()).Elem()
			w.plain(path+"."+name, n.Content[i+1], item)
			v.SetMapIndex(key, item)
		}
	case reflect.String:
		var s string
		if s, err = text(n, nil); err == nil {
			v.SetString(s)
		}
	case reflect.Bool:
		var b bool
		if b, err = boolean(n); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		var f float64
		if f, err = number(n, -1<<31, 1<<31-1, true); err == nil {
			v.SetInt(int64(f))
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = number(n, -1e30, 1e30, false); err == nil {
			v.SetFloat(f)
		}
	default:
		panic(fmt.Sprintf("configs: profile field %s has the kind %v, which the reader does not know", path, v.Kind()))
	}
	if err != nil {
		if path == "" {
			path = "profile"
		}
		w.fault(path, n, "%s", err)
	}
}

func (w *walker) fields(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		w.add(n.Line, n.Column, "%s: %s, want a mapping", strings.TrimPrefix(path+" profile", " "), kindOf(n))
		return
	}
	prefix := ""
	if path != "" {
		prefix = path + "."
	}
	var known []string
	fields := map[string]reflect.Value{}
	optional := map[string]bool{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name) // as yaml.Marshal does
		}
		known = append(known, name)
		fields[name] = v.Field(i)
		optional[name] = strings.Contains(options, "omitempty")
	}
	entries := w.mapping(path, n, known)
	for _, name := range known {
		switch {
		case entries[name] != nil:
			w.plain(prefix+name, entries[name], fields[name])
		case !optional[name]:
			w.fault(prefix+name, n, "missing")
		}
	}
}
