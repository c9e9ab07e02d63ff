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
	out := SetScore{Scale: scale}
	if len(pairs) == 0 {
		return out, fmt.Errorf("fitness: evaluate: no pictures")
	}
	if u != nil && u.Scale() != scale {
		return out, fmt.Errorf("fitness: evaluate: the model has scale %d, want %d", u.Scale(), scale)
	}
	var s Scratch
	for _, p := range pairs {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		truth, err := NewTruth(p.HR, scale)
		if err != nil {
			return out, fmt.Errorf("%s: %w", p.Name, err)
		}
		bicubic, err := truth.Compare(imaging.Upscale(imaging.Resize(p.HR, p.LR.W, p.LR.H), scale), &s)
		if err != nil {
			return out, fmt.Errorf("%s: %w", p.Name, err)
		}
		q := bicubic
		if u != nil {
			sr := imaging.NewPlane(p.HR.W, p.HR.H)
			if err := u.Upscale(sr.Pix, p.LR.Pix, p.LR.W, p.LR.H); err != nil {
				return out, fmt.Errorf("%s: %w", p.Name, err)
			}
			if q, err = truth.Compare(sr, &s); err != nil {
				return out, fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		out.Images = append(out.Images, ImageScore{p.Name, q})
		n := float64(len(pairs))
		out.Mean.PSNR += q.PSNR / n
		out.Mean.SSIM += q.SSIM / n
		out.Bicubic.PSNR += bicubic.PSNR / n
		out.Bicubic.SSIM += bicubic.SSIM / n
	}
	return out, nil
}
