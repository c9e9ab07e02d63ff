package fitness

import (
	"context"
	"fmt"

	"evosr/imaging"
)

// Colored is an Upscaler of more than luma: with Colors of 3 its planes are red,
// green and blue, code/255.
type Colored interface {
	Upscaler
	Colors() int
}

// addRGB scores an upscaler of RGB: its pictures go down and up in three planes
// rounded to 8 bits, and the luma of the result is compared with that of the
// original, neither rounded once more: the RGB papers' convention, which is worth
// 0.02 dB at 32 dB and 0.06 at 37. The codes of a grey picture go through as they
// are and are compared as they come.
func (s *sums) addRGB(ctx context.Context, u Colored, name string, p *imaging.Picture, scale int) error {
	pair := imaging.NewPair(name, p.Luma(), scale)
	exact, err := newTruth(p.Y.Crop(0, 0, pair.HR.W, pair.HR.H), scale, true)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.score(ctx, u, pair, scale, exact, func() (*imaging.Plane, error) {
		var src []float32
		for _, plane := range p.RGB() {
			src = append(src, imaging.Downscale(plane, scale).Pix...)
		}
		n := pair.HR.W * pair.HR.H
		sr := make([]float32, 3*n)
		if err := u.Upscale(sr, src, pair.LR.W, pair.LR.H); err != nil {
			return nil, err
		}
		var rgb [3]*imaging.Plane
		for c := range rgb {
			rgb[c] = (&imaging.Plane{W: pair.HR.W, H: pair.HR.H, Pix: sr[c*n : (c+1)*n]}).Round()
		}
		luma := imaging.NewRGB(rgb).Y
		if p.Cb == nil {
			for i, y := range luma.Pix {
				luma.Pix[i] = (y*255 - 16) / 219
			}
		}
		return luma, nil
	})
}
