package rundir

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"evosr/fitness"
)

// judged is an evaluation whose values are all different and not 0.
func judged(t *testing.T) Evaluation {
	t.Helper()
	e := Evaluation{Index: 0, Point: Point{ID: "a1", Genome: `w4;"head"`}, Violation: 0.25}
	v := reflect.ValueOf(&e.Values).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Float64:
			f.SetFloat(float64(i) + 1.125)
		case reflect.Int:
			f.SetInt(int64(i)*1e9 + 1)
		default:
			e.Others = map[string]float64{"phone": 3.5, "box": 4.25}
		}
	}
	return e
}

// TestEvaluationKept: the database gives back every value of an evaluation.
func TestEvaluationKept(t *testing.T) {
	s, err := OpenStore(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := judged(t)
	if err := errors.Join(s.Create(nil), s.AddEvaluation(want, time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Evaluations()
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v (%v), want %+v", got, err, want)
	}
}

// TestFrontJSON: the file has every objective with the digits of its row, and reads
// back as the points that were written.
func TestFrontJSON(t *testing.T) {
	e := judged(t)
	text, err := FrontJSON([]string{"psnr_db", "macs"}, []Evaluation{e})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"objectives":["psnr_db","macs"],"points":[
{"id":"a1","genome":"w4;\"head\"","psnr_db":1.125000,"ssim":2.12500000,"latency_ms":3.125000,"params":3000000001,"macs":4000000001,"latencies_ms":{"box":4.250000,"phone":3.500000}}
]}
`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var f Front
	if err := json.Unmarshal(text, &f); err != nil || len(f.Points) != 1 || !reflect.DeepEqual(f.Points[0], e.Point) {
		t.Errorf("%+v (%v), want %+v", f, err, e.Point)
	}
	for _, o := range fitness.AllObjectives() {
		if got, want := o.Of(&f.Points[0].Values), o.Of(&e.Values); math.Abs(got-want) > 0 {
			t.Errorf("%s is %v, want %v", o.Name, got, want)
		}
	}
}
