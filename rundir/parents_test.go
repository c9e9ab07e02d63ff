package rundir

import (
	"fmt"
	"testing"
)

// TestParents: what evaluations were bred from comes back, and a database without it,
// or with later ones for parents, gives none.
func TestParents(t *testing.T) {
	s, err := OpenStore(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(nil); err != nil {
		t.Fatal(err)
	}
	parents := func() string {
		list, err := s.Evaluations()
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, e := range list {
			text += fmt.Sprint(e.Parents)
		}
		return text
	}
	for i, p := range [][]int{nil, nil, {1, 0}, {2}, {7, 3}} {
		e := Evaluation{Index: i, Parents: p}
		e.ID = fmt.Sprint(i)
		if err := s.AddEvaluation(e, 0); err != nil {
			t.Fatal(err)
		}
		if got, want := parents(), "[][]"; i == 1 && got != want {
			t.Errorf("before any: %s, want %s", got, want)
		}
	}
	if got, want := parents(), "[][][1 0][2][3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
