package supernet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"evosr/network"
	"evosr/space"
)

const formatWeights = "supernet/1"

// Save writes the weights and the space as a safetensors file, atomically; see
// Encode.
func (s *Supernet) Save(path string, meta map[string]string) error {
	return writeTensors(path, s.bank.stored("", s.bank.data), s.described(meta))
}

// Encode writes the weights and the space in the safetensors format: for every
// shared convolution NAME.weight (output, input, row, column), NAME.bias and,
// where they are learned, NAME.slope, float32. meta is kept beside them; keys that
// start with "evosr." are reserved.
func (s *Supernet) Encode(w io.Writer, meta map[string]string) error {
	return encodeTensors(w, s.bank.stored("", s.bank.data), s.described(meta))
}

// described is metadata with this package's own.
func (s *Supernet) described(meta map[string]string) map[string]string {
	own := maps.Clone(meta)
	if own == nil {
		own = map[string]string{}
	}
	own[metaFormat], own[metaSpace] = formatWeights, string(spaceText(s.Space, s.Partitions))
	return own
}

// Load reads what Save or EncodeCompact wrote, with the metadata that was given
// to them, or a safetensors file of another program with these tensors, float32
// or float16, and the metadata evosr.space.
func Load(path string) (*Supernet, map[string]string, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	bad := func(err error) (*Supernet, map[string]string, error) {
		return nil, nil, fmt.Errorf("supernet: load %s: %w", path, err)
	}
	if bytes.HasPrefix(file, []byte(compactMagic)) {
		s, meta, err := decodeCompact(file)
		if err != nil {
			return bad(err)
		}
		return s, meta, nil
	}
	tensors, meta, err := decodeTensors(file)
	if err != nil {
		return bad(err)
	}
	if meta[metaSpace] == "" {
		return bad(fmt.Errorf("metadata: no %s, want the space that the weights are of", metaSpace))
	}
	if got := meta[metaFormat]; got != formatWeights && got != "" {
		return bad(fmt.Errorf("format: %q, want %q", got, formatWeights))
	}
	sp, parts, err := parseSpace([]byte(meta[metaSpace]))
	if err != nil {
		return bad(err)
	}
	list := tensorsOf(sp, parts.Count())
	if err := fits(list, "", tensors); err != nil {
		return bad(err)
	}
	s := over(sp, parts, newBank(list))
	if want := len(s.bank.stored("", s.bank.data)); len(tensors) != want {
		return bad(fmt.Errorf("tensors: %d, want %d", len(tensors), want))
	}
	s.bank.fill("", tensors, s.bank.data)
	if err := s.bank.sound(); err != nil {
		return bad(err)
	}
	delete(meta, metaFormat)
	delete(meta, metaSpace)
	return s, meta, nil
}

// stored lists the tensors of data, which is laid out as b's own, under names
// with a prefix.
func (b *bank) stored(prefix string, data []float32) []stored {
	var list []stored
	of := bank{b.tensors, data}
	for i := range b.tensors {
		t := &b.tensors[i]
		list = append(list,
			stored{prefix + t.stored() + ".weight", []int{t.out, t.in, t.k, t.k}, of.weights(t)},
			stored{prefix + t.stored() + ".bias", []int{t.out}, of.bias(t)})
		if t.learned {
			list = append(list, stored{prefix + t.stored() + ".slope", []int{t.out}, of.slope(t)})
		}
	}
	return list
}

// fits reports the first tensor that is missing in a file or has another shape.
func fits(tensors []tensor, prefix string, file map[string]stored) error {
	for i := range tensors {
		t := &tensors[i]
		shapes := map[string][]int{".weight": {t.out, t.in, t.k, t.k}, ".bias": {t.out}}
		if t.learned {
			shapes[".slope"] = []int{t.out}
		}
		for name, want := range shapes {
			name = prefix + t.stored() + name
			got, has := file[name]
			if !has {
				return fmt.Errorf("tensor %q: missing", name)
			}
			if !slices.Equal(got.shape, want) {
				return fmt.Errorf("tensor %q: shape %v, want %v", name, got.shape, want)
			}
		}
	}
	return nil
}

// fill copies a file's tensors, which fit, into data.
func (b *bank) fill(prefix string, file map[string]stored, data []float32) {
	for _, dst := range b.stored(prefix, data) {
		copy(dst.data, file[dst.name].data)
	}
}

