package space

import (
	"errors"
	"fmt"
	"slices"

	"evosr/network"
)

// Limits of what a Space may ask for. They bound memory before anything is
// allocated and are far above what runs in real time.
const (
	MaxSlots     = 16
	MaxWidth     = 256
	MaxExpansion = 16
)

// Slot says what one slot of the trunk may hold. At least one choice is
// needed.
type Slot struct {
	Skip   bool   // the slot may be left out
	Blocks Blocks // what else it may hold

	Activations []Activation // of a block, the largest and the smallest network's first; none: ReLU
}

// Blocks lists for every kind of block the expansions that a slot may choose
// from, hidden channels / trunk width, ascending; Once where the kind has none. A
// kind without a list is not allowed.
type Blocks [kindCount][]float64

// Once allows a kind of block that has no expansion.
func Once() []float64 { return []float64{0} }

// Every allows every kind of block, with these expansions where it has some.
func Every(expansions ...float64) (b Blocks) {
	for _, k := range Kinds() {
		if b[k] = Once(); k.Expands() {
			b[k] = slices.Clone(expansions)
		}
	}
	return b
}

// Same says whether two slots may hold the same.
func (s Slot) Same(o Slot) bool {
	for k := range s.Blocks {
		if !slices.Equal(s.Blocks[k], o.Blocks[k]) {
			return false
		}
	}
	return s.Skip == o.Skip && slices.Equal(s.Choices(), o.Choices())
}

// Clone returns a copy that shares nothing with s.
func (s Slot) Clone() Slot {
	for k := range s.Blocks {
		s.Blocks[k] = slices.Clone(s.Blocks[k])
	}
	s.Activations = slices.Clone(s.Activations)
	return s
}

// Space is everything a search may choose from.
type Space struct {
	Scale    int              // 2, 3 or 4
	Colors   int              // 1 for luma, 3 for RGB
	Widths   []int            // trunk channels, ascending, multiples of 4
	Slots    []Slot           // at most MaxSlots
	Schemes  []network.Scheme // what a convolution may be pruned by; Dense is always allowed
	Percents []int            // pruned weights in percent, ascending, 1 to MaxPercent
}

// MaxTrunk is the widest trunk of the space, in channels.
func (sp *Space) MaxTrunk() int { return sp.Widths[len(sp.Widths)-1] }

// A Fault is what is wrong with a part of a space.
type Fault struct {
	Part string // "scale", "colors", "widths", "slots", "schemes" or "percents"
	Slot int    // from 1, where it is one slot's; else 0
	Text string // value and what is wanted
}

// Place is the part, or the slot by its number.
func (f *Fault) Place() string {
	if f.Slot > 0 {
		return fmt.Sprintf("slot %d", f.Slot)
	}
	return f.Part
}

func (f *Fault) Error() string { return "space: " + f.Place() + ": " + f.Text }

// Validate reports every fault of the space at once: a *Fault each, joined.
func (sp *Space) Validate() error {
	var errs []error
	bad := func(part, format string, args ...any) {
		errs = append(errs, &Fault{Part: part, Text: fmt.Sprintf(format, args...)})
	}
	badSlot := func(i int, format string, args ...any) {
		errs = append(errs, &Fault{"slots", i + 1, fmt.Sprintf(format, args...)})
	}
	if sp.Scale < 2 || sp.Scale > 4 {
		bad("scale", "%d, want 2, 3 or 4", sp.Scale)
	}
	if sp.Colors != 1 && sp.Colors != 3 {
		bad("colors", "%d, want 1 (luma) or 3 (RGB)", sp.Colors)
	}
	if len(sp.Widths) == 0 {
		bad("widths", "none, want at least one")
	}
	for i, w := range sp.Widths {
		if w < 4 || w > MaxWidth || w%4 != 0 {
			bad("widths", "%d, want a multiple of 4 from 4 to %d", w, MaxWidth)
		} else if i > 0 && w <= sp.Widths[i-1] {
			bad("widths", "%d after %d, want ascending", w, sp.Widths[i-1])
		}
	}
	if len(sp.Slots) == 0 || len(sp.Slots) > MaxSlots {
		bad("slots", "%d, want 1 to %d", len(sp.Slots), MaxSlots)
	}
	for i, s := range sp.Slots {
		if !s.Skip && !s.Any() {
			badSlot(i, "no kind of block is allowed, want at least one")
		}
		for k, list := range s.Blocks {
			if kind := Kind(k); kind == Skip && len(list) > 0 || !kind.Expands() && kind != Skip && len(list) > 0 && !slices.Equal(list, Once()) {
				badSlot(i, "expansions %v of %v blocks, which have none", list, kind)
				continue
			}
			for j, e := range list {
				if !Kind(k).Expands() {
					continue
				}
				if !(e >= 0.5 && e <= MaxExpansion) {
					badSlot(i, "expansion %v, want 0.5 to %d", e, MaxExpansion)
				} else if j > 0 && e <= list[j-1] {
					badSlot(i, "expansion %v after %v, want ascending", e, list[j-1])
				}
			}
		}
	}
	for i, s := range sp.Slots {
		for j, a := range s.Activations {
			if int(a) >= len(activations) {
				badSlot(i, "%v is unknown", a)
			} else if slices.Contains(s.Activations[:j], a) {
				badSlot(i, "activation %v stands in the list twice", a)
			}
		}
	}
	for _, s := range sp.Schemes {
		if !s.Known() {
			bad("schemes", "%v is unknown", s)
		}
	}
	for i, p := range sp.Percents {
		if p < 1 || p > network.MaxPercent {
			bad("percents", "%d, want 1 to %d", p, network.MaxPercent)
		} else if i > 0 && p <= sp.Percents[i-1] {
			bad("percents", "%d after %d, want ascending", p, sp.Percents[i-1])
		}
	}
	return errors.Join(errs...)
}
