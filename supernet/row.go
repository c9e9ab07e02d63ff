package supernet

import (
	"fmt"
	"math"
	"strconv"
)

// LayerRow is a LayerState in the words of a table.
type LayerRow struct {
	Name, Channels, Active, Dead, Norm, Growth, Rank, FullRank, Update string // Active and Dead are "" where no activation follows
}

// Row puts what a layer looks like into the words of a table.
func (l *LayerState) Row() LayerRow {
	r := LayerRow{
		Name: l.Name, Channels: strconv.Itoa(l.Channels), Norm: digits(l.Norm), Growth: digits(l.Growth),
		Rank: fmt.Sprintf("%.1f", l.Rank), FullRank: strconv.Itoa(l.FullRank), Update: fmt.Sprintf("%.1e", l.Update),
	}
	if l.Activated {
		r.Active, r.Dead = fmt.Sprintf("%.1f %%", 100*l.Active), strconv.Itoa(l.Dead)
	}
	return r
}

// digits writes a number that is not negative with three digits, none of them
// after more than two zeros behind the point.
func digits(x float64) string {
	places := 3
	if x > 0 {
		places = min(max(2-int(math.Floor(math.Log10(x))), 0), 4)
	}
	return fmt.Sprintf("%.*f", places, x)
}
