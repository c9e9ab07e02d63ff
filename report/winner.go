package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"evosr/network"
	"evosr/rundir"
	"evosr/space"
)

// winner is a card of the page.
type winner struct {
	ID, Letter, Reason, Genome string
	PSNR, Gain                 string // fine-tuned; over bicubic
	Latency, FPS               string // measured
	Against, AgainstUnit       string // the space's dense network, both predicted; "" when unknown
	Params, MACs, DenseMACs    string
	Kept                       string // MACs executed / dense, percent
	Quality                    []qualityRow
	Predicted, Interval        string
	Median, P90, Ratio         string
	Inside                     bool // measured within the predicted interval
	Foreign                    bool // the prediction is of another device
	Setup                      string
	Gauge                      gauge
	Devices                    []deviceRow // further ones
	Layers                     []layerRow
	Blocks                     []block
	Files                      []fileRow
	Ancestors                  *ancestor // nil where they were not recorded
	Commands                   []string
}

type qualityRow struct {
	Name, PSNR, SSIM, Gain string
	Main                   bool
}

// deviceRow is a winner on a further device.
type deviceRow struct {
	Name, Setup         string
	Predicted, Interval string
	Measured            string // "" where the device is another machine
	Budget              string // "" for none
	Over                bool   // predicted, or measured, beyond the budget
}

// gauge places a latency interval and its measurement on a line, percent.
type gauge struct {
	Low, Width, Predicted, Measured float64
	From, To                        string // ends of the line, milliseconds
}

type layerRow struct {
	Name, Shape, Scheme, Density, Tile string
	DensityPercent                     float64
	Time, Share                        string
	SharePercent                       float64
	Speedup                            string
	Pruned, Pays                       bool
}

// block is one box of the drawn genome.
type block struct {
	Title, Sub string
	Skipped    bool
	Convs      []conv
}

type conv struct {
	Label         string // scheme and pruned percent
	Short, Scheme string // pruned percent and its scheme, "" of a dense one
	Kept          int    // percent
}

type fileRow struct{ Name, Size, Hash string }

func newWinner(m *material, i int, c rundir.Card) winner {
	w := winner{
		ID: c.ID, Letter: rundir.Letter(i), Reason: c.Reason, Genome: c.Genome,
		PSNR: decibel(c.Finetuned.PSNR), Gain: signed(c.Finetuned.PSNR - c.Bicubic.PSNR),
		Latency: milliseconds(c.Latency.MedianMS), FPS: rate(c.Latency.MedianMS),
		Params: count(c.Params), MACs: short(float64(c.MACs)), DenseMACs: short(float64(c.DenseMACs)),
		Predicted: milliseconds(c.Latency.PredictedMS),
		Interval:  milliseconds(c.Latency.LowMS) + " to " + milliseconds(c.Latency.HighMS),
		Median:    milliseconds(c.Latency.MedianMS), P90: milliseconds(c.Latency.P90MS),
		Ratio:   strconv.FormatFloat(c.Latency.Ratio, 'f', 2, 64),
		Foreign: c.Latency.Stale != "",
		Inside:  c.Latency.MedianMS >= c.Latency.LowMS && c.Latency.MedianMS <= c.Latency.HighMS,
		Setup: fmt.Sprintf("%d×%d input, %s, %s kernels, %d runs", c.Latency.Width, c.Latency.Height,
			plural(c.Latency.Threads, "thread"), c.Latency.Kernels, c.Latency.Runs),
		Gauge:  newGauge(c.Latency),
		Blocks: drawGenome(c.Genome),
	}
	if c.DenseMACs > 0 {
		w.Kept = percent(float64(c.MACs) / float64(c.DenseMACs))
	}
	for _, d := range c.Devices {
		row := deviceRow{
			Name: d.Device, Setup: fmt.Sprintf("%d×%d input, %s", d.Width, d.Height, plural(d.Threads, "thread")),
			Predicted: milliseconds(d.PredictedMS), Interval: milliseconds(d.LowMS) + " to " + milliseconds(d.HighMS),
		}
		if d.MedianMS > 0 {
			row.Measured = milliseconds(d.MedianMS)
		}
		if d.BudgetMS > 0 {
			row.Budget, row.Over = milliseconds(d.BudgetMS), max(d.PredictedMS, d.MedianMS) > d.BudgetMS
		}
		w.Devices = append(w.Devices, row)
	}
	if m.dense != nil {
		w.Against, w.AgainstUnit = against(m.dense.LatencyMS, c.Latency.PredictedMS)
	}
	for _, q := range []struct {
		name string
		psnr float64
		ssim float64
	}{
		{"Bicubic", c.Bicubic.PSNR, c.Bicubic.SSIM}, {"As searched", c.Inherited.PSNR, c.Inherited.SSIM},
		{"Fine-tuned", c.Finetuned.PSNR, c.Finetuned.SSIM}, {"Largest network, dense", c.Dense.PSNR, c.Dense.SSIM},
	} {
		row := qualityRow{Name: q.name, PSNR: decibel(q.psnr), SSIM: ssim(q.ssim), Gain: signed(q.psnr - c.Bicubic.PSNR), Main: q.name == "Fine-tuned"}
		if q.name == "Bicubic" {
			row.Gain = ""
		}
		w.Quality = append(w.Quality, row)
	}
	total := 0.0
	for _, l := range c.Layers {
		total += l.MedianMS
	}
	for _, l := range c.Layers {
		row := layerRow{
			Name: l.Name, Shape: fmt.Sprintf("%d → %d, %d×%d", l.In, l.Out, l.Kernel, l.Kernel), Scheme: l.Scheme,
			Density: percent(l.Density), DensityPercent: 100 * l.Density, Tile: fmt.Sprint(l.B),
			Time: strconv.FormatFloat(l.MedianMS, 'f', 3, 64), Pruned: l.Density < 1, Pays: l.Pays,
		}
		if total > 0 {
			row.Share, row.SharePercent = percent(l.MedianMS/total), 100*l.MedianMS/total
		}
		if l.Speedup > 0 {
			row.Speedup = strconv.FormatFloat(l.Speedup, 'f', 1, 64) + "×"
		}
		w.Layers = append(w.Layers, row)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		f := fileRow{Name: "winners/" + c.ID + "/" + name, Hash: c.Files[name], Size: "missing"}
		if n, ok := m.sizes[c.ID+"/"+name]; ok {
			f.Size = size(n)
		}
		w.Files = append(w.Files, f)
	}
	w.Ancestors = genealogy(m, c.ID)
	base := "winners/" + c.ID + "/"
	w.Commands = []string{
		"evosr upscale -m " + base + "model.evosr IN.png OUT.png",
		"evosr bench " + base + "model.evosr",
		"evosr export " + quoted(m.dir) + " --winner " + c.ID + " -o " + c.ID + ".onnx",
		fmt.Sprintf("evosr eval %smodel.onnx --images FOLDER --scale %d", base, c.Scale),
	}
	return w
}

