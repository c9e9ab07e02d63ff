package space

import (
	"errors"
	"fmt"
	"slices"
)

// Limits of what a Space may ask for. They bound memory before anything is
// allocated and are far above what runs in real time.
const (
	MaxSlots     = 16
	MaxWidth     = 256
	MaxExpansion = 16
	MaxPercent   = 95 // the most a layer may be pruned, percent
)

// Kind is what a slot holds.
type Kind uint8

const (
	Skip  Kind = iota // nothing: the trunk passes through
	Wide              // 1x1 expand, activation, 1x1 reduce, 3x3, residual (WDSR-B)
	Plain             // 3x3, activation, 3x3, residual
	Lean              // one 3x3, activation, no residual
)

// Scheme is how a convolution is pruned.
type Scheme uint8

const (
	Dense        Scheme = iota // keeps every weight
	Filter                     // whole output channels go, in fours
	Block2                     // 2 output channels x 1 input position
	Block4                     // 4 output channels x 1 input position
	Block8                     // 8 output channels x 1 input position
	Pattern                    // shared 3x3 shapes of four weights, by 4 output channels
	Unstructured               // single weights
)

var kindNames = [...]string{"skip", "wide", "plain", "lean"}
var schemeNames = [...]string{"dense", "filter", "block2", "block4", "block8", "pattern", "unstructured"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

func (s Scheme) String() string {
	if int(s) < len(schemeNames) {
		return schemeNames[s]
	}
	return fmt.Sprintf("scheme(%d)", s)
}

// Schemes lists every scheme in its order of declaration, Dense first.
func Schemes() []Scheme {
	return []Scheme{Dense, Filter, Block2, Block4, Block8, Pattern, Unstructured}
}

// ParseScheme is the inverse of Scheme.String.
func ParseScheme(s string) (Scheme, error) {
	if i := slices.Index(schemeNames[:], s); i >= 0 {
		return Scheme(i), nil
	}
	return 0, fmt.Errorf("space: scheme: %q, want one of %v", s, schemeNames)
}

// Slot says what one slot of the trunk may hold. At least one choice is
// needed.
type Slot struct {
	Skip  bool      // the slot may be left out
	Wide  []float64 // expansions of a wide block: hidden channels / trunk width
	Plain []float64 // expansions of a plain block: hidden channels / trunk width
	Lean  bool      // the slot may be a lean block

	Activations []Activation // of a block, the largest and the smallest network's first; none: ReLU
}

// Same says whether two slots may hold the same.
func (s Slot) Same(o Slot) bool {
	return s.Skip == o.Skip && s.Lean == o.Lean && slices.Equal(s.Wide, o.Wide) && slices.Equal(s.Plain, o.Plain) && slices.Equal(s.Choices(), o.Choices())
}

// Space is everything a search may choose from.
type Space struct {
	Scale    int      // 2, 3 or 4
	Colors   int      // 1 for luma, 3 for RGB
	Widths   []int    // trunk channels, ascending, multiples of 4
	Slots    []Slot   // at most MaxSlots
	Schemes  []Scheme // what a convolution may be pruned by; Dense is always allowed
	Percents []int    // pruned weights in percent, ascending, 1 to MaxPercent
}

// MaxTrunk is the widest trunk of the space, in channels.
func (sp *Space) MaxTrunk() int { return sp.Widths[len(sp.Widths)-1] }

// Validate reports every fault of the space at once, joined.
func (sp *Space) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("space: "+format, args...)) }
	if sp.Scale < 2 || sp.Scale > 4 {
		bad("scale: %d, want 2, 3 or 4", sp.Scale)
	}
	if sp.Colors != 1 && sp.Colors != 3 {
		bad("colors: %d, want 1 (luma) or 3 (RGB)", sp.Colors)
	}
	if len(sp.Widths) == 0 {
		bad("widths: none, want at least one")
	}
	for i, w := range sp.Widths {
		if w < 4 || w > MaxWidth || w%4 != 0 {
			bad("widths: %d, want a multiple of 4 from 4 to %d", w, MaxWidth)
		} else if i > 0 && w <= sp.Widths[i-1] {
			bad("widths: %d after %d, want ascending", w, sp.Widths[i-1])
		}
	}
	if len(sp.Slots) == 0 || len(sp.Slots) > MaxSlots {
		bad("slots: %d, want 1 to %d", len(sp.Slots), MaxSlots)
	}
	for i, s := range sp.Slots {
		if !s.Skip && !s.Lean && len(s.Wide) == 0 && len(s.Plain) == 0 {
			bad("slot %d: no kind of block is allowed, want at least one", i+1)
		}
		for _, list := range [][]float64{s.Wide, s.Plain} {
			for j, e := range list {
				if !(e >= 0.5 && e <= MaxExpansion) {
					bad("slot %d: expansion %v, want 0.5 to %d", i+1, e, MaxExpansion)
				} else if j > 0 && e <= list[j-1] {
					bad("slot %d: expansion %v after %v, want ascending", i+1, e, list[j-1])
				}
			}
		}
	}
	for i, s := range sp.Slots {
		for j, a := range s.Activations {
			if int(a) >= len(activations) {
				bad("slot %d: %v is unknown", i+1, a)
			} else if slices.Contains(s.Activations[:j], a) {
				bad("slot %d: activation %v stands in the list twice", i+1, a)
			}
		}
	}
	for _, s := range sp.Schemes {
		if int(s) >= len(schemeNames) {
			bad("schemes: %v is unknown", s)
		}
	}
	for i, p := range sp.Percents {
		if p < 1 || p > MaxPercent {
			bad("percents: %d, want 1 to %d", p, MaxPercent)
		} else if i > 0 && p <= sp.Percents[i-1] {
			bad("percents: %d after %d, want ascending", p, sp.Percents[i-1])
		}
	}
	return errors.Join(errs...)
}

// round4 rounds to the nearest multiple of 4, at least 4: the micro-kernels
// work on four output channels at a time.
func round4(x float64) int { return max(4, int(x/4+0.5)*4) }

// Hidden gives the inner channels of a block: the expanded ones of a wide
// block and its reduced ones, or the middle ones of a plain block (reduced is
// 0 then). WDSR-B reduces to 0.8 of the trunk.
func Hidden(kind Kind, width int, expansion float64) (expanded, reduced int) {
	switch kind {
	case Wide:
		return round4(expansion * float64(width)), round4(0.8 * float64(width))
	case Plain:
		return round4(expansion * float64(width)), 0
	}
	return 0, 0
}
