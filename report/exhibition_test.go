package report

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evosr/imaging"
	"evosr/rundir"
	"evosr/upscale"
)

// TestPhotograph: a detail in colour whose original has another picture than the
// enlarged ones, and that what is too small is left out.
func TestPhotograph(t *testing.T) {
	p := &imaging.Picture{Y: imaging.NewPlane(90, 70), Cb: imaging.NewPlane(90, 70), Cr: imaging.NewPlane(90, 70)}
	for i := range p.Y.Pix {
		x, y := i%90, i/90
		p.Y.Pix[i] = 0.2 + 0.5*float32((x/5+y/7)%2)
		p.Cb.Pix[i], p.Cr.Pix[i] = 0.3+0.4*float32(x)/90, 0.7-0.4*float32(y)/70
	}
	c, err := photograph("waves", p, 2, []colourist{{"Winner A", upscale.Bicubic(2)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Columns) != 3 || c.Side != 70 {
		t.Fatalf("%d columns, side %d", len(c.Columns), c.Side)
	}
	if c.Columns[0].PNG != c.Columns[1].PNG || c.Columns[0].PNG == c.Columns[2].PNG {
		t.Error("bicubic interpolation and a winner that is it differ, or the original is like them")
	}
	if !strings.HasSuffix(c.Columns[0].Note, " dB") || c.Columns[2].Note != "" {
		t.Errorf("notes %q, %q", c.Columns[0].Note, c.Columns[2].Note)
	}
	if c, err := photograph("small", part(p, 0, 0, 7, 7), 2, nil); c != nil || err != nil {
		t.Errorf("a picture of 7x7: %v, %v", c, err)
	}
}

func TestHeat(t *testing.T) {
	m := fixture(t)
	m.front = m.front[:2]
	m.front[0].Genome = "w16;head=filter@25;plain2=block4@50,dense;skip;tail"
	m.front[1].Genome = "w16;head;skip;lean=filter@75;tail=block4@50"
	columns, rows := heat(m)
	if len(columns) != 2 {
		t.Fatalf("%d columns", len(columns))
	}
	var got []string
	for _, r := range rows {
		line := r.Layer + ":"
		for _, c := range r.Cells {
			line += fmt.Sprintf(" %s%s", c.Text, c.Scheme)
			if c.None {
				line += "none"
			}
		}
		got = append(got, line)
	}
	want := "head: 25filter \nslot 1, layer 1: 50block4 none\nslot 1, layer 2:  none\nslot 2: none 75filter\ntail:  50block4"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// TestDenseFront: nothing pruned is on it, and no network that prunes nothing beats it.
func TestDenseFront(t *testing.T) {
	m := fixture(t)
	dense := func(genome string) bool { return !strings.Contains(genome, "@") }
	for i := range 30 { // as a search that prunes nothing would have them
		m.evaluations[20+i].Genome, m.evaluations[20+i].Violation = m.config.Space.Largest().String(), 0
	}
	front := denseFront(m)
	if len(front) == 0 {
		t.Fatal("nothing on the front without pruning")
	}
	for _, p := range front {
		if !dense(p.Genome) {
			t.Errorf("%s is pruned", p.Genome)
		}
		for _, e := range m.evaluations {
			if valid(e) && dense(e.Genome) && dominates(m.aims.Minimised(&e.Values), m.aims.Minimised(&p.Values)) {
				t.Errorf("%s beats %s", e.ID, p.ID)
			}
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"runs/a-b_1.2": "runs/a-b_1.2", "": "''", "my run": "'my run'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := quoted(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestPaceOfLive: time left after a quarter of a search, also of one that was resumed.
func TestPaceOfLive(t *testing.T) {
	var p pace
	now := time.Unix(1e9, 0)
	s := rundir.Status{Stage: rundir.StageSearch, Budget: 1000, Evaluations: 300}
	if left := p.left(s, now); left >= 0 {
		t.Errorf("%v left after one look", left)
	}
	for range 40 {
		now = now.Add(2 * time.Second)
		s.Evaluations += 5
		want := time.Duration(float64(1000-s.Evaluations) / 2.5 * float64(time.Second))
		if left := p.left(s, now); left < want*3/4 || left > want*5/4 {
			t.Errorf("%v left at %d, want about %v", left, s.Evaluations, want)
		}
	}
	s.Stage, s.WinnersWant = rundir.StageWinners, 3
	if left := p.left(s, now); left >= 0 {
		t.Errorf("%v left as another stage begins", left)
	}
}

// TestPhotographs reads a folder with a picture that is too large, or none.
func TestPhotographs(t *testing.T) {
	if _, err := photographs(nil, nil, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is none")
	}
}

// TestGenealogy: ancestors are told once each, and a run that did not record them has
// none.
func TestGenealogy(t *testing.T) {
	m := fixture(t)
	id := m.evaluations[9].ID
	if genealogy(m, id) != nil {
		t.Error("a genealogy out of nothing")
	}
	m.evaluations[9].Parents = []int{3, 5}
	m.evaluations[5].Parents = []int{3, 3}
	m.evaluations[3].Parents = []int{1, 2}
	var text func(a ancestor) string
	text = func(a ancestor) string {
		s := a.Index
		if a.Note != "" {
			s += " " + a.Note
		}
		for _, p := range a.Parents {
			s += " (" + text(p) + ")"
		}
		return s
	}
	want := "10 (4 (2 drawn or given) (3 drawn or given)) (6 (4 as above))"
	if got := text(*genealogy(m, id)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m.winners[0].ID = id
	if page := pageOf(t, m); !strings.Contains(page, "Where it comes from") {
		t.Error("the page does not show it")
	}
}
