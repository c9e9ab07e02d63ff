package fitness

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestObjectives: every number of Values is one row of the table, by its name in
// files, and what a Score says of it is what the row reads.
func TestObjectives(t *testing.T) {
	score := Score{Quality: Quality{PSNR: 31, SSIM: 0.9}, LatencyMS: 5, Params: 7, MACs: 9, Others: []Latency{{Device: "phone", MS: 11}}}
	v := score.Values()
	fields := reflect.ValueOf(v)
	var names []string
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		if name == "latencies_ms" {
			continue
		}
		names = append(names, name)
		o, err := ObjectiveOf(name)
		if err != nil {
			t.Errorf("field %s is no objective: %v", fields.Type().Field(i).Name, err)
			continue
		}
		want := fields.Field(i).Convert(reflect.TypeFor[float64]()).Float()
		if got := o.Of(&v); got != want || want == 0 {
			t.Errorf("%s is %v, want %v, not 0", name, got, want)
		}
		if whole := fields.Field(i).CanInt(); whole != (o.Digits == 0) {
			t.Errorf("%s has %d digits and is whole: %v", name, o.Digits, whole)
		}
		if sign := o.Minimised(&v) / want; o.Maximised != (sign == -1) || math.Abs(sign) != 1 {
			t.Errorf("%s: %v to be minimised, maximised: %v", name, o.Minimised(&v), o.Maximised)
		}
	}
	var table []string
	for _, o := range AllObjectives() {
		if table = append(table, o.Name); o.Label == "" {
			t.Errorf("%s has no label", o.Name)
		}
	}
	if !slices.Equal(table, names) {
		t.Errorf("the table has %v, Values %v", table, names)
	}
}

// TestObjectiveOf: a further device's latency is an objective, what nobody knows an
// error that names those that are.
func TestObjectiveOf(t *testing.T) {
	o, err := ObjectiveOf("latency_ms:phone")
	if err != nil || o.Label != "Predicted latency on phone" || o.Unit != "ms" || o.Maximised {
		t.Errorf("%+v, %v", o, err)
	}
	if got := o.Of(&Values{LatencyMS: 3, Others: map[string]float64{"phone": 7}}); got != 7 {
		t.Errorf("latency on the phone is %v, want 7", got)
	}
	if got := o.Of(&Values{LatencyMS: 3}); !math.IsNaN(got) {
		t.Errorf("latency on a device without one is %v", got)
	}
	for _, bad := range []string{"", "latency", "PSNR", LatencyOn} {
		if _, err := ObjectiveOf(bad); err == nil || !strings.Contains(err.Error(), "want one of psnr_db, ssim, latency_ms, params, macs, or latency_ms:DEVICE") {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := ParseObjectives([]string{NamePSNR, bad}); err == nil {
			t.Errorf("%q among others is no error", bad)
		}
	}
}

// TestFirstObjectives: the first quality and the first cost, in the search's order.
func TestFirstObjectives(t *testing.T) {
	list, err := ParseObjectives([]string{"params", "latency_ms:phone", "ssim", "psnr_db"})
	if err != nil {
		t.Fatal(err)
	}
	quality, ok := list.Quality()
	cost, also := list.Cost()
	if quality.Name != "ssim" || cost.Name != "params" || !ok || !also {
		t.Errorf("quality %s, cost %s", quality.Name, cost.Name)
	}
	if _, ok := list[2:].Cost(); ok {
		t.Error("qualities alone have a cost")
	}
	v := Values{PSNR: 31, SSIM: 0.5, Params: 7, Others: map[string]float64{"phone": 2}}
	if got := list.Minimised(&v); !slices.Equal(got, []float64{7, 2, -0.5, -31}) {
		t.Errorf("minimised %v", got)
	}
}
