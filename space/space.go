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

// Kind is what a slot holds.
type Kind uint8

const (
	Skip  Kind = iota // nothing: the trunk passes through
	Wide              // 1x1 expand, activation, 1x1 reduce, 3x3, residual (WDSR-B)
	Plain             // 3x3, activation, 3x3, residual
	Lean              // one 3x3, activation, no residual
)

var kindNames = [...]string{"skip", "wide", "plain", "lean"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
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
	Scale    int              // 2, 3 or 4
	Colors   int              // 1 for luma, 3 for RGB
	Widths   []int            // trunk channels, ascending, multiples of 4
	Slots    []Slot           // at most MaxSlots
	Schemes  []network.Scheme // what a convolution may be pruned by; Dense is always allowed
	Percents []int            // pruned weights in percent, ascending, 1 to MaxPercent
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
		if !s.Known() {
			bad("schemes: %v is unknown", s)
		}
	}
	for i, p := range sp.Percents {
		if p < 1 || p > network.MaxPercent {
			bad("percents: %d, want 1 to %d", p, network.MaxPercent)
		} else if i > 0 && p <= sp.Percents[i-1] {
			bad("percents: %d after %d, want ascending", p, sp.Percents[i-1])
		}
	}
	return errors.Join(errs...)
}

// Hidden gives the inner channels of a block: the expanded ones of a wide
// block and its reduced ones, or the middle ones of a plain block (reduced is
// 0 then). WDSR-B reduces to 0.8 of the trunk.
func Hidden(kind Kind, width int, expansion float64) (expanded, reduced int) {
	switch kind {
	case Wide:
		return network.Round4(expansion * float64(width)), network.Round4(0.8 * float64(width))
	case Plain:
		return network.Round4(expansion * float64(width)), 0
	}
	return 0, 0
}
