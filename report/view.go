package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/rundir"
	"evosr/supernet"
)

// view is the page in words and formatted numbers; the template adds nothing
// but tags.
type view struct {
	Title, Lead string
	Written     string
	Finished    bool
	Progress    string // where an unfinished run is
	Metric      string
	Tiles       []tile
	Warnings    []string
	Winners     []winner
	Crops       []crop
	NoCrops     string
	FrontRows   []frontRow
	Devices     []string            // names of further devices
	Training    []rundir.TrainPoint // thinned, for the table
	AsTheyAre   string              // the weights that were not trained on, "" where they were
	LayerRows   []stateRow          // at the end of the training, or as far as it is
	HeatColumns []heatColumn
	Heat        []heatRow
	Peers       []peerRow
	Hypervolume []fact
	Repeat      string // command
	About       []group
	Config      string // resolved YAML
	Events      []eventRow
	Charts      charts
	FrontSVG    string
}

type tile struct{ Value, Unit, Label, Note string }

type fact struct{ Name, Value string }

type group struct {
	Title string
	Facts []fact
}

type frontRow struct {
	ID, Letter, Genome       string
	PSNR, SSIM, Latency      string
	Params, MACs, Violations string
	Others                   []string // latencies on further devices
}

type eventRow struct{ At, Stage, Text string }

func newView(m *material) *view {
	v := &view{
		Title:    m.name,
		Lead:     lead(m),
		Written:  m.written.Format("2 January 2006, 15:04"),
		Finished: m.status.Stage == rundir.StageDone,
		Progress: progress(m.status),
		Metric:   metric(m),
		Tiles:    tiles(m),
		Warnings: warnings(m),
		Crops:    m.crops,
		NoCrops:  m.noCrops,
		About:    about(m),
		Config:   string(m.config.YAML()),
		Charts:   newCharts(m),
	}
	for i, w := range m.winners {
		v.Winners = append(v.Winners, newWinner(m, i, w))
	}
	v.HeatColumns, v.Heat = heat(m)
	if len(m.winners) > 0 && len(v.Charts.Peers) > 0 {
		v.Peers = peerRows(m)
	}
	v.Hypervolume, v.Repeat = hypervolumeFacts(m, v.Charts.HVTotal), repeat(m)
	for _, d := range m.devices {
		v.Devices = append(v.Devices, d.Name)
	}
	for _, p := range m.front {
		row := frontRow{
			ID: p.ID, Letter: letterOf(m.winners, p.ID), Genome: p.Genome,
			PSNR: decibel(p.PSNR), SSIM: ssim(p.SSIM), Latency: milliseconds(p.LatencyMS),
			Params: count(p.Params), MACs: short(float64(p.MACs)),
		}
		for _, d := range m.devices {
			row.Others = append(row.Others, milliseconds(p.Others[d.Name]))
		}
		v.FrontRows = append(v.FrontRows, row)
	}
	v.Training = thin(m.training, 12)
	v.LayerRows = stateRows(m.layers)
	if m.config.Train.Steps == 0 {
		v.AsTheyAre = m.config.Train.From
	}
	for _, e := range m.events {
		v.Events = append(v.Events, eventRow{e.At.Format(time.DateTime), e.Stage, e.Text})
	}
	v.FrontSVG = frontSVG(v)
	return v
}

func letterOf(winners []rundir.Card, id string) string {
	if i := slices.IndexFunc(winners, func(w rundir.Card) bool { return w.ID == id }); i >= 0 {
		return rundir.Letter(i)
	}
	return ""
}

func metric(m *material) string {
	for _, w := range m.winners {
		if w.Metric != "" {
			return w.Metric
		}
	}
	return fitness.Definition
}

func lead(m *material) string {
	c := m.config
	device := "this device"
	if m.profile != nil && m.profile.CPU != "" {
		device, _, _ = strings.Cut(m.profile.CPU, ", cpu family") // all of it stands under "This run"
	}
	return fmt.Sprintf("Super-resolution ×%d, %d×%d to %d×%d pixels, for %s.", c.Space.Scale, c.Device.Width, c.Device.Height,
		c.Device.Width*c.Space.Scale, c.Device.Height*c.Space.Scale, device)
}

func progress(s rundir.Status) string {
	switch {
	case s.Stage == rundir.StageDone:
		return ""
	case s.Stage == rundir.StageSupernet:
		return fmt.Sprintf("training the supernet, step %s of %s", count(s.TrainStep), count(s.TrainSteps))
	case s.Stage == rundir.StageSearch:
		return fmt.Sprintf("searching, %s of %s networks scored", count(s.Evaluations), count(s.Budget))
	case s.Stage == rundir.StageWinners:
		return fmt.Sprintf("finishing winners, %d of %d", s.Winners, s.WinnersWant)
	}
	return "at stage " + s.Stage
}

