package runner

import "evosr/internal/stat"

// correlations holds what could order networks against their truth.
func correlations(list []Ranked, truth func(Ranked) float64) map[string]Correlation {
	column := func(f func(Ranked) float64) []float64 {
		var x []float64
		for _, n := range list {
			x = append(x, f(n))
		}
		return x
	}
	want := column(truth)
	out := map[string]Correlation{}
	for name, f := range map[string]func(Ranked) float64{
		"inherited": func(n Ranked) float64 { return n.Inherited },
		"refitted":  func(n Ranked) float64 { return n.Refitted },
		"params":    func(n Ranked) float64 { return float64(n.Params) },
		"macs":      func(n Ranked) float64 { return float64(n.MACs) },
	} {
		got := column(f)
		out[name] = Correlation{stat.Kendall(got, want), stat.Pearson(stat.Ranks(got), stat.Ranks(want))}
	}
	return out
}
