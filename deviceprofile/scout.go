package deviceprofile

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"evosr/space"
	"evosr/sparse"
)

// scout chooses what to measure: the extremes of the space and networks spread
// between them first, then also some where the model errs most. Those are
// variants of the networks that the others predict worst, and strangers, over
// which models that were fitted to different networks disagree most.
type scout struct {
	space   *space.Space
	profile *Profile
	sizes   [][2]int // of pictures; the first is the usual one
	rng     *rand.Rand
	first   []space.Genome // taken in turn with random ones
	queue   []space.Genome // where the model errs
}

const (
	scoutFrom     = 24 // networks before models are worth asking
	scoutEvery    = 8  // networks between two looks
	scoutPick     = 4  // of them chosen by the model
	scoutWorst    = 4  // networks that variants are made of
	scoutVariants = 4  // of each
	scoutRandom   = 12
)

// draw is a drawing. Every sixth network has another size of picture.
func (s *scout) draw(i int, nets []*timed) (g space.Genome, w, h int) {
	size := s.sizes[0]
	if others := s.sizes[1:]; i < math.MaxInt && i%6 == 5 && len(others) > 0 {
		size = others[i/6%len(others)]
	}
	return s.genome(i, nets), size[0], size[1]
}

func (s *scout) genome(i int, nets []*timed) space.Genome {
	switch {
	case i == 0:
		return s.space.Largest()
	case i == 1:
		return s.space.Smallest()
	case i == math.MaxInt:
		return s.space.Random(s.rng)
	case i%2 == 0 && len(s.first) > 0:
		g := s.first[0]
		s.first = s.first[1:]
		return g
	case i >= scoutFrom && i%scoutEvery == 0 && len(s.queue) == 0:
		s.look(nets)
	}
	if i%2 == 0 && len(s.queue) > 0 {
		g := s.queue[0]
		s.queue = s.queue[1:]
		return g
	}
	return s.space.Random(s.rng)
}

// look fills the queue.
func (s *scout) look(nets []*timed) {
	members, predicted := s.profile.committee(nets)
	worst := make([]int, len(nets))
	for i := range worst {
		worst[i] = i
	}
	wrong := func(i int) float64 { return math.Abs(math.Log(predicted[i] / nets[i].typical())) }
	slices.SortStableFunc(worst, func(a, b int) int { return cmp.Compare(wrong(b), wrong(a)) })
	var candidates []space.Genome
	for _, i := range worst[:min(scoutWorst, len(worst))] {
		for range scoutVariants {
			candidates = append(candidates, s.space.Mutate(nets[i].genome, s.rng))
		}
	}
	for range scoutRandom {
		candidates = append(candidates, s.space.Random(s.rng))
	}
	w, h := s.sizes[0][0], s.sizes[0][1]
	doubt := make([]float64, len(candidates))
	order := make([]int, len(candidates))
	for i, g := range candidates {
		order[i] = i
		layers, err := s.profile.Layers(randomSubnet(s.space, g))
		if err != nil {
			continue // it would not join, either
		}
		doubt[i] = disagreement(members, layers, w, h)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(doubt[b], doubt[a]) })
	for _, i := range order[:min(scoutPick, len(order))] {
		s.queue = append(s.queue, candidates[i])
	}
}

// disagreement is the spread of what models predict for a network, over the
// mean.
func disagreement(members []Profile, layers []sparse.LayerInfo, w, h int) float64 {
	lo, hi := math.Inf(1), 0.0
	for i := range members {
		m := members[i].model()
		ns := m.frame(members[i].table().features(layers, w, h, members[i].Threads), layers, w, h)
		lo, hi = min(lo, ns), max(hi, ns)
	}
	return (hi - lo) / max((hi+lo)/2, 1)
}

// simple lists networks of one layer and of one block, for every width, kind of
// block and activation that the space has: between head and tail lies nothing, one
// convolution, or one block as runtimes fuse it.
func simple(sp *space.Space) []space.Genome {
	var list []space.Genome
	add := func(g space.Genome) {
		if sp.Check(g) == nil {
			list = append(list, g)
		}
	}
	for _, w := range sp.Widths {
		empty := space.Genome{Width: w, Slots: make([]space.Gene, len(sp.Slots))}
		add(empty)
		for i, s := range sp.Slots {
			if i > 0 && s.Same(sp.Slots[0]) {
				continue
			}
			var genes []space.Gene
			for _, k := range space.Kinds() {
				for _, e := range s.Blocks[k] {
					genes = append(genes, space.Gene{Kind: k, Expansion: e})
				}
			}
			for _, gene := range genes {
				for _, gene.Activation = range s.Choices() {
					g := empty.Clone()
					g.Slots[i] = gene
					add(g)
				}
			}
		}
	}
	return list
}
