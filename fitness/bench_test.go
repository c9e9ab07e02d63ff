package fitness

import (
	"math/rand/v2"
	"testing"

	"evosr/deviceprofile"
	"evosr/imaging"
	"evosr/network"
	"evosr/space"
	"evosr/supernet"
)

// large is a space whose largest network has about 250,000 weights.
func large() *space.Space {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{16, 24, 32},
		Schemes: []network.Scheme{network.Filter, network.Block4, network.Block8, network.Unstructured}, Percents: []int{25, 50, 75, 85}}
	for range 16 {
		sp.Slots = append(sp.Slots, space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {2, 3, 4}}})
	}
	return sp
}

// BenchmarkScore scores random networks of a large space on the default
// validation crops, one after the other.
func BenchmarkScore(b *testing.B) {
	sp := large()
	net := supernet.New(sp, 1)
	var pairs []imaging.Pair
	for i := range 8 {
		pairs = append(pairs, imaging.NewPair("crop", imaging.Procedural(7, i, 128), 2))
	}
	s, err := NewScorer(net, pairs, &deviceprofile.Profile{}, ScorerOptions{Width: 320, Height: 180, Workers: 1})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Score(b.Context(), []space.Genome{sp.Random(rng)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "networks/s")
}

func BenchmarkScoreLargest(b *testing.B) {
	sp := large()
	net := supernet.New(sp, 1)
	var pairs []imaging.Pair
	for i := range 8 {
		pairs = append(pairs, imaging.NewPair("crop", imaging.Procedural(7, i, 128), 2))
	}
	s, err := NewScorer(net, pairs, &deviceprofile.Profile{}, ScorerOptions{Width: 320, Height: 180, Workers: 1})
	if err != nil {
		b.Fatal(err)
	}
	sub, err := net.Extract(sp.Largest())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d parameters", sub.Params())
	for b.Loop() {
		if _, err := s.Subnet(sub); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "networks/s")
}
