package runner

import (
	"errors"
	"math"

	"evosr/fitness"
	"evosr/imaging"
	"evosr/network"
	"evosr/rundir"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// probe looks at a supernet in training through two networks: its largest, and
// that one with every layer half pruned.
type probe struct {
	val    []imaging.Pair
	dense  space.Genome
	pruned space.Genome
	prunes bool // the space prunes at all
}

func newProbe(sp *space.Space, val []imaging.Pair) *probe {
	p := &probe{val: val, dense: sp.Largest()}
	p.pruned, p.prunes = evenly(sp, p.dense, 50)
	return p
}

// evenly prunes every layer of g alike, as far as the space allows, at the
// ratio of the space that is nearest to percent. Blocks of four outputs come
// first, the scheme that costs the least time for what it keeps.
func evenly(sp *space.Space, g space.Genome, percent int) (space.Genome, bool) {
	if len(sp.Percents) == 0 {
		return g, false
	}
	at := sp.Percents[0]
	for _, p := range sp.Percents {
		if math.Abs(float64(p-percent)) < math.Abs(float64(at-percent)) {
			at = p
		}
	}
	g = g.Clone()
	any := false
	// set takes the first scheme that a convolution may have.
	set := func(p *network.Prune) {
		for _, scheme := range usual {
			if *p = (network.Prune{Scheme: scheme, Percent: at}); sp.Check(g) == nil {
				any = true
				return
			}
		}
		*p = network.Prune{}
	}
	for _, p := range g.Prunings() {
		set(p)
	}
	return g, any
}

// look scores both on the validation crops.
func (p *probe) look(net *supernet.Supernet, step int) (rundir.QualityPoint, error) {
	q := rundir.QualityPoint{Step: step}
	var err error
	if q.PSNR, err = p.score(net, p.dense); err == nil && p.prunes {
		q.PrunedPSNR, err = p.score(net, p.pruned)
	}
	return q, err
}

func (p *probe) score(net *supernet.Supernet, g space.Genome) (float64, error) {
	sub, err := net.Extract(g)
	if err != nil {
		return 0, err
	}
	return p.subnet(sub)
}

// subnet is the mean PSNR of a network on the validation crops, dB.
func (p *probe) subnet(sub *network.Graph) (float64, error) {
	prog, err := sparse.Compile(sub, sparse.Options{})
	if err != nil {
		return 0, err
	}
	defer prog.Close()
	sum := 0.0
	for _, pair := range p.val {
		sr := imaging.NewPlane(pair.HR.W, pair.HR.H)
		if err := prog.Upscale(sr.Pix, pair.LR.Pix, pair.LR.W, pair.LR.H); err != nil {
			return 0, err
		}
		db, err := fitness.PSNR(sr, pair.HR, sub.Scale)
		if err != nil {
			return 0, err
		}
		sum += db
	}
	if mean := sum / float64(len(p.val)); !math.IsNaN(mean) {
		return mean, nil
	}
	return 0, errors.New("runner: validation: the network's output is not a number")
}
