package kernel

import "fmt"

//go:generate go run -C _gen .

// Sets lists the Sets that run on this processor, the fastest first.
func Sets() []*Set { return append(vectorSets(), portable) }

// Best is the fastest Set that runs on this processor.
func Best() *Set { return Sets()[0] }

// ByName is the Set of that name.
func ByName(name string) (*Set, error) {
	var have []string
	for _, s := range Sets() {
		if s.Name == name {
			return s, nil
		}
		have = append(have, s.Name)
	}
	return nil, fmt.Errorf("kernel: set: %q, want one of %q on this processor", name, have)
}
