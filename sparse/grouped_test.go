package sparse

import (
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// TestGrouped: weights pruned one by one go into grouped blocks where the
// instruction set has them, and none that is pruned is multiplied; blocks of
// four stay as they are.
func TestGrouped(t *testing.T) {
	rng := check.Rand(t)
	for name, table := range tables {
		table.winograd = nil
		for _, tt := range []struct {
			prune   network.Prune
			grouped bool
		}{
			{network.Prune{Scheme: network.Unstructured, Percent: 75}, true},
			{network.Prune{Scheme: network.Block4, Percent: 75}, false},
			{network.Prune{}, false},
		} {
			l := Layer{In: 32, Out: 30, Kernel: 3, Prune: tt.prune}
			net := randomize(&Subnet{Layers: []Layer{l}}, rng)
			info, k := table.describe(lone(&net.Layers[0]))
			if want := tt.grouped && table.grouped != nil; want != (info.Grouped > 0) {
				t.Errorf("%s, %v: %d grouped blocks, want any: %v", name, tt.prune, info.Grouped, want)
			}
			covered := 4 * info.Grouped
			for i := range 4 {
				covered += k.blocks[i] << i
			}
			if covered != l.Out {
				t.Errorf("%s, %v: blocks of %d channels together, want %d", name, tt.prune, covered, l.Out)
			}
			// The two channels beside the fours may share taps.
			if kept := net.Layers[0].Kept(); info.Grouped > 0 && (info.MACs < kept || info.MACs > kept+2*32*9) {
				t.Errorf("%s, %v: %d multiplications for %d kept weights", name, tt.prune, info.MACs, kept)
			}
		}
	}
}
