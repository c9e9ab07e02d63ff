package network

import (
	"fmt"
	"slices"
)

// MaxPercent is the most a convolution may be pruned, percent.
const MaxPercent = 95

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

// schemes is the one table of pruning schemes, in the order in which program
// files number them.
var schemes = [...]struct {
	name  string
	block int // output channels that share every kept position; 0 where whole filters go
	only  int // side of the filters that it can prune; 0 for any
	prune func(m *Masker, dst []uint8, w []float32, out, in, k int, keep float64) int
}{
	Dense:        {name: "dense", block: 1, prune: (*Masker).dense},
	Filter:       {name: "filter", prune: (*Masker).filters},
	Block2:       {name: "block2", block: 2, prune: blocks(2)},
	Block4:       {name: "block4", block: 4, prune: blocks(4)},
	Block8:       {name: "block8", block: 8, prune: blocks(8)},
	Pattern:      {name: "pattern", block: 4, only: 3, prune: (*Masker).patterns},
	Unstructured: {name: "unstructured", block: 1, prune: blocks(1)},
}

func (s Scheme) String() string {
	if int(s) < len(schemes) {
		return schemes[s].name
	}
	return fmt.Sprintf("scheme(%d)", s)
}

// Known says whether s is one of Schemes.
func (s Scheme) Known() bool { return int(s) < len(schemes) }

// Block is how many output channels share every position that s keeps: what a
// micro-kernel can compute together. It is 0 where whole filters go, and 1 for Dense.
func (s Scheme) Block() int { return schemes[s].block }

// Prunes says whether s can prune filters with sides of kernel pixels.
func (s Scheme) Prunes(kernel int) bool { return schemes[s].only == 0 || schemes[s].only == kernel }

// Schemes lists every scheme, Dense first.
func Schemes() []Scheme {
	list := make([]Scheme, len(schemes))
	for i := range list {
		list[i] = Scheme(i)
	}
	return list
}

// ParseScheme is the inverse of Scheme.String.
func ParseScheme(s string) (Scheme, error) {
	var names []string
	for _, row := range schemes {
		names = append(names, row.name)
	}
	if i := slices.Index(names, s); i >= 0 {
		return Scheme(i), nil
	}
	return 0, fmt.Errorf("network: scheme: %q, want one of %v", s, names)
}

// Prune is how one convolution is pruned. The zero value keeps every weight.
type Prune struct {
	Scheme  Scheme
	Percent int // pruned weights / all weights, percent; 0 only with Dense
}
