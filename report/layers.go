package report

import (
	"math"

	"evosr/rundir"
	"evosr/supernet"
)

// layerLines is one layer's curves, a value for each of charts.LayerSteps.
type layerLines struct {
	Name      string    `json:"name"`
	Activated bool      `json:"activated"`
	Active    []float64 `json:"active"` // share of values above zero
	Dead      []int     `json:"dead"`   // channels
	Norm      []float64 `json:"norm"`   // of the start's
	Rank      []float64 `json:"rank"`   // share of full rank
	Update    []float64 `json:"update"` // of the weights' norm
}

// linesOf turns what was seen at each step into a line for each layer.
func linesOf(points []rundir.LayersPoint) (steps []int, lines []layerLines) {
	for _, p := range points {
		steps = append(steps, p.Step)
		for i, l := range p.Layers {
			if i == len(lines) {
				lines = append(lines, layerLines{Name: l.Name, Activated: l.Activated})
			}
			to := &lines[i]
			to.Active = append(to.Active, rounded(l.Active))
			to.Dead = append(to.Dead, l.Dead)
			to.Norm = append(to.Norm, rounded(l.Growth))
			to.Rank = append(to.Rank, rounded(l.Rank/float64(max(l.FullRank, 1))))
			to.Update = append(to.Update, rounded(l.Update))
		}
	}
	return steps, lines
}

// rounded keeps four digits: thousands of numbers make a page long.
func rounded(x float64) float64 {
	x = finite(x)
	if x == 0 {
		return 0
	}
	unit := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*unit) / unit
}

type stateRow struct {
	supernet.LayerRow
	Bad bool // dead as a whole
}

// stateRows is the last of the points.
func stateRows(points []rundir.LayersPoint) (rows []stateRow) {
	if len(points) == 0 {
		return nil
	}
	layers := points[len(points)-1].Layers
	for i := range layers {
		rows = append(rows, stateRow{layers[i].Row(), layers[i].Died()})
	}
	return rows
}
