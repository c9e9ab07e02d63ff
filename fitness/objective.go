package fitness

import (
	"fmt"
	"math"
	"strings"
)

// Values are what a network is judged by.
type Values struct {
	PSNR      float64 `json:"psnr_db"`
	SSIM      float64 `json:"ssim"`
	LatencyMS float64 `json:"latency_ms"` // predicted, one frame
	Params    int     `json:"params"`     // kept weights and biases
	MACs      int     `json:"macs"`       // executed multiplications, one frame

	Others map[string]float64 `json:"latencies_ms,omitempty"` // predicted on further devices, by name
}

// Values are what s says of its network.
func (s *Score) Values() Values {
	v := Values{PSNR: s.PSNR, SSIM: s.SSIM, LatencyMS: s.LatencyMS, Params: s.Params, MACs: s.MACs}
	for _, l := range s.Others {
		if v.Others == nil {
			v.Others = map[string]float64{}
		}
		v.Others[l.Device] = l.MS
	}
	return v
}

// Names of objectives that are more than a row of their table.
const (
	NamePSNR    = "psnr_db"
	NameLatency = "latency_ms"
	LatencyOn   = NameLatency + ":" // a further device's name follows
)

// Objective is one thing that a search trades against others.
type Objective struct {
	Name      string // in configs, front.json and tables
	Label     string // of an axis, without the unit
	Unit      string // "" of a number or a share
	Maximised bool   // a quality of the picture; all others are costs
	Digits    int    // after the point in front.json, 0 of whole numbers
	Shown     int    // after the point to people; milliseconds have three figures
	value     func(*Values) float64
}

// objectives is the one table of objectives, in the order of files: configs,
// fronts, tables of evaluations and charts follow it. A field of Values stands
// behind each.
var objectives = [...]Objective{
	{Name: NamePSNR, Label: "PSNR", Unit: "dB", Maximised: true, Digits: 6, Shown: 2, value: func(v *Values) float64 { return v.PSNR }},
	{Name: "ssim", Label: "SSIM", Maximised: true, Digits: 8, Shown: 4, value: func(v *Values) float64 { return v.SSIM }},
	{Name: NameLatency, Label: "Predicted latency", Unit: "ms", Digits: 6, value: func(v *Values) float64 { return v.LatencyMS }},
	{Name: "params", Label: "Parameters", value: func(v *Values) float64 { return float64(v.Params) }},
	{Name: "macs", Label: "Multiplications a frame", value: func(v *Values) float64 { return float64(v.MACs) }},
}

// AllObjectives lists the objectives, those of further devices aside.
func AllObjectives() []Objective { return append([]Objective(nil), objectives[:]...) }

// Of is the objective's value in its unit. It is NaN where v is of no such
// further device.
func (o *Objective) Of(v *Values) float64 { return o.value(v) }

// Minimised is the value as a search sees it: less is better.
func (o *Objective) Minimised(v *Values) float64 {
	if o.Maximised {
		return -o.value(v)
	}
	return o.value(v)
}

// ObjectiveOf is the objective of that name: one of AllObjectives, or the latency on
// a further device, "latency_ms:phone".
func ObjectiveOf(name string) (Objective, error) {
	var names []string
	for _, o := range objectives {
		if o.Name == name {
			return o, nil
		}
		names = append(names, o.Name)
	}
	if device, ok := strings.CutPrefix(name, LatencyOn); ok && device != "" {
		return latencyOn(device), nil
	}
	return Objective{}, fmt.Errorf("fitness: objective: %q, want one of %s, or %sDEVICE", name, strings.Join(names, ", "), LatencyOn)
}

func latencyOn(device string) Objective {
	o, _ := ObjectiveOf(NameLatency)
	o.Name, o.Label = LatencyOn+device, o.Label+" on "+device
	o.value = func(v *Values) float64 {
		if ms, ok := v.Others[device]; ok {
			return ms
		}
		return math.NaN()
	}
	return o
}

// Objectives are those of a search, in its order.
type Objectives []Objective

// ParseObjectives looks up objectives by name.
func ParseObjectives(names []string) (Objectives, error) {
	var list Objectives
	for _, name := range names {
		o, err := ObjectiveOf(name)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// Minimised is a row of the search's: every objective's value, less is better.
func (list Objectives) Minimised(v *Values) []float64 {
	f := make([]float64, len(list))
	for i := range list {
		f[i] = list[i].Minimised(v)
	}
	return f
}

// Quality is the first objective that is maximised, and Cost the first other one;
// ok is false where there is none.
func (list Objectives) Quality() (o Objective, ok bool) { return list.first(true) }

// Cost: see Quality.
func (list Objectives) Cost() (o Objective, ok bool) { return list.first(false) }

func (list Objectives) first(maximised bool) (Objective, bool) {
	for _, o := range list {
		if o.Maximised == maximised {
			return o, true
		}
	}
	return Objective{}, false
}
