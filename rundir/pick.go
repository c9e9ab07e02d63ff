package rundir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Letter names the i-th winner, from 0, of those in the order of Dir.Winners: A to
// Z, then AA.
func Letter(i int) string {
	const letters = 26
	if i >= letters {
		return Letter(i/letters-1) + Letter(i%letters)
	}
	return string(rune('A' + i))
}

// A PickError says why a name is no winner's.
type PickError struct {
	Name string
	Have []string // the winners, each as LETTER=ID
	Why  string
}

func (e *PickError) Error() string {
	if len(e.Have) == 0 {
		return "rundir: winner: this run has none yet"
	}
	return fmt.Sprintf("rundir: winner: %q: %s, want one of %s, or knee, best, fastest, or under:8ms", e.Name, e.Why, strings.Join(e.Have, ", "))
}

// words are the names that any run's winners answer to.
var words = map[string]func(cards []Card) *Card{
	"knee": func(cards []Card) *Card {
		i := slices.IndexFunc(cards, func(c Card) bool { return slices.Contains(strings.Split(c.Reason, ", "), "knee") })
		if i < 0 {
			return nil
		}
		return &cards[i]
	},
	"best":    func(cards []Card) *Card { return most(cards, func(c *Card) float64 { return c.Finetuned.PSNR }) },
	"fastest": func(cards []Card) *Card { return most(cards, func(c *Card) float64 { return -takes(c) }) },
}

// takes is a winner's time of a frame, ms: measured, predicted where it was not.
func takes(c *Card) float64 {
	if c.Latency.MedianMS > 0 {
		return c.Latency.MedianMS
	}
	return c.Latency.PredictedMS
}

// most is the first card of the largest value.
func most(cards []Card, value func(*Card) float64) *Card {
	var best *Card
	for i := range cards {
		if c := &cards[i]; best == nil || value(c) > value(best) {
			best = c
		}
	}
	return best
}

// Pick finds a winner among the cards of Dir.Winners by its ID or a beginning that
// only one has, by its letter in the report, by "knee", "best" (picture) or
// "fastest", or by "under:8ms", which is the best picture of those that take at
// most so long. Other names are a *PickError.
func Pick(cards []Card, name string) (*Card, error) {
	bad := func(why string) (*Card, error) {
		e := &PickError{Name: name, Why: why}
		for i := range cards {
			e.Have = append(e.Have, Letter(i)+"="+cards[i].ID)
		}
		return nil, e
	}
	if len(cards) == 0 {
		return bad("")
	}
	if f := words[name]; f != nil {
		if c := f(cards); c != nil {
			return c, nil
		}
		return bad("no winner was chosen for that")
	}
	if limit, ok := strings.CutPrefix(name, "under:"); ok {
		ms, err := strconv.ParseFloat(strings.TrimSuffix(limit, "ms"), 64)
		if err != nil || !(ms > 0) {
			return bad("no number of milliseconds")
		}
		fits := slices.DeleteFunc(slices.Clone(cards), func(c Card) bool { return takes(&c) > ms })
		if c := most(fits, func(c *Card) float64 { return c.Finetuned.PSNR }); c != nil {
			return c, nil
		}
		return bad(fmt.Sprintf("none takes at most %v ms; the fastest takes %.3g", ms, takes(words["fastest"](cards))))
	}
	var found *Card
	for i := range cards {
		c := &cards[i]
		switch {
		case Letter(i) == name || c.ID == name:
			return c, nil
		case name == "" || !strings.HasPrefix(c.ID, name):
		case found != nil:
			return bad("the beginning of more than one")
		default:
			found = c
		}
	}
	if found == nil {
		return bad("no winner")
	}
	return found, nil
}
