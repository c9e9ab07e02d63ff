package deviceprofile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"evosr/internal/stat"
	"evosr/space"
)

// ErrDrift says that this machine runs at another speed than when its profile
// was measured.
var ErrDrift = errors.New("deviceprofile: the machine's speed is not the profile's any more")

// Drifted is what a look at a handful of the profile's networks found.
type Drifted struct {
	Nets    int     // measured again
	Ratio   float64 // median of their time now / their time in the profile
	Quiet   bool
	Trouble string // why it is not quiet, or ""
}

// How far a machine may be from its profile, and how it is looked at.
const (
	driftLimit = 0.10
	driftNets  = 6
	driftTime  = 4 * time.Second
)

// Err wraps ErrDrift where the networks took more than a tenth more or less time
// than the profile says, and the machine was quiet enough to blame it.
func (d *Drifted) Err() error {
	if d.Nets > 0 && d.Quiet && (d.Ratio > 1+driftLimit || d.Ratio < 1-driftLimit) {
		return fmt.Errorf("%w: %d networks take %.2f times what it says; measure it anew with evosr profile", ErrDrift, d.Nets, d.Ratio)
	}
	return nil
}

// Drift measures a handful of the profile's own networks again, from its fastest
// to its slowest, in a few seconds. The profile must be of this machine, see
// Here; of one without networks nothing can be said.
func Drift(ctx context.Context, p *Profile) (*Drifted, error) {
	if err := p.Here(); err != nil {
		return nil, err
	}
	var nets []NetSample
	for _, s := range p.Nets {
		if s.Width == 0 && s.Height == 0 && s.MS > 0 {
			nets = append(nets, s)
		}
	}
	n := min(driftNets, len(nets))
	if n == 0 {
		return &Drifted{Trouble: "the profile names no networks to measure again"}, nil
	}
	sp := &space.Space{Scale: p.Scale, Colors: p.Colors}
	b := &bench{clock: own{p.Threads}, w: p.Width, h: p.Height, began: time.Now()}
	defer func() {
		for _, t := range b.nets {
			b.clock.release(t)
		}
	}()
	slices.SortStableFunc(nets, func(a, b NetSample) int { return cmp.Compare(a.MS, b.MS) })
	var was []float64
	for i := range n {
		s := nets[i*(len(nets)-1)/max(n-1, 1)]
		g, err := space.ParseGenome(s.Genome)
		if err != nil {
			return nil, fmt.Errorf("deviceprofile: network of the profile: %w", err)
		}
		t := &timed{genome: g, w: p.Width, h: p.Height}
		if err := b.clock.prepare(t, randomSubnet(sp, g)); err != nil {
			return nil, err
		}
		b.nets, was = append(b.nets, t), append(was, s.MS*1e6)
	}
	for round := 0; round < mostTurns && (round < leastTurns || time.Since(b.began) < driftTime); round++ {
		timed := 0
		for _, t := range b.nets {
			if t.turns != nil && t.settled() {
				continue
			}
			if err := b.turn(ctx, t); err != nil {
				return nil, err
			}
			timed++
		}
		if timed == 0 {
			break
		}
	}
	d := &Drifted{Nets: n, Trouble: b.trouble()}
	d.Quiet = d.Trouble == ""
	var ratios []float64
	for i, t := range b.nets {
		ratios = append(ratios, t.typical()/was[i])
	}
	d.Ratio = stat.Median(ratios)
	return d, nil
}
