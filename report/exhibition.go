package report

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"evosr/configs"
	"evosr/imaging"
	"evosr/rundir"
	"evosr/upscale"
)

const (
	photoSide   = 192       // pixels of high resolution of a detail in colour
	photoRegion = 768       // side of the middle of a photograph that details are looked for in
	photoPixels = 8_000_000 // larger photographs are passed over
)

// exhibition runs some winners on details: of the user's photographs, in colour,
// where the config names a folder, else of the validation's luma.
func exhibition(d *rundir.Dir, m *material) ([]crop, error) {
	if len(m.winners) == 0 {
		return nil, nil
	}
	if folder := cmp.Or(m.config.Data.Validation, configs.Procedural); folder != configs.Procedural {
		return photographs(d, m.winners, folder)
	}
	pairs, err := d.Validation()
	if err != nil {
		return nil, err
	}
	return beforeAfter(d, m.winners, pairs)
}

// photographs shrinks parts of the first pictures of a folder and enlarges them
// again.
func photographs(d *rundir.Dir, winners []rundir.Card, folder string) (crops []crop, err error) {
	paths, err := imaging.List(folder)
	if err != nil {
		return nil, err
	}
	var shown []colourist
	for _, i := range pickShown(winners) {
		p, err := openProgram(d.File(winners[i].ID, rundir.FileProgram))
		if err != nil {
			return nil, fmt.Errorf("report: winner %s: %w", winners[i].ID, err)
		}
		u := upscale.New(p)
		defer u.Close()
		shown = append(shown, colourist{"Winner " + rundir.Letter(i), u})
	}
	for _, path := range paths {
		r, err := imaging.OpenRaster(path, imaging.Limits{MaxPixels: photoPixels})
		if errors.Is(err, imaging.ErrTooLarge) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c, err := photograph(filepath.Base(path), r.Picture(), winners[0].Scale, shown); err != nil {
			return nil, err
		} else if c != nil {
			crops = append(crops, *c)
		}
		if len(crops) == cropCount {
			break
		}
	}
	return crops, nil
}

// colourist enlarges with colour.
type colourist struct {
	title string
	*upscale.Upscaler
}

// photograph is the detail of p that bicubic interpolation errs most in; nil where p
// is too small.
func photograph(name string, p *imaging.Picture, scale int, shown []colourist) (*crop, error) {
	p.Alpha = nil
	w, h := min(p.Y.W, photoRegion)/scale*scale, min(p.Y.H, photoRegion)/scale*scale
	if min(w, h) < 4*scale {
		return nil, nil
	}
	hr := part(p, (p.Y.W-w)/2, (p.Y.H-h)/2, w, h)
	lr := mapped(hr, func(q *imaging.Plane) *imaging.Plane { return imaging.Downscale(q, scale).Round() })
	type version struct {
		title string
		big   *imaging.Picture
	}
	all := []version{}
	for _, u := range append([]colourist{{"Bicubic", upscale.Bicubic(scale)}}, shown...) {
		big, err := u.Picture(lr)
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", u.title, err)
		}
		all = append(all, version{u.title, big})
	}
	all = append(all, version{"Original", hr})
	x, y, _ := worstWindow(all[0].big.Y, hr.Y, photoSide, scale)
	c := &crop{Name: name, Side: min(photoSide, w, h)}
	truth := hr.Y.Crop(x, y, c.Side, c.Side)
	for _, v := range all {
		cut := part(v.big, x, y, c.Side, c.Side)
		note := ""
		if v.big != hr {
			psnr, err := decibels(truth, cut.Y.Round())
			if err != nil {
				return nil, err
			}
			note = psnr
		}
		url, err := pictureURL(cut)
		if err != nil {
			return nil, err
		}
		c.Columns = append(c.Columns, column{v.title, note, url, cut.Y})
	}
	return c, nil
}

