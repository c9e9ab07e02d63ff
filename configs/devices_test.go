package configs

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const twoDevices = `
device: {profile: "builtin:smoke", width: 96, height: 64}
devices:
  - {name: phone, profile: phone.yaml, width: 640, height: 360, budget_ms: 33}
  - {name: one-core, profile: b.yaml}
search: {objectives: [psnr_db, latency_ms, latency_ms:phone]}
`

func TestDevices(t *testing.T) {
	c, err := Parse("x/c.yaml", []byte(twoDevices))
	if err != nil {
		t.Fatal(err)
	}
	x, err := filepath.Abs("x")
	if err != nil {
		t.Fatal(err)
	}
	want := []Target{{"phone", filepath.Join(x, "phone.yaml"), 640, 360, 33}, {"one-core", filepath.Join(x, "b.yaml"), 96, 64, 0}}
	if !reflect.DeepEqual(c.Devices, want) {
		t.Errorf("%+v, want %+v", c.Devices, want)
	}
	if !slices.Equal(c.Search.Objectives, []string{"psnr_db", "latency_ms", "latency_ms:phone"}) {
		t.Errorf("objectives %v", c.Search.Objectives)
	}
	again, err := Parse("y/d.yaml", c.YAML())
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("reads back as %+v (%v)", again, err)
	}
	// Where a profile lies changes no result; a budget does.
	moved, other := *c, *c
	moved.Devices, other.Devices = slices.Clone(c.Devices), slices.Clone(c.Devices)
	moved.Devices[0].Profile = "/elsewhere.yaml"
	other.Devices[0].BudgetMS = 34
	if c.Hash() != moved.Hash() || len(Differences(c, &moved)) != 0 {
		t.Error("a profile's place makes another config")
	}
	if d := Differences(c, &other); c.Hash() == other.Hash() || len(d) != 1 || !strings.Contains(d[0], "budget_ms: 34") {
		t.Errorf("another budget differs by %v", d)
	}
	c.Search.Objectives = []string{"psnr_db", "latency_ms:phone"}
	if got := c.Search.Cost(); got != "latency_ms:phone" {
		t.Errorf("the cost is %q", got)
	}
}

func TestDevicesFaults(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"devices: phone", "devices: phone, want a list of devices"},
		{"devices: [phone]", "want a device such as {name: phone"},
		{"devices: [{name: phone}]", "devices[0]: profile \"\", want a profile file"},
		{"devices: [{profile: a.yaml}]", "devices[0]: name \"\", want small letters"},
		{"devices: [{name: A b, profile: a.yaml}]", "want small letters"},
		{"devices: [{name: a, profile: a.yaml}, {name: a, profile: b.yaml}]", "devices[1]: name a stands in the list twice"},
		{"devices: [{name: a, profile: a.yaml, width: 640}]", "want width and height or neither"},
		{"devices: [{name: a, profile: a.yaml, width: 4, height: 640}]", "devices[0].width: 4, want a whole number from 8"},
		{"devices: [{name: a, profile: a.yaml, width: 16384, height: 16384}]", "megapixels"},
		{"devices: [{name: a, profile: a.yaml, budget: 4}]", "unknown key"},
		{"devices: [{name: a, profile: procedural}]", "want a profile file"},
		{"devices: [{name: a, profile: \"builtin:phone\"}]", "builtin:smoke"},
		{"devices: [" + strings.Repeat("{name: a, profile: a.yaml}, ", 9) + "]", "at most 8"},
		{"search: {objectives: [psnr_db, latency_ms:phone]}", "latency_ms:phone: no such device, devices has none"},
		{"devices: [{name: a, profile: a.yaml}]\nsearch: {objectives: [psnr_db, latency_ms:b]}", "no such device, want a"},
		{"search: {objectives: [psnr_db, latency]}", "did you mean latency_ms?"},
	} {
		_, err := Parse("c.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.text, err, tt.want)
		}
	}
}
