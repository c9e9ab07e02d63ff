package report

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"slices"

	"evosr/fitness"
	"evosr/imaging"
	"evosr/rundir"
	"evosr/sparse"
)

const (
	cropSide  = 112 // pixels of high resolution
	cropCount = 3
)

// crop is one detail of a validation picture, as bicubic interpolation, some
// winners and the original show it.
type crop struct {
	Name    string
	Side    int // pixels of high resolution
	Columns []column
}

type column struct {
	Title string
	Note  string       // PSNR of the crop
	PNG   template.URL // data: made here from pixels
	pix   *imaging.Plane
}

// beforeAfter runs some winners on validation pictures.
// The details are those where bicubic interpolation errs most, each of a
// picture of its own.
func beforeAfter(d *rundir.Dir, winners []rundir.Card, pairs []imaging.Pair) ([]crop, error) {
	var exhibits []exhibit
	for _, i := range pickShown(winners) {
		p, err := openProgram(d.File(winners[i].ID, rundir.FileProgram))
		if err != nil {
			return nil, fmt.Errorf("report: winner %s: %w", winners[i].ID, err)
		}
		defer p.Close()
		exhibits = append(exhibits, exhibit{"Winner " + rundir.Letter(i), p})
	}
	return cropsOf(pairs, exhibits)
}

// exhibit is an upscaler with the name it has on the page.
type exhibit struct {
	title    string
	upscaler fitness.Upscaler
}

// pickShown takes the fastest winner, the best, and the one in the middle of
// the rest, by index. Winners come fastest first.
func pickShown(winners []rundir.Card) []int {
	best := 0
	for i, w := range winners {
		if w.Finetuned.PSNR > winners[best].Finetuned.PSNR {
			best = i
		}
	}
	pick := []int{0, best / 2, best}
	return slices.Compact(pick)
}

func openProgram(path string) (*sparse.Program, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sparse.Decode(f)
}

func cropsOf(pairs []imaging.Pair, exhibits []exhibit) ([]crop, error) {
	type place struct {
		pair, x, y int
		err        float64
	}
	var places []place
	for i, p := range pairs {
		scale := p.HR.W / p.LR.W
		x, y, e := worstWindow(imaging.Upscale(p.LR, scale), p.HR, cropSide, scale)
		places = append(places, place{i, x, y, e})
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.err, a.err) })
	var crops []crop
	for _, at := range places[:min(cropCount, len(places))] {
		p := pairs[at.pair]
		scale := p.HR.W / p.LR.W
		c := crop{Name: p.Name, Side: min(cropSide, p.HR.W, p.HR.H)}
		truth := p.HR.Crop(at.x, at.y, c.Side, c.Side)
		add := func(title string, full *imaging.Plane) error {
			part := full.Crop(at.x, at.y, c.Side, c.Side).Round()
			note := ""
			if full != p.HR {
				psnr, err := decibels(truth, part)
				if err != nil {
					return err
				}
				note = psnr
			}
			url, err := pngURL(part)
			c.Columns = append(c.Columns, column{title, note, url, part})
			return err
		}
		if err := add("Bicubic", imaging.Upscale(p.LR, scale)); err != nil {
			return nil, err
		}
		for _, e := range exhibits {
			sr := imaging.NewPlane(p.HR.W, p.HR.H)
			if err := e.upscaler.Upscale(sr.Pix, p.LR.Pix, p.LR.W, p.LR.H); err != nil {
				return nil, fmt.Errorf("report: %s: %w", e.title, err)
			}
			if err := add(e.title, sr); err != nil {
				return nil, err
			}
		}
		if err := add("Original", p.HR); err != nil {
			return nil, err
		}
		crops = append(crops, c)
	}
	return crops, nil
}

// worstWindow finds the side x side window, inside the shaved border, where a
// differs most from b, on a grid of a quarter of the side.
func worstWindow(a, b *imaging.Plane, side, shave int) (x, y int, mse float64) {
	side = min(side, b.W, b.H)
	step := max(1, side/4)
	mse = -1
	for y0 := 0; y0+side <= b.H; y0 += step {
		for x0 := 0; x0+side <= b.W; x0 += step {
			sum, n := 0.0, 0
			for r := max(y0, shave); r < min(y0+side, b.H-shave); r++ {
				pa, pb := a.Row(r), b.Row(r)
				for c := max(x0, shave); c < min(x0+side, b.W-shave); c++ {
					e := float64(pa[c] - pb[c])
					sum += e * e
					n++
				}
			}
			if n > 0 && sum/float64(n) > mse {
				x, y, mse = x0, y0, sum/float64(n)
			}
		}
	}
	return x, y, mse
}

// decibels is the PSNR of a detail in words.
func decibels(truth, part *imaging.Plane) (string, error) {
	psnr, err := fitness.PSNR(truth, part, 0)
	return fmt.Sprintf("%.2f dB", psnr), err
}

// pngURL encodes a luma plane as a data URL.
func pngURL(p *imaging.Plane) (template.URL, error) {
	return pictureURL(&imaging.Picture{Y: stretched(p)})
}

// pictureURL encodes a picture as a data URL.
func pictureURL(p *imaging.Picture) (template.URL, error) {
	var b bytes.Buffer
	if err := imaging.EncodePNG(&b, p); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// stretched takes studio luma, which a screen would show flat, to 0..255 as
// video players do.
func stretched(p *imaging.Plane) *imaging.Plane {
	full := imaging.NewPlane(p.W, p.H)
	for i, v := range p.Pix {
		full.Pix[i] = min(max((v*255-16)/219, 0), 1)
	}
	return full
}

// sheet puts the details below each other, their columns side by side on
// white, each pixel as zoom x zoom: a picture for a README.
func sheet(crops []crop) *imaging.Plane {
	const zoom, gap = 2, 8
	side, columns := 0, 0
	for _, c := range crops {
		side, columns = max(side, c.Side), max(columns, len(c.Columns))
	}
	cell := side*zoom + gap
	out := imaging.NewPlane(columns*cell-gap, len(crops)*cell-gap)
	for i := range out.Pix {
		out.Pix[i] = 1
	}
	for r, c := range crops {
		for k, col := range c.Columns {
			p := stretched(col.pix)
			for y := range p.H * zoom {
				row := out.Row(r*cell + y)[k*cell:]
				for x := range p.W * zoom {
					row[x] = p.Pix[y/zoom*p.W+x/zoom]
				}
			}
		}
	}
	return out
}
