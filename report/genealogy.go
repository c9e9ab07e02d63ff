package report

import (
	"fmt"
	"strconv"

	"evosr/rundir"
)

// ancestor is a network with what it was bred from.
type ancestor struct {
	ID, Figures string
	Index       string // evaluation, from 1
	Note        string // where it comes from if it has no parents here
	Parents     []ancestor
}

// generations is how far back the genealogy of a winner is shown; each may double
// its size.
const generations = 5

// genealogy is a winner with its ancestors; nil where the run did not record them.
func genealogy(m *material, id string) *ancestor {
	recorded := false
	at := map[int]rundir.Evaluation{}
	last := -1
	for _, e := range m.evaluations {
		at[e.Index] = e
		recorded = recorded || len(e.Parents) > 0
		if e.ID == id && last < 0 {
			last = e.Index
		}
	}
	if !recorded || last < 0 {
		return nil
	}
	told := map[int]bool{}
	var of func(index, left int) ancestor
	of = func(index, left int) ancestor {
		e := at[index]
		a := ancestor{ID: e.ID, Index: strconv.Itoa(index + 1), Figures: fmt.Sprintf("%s dB, %s ms", decibel(e.PSNR), milliseconds(e.LatencyMS))}
		switch {
		case e.Err != "":
			a.Figures = "not scored"
		}
		switch {
		case len(e.Parents) == 0:
			a.Note = "drawn or given"
		case told[index]:
			a.Note = "as above"
		case left == 0:
			a.Note = "and so on"
		default:
			told[index] = true
			for i, p := range e.Parents {
				if i == 0 || p != e.Parents[0] {
					a.Parents = append(a.Parents, of(p, left-1))
				}
			}
		}
		return a
	}
	a := of(last, generations)
	return &a
}
