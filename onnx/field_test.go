package onnx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestField: small networks as tools write them, each of which was refused once.
func TestField(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.onnx")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o := ImportOptions{}
		if strings.Contains(name, "two_inputs_denoise") {
			if _, err := graphOf(text, o); err == nil || !strings.Contains(err.Error(), "--set") {
				t.Errorf("%s: nothing set gives %v", name, err)
			}
			o.Set = map[string]float32{"strength": 0.5}
		}
		g, err := graphOf(text, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const w, h = 24, 18
		src := make([]float32, g.Colors*w*h)
		for i := range src {
			src[i] = float32(i%17) / 17
		}
		if out, err := g.Reference(src, w, h); err != nil || len(out) != len(src)*g.Scale*g.Scale {
			t.Errorf("%s: %d values of %d: %v", name, len(out), len(src), err)
		}
	}
}

// TestSeveralOutputs: one of several outputs is taken by its name.
func TestSeveralOutputs(t *testing.T) {
	text, err := os.ReadFile("testdata/cases/act_abs.onnx")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	name := m.graph.outputs[0].name
	m.graph.outputs = append(m.graph.outputs, valueInfo{name: m.graph.nodes[0].outputs[0], ranked: m.graph.outputs[0].ranked, kind: m.graph.outputs[0].kind})
	if _, err := m.Graph(ImportOptions{}); err == nil || !strings.Contains(err.Error(), "--output-name") {
		t.Errorf("two outputs give %v", err)
	}
	if _, err := m.Graph(ImportOptions{Output: name}); err != nil {
		t.Error(err)
	}
	if _, err := m.Graph(ImportOptions{Output: "other"}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("an unknown output gives %v", err)
	}
}
