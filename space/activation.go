package space

import (
	"fmt"
	"slices"

	"evosr/network"
)

// Activation is what follows the activated layers of a block.
type Activation uint8

const (
	ReLU  Activation = iota // max(x, 0)
	Leaky                   // x where x > 0, else a tenth of it
	PReLU                   // x where x > 0, else a learned part of it, one for each channel
	SiLU                    // x*sigmoid(x)
)

// activations is the one table of a block's activations: the rooms that train,
// run and write networks know the Acts, and follow it for the rest.
var activations = [...]struct {
	name    string
	act     network.Act
	slope   float32 // of ActPReLU: every channel's, where training starts if it is learned
	learned bool    // the slopes are trained
}{
	ReLU:  {name: "relu", act: network.ActReLU},
	Leaky: {name: "leaky", act: network.ActPReLU, slope: 0.1},
	PReLU: {name: "prelu", act: network.ActPReLU, slope: 0.1, learned: true},
	SiLU:  {name: "silu", act: network.ActSiLU},
}

// Activations lists every activation of a block, ReLU first.
func Activations() []Activation {
	list := make([]Activation, len(activations))
	for i := range list {
		list[i] = Activation(i)
	}
	return list
}

func (a Activation) String() string {
	if int(a) < len(activations) {
		return activations[a].name
	}
	return fmt.Sprintf("activation(%d)", a)
}

// ParseActivation is the inverse of Activation.String.
func ParseActivation(s string) (Activation, error) {
	var names []string
	for _, row := range activations {
		names = append(names, row.name)
	}
	if i := slices.Index(names, s); i >= 0 {
		return Activation(i), nil
	}
	return 0, fmt.Errorf("space: activation: %q, want one of %v", s, names)
}

// Act is the function that layers compute.
func (a Activation) Act() network.Act { return activations[a].act }

// Slope is what negative values are multiplied by where Act is ActPReLU, and
// whether training changes it, for each channel on its own.
func (a Activation) Slope() (start float32, learned bool) {
	return activations[a].slope, activations[a].learned
}

// Choices are the activations that a block in the slot may have.
func (s Slot) Choices() []Activation {
	if len(s.Activations) == 0 {
		return []Activation{ReLU}
	}
	return s.Activations
}

// Any says whether the slot may hold any block.
func (s Slot) Any() bool {
	return slices.ContainsFunc(s.Blocks[:], func(list []float64) bool { return len(list) > 0 })
}
