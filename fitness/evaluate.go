package fitness

import (
	"context"
	"fmt"

	"evosr/imaging"
)

// Upscaler turns w x h luma, code/255 by rows, into (w*Scale) x (h*Scale).
type Upscaler interface {
	Upscale(dst, src []float32, w, h int) error
	Scale() int
}

// ImageScore is one picture's quality.
type ImageScore struct {
	Name string `json:"name"`
	Quality
}

// SetScore is the quality of an Upscaler on a set of pictures, with bicubic
// interpolation of the same pictures beside it. Its JSON is a public contract.
type SetScore struct {
	Scale   int          `json:"scale"`
	Images  []ImageScore `json:"images"`
	Mean    Quality      `json:"mean"`
	Bicubic Quality      `json:"bicubic"`
}

// Evaluate scores u, or bicubic interpolation when u is nil, on every pair. A
// mean is that of the pictures' values, as in the papers.
//
// A network reads the low resolution rounded to 8 bits, as it would from a
// file. Bicubic goes down and up without rounding between, because that is what
// gives the tables' 33.66 dB on Set5 x2; rounding would cost it 0.01 dB.
func Evaluate(ctx context.Context, u Upscaler, pairs []imaging.Pair, scale int) (SetScore, error) {
	var s sums
	if len(pairs) == 0 {
		return SetScore{Scale: scale}, fmt.Errorf("fitness: evaluate: no pictures")
	}
	for _, p := range pairs {
		if err := s.add(ctx, u, p, scale); err != nil {
			return SetScore{Scale: scale}, err
		}
	}
	return s.mean(scale), nil
}

// sums collects the pictures of a set.
type sums struct {
	images        []ImageScore
	mine, bicubic Quality
	scratch       Scratch
}

// add scores one picture; u of nil is bicubic interpolation.
func (s *sums) add(ctx context.Context, u Upscaler, p imaging.Pair, scale int) error {
	return s.score(ctx, u, p, scale, nil, func() (*imaging.Plane, error) {
		sr := imaging.NewPlane(p.HR.W, p.HR.H)
		return sr, u.Upscale(sr.Pix, p.LR.Pix, p.LR.W, p.LR.H)
	})
}

// score compares the luma that u makes of a picture, and that of bicubic
// interpolation, with the original; that of u with exact instead, unless that is
// nil.
func (s *sums) score(ctx context.Context, u Upscaler, p imaging.Pair, scale int, exact *Truth, enlarge func() (*imaging.Plane, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if u != nil && u.Scale() != scale {
		return fmt.Errorf("fitness: evaluate: the model has scale %d, want %d", u.Scale(), scale)
	}
	truth, err := NewTruth(p.HR, scale)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	bicubic, err := truth.Compare(imaging.Upscale(imaging.Resize(p.HR, p.LR.W, p.LR.H), scale), &s.scratch)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	q := bicubic
	if u != nil {
		sr, err := enlarge()
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if exact != nil {
			truth = exact
		}
		if q, err = truth.Compare(sr, &s.scratch); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	s.images = append(s.images, ImageScore{p.Name, q})
	s.mine.add(q)
	s.bicubic.add(bicubic)
	return nil
}

func (s *sums) mean(scale int) SetScore {
	n := float64(len(s.images))
	return SetScore{Scale: scale, Images: s.images, Mean: s.mine.over(n), Bicubic: s.bicubic.over(n)}
}

func (q *Quality) add(other Quality) {
	q.PSNR += other.PSNR
	q.SSIM += other.SSIM
}

func (q Quality) over(n float64) Quality { return Quality{PSNR: q.PSNR / n, SSIM: q.SSIM / n} }