func tiles(m *material) []tile {
	var t []tile
	if len(m.winners) > 0 {
		best, fast := m.winners[0], m.winners[0]
		for _, w := range m.winners {
			if w.Finetuned.PSNR > best.Finetuned.PSNR {
				best = w
			}
			if w.Latency.MedianMS < fast.Latency.MedianMS {
				fast = w
			}
		}
		t = append(t,
			tile{decibel(best.Finetuned.PSNR), "dB", "Best picture",
				fmt.Sprintf("winner %s, %s dB over bicubic", letterOf(m.winners, best.ID), signed(best.Finetuned.PSNR-best.Bicubic.PSNR))},
			tile{milliseconds(fast.Latency.MedianMS), "ms", "Fastest",
				fmt.Sprintf("winner %s, %s frames a second at %d×%d", letterOf(m.winners, fast.ID), rate(fast.Latency.MedianMS), fast.Latency.Width, fast.Latency.Height)})
	}
	if n := len(m.front); n > 0 {
		note := fmt.Sprintf("%s to %s ms", milliseconds(m.front[0].LatencyMS), milliseconds(m.front[n-1].LatencyMS))
		t = append(t, tile{count(n), "", "Points on the front", note})
	}
	if n := len(m.evaluations); n > 0 {
		failed := 0
		for _, e := range m.evaluations {
			if e.Err != "" {
				failed++
			}
		}
		note := fmt.Sprintf("of a budget of %s", count(max(m.status.Budget, n)))
		if failed > 0 {
			note = fmt.Sprintf("%d could not be scored", failed)
		}
		t = append(t, tile{count(n), "", "Networks scored", note})
	}
	if n := len(m.training); n > 0 && len(t) < 4 {
		last := m.training[n-1]
		t = append(t, tile{count(last.Step), "", "Training steps", fmt.Sprintf("loss %.4g", last.Loss)})
	}
	return t
}

// noisy is the ratio of the 90th percentile to the median from which a
// measurement is called unsteady.
const noisy = 1.25

// quietFrames is the share of undisturbed frames below which a measurement says
// little.
const quietFrames = 0.5

func warnings(m *material) []string {
	var list []string
	stale := ""
	for _, w := range m.winners {
		stale = cmp.Or(stale, w.Latency.Stale)
	}
	switch {
	case stale != "":
		list = append(list, "The device profile does not describe the machine that measured the winners: "+stale+". Predicted and measured latencies are not of the same machine.")
	case m.stale != nil && m.profile == nil:
		why, _, _ := strings.Cut(m.stale.Error(), "\n")
		list = append(list, "The run's device profile does not read: "+why+".")
	case m.stale != nil:
		list = append(list, "The device profile does not describe the machine that wrote this report: "+m.stale.Error()+". Latencies are those of the profile's machine.")
	}
	if m.profile != nil && m.profile.Kernels == "go" {
		list = append(list, "The profile was measured with the portable Go kernels, not with SIMD ones: latencies are many times those of a build that uses the processor's vector instructions.")
	}
	if m.profile != nil && !m.profile.Quiet {
		list = append(list, "The device profile was measured while the machine was not quiet ("+m.profile.Trouble+"): predictions may be far off.")
	}
	var unsteady, outside, worse, busy []string
	for i, w := range m.winners {
		l := w.Latency
		if l.MedianMS > 0 && l.P90MS > noisy*l.MedianMS {
			unsteady = append(unsteady, fmt.Sprintf("%s (median %s ms, one frame in ten %s ms or more)", rundir.Letter(i), milliseconds(l.MedianMS), milliseconds(l.P90MS)))
		}
		if l.Stale == "" && l.HighMS > 0 && (l.MedianMS > l.HighMS || l.MedianMS < l.LowMS) {
			outside = append(outside, fmt.Sprintf("%s (%s ms for %s to %s ms)", rundir.Letter(i), milliseconds(l.MedianMS), milliseconds(l.LowMS), milliseconds(l.HighMS)))
		}
		if l.MedianMS > 0 && l.QuietShare < quietFrames {
			busy = append(busy, rundir.Letter(i))
		}
		if w.Finetuned.PSNR < w.Bicubic.PSNR {
			worse = append(worse, rundir.Letter(i))
		}
	}
	if len(unsteady) > 0 {
		list = append(list, "The machine was unsteady when it measured "+winnersNamed(unsteady)+".")
	}
	if len(busy) > 0 {
		list = append(list, "Other programs held the cores while "+winnersNamed(busy)+" ran: what was measured says more about them.")
	}
	if len(outside) > 0 {
		list = append(list, "Measured outside the predicted interval: "+winnersNamed(outside)+". The machine was busier during one of the two than during the other, or the profile misses something.")
	}
	if n := len(m.layers); n > 0 {
		for _, w := range supernet.Warnings(m.layers[n-1].Layers) {
			list = append(list, "The supernet's largest network, at step "+count(m.layers[n-1].Step)+": "+w.Text+".")
		}
	}
	if len(worse) > 0 {
		list = append(list, "Worse than bicubic interpolation: "+winnersNamed(worse)+". Train longer.")
	}
	return list
}