// against compares two latencies of one ruler in words.
func against(dense, winner float64) (value, unit string) {
	if !(dense > 0 && winner > 0) {
		return "", ""
	}
	ratio, unit := dense/winner, "faster"
	if ratio < 1 {
		ratio, unit = 1/ratio, "slower"
	}
	switch value = strconv.FormatFloat(ratio, 'f', 1, 64); {
	case value == "1.0":
		return "equal", "in time"
	case ratio >= 9.95:
		value = count(int(ratio + 0.5))
	}
	return value + "×", unit
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// newGauge draws a line that is a little longer than what it must show.
func newGauge(l rundir.Latency) gauge {
	from, to := min(l.LowMS, l.MedianMS, l.PredictedMS), max(l.HighMS, l.MedianMS, l.PredictedMS)
	pad := 0.3 * (to - from)
	from, to = max(0, from-pad), to+pad
	if !(to > from) {
		return gauge{From: milliseconds(from), To: milliseconds(to)}
	}
	at := func(x float64) float64 { return 100 * (x - from) / (to - from) }
	return gauge{Low: at(l.LowMS), Width: at(l.HighMS) - at(l.LowMS), Predicted: at(l.PredictedMS), Measured: at(l.MedianMS), From: milliseconds(from), To: milliseconds(to)}
}

// drawGenome turns the canonical text into boxes from the picture in to the
// picture out. A text that does not parse is drawn as nothing.
func drawGenome(text string) []block {
	g, err := space.ParseGenome(text)
	if err != nil {
		return nil
	}
	one := func(prunes ...network.Prune) (list []conv) {
		for _, p := range prunes {
			c := conv{Label: p.Scheme.String(), Kept: 100 - p.Percent}
			if p.Scheme != network.Dense {
				c.Label += " −" + strconv.Itoa(p.Percent) + " %"
				c.Scheme = p.Scheme.String()
				c.Short = strconv.Itoa(p.Percent)
			}
			list = append(list, c)
		}
		return list
	}
	blocks := []block{{Title: "head", Sub: plural(g.Width, "channel"), Convs: one(g.Head)}}
	for i, s := range g.Slots {
		b := block{Title: s.Kind.String(), Sub: fmt.Sprintf("slot %d", i+1), Skipped: s.Kind == space.Skip, Convs: one(s.Prune[:len(s.Kind.Convs())]...)}
		if s.Expansion > 0 {
			b.Title += " ×" + strconv.FormatFloat(s.Expansion, 'g', -1, 64)
		}
		if s.Activation != space.ReLU {
			b.Title += " " + s.Activation.String()
		}
		blocks = append(blocks, b)
	}
	return append(blocks, block{Title: "tail", Sub: "shuffle", Convs: one(g.Tail)})
}
