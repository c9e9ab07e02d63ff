package rundir

import (
	"errors"
	"strings"
	"testing"

	"evosr/fitness"
)

// TestOpenNothing: what is no run directory, or has no run yet, is told without
// that a run cannot start.
func TestOpenNothing(t *testing.T) {
	begun := t.TempDir()
	s, err := OpenStore(begun, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SetMeta(MetaVersion, "1"), s.Close()); err == nil {
		t.Fatal("a store without tables takes facts")
	}
	for dir, want := range map[string]string{t.TempDir(): "is no run directory: it has no run.db", begun: "has not begun"} {
		_, err := Open(dir)
		var u *UsageError
		if !errors.As(err, &u) || !errors.Is(err, ErrUsage) || !strings.Contains(u.Text, want) || strings.Contains(u.Text, ErrUsage.Error()) || err.Error() != ErrUsage.Error()+": "+u.Text {
			t.Errorf("%v, want a *UsageError with %q", err, want)
		}
	}
}

// TestStoreKeeps writes through one Store what another reads while it is open.
func TestStoreKeeps(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(map[string]string{MetaVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	e := Evaluation{Point: Point{ID: "a", Genome: "g", Values: fitness.Values{PSNR: 30, Others: map[string]float64{"phone": 7}}}, Violation: 0.5}
	card := Choice{ID: "a", Reason: "knee"}
	if err := errors.Join(s.AddEvaluation(e, 3), s.SetFront([]int{0}, "spent", 2.5), s.SetWinners([]Choice{card}), s.SetCard("a", "{}")); err != nil {
		t.Fatal(err)
	}
	r, err := OpenStore(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	front, err := r.Front()
	if err != nil || len(front) != 1 || front[0].Others["phone"] != 7 || front[0].Violation != 0.5 || front[0].PSNR != 30 {
		t.Errorf("the front is %+v, %v", front, err)
	}
	winners, err := r.Winners()
	if card.Card = "{}"; err != nil || len(winners) != 1 || winners[0] != card {
		t.Errorf("the winners are %+v, %v, want %+v", winners, err, card)
	}
	for key, want := range map[string]string{MetaVersion: "1", MetaSearchEnd: "spent", MetaHypervolume: "2.5", MetaSearchTime: "3ns", "none": ""} {
		if got, err := r.Meta(key); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", key, got, err, want)
		}
	}
	if err := r.SetMeta(MetaVersion, "2"); err == nil {
		t.Error("a Store that is open for reading writes")
	}
}