// winnersNamed lists letters with what is said of each.
func winnersNamed(list []string) string {
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return "winner " + list[0]
	default:
		return "winners " + strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

func about(m *material) []group {
	c := m.config
	folder := func(s string) string {
		if s == "procedural" {
			return "procedural pictures"
		}
		return s
	}
	objectives := strings.Join(c.Search.Objectives, ", ")
	limits := "none"
	var parts []string
	for _, d := range m.devices {
		if d.BudgetMS > 0 {
			parts = append(parts, milliseconds(d.BudgetMS)+" ms on "+d.Name)
		}
	}
	if c.Search.BudgetMS > 0 || c.Search.MaxParams > 0 || c.Search.MaxMemoryMB > 0 || len(parts) > 0 {
		if c.Search.BudgetMS > 0 {
			parts = append(parts, milliseconds(c.Search.BudgetMS)+" ms")
		}
		if c.Search.MaxParams > 0 {
			parts = append(parts, count(c.Search.MaxParams)+" parameters")
		}
		if c.Search.MaxMemoryMB > 0 {
			parts = append(parts, fmt.Sprintf("%v MB a frame", c.Search.MaxMemoryMB))
		}
		limits = strings.Join(parts, ", ")
	}
	groups := []group{
		{"Search", []fact{
			{"Seed", fmt.Sprint(c.Seed)},
			{"Mode", c.Search.Mode},
			{"Objectives", objectives},
			{"Budget", count(c.Search.Evaluations) + " evaluations, population " + count(c.Search.Population)},
			{"Ended by", cmp.Or(m.status.SearchEnd, "not ended")},
			{"Constraints", limits},
			{"Space", fmt.Sprintf("%d slots, width %s", len(c.Space.Slots), joinInts(c.Space.Widths))},
		}},
		{"Training", []fact{
			{"Pictures", folder(c.Data.Train)},
			{"Validation", fmt.Sprintf("%s, %d crops of %d×%d", folder(c.Data.Validation), c.Data.ValidationCrops, c.Data.ValidationSize, c.Data.ValidationSize)},
			{"Supernet", fmt.Sprintf("%s steps of %d patches, %d×%d", count(c.Train.Steps), c.Train.Batch, c.Train.Patch, c.Train.Patch)},
			{"Fine-tuning", count(c.Winners.Finetune) + " steps a winner"},
		}},
	}
	if len(m.hashes) > 0 {
		groups = append(groups, group{"Made of (hashes)", m.hashes})
	}
	groups = append(groups, aboutDevice("Device", m.profile, c.Device.Width, c.Device.Height))
	for _, d := range m.devices {
		groups = append(groups, aboutDevice("Device "+d.Name, d.Profile, d.Width, d.Height))
	}
	return groups
}

func aboutDevice(title string, p *deviceprofile.Profile, w, h int) group {
	if p == nil {
		return group{title, []fact{{"Profile", "not known"}}}
	}
	facts := []fact{
		{"Processor", cmp.Or(p.CPU, "unknown")},
		{"Kernels", p.Kernels},
		{"Threads", fmt.Sprint(p.Threads)},
		{"Picture", fmt.Sprintf("%d×%d", w, h)},
		{"Governor", cmp.Or(p.Governor, "unknown")},
		{"Measured", p.Date},
		{"Runtime", "version " + p.Version + ", " + p.Go},
	}
	if p.External() {
		facts[0].Name, facts[1] = "Measured from", fact{"Runtime", p.Runtime}
		facts[len(facts)-1].Name = "evosr"
	}
	return group{title, facts}
}

// thin keeps at most n points, the last one always.
func thin(points []rundir.TrainPoint, n int) []rundir.TrainPoint {
	if len(points) <= n {
		return points
	}
	var out []rundir.TrainPoint
	for i := 1; i <= n; i++ {
		out = append(out, points[i*len(points)/n-1])
	}
	return out
}

// repeat is the command that makes the run again, into another directory.
func repeat(m *material) string {
	return fmt.Sprintf("evosr run %s --dir %s --seed %d", quoted(filepath.Join(m.dir, rundir.FileConfig)), quoted(m.dir+"-again"), m.config.Seed)
}

// quoted makes one word of a shell of a path.
func quoted(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// hypervolumeFacts are the numbers behind the curve.
func hypervolumeFacts(m *material, shown float64) (list []fact) {
	digits := func(x float64) string { return strconv.FormatFloat(x, 'g', 5, 64) }
	if m.hypervolume > 0 {
		list = append(list, fact{"Of the front", digits(m.hypervolume)})
	}
	if len(m.reference) == len(m.aims) && len(m.reference) > 0 {
		var parts []string
		for i, o := range m.aims {
			v := m.reference[i]
			if o.Maximised {
				v = -v
			}
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Label, digits(v), o.Unit)))
		}
		list = append(list, fact{"Reference point", strings.Join(parts, ", ")})
	}
	if shown > 0 {
		list = append(list, fact{"Of this curve's end", digits(shown) + ", measured from the worst value of each objective"})
	}
	return list
}
