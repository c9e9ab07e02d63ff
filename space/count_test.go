package space

import (
	"testing"

	"evosr/network"
)

// TestCount holds the number against every genome spelled out.
func TestCount(t *testing.T) {
	sp := &Space{
		Scale: 2, Colors: 1, Widths: []int{4, 8},
		Slots:   []Slot{{Skip: true, Blocks: Blocks{Lean: Once()}}, {Blocks: Blocks{Plain: {1, 2}}}},
		Schemes: []network.Scheme{network.Dense, network.Filter, network.Pattern}, Percents: []int{50, 75},
	}
	var prunes []network.Prune
	for _, s := range network.Schemes() {
		for p := 0; p <= 100; p += 25 {
			prunes = append(prunes, network.Prune{Scheme: s, Percent: p})
		}
	}
	var genes []Gene
	for _, a := range prunes {
		for _, kind := range []Kind{Lean, Skip} {
			genes = append(genes, Gene{Kind: kind, Prune: [MaxConvs]network.Prune{a}})
		}
		for _, b := range prunes {
			for _, e := range []float64{1, 2} {
				genes = append(genes, Gene{Kind: Plain, Expansion: e, Prune: [MaxConvs]network.Prune{a, b}})
			}
		}
	}
	// The parts of a genome are independent: count the legal values of each.
	base := sp.Smallest()
	legal := func(change func(*Genome, int), n int) int {
		k := 0
		for i := range n {
			g := base.Clone()
			change(&g, i)
			if sp.Check(g) == nil {
				k++
			}
		}
		return k
	}
	want := legal(func(g *Genome, i int) { g.Width = i }, 16)
	want *= legal(func(g *Genome, i int) { g.Head = prunes[i] }, len(prunes))
	want *= legal(func(g *Genome, i int) { g.Tail = prunes[i] }, len(prunes))
	for slot := range sp.Slots {
		want *= legal(func(g *Genome, i int) { g.Slots[slot] = genes[i] }, len(genes))
	}
	if got := sp.Count(); got.Int64() != int64(want) || want < 1000 {
		t.Errorf("Count = %v, want %d", got, want)
	}
}
