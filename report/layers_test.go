package report

import (
	"slices"
	"strings"
	"testing"

	"evosr/rundir"
)

// TestLayers: a run that trained has a chart of each kind with a line for each
// layer, a table of the last step and what is wrong at that step; another has none.
func TestLayers(t *testing.T) {
	m := fixture(t)
	first, last := m.layers[0], m.layers[len(m.layers)-1]
	c := newCharts(m)
	if len(c.LayerSteps) != len(m.layers) || len(c.Layers) != len(first.Layers) {
		t.Fatalf("%d steps of %d layers, want %d of %d", len(c.LayerSteps), len(c.Layers), len(m.layers), len(first.Layers))
	}
	for i, l := range c.Layers {
		for _, n := range []int{len(l.Active), len(l.Dead), len(l.Norm), len(l.Rank), len(l.Update)} {
			if n != len(m.layers) {
				t.Errorf("%s: %d values, want %d", l.Name, n, len(m.layers))
			}
		}
		if want := last.Layers[i]; l.Name != want.Name || l.Activated != want.Activated || l.Dead[len(l.Dead)-1] != want.Dead || l.Norm[0] != rounded(first.Layers[i].Growth) {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
	charts := []string{"chart-active", "chart-dead", "chart-norm", "chart-rank", "chart-update"}
	page := pageOf(t, m)
	for _, id := range charts {
		if !strings.Contains(ours(page), `id="`+id+`"`) || strings.Count(page, `"`+id+`"`) != 2 { // its place, and who draws it
			t.Errorf("no %s", id)
		}
	}
	for _, want := range []string{"<code>slot1/conv1</code>", "Effective rank", "at step 8\u202f000: slot1/conv1 is dead: none of its"} {
		if !strings.Contains(ours(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	m.layers = nil
	if page := ours(pageOf(t, m)); slices.ContainsFunc(charts, func(id string) bool { return strings.Contains(page, id) }) || strings.Contains(page, "Layers while training") {
		t.Error("layers of a run that did not train")
	}
	if steps, lines := linesOf([]rundir.LayersPoint{}); steps != nil || lines != nil {
		t.Errorf("%v, %v of nothing", steps, lines)
	}
}

func TestRounded(t *testing.T) {
	for _, tt := range [][2]float64{{0, 0}, {1, 1}, {0.123456, 0.1235}, {12345, 12350}, {3.00004e-7, 3e-7}, {-2.34567, -2.346}} {
		if got := rounded(tt[0]); got < tt[1]-1e-12 || got > tt[1]+1e-12 {
			t.Errorf("%v becomes %v, want %v", tt[0], got, tt[1])
		}
	}
}