// mapped applies f to every plane.
func mapped(p *imaging.Picture, f func(*imaging.Plane) *imaging.Plane) *imaging.Picture {
	q := &imaging.Picture{Depth: 8}
	for _, to := range []struct{ dst, src **imaging.Plane }{{&q.Y, &p.Y}, {&q.Cb, &p.Cb}, {&q.Cr, &p.Cr}} {
		if *to.src != nil {
			*to.dst = f(*to.src)
		}
	}
	return q
}

func part(p *imaging.Picture, x, y, w, h int) *imaging.Picture {
	return mapped(p, func(q *imaging.Plane) *imaging.Plane { return q.Crop(x, y, w, h) })
}

// heatCell is a layer of a network of the front.
type heatCell struct {
	Text, Title string
	Scheme      string
	Percent     int  // pruned
	None        bool // the network has no such layer
}

type heatRow struct {
	Layer string
	Cells []heatCell
}

// heatColumn is a network of the front.
type heatColumn struct{ ID, Letter, Latency, PSNR string }

const heatColumns = 24

// heat says for the networks of a front, thinned evenly, by which scheme and how much
// each layer is pruned.
func heat(m *material) (columns []heatColumn, rows []heatRow) {
	front := m.front
	if n := len(front); n > heatColumns {
		var some []rundir.Point
		for i := range heatColumns {
			some = append(some, front[i*(n-1)/(heatColumns-1)])
		}
		front = some
	}
	var drawn [][]block
	for _, p := range front {
		b := drawGenome(p.Genome)
		if b == nil {
			continue
		}
		drawn = append(drawn, b)
		columns = append(columns, heatColumn{p.ID, letterOf(m.winners, p.ID), milliseconds(p.LatencyMS), decibel(p.PSNR)})
	}
	most := 0
	for _, b := range drawn {
		most = max(most, len(b))
	}
	for i := range most {
		layers := 0
		for _, b := range drawn {
			if i < len(b) {
				layers = max(layers, len(b[i].Convs))
			}
		}
		for j := range layers {
			row := heatRow{}
			for _, b := range drawn {
				cell := heatCell{None: true, Title: "no such layer"}
				if i < len(b) {
					if row.Layer == "" || i == 0 || i == most-1 {
						row.Layer = b[i].Title
					}
					if i > 0 && i < most-1 {
						row.Layer = b[i].Sub
					}
					if j < len(b[i].Convs) {
						c := b[i].Convs[j]
						cell = heatCell{Text: c.Short, Scheme: c.Scheme, Title: b[i].Title + ", " + c.Label, Percent: 100 - c.Kept}
					}
				}
				row.Cells = append(row.Cells, cell)
			}
			if layers > 1 {
				row.Layer += fmt.Sprintf(", layer %d", j+1)
			}
			rows = append(rows, row)
		}
	}
	return columns, rows
}

// peerRow is a published network in words.
type peerRow struct {
	Name, MS, Params, Set5, Set14, Gain, Source string
	Ours                                        string // best gain of ours that takes no longer
}

func peerRows(m *material) (rows []peerRow) {
	for _, p := range m.peers {
		row := peerRow{Name: p.Name, MS: milliseconds(p.MS), Params: count(p.Params), Set5: decibel(p.set5), Set14: decibel(p.set14), Gain: signed(p.Set14), Source: p.Source}
		best, found := 0.0, false
		for _, w := range m.winners {
			if gain := w.Finetuned.PSNR - w.Bicubic.PSNR; w.Latency.PredictedMS <= p.MS && (!found || gain > best) {
				best, found = gain, true
			}
		}
		if row.Ours = "none so fast"; found {
			row.Ours = signed(best)
		}
		rows = append(rows, row)
	}
	return rows
}

// denseFront is the front of the networks that prune nothing.
func denseFront(m *material) []rundir.Point {
	var dense []rundir.Evaluation
	for _, e := range m.evaluations {
		if e.Genome != "" && !strings.Contains(e.Genome, "@") { // where no scheme stands, nothing is pruned
			dense = append(dense, e)
		}
	}
	return frontOf(dense, m.aims)
}