// spaceFile is a space as it stands in a file.
type spaceFile struct {
	Scale    int        `json:"scale"`
	Colors   int        `json:"colors"`
	Widths   []int      `json:"widths"`
	Slots    []slotFile `json:"slots"`
	Schemes  []string   `json:"schemes"`
	Percents []int      `json:"percents"`
	Borders  []int      `json:"splits,omitempty"`
	Pruned   []int      `json:"apart,omitempty"`
}

type slotFile struct {
	Skip bool

	// Kinds of blocks: the list of expansions, or true for a kind that has none.
	Blocks map[string]any

	Activations []string
}

// MarshalJSON writes the kinds between skip and activations.
func (s slotFile) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	put := func(key string, value any) error {
		text, err := json.Marshal(value)
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", key, text)
		return err
	}
	var errs []error
	if s.Skip {
		errs = append(errs, put("skip", true))
	}
	for _, k := range space.Widest() {
		if v, ok := s.Blocks[k.String()]; ok {
			errs = append(errs, put(k.String(), v))
		}
	}
	if len(s.Activations) > 0 {
		errs = append(errs, put("activations", s.Activations))
	}
	b.WriteByte('}')
	return b.Bytes(), errors.Join(errs...)
}

// UnmarshalJSON refuses what no slot has.
func (s *slotFile) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	s.Blocks = map[string]any{}
	for _, k := range space.Kinds() {
		raw, ok := all[k.String()]
		if !ok {
			continue
		}
		delete(all, k.String())
		var err error
		if k.Expands() {
			var list []float64
			err = json.Unmarshal(raw, &list)
			s.Blocks[k.String()] = list
		} else {
			var has bool
			err = json.Unmarshal(raw, &has)
			s.Blocks[k.String()] = has
		}
		if err != nil {
			return err
		}
	}
	for key, to := range map[string]any{"skip": &s.Skip, "activations": &s.Activations} {
		if raw, ok := all[key]; ok {
			delete(all, key)
			if err := json.Unmarshal(raw, to); err != nil {
				return err
			}
		}
	}
	for key := range all {
		return fmt.Errorf("slot: unknown key %q", key)
	}
	return nil
}

// spaceText writes a space, and where its shared weights are split, as canonical
// JSON.
func spaceText(sp *space.Space, parts Partitions) []byte {
	f := spaceFile{Scale: sp.Scale, Colors: sp.Colors, Widths: sp.Widths, Percents: sp.Percents, Borders: parts.Borders, Pruned: parts.Pruned}
	for _, s := range sp.Slots {
		to := slotFile{Skip: s.Skip, Blocks: map[string]any{}}
		for _, k := range space.Kinds() {
			switch list := s.Blocks[k]; {
			case len(list) > 0 && k.Expands():
				to.Blocks[k.String()] = list
			case len(list) > 0:
				to.Blocks[k.String()] = true
			}
		}
		if !slices.Equal(s.Activations, []space.Activation{space.ReLU}) { // as spaces without the choice are written
			for _, a := range s.Activations {
				to.Activations = append(to.Activations, a.String())
			}
		}
		f.Slots = append(f.Slots, to)
	}
	for _, s := range sp.Schemes {
		f.Schemes = append(f.Schemes, s.String())
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic("supernet: space: " + err.Error()) // only a NaN expansion, which Validate refuses
	}
	return text
}

func parseSpace(text []byte) (sp *space.Space, parts Partitions, err error) {
	var f spaceFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, parts, fmt.Errorf("space: %w", err)
	}
	sp = &space.Space{Scale: f.Scale, Colors: f.Colors, Widths: f.Widths, Percents: f.Percents}
	for _, s := range f.Slots {
		slot := space.Slot{Skip: s.Skip}
		for _, k := range space.Kinds() {
			switch v := s.Blocks[k.String()].(type) {
			case []float64:
				slot.Blocks[k] = v
			case bool:
				if v {
					slot.Blocks[k] = space.Once()
				}
			}
		}
		for _, name := range s.Activations {
			a, err := space.ParseActivation(name)
			if err != nil {
				return nil, parts, err
			}
			slot.Activations = append(slot.Activations, a)
		}
		sp.Slots = append(sp.Slots, slot)
	}
	for _, name := range f.Schemes {
		s, err := network.ParseScheme(name)
		if err != nil {
			return nil, parts, err
		}
		sp.Schemes = append(sp.Schemes, s)
	}
	if err := sp.Validate(); err != nil {
		return nil, parts, err
	}
	parts = Partitions{f.Borders, f.Pruned}
	return sp, parts, parts.valid()
}
